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

/* Whether one finding tells of both, `alone` being rows without flat siblings:
 * they are told of by layer. */
static bool is_told_with(const struct finder *f, const bool *alone, uint32_t a,
                         uint32_t b)
{
    const struct kin *x = &f->kin[a], *y = &f->kin[b];
    if (f->s->rows[a].tally.min != f->s->rows[b].tally.min)
        return false;
    if (alone[a] || alone[b])
        return alone[a] && alone[b] && x->numbered && x->layer == y->layer;
    return x->family == y->family;
}

/* Adds to rows->p what is told of with `row`, itself first. */
static void gather(const struct finder *f, const bool *flat, const bool *alone,
                   uint32_t row, struct row_list *rows)
{
    rows->n = 0;
    for (uint32_t i = row; i < f->s->n; i++)
        if (i == row || (flat[i] && is_told_with(f, alone, row, i)))
            rows->p[rows->n++] = i;
}

/* Matrices whose family has no other that is flat. */
static void find_alone(const struct finder *f, const bool *flat, bool *alone)
{
    uint32_t *count = arena_new(f->a, uint32_t, f->families);
    for (size_t i = 0; i < f->s->n; i++)
        count[f->kin[i].family] += flat[i];
    for (size_t i = 0; i < f->s->n; i++)
        alone[i] =
            flat[i] && f->s->rows[i].rank >= 2 && count[f->kin[i].family] == 1;
}

void suspicion_flat(struct finder *f)
{
    struct flat s = {.f = f};
    struct row_list rows = finder_list(f);
    bool *done = arena_new(f->a, bool, f->s->n);
    bool *flat = arena_new(f->a, bool, f->s->n);
    bool *alone = arena_new(f->a, bool, f->s->n);
    nametab_reserve(f->a, &s.names, f->s->n);
    for (uint32_t row = 0; row < f->s->n; row++) {
        uint32_t number = row;
        nametab_add(f->a, &s.names, f->s->rows[row].name, &number);
    }
    for (uint32_t row = 0; row < f->s->n; row++)
        flat[row] = counts(&s, row);
    find_alone(f, flat, alone);
    for (uint32_t row = 0; row < f->s->n; row++) {
        if (!flat[row] || done[row])
            continue;
        gather(f, flat, alone, row, &rows);
        for (size_t k = 0; k < rows.n; k++)
            done[rows.p[k]] = true;
        if (rows.n >= SUSPICION_AGREE || f->s->rows[row].rank >= 2)
            say(f, rows);
    }
}
