/* SPDX-License-Identifier: MIT
 *
 * suspicion_equal.c - W0613: the same bytes in different layers.
 *
 * In: rows with digests. Out: one suspicion per set of equal rows that holds
 * two siblings, or two tensors of one layer. Invariant: what repeats on
 * purpose is no finding: aliases, constants, short filters, masks, windows and
 * tables of sines, and a tensor stored once more in another part of the model.
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

static int first_order(const void *x, const void *y)
{
    const struct row_list *a = x, *b = y;
    return (a->p[0] > b->p[0]) - (a->p[0] < b->p[0]);
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

static void say(struct finder *f, struct row_list rows)
{
    struct text line = {0}, notes = {0};
    finder_names(f, &line, rows);
    text_format(&line, ": %zu tensors have the same dtype, shape and bytes",
                rows.n);
    text_c(&notes, "training makes no two tensors equal; a loop that forgot "
                   "its index, or one file in place of another, does");
    finder_add(f, "W0613", rows, &line, &notes);
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
    qsort(sets, n, sizeof *sets, first_order);
    for (size_t i = 0; i < n; i++)
        say(f, sets[i]);
}
