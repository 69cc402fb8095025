/* SPDX-License-Identifier: MIT
 *
 * produce.c - two passes over a source at most: an audit in the source's
 * order (digest, NaN and Inf, norms), then the output in its own order.
 *
 * A plain copy needs no audit pass: its pieces are the source's pieces.
 */
#include "produce.h"

#include <math.h>
#include <stdlib.h>

#include "gather.h"
#include "hash.h"
#include "size.h"

#define SLAB ((size_t)1 << 20) /* bytes of a buffer */
#define CHUNK 4096             /* elements in binary64 at a time */

struct worker_buffers {
    struct gather gather;
    uint8_t *raw; /* SLAB: source dtype, output order */
    uint8_t *out; /* SLAB: as stored */
    double *wide; /* CHUNK */
};

/* One output in the making. */
struct making {
    const struct production *p;
    struct worker_buffers *b;
    const struct output *o;
    uint32_t index;
    struct plan plan;
    double *scale;                    /* of a weight norm, keep_size of them */
    struct kernel_nonfinite infinite; /* results of arithmetic */
    struct kernel_range_error range;  /* results that do not fit */
    struct finding *found;
};

static void *take(size_t n)
{
    void *p = malloc(n);
    if (p == NULL)
        arena_exhausted();
    return p;
}

struct worker_buffers *produce_buffers(const struct checkpoint *c)
{
    struct worker_buffers *b = take(sizeof *b);
    b->gather.c = c;
    b->gather.staging = take(SLAB);
    b->gather.window = take(GATHER_WINDOW);
    b->raw = take(SLAB);
    b->out = take(SLAB);
    b->wide = take(CHUNK * sizeof(double));
    return b;
}

void produce_release(struct worker_buffers *b)
{
    free(b->gather.staging);
    free(b->gather.window);
    free(b->raw);
    free(b->out);
    free(b->wide);
    free(b);
}

static bool fail(struct making *m, enum finding_kind kind, int error)
{
    if (m->found->kind == FINDING_NONE)
        *m->found = (struct finding){.kind = kind, .error = error};
    return false;
}

static bool fail_read(struct making *m, const struct leaf *leaf, int error)
{
    if (m->found->kind == FINDING_NONE)
        *m->found = (struct finding){
            .kind = FINDING_READ, .error = error, .leaf = leaf};
    return false;
}

/* --- writing --- */

/* Writes bytes [at, at + size) of the output and hashes its pieces; `at` is a
 * multiple of the piece size. */
static bool put(struct making *m, uint64_t at, const uint8_t *data, size_t size)
{
    uint64_t *pieces = m->p->pieces + m->p->first_piece[m->index];
    int error =
        outfile_write(m->p->file, m->p->offset[m->index] + at, data, size);
    for (size_t i = 0; i < size; i += TTSB_PIECE_SIZE) {
        size_t n = size - i < TTSB_PIECE_SIZE ? size - i : TTSB_PIECE_SIZE;
        pieces[(at + i) / TTSB_PIECE_SIZE] = ttsb__hash64(data + i, n);
    }
    return error == 0 || fail(m, FINDING_WRITE, error);
}

/* An absent output is zero, a missing one 0xFF. */
static void fill(struct making *m, int byte)
{
    uint64_t at = 0;
    memset(m->b->out, byte, SLAB);
    while (at < m->o->size) {
        uint64_t n = m->o->size - at < SLAB ? m->o->size - at : SLAB;
        if (!put(m, at, m->b->out, (size_t)n))
            return;
        at += n;
    }
}

/* --- the audit --- */

static void digest_source(struct making *m, const struct leaf *leaf,
                          const uint64_t *pieces, uint64_t count)
{
    const struct st_tensor *t = &m->p->checkpoint->tensors[leaf->source];
    uint8_t head[8 + 8 * TTSB_MAX_RANK];
    uint8_t *list = take((size_t)count * 8 + 1);
    struct ttsb__bytes parts[2] = {{head, 8 + 8 * (size_t)t->rank},
                                   {list, (size_t)count * 8}};
    store_u32(head, (uint32_t)leaf->dtype);
    store_u32(head + 4, t->rank);
    for (uint32_t i = 0; i < t->rank; i++)
        store_u64(head + 8 + 8 * i, t->dims[i]);
    for (uint64_t i = 0; i < count; i++)
        store_u64(list + 8 * i, pieces[i]);
    ttsb__hash128_joined(parts, 2, m->p->digests[leaf->source]);
    free(list);
}

/* Adds source elements [first, first + n) of v to the sums of squares. */
static void add_squares(const struct making *m, struct kernel_sumsq *acc,
                        const double *x, uint64_t first, uint64_t n)
{
    uint64_t keep = m->plan.keep_size, inner = m->plan.norm_inner, done = 0;
    while (done < n) {
        uint64_t at = first + done, k = at / inner % keep, rest = n - done;
        if (at % (inner * keep) == 0 && rest >= inner * keep) {
            uint64_t outer = rest / (inner * keep);
            kernel_sumsq_add_keep(acc, outer, keep, inner, x + done);
            done += outer * inner * keep;
            continue;
        }
        rest = rest < inner - at % inner ? rest : inner - at % inner;
        kernel_sumsq_add(&acc[k], x + done, rest);
        done += rest;
    }
}

static void audit_values(struct making *m, const struct leaf *leaf,
                         const uint8_t *data, uint64_t first, uint64_t n,
                         struct kernel_sumsq *acc)
{
    size_t size = spec_dtype_bits(leaf->dtype) / 8;
    for (uint64_t i = 0; acc != NULL && i < n; i += CHUNK) {
        uint64_t k = n - i < CHUNK ? n - i : CHUNK;
        kernel_load_f64(leaf->dtype, data + i * size, k, m->b->wide);
        add_squares(m, acc, m->b->wide, first + i, k);
    }
}

static bool check_finite(struct making *m, const struct leaf *leaf,
                         const struct kernel_nonfinite *bad)
{
    if (bad->count == 0)
        return true;
    *m->found = (struct finding){.kind = FINDING_NONFINITE,
                                 .leaf = leaf,
                                 .count = bad->count,
                                 .first = bad->first};
    return false;
}

/* Reads a source once in its own order. */
static bool audit(struct making *m, const struct leaf *leaf,
                  struct kernel_sumsq *acc)
{
    const struct checkpoint *c = m->p->checkpoint;
    struct kernel_nonfinite bad = {0};
    uint64_t bytes, at = 0, size = spec_dtype_bits(leaf->dtype) / 8, *pieces;
    uint64_t count;
    int error = 0;
    type_bytes(leaf->type, leaf->dtype, &bytes);
    count = (bytes + TTSB_PIECE_SIZE - 1) / TTSB_PIECE_SIZE;
    pieces = take((size_t)count * 8 + 8);
    while (at < bytes && error == 0) {
        size_t n = bytes - at < SLAB ? (size_t)(bytes - at) : SLAB;
        error = checkpoint_read(c, leaf->source, at, m->b->raw, n);
        for (size_t i = 0; i < n && error == 0; i += TTSB_PIECE_SIZE)
            pieces[(at + i) / TTSB_PIECE_SIZE] =
                ttsb__hash64(m->b->raw + i,
                             n - i < TTSB_PIECE_SIZE ? n - i : TTSB_PIECE_SIZE);
        if (error == 0) {
            kernel_scan_nonfinite(leaf->dtype, m->b->raw, n / size, &bad);
            audit_values(m, leaf, m->b->raw, at / size, n / size, acc);
        }
        at += n;
    }
    if (error == 0)
        digest_source(m, leaf, pieces, count);
    free(pieces);
    return error == 0 ? check_finite(m, leaf, &bad) : fail_read(m, leaf, error);
}

/* --- weight norm --- */

/* g as binary64, keep_size of them. */
static bool load_magnitudes(struct making *m)
{
    const struct leaf *g = m->plan.g;
    size_t size = spec_dtype_bits(g->dtype) / 8;
    uint64_t at, n = m->plan.keep_size;
    int error = 0;
    for (at = 0; at < n && error == 0; at += SLAB / size) {
        uint64_t k = n - at < SLAB / size ? n - at : SLAB / size;
        error = checkpoint_read(m->p->checkpoint, g->source, at * size,
                                m->b->raw, (size_t)k * size);
        if (error == 0)
            kernel_load_f64(g->dtype, m->b->raw, k, m->scale + at);
    }
    return error == 0 || fail_read(m, g, error);
}

static bool find_scale(struct making *m)
{
    uint64_t n = m->plan.keep_size, bad = n;
    struct kernel_sumsq *acc = take((size_t)n * sizeof *acc + 1);
    bool ok;
    m->scale = take((size_t)n * sizeof *m->scale + 1);
    for (uint64_t i = 0; i < n; i++)
        kernel_sumsq_init(&acc[i]);
    ok = audit(m, m->plan.leaf, acc) && audit(m, m->plan.g, NULL) &&
         load_magnitudes(m);
    if (ok)
        kernel_weight_norm_scale(m->scale, acc, n, m->scale, &bad);
    if (ok && bad < n) {
        *m->found = (struct finding){
            .kind = FINDING_ZERO_NORM, .leaf = m->plan.leaf, .first = bad};
        ok = false;
    }
    free(acc);
    return ok;
}

/* Multiplies output elements [first, first + n) by their factors. */
static void apply_scale(const struct making *m, double *x, uint64_t first,
                        uint64_t n)
{
    uint64_t keep = m->plan.keep_size, inner = m->plan.keep_inner, done = 0;
    while (done < n) {
        uint64_t at = first + done, k = at / inner % keep, rest = n - done;
        if (at % inner == 0 && rest >= inner) {
            uint64_t rows = rest / inner;
            rows = rows < keep - k ? rows : keep - k;
            kernel_scale_keep(x + done, 1, rows, inner, m->scale + k);
            done += rows * inner;
            continue;
        }
        rest = rest < inner - at % inner ? rest : inner - at % inner;
        kernel_scale_keep(x + done, 1, 1, rest, m->scale + k);
        done += rest;
    }
}

/* --- slabs --- */

/* raw to out, through binary64. */
static void compute(struct making *m, uint64_t first, uint64_t n)
{
    size_t from = m->plan.element_size, to = spec_dtype_bits(m->o->dtype) / 8;
    for (uint64_t i = 0; i < n; i += CHUNK) {
        uint64_t k = n - i < CHUNK ? n - i : CHUNK;
        double *x = m->b->wide;
        kernel_load_f64(m->plan.leaf->dtype, m->b->raw + i * from, k, x);
        if (m->scale != NULL)
            apply_scale(m, x, first + i, k);
        for (uint32_t e = 0; e < m->plan.exps; e++)
            kernel_exp(x, k, x);
        kernel_scan_nonfinite(TTSB_F64, x, k, &m->infinite);
        kernel_store_f64(m->o->dtype, x, k, m->b->out + i * to, &m->range);
    }
}

static void convert(struct making *m, uint64_t first, uint64_t n)
{
    struct kernel_cast pair = {m->plan.leaf->dtype, m->o->dtype};
    if (m->plan.arithmetic)
        compute(m, first, n);
    else
        kernel_cast(pair, m->b->raw, n, m->b->out, &m->range);
}

/* Sources are finite, so that an infinite result is one that did not fit. */
static void judge_range(struct making *m)
{
    bool infinite = m->infinite.count > 0 &&
                    (m->range.count == 0 || m->infinite.first < m->range.first);
    uint64_t count = m->infinite.count + m->range.count;
    if (count == 0 || m->found->kind != FINDING_NONE)
        return;
    *m->found =
        (struct finding){.kind = FINDING_RANGE,
                         .count = count,
                         .first = infinite ? m->infinite.first : m->range.first,
                         .value = infinite ? (double)INFINITY : m->range.value};
}

static void make_slabs(struct making *m)
{
    bool same = !m->plan.arithmetic && m->plan.leaf->dtype == m->o->dtype;
    size_t to = m->plan.element_size;
    uint64_t step, at = 0;
    if (!same)
        to = spec_dtype_bits(m->o->dtype) / 8;
    step = SLAB / (to > m->plan.element_size ? to : m->plan.element_size);
    while (at < m->plan.elements) {
        uint64_t n =
            m->plan.elements - at < step ? m->plan.elements - at : step;
        int error = gather_range(&m->b->gather, &m->plan, at, n, m->b->raw);
        if (error != 0) {
            fail_read(m, m->plan.leaf, error);
            return;
        }
        if (!same)
            convert(m, at, n);
        if (!put(m, at * to, same ? m->b->raw : m->b->out, (size_t)(n * to)))
            return;
        at += n;
    }
    judge_range(m);
}

/* A copy whose bytes are the source's: audited while it is written. */
static bool make_copy(struct making *m)
{
    const struct leaf *leaf = m->plan.leaf;
    struct kernel_nonfinite bad = {0};
    uint64_t at = 0;
    while (at < m->o->size) {
        size_t n = m->o->size - at < SLAB ? (size_t)(m->o->size - at) : SLAB;
        int error =
            checkpoint_read(m->p->checkpoint, leaf->source, at, m->b->raw, n);
        if (error != 0)
            return fail_read(m, leaf, error);
        kernel_scan_nonfinite(leaf->dtype, m->b->raw, n / m->plan.element_size,
                              &bad);
        if (!put(m, at, m->b->raw, n))
            return false;
        at += n;
    }
    digest_source(m, leaf, m->p->pieces + m->p->first_piece[m->index],
                  (m->o->size + TTSB_PIECE_SIZE - 1) / TTSB_PIECE_SIZE);
    return check_finite(m, leaf, &bad);
}

void produce_output(const struct production *p, struct worker_buffers *b,
                    uint32_t index)
{
    struct making m = {.p = p,
                       .b = b,
                       .o = &p->model->outputs[index],
                       .index = index,
                       .found = &p->findings[index]};
    if (m.o->step == NULL)
        return;
    if (m.o->absent || m.o->missing) {
        fill(&m, m.o->absent ? 0 : 0xff);
        return;
    }
    m.plan = plan_output(m.o);
    if (m.plan.identity && !m.plan.arithmetic &&
        m.plan.leaf->dtype == m.o->dtype)
        make_copy(&m);
    else if (m.plan.g != NULL ? find_scale(&m) : audit(&m, m.plan.leaf, NULL))
        make_slabs(&m);
    free(m.scale);
}
