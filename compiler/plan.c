/* SPDX-License-Identifier: MIT
 *
 * plan.c - composes the steps from the leaf outwards.
 */
#include "plan.h"

struct axes {
    uint32_t rank;
    uint32_t from[TTSB_MAX_RANK]; /* axis of the leaf */
};

/* Which axis of the leaf each axis of step s is. */
static struct axes compose(const struct step *s, struct plan *p)
{
    struct axes a = {0}, inner;
    if (s->leaf != NULL) {
        p->leaf = s->leaf;
        p->g = s->g;
        for (a.rank = 0; a.rank < s->type.rank; a.rank++)
            a.from[a.rank] = a.rank;
        return a;
    }
    inner = compose(s->arg, p);
    p->exps += s->op == OP_EXP;
    for (uint32_t i = 0; i < inner.rank; i++) {
        if (s->op == OP_PERMUTE)
            a.from[a.rank++] = inner.from[s->order[i]];
        else if (s->op != OP_SQUEEZE || (s->removed >> i & 1) == 0)
            a.from[a.rank++] = inner.from[i];
    }
    return a;
}

static uint64_t stride_of(struct type t, uint32_t axis)
{
    uint64_t stride = 1;
    for (uint32_t i = axis + 1; i < t.rank; i++)
        stride *= t.axes[i].size;
    return stride;
}

/* Appends an axis, joined to the one before where that is contiguous. */
static void push_axis(struct plan *p, uint64_t dim, uint64_t stride)
{
    if (dim == 1)
        return;
    if (p->rank > 0 && p->strides[p->rank - 1] == stride * dim) {
        p->dims[p->rank - 1] *= dim;
        p->strides[p->rank - 1] = stride;
        return;
    }
    p->dims[p->rank] = dim;
    p->strides[p->rank++] = stride;
}

static void plan_keep(struct plan *p, const struct axes *a,
                      const struct step *norm)
{
    struct type t = p->leaf->type;
    p->keep_size = 1;
    p->keep_inner = p->norm_inner = p->elements;
    if (norm->keep == KEEP_NONE)
        return;
    p->keep_inner = 1;
    p->keep_size = t.axes[norm->keep].size;
    p->norm_inner = stride_of(t, norm->keep);
    for (uint32_t i = a->rank; i-- > 0 && a->from[i] != norm->keep;)
        p->keep_inner *= t.axes[a->from[i]].size;
}

struct plan plan_output(const struct output *o)
{
    struct plan p = {0};
    struct axes a = compose(o->step, &p);
    const struct step *norm = step_leaf(o->step);
    type_elements(p.leaf->type, &p.elements);
    p.element_size = spec_dtype_bits(p.leaf->dtype) / 8;
    p.arithmetic = p.g != NULL || p.exps > 0;
    if (p.element_size == 0) { /* packed: copied whole, as bytes */
        type_bytes(p.leaf->type, p.leaf->dtype, &p.elements);
        p.element_size = 1;
    }
    if (p.elements == 0)
        return p;
    for (uint32_t i = 0; i < a.rank; i++)
        push_axis(&p, p.leaf->type.axes[a.from[i]].size,
                  stride_of(p.leaf->type, a.from[i]));
    p.identity = p.rank == 0 || (p.rank == 1 && p.strides[0] == 1);
    if (p.g != NULL)
        plan_keep(&p, &a, norm);
    return p;
}
