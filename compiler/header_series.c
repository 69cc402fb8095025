/* SPDX-License-Identifier: MIT
 *
 * header_series.c - a sum of multiples of the indices where that fits, else a
 * choice between runs, of equal steps, of the flattened index.
 */
#include "header_series.h"

#include <inttypes.h>

#include "header_literal.h"

bool series_is_constant(const struct series *s)
{
    for (size_t k = 1; k < s->count; k++)
        if (s->values[k] != s->values[0])
            return false;
    return true;
}

/* Element k by the steps. Wraps, and is right all the same: the values lie in
 * [0, 2^63), so that the first one out of it already differs. */
static uint64_t predicted(const struct series *s, const int64_t *steps,
                          size_t k)
{
    uint64_t v = (uint64_t)s->values[0];
    for (uint32_t d = s->index_count; d-- > 0; k /= s->extents[d])
        v += (uint64_t)steps[d] * (k % s->extents[d]);
    return v;
}

const int64_t *series_steps(struct arena *a, const struct series *s)
{
    int64_t *steps = arena_new(a, int64_t, s->index_count + 1);
    size_t unit = 1;
    for (uint32_t d = s->index_count; d-- > 0; unit *= s->extents[d])
        if (s->extents[d] > 1)
            steps[d] = s->values[unit] - s->values[0];
    for (size_t k = 0; k < s->count; k++)
        if (predicted(s, steps, k) != (uint64_t)s->values[k])
            return NULL;
    return steps;
}

/* " + (i) * INT64_C(8)"; subtracted if negative, as a constant that is
 * negative would warn beside an unsigned index. */
static void put_step(struct text *t, struct str index, int64_t step)
{
    if (step == 0)
        return;
    text_format(t, " %c (%.*s) * ", step < 0 ? '-' : '+', STR_ARG(index));
    literal_put_integer(t, step < 0 ? -step : step);
}

static void put_sum(struct text *t, struct arena *a, const struct series *s,
                    const int64_t *steps)
{
    text_c(t, "(");
    literal_put_integer(t, s->values[0]);
    for (uint32_t d = 0; d < s->index_count; d++)
        put_step(t, family_index(a, d), steps[d]);
    text_c(t, ")");
}

/* "i", or of several indices their place in the family: "((i) * INT64_C(3) +
 * (j))". */
static struct str flat_index(struct arena *a, const struct series *s)
{
    struct str flat = family_index(a, 0);
    for (uint32_t d = 1; d < s->index_count; d++)
        flat = arena_format(a, "((%.*s) * INT64_C(%" PRIu64 ") + (%.*s))",
                            STR_ARG(flat), s->extents[d],
                            STR_ARG(family_index(a, d)));
    return flat;
}

/* Where the run that begins at `from` ends: equal numbers, or three and more
 * that go up in equal steps. */
static size_t run_end(const struct series *s, size_t from)
{
    size_t k = from + 1;
    int64_t step;
    if (k == s->count)
        return k;
    step = s->values[k] - s->values[from];
    while (k < s->count && s->values[k] - s->values[k - 1] == step)
        k++;
    return step == 0 || (step > 0 && k - from > 2) ? k : from + 1;
}

static void put_run(struct text *t, const struct series *s, struct str index,
                    size_t from)
{
    int64_t step =
        run_end(s, from) > from + 1 ? s->values[from + 1] - s->values[from] : 0;
    literal_put_integer(t, s->values[from]);
    if (step != 0)
        text_format(t, " + ((%.*s) - %zu) * INT64_C(%" PRId64 ")",
                    STR_ARG(index), from, step);
}

static void put_choice(struct text *t, struct arena *a, const struct series *s)
{
    struct str index = flat_index(a, s);
    size_t from = 0, end;
    text_c(t, "( \\\n    ");
    for (; (end = run_end(s, from)) < s->count; from = end) {
        text_format(t, "(%.*s) < %zu ? ", STR_ARG(index), end);
        put_run(t, s, index, from);
        text_c(t, " : \\\n    ");
    }
    put_run(t, s, index, from);
    text_c(t, ")");
}

void series_put(struct text *t, struct arena *a, const struct series *s)
{
    const int64_t *steps;
    if (series_is_constant(s))
        literal_put_integer(t, s->values[0]);
    else if ((steps = series_steps(a, s)) != NULL)
        put_sum(t, a, s, steps);
    else
        put_choice(t, a, s);
}
