/* SPDX-License-Identifier: MIT
 *
 * inspect.c - `ttswc inspect`: what is in a file, from its headers alone.
 *
 * In: a .ttsb blob (told by its first byte), a safetensors file, a folder or
 * index of such files, a lock. Out: a table, a tree, names, sums, or one line
 * of JSON whose keys are only ever added to.
 */
#include "inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "lockfile.h"
#include "meta.h"
#include "screen.h"

/* --- what is shown --- */

struct selection_request inspect_request(const struct args *args)
{
    return (struct selection_request){str_c(args->positional[0]),
                                      args->positional + 1, args->count - 1,
                                      args->sort};
}

void inspect_totals(struct text *t, const struct args *args, const char *format,
                    struct inspect_totals n)
{
    text_format(t, "%s, %zu", format, n.shown);
    if (args->count > 1)
        text_format(t, " of %zu", n.all);
    text_format(t, " tensors, %" PRIu64 " bytes\n", n.bytes);
}

/* --- safetensors --- */

static void json_safetensors(struct text *t, const struct stfile *c,
                             const struct selection *s)
{
    text_format(t,
                "{\"data_start\":%" PRIu64 ",\"file_size\":%" PRIu64
                ",\"format\":\"safetensors\",\"metadata\":{",
                c->header.data_start, c->size);
    inspect_metadata(t, &c->header);
    text_c(t, "},\"tensors\":[");
    for (size_t i = 0; i < s->count; i++) {
        const struct st_tensor *x = &c->header.tensors[s->index[i]];
        text_format(t, "%s{\"dtype\":\"%s\",\"name\":", i > 0 ? "," : "",
                    spec_dtype_name((enum ttsb_dtype)x->dtype));
        meta_string(t, x->name);
        text_format(t, ",\"offset\":%" PRIu64 ",\"shape\":",
                    c->header.data_start + x->begin);
        text_sizes(t, x->dims, x->rank);
        text_format(t, ",\"size\":%" PRIu64 "}", x->end - x->begin);
    }
    text_c(t, "]}\n");
}

static void list_safetensors(struct arena *a, struct text *t,
                             const struct stfile *c, const struct selection *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct st_tensor *x = &c->header.tensors[s->index[i]];
        text_format(t, "%12" PRIu64 " %12" PRIu64 "  %-8s %-20.*s ",
                    c->header.data_start + x->begin, x->end - x->begin,
                    spec_dtype_name((enum ttsb_dtype)x->dtype),
                    STR_ARG(checkpoint_shape(a, x)));
        meta_string(t, x->name);
        text_c(t, "\n");
    }
}

static void inspect_safetensors(struct run *r, const struct args *args,
                                struct text *t)
{
    struct stfile c;
    struct selection_request q = inspect_request(args);
    struct candidate *all;
    struct selection s;
    bool ok;
    if (!stfile_open(&r->arena, &r->diag, str_c(args->positional[0]), &c))
        return;
    all = arena_new(&r->arena, struct candidate, c.header.count);
    for (size_t i = 0; i < c.header.count; i++) {
        const struct st_tensor *x = &c.header.tensors[i];
        all[i] = (struct candidate){x->name, x->end - x->begin, x->dtype};
    }
    ok = selection_make(&r->arena, &r->diag, all, c.header.count, &q, &s);
    if (ok && args->json) {
        json_safetensors(t, &c, &s);
    } else if (ok) {
        list_safetensors(&r->arena, t, &c, &s);
        inspect_totals(
            t, args, "safetensors",
            (struct inspect_totals){s.count, c.header.count, s.bytes});
    }
    stfile_close(&c);
}

/* --- anything else --- */

/* A lock, several files, or another way to look than a table. */
static void inspect_any(struct run *r, const struct args *args, struct text *t)
{
    struct str path = str_c(args->positional[0]);
    struct selection_request q = inspect_request(args);
    struct tensors x;
    struct inspect_view v = {.a = &r->arena, .args = args, .tensors = &x};
    struct candidate *all;
    if (!tensors_open(&r->arena, &r->diag, &path, 1, &x))
        return;
    v.format = x.kind == TENSORS_BLOB ? "ttsb"
               : x.checkpoint.file_count == 1 && x.checkpoint.files[0].is_lock
                   ? "lock"
                   : "safetensors";
    all = arena_new(&r->arena, struct candidate, x.n);
    for (size_t i = 0; i < x.n; i++)
        all[i] = (struct candidate){x.p[i].name, x.p[i].size,
                                    (uint32_t)x.p[i].dtype};
    if (selection_make(&r->arena, &r->diag, all, x.n, &q, &v.s)) {
        if (args->tree)
            inspect_tree(t, &v);
        else if (args->names_only)
            inspect_names(t, &v);
        else if (args->summary)
            inspect_summary(t, &v);
        else
            inspect_list(t, &v);
    }
    tensors_close(&x);
}

/* --- all of it --- */

enum looks { LOOK_BLOB, LOOK_FILE, LOOK_ANY };

static enum looks look(const struct args *args, int fd)
{
    uint8_t first[LOCK_MAGIC_SIZE] = {0};
    struct stat st;
    bool is_blob = tensors_is_blob(args->positional[0]);
    if (args->tree || args->names_only || args->summary)
        return LOOK_ANY;
    if (is_blob)
        return LOOK_BLOB;
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        return LOOK_ANY;
    if (str_ends(str_c(args->positional[0]), ".safetensors.index.json"))
        return LOOK_ANY;
    return pread(fd, first, sizeof first, 0) == sizeof first &&
                   lockfile_is(first, sizeof first)
               ? LOOK_ANY
               : LOOK_FILE;
}

/* Control characters of names do not reach a terminal. */
static void clean(struct text *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        size_t skip = screen_control(t->p + i, t->n - i);
        t->p[n++] = skip > 0 && t->p[i] != '\n' ? '?' : t->p[i];
        i += skip > 0 ? skip - 1 : 0;
    }
    t->n = n;
}

enum exit_code command_inspect(const struct args *args)
{
    struct run r;
    struct text t = {0};
    int fd;
    if (args->tree + args->names_only + args->summary > 1)
        return cli_misused(
            "inspect", "--tree, --names-only and --summary exclude each other");
    if (args->tree + args->summary > 0 && args->sort != SORT_FILE)
        return cli_misused(
            "inspect", "--sort orders lists of tensors; --tree and --summary "
                       "have an order of their own");
    fd = open(args->positional[0], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    run_begin(&r, args);
    if (fd < 0)
        inspect_cannot_read(&r, args, errno);
    else
        switch (look(args, fd)) {
        case LOOK_BLOB:
            inspect_blob(&r, args, fd, &t);
            break;
        case LOOK_FILE:
            inspect_safetensors(&r, args, &t);
            break;
        default:
            inspect_any(&r, args, &t);
        }
    if (fd >= 0)
        close(fd);
    if (!args->json)
        clean(&t);
    if (t.n > 0)
        fwrite(t.p, 1, t.n, stdout);
    text_release(&t);
    return run_end(&r);
}
