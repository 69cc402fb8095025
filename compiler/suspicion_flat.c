/* SPDX-License-Identifier: MIT
 *
 * suspicion_flat.c - W0611: one value everywhere.
 *
 * In: rows with tallies. Out: one suspicion per family and value. Invariant:
 * a matrix that is constant is suspected by itself; a vector only where three
 * siblings have the same value, and never a bias: zeros are what many trained
 * models have there. A norm whose bias is not zero was trained, whatever its
 * weight is.
 */
#include "suspicion.h"

#include <inttypes.h>

#include "nametab.h"

/* Smaller ones are scalars, switches and short filters, equal on purpose. */
#define LEAST_MATRIX 16
#define LEAST_VECTOR 8

struct flat {
    struct finder *f;
    struct nametab names;
};

static bool is_flat(const struct finder *f, uint32_t row)
{
    const struct stats_row *r = &f->s->rows[row];
    uint64_t least = r->rank >= 2 ? LEAST_MATRIX : LEAST_VECTOR;
    return finder_judges(f, row) && r->rank >= 1 && r->tally.count >= least &&
           r->tally.min == r->tally.max;
}

/* `N.bias` beside `N.weight`, and not zero. */
static bool has_trained_bias(const struct flat *s, uint32_t row)
{
    struct str name = s->f->s->rows[row].name;
    const struct tally *t;
    uint32_t bias;
    if (!str_ends(name, ".weight"))
        return false;
    name.n -= strlen("weight");
    name = arena_format(s->f->a, "%.*sbias", STR_ARG(name));
    if (!nametab_find(&s->names, name, &bias) || !finder_judges(s->f, bias))
        return false;
    t = &s->f->s->rows[bias].tally;
    return t->zeros < t->count;
}

static bool counts(const struct flat *s, uint32_t row)
{
    const struct stats_row *r = &s->f->s->rows[row];
    if (!is_flat(s->f, row))
        return false;
    if (r->rank >= 2)
        return true;
    return !str_is(r->name, "bias") && !str_ends(r->name, ".bias") &&
           !has_trained_bias(s, row);
}

static void say(struct finder *f, struct row_list rows)
{
    const struct stats_row *first = &f->s->rows[rows.p[0]];
    uint64_t elements = 0;
    struct text line = {0}, notes = {0};
    for (size_t i = 0; i < rows.n; i++)
        elements += f->s->rows[rows.p[i]].tally.count;
    finder_names(f, &line, rows);
    text_c(&line, rows.n == 1 ? " is " : " are ");
    if (first->tally.min == 0)
        text_format(&line, "all zero: %" PRIu64 " elements", elements);
    else
        text_format(&line, "constant: %" PRIu64 " elements, each %.6g",
                    elements, first->tally.min);
    text_c(&notes, first->rank >= 2
                       ? "a matrix with one value everywhere was left out by "
                         "training, or not loaded"
                       : "one value in three siblings and more is what an "
                         "initialiser leaves");
    finder_add(f, "W0611", rows, &line, &notes);
}

void suspicion_flat(struct finder *f)
{
    struct flat s = {.f = f};
    struct row_list rows = finder_list(f);
    bool *done = arena_new(f->a, bool, f->s->n), *flat;
    flat = arena_new(f->a, bool, f->s->n);
    nametab_reserve(f->a, &s.names, f->s->n);
    for (uint32_t row = 0; row < f->s->n; row++) {
        uint32_t number = row;
        nametab_add(f->a, &s.names, f->s->rows[row].name, &number);
    }
    for (uint32_t row = 0; row < f->s->n; row++)
        flat[row] = counts(&s, row);
    for (uint32_t row = 0; row < f->s->n; row++) {
        const struct stats_row *r = &f->s->rows[row];
        rows.n = 0;
        for (uint32_t i = row; flat[row] && !done[row] && i < f->s->n; i++)
            if (flat[i] && f->kin[i].family == f->kin[row].family &&
                f->s->rows[i].tally.min == r->tally.min)
                rows.p[rows.n++] = i;
        for (size_t k = 1; k < rows.n; k++)
            done[rows.p[k]] = true;
        if (rows.n >= (r->rank >= 2 ? 1 : SUSPICION_AGREE))
            say(f, rows);
    }
}
