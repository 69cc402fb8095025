/* SPDX-License-Identifier: MIT
 *
 * missing.c - absent, MISSING, or an error.
 */
#include "missing.h"

#include "mismatch.h"
#include "tied.h"

#define MAX_HINTS 1000 /* searches through all names for a near one */
#define MAX_LISTED 20  /* outputs that one finding names */

struct coverage *missing_cover(struct resolution *r, const struct leaf *leaf)
{
    return &r->covers[leaf->file];
}

struct str missing_beside(const struct resolution *r, const struct leaf *leaf)
{
    if (leaf->pair != NULL && leaf->pair->source != NO_SOURCE)
        return leaf->pair->name;
    for (int i = SPECTRAL_W; leaf->spectral > 0 && i <= SPECTRAL_V; i++) {
        struct str name = spectral_name(r->a, leaf->stem, leaf->say->spelling,
                                        (enum spectral_part)i);
        uint32_t index;
        if (checkpoint_find(r->c, leaf->file, name, &index))
            return name;
    }
    return (struct str){0};
}

bool missing_is_absent(const struct resolution *r, const struct leaf *leaf)
{
    const struct output *o;
    bool absent = leaf->source == NO_SOURCE && missing_beside(r, leaf).n == 0;
    if (!leaf->optional || !absent || leaf->output_count == 0)
        return leaf->optional && absent;
    o = &r->m->outputs[leaf->output];
    for (uint32_t i = 0; i < o->leaf_count; i++)
        absent = absent && output_leaf(r->m, o, i)->source == NO_SOURCE;
    return absent;
}

void missing_say_absent(struct resolution *r, const struct leaf *leaf)
{
    struct str called = checkpoint_called(r->a, r->c, leaf->file);
    struct output *o = NULL;
    if (leaf->output_count > 0)
        o = &r->m->outputs[leaf->output];
    if (o != NULL ? o->absent
                  : (leaf->pair != NULL && !leaf->is_g) ||
                        leaf->spectral > SPECTRAL_W)
        return;
    missing_cover(r, leaf)->absent++;
    if (o != NULL)
        o->absent = true;
    diag_add(r->d, "W0311", leaf->where,
             "optional `%.*s` is absent: %.*s has no `%.*s`%s",
             STR_ARG(o != NULL ? o->name : leaf->name), STR_ARG(called),
             STR_ARG(leaf->name),
             o != NULL && output_only_leaf(r->m, o) == NULL
                 ? " and none of its other sources"
                 : "");
}

static bool may_be_missing(enum ttsb_dtype dtype)
{
    return spec_dtype_is_float(dtype) || dtype == TTSB_C64 ||
           dtype == TTSB_F8_E4M3 || dtype == TTSB_F8_E5M2 ||
           dtype == TTSB_F8_E8M0;
}

/* "`a`", "`a` and `b`", "`a`, `b` and 7 more": the outputs of a leaf whose
 * dtypes have a NaN, or have none; how many there are. */
static size_t list_outputs(struct resolution *r, const struct leaf *leaf,
                           bool with_nan, struct str *out)
{
    struct str last = {0};
    size_t n = 0;
    *out = (struct str){0};
    for (uint32_t i = 0; i < leaf->output_count; i++) {
        const struct output *o = &r->m->outputs[leaf->output + i];
        if (may_be_missing(o->dtype) != with_nan)
            continue;
        if (n > 0 && n < MAX_LISTED)
            *out = arena_format(r->a, "%.*s%s`%.*s`", STR_ARG(*out),
                                n > 1 ? ", " : "", STR_ARG(last));
        last = o->name;
        n++;
    }
    if (n > MAX_LISTED)
        *out = arena_format(r->a, "%.*s and %zu more", STR_ARG(*out),
                            n - MAX_LISTED + 1);
    else if (n > 0)
        *out = arena_format(r->a, "%.*s%s`%.*s`", STR_ARG(*out),
                            n > 1 ? " and " : "", STR_ARG(last));
    return n;
}

/* The outputs that need a missing leaf are missing as a whole. */
static void lose_outputs(struct resolution *r, const struct leaf *leaf)
{
    const struct leaf *other = leaf->pair;
    bool both = other != NULL && other->source == NO_SOURCE;
    struct str list, tail = leaf_tail(r->a, leaf);
    size_t n;
    if (both && !leaf->is_g) /* g came first, and named this one */
        return;
    for (uint32_t i = 0; i < leaf->output_count; i++)
        r->m->outputs[leaf->output + i].missing = true;
    n = list_outputs(r, leaf, true, &list);
    if (n > 0)
        diag_fact(
            diag_add(
                r->d, "W0301", leaf->where,
                "no tensor `%.*s`%s%.*s%s in %.*s; output%s %.*s %s MISSING",
                STR_ARG(leaf->name), both ? " and no `" : "",
                STR_ARG(both ? other->name : (struct str){0}), both ? "`" : "",
                STR_ARG(checkpoint_called(r->a, r->c, leaf->file)),
                n > 1 ? "s" : "", STR_ARG(list), n > 1 ? "are" : "is"),
            tail);
    if (list_outputs(r, leaf, false, &list) > 0)
        diag_add(r->d, "E0605", leaf->where,
                 "%.*s cannot be missing: %s has no NaN to fill it with",
                 STR_ARG(list),
                 spec_dtype_name(r->m->outputs[leaf->output].dtype));
}

/* A source of the same optional output that is there, or NULL. */
static const struct leaf *other_half(const struct resolution *r,
                                     const struct leaf *leaf)
{
    const struct output *o;
    if (!leaf->optional || leaf->output_count == 0)
        return NULL;
    o = &r->m->outputs[leaf->output];
    for (uint32_t i = 0; i < o->leaf_count; i++)
        if (output_leaf(r->m, o, i)->source != NO_SOURCE)
            return output_leaf(r->m, o, i);
    return NULL;
}

void missing_say_partial(struct resolution *r, const struct leaf *leaf)
{
    if (!leaf->dropped)
        lose_outputs(r, leaf);
    else
        diag_fact(diag_add(r->d, "W0301", leaf->where,
                           "no tensor `%.*s` to drop in %.*s",
                           STR_ARG(leaf->name),
                           STR_ARG(checkpoint_called(r->a, r->c, leaf->file))),
                  leaf_tail(r->a, leaf));
}

void missing_count(struct resolution *r, const struct leaf *leaf)
{
    struct coverage *cover = missing_cover(r, leaf);
    cover->missing++;
    if (cover->first_missing.n == 0)
        cover->first_missing = leaf->name;
}

#define MAX_GROUP 8 /* sources that one name stands for */

/* What one name in the spec stands for, and the checkpoint lacks: a tensor,
 * or those of a norm. */
struct lost_norm {
    struct leaf *p[MAX_GROUP];
    size_t n;
};

/* The group that begins with leaf `first`; the others count as reported. */
static struct lost_norm take_norm(struct resolution *r, size_t first)
{
    struct leaf *leaf = r->m->leaves[first];
    struct lost_norm g = {{leaf}, 1};
    for (size_t i = first + 1;
         leaf->stem.n > 0 && i < r->m->leaf_count && i < first + 2 * MAX_GROUP;
         i++) {
        struct leaf *other = r->m->leaves[i];
        if (!str_eq(other->stem, leaf->stem) || g.n == MAX_GROUP ||
            other->where.at.begin != leaf->where.at.begin ||
            other->where.loops != leaf->where.loops ||
            other->where.use != leaf->where.use || other->source != NO_SOURCE ||
            other->reported || other->counter || other->first_use != other)
            continue;
        other->reported = true;
        g.p[g.n++] = other;
    }
    return g;
}

/* "`a`, `b` and `c`" */
static struct str norm_text(struct resolution *r, const struct lost_norm *g)
{
    struct str text = arena_format(r->a, "`%.*s`", STR_ARG(g->p[0]->name));
    for (size_t i = 1; i < g->n; i++)
        text =
            arena_format(r->a, "%.*s%s`%.*s`", STR_ARG(text),
                         i + 1 < g->n ? ", " : " and ", STR_ARG(g->p[i]->name));
    return text;
}

static void norm_fact(struct resolution *r, struct diag_item *item,
                      const struct lost_norm *g)
{
    struct str text = {0};
    for (size_t i = 0; i < g->n; i++)
        text = arena_format(r->a, "%.*s %.*s", STR_ARG(text),
                            STR_ARG(leaf_tail(r->a, g->p[i])));
    diag_fact(item, text);
}

/* Where the first was surely meant as a tensor of another module, that
 * module's others were meant by the others. */
static void claim_meant(struct resolution *r, struct diag_item *item,
                        const struct lost_norm *g, struct str meant)
{
    struct str tail = leaf_tail(r->a, g->p[0]);
    size_t n = meant.n > tail.n ? meant.n - tail.n : 0, found = 0;
    if (n == 0 || !str_eq(str_cut(meant, n, meant.n), tail))
        return;
    for (size_t i = 1; i < g->n; i++) {
        struct str name = arena_format(r->a, "%.*s%.*s", (int)n, meant.p,
                                       STR_ARG(leaf_tail(r->a, g->p[i])));
        uint32_t index;
        if (!checkpoint_find(r->c, g->p[i]->file, name, &index) ||
            r->claimed[index])
            continue;
        r->claimed[index] = true;
        found++;
    }
    if (found > 0)
        diag_note(r->d, item, "and %s under `%.*s`",
                  found + 1 == g->n ? "the others" : "some others", (int)n,
                  meant.p);
}

/* Names are often copied whole into a block that has a `from:`: then the
 * tensor is there, and is not said as unclaimed again. */
static bool note_prefix(struct resolution *r, struct diag_item *item,
                        const struct leaf *leaf)
{
    struct str before = str_cut(leaf->name, 0, leaf->prefix);
    struct str written = str_cut(leaf->name, leaf->prefix, leaf->name.n);
    bool rooted = r->m->spec->source_count > 0 &&
                  r->m->spec->sources[leaf->file].root.n > 0;
    uint32_t index;
    if (before.n == 0 || !checkpoint_find(r->c, leaf->file, written, &index))
        return false;
    r->claimed[index] = true;
    if (item == NULL)
        return true;
    diag_note(r->d, item,
              "`%s%.*s`%s is put before it; without that the name is in the "
              "checkpoint",
              rooted ? "" : "from: ", STR_ARG(before),
              rooted ? ", of `root:` and `from:`," : "");
    return true;
}

/* "`a` and `b`": what a spectral norm lacks; empty for a leaf that is not the
 * first of them. */
static struct str list_parts(struct resolution *r, const struct leaf *leaf,
                             size_t *count)
{
    struct str list = {0};
    *count = 0;
    for (int i = SPECTRAL_W; i <= SPECTRAL_V; i++) {
        struct str name = spectral_name(r->a, leaf->stem, leaf->say->spelling,
                                        (enum spectral_part)i);
        uint32_t index;
        if (checkpoint_find(r->c, leaf->file, name, &index))
            continue;
        if (i < leaf->spectral)
            return (struct str){0};
        list = arena_format(r->a, "%.*s%s`%.*s`", STR_ARG(list),
                            list.n > 0 ? " and " : "", STR_ARG(name));
        ++*count;
    }
    return list;
}

/* The magnitude of a weight norm where a spectral norm was to be: both have a
 * `_v`. */
static bool is_weight_norm(struct resolution *r, const struct leaf *leaf)
{
    struct str g = arena_format(r->a, "%.*s_g", STR_ARG(leaf->stem));
    uint32_t index;
    return leaf->spectral != SPECTRAL_NONE &&
           checkpoint_find(r->c, leaf->file, g, &index);
}

/* A norm of which the checkpoint has a part; one finding for all that lacks. */
static void say_half(struct resolution *r, const struct leaf *leaf,
                     struct str there)
{
    bool spectral = leaf->spectral != SPECTRAL_NONE;
    size_t count = 1;
    struct str lacks = spectral
                           ? list_parts(r, leaf, &count)
                           : arena_format(r->a, "`%.*s`", STR_ARG(leaf->name));
    struct diag_item *item;
    if (lacks.n == 0)
        return;
    item = diag_add(r->d, "E0311", leaf->where,
                    "%s norm: `%.*s` is there, %.*s %s not",
                    spectral ? "part of a spectral" : "half a weight",
                    STR_ARG(there), STR_ARG(lacks), count > 1 ? "are" : "is");
    diag_fact(item, leaf_tail(r->a, leaf));
    if (is_weight_norm(r, leaf))
        diag_help(r->d, item,
                  "`%.*s_g` is there, too: that is a weight norm, "
                  "weight_norm(%.*s, keep=...)",
                  STR_ARG(leaf->stem), STR_ARG(leaf->stem));
    else
        diag_note(
            r->d, item,
            "%s norm was removed from this checkpoint in part, or a tensor "
            "was lost",
            spectral ? "spectral" : "weight");
}

static void say_stale(struct resolution *r, const struct lost_norm *g)
{
    struct diag_item *item = diag_add(
        r->d, "E0306", g->p[0]->where, "no tensor%s %.*s to drop in %.*s",
        g->n > 1 ? "s" : "", STR_ARG(norm_text(r, g)),
        STR_ARG(checkpoint_called(r->a, r->c, g->p[0]->file)));
    norm_fact(r, item, g);
    diag_help(r->d, item, "a stale drop: remove it");
}

/* In how many other iterations of its loops a source is there. */
static size_t count_elsewhere(struct resolution *r, const struct leaf *leaf)
{
    struct str tail = leaf_tail(r->a, leaf);
    size_t n = 0;
    for (size_t i = 0; leaf->where.loops != NULL && i < r->m->leaf_count; i++) {
        const struct leaf *other = r->m->leaves[i];
        n += other->source != NO_SOURCE &&
             other->where.at.begin == leaf->where.at.begin &&
             other->where.at.src == leaf->where.at.src &&
             other->where.use == leaf->where.use &&
             str_eq(leaf_tail(r->a, other), tail);
    }
    return n;
}

static void say_lost(struct resolution *r, const struct lost_norm *g)
{
    const struct leaf *leaf = g->p[0], *other = other_half(r, leaf);
    size_t elsewhere;
    struct diag_item *item =
        diag_add(r->d, "E0301", leaf->where, "no tensor%s %.*s in %.*s",
                 g->n > 1 ? "s" : "", STR_ARG(norm_text(r, g)),
                 STR_ARG(checkpoint_called(r->a, r->c, leaf->file)));
    norm_fact(r, item, g);
    if (other != NULL)
        diag_note(r->d, item,
                  "an optional output is absent as a whole; `%.*s` is there",
                  STR_ARG(other->name));
    if (note_prefix(r, item, leaf)) {
        for (size_t i = 1; i < g->n; i++)
            note_prefix(r, NULL, g->p[i]);
        return;
    }
    if (r->hints++ >= MAX_HINTS)
        return;
    elsewhere = count_elsewhere(r, leaf);
    if (elsewhere > 0)
        diag_note(r->d, item,
                  "it is there in %zu other iteration%s of this line",
                  elsewhere, elsewhere == 1 ? "" : "s");
    claim_meant(
        r, item, g,
        mismatch_hint_missing(r->a, r->d, item, leaf, r->c, r->claimed));
}

void missing_say(struct resolution *r, size_t number)
{
    struct leaf *leaf = r->m->leaves[number];
    struct str beside = missing_beside(r, leaf);
    struct lost_norm g;
    missing_count(r, leaf);
    if (r->partial && !leaf->optional) { /* half an optional pair: an error */
        missing_say_partial(r, leaf);
        return;
    }
    if (beside.n > 0 && !leaf->dropped) {
        say_half(r, leaf, beside);
        return;
    }
    if (!leaf->dropped && r->hints < MAX_HINTS && tied_say(r, leaf))
        return;
    g = take_norm(r, number);
    if (leaf->dropped)
        say_stale(r, &g);
    else
        say_lost(r, &g);
}
