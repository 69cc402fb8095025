/* SPDX-License-Identifier: MIT
 *
 * diff_show.c - the words and figures that text and JSON have in common.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "diff.h"

#include "screen.h"

uint32_t diff_index(const struct diff *d, const struct diff_item *x, uint64_t e,
                    uint64_t out[65])
{
    const struct tensor *t = &d->a.p[x->a];
    uint32_t n = t->rank;
    if (x->m.opaque)
        return 0;
    if (t->dtype == TTSB_C64) {
        out[n++] = e % 2;
        e /= 2;
    }
    for (uint32_t i = t->rank; i-- > 0;) {
        out[i] = e % t->dims[i];
        e /= t->dims[i];
    }
    return n;
}

const char *diff_format(const struct tensors *t)
{
    switch (t->kind) {
    case TENSORS_BLOB:
        return "ttsb";
    case TENSORS_NPY:
        return "npy";
    case TENSORS_NPZ:
        return "npz";
    default:
        return "safetensors";
    }
}

const char *diff_verdict_name(enum diff_verdict v)
{
    static const char *const names[DIFF_VERDICTS] = {
        "equal",  "within",  "over",    "shape", "dtype",
        "values", "renamed", "removed", "added"};
    return names[v];
}

void diff_put_name(struct text *t, struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        size_t n = screen_control(name.p + i, name.n - i);
        text_str(t, n > 0 ? str_c("?") : str_cut(name, i, i + 1));
        i += n > 0 ? n - 1 : 0;
    }
}

void diff_put_decimal(struct text *t, double x)
{
    char digits[40];
    int n = 1;
    if (!isfinite(x)) {
        text_c(t, "null");
        return;
    }
    do
        snprintf(digits, sizeof digits, "%.*g", n, x);
    while (strtod(digits, NULL) != x && ++n <= 17);
    text_c(t, digits);
}

void diff_put_bins(struct text *t, const struct metric *m)
{
    const char *separator = "";
    for (unsigned i = 0; i < METRIC_BINS; i++) {
        uint64_t least, most;
        if (m->bins[i] == 0)
            continue;
        metric_bin_range(i, &least, &most);
        text_format(t, "%s%" PRIu64, separator, least);
        if (i == METRIC_BINS - 1)
            text_c(t, "+");
        else if (most > least)
            text_format(t, "-%" PRIu64, most);
        text_format(t, ": %" PRIu64, m->bins[i]);
        separator = ", ";
    }
}

/* --- JSON --- */

/* A number, or null where the pairs are not all finite. */
static void put_figure(struct text *t, const char *key, double x, bool known)
{
    text_format(t, ",\"%s\":", key);
    diff_put_decimal(t, known ? x : NAN);
}

static void put_place(struct text *t, const char *key, uint64_t at, bool known)
{
    if (known)
        text_format(t, ",\"%s\":%" PRIu64, key, at);
    else
        text_format(t, ",\"%s\":null", key);
}

static void put_ulps(struct text *t, const struct metric *m)
{
    const char *separator = "";
    text_c(t, ",\"ulp\":[");
    for (unsigned i = 0; i < METRIC_BINS; i++) {
        uint64_t least, most;
        if (m->bins[i] == 0)
            continue;
        metric_bin_range(i, &least, &most);
        text_format(t,
                    "%s{\"count\":%" PRIu64 ",\"from\":%" PRIu64
                    ",\"to\":%" PRIu64 "}",
                    separator, m->bins[i], least, most);
        separator = ",";
    }
    text_c(t, "]");
}

/* What is meant over all pairs is null if some are not finite; `finite_*` are
 * over those that are. */
void diff_put_metric(struct text *t, const struct metric *m)
{
    bool all = metric_is_finite(m) && m->count > 0, some = m->finite > 0;
    text_c(t, "{\"argmax_abs\":");
    if (all)
        text_format(t, "%" PRIu64, m->at_abs);
    else
        text_c(t, "null");
    put_place(t, "argmax_rel", m->at_rel, all);
    put_place(t, "argmax_ulp", m->at_ulp, all);
    put_figure(t, "cosine", metric_cosine(m), all);
    text_format(t,
                ",\"count\":%" PRIu64 ",\"different\":%" PRIu64
                ",\"finite\":%" PRIu64,
                m->count, m->different, m->finite);
    put_place(t, "finite_argmax_abs", m->at_abs, some);
    put_figure(t, "finite_max_abs", m->max_abs, some);
    put_place(t, "first", m->first, m->first != METRIC_NOWHERE);
    put_place(t, "first_over", m->first_over, m->first_over != METRIC_NOWHERE);
    text_format(t,
                ",\"inf_a\":%" PRIu64 ",\"inf_b\":%" PRIu64
                ",\"inf_both\":%" PRIu64 ",\"inf_signs\":%" PRIu64,
                m->inf_a, m->inf_b, m->inf_both, m->inf_signs);
    put_figure(t, "max_abs", m->max_abs, all);
    put_figure(t, "max_rel", m->max_rel, all);
    put_place(t, "max_ulp", m->max_ulp, all);
    put_figure(t, "mean_abs", metric_mean_abs(m), all);
    text_format(t,
                ",\"nan_a\":%" PRIu64 ",\"nan_b\":%" PRIu64
                ",\"nan_bits\":%" PRIu64 ",\"nan_both\":%" PRIu64
                ",\"over\":%" PRIu64,
                m->nan_a, m->nan_b, m->nan_bits, m->nan_both, m->over);
    put_figure(t, "rmse", metric_rmse(m), all);
    put_ulps(t, m);
    text_format(t, ",\"ulp_of\":\"%s\",\"zero_signs\":%" PRIu64 "}",
                m->opaque      ? "none"
                : m->unit == 0 ? "integer"
                               : spec_dtype_name(m->unit),
                m->zero_signs);
}

bool diff_print(struct diff *d)
{
    bool bad = false;
    for (size_t i = 0; i < d->n; i++)
        bad = bad || diff_is_bad(diff_verdict(d, &d->items[i]));
    if (d->args->json)
        diff_print_json(d);
    else
        diff_print_text(d);
    return bad;
}
