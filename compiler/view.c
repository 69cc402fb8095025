/* SPDX-License-Identifier: MIT
 *
 * view.c - digits become strides.
 */
#include "view.h"

/* Appends an axis, joined to the one before where that is contiguous. */
static void push_axis(struct view *v, uint64_t dim, uint64_t stride,
                      uint64_t keep)
{
    uint32_t last = v->rank - 1;
    if (dim == 1)
        return;
    if (v->rank > 0 && v->strides[last] == stride * dim &&
        v->keeps[last] == keep * dim) {
        v->dims[last] *= dim;
        v->strides[last] = stride;
        v->keeps[last] = keep;
        return;
    }
    v->dims[v->rank] = dim;
    v->strides[v->rank] = stride;
    v->keeps[v->rank++] = keep;
}

/* How the factors of a weight norm run along the view. */
static void settle_keep(struct view *v)
{
    uint64_t inner = 1;
    uint32_t kept = 0;
    v->keep_size = 1;
    v->keep_inner = v->elements;
    for (uint32_t i = v->rank; i-- > 0;) {
        if (v->keeps[i] > 0 && ++kept == 1) {
            v->keep_size = v->keeps[i] == 1 ? v->dims[i] : 0;
            v->keep_inner = inner;
        }
        inner *= v->dims[i];
    }
    if (kept > 1)
        v->keep_size = 0;
}

static struct type source_type(const struct region *r)
{
    return r->leaf != NULL   ? r->leaf->type
           : r->node != NULL ? r->node->type
                             : (struct type){0};
}

static void set_source(struct view *v, const struct region *r)
{
    v->leaf = r->leaf;
    v->computed = r->computed;
    if (r->leaf == NULL && r->node == NULL)
        return;
    v->dtype = r->leaf != NULL ? r->leaf->dtype : TTSB_F64;
    v->element_size = spec_dtype_bits(v->dtype) / 8;
    if (v->element_size > 0)
        return;
    v->element_size = 1; /* packed: copied whole, as bytes */
    type_bytes(r->leaf->type, v->dtype, &v->elements);
    v->rank = 1;
    v->dims[0] = v->elements;
    v->strides[0] = 1;
}

static struct view begin(const struct region *r)
{
    struct view v = {.elements = 1};
    struct type t = source_type(r);
    for (uint32_t i = 0; i < t.rank; i++)
        v.base += r->lo[i] * type_stride(t, i);
    if (r->g != NULL && r->keep != KEEP_NONE)
        v.keep_first = r->lo[r->keep];
    return v;
}

/* Indices [first, first + count) of digit i. */
static void push_digit(struct view *v, const struct region *r, uint32_t i,
                       uint64_t first, uint64_t count)
{
    const struct digit *d = &r->digits[i];
    struct type t = source_type(r);
    uint64_t stride = t.rank == 0 ? 0 : d->by * type_stride(t, d->from);
    uint64_t keep = r->g != NULL && d->from == r->keep ? d->by : 0;
    v->base += first * stride;
    v->keep_first += first * keep;
    v->elements *= count;
    push_axis(v, count, stride, keep);
}

static struct view finish(struct view *v, const struct region *r)
{
    v->straight = v->rank == 0 || (v->rank == 1 && v->strides[0] == 1);
    settle_keep(v);
    set_source(v, r);
    return *v;
}

struct view view_whole(const struct region *r)
{
    struct view v = begin(r);
    for (uint32_t i = 0; i < r->digit_count; i++)
        push_digit(&v, r, i, 0, r->digits[i].count);
    return finish(&v, r);
}

struct view view_part(const struct region *r, const uint64_t *first,
                      const uint64_t *count)
{
    struct view v = begin(r);
    for (uint32_t i = 0; i < r->digit_count; i++) {
        uint32_t axis = r->digits[i].axis;
        push_digit(&v, r, i, first[axis], count[axis]);
    }
    return finish(&v, r);
}

uint64_t view_step(const struct region *r, uint32_t axis, uint64_t *count)
{
    for (uint32_t i = 0; i < r->digit_count; i++)
        if (r->digits[i].axis == axis) {
            *count = r->digits[i].count;
            return r->digits[i].step;
        }
    *count = 1;
    return 1;
}

/* The first of indices start, start + step, ... that is at or behind x. */
static uint64_t index_at(uint64_t start, uint64_t step, uint64_t x)
{
    return x > start ? (x - start + step - 1) / step : 0;
}

bool view_meet(const struct region *r, const struct box *b, uint64_t *first,
               uint64_t *count)
{
    for (uint32_t i = 0; i < r->rank; i++) {
        uint64_t n, step = view_step(r, i, &n);
        uint64_t last = index_at(r->start[i], step, b->lo[i] + b->n[i]);
        last = last < n ? last : n;
        first[i] = index_at(r->start[i], step, b->lo[i]);
        if (first[i] >= last)
            return false;
        count[i] = last - first[i];
    }
    return true;
}

uint64_t view_at(const struct view *v, uint64_t e)
{
    uint64_t at = v->base;
    for (uint32_t i = v->rank; i-- > 0;) {
        at += e % v->dims[i] * v->strides[i];
        e /= v->dims[i];
    }
    return at;
}

void view_factors(const struct view *v, const double *scale, uint64_t first,
                  uint64_t n, double *out)
{
    for (uint64_t e = 0; e < n; e++) {
        uint64_t at = v->keep_first, rest = first + e;
        for (uint32_t i = v->rank; i-- > 0;) {
            at += rest % v->dims[i] * v->keeps[i];
            rest /= v->dims[i];
        }
        out[e] = scale[at];
    }
}
