/* SPDX-License-Identifier: MIT
 *
 * diff_run.c - streams both sides through the comparison, tensors in parallel.
 *
 * A worker has one block of each side. What is on one side only is read if the
 * other side has something of its dtype and sizes that is alone, too: it may
 * have been renamed.
 */
#include <errno.h>
#include <stdlib.h>

#include "diff.h"
#include "hash.h"
#include "meta.h"
#include "pool.h"

#define STEP ((uint64_t)8 * METRIC_BLOCK) /* elements of a block */
#define MAX_WORKERS 64

/* A tensor on its way through. */
struct stream {
    const struct tensors *t;
    uint32_t i;
    uint64_t elements; /* as the comparison counts them */
    uint32_t size;     /* bytes of one */
    enum ttsb_dtype dtype;
    uint8_t *block;
    uint64_t digest[3]; /* of what has passed; then that of a block */
};

struct running {
    struct diff *d;
    uint8_t *blocks[MAX_WORKERS]; /* two of each worker */
    struct progress progress;
};

static const struct tensor *tensor_of(const struct tensors *t, uint32_t i)
{
    return i == DIFF_NONE || !t->p[i].has_values ? NULL : &t->p[i];
}

/* --- one side --- */

static struct stream stream_of(const struct tensors *t, uint32_t i,
                               uint8_t *block)
{
    const struct tensor *x = &t->p[i];
    struct stream s = {.t = t, .i = i, .block = block, .dtype = x->dtype};
    if (x->dtype == TTSB_C64)
        s.dtype = TTSB_F32;
    s.size =
        value_kind(s.dtype) == VALUE_OPAQUE ? 1 : spec_dtype_bits(s.dtype) / 8;
    s.elements = x->size / s.size;
    return s;
}

/* Reads elements [at, at + n) and adds them to the digest. */
static int stream_read(struct stream *s, uint64_t at, uint64_t n)
{
    size_t bytes = (size_t)n * s->size;
    uint64_t chain[4];
    int error = tensors_read(s->t, s->i, at * s->size, s->block, bytes);
    if (error != 0)
        return error;
    memcpy(chain, s->digest, 16);
    ttsb__hash128(s->block, bytes, (uint8_t *)(chain + 2));
    ttsb__hash128(chain, sizeof chain, (uint8_t *)s->digest);
    return 0;
}

static int digest_side(struct stream *s, uint64_t *out)
{
    int error = 0;
    uint64_t n;
    for (uint64_t at = 0; at < s->elements && error == 0; at += n) {
        n = s->elements - at < STEP ? s->elements - at : STEP;
        error = stream_read(s, at, n);
    }
    memcpy(out, s->digest, 16);
    return error;
}

/* --- both --- */

static void add_block(struct metric *m, const struct stream *a,
                      const struct stream *b, uint64_t n)
{
    for (uint64_t i = 0; i < n; i += METRIC_BLOCK) {
        uint64_t left = n - i;
        metric_add(m, a->block + i * a->size, b->block + i * b->size,
                   (size_t)(left < METRIC_BLOCK ? left : METRIC_BLOCK));
    }
}

static void compare(struct running *w, struct diff_item *x, size_t item,
                    uint8_t *blocks)
{
    struct diff *d = w->d;
    struct stream a = stream_of(&d->a, x->a, blocks);
    struct stream b = stream_of(&d->b, x->b, blocks + STEP * 8);
    uint64_t n;
    if (a.elements != b.elements ||
        !metric_begin(&x->m, a.dtype, b.dtype, &d->within))
        return;
    for (uint64_t at = 0; at < a.elements; at += n) {
        n = a.elements - at < STEP ? a.elements - at : STEP;
        x->error = stream_read(&a, at, n);
        if (x->error == 0)
            x->error_in_b = (x->error = stream_read(&b, at, n)) != 0;
        if (x->error != 0)
            return;
        add_block(&x->m, &a, &b, n);
        progress_add(&w->progress, (uint32_t)item, n * (a.size + b.size));
    }
    memcpy(x->digest_a, a.digest, 16);
    memcpy(x->digest_b, b.digest, 16);
    x->compared = true;
}

static bool alike(const struct tensor *a, const struct tensor *b)
{
    return a->dtype == b->dtype && a->rank == b->rank &&
           (a->rank == 0 || memcmp(a->dims, b->dims, a->rank * 8) == 0);
}

/* Whether what is on one side only may be on the other by another name. */
static bool has_twin(const struct diff *d, const struct diff_item *x)
{
    const struct tensor *t = tensor_of(&d->a, x->a);
    if (t == NULL)
        t = tensor_of(&d->b, x->b);
    for (size_t i = 0; i < d->n && t != NULL; i++) {
        const struct diff_item *y = &d->items[i];
        const struct tensor *u = NULL;
        if (x->a != DIFF_NONE && y->a == DIFF_NONE)
            u = tensor_of(&d->b, y->b);
        else if (x->b != DIFF_NONE && y->b == DIFF_NONE)
            u = tensor_of(&d->a, y->a);
        if (u != NULL && alike(t, u))
            return true;
    }
    return false;
}

static void job(void *context, unsigned worker, size_t i)
{
    struct running *w = context;
    struct diff *d = w->d;
    struct diff_item *x = &d->items[i];
    const struct tensor *a = tensor_of(&d->a, x->a);
    const struct tensor *b = tensor_of(&d->b, x->b);
    if (a != NULL && b != NULL) {
        compare(w, x, i, w->blocks[worker]);
    } else if (a != NULL && x->b == DIFF_NONE && has_twin(d, x)) {
        struct stream s = stream_of(&d->a, x->a, w->blocks[worker]);
        x->error = digest_side(&s, x->digest_a);
    } else if (b != NULL && x->a == DIFF_NONE && has_twin(d, x)) {
        struct stream s = stream_of(&d->b, x->b, w->blocks[worker]);
        x->error = digest_side(&s, x->digest_b);
        x->error_in_b = x->error != 0;
    }
}

/* --- what was renamed --- */

bool diff_same_bytes(const struct diff *d, uint32_t a, uint32_t b)
{
    uint64_t size = d->a.p[a].size, n;
    uint8_t *x = malloc(STEP * 2);
    bool same = x != NULL && size == d->b.p[b].size;
    for (uint64_t at = 0; at < size && same; at += n) {
        n = size - at < STEP ? size - at : STEP;
        same = tensors_read(&d->a, a, at, x, (size_t)n) == 0 &&
               tensors_read(&d->b, b, at, x + STEP, (size_t)n) == 0 &&
               memcmp(x, x + STEP, (size_t)n) == 0;
    }
    free(x);
    return same;
}

/* The only item on the other side with these bytes, or NULL. */
static struct diff_item *only_twin(struct diff *d, const struct diff_item *x)
{
    const struct tensor *t = x->b == DIFF_NONE ? &d->a.p[x->a] : &d->b.p[x->b];
    const uint64_t *mine = x->b == DIFF_NONE ? x->digest_a : x->digest_b;
    struct diff_item *found = NULL;
    for (size_t i = 0; i < d->n; i++) {
        struct diff_item *y = &d->items[i];
        const struct tensor *u =
            x->b == DIFF_NONE ? tensor_of(&d->b, y->b) : tensor_of(&d->a, y->a);
        const uint64_t *theirs = x->b == DIFF_NONE ? y->digest_b : y->digest_a;
        if (u == NULL || (x->b == DIFF_NONE ? y->a : y->b) != DIFF_NONE ||
            !alike(t, u) || memcmp(mine, theirs, 16) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = y;
    }
    return found;
}

/* One line in place of two; tensors without elements are all alike. */
static void find_renamed(struct diff *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++) {
        struct diff_item *x = &d->items[i], *y;
        if (x->b != DIFF_NONE || tensor_of(&d->a, x->a) == NULL ||
            d->a.p[x->a].size == 0)
            continue;
        y = only_twin(d, x);
        if (y == NULL || only_twin(d, y) != x ||
            !diff_same_bytes(d, x->a, y->b))
            continue;
        x->renamed = true;
        x->name_b = y->name;
        x->b = y->b;
        y->b = DIFF_NONE; /* now on neither side */
    }
    for (size_t i = 0; i < d->n; i++)
        if (d->items[i].a != DIFF_NONE || d->items[i].b != DIFF_NONE)
            d->items[n++] = d->items[i];
    d->n = n;
}

/* --- all of it --- */

static bool say_error(struct diff *d, const struct diff_item *x)
{
    const struct tensors *t = x->error_in_b ? &d->b : &d->a;
    const struct tensor *y = &t->p[x->error_in_b ? x->b : x->a];
    struct text name = {0};
    meta_word(&name, y->name);
    if (x->error == EBADMSG)
        diag_add_file(&d->r->diag, "E0711", y->file, y->offset,
                      "the packed bytes of %.*s are damaged",
                      STR_ARG(text_view(&name)));
    else if (x->error == EFBIG)
        diag_add_file(&d->r->diag, "E0711", y->file, y->offset,
                      "%.*s is in Fortran order and has more than 1 GiB: "
                      "save numpy.ascontiguousarray(x)",
                      STR_ARG(text_view(&name)));
    else
        diag_add_file(&d->r->diag, "E0705", y->file, DIAG_NO_OFFSET,
                      "cannot read: %s",
                      x->error == ENODATA ? "the file became shorter"
                                          : strerror(x->error));
    text_release(&name);
    return false;
}

bool diff_run(struct diff *d)
{
    struct running w = {.d = d};
    struct progress_plan plan = {d->args->progress, "diff", 0, NULL, NULL};
    unsigned threads =
        d->args->jobs < MAX_WORKERS ? d->args->jobs : MAX_WORKERS;
    bool ok = true;
    threads = threads < d->n ? threads : (unsigned)d->n;
    for (size_t i = 0; i < d->n; i++) {
        const struct diff_item *x = &d->items[i];
        if (tensor_of(&d->a, x->a) != NULL && tensor_of(&d->b, x->b) != NULL)
            plan.total += d->a.p[x->a].size + d->b.p[x->b].size;
    }
    for (unsigned i = 0; i < threads; i++) {
        w.blocks[i] = malloc(STEP * 16);
        if (w.blocks[i] == NULL)
            arena_exhausted();
    }
    progress_start(&w.progress, &plan);
    pool_run(threads, d->n, job, &w);
    progress_stop(&w.progress);
    for (unsigned i = 0; i < threads; i++)
        free(w.blocks[i]);
    for (size_t i = 0; i < d->n && ok; i++)
        ok = d->items[i].error == 0 || say_error(d, &d->items[i]);
    if (ok)
        find_renamed(d);
    return ok;
}
