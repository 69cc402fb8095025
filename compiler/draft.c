/* SPDX-License-Identifier: MIT
 *
 * draft.c - `ttswc draft`: the first text of a spec.
 *
 * In: a checkpoint, a lock or a blob, of which headers are read. Out: a spec
 * that copies each tensor under its own name, with loops where branches are
 * equal. Invariant: it does not compile: every axis is `?`, in types and in
 * `layout:`, and no header can say what an axis is.
 */
#include <inttypes.h>

#include "commands.h"
#include "compile.h"
#include "draft_map.h"
#include "lockfile.h"
#include "outfile.h"

/* The dtype of most tensors; f32 without any. */
static enum ttsb_dtype most_common(const struct tensors *x)
{
    uint64_t count[TTSB_DTYPE_COUNT] = {0};
    uint32_t best = TTSB_F32;
    for (size_t i = 0; i < x->n; i++)
        count[x->p[i].dtype]++;
    for (uint32_t i = 0; i < TTSB_DTYPE_COUNT; i++)
        if (count[i] > count[best])
            best = i;
    return (enum ttsb_dtype)best;
}

/* The file's name without folder and endings, as far as a model may be called
 * so. */
static void put_model(struct text *t, struct str path)
{
    struct str name;
    size_t n = 0;
    while (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    name = str_cut(path, str_folder(path).n, path.n);
    while (n < name.n && n < 100 && name.p[n] != '.')
        n++;
    if (n == 0 || !((name.p[0] >= 'a' && name.p[0] <= 'z') ||
                    (name.p[0] >= 'A' && name.p[0] <= 'Z')))
        text_c(t, "m");
    for (size_t i = 0; i < n; i++) {
        char c = name.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  (c >= '0' && c <= '9') || c == '-';
        text_format(t, "%c", ok ? c : '_');
    }
}

static const char header[] =
    "# A draft: each tensor of the checkpoint, literally, under its own name.\n"
    "# What no header can tell is left to a person: what the axes of each type "
    "are,\n"
    "# as they are stored (`[out=512, in=512]`), and in which order `layout:` "
    "has them;\n"
    "# then what to rename, to fold, to drop, and what to store it as.\n";

static void put_head(struct text *t, const struct drafting *d,
                     const struct args *args)
{
    const char *source = spec_dtype_name(d->source_dtype);
    text_c(t, header);
    text_c(t, "ttsw: 1\nmodel: ");
    put_model(t, str_c(args->positional[0]));
    text_format(t, "\nrevision: 1\nsource_dtype: %s\n", source);
    text_format(t, "store: %s    # or as {matrix: f16, vector: f32}\n",
                spec_dtype_is_float(d->source_dtype) ? source : "f32");
    text_c(t, "layout: [\"?\"]\n");
    for (size_t i = 0; i < d->dim_count; i++) {
        text_format(t, "%s  N%zu: %" PRIu64 "    # ", i == 0 ? "\ndims:\n" : "",
                    i, d->dims[i].size);
        draft_put_whole(t, d->dims[i].of);
        text_c(t, "\n");
    }
    text_c(t, "\nmap:\n");
}

static void put_draft(struct run *r, const struct args *args,
                      const struct tensors *x, struct text *t)
{
    struct drafting d = {
        .a = &r->arena, .p = x->p, .source_dtype = most_common(x)};
    uint32_t *all = arena_new(&r->arena, uint32_t, x->n);
    struct text map = {0};
    for (uint32_t i = 0; i < x->n; i++)
        all[i] = i;
    draft_map(&d, nametree_build(&r->arena, x->p, all, x->n), &map);
    put_head(t, &d, args);
    text_str(t, text_view(&map));
    text_release(&map);
    if (args->output != NULL && !args->quiet) {
        printf("%s: %zu tensor%s in %zu line%s, %zu loop%s", args->output, x->n,
               x->n == 1 ? "" : "s", d.lines, d.lines == 1 ? "" : "s", d.loops,
               d.loops == 1 ? "" : "s");
        if (d.left_out > 0)
            printf(", %" PRIu64 " left out", d.left_out);
        printf("\n");
    }
}

static bool may_write(struct run *r, const struct args *args,
                      const struct tensors *x)
{
    bool ok = true;
    for (int i = 0; ok && i < args->count; i++)
        ok = run_is_apart(r, args->output, str_c(args->positional[i]));
    return ok && run_may_write(r, args->output, &x->checkpoint);
}

static void put_out(struct run *r, const struct args *args,
                    const struct text *t)
{
    int error;
    if (args->output == NULL) {
        fwrite(t->p, 1, t->n, stdout);
        return;
    }
    error = outfile_write_text(&r->arena, str_c(args->output), text_view(t));
    if (error != 0)
        diag_add_file(&r->diag, "E0704", str_c(args->output), DIAG_NO_OFFSET,
                      "cannot write: %s", outfile_error(error));
}

enum exit_code command_draft(const struct args *args)
{
    struct run r;
    struct tensors x;
    struct str *paths;
    struct text t = {0};
    run_begin(&r, args);
    paths = run_operands(&r, args);
    if (!tensors_open(&r.arena, &r.diag, paths, (size_t)args->count, &x))
        return run_end(&r);
    if (args->output == NULL || may_write(&r, args, &x)) {
        put_draft(&r, args, &x, &t);
        put_out(&r, args, &t);
    }
    text_release(&t);
    tensors_close(&x);
    return run_end(&r);
}
