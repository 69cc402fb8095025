/* SPDX-License-Identifier: MIT
 *
 * resolve.c - binds leaves to tensors, then looks for what is left.
 *
 * Leftovers are searched last, so that a tensor whose weight norm is merely
 * spelled the other way is said once (E0310) and not as one missing and one
 * unclaimed tensor each.
 */
#include "resolve.h"

#include <inttypes.h>

#include "apart.h"
#include "configuration.h"
#include "dots.h"
#include "leftover.h"
#include "mismatch.h"
#include "missing.h"
#include "moved.h"
#include "prefix.h"
#include "quantised.h"
#include "ranges.h"
#include "sources.h"
#include "stranger.h"
#include "subtree.h"
#include "text.h"
#include "ttsb.h"

/* --- other spelling of norms --- */

static struct str other_spelling(struct resolution *r, const struct leaf *leaf)
{
    return leaf_spelled(r->a, leaf,
                        leaf->say->spelling == SPELLING_LEGACY
                            ? SPELLING_PARAM
                            : SPELLING_LEGACY);
}

/* A leaf's tensor under its other spelling, or folded into the stem's own
 * name; NO_SOURCE if there is neither. */
static uint32_t found_otherwise(struct resolution *r, const struct leaf *leaf,
                                bool *folded)
{
    uint32_t index;
    *folded = false;
    if (!leaf->spelled || leaf->source != NO_SOURCE || r->prefixed[leaf->file])
        return NO_SOURCE;
    if (checkpoint_find(r->c, leaf->file, other_spelling(r, leaf), &index))
        return index;
    *folded = checkpoint_find(r->c, leaf->file, leaf->stem, &index) &&
              missing_beside(r, leaf).n == 0 && !r->claimed[index];
    return *folded ? index : NO_SOURCE;
}

/* The last source of a norm, in the order of the model. */
static bool is_last(const struct leaf *leaf)
{
    return leaf->spectral != SPECTRAL_NONE ? leaf->spectral == SPECTRAL_V
                                           : !leaf->is_g;
}

/* Whether a place is met for the first time by a source. */
static bool first_time(struct resolution *r, struct nametab *seen,
                       struct span at, uint32_t source)
{
    uintptr_t key[3] = {(uintptr_t)at.src, at.begin, source};
    struct str name = {(const char *)key, sizeof key};
    uint32_t value = 0;
    if (nametab_find(seen, name, &value))
        return false;
    return nametab_add(r->a, seen, arena_str(r->a, name), &value);
}

/* The modules of a source that one `weight_norm:` speaks of. */
struct spelled {
    size_t all, spectral, otherwise; /* of all; how the checkpoint has them */
};

static struct spelled count_otherwise(struct resolution *r,
                                      const struct leaf *like)
{
    struct span at = like->say->spelling_at;
    struct spelled n = {0};
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        const struct leaf *leaf = r->m->leaves[i];
        bool folded;
        if (!is_last(leaf) || !leaf->spelled || leaf->file != like->file ||
            leaf->say->spelling_at.src != at.src ||
            leaf->say->spelling_at.begin != at.begin)
            continue;
        n.all++;
        n.spectral += leaf->spectral != SPECTRAL_NONE;
        n.otherwise +=
            found_otherwise(r, leaf, &folded) != NO_SOURCE && !folded;
    }
    return n;
}

static void say_spelling(struct resolution *r, const struct leaf *leaf,
                         uint32_t found)
{
    bool legacy = leaf->say->spelling == SPELLING_LEGACY;
    struct str called = r->c->source_count == 1
                            ? str_c("this checkpoint")
                            : checkpoint_called(r->a, r->c, leaf->file);
    struct spelled n = count_otherwise(r, leaf);
    const char *other = legacy ? "parametrized" : "legacy";
    struct diag_item *item =
        diag_add(r->d, "E0310", diag_at(leaf->say->spelling_at),
                 "%zu of %zu %s are spelled `%s` in %.*s", n.otherwise, n.all,
                 n.spectral == 0       ? "weight norms"
                 : n.spectral == n.all ? "spectral norms"
                                       : "weight and spectral norms",
                 other, STR_ARG(called));
    diag_label(r->d, item, leaf->where.at, "looks for %.*s",
               STR_ARG(leaf->name));
    diag_note(r->d, item, "%.*s has %.*s",
              STR_ARG(checkpoint_path(r->c, found)),
              STR_ARG(other_spelling(r, leaf)));
    if (n.otherwise == n.all && r->c->source_count == 1)
        diag_fix(
            r->d, item,
            &(struct diag_edit){leaf->say->spelling_at, str_c(other), true},
            "write `weight_norm: %s`", other);
    else
        diag_help(r->d, item, "write `weight_norm: %s` on %s", other,
                  n.otherwise < n.all ? "a block of their own"
                                      : "the blocks of this source");
}

static void say_folded(struct resolution *r, const struct leaf *leaf)
{
    const char *norm = leaf->spectral != SPECTRAL_NONE ? "spectral" : "weight";
    struct diag_item *item =
        diag_add(r->d, "E0310", leaf->where,
                 "%s norm is folded already in this checkpoint: it has `%.*s`",
                 norm, STR_ARG(leaf->stem));
    diag_help(r->d, item, "write `%.*s [axis=size, ...]` without %s_norm",
              STR_ARG(span_text(leaf->where.at)), norm);
}

/* One finding for each `weight_norm:` that is wrong, and one for each module
 * that is folded; their leaves are not missing as well. */
static void check_spelling(struct resolution *r)
{
    struct nametab said = {0};
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        struct leaf *leaf = r->m->leaves[i];
        struct span at = leaf->say->spelling_at;
        uint32_t index;
        bool folded;
        index = found_otherwise(r, leaf, &folded);
        if (index == NO_SOURCE)
            continue;
        leaf->reported = true;
        if (!folded)
            r->claimed[index] = true;
        if (folded && is_last(leaf)) {
            r->claimed[index] = true; /* the others came before */
            say_folded(r, leaf);
        }
        if (!folded && first_time(r, &said, at, leaf->file))
            say_spelling(r, leaf, index);
    }
}

/* --- binding --- */

static void bind_all(struct resolution *r)
{
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        struct leaf *leaf = r->m->leaves[i];
        uint32_t index;
        leaf->source = NO_SOURCE;
        if (!checkpoint_find(r->c, leaf->file, leaf->name, &index))
            continue;
        leaf->source = index;
        r->claimed[index] = true;
        r->used[index] = r->used[index] || !leaf->dropped;
    }
}

/* --- dtypes --- */

/* The leaves of a source that take their dtype from one `source_dtype:`. */
struct dtype_group {
    struct span at;
    uint32_t source;
    size_t bound, different;
    uint32_t found; /* the dtype that all different ones have, or 0 */
    const struct leaf *first;
};

static bool takes_dtype(const struct leaf *leaf, const struct dtype_group *g)
{
    return leaf->file == g->source && leaf->source != NO_SOURCE &&
           !leaf->reported && leaf->written->dtype == 0 &&
           leaf->say->source_dtype_at.src == g->at.src &&
           leaf->say->source_dtype_at.begin == g->at.begin;
}

static struct dtype_group group_dtypes(const struct resolution *r,
                                       struct span at, uint32_t source)
{
    struct dtype_group g = {.at = at, .source = source};
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        const struct leaf *leaf = r->m->leaves[i];
        uint32_t dtype;
        if (!takes_dtype(leaf, &g))
            continue;
        dtype = r->c->tensors[leaf->source].dtype;
        g.bound++;
        if (dtype == (uint32_t)leaf->dtype)
            continue;
        if (g.different++ == 0) {
            g.found = dtype;
            g.first = leaf;
        }
        g.found = g.found == dtype ? dtype : 0;
    }
    return g;
}

static void say_dtype(struct resolution *r, struct dtype_group g)
{
    bool several = r->c->source_count > 1;
    const char *found = spec_dtype_name((enum ttsb_dtype)g.found);
    struct diag_item *item =
        diag_add(r->d, "E0411", diag_at(g.at),
                 "all %zu tensors that take their dtype from here are %s in "
                 "%.*s, %s in the spec",
                 g.bound, ttsb_dtype_name(g.found),
                 STR_ARG(checkpoint_called(r->a, r->c, g.source)),
                 ttsb_dtype_name((uint32_t)g.first->dtype));
    diag_label(r->d, item, g.first->where.at, "for example");
    if (several)
        diag_help(r->d, item,
                  "if the checkpoint is right, write `source_dtype: %s` on the "
                  "blocks of this source",
                  found);
    else
        diag_fix(r->d, item, &(struct diag_edit){g.at, str_c(found), false},
                 "if the checkpoint is right, write `source_dtype: %s`", found);
    for (size_t i = 0; i < r->m->leaf_count; i++)
        if (takes_dtype(r->m->leaves[i], &g))
            r->m->leaves[i]->retyped = true;
}

/* A wrong `source_dtype:` is one finding, not one for each tensor. */
static void check_dtypes(struct resolution *r)
{
    struct nametab seen = {0};
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        uint32_t source = r->m->leaves[i]->file;
        struct span at = r->m->leaves[i]->say->source_dtype_at;
        struct dtype_group g;
        if (r->prefixed[source] || !first_time(r, &seen, at, source))
            continue;
        g = group_dtypes(r, at, source);
        if (g.bound > 1 && g.different == g.bound && g.found != 0)
            say_dtype(r, g);
    }
}

/* --- common prefix --- */

/* The names of a source that are there as they are written. */
static size_t count_bound(const struct resolution *r, uint32_t source)
{
    size_t n = 0;
    for (size_t i = 0; i < r->m->leaf_count; i++)
        n += r->m->leaves[i]->file == source &&
             r->m->leaves[i]->first_use == r->m->leaves[i] &&
             r->m->leaves[i]->source != NO_SOURCE;
    return n;
}

/* Says once, not a thousand times, that all names of a source stand behind a
 * prefix; nothing else is said of that source then. */
static void check_prefix(struct resolution *r, uint32_t source)
{
    struct prefix p;
    struct diag_where where;
    struct diag_item *item;
    if (r->prefixed[source])
        return;
    r->prefixed[source] = prefix_find(r->m, r->c, r->claimed, source, &p);
    if (!r->prefixed[source])
        return;
    where = p.first->where;
    where.loops = NULL;
    item = diag_add(r->d, "E0309", where,
                    "%zu of %zu missing names stand in %.*s behind the prefix "
                    "`%.*s`",
                    p.have, p.missing,
                    STR_ARG(checkpoint_called(r->a, r->c, source)),
                    STR_ARG(p.text));
    if (count_bound(r, source) > 0)
        diag_help(r->d, item,
                  "write `from: %.*s` on the block that these names are in; "
                  "%zu others are found without it",
                  STR_ARG(p.text), count_bound(r, source));
    else if (r->m->spec->source_count == 0)
        diag_help(r->d, item, "write `from: %.*s` on the blocks of `map:`",
                  STR_ARG(p.text));
    else
        diag_help(r->d, item, "write `root: %.*s%.*s` on `%.*s` in `sources:`",
                  STR_ARG(p.text), STR_ARG(r->m->spec->sources[source].root),
                  STR_ARG(sources_id(r->m->spec, source)));
    for (size_t i = 0; i < r->m->leaf_count; i++)
        r->covers[source].wanted +=
            r->m->leaves[i]->file == source && !r->m->leaves[i]->counter;
    r->covers[source].missing = p.missing;
    r->covers[source].first_missing = p.first->name;
}

/* --- all of it --- */

/* An alias of a missing output is missing. */
static void share_missing(struct model *m)
{
    for (size_t i = 0; i < m->output_count; i++)
        if (m->outputs[i].alias_of != TTSB_NO_TENSOR)
            m->outputs[i].missing = m->outputs[m->outputs[i].alias_of].missing;
}

/* What a tensor's later uses have in common with its first was said there. */
static void judge_again(struct resolution *r, const struct leaf *leaf)
{
    if (leaf->source == NO_SOURCE && r->partial && !leaf->reported)
        missing_say_partial(r, leaf);
}

static void judge(struct resolution *r, size_t number)
{
    struct leaf *leaf = r->m->leaves[number];
    struct coverage *cover = missing_cover(r, leaf);
    if (r->prefixed[leaf->file])
        return;
    if (leaf->first_use != leaf) {
        judge_again(r, leaf);
        return;
    }
    if (leaf->counter && leaf->source == NO_SOURCE && !leaf->reported)
        return; /* older exporters write none */
    cover->wanted++;
    if (leaf->reported) {
        missing_count(r, leaf);
        return;
    }
    if (missing_is_absent(r, leaf)) {
        cover->wanted--;
        missing_say_absent(r, leaf);
        return;
    }
    if (leaf->source == NO_SOURCE) {
        missing_say(r, number);
        return;
    }
    if (r->used[leaf->source])
        cover->used++;
    else
        cover->dropped++;
    if (!mismatch_check(r->a, r->d, leaf, r->c))
        cover->different++;
}

/* --- roles --- */

static void assign_roles(struct resolution *r)
{
    struct model *m = r->m;
    for (size_t i = 0; i < m->leaf_count; i++) {
        const struct leaf *leaf = m->leaves[i];
        if (leaf->source == NO_SOURCE)
            continue;
        if (leaf->dropped && !r->used[leaf->source])
            m->roles[leaf->source] = ROLE_DROPPED;
        for (uint32_t k = 0; k < leaf->output_count; k++)
            if (!m->outputs[leaf->output + k].missing)
                m->roles[leaf->source] = ROLE_READ;
    }
}

/* The sum over the sources; the parts only where there are several. */
static void add_up(struct resolution *r, struct coverage *out)
{
    *out = (struct coverage){0};
    for (size_t i = 0; i < r->c->source_count; i++) {
        const struct coverage *x = &r->covers[i];
        out->wanted += x->wanted;
        out->used += x->used;
        out->dropped += x->dropped;
        out->missing += x->missing;
        out->different += x->different;
        out->unclaimed += x->unclaimed;
        out->absent += x->absent;
        if (out->first_missing.n == 0)
            out->first_missing = x->first_missing;
    }
    if (r->c->source_count > 1)
        out->sources = r->covers;
}

bool resolve_model(struct arena *a, struct diag *d, struct model *m,
                   const struct checkpoint *c, bool partial,
                   struct coverage *out)
{
    struct resolution r = {.a = a, .d = d, .m = m, .c = c, .partial = partial};
    uint64_t before = d->errors;
    size_t *unclaimed;
    r.covers = arena_new(a, struct coverage, c->source_count);
    r.prefixed = arena_new(a, bool, c->source_count);
    r.claimed = arena_new(a, bool, c->count);
    r.used = arena_new(a, bool, c->count);
    m->roles = arena_new(a, uint8_t, c->count);
    bind_all(&r);
    apart_check(&r);
    for (uint32_t i = 0; i < c->source_count; i++)
        check_prefix(&r, i);
    dots_check(&(struct dots_run){a, d, m, c, r.claimed, r.prefixed});
    check_spelling(&r);
    moved_check(&r);
    unclaimed = arena_new(a, size_t, c->source_count);
    quantised_check(&r, unclaimed);
    stranger_check(&r);
    check_dtypes(&r);
    configuration_check(&r);
    ranges_check_absent(&r);
    for (size_t i = 0; i < m->leaf_count; i++)
        judge(&r, i);
    subtree_check(&(struct subtree_run){a, d, m, c, r.claimed, r.covers,
                                        r.prefixed, partial});
    share_missing(m);
    assign_roles(&r);
    ranges_check_beyond(&r, unclaimed);
    for (uint32_t i = 0; i < c->source_count; i++)
        if (!r.prefixed[i])
            r.covers[i].unclaimed =
                unclaimed[i] +
                leftover_check(&(struct leftovers){a, d, m, c, r.claimed}, i);
    add_up(&r, out);
    return d->errors == before;
}
