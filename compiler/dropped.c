/* SPDX-License-Identifier: MIT
 *
 * dropped.c - dropped leaves and subtrees, and the dropped pieces of splits.
 *
 * What a dropped piece of a computed value would have read is shared with the
 * pieces that are kept, and so may be rows of a magnitude: then they are not
 * listed.
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

/* What a piece has of a leaf; NULL if that is nothing. */
static const struct claimed *piece_claim(const struct trimming *x, size_t i,
                                         const struct leaf *leaf)
{
    const struct claimed *c = claims_find(&x->pieces[i], leaf);
    return c != NULL && claimed_elements(c) > 0 ? c : NULL;
}

static bool is_kept(const struct trimming *x, const struct leaf *leaf)
{
    bool kept = false;
    for (size_t i = 0; i < x->t->split->piece_count && !kept; i++)
        kept = x->t->split->pieces[i].name != NULL &&
               piece_claim(x, i, leaf) != NULL;
    return kept;
}

/* Rows of a magnitude, some of them taken. */
struct rows {
    struct arena *a;
    bool *taken;
    uint32_t axis;
    struct claimed *fresh; /* taken by the piece that is looked at */
    uint64_t lo, hi;       /* the last of them, not there yet */
};

static void end_range(struct rows *r)
{
    if (r->hi > r->lo)
        claimed_add(r->a, r->fresh, r->axis,
                    (struct range_value){r->lo, r->hi - r->lo});
    r->lo = r->hi = 0;
}

static void take_row(struct rows *r, uint64_t k)
{
    if (r->taken[k])
        return;
    r->taken[k] = true;
    if (k != r->hi)
        end_range(r);
    if (r->hi == r->lo)
        r->lo = k;
    r->hi = k + 1;
}

/* Takes the rows that a piece needs; those that none before needed are
 * r->fresh. */
static void take_rows(struct rows *r, const struct leaf *g,
                      const struct claimed *c)
{
    struct arena scratch = {0};
    uint64_t n = claimed_box_count(c, g->type), fresh = 0;
    struct box *boxes = arena_new(&scratch, struct box, n);
    claimed_boxes(c, g->type, boxes);
    for (uint64_t i = 0; i < n; i++)
        for (uint64_t k = 0; k < boxes[i].n[r->axis]; k++)
            fresh += !r->taken[boxes[i].lo[r->axis] + k];
    *r->fresh = (struct claimed){arena_new(r->a, struct grid, fresh), 0};
    for (uint64_t i = 0; i < n; i++)
        for (uint64_t k = 0; k < boxes[i].n[r->axis]; k++)
            take_row(r, boxes[i].lo[r->axis] + k);
    end_range(r);
    arena_release(&scratch);
}

static void drop_rows(struct trimming *x, const struct leaf *g)
{
    size_t n = x->t->split->piece_count;
    struct rows r = {.a = x->a, .axis = g->keep};
    r.taken = arena_new(x->a, bool, g->type.axes[g->keep].size);
    for (size_t k = 0; k < 2 * n; k++) { /* kept pieces, then dropped ones */
        const struct piece *p = &x->t->split->pieces[k % n];
        const struct claimed *c = piece_claim(x, k % n, g);
        if (c == NULL || (p->name != NULL) != (k < n))
            continue;
        r.fresh = arena_new(x->a, struct claimed, 1);
        take_rows(&r, g, c);
        if (p->name == NULL && r.fresh->n > 0)
            add(x->a, x->out,
                (struct dropped){g, NULL, r.fresh, &p->reason, p->at});
    }
}

/* What several pieces read whole, as what is computed does, is dropped with
 * the first of them if none is kept. */
static void drop_leaf(struct trimming *x, const struct leaf *leaf)
{
    const struct claimed *whole = claims_find(&x->whole, leaf);
    uint64_t all = whole != NULL ? claimed_elements(whole) : 0;
    bool said = is_kept(x, leaf);
    for (size_t i = 0; i < x->t->split->piece_count; i++) {
        const struct piece *p = &x->t->split->pieces[i];
        const struct claimed *c = piece_claim(x, i, leaf);
        if (p->name != NULL || c == NULL ||
            (claimed_elements(c) == all && said))
            continue;
        said = true;
        add(x->a, x->out, (struct dropped){leaf, NULL, c, &p->reason, p->at});
    }
}

static void list_trimmed(struct arena *a, const struct trimmed *t,
                         struct dropped_list *out)
{
    struct trimming x = {a, t, out, {0}, NULL};
    struct arena scratch = {0};
    struct regions v = plan_value(&scratch, t->whole);
    plan_sources(&v);
    x.whole = claims_of(a, &v);
    x.pieces = arena_new(a, struct leaf_claims, t->split->piece_count);
    for (size_t i = 0; i < t->split->piece_count; i++) {
        const struct range_value *r = &t->ranges[i];
        arena_release(&scratch);
        v = plan_part(&scratch, t->whole, t->axis, r->lo, r->n);
        plan_sources(&v);
        x.pieces[i] = claims_of(a, &v);
    }
    arena_release(&scratch);
    for (size_t i = 0; i < x.whole.n; i++) {
        const struct leaf *leaf = x.whole.p[i].leaf;
        if (leaf->also || leaf->source == NO_SOURCE)
            continue;
        if (leaf->is_g && leaf->keep != KEEP_NONE)
            drop_rows(&x, leaf);
        else
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
