/* SPDX-License-Identifier: MIT
 *
 * lock.c - `ttswc lock`: names, dtypes, shapes; with --digest, digests.
 *
 * In: a checkpoint in any number of files, or a blob. Out: the text of
 * lockfile.h. Invariant: neither the order of files nor that of tensors in
 * them is in the text; without --digest only headers are read.
 *
 * A digest is that of META (FORMAT.md section 10): large tensors are hashed in
 * slabs, whichever thread comes to them.
 */
#include <errno.h>
#include <stdlib.h>

#include "audit.h"
#include "commands.h"
#include "compile.h"
#include "lockfile.h"
#include "outfile.h"
#include "pool.h"
#include "tensors.h"

#define SLAB_PIECES 16 /* 1 MiB */
#define SLAB_SIZE ((size_t)SLAB_PIECES * TTSB_PIECE_SIZE)

/* One read. */
struct slab {
    uint32_t tensor;
    uint64_t offset; /* in the tensor */
    size_t size;
};

struct locking {
    struct run *r;
    const struct args *args;
    struct tensors tensors;
    uint32_t *order;    /* by name */
    uint64_t **pieces;  /* of each tensor */
    struct slab *slabs; /* of all tensors */
    int *errors;        /* of each slab */
    uint8_t **memory;   /* of each worker */
    size_t slab_count;
    struct progress progress;
};

/* --- digests --- */

static uint64_t pieces_of(const struct tensor *x)
{
    return (x->size + TTSB_PIECE_SIZE - 1) / TTSB_PIECE_SIZE;
}

static void cut_slabs(struct locking *l)
{
    struct arena *a = &l->r->arena;
    size_t n = 0;
    for (size_t i = 0; i < l->tensors.n; i++)
        n += (size_t)(pieces_of(&l->tensors.p[i]) / SLAB_PIECES) + 1;
    l->slabs = arena_new(a, struct slab, n);
    l->errors = arena_new(a, int, n);
    l->pieces = arena_new(a, uint64_t *, l->tensors.n);
    for (uint32_t i = 0; i < l->tensors.n; i++) {
        uint64_t size = l->tensors.p[i].size;
        l->pieces[i] =
            arena_new(a, uint64_t, (size_t)pieces_of(&l->tensors.p[i]));
        for (uint64_t at = 0; at < size; at += SLAB_SIZE) {
            uint64_t rest = size - at;
            l->slabs[l->slab_count++] = (struct slab){
                i, at, rest < SLAB_SIZE ? (size_t)rest : SLAB_SIZE};
        }
    }
}

static void hash_slab(void *context, unsigned worker, size_t i)
{
    struct locking *l = context;
    const struct slab *s = &l->slabs[i];
    uint8_t *p = l->memory[worker];
    l->errors[i] = tensors_read(&l->tensors, s->tensor, s->offset, p, s->size);
    if (l->errors[i] == 0)
        audit_hash(p, s->size,
                   l->pieces[s->tensor] + s->offset / TTSB_PIECE_SIZE);
    progress_add(&l->progress, s->tensor, s->size);
}

static struct progress_label label(const void *context, uint32_t item)
{
    const struct locking *l = context;
    return (struct progress_label){.source = l->tensors.p[item].file};
}

static void hash_all(struct locking *l)
{
    struct progress_plan plan = {l->args->progress, "lock", 0, label, l};
    unsigned threads = l->args->jobs;
    l->memory = arena_new(&l->r->arena, uint8_t *, threads);
    for (unsigned i = 0; i < threads; i++) {
        l->memory[i] = malloc(SLAB_SIZE);
        if (l->memory[i] == NULL)
            arena_exhausted();
    }
    for (size_t i = 0; i < l->tensors.n; i++)
        plan.total += l->tensors.p[i].size;
    progress_start(&l->progress, &plan);
    pool_run(threads, l->slab_count, hash_slab, l);
    progress_stop(&l->progress);
    for (unsigned i = 0; i < threads; i++)
        free(l->memory[i]);
}

/* False after E0705 for a file that could not be read or changed. */
static bool all_read(struct locking *l)
{
    struct str path;
    for (size_t i = 0; i < l->slab_count; i++) {
        int error = l->errors[i];
        if (error == 0)
            continue;
        diag_add_file(
            &l->r->diag, "E0705", l->tensors.p[l->slabs[i].tensor].file,
            DIAG_NO_OFFSET, "cannot read: %s",
            error == ENODATA ? "the file became shorter" : strerror(error));
        return false;
    }
    if (l->tensors.kind != TENSORS_SAFETENSORS ||
        !checkpoint_changed(&l->tensors.checkpoint, &path))
        return true;
    diag_add_file(&l->r->diag, "E0705", path, DIAG_NO_OFFSET,
                  "the file changed while it was read");
    return false;
}

/* A tensor of a blob that is ABSENT or MISSING has a range and no value. */
static bool all_have_values(struct locking *l)
{
    if (!tensors_have_values(&l->r->diag, &l->tensors))
        return false;
    for (size_t i = 0; i < l->tensors.n; i++) {
        const struct tensor *x = &l->tensors.p[i];
        if (x->has_values)
            continue;
        diag_add_file(&l->r->diag, "E0707", x->file, DIAG_NO_OFFSET,
                      "`%.*s` is %s, so that there is no digest of it",
                      STR_ARG(x->name),
                      x->flags & TTSB_RECORD_MISSING ? "MISSING" : "ABSENT");
        return false;
    }
    return true;
}

static bool digest(struct locking *l)
{
    if (!all_have_values(l))
        return false;
    cut_slabs(l);
    hash_all(l);
    return all_read(l);
}

/* --- text --- */

static int by_name(const void *x, const void *y, void *context)
{
    const struct tensors *t = context;
    return str_order(t->p[*(const uint32_t *)x].name,
                     t->p[*(const uint32_t *)y].name);
}

static void sort(struct locking *l)
{
    l->order = arena_new(&l->r->arena, uint32_t, l->tensors.n);
    for (uint32_t i = 0; i < l->tensors.n; i++)
        l->order[i] = i;
    if (l->tensors.n > 0)
        qsort_r(l->order, l->tensors.n, sizeof *l->order, by_name, &l->tensors);
}

static void put_all(struct locking *l, struct text *t)
{
    sort(l);
    lockfile_begin(t);
    for (size_t i = 0; i < l->tensors.n; i++) {
        const struct tensor *x = &l->tensors.p[l->order[i]];
        struct st_tensor line = {.name = x->name,
                                 .dtype = (uint32_t)x->dtype,
                                 .rank = x->rank,
                                 .dims = x->dims};
        uint8_t sum[LOCK_DIGEST_SIZE];
        if (l->args->digest)
            audit_digest(&line, l->pieces[l->order[i]], pieces_of(x), sum);
        lockfile_put(t, &line, l->args->digest ? sum : NULL);
    }
}

static bool may_write(struct locking *l)
{
    bool ok = true;
    for (int i = 0; ok && i < l->args->count; i++)
        ok = run_is_apart(l->r, l->args->output, str_c(l->args->positional[i]));
    return ok && run_may_write(l->r, l->args->output, &l->tensors.checkpoint);
}

static void put_out(struct locking *l, const struct text *t)
{
    struct str path;
    int error;
    if (t->n > SOURCE_MAX) {
        diag_add_file(&l->r->diag, "E0710", str_c(l->args->positional[0]),
                      DIAG_NO_OFFSET, "the lock would be larger than 16 MiB");
        return;
    }
    if (l->args->output == NULL) {
        fwrite(t->p, 1, t->n, stdout);
        return;
    }
    path = str_c(l->args->output);
    error = outfile_write_text(&l->r->arena, path, text_view(t));
    if (error != 0)
        diag_add_file(&l->r->diag, "E0704", path, DIAG_NO_OFFSET,
                      "cannot write: %s", outfile_error(error));
    else if (!l->args->quiet)
        printf("wrote %s: %zu tensors%s\n", l->args->output, l->tensors.n,
               l->args->digest ? " with their digests" : "");
}

enum exit_code command_lock(const struct args *args)
{
    struct run r;
    struct locking l = {.r = &r, .args = args};
    struct str *paths;
    struct text t = {0};
    run_begin(&r, args);
    paths = run_operands(&r, args);
    if (!tensors_open(&r.arena, &r.diag, paths, (size_t)args->count,
                      &l.tensors))
        return run_end(&r);
    if ((args->output == NULL || may_write(&l)) &&
        (!args->digest || digest(&l))) {
        put_all(&l, &t);
        put_out(&l, &t);
    }
    text_release(&t);
    tensors_close(&l.tensors);
    return run_end(&r);
}
