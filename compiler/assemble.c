/* SPDX-License-Identifier: MIT
 *
 * assemble.c - a range is cut into boxes; a box meets each region in a dense
 * block, which is gathered, computed and put into its place.
 *
 * A value that is one region needs no boxes: its range is a range of the
 * region's view.
 */
#include "assemble.h"

#include <math.h>

#include "compute.h"

_Static_assert(GATHER_WINDOW >= PRODUCE_SLAB, "a window holds a block");

/* Where a block goes: strides in the slab, in elements; neighbours that are
 * contiguous there are one. */
struct target {
    uint32_t rank;
    uint64_t dims[TTSB_MAX_RANK];
    uint64_t strides[TTSB_MAX_RANK];
    uint64_t offset;
};

/* --- computing --- */

/* In which dtype a region is read. */
static enum ttsb_dtype dtype_of(const struct region *r, enum ttsb_dtype to)
{
    if (r->leaf != NULL)
        return r->leaf->dtype;
    return r->node != NULL || r->math != NULL ? TTSB_F64 : to;
}

bool assemble_is_copy(const struct region *r, enum ttsb_dtype to)
{
    return r->g == NULL && r->math == NULL && r->node == NULL &&
           dtype_of(r, to) == to;
}

void assemble_rows(const struct rows *r, double *x, uint64_t first, uint64_t n)
{
    uint64_t keep = r->keep, inner = r->inner, done = 0;
    while (done < n) {
        uint64_t at = first + done, k = at / inner % keep, rest = n - done;
        if (at % inner == 0 && rest >= inner) {
            uint64_t rows = rest / inner;
            rows = rows < keep - k ? rows : keep - k;
            kernel_combine_keep(r->op, x + done, 1, rows, inner, r->y + k);
            done += rows * inner;
            continue;
        }
        rest = rest < inner - at % inner ? rest : inner - at % inner;
        kernel_combine_keep(r->op, x + done, 1, 1, rest, r->y + k);
        done += rest;
    }
}

#define FACTORS 512

/* Multiplies elements [first, first + n) of the view by their factors. */
static void apply_scale(const struct conversion *c, double *x, uint64_t first,
                        uint64_t n)
{
    struct rows rows = {KERNEL_MUL, c->v->keep_size, c->v->keep_inner, NULL};
    double y[FACTORS];
    if (rows.keep > 0) {
        rows.y = c->scale + c->v->keep_first;
        assemble_rows(&rows, x, first, n);
        return;
    }
    for (uint64_t i = 0; i < n; i += FACTORS) {
        uint64_t k = n - i < FACTORS ? n - i : FACTORS;
        view_factors(c->v, c->scale, first + i, k, y);
        kernel_combine(KERNEL_MUL, x + i, y, k, x + i);
    }
}

/* The first operation is the last of the list. */
static void apply_math(const struct math *m, double *x, uint64_t n)
{
    struct kernel_map map = {.q = m->step->number};
    if (m->before != NULL)
        apply_math(m->before, x, n);
    switch (m->step->op) {
    case OP_EXP:
        map.op = KERNEL_EXP;
        break;
    case OP_RECIPROCAL:
        map.op = KERNEL_RECIPROCAL;
        break;
    case OP_SQRT:
        map.op = KERNEL_SQRT;
        break;
    case OP_SCALE:
        map.op = KERNEL_SCALE;
        break;
    case OP_OFFSET:
        map.op = KERNEL_OFFSET;
        break;
    default:
        map.op = KERNEL_MAX;
    }
    kernel_map(&map, x, n, x);
}

/* Whether a source of element e of the view is not finite, and may be. */
static bool is_allowed(const struct conversion *c, uint64_t e,
                       const uint8_t *raw)
{
    double x = 0;
    if (c->r->node != NULL)
        return computed_allows(c->r->computed, view_at(c->v, e));
    if (c->r->leaf == NULL || !c->r->leaf->allow_nonfinite)
        return false;
    kernel_load_f64(c->r->leaf->dtype, raw, 1, &x);
    return !isfinite(x);
}

/* Counts results that are not finite though their sources are. */
static void scan_created(const struct conversion *c, uint64_t first,
                         const uint8_t *raw, uint64_t n, struct misfits *bad)
{
    size_t size = spec_dtype_bits(dtype_of(c->r, c->to)) / 8;
    for (uint64_t i = 0; i < n; i++) {
        if (isfinite(c->wide[i]) || is_allowed(c, first + i, raw + i * size))
            continue;
        if (bad->infinite.count++ > 0)
            continue;
        bad->infinite.first = bad->infinite.seen + i;
        bad->value = c->wide[i];
    }
    bad->infinite.seen += n;
}

static void compute(const struct conversion *c, uint64_t first, uint64_t n,
                    const uint8_t *raw, uint8_t *dst, struct misfits *bad)
{
    enum ttsb_dtype from = dtype_of(c->r, c->to);
    size_t in = spec_dtype_bits(from) / 8, out = spec_dtype_bits(c->to) / 8;
    struct kernel_nonfinite any;
    for (uint64_t i = 0; i < n; i += PRODUCE_CHUNK) {
        uint64_t k = n - i < PRODUCE_CHUNK ? n - i : PRODUCE_CHUNK;
        kernel_load_f64(from, raw + i * in, k, c->wide);
        if (c->scale != NULL)
            apply_scale(c, c->wide, first + i, k);
        if (c->r->math != NULL)
            apply_math(c->r->math, c->wide, k);
        any = (struct kernel_nonfinite){0};
        kernel_scan_nonfinite(TTSB_F64, c->wide, k, &any);
        if (any.count > 0)
            scan_created(c, first + i, raw + i * in, k, bad);
        else
            bad->infinite.seen += k;
        kernel_store_f64(c->to, c->wide, k, dst + i * out, &bad->range);
    }
}

void assemble_convert(const struct conversion *c, uint64_t first, uint64_t n,
                      const uint8_t *raw, uint8_t *dst, struct misfits *bad)
{
    if (c->r->g != NULL || c->r->math != NULL || c->r->node != NULL)
        compute(c, first, n, raw, dst, bad);
    else
        kernel_cast((struct kernel_cast){c->r->leaf->dtype, c->to}, raw, n, dst,
                    &bad->range);
}

static const double *scale_of(const struct assembly *s, const struct region *r)
{
    for (size_t i = 0; r->g != NULL && i < s->norms->n; i++)
        if (s->norms->p[i].v == r->leaf)
            return s->norms->p[i].scale;
    return NULL;
}

/* --- results that do not fit --- */

/* Sources are finite, so that an infinite result is one that did not fit. */
uint64_t assemble_first_misfit(const struct misfits *bad, uint64_t *first,
                               double *value)
{
    bool infinite =
        bad->infinite.count > 0 &&
        (bad->range.count == 0 || bad->infinite.first < bad->range.first);
    *first = infinite ? bad->infinite.first : bad->range.first;
    *value = infinite ? bad->value : bad->range.value;
    return bad->infinite.count + bad->range.count;
}

/* `first` is an element of the output. */
static void note_misfit(struct assembly *s, const struct misfits *bad,
                        uint64_t first, double value)
{
    if (s->bad == 0 || first < s->first_bad) {
        s->first_bad = first;
        s->bad_value = value;
    }
    s->bad += bad->infinite.count + bad->range.count;
}

/* --- blocks --- */

static void push_target(struct target *t, uint64_t dim, uint64_t stride)
{
    if (dim == 1)
        return;
    if (t->rank > 0 && t->strides[t->rank - 1] == stride * dim) {
        t->dims[t->rank - 1] *= dim;
        t->strides[t->rank - 1] = stride;
        return;
    }
    t->dims[t->rank] = dim;
    t->strides[t->rank++] = stride;
}

/* Where the block [first, first + count) of a region lies in the output. */
static struct target target_of(struct type type, const struct region *r,
                               const uint64_t *first, const uint64_t *count)
{
    struct target t = {0};
    for (uint32_t i = 0; i < r->rank; i++) {
        uint64_t stride = type_stride(type, i), n;
        uint64_t step = view_step(r, i, &n);
        t.offset += (r->start[i] + first[i] * step) * stride;
        push_target(&t, count[i], step * stride);
    }
    return t;
}

/* Offset of element e of a dense block. */
static uint64_t target_offset(const struct target *t, uint64_t e)
{
    uint64_t offset = t->offset;
    for (uint32_t i = t->rank; i-- > 0;) {
        offset += e % t->dims[i] * t->strides[i];
        e /= t->dims[i];
    }
    return offset;
}

static bool is_dense(const struct target *t)
{
    return t->rank == 0 || (t->rank == 1 && t->strides[0] == 1);
}

static void scatter(const struct target *t, const uint8_t *src, uint8_t *slab,
                    uint64_t n, uint64_t size)
{
    uint64_t run = 1;
    if (t->rank > 0 && t->strides[t->rank - 1] == 1)
        run = t->dims[t->rank - 1];
    for (uint64_t e = 0; e < n; e += run)
        memcpy(slab + target_offset(t, e) * size, src + e * size,
               (size_t)(run * size));
}

static const struct leaf *unread_of(const struct region *r)
{
    return r->node != NULL ? computed_unread(r->computed) : r->leaf;
}

/* A range of a view's elements, raw. */
static int read_view(struct assembly *s, const struct region *r,
                     const struct view *v, struct range_value range,
                     uint8_t *out)
{
    size_t size = spec_dtype_bits(dtype_of(r, s->dtype)) / 8;
    int error;
    if (r->leaf == NULL && r->node == NULL) {
        memset(out, 0, (size_t)range.n * size);
        return 0;
    }
    error = gather_range(&s->b->gather, v, range.lo, range.n, out);
    if (error != 0)
        s->unread = unread_of(r);
    return error;
}

/* One region's block into the slab, which begins at element `at`. */
static int make_block(struct assembly *s, const struct region *r,
                      const struct view *v, const struct target *t, uint64_t at)
{
    size_t size = spec_dtype_bits(s->dtype) / 8;
    struct target in_slab = *t;
    struct conversion c = {r, v, scale_of(s, r), s->dtype, s->b->wide};
    bool copy = assemble_is_copy(r, s->dtype), dense = is_dense(t);
    uint8_t *place, *part = dense ? NULL : gather_window(&s->b->gather);
    struct misfits bad = {0};
    uint64_t first;
    double value;
    int error;
    in_slab.offset -= at;
    place = s->b->out + in_slab.offset * size;
    error = read_view(s, r, v, (struct range_value){0, v->elements},
                      copy && dense ? place : s->b->raw);
    if (error != 0)
        return error;
    if (!copy)
        assemble_convert(&c, 0, v->elements, s->b->raw, dense ? place : part,
                         &bad);
    if (!dense)
        scatter(&in_slab, copy ? s->b->raw : part, s->b->out, v->elements,
                size);
    if (assemble_first_misfit(&bad, &first, &value) > 0)
        note_misfit(s, &bad, target_offset(t, first), value);
    return 0;
}

/* --- ranges --- */

/* The largest box that begins at element `at` and does not pass `last`: full
 * inner axes, part of one axis, single outer ones. */
static struct box cut_box(struct type t, uint64_t at, uint64_t last,
                          uint64_t *count)
{
    struct box b = {0};
    uint64_t inner = 1, rest = at;
    bool open = true;
    *count = 1;
    for (uint32_t i = t.rank; i-- > 0;) {
        uint64_t size = t.axes[i].size, n = 1;
        b.lo[i] = rest % size;
        rest /= size;
        if (open) {
            n = (last - at) / inner;
            n = n < size - b.lo[i] ? n : size - b.lo[i];
            open = b.lo[i] == 0 && n == size;
            *count = inner * n;
        }
        inner *= size;
        b.n[i] = n;
    }
    return b;
}

static int make_box(struct assembly *s, const struct box *b, uint64_t at)
{
    uint64_t first[TTSB_MAX_RANK], count[TTSB_MAX_RANK];
    int error = 0;
    for (size_t i = 0; i < s->regions.n && error == 0; i++) {
        const struct region *r = &s->regions.p[i];
        struct target t;
        struct view v;
        if (!view_meet(r, b, first, count))
            continue;
        t = target_of(s->type, r, first, count);
        v = view_part(r, first, count);
        error = make_block(s, r, &v, &t, at);
    }
    return error;
}

/* Whether a range is smaller where it is cast before it is permuted. */
static bool casts_first(const struct region *r, const struct view *v,
                        enum ttsb_dtype to)
{
    return !v->straight && r->leaf != NULL && r->g == NULL && r->math == NULL &&
           v->dtype != to && spec_dtype_bits(to) / 8 < v->element_size;
}

/* A value that is one region. */
static int make_single(struct assembly *s, uint64_t at, uint64_t n,
                       const uint8_t **out)
{
    const struct region *r = &s->regions.p[0];
    struct view v = view_whole(r);
    struct conversion c = {r, &v, scale_of(s, r), s->dtype, s->b->wide};
    struct misfits bad = {0};
    uint64_t first;
    double value;
    int error = GATHER_MISFIT;
    s->unread = r->leaf;
    *out = s->b->out;
    if (casts_first(r, &v, s->dtype))
        error = gather_narrow(&s->b->gather, &v, s->dtype, at, n, s->b->out);
    if (error != GATHER_MISFIT)
        return error;
    *out = s->b->raw;
    error = read_view(s, r, &v, (struct range_value){at, n}, s->b->raw);
    if (error != 0 || assemble_is_copy(r, s->dtype))
        return error;
    *out = s->b->out;
    assemble_convert(&c, at, n, s->b->raw, s->b->out, &bad);
    if (assemble_first_misfit(&bad, &first, &value) > 0)
        note_misfit(s, &bad, at + first, value);
    return 0;
}

void assemble_begin(struct assembly *s)
{
    size_t most = spec_dtype_bits(s->dtype) / 8;
    for (size_t i = 0; i < s->regions.n; i++) {
        size_t size = spec_dtype_bits(dtype_of(&s->regions.p[i], s->dtype)) / 8;
        most = size > most ? size : most;
    }
    s->step = s->b->slab / most;
}

int assemble_range(struct assembly *s, uint64_t at, uint64_t n,
                   const uint8_t **out)
{
    uint64_t done = 0, count;
    int error = 0;
    if (s->regions.n == 1)
        return make_single(s, at, n, out);
    *out = s->b->out;
    while (done < n && error == 0) {
        struct box b = cut_box(s->type, at + done, at + n, &count);
        error = make_box(s, &b, at);
        done += count;
    }
    return error;
}
