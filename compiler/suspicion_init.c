/* SPDX-License-Identifier: MIT
 *
 * suspicion_init.c - W0610: weights as an initialiser leaves them.
 *
 * In: rows with tallies. Out: one suspicion per law and family. Invariant: no
 * tensor is suspected for itself alone. It must follow a law of
 * suspicion_law.c in all its figures, and others must agree: siblings that
 * follow the same law, or matrices of its layer that follow one each, and the
 * figures of these together must be those of the law once more.
 */
#include "suspicion.h"

#include <math.h>
#include <stdlib.h>

#include "nametab.h"
#include "suspicion_law.h"

#define NO_LAW 255
/* Siblings of fewer elements than LAW_LARGE each must all follow, so many at
 * least, and have as many together. */
#define SMALL_SIBLINGS 5

enum reason { BY_SIBLINGS, BY_LAYER, BY_FILE, REASONS };

struct fresh {
    struct finder *f;
    bool (*follows)[LAWS]; /* per row */
    uint8_t *law;          /* per row, NO_LAW: not suspected */
    uint8_t *reason;
    uint32_t *by_family, *by_layer; /* rows in the order of these */
    struct row_list some;           /* scratch */
    struct misfit *misfits;         /* as long as `some` */
};

static struct law law_at(const struct fresh *s, uint32_t row, unsigned i)
{
    const struct finder *f = s->f;
    return law_of(&f->s->rows[row], i, f->in_family[f->kin[row].family]);
}

static void follow(struct fresh *s, uint32_t row)
{
    for (unsigned i = 0; i < LAWS; i++) {
        struct law law = law_at(s, row, i);
        struct misfit m = law_misfit(&law, &s->f->s->rows[row]);
        s->follows[row][i] = law_fits(&m, LAW_ERRORS);
    }
}

/* The root of the mean variance: what siblings under the classic rule share. */
static double shared_std(const struct fresh *s)
{
    double sum = 0, n = 0;
    for (size_t i = 0; i < s->some.n; i++) {
        const struct tally *t = &s->f->s->rows[s->some.p[i]].tally;
        sum += tally_std(t) * tally_std(t) * (double)t->finite;
        n += (double)(t->finite - t->zeros);
    }
    return sqrt(sum / n);
}

/* Whether the rows in `some`, which follow laws[k] each, agree. */
static bool agree(struct fresh *s, const uint8_t *laws)
{
    double std = shared_std(s);
    struct misfit all;
    if (s->some.n < SUSPICION_AGREE)
        return false;
    for (size_t k = 0; k < s->some.n; k++) {
        uint32_t row = s->some.p[k];
        struct law law = law_at(s, row, laws[row]);
        if (laws[row] / SPREADS == SCALE_CLASSIC)
            law = law_scaled(law, std);
        s->misfits[k] = law_misfit(&law, &s->f->s->rows[row]);
        if (!law_fits(&s->misfits[k], LAW_ERRORS))
            return false;
    }
    all = law_pooled(s->misfits, s->some.n);
    return law_fits(&all, LAW_ERRORS);
}

static void mark(struct fresh *s, const uint8_t *laws, enum reason reason)
{
    for (size_t k = 0; k < s->some.n; k++) {
        uint32_t row = s->some.p[k];
        if (s->law[row] != NO_LAW)
            continue;
        s->law[row] = laws[row];
        s->reason[row] = (uint8_t)reason;
    }
}

/* Whether a trained matrix of that size can pass for one of law i. */
static bool is_small(const struct fresh *s, uint32_t row, unsigned i)
{
    return i % SPREADS != SPREAD_UNIFORM &&
           s->f->s->rows[row].tally.count < LAW_LARGE;
}

/* Whether the rows in `some`, of a family of n, say enough. */
static bool is_enough(const struct fresh *s, size_t n, unsigned i)
{
    uint64_t elements = 0;
    bool small = false;
    for (size_t k = 0; k < s->some.n; k++) {
        uint32_t row = s->some.p[k];
        small = small || is_small(s, row, i);
        elements += s->f->s->rows[row].tally.count;
    }
    return !small ||
           (s->some.n == n && n >= SMALL_SIBLINGS && elements >= LAW_LARGE);
}

/* Siblings of those that were marked, by chance a little further off. */
static void admit(struct fresh *s, const uint32_t *rows, size_t n, unsigned i)
{
    for (size_t k = 0; k < n; k++) {
        struct law law = law_at(s, rows[k], i);
        struct misfit m;
        if (s->law[rows[k]] != NO_LAW || !finder_judges(s->f, rows[k]) ||
            i / SPREADS == SCALE_CLASSIC)
            continue;
        m = law_misfit(&law, &s->f->s->rows[rows[k]]);
        if (!law_fits(&m, LAW_ADMITTED))
            continue;
        s->law[rows[k]] = (uint8_t)i;
        s->reason[rows[k]] = BY_SIBLINGS;
    }
}

/* Siblings that follow law i, among n rows of one family. */
static void siblings(struct fresh *s, const uint32_t *rows, size_t n,
                     unsigned i, uint8_t *laws)
{
    s->some.n = 0;
    for (size_t k = 0; k < n; k++) {
        if (!s->follows[rows[k]][i] || s->law[rows[k]] != NO_LAW)
            continue;
        laws[rows[k]] = (uint8_t)i;
        s->some.p[s->some.n++] = rows[k];
    }
    if (!is_enough(s, n, i) || !agree(s, laws))
        return;
    mark(s, laws, BY_SIBLINGS);
    if (!is_small(s, rows[0], i))
        admit(s, rows, n, i);
}

/* Matrices of one layer that follow a law with a scale of its own, or all of
 * them the classic rule. */
static void layer(struct fresh *s, const uint32_t *rows, size_t n,
                  bool is_classic, uint8_t *laws)
{
    unsigned first = is_classic ? SCALE_CLASSIC * SPREADS : 0;
    unsigned end = is_classic ? LAWS : SCALE_CLASSIC * SPREADS;
    s->some.n = 0;
    for (size_t k = 0; k < n; k++) {
        unsigned i = first;
        while (i < end && (!s->follows[rows[k]][i] || is_small(s, rows[k], i)))
            i++;
        if (i == end)
            continue;
        laws[rows[k]] =
            s->law[rows[k]] != NO_LAW ? s->law[rows[k]] : (uint8_t)i;
        s->some.p[s->some.n++] = rows[k];
    }
    if (agree(s, laws))
        mark(s, laws, BY_LAYER);
}

static void by_families(struct fresh *s, uint8_t *laws)
{
    const struct kin *kin = s->f->kin;
    const uint32_t *rows = s->by_family;
    size_t n = s->f->s->n;
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && kin[rows[i]].family == kin[rows[j]].family;)
            j++;
        for (unsigned law = 0; j - i >= SUSPICION_AGREE && law < LAWS; law++)
            siblings(s, rows + i, j - i, law, laws);
    }
}

static void by_layers(struct fresh *s, uint8_t *laws)
{
    const struct kin *kin = s->f->kin;
    const uint32_t *rows = s->by_layer;
    size_t n = s->f->s->n;
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && kin[rows[i]].layer == kin[rows[j]].layer;)
            j++;
        layer(s, rows + i, j - i, false, laws);
        layer(s, rows + i, j - i, true, laws);
    }
}

/* Large tensors alone in their family, of a law that others follow. */
static void by_file(struct fresh *s)
{
    uint32_t marked[LAWS] = {0};
    for (size_t row = 0; row < s->f->s->n; row++)
        if (s->law[row] != NO_LAW)
            marked[s->law[row]]++;
    for (size_t row = 0; row < s->f->s->n; row++) {
        if (s->law[row] != NO_LAW || s->f->s->rows[row].tally.count < LAW_LARGE)
            continue;
        for (unsigned i = 0; i < SCALE_CLASSIC * SPREADS; i++) {
            if (!s->follows[row][i] || marked[i] < SUSPICION_AGREE)
                continue;
            s->law[row] = (uint8_t)i;
            s->reason[row] = BY_FILE;
            break;
        }
    }
}

/* The fan-in of a suspected weight beside a bias, 0 if there is none. */
static double weight_beside(const struct fresh *s, const struct nametab *names,
                            uint32_t bias, uint32_t *weight)
{
    static const char *const ends[] = {"weight", "weight_v",
                                       "parametrizations.weight.original1"};
    struct str name = s->f->s->rows[bias].name;
    if (!str_ends(name, ".bias"))
        return 0;
    name.n -= 4;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct str other =
            arena_format(s->f->a, "%.*s%s", STR_ARG(name), ends[i]);
        const struct stats_row *r;
        double fan = 1;
        if (!nametab_find(names, other, weight) || s->law[*weight] == NO_LAW)
            continue;
        r = &s->f->s->rows[*weight];
        for (uint32_t d = 1; d < r->rank; d++)
            fan *= (double)r->dims[d];
        return fan;
    }
    return 0;
}

/* Biases within 1/sqrt(fan_in) beside suspected weights. */
static void by_weights(struct fresh *s)
{
    const struct stats *all = s->f->s;
    struct nametab names = {0};
    bool any = false;
    for (uint32_t row = 0; row < all->n; row++)
        any = any || s->law[row] != NO_LAW;
    if (!any)
        return;
    nametab_reserve(s->f->a, &names, all->n);
    for (uint32_t row = 0; row < all->n; row++) {
        uint32_t number = row;
        nametab_add(s->f->a, &names, all->rows[row].name, &number);
    }
    for (uint32_t row = 0; row < all->n; row++) {
        uint32_t weight;
        struct law law;
        struct misfit m;
        double fan;
        if (!finder_judges(s->f, row) || all->rows[row].tally.count < 64)
            continue;
        fan = weight_beside(s, &names, row, &weight);
        if (fan == 0)
            continue;
        law = law_bias(fan);
        m = law_misfit(&law, &all->rows[row]);
        if (!law_fits(&m, LAW_ERRORS))
            continue;
        s->law[row] = SCALE_TORCH_IN * SPREADS + SPREAD_UNIFORM;
        s->reason[row] = s->reason[weight];
    }
}

static void text_range(struct text *t, double low, double high)
{
    text_format(t, low == high ? " %.4g" : " %.4g to %.4g", low, high);
}

/* The figures of rows: the least and largest of each. */
static void text_figures(struct text *t, const struct fresh *s,
                         const struct row_list *rows)
{
    double std[2] = {HUGE_VAL, 0}, kurtosis[2] = {HUGE_VAL, 0};
    for (size_t i = 0; i < rows->n; i++) {
        const struct tally *x = &s->f->s->rows[rows->p[i]].tally;
        std[0] = fmin(std[0], tally_std(x));
        std[1] = fmax(std[1], tally_std(x));
        kurtosis[0] = fmin(kurtosis[0], tally_kurtosis(x));
        kurtosis[1] = fmax(kurtosis[1], tally_kurtosis(x));
    }
    text_c(t, ": std");
    text_range(t, std[0], std[1]);
    text_c(t, ", kurtosis");
    text_range(t, kurtosis[0], kurtosis[1]);
}

/* The laws that rows follow, each once. */
static void text_laws(struct text *t, const struct fresh *s,
                      const struct row_list *rows)
{
    bool said[LAWS] = {false};
    for (size_t i = 0; i < rows->n; i++) {
        unsigned law = s->law[rows->p[i]];
        if (!said[law])
            text_format(t, "%s%s", i > 0 ? "; " : "", law_text(s->f->a, law).p);
        said[law] = true;
    }
}

static void say(struct fresh *s, struct row_list rows)
{
    static const char *const why[REASONS] = {
        "siblings agree", "matrices of one layer agree",
        "other tensors of the file follow it"};
    struct text line = {0}, notes = {0};
    finder_names(s->f, &line, rows);
    text_c(&line, rows.n == 1 ? " looks" : " look");
    text_c(&line, " freshly initialised");
    text_figures(&line, s, &rows);
    text_c(&notes, "as drawn by: ");
    text_laws(&notes, s, &rows);
    text_format(&notes,
                "\nmean, std, skewness, kurtosis, largest value and octaves "
                "are what that gives for so many elements, and %s",
                why[s->reason[rows.p[0]]]);
    finder_add(s->f, "W0610", rows, &line, &notes);
}

/* Whether one finding tells of both: a family under one law, or a layer. */
static bool is_told_with(const struct fresh *s, uint32_t a, uint32_t b)
{
    const struct kin *x = &s->f->kin[a], *y = &s->f->kin[b];
    if (s->law[b] == NO_LAW || s->reason[a] != s->reason[b])
        return false;
    if (s->reason[a] == BY_LAYER)
        return x->layer == y->layer;
    return s->law[a] == s->law[b] && x->family == y->family;
}

static void report(struct fresh *s)
{
    size_t n = s->f->s->n;
    bool *said = arena_new(s->f->a, bool, n);
    for (uint32_t row = 0; row < n; row++) {
        s->some.n = 0;
        if (s->law[row] == NO_LAW || said[row])
            continue;
        for (uint32_t i = row; i < n; i++) {
            if (!is_told_with(s, row, i))
                continue;
            said[i] = true;
            s->some.p[s->some.n++] = i;
        }
        say(s, s->some);
    }
}

void suspicion_fresh(struct finder *f)
{
    size_t n = f->s->n;
    struct fresh s = {.f = f, .some = finder_list(f)};
    uint8_t *laws = arena_new(f->a, uint8_t, n);
    s.follows = arena_take(f->a, sizeof *s.follows, n);
    s.law = arena_new(f->a, uint8_t, n);
    s.reason = arena_new(f->a, uint8_t, n);
    s.misfits = arena_new(f->a, struct misfit, n);
    s.by_family = finder_order(f, false);
    s.by_layer = finder_order(f, true);
    memset(s.law, NO_LAW, n);
    for (uint32_t row = 0; row < n; row++)
        if (finder_judges(f, row))
            follow(&s, row);
    by_families(&s, laws);
    by_layers(&s, laws);
    by_file(&s);
    by_weights(&s);
    report(&s);
}
