/* SPDX-License-Identifier: MIT
 *
 * inverse.c - plans each output, exchanges the sides of its regions, counts.
 *
 * On an axis of a source, too, the digits of a region are nested: a source
 * begins with one digit for each axis, of steps 1; what trims a digit takes
 * indices away, and what parts one (regions_part) makes rows of it, whose
 * step is the reach of a row and one more. So sorted by their steps they
 * count the axis' indices in order.
 */
#include "inverse.h"

#include "plan.h"
#include "tiling.h"

#define MAX_BOXES 262144 /* of one origin */

/* --- which casts lose nothing --- */

/* Finite floats widen exactly; an integer that does not fit is no blob. */
static enum loss loss_of_cast(const struct leaf *leaf, enum ttsb_dtype stored)
{
    enum ttsb_dtype from = leaf->dtype;
    bool wider = stored == TTSB_F64 || (stored == TTSB_F32 && from != TTSB_F64);
    if (from == stored || spec_dtype_is_integer(from))
        return LOSS_NONE;
    return !wider                  ? LOSS_NARROWED
           : leaf->allow_nonfinite ? LOSS_NAN
                                   : LOSS_NONE;
}

static enum loss loss_of(const struct region *r, const struct output *o)
{
    return r->g != NULL      ? LOSS_WEIGHT_NORM
           : r->math != NULL ? LOSS_COMPUTED
                             : loss_of_cast(r->leaf, o->dtype);
}

/* --- what is lost --- */

/* Second readings lose nothing: there is a first one. */
static void lose(struct inverse *v, enum loss loss, const struct leaf *leaf,
                 const struct output *o)
{
    if (v->judged || leaf == NULL || leaf->also || leaf->source == NO_SOURCE ||
        v->fates[leaf->source].loss != LOSS_NONE)
        return;
    v->fates[leaf->source] = (struct fate){loss, false, leaf, o};
}

static void lose_all(struct inverse *v, enum loss loss, const struct output *o)
{
    for (uint32_t i = 0; i < o->leaf_count; i++)
        lose(v, loss, output_leaf(v->m, o, i), o);
}

static void lose_norms(struct inverse *v, const struct output *o)
{
    for (uint32_t i = 0; i < o->leaf_count; i++) {
        const struct leaf *leaf = output_leaf(v->m, o, i);
        if (leaf->pair != NULL)
            lose(v, LOSS_WEIGHT_NORM, leaf, o);
        else if (leaf->spectral != SPECTRAL_NONE)
            lose(v, LOSS_SPECTRAL_NORM, leaf, o);
    }
}

/* All sources of a step that computes. */
static void lose_below(struct inverse *v, const struct step *s,
                       const struct output *o)
{
    if (s->leaf != NULL) {
        lose(v, LOSS_COMPUTED, s->leaf, o);
        lose(v, LOSS_COMPUTED, s->leaf->twin, o);
    }
    for (size_t i = 0; i < s->part_count; i++)
        lose_below(v, s->parts[i], o);
    if (s->arg != NULL)
        lose_below(v, s->arg, o);
    if (s->part_count == 0 && plan_is_node(s) && s->op != OP_L2_NORMALIZE)
        lose_below(v, s->other, o);
}

/* --- regions of origins --- */

struct type inverse_type(struct arena *a, const struct leaf *leaf,
                         enum ttsb_dtype *dtype)
{
    struct axis *bytes;
    *dtype = leaf->dtype;
    if (spec_dtype_bits(leaf->dtype) % 8 == 0)
        return leaf->type;
    *dtype = TTSB_U8;
    bytes = arena_new(a, struct axis, 1);
    type_bytes(leaf->type, leaf->dtype, &bytes->size);
    return (struct type){1, bytes};
}

/* Sorted by the source's axis, then by falling step on it. */
static void add_digit(struct region *r, struct digit d)
{
    uint32_t at = r->digit_count++;
    for (; at > 0; at--) {
        const struct digit *x = &r->digits[at - 1];
        if (x->axis < d.axis || (x->axis == d.axis && x->step > d.step))
            break;
        r->digits[at] = *x;
    }
    r->digits[at] = d;
}

static struct region exchange(struct arena *a, const struct region *r,
                              struct leaf *output)
{
    struct region x = {.leaf = output, .keep = KEEP_NONE};
    x.rank = r->leaf->type.rank;
    x.digits = arena_new(a, struct digit, r->digit_count + 1);
    memcpy(x.start, r->lo, sizeof r->lo);
    memcpy(x.lo, r->start, sizeof x.lo);
    for (uint32_t i = 0; i < r->digit_count; i++) {
        const struct digit *d = &r->digits[i];
        add_digit(&x,
                  (struct digit){d->by, d->count, d->step, d->from, d->axis});
    }
    return x;
}

/* A tensor of packed elements, which is copied whole. */
static struct region bytes_of(struct arena *a, struct leaf *output)
{
    struct region x = {.leaf = output, .keep = KEEP_NONE, .rank = 1};
    uint64_t n = output->type.axes[0].size;
    x.digits = arena_new(a, struct digit, 1);
    x.digit_count = n > 1;
    x.digits[0] = (struct digit){1, n, 1, 0, 0};
    return x;
}

static void append(struct regions *v, const struct region *r)
{
    v->failed = v->failed || v->n >= REGIONS_MAX;
    if (v->failed)
        return;
    if (v->n == v->capacity)
        v->p = arena_grow(v->a, v->p, sizeof *v->p, v->n, &v->capacity);
    v->p[v->n++] = *r;
}

/* A region of a value as one of its leaf's origin. */
static void invert(struct inverse *v, const struct region *r,
                   const struct leaf *leaf, struct leaf *output)
{
    struct inverted *x;
    struct regions *to;
    struct region part;
    if (leaf == NULL || leaf->source == NO_SOURCE)
        return;
    x = &v->parts[leaf->source];
    to = leaf->also ? &x->second : &x->first;
    part = spec_dtype_bits(leaf->dtype) % 8 == 0 ? exchange(to->a, r, output)
                                                 : bytes_of(to->a, output);
    append(to, &part);
    x->elements += leaf->also ? 0 : region_elements(r);
}

static void invert_region(struct inverse *v, const struct region *r,
                          const struct output *o, struct leaf *output)
{
    enum loss loss;
    if (r->node != NULL)
        lose_below(v, r->node, o);
    if (r->leaf == NULL)
        return; /* zeros, or computed */
    loss = loss_of(r, o);
    if (loss == LOSS_NONE) {
        invert(v, r, r->leaf, output);
        invert(v, r, r->leaf->twin, output);
    } else {
        lose(v, loss, r->leaf, o);
        lose(v, loss, r->leaf->twin, o);
    }
}

static void invert_output(struct inverse *v, uint32_t i, struct arena *scratch)
{
    const struct output *o = &v->m->outputs[i];
    struct leaf *output;
    struct regions r;
    uint64_t elements;
    if (o->missing)
        lose_all(v, LOSS_MISSING, o);
    if (o->missing || o->absent)
        return;
    lose_norms(v, o);
    type_elements(o->type, &elements);
    if (elements == 0) /* no region says what it was computed from */
        lose_below(v, o->step, o);
    r = plan_value(scratch, o->step);
    if (r.failed) {
        lose_all(v, LOSS_PIECES, o);
        return;
    }
    output = arena_new(scratch, struct leaf, 1);
    output->name = o->name;
    output->type = o->type;
    output->dtype = o->dtype;
    output->type = inverse_type(scratch, output, &output->dtype);
    output->source = i;
    for (size_t k = 0; k < r.n; k++)
        invert_region(v, &r.p[k], o, output);
}

/* Those of an output that are not listed yet. */
static void add_origins(struct inverse *v, const struct output *o,
                        struct arena *scratch)
{
    for (uint32_t k = 0; k < o->leaf_count; k++) {
        uint32_t origin = output_leaf(v->m, o, k)->source;
        struct inverted *x = origin == NO_SOURCE ? NULL : &v->parts[origin];
        if (x == NULL || x->first.a != NULL)
            continue;
        *x = (struct inverted){0, {.a = scratch}, {.a = scratch}};
        v->origins[v->count++] = origin;
    }
}

/* The origins of the unit's outputs, each once. */
static void list_origins(struct inverse *v, const struct unit *u,
                         struct arena *scratch)
{
    for (size_t i = 0; i < v->count; i++)
        v->parts[v->origins[i]] = (struct inverted){0};
    v->count = 0;
    for (uint32_t i = 0; i < u->count; i++)
        add_origins(v, &v->m->outputs[v->units.outputs[u->first + i]], scratch);
}

void inverse_unit(struct inverse *v, size_t k, struct arena *scratch)
{
    const struct unit *u = &v->units.p[k];
    list_origins(v, u, scratch);
    for (uint32_t i = 0; i < u->count; i++)
        invert_output(v, v->units.outputs[u->first + i], scratch);
}

static struct regions join(const struct inverted *x)
{
    struct regions v = x->first;
    for (size_t i = 0; i < x->second.n; i++)
        append(&v, &x->second.p[i]);
    return v;
}

struct regions inverse_regions(const struct inverse *v, uint32_t origin)
{
    const struct inverted *x = &v->parts[origin];
    struct regions r = v->fates[origin].second ? join(x) : x->first;
    if (!r.failed)
        regions_settle(&r);
    return r;
}

/* --- deciding --- */

static uint64_t count_boxes(const struct region *r)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < r->digit_count; i++)
        n *= r->digits[i].step > 1 ? r->digits[i].count : 1;
    return n;
}

/* Box k of a region with one digit on an axis at most. */
static struct box box_of(const struct region *r, uint64_t k)
{
    struct box b = {0};
    for (uint32_t i = 0; i < r->rank; i++) {
        b.lo[i] = r->start[i];
        b.n[i] = 1;
    }
    for (uint32_t i = 0; i < r->digit_count; i++) {
        const struct digit *d = &r->digits[i];
        if (d->step == 1) {
            b.n[d->axis] = d->count;
            continue;
        }
        b.lo[d->axis] += k % d->count * d->step;
        k /= d->count;
    }
    return b;
}

/* Whether settled regions, which may meet, have all elements together. */
static enum covering covers(struct arena *a, const struct regions *r,
                            struct type t, uint64_t all)
{
    struct claims v = {.type = t};
    uint64_t n = 0;
    if (r->failed)
        return COVERS_UNKNOWN;
    if (r->n == 1)
        return region_elements(&r->p[0]) == all ? COVERS_ALL : COVERS_NOT;
    for (size_t i = 0; i < r->n && n <= MAX_BOXES; i++)
        n += count_boxes(&r->p[i]);
    if (n > MAX_BOXES)
        return COVERS_UNKNOWN;
    v.p = arena_new(a, struct claim, n);
    for (size_t i = 0; i < r->n; i++)
        for (uint64_t k = 0; k < count_boxes(&r->p[i]); k++)
            v.p[v.n++] = (struct claim){box_of(&r->p[i], k), i};
    return tiling_covers(a, &v);
}

/* Where first uses do not have all of an origin, second ones may. */
static void try_second(struct inverse *v, uint32_t origin,
                       struct arena *scratch, uint64_t all)
{
    struct fate *f = &v->fates[origin];
    struct fate before = *f;
    struct type t = v->l->p[origin].leaf->type;
    struct regions r;
    *f = (struct fate){.second = true};
    r = inverse_regions(v, origin);
    switch (covers(scratch, &r, t, all)) {
    case COVERS_ALL:
        break;
    case COVERS_UNKNOWN:
        f->loss = LOSS_PIECES;
        break;
    default:
        *f = before;
    }
}

static void decide(struct inverse *v, uint32_t origin, struct arena *scratch)
{
    const struct inverted *x = &v->parts[origin];
    struct fate *f = &v->fates[origin];
    uint64_t all;
    type_elements(v->l->p[origin].leaf->type, &all);
    if (v->l->p[origin].unread)
        return;
    if (all == 0)
        *f = (struct fate){0};
    else if (x->elements == all)
        f->loss = inverse_regions(v, origin).failed ? LOSS_PIECES : LOSS_NONE;
    else if (x->second.n > 0)
        try_second(v, origin, scratch, all);
    if (x->elements < all && f->loss == LOSS_NONE && !f->second)
        f->loss = LOSS_PART;
}

void inverse_judge(struct arena *a, const struct model *m,
                   const struct lineage *l, struct inverse *out)
{
    *out = (struct inverse){.a = a, .m = m, .l = l};
    out->fates = arena_new(a, struct fate, l->n);
    out->parts = arena_new(a, struct inverted, l->n);
    out->origins = arena_new(a, uint32_t, l->n);
    out->units = units_make(a, m, l->n);
    for (size_t i = 0; i < l->n; i++)
        if (l->p[i].dropped)
            out->fates[i] =
                (struct fate){LOSS_DROPPED, false, l->p[i].leaf, NULL};
    for (size_t k = 0; k < out->units.n; k++) {
        struct arena scratch = {0};
        inverse_unit(out, k, &scratch);
        for (size_t i = 0; i < out->count; i++)
            decide(out, out->origins[i], &scratch);
        arena_release(&scratch);
    }
    out->judged = true;
}
