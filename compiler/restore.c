/* SPDX-License-Identifier: MIT
 *
 * restore.c - judges the sources, then makes those that can be restored, unit
 * by unit, each in its own order, straight into its file.
 *
 * The blob's outputs are tensors of a checkpoint of one file, so that a source
 * is assembled out of them as a value is out of sources. The pieces that are
 * read are hashed first; the digest of what was made is the last word.
 */
#include "restore.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assemble.h"
#include "audit.h"
#include "inverse.h"
#include "loss.h"
#include "outfile.h"
#include "sources.h"
#include "sthead.h"

/* One file that is written. */
struct target {
    struct str path;
    struct sthead_tensor *tensors;
    uint32_t *origins; /* of each */
    size_t count;
    struct text head;
    uint64_t size;
    struct outfile file;
    bool open;
};

struct restoring {
    struct run *r;
    const struct args *args;
    const struct ttsb_blob *blob;
    struct checkpoint outputs; /* of the blob */
    struct lineage lineage;
    struct inverse inverse;
    bool *chosen;            /* origins to be written */
    size_t left_out;         /* of those that the patterns choose */
    struct target *targets;  /* of each source */
    const uint64_t **places; /* of each origin: where it goes, or NULL */
    bool made_folder;
    bool *sound; /* outputs whose pieces were hashed */
    struct buffers *buffers;
    struct progress progress;
};

/* --- the blob as a checkpoint --- */

static bool open_outputs(struct restoring *x)
{
    struct arena *a = &x->r->arena;
    struct checkpoint *c = &x->outputs;
    struct ttsb_info info = {.struct_size = sizeof info};
    ttsb_info(x->blob, &info);
    c->files = arena_new(a, struct stfile, 1);
    c->files[0].path = str_c(x->args->positional[0]);
    c->files[0].fd = open(c->files[0].path.p, O_RDONLY | O_CLOEXEC);
    if (c->files[0].fd < 0) {
        diag_add_file(&x->r->diag, "E0705", c->files[0].path, DIAG_NO_OFFSET,
                      "cannot read: %s", strerror(errno));
        return false;
    }
    c->file_count = 1;
    c->count = info.tensor_count;
    c->tensors = arena_new(a, struct st_tensor, c->count);
    c->places = arena_new(a, struct tensor_place, c->count);
    for (uint32_t i = 0; i < c->count; i++) {
        struct ttsb_tensor t = {.struct_size = sizeof t};
        ttsb_tensor_at(x->blob, i, &t, NULL);
        c->tensors[i].begin = t.offset;
        c->tensors[i].end = t.offset + t.size;
    }
    return true;
}

/* --- choosing --- */

/* The origins that the patterns name, all without any. */
static bool select_origins(struct restoring *x)
{
    struct arena *a = &x->r->arena;
    struct selection_request q = {str_c(x->args->positional[0]),
                                  x->args->positional + 1, x->args->count - 1,
                                  SORT_FILE};
    size_t n = x->lineage.n;
    struct candidate *all = arena_new(a, struct candidate, n);
    struct selection s;
    x->chosen = arena_new(a, bool, n);
    for (size_t i = 0; i < n; i++)
        all[i].name = x->lineage.p[i].name;
    if (!selection_make(a, &x->r->diag, all, n, &q, &s)) {
        diag_note(&x->r->diag, x->r->diag.last,
                  "with --inverse patterns are for the sources' names");
        return false;
    }
    for (size_t i = 0; i < s.count; i++)
        x->chosen[s.index[i]] = true;
    return true;
}

/* Says what cannot be restored; the rest stays chosen. */
static bool choose(struct restoring *x)
{
    struct losses v = {x->r, &x->inverse, x->chosen, x->args->restorable};
    size_t left = 0;
    if (!select_origins(x))
        return false;
    v.chosen = x->chosen;
    if (x->args->count == 1)
        losses_absent(x->r);
    x->left_out = losses_say(&v);
    if (x->left_out > 0 && !x->args->restorable)
        return false;
    for (size_t i = 0; i < x->lineage.n; i++) {
        x->chosen[i] = x->chosen[i] && x->inverse.fates[i].loss == LOSS_NONE;
        left += x->chosen[i];
    }
    if (left == 0)
        diag_add_file(&x->r->diag, "E0707", str_c(x->args->positional[0]),
                      DIAG_NO_OFFSET, "no tensor is left to export");
    return left > 0;
}

/* --- files --- */

static bool refuse(struct restoring *x, struct str path, const char *why)
{
    diag_add_file(&x->r->diag, "E0704", path, DIAG_NO_OFFSET,
                  "cannot write: %s", why);
    return false;
}

static int by_width(const void *p, const void *q, void *context)
{
    const struct origin *all = context;
    const struct origin *a = &all[*(const uint32_t *)p];
    const struct origin *b = &all[*(const uint32_t *)q];
    int order = sthead_order(a->dtype, b->dtype);
    return order != 0 ? order : str_order(a->name, b->name);
}

static bool lay_out(struct restoring *x, struct target *t, uint32_t source)
{
    struct arena *a = &x->r->arena;
    const char *why;
    t->origins = arena_new(a, uint32_t, x->lineage.n);
    for (uint32_t i = 0; i < x->lineage.n; i++)
        if (x->chosen[i] && x->lineage.p[i].file == source)
            t->origins[t->count++] = i;
    if (t->count == 0)
        return true;
    qsort_r(t->origins, t->count, sizeof *t->origins, by_width, x->lineage.p);
    t->tensors = arena_new(a, struct sthead_tensor, t->count);
    for (size_t i = 0; i < t->count; i++) {
        const struct origin *o = &x->lineage.p[t->origins[i]];
        struct sthead_tensor *s = &t->tensors[i];
        *s =
            (struct sthead_tensor){.name = o->name, o->dtype, o->rank, o->dims};
        type_bytes(o->leaf->type, o->leaf->dtype, &s->size);
        x->places[t->origins[i]] = &s->at;
    }
    why = sthead_put(&t->head, t->tensors, t->count, &t->size);
    return why == NULL || refuse(x, t->path, why);
}

static bool make_folder(struct restoring *x)
{
    struct str path = str_c(x->args->output);
    struct stat st;
    x->made_folder = mkdir(path.p, 0777) == 0;
    if (x->made_folder)
        return true;
    if (errno != EEXIST)
        return refuse(x, path, strerror(errno));
    return (stat(path.p, &st) == 0 && S_ISDIR(st.st_mode)) ||
           refuse(
               x, path,
               "the spec has several sources, so that this must be a folder");
}

static struct str path_of(struct restoring *x, uint32_t source)
{
    const struct spec *s = x->r->model.spec;
    struct str folder = str_c(x->args->output);
    if (sources_count(s) == 1)
        return folder;
    return arena_format(&x->r->arena, "%.*s%s%.*s.safetensors", STR_ARG(folder),
                        str_ends(folder, "/") ? "" : "/",
                        STR_ARG(sources_id(s, source)));
}

/* Links apart, two files of one folder and one name. */
static bool same_place(const struct outfile *o, const struct outfile *p)
{
    size_t m = str_folder(o->path).n, n = str_folder(p->path).n;
    struct stat a, b;
    return str_eq(str_cut(o->path, m, o->path.n),
                  str_cut(p->path, n, p->path.n)) &&
           fstat(o->directory_fd, &a) == 0 && fstat(p->directory_fd, &b) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* A link may lead from one source's file to another's. */
static bool check_places(struct restoring *x)
{
    uint32_t n = sources_count(x->r->model.spec);
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t k = 0; k < i; k++) {
            const struct target *a = &x->targets[i], *b = &x->targets[k];
            if (a->open && b->open && same_place(&a->file, &b->file))
                return refuse(x, a->path,
                              "a link makes it the file of another source, "
                              "too");
        }
    return true;
}

static bool open_targets(struct restoring *x)
{
    uint32_t n = sources_count(x->r->model.spec);
    x->targets = arena_new(&x->r->arena, struct target, n);
    x->places = arena_new(&x->r->arena, const uint64_t *, x->lineage.n);
    for (uint32_t i = 0; i < n; i++) {
        struct target *t = &x->targets[i];
        t->path = path_of(x, i);
        if (!lay_out(x, t, i) || !run_may_write(x->r, t->path.p, NULL) ||
            !run_is_apart(x->r, t->path.p, str_c(x->args->positional[0])))
            return false;
    }
    if (n > 1 && !make_folder(x))
        return false;
    for (struct target *t = x->targets; t < x->targets + n; t++) {
        int error = 0;
        if (t->count == 0)
            continue;
        error = outfile_open(&x->r->arena, t->path, true, &t->file);
        t->open = error == 0;
        if (error == 0)
            error = outfile_resize(&t->file, t->size);
        if (error == 0)
            error = outfile_write(&t->file, 0, t->head.p, t->head.n);
        if (error != 0)
            return refuse(x, t->path, outfile_error(error));
    }
    return check_places(x);
}

/* After an error nothing of this run is left. */
static bool close_targets(struct restoring *x, bool ok)
{
    uint32_t n = x->targets == NULL ? 0 : sources_count(x->r->model.spec);
    for (uint32_t i = 0; i < n; i++) {
        struct target *t = &x->targets[i];
        int error = 0;
        if (t->open && ok)
            error = outfile_commit(&t->file);
        else if (t->open)
            outfile_discard(&t->file);
        if (error != 0)
            ok = refuse(x, t->path, outfile_error(error));
        text_release(&t->head);
    }
    if (!ok && x->made_folder)
        rmdir(x->args->output);
    return ok;
}

/* --- bytes --- */

/* Hashes the pieces of the outputs from which an origin is made. */
static bool check_outputs(struct restoring *x, const struct regions *r)
{
    struct ttsb_error error = {.struct_size = sizeof error};
    for (size_t i = 0; i < r->n; i++) {
        uint32_t output = r->p[i].leaf->source;
        struct ttsb_tensor t = {.struct_size = sizeof t};
        if (x->sound[output])
            continue;
        ttsb_tensor_at(x->blob, output, &t, NULL);
        if (ttsb_verify_range(x->blob, t.first_piece,
                              t.first_piece + t.piece_count,
                              &error) != TTSB_OK) {
            run_blob_error(x->r, x->args->positional[0], &error);
            return false;
        }
        x->sound[output] = true;
    }
    return true;
}

static bool refuse_read(struct restoring *x, int error)
{
    diag_add_file(&x->r->diag, "E0705", str_c(x->args->positional[0]),
                  DIAG_NO_OFFSET, "cannot read: %s",
                  error == ENODATA ? "the file became shorter"
                                   : strerror(error));
    return false;
}

/* The bytes of an origin, slab by slab, and the hashes of their pieces. */
static bool write_slabs(struct restoring *x, uint32_t origin,
                        struct assembly *s, uint64_t *pieces)
{
    const struct target *t = &x->targets[x->lineage.p[origin].file];
    size_t size = spec_dtype_bits(s->dtype) / 8;
    uint64_t elements, n;
    type_elements(s->type, &elements);
    assemble_begin(s);
    for (uint64_t at = 0; at < elements; at += n) {
        const uint8_t *bytes;
        int error;
        n = elements - at < s->step ? elements - at : s->step;
        error = assemble_range(s, at, n, &bytes);
        if (error != 0)
            return refuse_read(x, error);
        audit_hash(bytes, (size_t)n * size,
                   pieces + at * size / TTSB_PIECE_SIZE);
        error = outfile_write(&t->file, *x->places[origin] + at * size, bytes,
                              (size_t)n * size);
        if (error != 0)
            return refuse(x, t->path, outfile_error(error));
        progress_add(&x->progress, origin, n * size);
    }
    return true;
}

static bool say_other_bytes(struct restoring *x, const struct origin *o)
{
    struct diag_item *item = diag_add_file(
        &x->r->diag, "E0709", str_c(x->args->positional[0]), DIAG_NO_OFFSET,
        "restored, `%.*s` has not the digest that META holds of it",
        STR_ARG(o->name));
    diag_help(&x->r->diag, item,
              "give the spec that the blob was compiled by: this one has the "
              "same contract id, but other names of sources");
    return false;
}

static bool write_origin(struct restoring *x, uint32_t origin)
{
    const struct origin *o = &x->lineage.p[origin];
    struct arena scratch = {0};
    struct assembly s = {.b = x->buffers};
    struct st_tensor t = {.dtype = o->dtype, .rank = o->rank, .dims = o->dims};
    uint64_t bytes, count, *pieces;
    uint8_t digest[16];
    bool ok;
    type_bytes(o->leaf->type, o->leaf->dtype, &bytes);
    count = (bytes + TTSB_PIECE_SIZE - 1) / TTSB_PIECE_SIZE;
    pieces = buffers_take((size_t)count * sizeof *pieces);
    s.type = inverse_type(&scratch, o->leaf, &s.dtype);
    s.regions = inverse_regions(&x->inverse, origin);
    ok = bytes == 0 ||
         (check_outputs(x, &s.regions) && write_slabs(x, origin, &s, pieces));
    if (ok) {
        audit_digest(&t, pieces, count, digest);
        ok = memcmp(digest, o->digest, 16) == 0 || say_other_bytes(x, o);
    }
    free(pieces);
    arena_release(&scratch);
    return ok;
}

static bool write_all(struct restoring *x)
{
    bool ok = true;
    x->sound = arena_new(&x->r->arena, bool, x->outputs.count);
    x->buffers = buffers_new(&x->outputs, PRODUCE_SLAB);
    for (size_t k = 0; k < x->inverse.units.n && ok; k++) {
        struct arena scratch = {0};
        inverse_unit(&x->inverse, k, &scratch);
        for (size_t i = 0; i < x->inverse.count && ok; i++)
            if (x->chosen[x->inverse.origins[i]])
                ok = write_origin(x, x->inverse.origins[i]);
        x->buffers->gather.count = 0; /* what is staged goes with the unit */
        arena_release(&scratch);
    }
    buffers_release(x->buffers);
    return ok;
}

static struct progress_label label(const void *context, uint32_t origin)
{
    const struct restoring *x = context;
    const struct model *m = &x->r->model;
    return (struct progress_label){
        str_c(x->args->positional[0]),
        sources_id(m->spec, x->lineage.p[origin].file)};
}

static bool write_files(struct restoring *x)
{
    struct progress_plan plan = {x->args->progress, "export", 0, label, x};
    bool ok = open_targets(x);
    for (uint32_t i = 0; ok && i < sources_count(x->r->model.spec); i++)
        plan.total += x->targets[i].size - x->targets[i].head.n;
    if (ok) {
        progress_start(&x->progress, &plan);
        ok = write_all(x);
        progress_stop(&x->progress);
    }
    return close_targets(x, ok);
}

/* --- all of it --- */

static void report(const struct restoring *x)
{
    for (uint32_t i = 0; i < sources_count(x->r->model.spec); i++) {
        const struct target *t = &x->targets[i];
        if (t->count > 0)
            printf("wrote %.*s: %zu tensors, %" PRIu64 " bytes\n",
                   STR_ARG(t->path), t->count, t->size);
    }
    if (x->left_out > 0)
        printf("%zu tensor%s cannot be restored\n", x->left_out,
               x->left_out == 1 ? "" : "s");
}

static void restore(struct restoring *x)
{
    struct run *r = x->r;
    const char *path = x->args->positional[0];
    if (!run_model(r, x->args->inverse) ||
        !lineage_bind(r, path, x->blob, &x->lineage) || !open_outputs(x))
        return;
    inverse_judge(&r->arena, &r->model, &x->lineage, &x->inverse);
    if (choose(x) && write_files(x) && !x->args->quiet)
        report(x);
}

enum exit_code restore_sources(const struct args *args)
{
    struct ttsb_open_options options = {
        .struct_size = sizeof options,
        .flags = args->partial ? TTSB_OPEN_PARTIAL : 0};
    struct ttsb_error error = {.struct_size = sizeof error};
    struct ttsb_blob *blob;
    struct run r;
    struct restoring x = {.r = &r, .args = args};
    run_begin(&r, args);
    if (ttsb_open(args->positional[0], &options, &blob, &error) != TTSB_OK) {
        run_blob_error(&r, args->positional[0], &error);
        return run_end(&r);
    }
    x.blob = blob;
    restore(&x);
    checkpoint_close(&x.outputs);
    ttsb_close(blob);
    return run_end(&r);
}
