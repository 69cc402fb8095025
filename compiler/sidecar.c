/* SPDX-License-Identifier: MIT
 *
 * sidecar.c - who wants which sidecar, and when.
 */
#include "sidecar.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "depfile.h"
#include "hash.h"
#include "map.h"
#include "outfile.h"

/* --- names that clash --- */

static bool same_state(const struct stamp_file *a, const struct stamp_file *b)
{
    return a->device == b->device && a->inode == b->inode;
}

/* The folder and last component of a path, of which the file may not exist. */
static void split(struct arena *a, struct str path, struct str *folder,
                  struct str *name)
{
    size_t n = str_folder(path).n;
    *folder = n == 0 ? str_c(".") : arena_str(a, str_cut(path, 0, n));
    *name = str_cut(path, n, path.n);
}

/* Whether two paths are or would become one file. */
static bool same_target(struct arena *a, struct str x, struct str y)
{
    struct stamp_file f = {.path = x}, g = {.path = y};
    struct str name, other;
    if (stamp_stat(&f) == 0 && stamp_stat(&g) == 0)
        return same_state(&f, &g);
    if (outfile_target(a, x, &x) != 0 || outfile_target(a, y, &y) != 0)
        return false; /* one of them cannot be written */
    split(a, x, &f.path, &name);
    split(a, y, &g.path, &other);
    return str_eq(name, other) && stamp_stat(&f) == 0 && stamp_stat(&g) == 0 &&
           same_state(&f, &g);
}

static bool check_clash(struct run *r, struct str path, struct str other,
                        const char *what)
{
    if (path.n == 0 || other.n == 0 || !same_target(&r->arena, path, other))
        return true;
    diag_add_file(&r->diag, "E0704", path, DIAG_NO_OFFSET,
                  "cannot write: it is %s of this run", what);
    return false;
}

static bool check_inputs(struct run *r, struct str path,
                         const struct sidecar *s)
{
    bool ok = true;
    for (size_t i = 0; i < s->stamp.text_count; i++)
        ok = ok && check_clash(r, path, s->stamp.texts[i].path, "an input");
    for (size_t i = 0; i < s->stamp.file_count; i++)
        ok = ok && check_clash(r, path, s->stamp.files[i].path, "an input");
    return ok;
}

static bool check_depfile(struct run *r, const struct sidecar *s)
{
    return check_clash(r, s->depfile, s->output, "the output") &&
           check_clash(r, s->depfile, s->stamp_path, "the stamp") &&
           check_inputs(r, s->depfile, s);
}

/* Each file beside the output against all others. */
static bool check_sides(struct run *r, const struct sidecar *s)
{
    static const char *const what[STAMP_SIDES] = {"the map", "the statistics",
                                                  "the report"};
    bool ok = true;
    for (int i = 0; i < STAMP_SIDES && ok; i++) {
        struct str path = s->sides[i];
        ok = check_clash(r, path, s->output, "the output") &&
             check_clash(r, path, s->depfile, "the depfile") &&
             check_clash(r, path, s->stamp_path, "the stamp") &&
             check_inputs(r, path, s);
        for (int k = 0; k < i && ok; k++)
            ok = check_clash(r, path, s->sides[k], what[k]);
    }
    return ok;
}

/* --- the lists --- */

/* What the command line gives, in its order. */
static void list_given(struct arena *a, const struct args *args,
                       struct stamp *s)
{
    size_t n = (size_t)(args->count + args->source_count), i = 0;
    struct stamp_given *g = arena_new(a, struct stamp_given, n);
    for (int k = 0; k < args->count; k++)
        g[i++] = (struct stamp_given){str_c(k == 0 ? "spec" : "checkpoint"),
                                      str_c(args->positional[k])};
    for (int k = 0; k < args->source_count; k++)
        g[i++] = (struct stamp_given){str_c("source"), str_c(args->sources[k])};
    s->given = g;
    s->given_count = n;
}

static void list_texts(struct arena *a, const struct spec *spec,
                       struct stamp *s)
{
    size_t n = 0;
    for (const struct spec_file *f = spec->files; f != NULL; f = f->next)
        n++;
    s->texts = arena_new(a, struct stamp_text, n);
    s->text_count = 0;
    for (const struct spec_file *f = spec->files; f != NULL; f = f->next) {
        struct stamp_text *t = &s->texts[s->text_count++];
        t->path = f->source.path;
        ttsb__hash128(f->source.text.p, f->source.text.n, t->hash);
    }
}

static bool cannot_read(struct run *r, struct str path, int error)
{
    diag_add_file(&r->diag, "E0705", path, DIAG_NO_OFFSET, "cannot read: %s",
                  strerror(error));
    return false;
}

/* A file that is not held open. */
static bool list_path(struct run *r, struct str path, struct stamp *s)
{
    struct stamp_file *f = &s->files[s->file_count++];
    int error;
    f->path = path;
    error = stamp_stat(f);
    return error == 0 || cannot_read(r, path, error);
}

/* Every file of the checkpoint, and of `expect:`. The state is the
 * descriptor's: the run fails if the file is another one at its end. */
static bool list_files(struct run *r, const struct checkpoint *c,
                       struct stamp *s)
{
    size_t n =
        c == NULL ? 0 : c->file_count + c->index_count + r->spec.expect_count;
    bool ok = true;
    s->files = arena_new(&r->arena, struct stamp_file, n);
    s->file_count = 0;
    if (c == NULL)
        return true;
    for (size_t i = 0; i < c->file_count && ok; i++) {
        struct stamp_file *f = &s->files[s->file_count++];
        int error = stamp_fd(c->files[i].fd, f);
        f->path = c->files[i].path;
        ok = error == 0 || cannot_read(r, f->path, error);
    }
    for (size_t i = 0; i < c->index_count; i++)
        ok = ok && list_path(r, c->indexes[i], s);
    for (size_t i = 0; i < r->spec.expect_count; i++)
        ok = ok && list_path(r, r->spec.expects[i].path, s);
    s->folders = c->folders;
    s->folder_count = c->folder_count;
    return ok;
}

/* --- depfile --- */

static bool make_rule(struct run *r, struct sidecar *s)
{
    size_t n = s->stamp.text_count, all = n + s->stamp.file_count;
    struct str *inputs = arena_new(&r->arena, struct str, all);
    struct text t = {0};
    bool ok;
    for (size_t i = 0; i < n; i++)
        inputs[i] = s->stamp.texts[i].path;
    for (size_t i = 0; i < s->stamp.file_count; i++)
        inputs[n++] = s->stamp.files[i].path;
    ok = depfile_text(&r->diag, &t, s->depfile, s->output, inputs, n);
    s->rule = arena_str(&r->arena, text_view(&t));
    text_release(&t);
    return ok;
}

static bool say_written(struct run *r, struct str path, int error)
{
    if (error != 0)
        diag_add_file(&r->diag, "E0704", path, DIAG_NO_OFFSET,
                      "cannot write: %s", outfile_error(error));
    return error == 0;
}

static bool write_text(struct run *r, struct str path, struct str text)
{
    return say_written(r, path, outfile_write_text(&r->arena, path, text));
}

/* --- stages --- */

static void say_current(const struct args *args, const struct sidecar *s)
{
    if (!args->quiet)
        printf("%.*s: up to date%s\n", STR_ARG(s->output),
               s->stamp.partial ? " (PARTIAL)" : "");
}

static void list_sides(const struct args *args, struct str sides[STAMP_SIDES])
{
    const char *paths[STAMP_SIDES] = {args->map, args->stats_name,
                                      args->report};
    for (int i = 0; i < STAMP_SIDES; i++)
        if (paths[i] != NULL)
            sides[i] = str_c(paths[i]);
}

/* Whether there is nothing but the output. */
static bool is_alone(const struct sidecar *s)
{
    bool alone = s->depfile.n == 0 && s->stamp_path.n == 0;
    for (int i = 0; i < STAMP_SIDES; i++)
        alone = alone && s->sides[i].n == 0;
    return alone;
}

bool sidecar_begin(struct run *r, const struct args *args, struct sidecar *s)
{
    struct arena *a = &r->arena;
    *s = (struct sidecar){.output = str_c(args->output)};
    if (args->depfile_name != NULL)
        s->depfile = str_c(args->depfile_name);
    else if (args->depfile)
        s->depfile = arena_format(a, "%s.d", args->output);
    list_sides(args, s->sides);
    if (!args->if_changed)
        return false;
    s->stamp_path = stamp_path(a, s->output);
    s->stamp.allow_partial = args->partial;
    s->stamp.output.path = s->output;
    for (int i = 0; i < STAMP_SIDES; i++)
        s->stamp.sides[i].path = s->sides[i];
    list_given(a, args, &s->stamp);
    if (stamp_program(a, &s->stamp) &&
        stamp_is_current(a, s->stamp_path, &s->stamp)) {
        bool ok =
            check_sides(r, s) &&
            (s->depfile.n == 0 || (check_depfile(r, s) && make_rule(r, s) &&
                                   write_text(r, s->depfile, s->rule)));
        if (ok)
            say_current(args, s);
        return true;
    }
    clock_gettime(CLOCK_REALTIME, &s->stamp.opened);
    return false;
}

bool sidecar_prepare(struct run *r, const struct checkpoint *c,
                     struct sidecar *s)
{
    s->checkpoint = c;
    if (is_alone(s))
        return true;
    if (s->stamp_path.n > 0 && !stamp_program(&r->arena, &s->stamp)) {
        diag_add_file(&r->diag, "E0705", s->stamp_path, DIAG_NO_OFFSET,
                      "cannot read the running program, which a stamp names");
        return false;
    }
    list_texts(&r->arena, &r->spec, &s->stamp);
    s->stamp.partial = false;
    for (size_t i = 0; i < r->model.output_count; i++)
        s->stamp.partial = s->stamp.partial || r->model.outputs[i].missing;
    return list_files(r, c, &s->stamp) && check_depfile(r, s) &&
           check_clash(r, s->stamp_path, s->output, "the output") &&
           check_inputs(r, s->stamp_path, s) && check_sides(r, s) &&
           (s->depfile.n == 0 || make_rule(r, s));
}

static bool write_side(struct run *r, const struct emitted *blob,
                       struct sidecar *s, enum stamp_side side)
{
    struct map_of of = {&r->model, s->checkpoint, blob, true,
                        map_is_json(s->sides[STAMP_MAP])};
    struct str path = s->sides[side], text = text_view(&s->texts[side]);
    struct stamp_file *f = &s->stamp.sides[side];
    uint64_t size = text.n;
    int error = side == STAMP_MAP ? map_write(&of, &r->arena, path, &size)
                                  : outfile_write_text(&r->arena, path, text);
    if (!say_written(r, path, error))
        return false;
    if (s->stamp_path.n == 0)
        return true;
    if (stamp_stat(f) == 0 && f->size == size)
        return true;
    diag_add_file(&r->diag, "E0704", path, DIAG_NO_OFFSET,
                  "the file changed before its stamp was written");
    return false;
}

static bool write_stamp(struct run *r, const struct emitted *blob,
                        struct sidecar *s)
{
    struct text t = {0};
    bool ok;
    if (stamp_stat(&s->stamp.output) != 0 ||
        s->stamp.output.size != blob->size) {
        diag_add_file(&r->diag, "E0704", s->output, DIAG_NO_OFFSET,
                      "the output changed before its stamp was written");
        return false;
    }
    memcpy(s->stamp.root, blob->root, sizeof s->stamp.root);
    stamp_write(&s->stamp, &t);
    ok = write_text(r, s->stamp_path, text_view(&t));
    text_release(&t);
    return ok;
}

static bool write_all(struct run *r, const struct emitted *blob,
                      struct sidecar *s)
{
    if (s->depfile.n > 0 && !write_text(r, s->depfile, s->rule))
        return false;
    for (int i = 0; i < STAMP_SIDES; i++)
        if (s->sides[i].n > 0 && !write_side(r, blob, s, (enum stamp_side)i))
            return false;
    return s->stamp_path.n == 0 || write_stamp(r, blob, s);
}

bool sidecar_write(struct run *r, const struct emitted *blob, struct sidecar *s)
{
    bool ok = write_all(r, blob, s);
    for (int i = 0; i < STAMP_SIDES; i++)
        text_release(&s->texts[i]);
    return ok;
}
