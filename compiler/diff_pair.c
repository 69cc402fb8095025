/* SPDX-License-Identifier: MIT
 *
 * diff_pair.c - which tensor of B a tensor of A is compared with.
 *
 * Items stand in the order of A's file, with what is only in B behind. But a
 * safetensors file is in the order in which its writer sorted the names, `h.10`
 * before `h.9`; there numbers in names count as numbers, so that layers come in
 * the order in which they run. If A is such a file and B is not, B's order is
 * taken.
 */
#include <stdlib.h>

#include "diff.h"

/* --- order --- */

static size_t digits(struct str s, size_t from)
{
    size_t n = 0;
    while (from + n < s.n && s.p[from + n] >= '0' && s.p[from + n] <= '9')
        n++;
    return n;
}

/* Two runs of digits as numbers of any length. */
static int order_numbers(struct str a, struct str b)
{
    while (a.n > 1 && a.p[0] == '0')
        a = str_cut(a, 1, a.n);
    while (b.n > 1 && b.p[0] == '0')
        b = str_cut(b, 1, b.n);
    return a.n != b.n ? (a.n > b.n) - (a.n < b.n) : str_order(a, b);
}

int diff_natural(struct str a, struct str b)
{
    size_t i = 0, k = 0;
    while (i < a.n && k < b.n) {
        size_t m = digits(a, i), n = digits(b, k);
        int c = m > 0 && n > 0
                    ? order_numbers(str_cut(a, i, i + m), str_cut(b, k, k + n))
                    : str_order(str_cut(a, i, i + 1), str_cut(b, k, k + 1));
        if (c != 0)
            return c;
        i += m > 0 && n > 0 ? m : 1;
        k += m > 0 && n > 0 ? n : 1;
    }
    if (a.n - i != b.n - k)
        return a.n - i > b.n - k ? 1 : -1;
    return str_order(a, b);
}

static int by_name(const void *x, const void *y, void *context)
{
    const struct tensor *t = context;
    uint32_t i = *(const uint32_t *)x, k = *(const uint32_t *)y;
    int c = diff_natural(t[i].name, t[k].name);
    return c != 0 ? c : (i > k) - (i < k);
}

/* The numbers of a file's tensors in the order to show. */
static uint32_t *order_of(struct diff *d, const struct tensors *t)
{
    uint32_t *v = arena_new(&d->r->arena, uint32_t, t->n);
    for (uint32_t i = 0; i < t->n; i++)
        v[i] = i;
    if (t->kind == TENSORS_SAFETENSORS)
        qsort_r(v, t->n, sizeof *v, by_name, t->p);
    return v;
}

/* --- pairs --- */

static bool same_sizes(const struct tensor *a, const struct tensor *b)
{
    return a->rank == b->rank &&
           (a->rank == 0 || memcmp(a->dims, b->dims, a->rank * 8) == 0);
}

static void add(struct diff *d, uint32_t a, uint32_t b)
{
    const struct tensor *x = a != DIFF_NONE ? &d->a.p[a] : NULL;
    const struct tensor *y = b != DIFF_NONE ? &d->b.p[b] : NULL;
    struct diff_item *p = &d->items[d->n++];
    *p = (struct diff_item){
        .name = x != NULL ? x->name : y->name, .a = a, .b = b};
    if (x == NULL || y == NULL)
        return;
    if (!str_eq(x->name, y->name))
        p->name_b = y->name;
    p->retyped = x->dtype != y->dtype;
    p->reshaped = !same_sizes(x, y);
}

/* A lone array has no name but its file's, which says little. */
static bool is_lone_pair(const struct diff *d)
{
    return d->a.n == 1 && d->b.n == 1 &&
           (d->a.kind == TENSORS_NPY || d->b.kind == TENSORS_NPY);
}

static void pair_names(struct diff *d)
{
    struct arena *a = &d->r->arena;
    bool by_b =
        d->a.kind == TENSORS_SAFETENSORS && d->b.kind != TENSORS_SAFETENSORS;
    const struct tensors *first = by_b ? &d->b : &d->a;
    const struct tensors *then = by_b ? &d->a : &d->b;
    const uint32_t *order = order_of(d, first), *rest = order_of(d, then);
    struct nametab names = {0};
    bool *taken = arena_new(a, bool, then->n);
    for (uint32_t i = 0; i < then->n; i++) {
        uint32_t value = i;
        nametab_add(a, &names, then->p[i].name, &value);
    }
    for (size_t i = 0; i < first->n; i++) {
        uint32_t other = DIFF_NONE;
        if (nametab_find(&names, first->p[order[i]].name, &other))
            taken[other] = true;
        add(d, by_b ? other : order[i], by_b ? order[i] : other);
    }
    for (size_t i = 0; i < then->n; i++)
        if (!taken[rest[i]])
            add(d, by_b ? rest[i] : DIFF_NONE, by_b ? DIFF_NONE : rest[i]);
}

/* --- what lies elsewhere --- */

static int by_b(const void *x, const void *y, void *context)
{
    const struct diff_item *items = context;
    uint32_t i = items[*(const size_t *)x].b, k = items[*(const size_t *)y].b;
    return (i > k) - (i < k);
}

static int by_a(const void *x, const void *y, void *context)
{
    const struct diff_item *items = context;
    uint32_t i = items[*(const size_t *)x].a, k = items[*(const size_t *)y].a;
    return (i > k) - (i < k);
}

/* Of two blobs offsets count, of all else the order of what both have. */
static void count_moved(struct diff *d)
{
    size_t *a = arena_new(&d->r->arena, size_t, d->n), n = 0;
    size_t *b = arena_new(&d->r->arena, size_t, d->n);
    d->offsets = d->a.kind == TENSORS_BLOB && d->b.kind == TENSORS_BLOB;
    for (size_t i = 0; i < d->n; i++)
        if (d->items[i].a != DIFF_NONE && d->items[i].b != DIFF_NONE)
            a[n++] = i;
    memcpy(b, a, n * sizeof *a);
    qsort_r(a, n, sizeof *a, by_a, d->items);
    qsort_r(b, n, sizeof *b, by_b, d->items);
    for (size_t i = 0; i < n; i++) {
        const struct diff_item *x = &d->items[a[i]];
        d->moved += d->offsets ? d->a.p[x->a].offset != d->b.p[x->b].offset
                               : a[i] != b[i];
    }
}

/* --- choosing --- */

bool diff_choose(struct diff *d)
{
    struct arena *a = &d->r->arena;
    struct candidate *all = arena_new(a, struct candidate, d->n);
    struct selection_request q = {d->path_a, d->args->globs,
                                  d->args->glob_count, SORT_FILE};
    struct selection s;
    if (d->args->glob_count == 0)
        return true;
    for (size_t i = 0; i < d->n; i++)
        all[i].name = d->items[i].name;
    if (!selection_make(a, &d->r->diag, all, d->n, &q, &s))
        return false;
    for (size_t i = 0; i < s.count; i++)
        d->items[i] = d->items[s.index[i]]; /* never before its place */
    d->n = s.count;
    return true;
}

bool diff_pair(struct diff *d)
{
    d->items = arena_new(&d->r->arena, struct diff_item, d->a.n + d->b.n);
    if (is_lone_pair(d))
        add(d, 0, 0);
    else
        pair_names(d);
    if (!diff_choose(d))
        return false;
    count_moved(d);
    return true;
}

/* --- verdicts --- */

enum diff_verdict diff_verdict(const struct diff *d, const struct diff_item *x)
{
    const struct tolerance *t = &d->within;
    bool strict = t->rtol == 0 && t->atol == 0 && t->ulp == 0;
    if (x->renamed)
        return DIFF_RENAMED;
    if (x->b == DIFF_NONE)
        return DIFF_REMOVED;
    if (x->a == DIFF_NONE)
        return DIFF_ADDED;
    if (x->reshaped)
        return DIFF_SHAPE;
    if (d->a.p[x->a].has_values != d->b.p[x->b].has_values)
        return DIFF_VALUES;
    if (x->compared && x->m.over > 0)
        return DIFF_OVER;
    if (x->retyped && (strict || !x->compared))
        return DIFF_TYPE;
    return x->compared && x->m.different > 0 ? DIFF_WITHIN : DIFF_EQUAL;
}

bool diff_is_bad(enum diff_verdict v)
{
    return v != DIFF_EQUAL && v != DIFF_WITHIN;
}

const struct diff_item *diff_first_over(const struct diff *d)
{
    for (size_t i = 0; i < d->n; i++)
        if (diff_verdict(d, &d->items[i]) == DIFF_OVER)
            return &d->items[i];
    return NULL;
}
