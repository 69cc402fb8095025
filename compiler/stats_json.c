/* SPDX-License-Identifier: MIT
 *
 * stats_json.c - statistics as JSON. specs/README.md section 22 has the keys.
 */
#include <inttypes.h>
#include <math.h>

#include "meta.h"
#include "spec.h"
#include "stats_print.h"

/* 17 digits read back as the same number. */
static void put_number(struct text *t, const char *key, bool known, double x)
{
    if (known && isfinite(x))
        text_format(t, "\"%s\":%.17g,", key, x);
    else
        text_format(t, "\"%s\":null,", key);
}

static void put_count(struct text *t, const char *key, uint64_t x)
{
    text_format(t, "\"%s\":%" PRIu64 ",", key, x);
}

static void put_bool(struct text *t, const char *key, bool x)
{
    text_format(t, "\"%s\":%s,", key, x ? "true" : "false");
}

static void put_string(struct text *t, const char *key, struct str s)
{
    text_format(t, "\"%s\":", key);
    meta_string(t, s);
    text_c(t, ",");
}

/* [[bin, count], ...] of those that are not empty. */
static void put_bins(struct text *t, const struct tally *y)
{
    const char *comma = "";
    text_c(t, "\"histogram\":[");
    for (int i = 0; i < TALLY_BINS; i++) {
        if (y->bins[i] == 0)
            continue;
        text_format(t, "%s[%d,%" PRIu64 "]", comma, i, y->bins[i]);
        comma = ",";
    }
    text_c(t, "],");
}

static void put_digest(struct text *t, const struct stats_row *r)
{
    text_c(t, "\"digest\":");
    if (r->has_values) {
        text_c(t, "\"");
        text_hex(t, r->digest, 16);
        text_c(t, "\",");
    } else {
        text_c(t, "null,");
    }
}

static void put_row(struct text *t, const struct stats_row *r)
{
    const struct tally *y = &r->tally;
    bool any = r->has_values && y->finite > 0;
    text_c(t, "{");
    put_number(t, "absmax", any, tally_absmax(y));
    put_bool(t, "alias", r->is_alias);
    put_bool(t, "classic_rule", r->has_values && suspicion_classic(y));
    put_count(t, "count", y->count);
    put_bool(t, "counted", y->counted);
    put_count(t, "denormal", y->denormal);
    put_digest(t, r);
    put_string(t, "dtype", str_c(spec_dtype_name(r->dtype)));
    put_count(t, "finite", y->finite);
    put_string(t, "group", r->group);
    put_bins(t, y);
    put_count(t, "inf", y->inf);
    put_number(t, "kurtosis", any && y->m2 > 0, tally_kurtosis(y));
    put_number(t, "max", any, y->max);
    put_number(t, "mean", any, y->mean);
    put_number(t, "min", any, y->min);
    put_string(t, "name", r->name);
    put_count(t, "nan", y->nan);
    text_c(t, "\"shape\":");
    text_sizes(t, r->dims, r->rank);
    text_c(t, ",");
    put_count(t, "size", r->size);
    put_number(t, "std", any, tally_std(y));
    put_bool(t, "untrained_norm", r->untrained_norm);
    put_bool(t, "values", r->has_values);
    text_format(t, "\"zeros\":%" PRIu64 "}", y->zeros);
}

/* `name` is NULL for the total. */
static void put_sum(struct text *t, const struct stats *s,
                    const struct str *name)
{
    struct stats_sum sum = stats_sum_of(s, name);
    text_c(t, "{");
    put_count(t, "aliases", sum.aliases);
    put_count(t, "bytes", sum.bytes);
    put_count(t, "classic_rule", sum.classic);
    put_count(t, "denormal", sum.denormal);
    put_count(t, "elements", sum.elements);
    put_count(t, "inf", sum.inf);
    if (name != NULL)
        put_string(t, "name", *name);
    put_count(t, "nan", sum.nan);
    put_count(t, "tensors", sum.tensors);
    put_count(t, "without_values", sum.empty);
    text_format(t, "\"zeros\":%" PRIu64 "}", sum.zeros);
}

static void put_groups(struct text *t, const struct stats *s)
{
    const char *comma = "";
    text_c(t, "\"groups\":[");
    for (size_t i = 0; i < s->n; i++) {
        if (!stats_begins_group(s, i))
            continue;
        text_c(t, comma);
        put_sum(t, s, &s->rows[i].group);
        comma = ",";
    }
    text_c(t, "],");
}

static void put_suspicion(struct text *t, const struct stats *s,
                          const struct suspicion *x)
{
    text_format(t, "{\"id\":\"%s\",\"names\":[", x->id);
    for (size_t i = 0; i < x->n; i++) {
        text_c(t, i > 0 ? "," : "");
        meta_string(t, s->rows[x->rows[i]].name);
    }
    text_c(t, "],");
    put_string(t, "notes", x->notes);
    text_c(t, "\"text\":");
    meta_string(t, x->text);
    text_c(t, "}");
}

void stats_put_json(struct text *t, const struct stats *s,
                    const struct suspicions *found)
{
    text_c(t, "{");
    put_groups(t, s);
    put_string(t, "path", s->path);
    text_c(t, "\"suspicions\":[");
    for (size_t i = 0; i < found->n; i++) {
        text_c(t, i > 0 ? "," : "");
        put_suspicion(t, s, &found->p[i]);
    }
    text_c(t, "],\"tensors\":[");
    for (size_t i = 0; i < s->n; i++) {
        text_c(t, i > 0 ? "," : "");
        put_row(t, &s->rows[i]);
    }
    text_c(t, "],\"total\":");
    put_sum(t, s, NULL);
    text_c(t, "}");
}
