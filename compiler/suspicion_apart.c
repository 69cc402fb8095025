/* SPDX-License-Identifier: MIT
 *
 * suspicion_apart.c - W0614: one layer far off its siblings.
 *
 * In: rows with tallies. Out: one suspicion per layer. Invariant: a matrix is
 * compared with matrices of its shape and role only, by the logarithm of its
 * standard deviation, and against their median and its spread; vectors and
 * kurtosis are not, since trained ones are 15 times off theirs.
 */
#include "suspicion.h"

#include <math.h>
#include <stdlib.h>

/* A median says little about fewer. */
#define LEAST_SIBLINGS 5
#define LEAST_ELEMENTS 256
/* Trained matrices are up to 3.6 such spreads and a factor of 1.45 off their
 * siblings' median (tests/bench/README.md). */
#define SPREADS_OFF 6.0
#define FACTOR_OFF 2.0
/* The spread of siblings that all but agree. */
#define LEAST_SPREAD 0.05
/* From a median of absolute deviations to a normal's standard deviation. */
#define MAD_TO_STD 1.4826

struct apart {
    struct finder *f;
    double *off;        /* per row: log std - median of its siblings, or 0 */
    double *typical;    /* per row: that median, as a deviation */
    bool *is_end;       /* per row: first or last of its siblings */
    double *sorted;     /* scratch */
    uint32_t *off_rows; /* scratch */
};

static bool is_compared(const struct finder *f, uint32_t row)
{
    const struct stats_row *r = &f->s->rows[row];
    uint64_t longest = 0;
    for (uint32_t i = 0; i < r->rank; i++)
        longest = r->dims[i] > longest ? r->dims[i] : longest;
    return finder_judges(f, row) && f->kin[row].numbered && r->rank >= 2 &&
           r->tally.count >= LEAST_ELEMENTS && r->tally.count > longest &&
           r->tally.m2 > 0;
}

/* Names of one pattern: where they first differ is a number. */
static int number_order(struct str a, struct str b)
{
    size_t i = 0, x, y;
    while (i < a.n && i < b.n && a.p[i] == b.p[i])
        i++;
    for (x = i; x < a.n && a.p[x] != '.';)
        x++;
    for (y = i; y < b.n && b.p[y] != '.';)
        y++;
    return x != y ? (x > y) - (x < y) : str_order(a, b);
}

/* Order by family, rank, dims and number. */
static int sibling_order(const void *x, const void *y, void *context)
{
    const struct finder *f = context;
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    const struct stats_row *r = &f->s->rows[a], *q = &f->s->rows[b];
    uint32_t i = f->kin[a].family, k = f->kin[b].family;
    if (i != k)
        return (i > k) - (i < k);
    if (r->rank != q->rank)
        return (r->rank > q->rank) - (r->rank < q->rank);
    for (i = 0; i < r->rank; i++)
        if (r->dims[i] != q->dims[i])
            return (r->dims[i] > q->dims[i]) - (r->dims[i] < q->dims[i]);
    return number_order(r->name, q->name);
}

static bool are_siblings(const struct finder *f, uint32_t a, uint32_t b)
{
    const struct stats_row *r = &f->s->rows[a], *q = &f->s->rows[b];
    return f->kin[a].family == f->kin[b].family && r->rank == q->rank &&
           memcmp(r->dims, q->dims, r->rank * sizeof *r->dims) == 0;
}

static int value_order(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, value_order);
    return (v[(n - 1) / 2] + v[n / 2]) / 2;
}

/* Siblings, in the order of their numbers. */
static void compare(struct apart *s, const uint32_t *rows, size_t n)
{
    double middle, spread;
    for (size_t i = 0; i < n; i++)
        s->sorted[i] = log(tally_std(&s->f->s->rows[rows[i]].tally));
    middle = median(s->sorted, n);
    for (size_t i = 0; i < n; i++) {
        double x = log(tally_std(&s->f->s->rows[rows[i]].tally)) - middle;
        s->off[rows[i]] = x;
        s->sorted[i] = fabs(x);
        s->typical[rows[i]] = exp(middle);
    }
    spread = fmax(LEAST_SPREAD, median(s->sorted, n) * MAD_TO_STD);
    for (size_t i = 0; i < n; i++)
        if (fabs(s->off[rows[i]]) < spread * SPREADS_OFF)
            s->off[rows[i]] = 0;
    s->is_end[rows[0]] = s->is_end[rows[n - 1]] = true;
}

/* "3.1 to 3.2 times": of the rows' deviations their siblings' median. */
static void text_times(struct text *t, const struct apart *s,
                       struct row_list rows)
{
    double low = HUGE_VAL, high = 0;
    for (size_t i = 0; i < rows.n; i++) {
        low = fmin(low, exp(s->off[rows.p[i]]));
        high = fmax(high, exp(s->off[rows.p[i]]));
    }
    if (rows.n == 1)
        text_format(t, "%.3g times", low);
    else
        text_format(t, "%.3g to %.3g times", low, high);
}

static void say(struct apart *s, struct row_list rows)
{
    struct text line = {0}, notes = {0};
    finder_names(s->f, &line, rows);
    text_c(&line, rows.n == 1 ? " is far off its" : " are far off their");
    text_c(&line, " siblings: std ");
    text_times(&line, s, rows);
    text_c(&line, " the median");
    for (size_t i = 0; i < rows.n; i++) {
        uint32_t row = rows.p[i];
        text_c(&notes, i > 0 ? "\n" : "");
        finder_names(s->f, &notes, (struct row_list){&row, 1});
        text_format(&notes, ": std %.3g, its siblings' median %.3g",
                    tally_std(&s->f->s->rows[row].tally), s->typical[row]);
    }
    finder_add(s->f, "W0614", rows, &line, &notes);
}

/* The rows of one layer: more must be off where one is alone, or where the
 * layer is the first or the last, which differ in trained models too. */
static void judge(struct apart *s, const uint32_t *rows, size_t n)
{
    struct row_list out = {s->off_rows, 0};
    double factor = FACTOR_OFF;
    for (int pass = 0; pass < 2; pass++) {
        out.n = 0;
        for (size_t i = 0; i < n; i++) {
            double need = s->is_end[rows[i]] ? 2 * factor : factor;
            if (fabs(s->off[rows[i]]) > log(need))
                out.p[out.n++] = rows[i];
        }
        if (out.n != 1)
            break;
        factor *= 2;
    }
    if (out.n > 0)
        say(s, out);
}

static void by_layers(struct apart *s)
{
    const uint32_t *rows = finder_order(s->f, true);
    const struct kin *kin = s->f->kin;
    size_t n = s->f->s->n;
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && kin[rows[i]].layer == kin[rows[j]].layer;)
            j++;
        judge(s, rows + i, j - i);
    }
}

void suspicion_apart(struct finder *f)
{
    size_t n = f->s->n;
    struct row_list rows = finder_list(f);
    struct apart s = {f,
                      arena_new(f->a, double, n),
                      arena_new(f->a, double, n),
                      arena_new(f->a, bool, n),
                      arena_new(f->a, double, n),
                      arena_new(f->a, uint32_t, n)};
    for (uint32_t row = 0; row < n; row++)
        if (is_compared(f, row))
            rows.p[rows.n++] = row;
    qsort_r(rows.p, rows.n, sizeof *rows.p, sibling_order, f);
    for (size_t i = 0, j; i < rows.n; i = j) {
        for (j = i + 1; j < rows.n && are_siblings(f, rows.p[i], rows.p[j]);)
            j++;
        if (j - i >= LEAST_SIBLINGS)
            compare(&s, rows.p + i, j - i);
    }
    by_layers(&s);
}
