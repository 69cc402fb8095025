/* SPDX-License-Identifier: MIT
 *
 * plan.c - composes the steps from the leaves outwards.
 */
#include "plan.h"

/* --- one function for each way in which a step moves regions --- */

static void region_add(struct arena *a, struct regions *v,
                       const struct step *leaf)
{
    struct region r = {.leaf = leaf->leaf, .g = leaf->g, .keep = leaf->keep};
    if (leaf->op != OP_WEIGHT_NORM)
        r.keep = KEEP_NONE;
    r.rank = leaf->type.rank;
    for (uint32_t i = 0; i < r.rank; i++) {
        uint64_t size = leaf->type.axes[i].size;
        r.axes[i] = (struct lattice){0, 1, size, NO_AXIS};
        if (r.leaf != NULL)
            r.axes[i].from = (uint8_t)i;
        r.box.n[i] = size;
    }
    if (v->n == v->capacity)
        v->p = arena_grow(a, v->p, sizeof *v->p, v->n, &v->capacity);
    v->p[v->n++] = r;
}

static void permute(struct region *r, const struct step *s)
{
    struct lattice old[TTSB_MAX_RANK];
    memcpy(old, r->axes, sizeof old);
    for (uint32_t i = 0; i < r->rank; i++)
        r->axes[i] = old[s->order[i]];
}

static void squeeze(struct region *r, const struct step *s)
{
    uint32_t rank = 0;
    for (uint32_t i = 0; i < r->rank; i++)
        if ((s->removed >> i & 1) == 0)
            r->axes[rank++] = r->axes[i];
    r->rank = rank;
}

/* The first index of a lattice that is at or behind x. */
static uint64_t index_at(const struct lattice *l, uint64_t x)
{
    return x > l->start ? (x - l->start + l->step - 1) / l->step : 0;
}

void region_slice(struct region *r, uint32_t axis, uint64_t lo, uint64_t n)
{
    struct lattice *l = &r->axes[axis];
    uint64_t first = index_at(l, lo), last = index_at(l, lo + n);
    last = last < l->count ? last : l->count;
    l->count = first < last ? last - first : 0;
    l->start = l->start + first * l->step - lo;
    r->box.empty = r->box.empty || l->count == 0;
    if (l->from == NO_AXIS)
        return;
    r->box.lo[l->from] += first;
    r->box.n[l->from] = l->count;
}

static void stack(struct region *r, uint64_t k)
{
    memmove(&r->axes[1], &r->axes[0], r->rank * sizeof r->axes[0]);
    r->axes[0] = (struct lattice){k, 1, 1, NO_AXIS};
    r->rank++;
}

/* Part k of a join, whose axis begins at `at` in the whole. */
static void place(struct region *r, const struct step *s, uint64_t k,
                  uint64_t at)
{
    struct lattice *l = &r->axes[s->axis];
    if (s->op == OP_STACK) {
        stack(r, k);
    } else if (s->op == OP_CONCAT) {
        l->start += at;
    } else {
        l->start = l->start * s->part_count + k;
        l->step *= s->part_count;
    }
}

static void add_value(struct arena *a, struct regions *v, const struct step *s);

static void add_parts(struct arena *a, struct regions *v, const struct step *s)
{
    uint64_t at = 0;
    for (size_t k = 0; k < s->part_count; k++) {
        size_t first = v->n;
        add_value(a, v, s->parts[k]);
        for (size_t i = first; i < v->n; i++)
            place(&v->p[i], s, k, at);
        if (s->op == OP_CONCAT)
            at += s->parts[k]->type.axes[s->axis].size;
    }
}

static void add_value(struct arena *a, struct regions *v, const struct step *s)
{
    size_t first = v->n;
    if (s->leaf != NULL || s->op == OP_ZEROS) {
        region_add(a, v, s);
        return;
    }
    if (s->part_count > 0) {
        add_parts(a, v, s);
        return;
    }
    add_value(a, v, s->arg);
    for (size_t i = first; i < v->n; i++) {
        v->p[i].exps += s->op == OP_EXP;
        if (s->op == OP_PERMUTE)
            permute(&v->p[i], s);
        else if (s->op == OP_SQUEEZE)
            squeeze(&v->p[i], s);
        else if (s->op == OP_SLICE)
            region_slice(&v->p[i], s->axis, s->lo, s->type.axes[s->axis].size);
    }
}

static bool is_whole(const struct leaf *leaf, const struct box *b)
{
    if (b->empty)
        return false;
    for (uint32_t i = 0; i < leaf->type.rank; i++)
        if (b->n[i] != leaf->type.axes[i].size)
            return false;
    return true;
}

/* --- public --- */

uint64_t region_elements(const struct region *r)
{
    uint64_t n = r->box.empty ? 0 : 1;
    for (uint32_t i = 0; i < r->rank; i++)
        n *= r->axes[i].count;
    return n;
}

bool region_is_whole(const struct region *r)
{
    return r->leaf != NULL && is_whole(r->leaf, &r->box);
}

uint64_t regions_zeros(const struct regions *v)
{
    uint64_t n = 0;
    for (size_t i = 0; i < v->n; i++)
        n += v->p[i].leaf == NULL ? region_elements(&v->p[i]) : 0;
    return n;
}

bool region_meet(const struct region *r, const struct box *b, uint64_t *first,
                 uint64_t *count)
{
    for (uint32_t i = 0; i < r->rank; i++) {
        const struct lattice *l = &r->axes[i];
        uint64_t last = index_at(l, b->lo[i] + b->n[i]);
        last = last < l->count ? last : l->count;
        first[i] = index_at(l, b->lo[i]);
        if (first[i] >= last)
            return false;
        count[i] = last - first[i];
    }
    return true;
}

struct regions plan_value(struct arena *a, const struct step *s)
{
    struct regions v = {0};
    size_t n = 0;
    add_value(a, &v, s);
    for (size_t i = 0; i < v.n; i++)
        if (region_elements(&v.p[i]) > 0)
            v.p[n++] = v.p[i];
    v.n = n;
    return v;
}

static void claim(struct arena *a, struct leaf *leaf, const struct box *b)
{
    struct box *box;
    if (is_whole(leaf, b))
        return;
    box = arena_new(a, struct box, 1);
    *box = *b;
    leaf->box = box;
}

/* A magnitude has its one size on the kept axis. */
static void claim_g(struct arena *a, const struct region *r)
{
    struct box b = {.n = {1, 1, 1, 1, 1, 1, 1, 1}};
    if (r->g == NULL || r->keep == KEEP_NONE)
        return;
    b.lo[r->keep] = r->box.lo[r->keep];
    b.n[r->keep] = r->box.n[r->keep];
    b.empty = r->box.empty;
    claim(a, r->g, &b);
}

void plan_claims(struct arena *a, const struct step *s)
{
    struct arena scratch = {0};
    struct regions v = {0};
    add_value(&scratch, &v, s);
    for (size_t i = 0; i < v.n; i++) {
        struct region *r = &v.p[i];
        if (r->leaf == NULL)
            continue;
        claim(a, r->leaf, &r->box);
        claim_g(a, r);
        if (r->leaf->twin != NULL)
            claim(a, r->leaf->twin, &r->box);
    }
    arena_release(&scratch);
}

/* Appends an axis, joined to the one before where that is contiguous. */
static void push_axis(struct view *v, uint64_t dim, uint64_t stride)
{
    if (dim == 1)
        return;
    if (v->rank > 0 && v->strides[v->rank - 1] == stride * dim) {
        v->dims[v->rank - 1] *= dim;
        v->strides[v->rank - 1] = stride;
        return;
    }
    v->dims[v->rank] = dim;
    v->strides[v->rank++] = stride;
}

static void view_keep(struct view *v, const struct region *r,
                      const uint64_t *first, const uint64_t *count)
{
    v->keep_size = 1;
    v->keep_inner = v->elements;
    if (r->g == NULL || r->keep == KEEP_NONE)
        return;
    v->keep_first = r->box.lo[r->keep];
    for (uint32_t i = 0; i < r->rank; i++) {
        if (r->axes[i].from != r->keep)
            continue;
        v->keep_first += first[i];
        v->keep_size = count[i];
        v->keep_inner = 1;
        for (uint32_t k = i + 1; k < r->rank; k++)
            v->keep_inner *= count[k];
    }
}

struct view plan_view(const struct region *r, const uint64_t *first,
                      const uint64_t *count)
{
    struct view v = {.leaf = r->leaf, .elements = 1};
    for (uint32_t i = 0; r->leaf != NULL && i < r->leaf->type.rank; i++)
        v.base += r->box.lo[i] * type_stride(r->leaf->type, i);
    for (uint32_t i = 0; i < r->rank; i++) {
        uint8_t from = r->axes[i].from;
        uint64_t stride =
            from == NO_AXIS ? 0 : type_stride(r->leaf->type, from);
        v.base += first[i] * stride;
        v.elements *= count[i];
        push_axis(&v, count[i], stride);
    }
    v.straight = v.rank == 0 || (v.rank == 1 && v.strides[0] == 1);
    view_keep(&v, r, first, count);
    if (r->leaf == NULL)
        return v;
    v.element_size = spec_dtype_bits(r->leaf->dtype) / 8;
    if (v.element_size > 0)
        return v;
    v.element_size = 1; /* packed: copied whole, as bytes */
    type_bytes(r->leaf->type, r->leaf->dtype, &v.elements);
    v.dims[0] = v.elements;
    return v;
}

struct view plan_whole(const struct region *r)
{
    uint64_t first[TTSB_MAX_RANK] = {0}, count[TTSB_MAX_RANK];
    for (uint32_t i = 0; i < r->rank; i++)
        count[i] = r->axes[i].count;
    return plan_view(r, first, count);
}
