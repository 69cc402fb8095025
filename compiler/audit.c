/* SPDX-License-Identifier: MIT
 *
 * audit.c - one pass over a source: digest, NaN and Inf, sums of squares.
 */
#include "audit.h"

#include <stdlib.h>

#include "hash.h"
#include "rows.h"
#include "size.h"

static void *take(size_t n)
{
    void *p = malloc(n);
    if (p == NULL)
        arena_exhausted();
    return p;
}

static bool fail(const struct audit *a, struct finding f)
{
    a->p->audited[f.leaf->source] = AUDIT_BAD;
    return produce_fail(a->p, f);
}

static bool fail_read(const struct audit *a, const struct leaf *leaf, int error)
{
    return fail(a, (struct finding){
                       .kind = FINDING_READ, .leaf = leaf, .error = error});
}

/* --- digests --- */

void audit_hash(const void *data, size_t n, uint64_t *pieces)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < n; i += TTSB_PIECE_SIZE)
        pieces[i / TTSB_PIECE_SIZE] = ttsb__hash64(
            p + i, n - i < TTSB_PIECE_SIZE ? n - i : TTSB_PIECE_SIZE);
}

static uint64_t piece_count(const struct leaf *leaf, uint64_t *bytes)
{
    type_bytes(leaf->type, leaf->dtype, bytes);
    return (*bytes + TTSB_PIECE_SIZE - 1) / TTSB_PIECE_SIZE;
}

void audit_digest(const struct st_tensor *t, const uint64_t *pieces,
                  uint64_t count, uint8_t out[16])
{
    uint8_t head[8 + 8 * ST_MAX_RANK];
    uint8_t *list = take((size_t)count * 8 + 1);
    struct ttsb__bytes parts[2] = {{head, 8 + 8 * (size_t)t->rank},
                                   {list, (size_t)count * 8}};
    store_u32(head, t->dtype);
    store_u32(head + 4, t->rank);
    for (uint32_t i = 0; i < t->rank; i++)
        store_u64(head + 8 + 8 * i, t->dims[i]);
    for (uint64_t i = 0; i < count; i++)
        store_u64(list + 8 * i, pieces[i]);
    ttsb__hash128_joined(parts, 2, out);
    free(list);
}

bool audit_done(const struct audit *a, const struct leaf *leaf,
                const uint64_t *pieces, const struct kernel_nonfinite *bad)
{
    uint64_t bytes, count = piece_count(leaf, &bytes);
    a->p->audited[leaf->source] = AUDIT_GOOD;
    audit_digest(&a->p->checkpoint->tensors[leaf->source], pieces, count,
                 a->p->digests[leaf->source]);
    if (bad->count == 0 || leaf->allow_nonfinite)
        return true;
    return fail(a, (struct finding){.kind = FINDING_NONFINITE,
                                    .leaf = leaf,
                                    .count = bad->count,
                                    .first = bad->first});
}

/* --- sums of squares --- */

static void sum_values(const struct audit *a, const struct leaf *leaf,
                       const struct rows *r, uint64_t first, uint64_t n)
{
    size_t size = spec_dtype_bits(leaf->dtype) / 8;
    for (uint64_t i = 0; r->acc != NULL && i < n; i += PRODUCE_CHUNK) {
        uint64_t k = n - i < PRODUCE_CHUNK ? n - i : PRODUCE_CHUNK;
        kernel_load_f64(leaf->dtype, a->b->raw + i * size, k, a->b->wide);
        rows_add(r, a->b->wide, first + i, k);
    }
}

/* --- reading --- */

static bool read_source(const struct audit *a, const struct leaf *leaf,
                        const struct rows *rows)
{
    struct kernel_nonfinite bad = {0};
    uint64_t bytes, count = piece_count(leaf, &bytes), at = 0;
    uint64_t size = spec_dtype_bits(leaf->dtype) / 8;
    uint64_t *pieces = take((size_t)count * 8 + 8);
    int error = 0;
    bool ok;
    while (at < bytes) {
        size_t n =
            bytes - at < PRODUCE_SLAB ? (size_t)(bytes - at) : PRODUCE_SLAB;
        error =
            checkpoint_read(a->p->checkpoint, leaf->source, at, a->b->raw, n);
        if (error != 0)
            break;
        audit_hash(a->b->raw, n, pieces + at / TTSB_PIECE_SIZE);
        produce_show_source(a->p, leaf->source, at, a->b->raw, n);
        if (size > 0) { /* packed dtypes have no NaN */
            kernel_scan_nonfinite(leaf->dtype, a->b->raw, n / size, &bad);
            sum_values(a, leaf, rows, at / size, n / size);
        }
        at += n;
    }
    ok = error == 0 ? audit_done(a, leaf, pieces, &bad)
                    : fail_read(a, leaf, error);
    free(pieces);
    return ok;
}

/* The byte where two buffers part, or n. */
static size_t first_difference(const uint8_t *x, const uint8_t *y, size_t n)
{
    size_t i = 0;
    while (i < n && x[i] == y[i])
        i++;
    return i;
}

/* Byte for byte: equal digests would only be a strong hint. */
static bool compare_twin(const struct audit *a, const struct leaf *leaf)
{
    const struct checkpoint *c = a->p->checkpoint;
    uint64_t bytes, at = 0;
    type_bytes(leaf->type, leaf->dtype, &bytes);
    while (at < bytes) {
        size_t n =
            bytes - at < PRODUCE_SLAB ? (size_t)(bytes - at) : PRODUCE_SLAB;
        int error = checkpoint_read(c, leaf->source, at, a->b->raw, n);
        if (error != 0)
            return fail_read(a, leaf, error);
        error = checkpoint_read(c, leaf->twin->source, at, a->b->out, n);
        if (error != 0)
            return fail_read(a, leaf->twin, error);
        if (memcmp(a->b->raw, a->b->out, n) != 0)
            return fail(a, (struct finding){
                               .kind = FINDING_UNEQUAL,
                               .leaf = leaf,
                               .first = (at + first_difference(a->b->raw,
                                                               a->b->out, n)) *
                                        8 / spec_dtype_bits(leaf->dtype)});
        at += n;
    }
    return true;
}

bool audit_leaf(const struct audit *a, const struct leaf *leaf)
{
    const struct rows none = {0};
    uint8_t state = a->p->audited[leaf->source];
    bool ok =
        state == AUDIT_OPEN ? read_source(a, leaf, &none) : state == AUDIT_GOOD;
    if (leaf->twin == NULL)
        return ok;
    return audit_leaf(a, leaf->twin) && ok && compare_twin(a, leaf);
}

/* --- weight norm --- */

/* g as binary64 */
static bool load_magnitudes(const struct audit *a, const struct leaf *g,
                            double *out, uint64_t n)
{
    size_t size = spec_dtype_bits(g->dtype) / 8;
    uint64_t at, step = PRODUCE_SLAB / size;
    for (at = 0; at < n; at += step) {
        uint64_t k = n - at < step ? n - at : step;
        int error = checkpoint_read(a->p->checkpoint, g->source, at * size,
                                    a->b->raw, (size_t)k * size);
        if (error != 0)
            return fail_read(a, g, error);
        kernel_load_f64(g->dtype, a->b->raw, k, out + at);
    }
    return true;
}

static struct rows rows_of(const struct leaf *v, const struct leaf *g)
{
    struct rows r = {.keep = 1};
    type_elements(v->type, &r.inner);
    if (r.inner == 0) /* nothing to divide */
        return (struct rows){.inner = 1};
    if (g->keep == KEEP_NONE)
        return r;
    r.keep = v->type.axes[g->keep].size;
    r.inner = type_stride(v->type, g->keep);
    return r;
}

double *audit_norm(const struct audit *a, const struct leaf *v,
                   const struct leaf *g)
{
    struct rows r = rows_of(v, g);
    uint64_t bad = r.keep;
    double *scale = take((size_t)r.keep * sizeof *scale + 1);
    bool ok;
    r.acc = take((size_t)r.keep * sizeof *r.acc + 1);
    for (uint64_t i = 0; i < r.keep; i++)
        kernel_sumsq_init(&r.acc[i]);
    ok = read_source(a, v, &r);
    ok = audit_leaf(a, g) && ok && load_magnitudes(a, g, scale, r.keep);
    if (ok)
        kernel_weight_norm_scale(scale, r.acc, r.keep, scale, &bad);
    if (ok && bad < r.keep)
        ok = fail(a, (struct finding){
                         .kind = FINDING_ZERO_NORM, .leaf = v, .first = bad});
    free(r.acc);
    if (ok)
        return scale;
    free(scale);
    return NULL;
}
