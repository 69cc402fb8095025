/* SPDX-License-Identifier: MIT
 *
 * dropped.c - dropped leaves and subtrees, and the dropped pieces of splits.
 *
 * What a dropped piece of a computed value would have read is shared with the
 * pieces that are kept: then it is not listed.
 */
#include "dropped.h"

#include <stdlib.h>

#include "plan.h"

uint64_t dropped_elements(const struct dropped *d)
{
    uint64_t n;
    if (d->claimed != NULL)
        return claimed_elements(d->claimed);
    type_elements(d->leaf->type, &n);
    return n;
}

static void add(struct arena *a, struct dropped_list *v, struct dropped d)
{
    if (v->n == v->capacity)
        v->p = arena_grow(a, v->p, sizeof *v->p, v->n, &v->capacity);
    v->p[v->n++] = d;
}

/* --- the pieces of a split --- */

struct trimming {
    struct arena *a;
    const struct trimmed *t;
    struct dropped_list *out;
    struct leaf_claims whole;
    struct leaf_claims *pieces; /* of each piece */
};

static uint64_t elements_in(const struct leaf_claims *v,
                            const struct leaf *leaf)
{
    const struct claimed *c = claims_find(v, leaf);
    return c == NULL ? 0 : claimed_elements(c);
}

static bool is_kept(const struct trimming *x, const struct leaf *leaf)
{
    bool kept = false;
    for (size_t i = 0; i < x->t->split->piece_count && !kept; i++)
        kept = x->t->split->pieces[i].name != NULL &&
               elements_in(&x->pieces[i], leaf) > 0;
    return kept;
}

/* A magnitude is cut with its direction if that is cut along the kept axis;
 * else all pieces use all of it, and it is dropped with the first of them if
 * none is kept. */
static void drop_leaf(struct trimming *x, const struct leaf *leaf)
{
    uint64_t all = elements_in(&x->whole, leaf);
    bool said = false;
    for (size_t i = 0; i < x->t->split->piece_count; i++) {
        const struct piece *p = &x->t->split->pieces[i];
        const struct claimed *c = claims_find(&x->pieces[i], leaf);
        if (p->name != NULL || c == NULL || claimed_elements(c) == 0)
            continue;
        if (claimed_elements(c) == all && (said || is_kept(x, leaf)))
            continue;
        said = true;
        add(x->a, x->out, (struct dropped){leaf, NULL, c, &p->reason, p->at});
    }
}

static void list_trimmed(struct arena *a, const struct trimmed *t,
                         struct dropped_list *out)
{
    struct trimming x = {a, t, out, {0}, NULL};
    struct regions v = plan_value(a, t->whole);
    x.whole = claims_of(a, &v);
    x.pieces = arena_new(a, struct leaf_claims, t->split->piece_count);
    for (size_t i = 0; i < t->split->piece_count; i++) {
        const struct range_value *r = &t->ranges[i];
        v = plan_part(a, t->whole, t->axis, r->lo, r->n);
        x.pieces[i] = claims_of(a, &v);
    }
    for (size_t i = 0; i < x.whole.n; i++) {
        const struct leaf *leaf = x.whole.p[i].leaf;
        if (!leaf->also && leaf->source != NO_SOURCE)
            drop_leaf(&x, leaf);
    }
}

/* --- all --- */

static int compare_parts(const struct dropped *x, const struct dropped *y)
{
    struct box a = {0}, b = {0};
    int order = 0;
    if (x->claimed == NULL || y->claimed == NULL)
        return 0;
    claimed_first_box(x->claimed, x->leaf->type, &a);
    claimed_first_box(y->claimed, y->leaf->type, &b);
    for (uint32_t n = 0; order == 0 && n < x->leaf->type.rank; n++)
        order = (a.lo[n] > b.lo[n]) - (a.lo[n] < b.lo[n]);
    return order;
}

static int compare(const void *x, const void *y)
{
    const struct dropped *a = x, *b = y;
    uint32_t i = a->leaf != NULL ? a->leaf->file : a->subtree->file;
    uint32_t k = b->leaf != NULL ? b->leaf->file : b->subtree->file;
    int order = str_order(a->leaf != NULL ? a->leaf->name : a->subtree->prefix,
                          b->leaf != NULL ? b->leaf->name : b->subtree->prefix);
    if (i != k)
        return i < k ? -1 : 1;
    if (order != 0 || a->leaf == NULL || b->leaf == NULL)
        return order;
    return compare_parts(a, b);
}

struct dropped_list dropped_list(struct arena *a, const struct model *m)
{
    struct dropped_list v = {0};
    for (size_t i = 0; i < m->leaf_count; i++) {
        const struct leaf *leaf = m->leaves[i];
        struct dropped d = {leaf, NULL, leaf->claimed, leaf->reason,
                            leaf->where.at};
        /* A second reading claims nothing, an empty part neither. */
        if (leaf->dropped && leaf->source != NO_SOURCE && !leaf->also &&
            (leaf->claimed == NULL || dropped_elements(&d) > 0))
            add(a, &v, d);
    }
    for (size_t i = 0; i < m->subtree_count; i++) {
        const struct subtree *s = &m->subtrees[i];
        add(a, &v, (struct dropped){NULL, s, NULL, s->reason, s->where.at});
    }
    for (size_t i = 0; i < m->trimmed_count; i++)
        list_trimmed(a, &m->trimmed[i], &v);
    if (v.n > 0)
        qsort(v.p, v.n, sizeof *v.p, compare);
    return v;
}
