/* SPDX-License-Identifier: MIT
 *
 * test_regions.c - values of random moves, against arrays of indices.
 *
 * In: a seed, TTSW_SEED or the same one each time. Out: for each value its
 * regions tile it, and say of each element which source element it is; parts
 * of it, views and factors say the same; and what its sources' uses claim is
 * exactly what it is made of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "claims.h"
#include "plan.h"
#include "random_terms.h"
#include "view.h"

#define ROUNDS 100000

/* A value that is looked at. */
struct bench {
    struct maker m;
    struct made t;
    struct regions v;
    struct type type; /* of v: of the term, or of a part of it */
    struct cell *cells;
    bool *seen;
};

static int number_of(const struct bench *b, const struct leaf *leaf)
{
    for (int i = 0; i < b->m.n; i++)
        if (b->m.leaves[i] == leaf)
            return i;
    return NO_LEAF;
}

static void check_cell(const struct bench *b, uint64_t e, int leaf,
                       uint64_t element)
{
    assert_true(e < elements(b->type));
    assert_int_equal(b->cells[e].leaf, leaf);
    if (leaf != NO_LEAF)
        assert_int_equal(b->cells[e].element, element);
}

/* --- regions --- */

static void check_digits(const struct bench *b, const struct region *r)
{
    assert_true(r->rank == b->type.rank);
    assert_true(r->digit_count <= REGION_MAX_DIGITS);
    for (uint32_t i = 0; i < r->digit_count; i++) {
        const struct digit *d = &r->digits[i];
        assert_true(d->count > 1 && d->step > 0 && d->by > 0);
        assert_true(d->axis < r->rank);
        if (i == 0)
            continue;
        assert_true(d[-1].axis <= d->axis);
        assert_true(d[-1].axis < d->axis || b->v.n == 1);
        assert_true(d[-1].axis < d->axis || d[-1].step >= d->step * d->count);
    }
}

/* Element k of a region, in the order of its digits. */
static void check_element(struct bench *b, const struct region *r, uint64_t k)
{
    struct index at = {{0}}, from = {{0}};
    uint64_t e;
    memcpy(at.at, r->start, r->rank * sizeof at.at[0]);
    memcpy(from.at, r->lo, sizeof r->lo);
    for (uint32_t i = r->digit_count; i-- > 0;) {
        const struct digit *d = &r->digits[i];
        at.at[d->axis] += k % d->count * d->step;
        from.at[d->from] += k % d->count * d->by;
        k /= d->count;
    }
    for (uint32_t i = 0; i < r->rank; i++)
        assert_true(at.at[i] < b->type.axes[i].size);
    e = element_at(b->type, at.at);
    check_cell(b, e, number_of(b, r->leaf),
               r->leaf == NULL ? 0 : element_at(r->leaf->type, from.at));
    assert_false(b->seen[e]);
    b->seen[e] = true;
}

static void check_regions(struct bench *b)
{
    uint64_t n = elements(b->type), all = 0;
    assert_false(b->v.failed);
    b->seen = arena_new(&b->m.a, bool, n);
    for (size_t i = 0; i < b->v.n; i++) {
        const struct region *r = &b->v.p[i];
        check_digits(b, r);
        for (uint64_t k = 0; k < region_elements(r); k++)
            check_element(b, r, k);
        all += region_elements(r);
        if (r->leaf != NULL)
            assert_int_equal(region_is_whole(r),
                             region_elements(r) == elements(r->leaf->type));
    }
    assert_int_equal(all, n);
}

/* --- views --- */

/* The kept index of a source element. */
static uint64_t kept(const struct region *r, uint64_t element)
{
    return r->keep == KEEP_NONE ? 0
                                : index_of(r->leaf->type, element).at[r->keep];
}

static void check_factors(const struct region *r, const struct view *v)
{
    double scale[1024], got[1];
    for (int i = 0; i < 1024; i++)
        scale[i] = i;
    for (uint64_t e = 0; e < v->elements; e++) {
        uint64_t want = kept(r, view_at(v, e));
        view_factors(v, scale, e, 1, got);
        assert_int_equal((uint64_t)got[0], want);
        if (v->keep_size > 0)
            assert_int_equal(v->keep_first + e / v->keep_inner % v->keep_size,
                             want);
    }
}

static void check_view(const struct region *r, const struct view *v)
{
    uint64_t n = 1;
    assert_true(v->rank <= VIEW_MAX_RANK);
    for (uint32_t i = 0; i < v->rank; i++)
        n *= v->dims[i];
    assert_int_equal(n, v->elements);
    for (uint64_t e = 0; v->straight && e < v->elements; e++)
        assert_int_equal(view_at(v, e), v->base + e);
    if (r->g != NULL)
        check_factors(r, v);
}

/* A value that is one region. */
static void check_single(const struct bench *b)
{
    const struct region *r = &b->v.p[0];
    struct view v = view_whole(r);
    assert_int_equal(v.elements, elements(b->type));
    check_view(r, &v);
    for (uint64_t e = 0; r->leaf != NULL && e < v.elements; e++)
        check_cell(b, e, number_of(b, r->leaf), view_at(&v, e));
}

/* What of a region is inside a box. */
static uint64_t check_part(const struct bench *b, const struct region *r,
                           const struct box *box)
{
    uint64_t first[TTSB_MAX_RANK], count[TTSB_MAX_RANK], n;
    struct view v;
    if (!view_meet(r, box, first, count))
        return 0;
    v = view_part(r, first, count);
    check_view(r, &v);
    for (uint64_t e = 0; e < v.elements; e++) {
        struct index at = {{0}};
        uint64_t rest = e;
        for (uint32_t i = r->rank; i-- > 0; rest /= count[i]) {
            uint64_t step = view_step(r, i, &n);
            at.at[i] = r->start[i] + (first[i] + rest % count[i]) * step;
            assert_true(at.at[i] >= box->lo[i] &&
                        at.at[i] < box->lo[i] + box->n[i]);
        }
        check_cell(b, element_at(b->type, at.at), number_of(b, r->leaf),
                   r->leaf != NULL ? view_at(&v, e) : 0);
    }
    return v.elements;
}

static void check_box(const struct bench *b)
{
    struct box box = {0};
    uint64_t n = 1, have = 0;
    for (uint32_t i = 0; i < b->type.rank; i++) {
        uint64_t size = b->type.axes[i].size;
        box.lo[i] = roll(size);
        box.n[i] = 1 + roll(size - box.lo[i]);
        n *= box.n[i];
    }
    for (size_t i = 0; i < b->v.n; i++)
        have += check_part(b, &b->v.p[i], &box);
    assert_int_equal(have, n);
}

static void check_views(const struct bench *b)
{
    if (b->v.n == 1)
        check_single(b);
    for (int i = 0; i < 3 && b->v.n > 1; i++)
        check_box(b);
}

/* --- claims --- */

/* Counts into have[] the elements that a claim has. */
static void count_boxes(struct bench *b, const struct leaf *leaf, int *have)
{
    uint64_t n = claimed_box_count(leaf->claimed, leaf->type);
    struct box *boxes = arena_new(&b->m.a, struct box, n), first;
    claimed_boxes(leaf->claimed, leaf->type, boxes);
    assert_int_equal(claimed_first_box(leaf->claimed, leaf->type, &first),
                     n > 0);
    for (uint64_t k = 0; k < n; k++) {
        struct type t = {leaf->type.rank, NULL};
        struct axis axes[TTSB_MAX_RANK] = {{{0}, 0}};
        t.axes = axes;
        for (uint32_t i = 0; i < t.rank; i++)
            axes[i].size = boxes[k].n[i];
        for (uint64_t e = 0; e < elements(t); e++) {
            struct index at = index_of(t, e);
            for (uint32_t i = 0; i < t.rank; i++)
                at.at[i] += boxes[k].lo[i];
            have[element_at(leaf->type, at.at)]++;
        }
    }
    if (n > 0)
        assert_memory_equal(&first, &boxes[0], sizeof first);
}

/* Whether an element of a value comes from an element of a leaf. */
static bool comes_from(const struct bench *b, const struct cell *c,
                       const struct leaf *leaf, uint64_t *element)
{
    const struct leaf *from = c->leaf == NO_LEAF ? NULL : b->m.leaves[c->leaf];
    *element = c->element;
    if (from == NULL || from == leaf || from->twin == leaf)
        return from != NULL;
    if (from->pair != leaf)
        return false;
    *element = leaf->keep == KEEP_NONE
                   ? 0
                   : index_of(from->type, c->element).at[leaf->keep];
    return true;
}

static void check_claim(struct bench *b, const struct leaf *leaf)
{
    uint64_t n = elements(leaf->type), wanted = 0, element;
    int *have = arena_new(&b->m.a, int, n);
    bool *want = arena_new(&b->m.a, bool, n);
    for (uint64_t e = 0; e < elements(b->type); e++)
        if (comes_from(b, &b->cells[e], leaf, &element))
            want[element] = true;
    if (leaf->claimed != NULL)
        count_boxes(b, leaf, have);
    for (uint64_t e = 0; e < n; e++) {
        wanted += want[e];
        assert_int_equal(leaf->claimed != NULL ? have[e] : 1, want[e]);
    }
    if (leaf->claimed != NULL)
        assert_int_equal(claimed_elements(leaf->claimed), wanted);
}

static void check_claims(struct bench *b)
{
    uint64_t work;
    assert_true(plan_claims(&b->m.a, b->t.s, &work));
    assert_true(work >= b->v.n);
    for (int i = 0; i < b->m.n; i++) {
        const struct leaf *leaf = b->m.leaves[i];
        /* A magnitude may be there where its direction has no elements. */
        bool empty = leaf->is_g && elements(leaf->pair->type) == 0;
        if (plan_uses(b->t.s, leaf) && !empty)
            check_claim(b, leaf);
    }
}

/* --- tests --- */

/* The part [lo, lo + n) of an axis. */
static void take_part(struct bench *b, uint32_t axis)
{
    struct axis *axes = arena_new(&b->m.a, struct axis, b->type.rank);
    uint64_t size = b->type.axes[axis].size, lo = roll(size);
    uint64_t n = 1 + roll(size - lo);
    struct cell *cells = b->cells;
    struct type whole = b->type;
    memcpy(axes, whole.axes, whole.rank * sizeof *axes);
    axes[axis].size = n;
    b->type.axes = axes;
    b->v = plan_part(&b->m.a, b->t.s, axis, lo, n);
    b->cells = arena_new(&b->m.a, struct cell, elements(b->type));
    for (uint64_t e = 0; e < elements(b->type); e++) {
        struct index at = index_of(b->type, e);
        at.at[axis] += lo;
        b->cells[e] = cells[element_at(whole, at.at)];
    }
}

static void test_random_terms(void **state)
{
    const char *seed = getenv("TTSW_SEED");
    random_seed(seed != NULL ? strtoull(seed, NULL, 10) : 20240607);
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct bench b = {0};
        uint32_t axis;
        b.t = random_term(&b.m);
        b.type = b.t.s->type;
        b.cells = b.t.cells;
        b.v = plan_value(&b.m.a, b.t.s);
        check_regions(&b);
        check_views(&b);
        check_claims(&b);
        axis = b.type.rank > 0 ? (uint32_t)roll(b.type.rank) : 0;
        if (b.type.rank > 0 && elements(b.type) > 0) {
            take_part(&b, axis);
            check_regions(&b);
            check_views(&b);
        }
        arena_release(&b.m.a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_terms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
