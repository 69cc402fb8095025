/* SPDX-License-Identifier: MIT
 *
 * diff_text.c - a comparison for people: what went wrong first, then a table
 * of all that differs, then what is equal, folded, then what was proven.
 */
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "diff.h"
#include "indexset.h"
#include "meta.h"

#define LEAST_NAME 12
#define MOST_NAME 60
#define MOST_EQUAL 12 /* folded names; more are only counted */

/* --- small parts --- */

static void put_index(struct text *t, const struct diff *d,
                      const struct diff_item *x, uint64_t e)
{
    uint64_t index[65];
    if (x->m.opaque)
        text_format(t, "byte %" PRIu64, e);
    else
        text_sizes(t, index, diff_index(d, x, e, index));
}

static void put_type(struct text *t, const struct tensor *x)
{
    text_c(t, spec_dtype_name(x->dtype));
    text_sizes(t, x->dims, x->rank);
}

/* Pads the column that began at `from`; names are ASCII, mostly. */
static void pad(struct text *t, size_t from, size_t width)
{
    size_t n = t->n - from;
    text_format(t, "%*s", (int)(n < width ? width - n : 0) + 2, "");
}

/* Folded over their indices. */
static void put_names(struct text *t, struct diff *d, const struct str *names,
                      size_t n)
{
    struct name_set *sets;
    size_t count = indexset_fold_names(&d->r->arena, names, n, &sets);
    for (size_t i = 0; i < count; i++) {
        text_c(t, i > 0 ? ", " : "");
        diff_put_name(t, sets[i].text);
    }
}

static void put_facts(struct text *t, const struct diff_fact *f,
                      const char *before)
{
    for (; f != NULL; f = f->next) {
        text_c(t, before);
        diff_put_name(t, f->text);
        text_c(t, "\n");
    }
}

static void put_counts(struct text *t, const struct metric *m)
{
    static const struct {
        size_t at;
        const char *what;
    } counts[] = {
        {offsetof(struct metric, nan_a), "NaN in A only"},
        {offsetof(struct metric, nan_b), "NaN in B only"},
        {offsetof(struct metric, nan_both), "NaN in both"},
        {offsetof(struct metric, inf_a), "infinite in A only"},
        {offsetof(struct metric, inf_b), "infinite in B only"},
        {offsetof(struct metric, inf_both), "the same infinity"},
        {offsetof(struct metric, inf_signs), "infinities of both signs"},
        {offsetof(struct metric, nan_bits), "NaN of other bits"},
        {offsetof(struct metric, zero_signs), "-0 against +0"},
    };
    const char *separator = "";
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        uint64_t n;
        memcpy(&n, (const char *)m + counts[i].at, sizeof n);
        if (n == 0)
            continue;
        text_format(t, "%s%s %" PRIu64, separator, counts[i].what, n);
        separator = ", ";
    }
}

static bool has_counts(const struct metric *m)
{
    return m->nan_a + m->nan_b + m->nan_both + m->inf_a + m->inf_b +
               m->inf_both + m->inf_signs + m->nan_bits + m->zero_signs >
           0;
}

/* --- the first that is over --- */

static void put_element(struct text *t, const struct diff *d,
                        const struct diff_item *x, const char *what, uint64_t e)
{
    const struct metric *m = &x->m;
    const double *v = e == m->first_over ? m->over_values : m->worst_values;
    text_format(t, "  %-6s  ", what);
    put_index(t, d, x, e);
    if (!m->opaque)
        text_format(t, "  A %.9g  B %.9g  |A-B| %.4g", v[0], v[1],
                    e == m->at_abs ? m->max_abs : fabs(v[0] - v[1]));
    text_c(t, "\n");
}

static void put_first(struct text *t, const struct diff *d)
{
    const struct diff_item *x = diff_first_over(d);
    const struct metric *m;
    if (x == NULL)
        return;
    m = &x->m;
    text_c(t, "first over tolerance: ");
    diff_put_name(t, x->name);
    text_format(t, "  (%" PRIu64 " of %" PRIu64 " %s)\n", m->over, m->count,
                m->opaque ? "bytes" : "elements");
    put_element(t, d, x, "first", m->first_over);
    if (!m->opaque && m->max_abs > 0)
        put_element(t, d, x, "worst", m->at_abs);
    if (m->finite > 0) {
        text_format(t, "  %-6s  ", "ulp");
        diff_put_bins(t, m);
        text_format(t, "  (of %s)\n",
                    m->unit == 0 ? "integers" : spec_dtype_name(m->unit));
    }
    if (has_counts(m)) {
        text_c(t, "  census  ");
        put_counts(t, m);
        text_c(t, "\n");
    }
    put_facts(t, x->facts, "  proven  ");
    text_c(t, "\n");
}

/* --- the table --- */

static bool is_row(const struct diff *d, const struct diff_item *x)
{
    enum diff_verdict v = diff_verdict(d, x);
    return x->compared && !x->renamed &&
           (v == DIFF_OVER || v == DIFF_WITHIN ||
            (v == DIFF_TYPE && x->m.different > 0));
}

static size_t name_width(const struct diff *d)
{
    size_t width = LEAST_NAME;
    for (size_t i = 0; i < d->n; i++)
        if (is_row(d, &d->items[i]) && d->items[i].name.n > width)
            width = d->items[i].name.n;
    return width < MOST_NAME ? width : MOST_NAME;
}

static void put_ulp(struct text *t, const struct metric *m)
{
    if (m->max_ulp < 1000000000)
        text_format(t, "%10" PRIu64, m->max_ulp);
    else
        text_format(t, "%10.3g", (double)m->max_ulp);
}

/* `width` columns and two blanks; `-` where there is no such figure. */
static void put_number(struct text *t, double x, int width, bool fixed)
{
    if (isnan(x))
        text_format(t, "%*s  ", width, "-");
    else if (fixed)
        text_format(t, "%*.7f  ", width, x);
    else
        text_format(t, "%*.3g  ", width, x);
}

static void put_row(struct text *t, const struct diff_item *x, size_t width)
{
    const struct metric *m = &x->m;
    size_t from = t->n;
    diff_put_name(t, x->name);
    pad(t, from, width);
    if (m->opaque)
        text_format(t, "%-62s", "no numbers of this dtype: bytes");
    else {
        put_number(t, m->finite > 0 ? m->max_abs : NAN, 9, false);
        put_number(t, m->finite > 0 ? m->max_rel : NAN, 9, false);
        put_number(t, metric_rmse(m), 9, false);
        put_number(t, metric_cosine(m), 10, true);
        put_ulp(t, m);
    }
    text_format(t, "  %s %" PRIu64 "/%" PRIu64, m->over > 0 ? "OVER" : "within",
                m->over > 0 ? m->over : m->different, m->count);
    if (has_counts(m)) {
        text_c(t, "  ");
        put_counts(t, m);
    }
    text_c(t, "\n");
}

static void put_table(struct text *t, const struct diff *d)
{
    size_t width = name_width(d), rows = 0;
    for (size_t i = 0; i < d->n; i++) {
        const struct diff_item *x = &d->items[i];
        if (!is_row(d, x))
            continue;
        if (rows++ == 0)
            text_format(t, "%-*s  %9s  %9s  %9s  %10s  %10s  %s\n", (int)width,
                        "tensor", "max abs", "max rel", "rmse", "cosine",
                        "max ulp", "elements");
        put_row(t, x, width);
    }
    text_c(t, rows > 0 ? "\n" : "");
}

/* --- structure --- */

/* What stands behind the names. */
static struct str structure_of(struct diff *d, const struct diff_item *x)
{
    enum diff_verdict v = diff_verdict(d, x);
    struct text t = {0};
    struct str s;
    put_type(&t, x->a != DIFF_NONE ? &d->a.p[x->a] : &d->b.p[x->b]);
    if (x->a != DIFF_NONE && x->b != DIFF_NONE && v != DIFF_VALUES) {
        text_c(&t, " -> ");
        if (v == DIFF_RENAMED)
            diff_put_name(&t, x->name_b);
        else
            put_type(&t, &d->b.p[x->b]);
    }
    if (v == DIFF_VALUES)
        text_format(&t, "  only %s has values",
                    d->a.p[x->a].has_values ? "A" : "B");
    if (v == DIFF_TYPE && x->compared && x->m.different == 0)
        text_c(&t, "  the values are the same");
    s = arena_str(&d->r->arena, text_view(&t));
    text_release(&t);
    return s;
}

static const char *structure_word(enum diff_verdict v)
{
    return v == DIFF_REMOVED ? "only in A"
           : v == DIFF_ADDED ? "only in B"
                             : diff_verdict_name(v);
}

/* One line for all items from `i` on with the same verdict and text. */
static void put_structure_line(struct text *t, struct diff *d, size_t i,
                               struct str *texts)
{
    enum diff_verdict v = diff_verdict(d, &d->items[i]);
    struct str *names = arena_new(&d->r->arena, struct str, d->n - i);
    struct str text = texts[i];
    size_t n = 0;
    for (size_t k = i; k < d->n; k++) {
        if (diff_verdict(d, &d->items[k]) != v || !str_eq(texts[k], text))
            continue;
        names[n++] = d->items[k].name;
        texts[k].n = 0;
    }
    text_format(t, "%-9s  ", structure_word(v));
    put_names(t, d, names, n);
    text_c(t, "  ");
    text_str(t, text);
    text_c(t, "\n");
}

static void put_structure(struct text *t, struct diff *d)
{
    struct str *texts = arena_new(&d->r->arena, struct str, d->n);
    size_t from = t->n;
    for (size_t i = 0; i < d->n; i++) {
        enum diff_verdict v = diff_verdict(d, &d->items[i]);
        if (v != DIFF_EQUAL && v != DIFF_WITHIN && v != DIFF_OVER)
            texts[i] = structure_of(d, &d->items[i]);
    }
    for (size_t i = 0; i < d->n; i++)
        if (texts[i].n > 0)
            put_structure_line(t, d, i, texts);
    text_c(t, t->n > from ? "\n" : "");
}

/* --- what was proven --- */

/* Whether an earlier fact has the same text. */
static bool is_said(const struct diff *d, size_t item,
                    const struct diff_fact *fact)
{
    for (size_t i = 0; i <= item; i++)
        for (const struct diff_fact *f = d->items[i].facts; f != NULL;
             f = f->next) {
            if (f == fact)
                return false;
            if (str_eq(f->text, fact->text))
                return true;
        }
    return false;
}

static bool has_fact(const struct diff_item *x, struct str text)
{
    for (const struct diff_fact *f = x->facts; f != NULL; f = f->next)
        if (str_eq(f->text, text))
            return true;
    return false;
}

static const char *fact_word(const struct diff_fact *f)
{
    return strcmp(f->kind, "not_examined") == 0 ? "note: " : "proven: ";
}

/* One line for each text, with the names of all tensors that it is true of. */
static void put_proven(struct text *t, struct diff *d)
{
    struct str *names = arena_new(&d->r->arena, struct str, d->n);
    size_t n, from = t->n;
    for (size_t i = 0; i < d->n; i++)
        for (const struct diff_fact *f = d->items[i].facts; f != NULL;
             f = f->next) {
            if (is_said(d, i, f))
                continue;
            n = 0;
            for (size_t k = i; k < d->n; k++)
                if (has_fact(&d->items[k], f->text))
                    names[n++] = d->items[k].name;
            if (n == 1 && &d->items[i] == diff_first_over(d))
                continue; /* stands with it */
            text_c(t, fact_word(f));
            put_names(t, d, names, n);
            text_c(t, ": ");
            diff_put_name(t, f->text);
            text_c(t, "\n");
        }
    put_facts(t, d->facts, "proven: ");
    text_c(t, t->n > from ? "\n" : "");
}

/* --- what is equal, and the end --- */

static void put_equal(struct text *t, struct diff *d)
{
    struct str *names = arena_new(&d->r->arena, struct str, d->n);
    struct name_set *sets;
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++)
        if (diff_verdict(d, &d->items[i]) == DIFF_EQUAL)
            names[n++] = d->items[i].name;
    if (n == 0 ||
        indexset_fold_names(&d->r->arena, names, n, &sets) > MOST_EQUAL)
        return; /* the total has their number */
    text_c(t, "equal: ");
    put_names(t, d, names, n);
    text_c(t, "\n");
}

static void put_total(struct text *t, const struct diff *d)
{
    static const char *const words[DIFF_VERDICTS] = {
        "equal",
        "within tolerance",
        "over tolerance",
        "of another shape",
        "of another dtype",
        "without values on one side",
        "renamed",
        "only in A",
        "only in B"};
    size_t counts[DIFF_VERDICTS] = {0};
    const char *separator = "";
    for (size_t i = 0; i < d->n; i++)
        counts[diff_verdict(d, &d->items[i])]++;
    text_format(t, "%zu tensor%s%s", d->n, d->n == 1 ? "" : "s",
                d->n > 0 ? ": " : "");
    for (int v = 0; v < DIFF_VERDICTS; v++) {
        if (counts[v] == 0)
            continue;
        text_format(t, "%s%zu %s", separator, counts[v], words[v]);
        separator = ", ";
    }
    text_c(t, "\n");
    if (d->moved > 0)
        text_format(t, "(%zu of those in both %s)\n", d->moved,
                    d->offsets ? "lie at other offsets"
                               : "stand in another order");
}

void diff_print_text(struct diff *d)
{
    struct text t = {0};
    put_first(&t, d);
    put_table(&t, d);
    put_structure(&t, d);
    put_proven(&t, d);
    put_equal(&t, d);
    put_total(&t, d);
    fwrite(t.p, 1, t.n, stdout);
    text_release(&t);
}
