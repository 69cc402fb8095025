/* SPDX-License-Identifier: MIT
 *
 * suspicion_equal.c - W0613: the same bytes in different layers.
 *
 * In: rows with digests. Out: one suspicion per set of equal rows that holds
 * two siblings, or two tensors of one layer; all sets of siblings in the same
 * layers are one. Invariant: what repeats on purpose is no finding: aliases,
 * constants, short filters, masks, windows and tables of sines, and a tensor
 * stored once more in another part of the model.
 */
#include "suspicion.h"

#include <stdlib.h>

/* Filters, windows' ends and switches are shorter. */
#define LEAST 64
/* Octaves that a varied tensor has values in, at least. */
#define OCTAVES 4

/* A table of sines, a window or a mask reaches 1 exactly and nothing beyond;
 * a filter bank is mostly zeros. */
static bool is_made(const struct tally *t)
{
    double most = tally_absmax(t);
    return (most <= 1 && most > 0.99999) || t->zeros > t->count / 2;
}

static bool is_varied(const struct tally *t)
{
    int used = 0;
    for (int i = 0; i < TALLY_BINS; i++)
        used += t->bins[i] > 0;
    return t->min < t->max && used >= OCTAVES;
}

static int digest_order(const void *x, const void *y, void *rows)
{
    const uint32_t *a = x, *b = y;
    const struct stats_row *r = rows;
    int c = memcmp(r[*a].digest, r[*b].digest, sizeof r->digest);
    return c != 0 ? c : (*a > *b) - (*a < *b);
}

/* Whether two of the rows are siblings, or of one layer that has a number. */
static bool is_repeated(const struct finder *f, struct row_list rows)
{
    for (size_t i = 0; i < rows.n; i++)
        for (size_t k = 0; k < i; k++) {
            const struct kin *a = &f->kin[rows.p[i]], *b = &f->kin[rows.p[k]];
            if (a->family == b->family || (a->numbered && a->layer == b->layer))
                return true;
        }
    return false;
}

static bool are_siblings(const struct finder *f, struct row_list rows)
{
    for (size_t i = 1; i < rows.n; i++)
        if (f->kin[rows.p[i]].family != f->kin[rows.p[0]].family)
            return false;
    return true;
}

/* 0 for sets that are each of siblings, and in the same layers: then it is the
 * layers that are equal. */
static int layers_order(const struct finder *f, const struct row_list *a,
                        const struct row_list *b)
{
    bool x = are_siblings(f, *a), y = are_siblings(f, *b);
    if (!x || !y)
        return x != y ? y - x : (a->p[0] > b->p[0]) - (a->p[0] < b->p[0]);
    if (a->n != b->n)
        return a->n > b->n ? 1 : -1;
    for (size_t i = 0; i < a->n; i++) {
        uint32_t m = f->kin[a->p[i]].layer, n = f->kin[b->p[i]].layer;
        if (m != n)
            return m > n ? 1 : -1;
    }
    return 0;
}

static int set_order(const void *x, const void *y, void *finder)
{
    const struct row_list *a = x, *b = y;
    int c = layers_order(finder, a, b);
    return c != 0 ? c : (a->p[0] > b->p[0]) - (a->p[0] < b->p[0]);
}

/* Sets that are one finding. */
struct group {
    const struct row_list *sets;
    size_t n;
};

static int group_order(const void *x, const void *y)
{
    const struct group *a = x, *b = y;
    uint32_t m = a->sets->p[0], n = b->sets->p[0];
    return (m > n) - (m < n);
}

static int row_order(const void *x, const void *y)
{
    const uint32_t *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

static void say(struct finder *f, struct group g)
{
    struct text line = {0}, notes = {0};
    struct row_list rows = {arena_new(f->a, uint32_t, g.n * g.sets->n), 0};
    finder_names(f, &line, *g.sets);
    if (g.n == 1)
        text_format(&line, ": %zu tensors have the same dtype, shape and bytes",
                    g.sets->n);
    else
        text_format(&line,
                    " and %zu more: in %zu layers they have the same dtype, "
                    "shape and bytes",
                    g.n - 1, g.sets->n);
    for (size_t i = 0; i < g.n; i++) {
        struct row_list set = g.sets[i];
        memcpy(rows.p + rows.n, set.p, set.n * sizeof *rows.p);
        rows.n += set.n;
        if (i > 0) {
            finder_names(f, &notes, set);
            text_c(&notes, "\n");
        }
    }
    qsort(rows.p, rows.n, sizeof *rows.p, row_order);
    text_c(&notes, "training makes no two tensors equal; a loop that forgot "
                   "its index, or one file in place of another, does");
    finder_add(f, "W0613", rows, &line, &notes);
}

static void say_groups(struct finder *f, struct row_list *sets, size_t n)
{
    struct group *groups = arena_new(f->a, struct group, n);
    size_t count = 0;
    qsort_r(sets, n, sizeof *sets, set_order, f);
    for (size_t i = 0, k; i < n; i = k) {
        for (k = i + 1; k < n && layers_order(f, &sets[i], &sets[k]) == 0;)
            k++;
        groups[count++] = (struct group){sets + i, k - i};
    }
    qsort(groups, count, sizeof *groups, group_order);
    for (size_t i = 0; i < count; i++)
        say(f, groups[i]);
}

void suspicion_equal(struct finder *f)
{
    struct row_list rows = finder_list(f), *sets;
    size_t n = 0;
    for (uint32_t row = 0; row < f->s->n; row++) {
        const struct tally *t = &f->s->rows[row].tally;
        if (finder_judges(f, row) && t->count >= LEAST && is_varied(t) &&
            !is_made(t))
            rows.p[rows.n++] = row;
    }
    sets = arena_new(f->a, struct row_list, rows.n);
    qsort_r(rows.p, rows.n, sizeof *rows.p, digest_order, f->s->rows);
    for (size_t i = 0, j; i < rows.n; i = j) {
        for (j = i + 1;
             j < rows.n && memcmp(f->s->rows[rows.p[i]].digest,
                                  f->s->rows[rows.p[j]].digest, 16) == 0;)
            j++;
        sets[n] = (struct row_list){rows.p + i, j - i};
        n += is_repeated(f, sets[n]);
    }
    say_groups(f, sets, n);
}
