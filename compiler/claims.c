/* SPDX-License-Identifier: MIT
 *
 * claims.c - a region's digits, seen from the source.
 */
#include "claims.h"

#include <stdlib.h>

#include "size.h"

/* --- grids --- */

static bool is_before(const struct digit *x, const struct digit *y)
{
    return x->from != y->from ? x->from < y->from : x->by > y->by;
}

/* Puts a digit where it belongs. */
static void grid_add(struct grid *g, const struct digit *d)
{
    uint32_t at = g->count++;
    for (; at > 0 && is_before(d, &g->digits[at - 1]); at--)
        g->digits[at] = g->digits[at - 1];
    g->digits[at] = *d;
}

static void join_digits(struct grid *g)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        struct digit *last = n > 0 ? &g->digits[n - 1] : NULL;
        const struct digit *d = &g->digits[i];
        if (last != NULL && last->from == d->from &&
            last->by == d->by * d->count) {
            last->count *= d->count;
            last->by = d->by;
        } else {
            g->digits[n++] = *d;
        }
    }
    g->count = n;
}

/* What a region has of its leaf; of a magnitude only the kept axis. */
static struct grid grid_of(struct arena *a, const struct region *r, bool is_g)
{
    struct grid g = {.digits = arena_new(a, struct digit, r->digit_count)};
    uint32_t rank = is_g ? r->g->type.rank : r->leaf->type.rank;
    for (uint32_t i = 0; i < rank; i++)
        g.lo[i] = is_g && i != r->keep ? 0 : r->lo[i];
    for (uint32_t i = 0; i < r->digit_count; i++)
        if (!is_g || r->digits[i].from == r->keep)
            grid_add(&g, &r->digits[i]);
    join_digits(&g);
    return g;
}

static uint64_t grid_elements(const struct grid *g)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < g->count; i++)
        n *= g->digits[i].count;
    return n;
}

/* --- ranges of one axis --- */

/* The digits of an axis; whether the last of them is a run. */
struct line {
    const struct digit *p;
    uint32_t n;
    uint64_t lo, run;
};

static struct line line_of(const struct grid *g, uint32_t axis)
{
    struct line l = {.p = g->digits, .lo = g->lo[axis], .run = 1};
    uint32_t i = 0;
    while (i < g->count && g->digits[i].from < axis)
        i++;
    l.p += i;
    while (i + l.n < g->count && g->digits[i + l.n].from == axis)
        l.n++;
    if (l.n > 0 && l.p[l.n - 1].by == 1)
        l.run = l.p[--l.n].count;
    return l;
}

static uint64_t line_count(const struct line *l)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < l->n; i++)
        if (!size_mul(n, l->p[i].count, &n))
            return UINT64_MAX;
    return n;
}

/* Where range number k begins. */
static uint64_t line_at(const struct line *l, uint64_t k)
{
    uint64_t at = l->lo;
    for (uint32_t i = l->n; i-- > 0;) {
        at += k % l->p[i].count * l->p[i].by;
        k /= l->p[i].count;
    }
    return at;
}

/* --- boxes --- */

static uint64_t grid_boxes(const struct grid *g, struct type t)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < t.rank; i++) {
        struct line l = line_of(g, i);
        if (!size_mul(n, line_count(&l), &n))
            return UINT64_MAX;
    }
    return n;
}

uint64_t claimed_elements(const struct claimed *c)
{
    uint64_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        n += grid_elements(&c->p[i]);
    return n;
}

uint64_t claimed_box_count(const struct claimed *c, struct type t)
{
    uint64_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        if (!size_add(n, grid_boxes(&c->p[i], t), &n))
            return UINT64_MAX;
    return n;
}

static void grid_box(const struct grid *g, struct type t, uint64_t k,
                     struct box *out)
{
    *out = (struct box){0};
    for (uint32_t i = t.rank; i-- > 0;) {
        struct line l = line_of(g, i);
        out->lo[i] = line_at(&l, k % line_count(&l));
        out->n[i] = l.run;
        k /= line_count(&l);
    }
}

bool claimed_first_box(const struct claimed *c, struct type t, struct box *out)
{
    if (c->n > 0)
        grid_box(&c->p[0], t, 0, out);
    return c->n > 0;
}

void claimed_boxes(const struct claimed *c, struct type t, struct box *out)
{
    for (size_t i = 0; i < c->n; i++) {
        uint64_t n = grid_boxes(&c->p[i], t);
        for (uint64_t k = 0; k < n; k++)
            grid_box(&c->p[i], t, k, out++);
    }
}

/* --- leaves --- */

/* A region as a part of a leaf. */
struct use {
    struct leaf *leaf;
    const struct region *r;
    size_t at;
    bool is_g;
};

static int compare_uses(const void *x, const void *y)
{
    const struct use *a = x, *b = y;
    if (a->leaf != b->leaf)
        return a->leaf < b->leaf ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

static struct use *uses_of(struct arena *a, const struct regions *v, size_t *n)
{
    struct use *p = arena_new(a, struct use, 3 * v->n);
    *n = 0;
    for (size_t i = 0; i < v->n; i++) {
        const struct region *r = &v->p[i];
        if (r->leaf == NULL)
            continue;
        p[(*n)++] = (struct use){r->leaf, r, i, false};
        if (r->g != NULL)
            p[(*n)++] = (struct use){r->g, r, i, true};
        if (r->leaf->twin != NULL)
            p[(*n)++] = (struct use){r->leaf->twin, r, i, false};
    }
    qsort(p, *n, sizeof *p, compare_uses);
    return p;
}

/* Equal grids are equal, and stand side by side when sorted. */
static int compare_grids(const void *x, const void *y)
{
    const struct grid *a = x, *b = y;
    int order = (a->count > b->count) - (a->count < b->count);
    for (uint32_t i = 0; i < TTSB_MAX_RANK && order == 0; i++)
        order = (a->lo[i] > b->lo[i]) - (a->lo[i] < b->lo[i]);
    for (uint32_t i = 0; i < a->count && order == 0; i++) {
        const struct digit *d = &a->digits[i], *e = &b->digits[i];
        order = d->by != e->by ? (d->by > e->by ? 1 : -1)
                               : (d->count > e->count) - (d->count < e->count);
    }
    return order;
}

/* Claims while they are made. */
struct claiming {
    struct arena *a;
    uint64_t most, boxes; /* of magnitudes, made on the way */
};

static int compare_boxes(const void *x, const void *y, void *axis)
{
    const struct box *a = x, *b = y;
    uint32_t i = *(const uint32_t *)axis;
    return (a->lo[i] > b->lo[i]) - (a->lo[i] < b->lo[i]);
}

void claimed_add(struct arena *a, struct claimed *c, uint32_t axis,
                 struct range_value range)
{
    struct grid *g = &c->p[c->n++];
    *g = (struct grid){.digits = arena_new(a, struct digit, 1)};
    g->lo[axis] = range.lo;
    g->digits[0] = (struct digit){1, range.n, 1, 0, (uint8_t)axis};
    g->count = range.n > 1;
}

/* Regions of one weight norm may share rows of its magnitude: their union, as
 * ranges of the kept axis. */
static void unite(struct claiming *x, struct claimed *c, const struct leaf *g)
{
    uint64_t n = claimed_box_count(c, g->type), m = 0;
    struct box *boxes;
    uint32_t axis = g->keep;
    if (!size_add(x->boxes, n, &x->boxes) || x->boxes > x->most)
        return;
    boxes = arena_new(x->a, struct box, n);
    claimed_boxes(c, g->type, boxes);
    qsort_r(boxes, (size_t)n, sizeof *boxes, compare_boxes, &axis);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t end = boxes[i].lo[axis] + boxes[i].n[axis];
        struct box *last = m > 0 ? &boxes[m - 1] : NULL;
        if (last == NULL || boxes[i].lo[axis] > last->lo[axis] + last->n[axis])
            boxes[m++] = boxes[i];
        else if (end > last->lo[axis] + last->n[axis])
            last->n[axis] = end - last->lo[axis];
    }
    *c = (struct claimed){arena_new(x->a, struct grid, m), 0};
    for (uint64_t i = 0; i < m; i++)
        claimed_add(x->a, c, axis,
                    (struct range_value){boxes[i].lo[axis], boxes[i].n[axis]});
}

/* The magnitude is there where a direction has no elements. */
static bool is_used(const struct use *u)
{
    uint64_t n;
    return !u->r->empty || (u->is_g && u->r->hollow &&
                            type_elements(u->leaf->type, &n) && n > 0);
}

static struct claimed claim_of(struct claiming *x, const struct use *u,
                               size_t n)
{
    struct claimed c = {arena_new(x->a, struct grid, n), 0};
    size_t m = 0;
    for (size_t i = 0; i < n; i++)
        if (is_used(&u[i]))
            c.p[c.n++] = grid_of(x->a, u[i].r, u[i].is_g);
    if (!u->is_g || c.n < 2)
        return c;
    qsort(c.p, c.n, sizeof *c.p, compare_grids);
    for (size_t i = 0; i < c.n; i++)
        if (m == 0 || compare_grids(&c.p[i], &c.p[m - 1]) != 0)
            c.p[m++] = c.p[i];
    c.n = m;
    if (c.n > 1)
        unite(x, &c, u->leaf);
    return c;
}

static struct leaf_claims collect(struct claiming *x, const struct regions *v)
{
    struct leaf_claims out = {0};
    size_t n, k, leaves = 0;
    struct use *uses = uses_of(v->a, v, &n);
    for (size_t i = 0; i < n; i++)
        leaves += i == 0 || uses[i].leaf != uses[i - 1].leaf;
    out.p = arena_new(x->a, struct leaf_claim, leaves);
    for (size_t i = 0; i < n && x->boxes <= x->most; i = k) {
        for (k = i; k < n && uses[k].leaf == uses[i].leaf; k++)
            ;
        out.p[out.n++] = (struct leaf_claim){
            uses[i].leaf, claim_of(x, &uses[i], k - i), uses[i].r->cut};
    }
    return out;
}

struct leaf_claims claims_of(struct arena *a, const struct regions *v)
{
    struct claiming x = {a, TTSB_SIZE_MAX, 0};
    return collect(&x, v);
}

static int compare_leaf(const void *key, const void *entry)
{
    const struct leaf *leaf = key;
    const struct leaf_claim *c = entry;
    return (leaf > c->leaf) - (leaf < c->leaf);
}

const struct claimed *claims_find(const struct leaf_claims *v,
                                  const struct leaf *leaf)
{
    const struct leaf_claim *c =
        v->n == 0 ? NULL
                  : bsearch(leaf, v->p, v->n, sizeof *v->p, compare_leaf);
    return c != NULL ? &c->claimed : NULL;
}

static const struct claimed *kept(struct arena *a, const struct claimed *c)
{
    struct claimed *out = arena_new(a, struct claimed, 1);
    *out = (struct claimed){arena_new(a, struct grid, c->n), c->n};
    for (size_t i = 0; i < c->n; i++) {
        struct grid *g = &out->p[i];
        *g = c->p[i];
        g->digits = arena_new(a, struct digit, g->count);
        if (g->count > 0)
            memcpy(g->digits, c->p[i].digits, g->count * sizeof *g->digits);
    }
    return out;
}

bool claims_write(struct arena *a, struct regions *v)
{
    struct claiming x = {v->a, CLAIMS_MAX, 0};
    struct leaf_claims claims = collect(&x, v);
    v->work += x.boxes < CLAIMS_MAX ? x.boxes : CLAIMS_MAX;
    if (x.boxes > CLAIMS_MAX)
        return false;
    for (size_t i = 0; i < claims.n; i++) {
        struct leaf *leaf = claims.p[i].leaf;
        const struct claimed *c = &claims.p[i].claimed;
        uint64_t all;
        type_elements(leaf->type, &all);
        if (claimed_elements(c) != all || claims.p[i].cut)
            leaf->claimed = kept(a, c);
    }
    return true;
}
