/* SPDX-License-Identifier: MIT
 *
 * report_rows.c - a row of the statistics, and what is known beside it.
 */
#include "report_rows.h"

#include <inttypes.h>
#include <math.h>

#include "dropped.h"
#include "meta.h"
#include "sources.h"

/* --- figures --- */

static void put_real(struct text *t, const char *key, double x)
{
    if (isfinite(x))
        text_format(t, "\"%s\":%.9g,", key, x);
    else
        text_format(t, "\"%s\":null,", key);
}

static void put_count(struct text *t, const char *key, uint64_t n)
{
    text_format(t, "\"%s\":%" PRIu64 ",", key, n);
}

/* null where nothing was looked at. */
static void put_figures(struct text *t, const struct stats_row *r)
{
    const struct tally *y = &r->tally;
    const char *comma = "";
    if (!r->has_values || !y->counted) {
        text_c(t, "null");
        return;
    }
    text_c(t, "{");
    put_real(t, "absmax", tally_absmax(y));
    text_c(t, "\"bins\":[");
    for (int i = 0; i < TALLY_BINS; i++) {
        if (y->bins[i] == 0)
            continue;
        text_format(t, "%s[%d,%" PRIu64 "]", comma, i, y->bins[i]);
        comma = ",";
    }
    text_format(t, "],\"classic\":%s,",
                suspicion_classic(y) ? "true" : "false");
    put_count(t, "count", y->count);
    put_count(t, "denormal", y->denormal);
    put_count(t, "finite", y->finite);
    put_count(t, "inf", y->inf);
    put_real(t, "kurtosis", tally_kurtosis(y));
    put_real(t, "max", y->max);
    put_real(t, "mean", y->mean);
    put_real(t, "min", y->min);
    put_count(t, "nan", y->nan);
    put_real(t, "std", tally_std(y));
    text_format(t, "\"zeros\":%" PRIu64 "}", y->zeros);
}

static void put_digest(struct text *t, const struct stats_row *r)
{
    text_c(t, "\"digest\":");
    if (r->has_values) {
        text_c(t, "\"");
        text_hex(t, r->digest, sizeof r->digest);
        text_c(t, "\"");
    } else {
        text_c(t, "null");
    }
}

/* From `digest` to `dtype`; a comma behind it. */
static void put_row(struct text *t, const struct stats_row *r)
{
    put_digest(t, r);
    text_format(t, ",\"dtype\":\"%s\",", spec_dtype_name(r->dtype));
}

static void put_shape(struct text *t, const struct stats_row *r)
{
    text_c(t, ",\"shape\":");
    text_sizes(t, r->dims, r->rank);
    text_format(t, ",\"size\":%" PRIu64, r->size);
}

/* --- outputs --- */

struct output_row {
    uint32_t group;
    uint64_t offset;
    bool alias, optional, absent, missing;
};

static struct output_row output_row(const struct report_of *of, uint32_t i)
{
    const struct tensor *x;
    if (of->m != NULL) {
        const struct output *o = &of->m->outputs[i];
        return (struct output_row){o->group,
                                   of->blob->offsets[i],
                                   o->alias_of != TTSB_NO_TENSOR,
                                   o->optional,
                                   o->absent,
                                   o->missing};
    }
    x = &of->file->p[i];
    return (struct output_row){x->group,
                               x->offset,
                               (x->flags & TTSB_RECORD_ALIAS) != 0,
                               (x->flags & TTSB_RECORD_OPTIONAL) != 0,
                               (x->flags & TTSB_RECORD_ABSENT) != 0,
                               (x->flags & TTSB_RECORD_MISSING) != 0};
}

static void put_flags(struct text *t, const struct output_row *o)
{
    const struct {
        bool is;
        const char *name;
    } flags[] = {{o->alias, "alias"},
                 {o->optional, "optional"},
                 {o->absent, "absent"},
                 {o->missing, "missing"}};
    const char *comma = "";
    text_c(t, "\"flags\":[");
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (!flags[i].is)
            continue;
        text_format(t, "%s\"%s\"", comma, flags[i].name);
        comma = ",";
    }
    text_c(t, "],");
}

static void put_output(struct text *t, const struct report_of *of, uint32_t i)
{
    const struct stats_row *r = &of->outputs->rows[i];
    struct output_row o = output_row(of, i);
    text_c(t, "{");
    if (of->m != NULL) {
        struct arena scratch = {0};
        struct chain_of chain = {of->m, of->c, of->blob};
        text_c(t, "\"chain\":");
        chain_json(&scratch, t, &chain, i);
        text_c(t, ",");
        arena_release(&scratch);
    }
    put_row(t, r);
    put_flags(t, &o);
    text_format(t, "\"group\":%" PRIu32 ",\"name\":", o.group);
    meta_string(t, r->name);
    text_format(t, ",\"offset\":%" PRIu64, o.offset);
    put_shape(t, r);
    text_c(t, ",\"stats\":");
    put_figures(t, r);
    text_c(t, "}");
}

void report_outputs(struct text *t, const struct report_of *of)
{
    text_c(t, "[");
    for (uint32_t i = 0; i < of->outputs->n; i++) {
        text_c(t, i > 0 ? "," : "");
        put_output(t, of, i);
    }
    text_c(t, "]");
}

/* --- sources --- */

static void put_source_id(struct text *t, const struct report_of *of,
                          uint32_t source)
{
    text_c(t, ",\"source\":");
    sources_json(t, of->m->spec, source);
}

static void put_source(struct text *t, const struct report_of *of, size_t i)
{
    static const char *const roles[] = {"unread", "read", "dropped"};
    const struct stats_row *r = &of->sources->rows[i];
    text_c(t, "{");
    put_row(t, r);
    text_c(t, "\"name\":");
    meta_string(t, r->name);
    text_format(t, ",\"role\":\"%s\"", roles[of->m->roles[i]]);
    put_shape(t, r);
    put_source_id(t, of, of->c->places[i].source);
    text_c(t, ",\"stats\":");
    put_figures(t, r);
    text_c(t, "}");
}

void report_sources(struct text *t, const struct report_of *of)
{
    if (of->m == NULL || of->sources == NULL) {
        text_c(t, "null");
        return;
    }
    text_c(t, "[");
    for (size_t i = 0; i < of->sources->n; i++) {
        text_c(t, i > 0 ? "," : "");
        put_source(t, of, i);
    }
    text_c(t, "]");
}

/* --- drops --- */

static void put_dropped(struct text *t, const struct report_of *of,
                        const struct dropped *d)
{
    const struct leaf *leaf = d->leaf;
    text_format(t, "{\"elements\":%" PRIu64 ",\"name\":",
                leaf != NULL ? dropped_elements(d)
                             : d->subtree->found_elements);
    meta_string(t, leaf != NULL ? leaf->name : d->subtree->prefix);
    text_c(t, ",\"part\":");
    uses_json_dropped(t, d);
    text_c(t, ",\"place\":");
    chain_json_place(t, d->at);
    text_c(t, ",\"reason\":");
    meta_string(t, *d->reason);
    put_source_id(t, of, leaf != NULL ? leaf->file : d->subtree->file);
    text_c(t, "}");
}

void report_dropped(struct arena *a, struct text *t, const struct report_of *of)
{
    struct dropped_list v;
    if (of->m == NULL) {
        text_c(t, "null");
        return;
    }
    v = dropped_list(a, of->m);
    text_c(t, "[");
    for (size_t i = 0; i < v.n; i++) {
        text_c(t, i > 0 ? "," : "");
        put_dropped(t, of, &v.p[i]);
    }
    text_c(t, "]");
}
