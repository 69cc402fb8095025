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

#include "indexset.h"
#include "mismatch.h"
#include "subtree.h"
#include "text.h"
#include "ttsb.h"

#define MAX_HINTS 100   /* searches through all names for a near one */
#define MAX_PREFIXES 16 /* candidates for a common prefix */

struct resolution {
    struct arena *a;
    struct diag *d;
    struct model *m;
    const struct checkpoint *c;
    struct coverage *cover;
    bool partial;
    bool *claimed; /* tensors of the checkpoint */
    size_t hints;  /* looked for so far */
};

/* --- other spelling of weight norm --- */

static struct str other_spelling(struct resolution *r, const struct leaf *leaf)
{
    return weight_norm_name(r->a, leaf->stem,
                            leaf->say->spelling == SPELLING_LEGACY
                                ? SPELLING_PARAM
                                : SPELLING_LEGACY,
                            leaf->is_g);
}

/* A leaf's tensor under its other spelling, or folded into the stem's own
 * name; NO_SOURCE if there is neither. */
static uint32_t found_otherwise(struct resolution *r, const struct leaf *leaf,
                                bool *folded)
{
    uint32_t index;
    *folded = false;
    if (!leaf->spelled || leaf->source != NO_SOURCE)
        return NO_SOURCE;
    if (checkpoint_find(r->c, leaf->file, other_spelling(r, leaf), &index))
        return index;
    *folded = checkpoint_find(r->c, leaf->file, leaf->stem, &index) &&
              leaf->pair->source == NO_SOURCE && !r->claimed[index];
    return *folded ? index : NO_SOURCE;
}

/* Whether a place is met for the first time. */
static bool first_time(struct resolution *r, struct nametab *seen,
                       struct span at)
{
    uintptr_t key[2] = {(uintptr_t)at.src, at.begin};
    struct str name = {(const char *)key, sizeof key};
    uint32_t value = 0;
    if (nametab_find(seen, name, &value))
        return false;
    return nametab_add(r->a, seen, arena_str(r->a, name), &value);
}

/* How many modules one `weight_norm:` speaks of, and how many of them this
 * checkpoint spells otherwise. */
static size_t count_otherwise(struct resolution *r, struct span at, size_t *all)
{
    size_t n = 0;
    *all = 0;
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        const struct leaf *leaf = r->m->leaves[i];
        bool folded;
        if (leaf->is_g || !leaf->spelled ||
            leaf->say->spelling_at.src != at.src ||
            leaf->say->spelling_at.begin != at.begin)
            continue;
        ++*all;
        n += found_otherwise(r, leaf, &folded) != NO_SOURCE && !folded;
    }
    return n;
}

static void say_spelling(struct resolution *r, const struct leaf *leaf,
                         uint32_t found)
{
    bool legacy = leaf->say->spelling == SPELLING_LEGACY;
    size_t all, n = count_otherwise(r, leaf->say->spelling_at, &all);
    struct diag_item *item =
        diag_add(r->d, "E0310", diag_at(leaf->say->spelling_at),
                 "%zu of %zu weight norms are spelled `%s` in this checkpoint",
                 n, all, legacy ? "parametrized" : "legacy");
    diag_label(r->d, item, leaf->where.at, "looks for %.*s",
               STR_ARG(leaf->name));
    diag_note(r->d, item, "%.*s has %.*s",
              STR_ARG(checkpoint_path(r->c, found)),
              STR_ARG(other_spelling(r, leaf)));
    diag_help(r->d, item, "write `weight_norm: %s`%s",
              legacy ? "parametrized" : "legacy",
              n < all ? " on a block of their own" : "");
}

static void say_folded(struct resolution *r, const struct leaf *leaf)
{
    struct diag_item *item = diag_add(
        r->d, "E0310", leaf->where,
        "weight norm is folded already in this checkpoint: it has `%.*s`",
        STR_ARG(leaf->stem));
    diag_help(r->d, item, "write `%.*s [axis=size, ...]` without weight_norm",
              STR_ARG(span_text(leaf->where.at)));
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
        if (folded && !leaf->is_g) {
            r->claimed[index] = true; /* g came first */
            say_folded(r, leaf);
        }
        if (!folded && first_time(r, &said, at))
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
    }
}

/* An optional output is absent when none of its sources is there. */
static bool is_absent(const struct resolution *r, const struct leaf *leaf)
{
    const struct output *o;
    bool absent = leaf->source == NO_SOURCE &&
                  (leaf->pair == NULL || leaf->pair->source == NO_SOURCE);
    if (!leaf->optional || !absent || leaf->output_count == 0)
        return leaf->optional && absent;
    o = &r->m->outputs[leaf->output];
    for (uint32_t i = 0; i < o->leaf_count; i++)
        absent = absent && output_leaf(r->m, o, i)->source == NO_SOURCE;
    return absent;
}

static void say_absent(struct resolution *r, const struct leaf *leaf)
{
    struct output *o = NULL;
    if (leaf->output_count > 0)
        o = &r->m->outputs[leaf->output];
    if (o != NULL ? o->absent : leaf->pair != NULL && !leaf->is_g)
        return;
    r->cover->absent++;
    if (o != NULL)
        o->absent = true;
    diag_add(r->d, "W0311", leaf->where,
             "optional `%.*s` is absent: the checkpoint has no `%.*s`",
             STR_ARG(o != NULL ? o->name : leaf->name), STR_ARG(leaf->name));
}

static bool may_be_missing(enum ttsb_dtype dtype)
{
    return spec_dtype_is_float(dtype) || dtype == TTSB_C64 ||
           dtype == TTSB_F8_E4M3 || dtype == TTSB_F8_E5M2 ||
           dtype == TTSB_F8_E8M0;
}

/* The outputs that need a missing leaf are missing as a whole. */
static void lose_outputs(struct resolution *r, const struct leaf *leaf)
{
    const struct leaf *other = leaf->pair;
    bool both = other != NULL && other->source == NO_SOURCE;
    if (both && !leaf->is_g) /* g came first, and named this one */
        return;
    for (uint32_t i = 0; i < leaf->output_count; i++) {
        struct output *o = &r->m->outputs[leaf->output + i];
        o->missing = true;
        if (may_be_missing(o->dtype))
            diag_add(
                r->d, "W0301", leaf->where,
                "no tensor `%.*s`%s%.*s%s in the checkpoint; output `%.*s` is "
                "MISSING",
                STR_ARG(leaf->name), both ? " and no `" : "",
                STR_ARG(both ? other->name : (struct str){0}), both ? "`" : "",
                STR_ARG(o->name));
        else
            diag_add(r->d, "E0605", leaf->where,
                     "`%.*s` cannot be missing: %s has no NaN to fill it with",
                     STR_ARG(o->name), spec_dtype_name(o->dtype));
    }
}

static void say_partial(struct resolution *r, const struct leaf *leaf)
{
    if (!leaf->dropped)
        lose_outputs(r, leaf);
    else
        diag_add(r->d, "W0301", leaf->where,
                 "no tensor `%.*s` to drop in the checkpoint",
                 STR_ARG(leaf->name));
}

static void say_missing(struct resolution *r, const struct leaf *leaf)
{
    const struct leaf *other = leaf->pair;
    struct diag_item *item;
    r->cover->missing++;
    if (r->cover->first_missing.n == 0)
        r->cover->first_missing = leaf->name;
    if (r->partial && !leaf->optional) { /* half an optional pair: an error */
        say_partial(r, leaf);
        return;
    }
    if (leaf->dropped) {
        item = diag_add(r->d, "E0306", leaf->where,
                        "no tensor `%.*s` to drop in the checkpoint",
                        STR_ARG(leaf->name));
        diag_help(r->d, item, "a stale drop: remove it");
        return;
    }
    if (other != NULL && other->source != NO_SOURCE) {
        item = diag_add(r->d, "E0311", leaf->where,
                        "half a weight norm: `%.*s` is there, `%.*s` is not",
                        STR_ARG(other->name), STR_ARG(leaf->name));
        diag_note(r->d, item,
                  "weight norm was removed from this checkpoint in "
                  "part, or a tensor was lost");
        return;
    }
    item = diag_add(r->d, "E0301", leaf->where,
                    "no tensor `%.*s` in the checkpoint", STR_ARG(leaf->name));
    if (r->hints++ < MAX_HINTS)
        mismatch_hint_missing(r->a, r->d, item, leaf, r->c, r->claimed);
}

/* --- dtypes --- */

/* The leaves that take their dtype from the `source_dtype:` at a place. */
struct dtype_group {
    size_t bound, different;
    uint32_t found; /* the dtype that all different ones have, or 0 */
    const struct leaf *first;
};

static bool takes_dtype(const struct leaf *leaf, struct span at)
{
    return leaf->source != NO_SOURCE && !leaf->reported &&
           leaf->written->dtype == 0 &&
           leaf->say->source_dtype_at.src == at.src &&
           leaf->say->source_dtype_at.begin == at.begin;
}

static struct dtype_group group_dtypes(const struct resolution *r,
                                       struct span at)
{
    struct dtype_group g = {0};
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        const struct leaf *leaf = r->m->leaves[i];
        uint32_t dtype;
        if (!takes_dtype(leaf, at))
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

static void say_dtype(struct resolution *r, struct span at,
                      struct dtype_group g)
{
    struct diag_item *item =
        diag_add(r->d, "E0411", diag_at(at),
                 "all %zu tensors that take their dtype from here are %s in "
                 "the checkpoint, %s in the spec",
                 g.bound, ttsb_dtype_name(g.found),
                 ttsb_dtype_name((uint32_t)g.first->dtype));
    diag_label(r->d, item, g.first->where.at, "for example");
    diag_help(r->d, item,
              "if the checkpoint is right, write "
              "`source_dtype: %s`",
              spec_dtype_name((enum ttsb_dtype)g.found));
    for (size_t i = 0; i < r->m->leaf_count; i++)
        if (takes_dtype(r->m->leaves[i], at))
            r->m->leaves[i]->retyped = true;
}

/* A wrong `source_dtype:` is one finding, not one for each tensor. */
static void check_dtypes(struct resolution *r)
{
    struct nametab seen = {0};
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        struct span at = r->m->leaves[i]->say->source_dtype_at;
        struct dtype_group g;
        if (!first_time(r, &seen, at))
            continue;
        g = group_dtypes(r, at);
        if (g.bound > 1 && g.different == g.bound && g.found != 0)
            say_dtype(r, at, g);
    }
}

/* --- common prefix --- */

/* Missing names that stand behind the prefix and that nobody claims; gives up
 * once a tenth of `all` does not. */
static size_t count_with_prefix(struct resolution *r, struct str prefix,
                                size_t all)
{
    size_t n = 0, without = 0;
    struct text name = {0};
    for (size_t i = 0; i < r->m->leaf_count && without * 10 <= all; i++) {
        const struct leaf *leaf = r->m->leaves[i];
        uint32_t index;
        if (leaf->source != NO_SOURCE || leaf->optional)
            continue;
        name.n = 0;
        text_str(&name, prefix);
        text_str(&name, leaf->name);
        if (checkpoint_find(r->c, leaf->file, text_view(&name), &index) &&
            !r->claimed[index])
            n++;
        else
            without++;
    }
    text_release(&name);
    return n;
}

static const struct leaf *first_unbound(const struct resolution *r, size_t *n)
{
    const struct leaf *first = NULL;
    *n = 0;
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        const struct leaf *leaf = r->m->leaves[i];
        if (leaf->source != NO_SOURCE || leaf->optional)
            continue;
        first = first == NULL ? leaf : first;
        ++*n;
    }
    return first;
}

/* Says once, not a thousand times, that all names stand behind a prefix. */
static bool check_prefix(struct resolution *r)
{
    size_t n, have, tried = 0;
    const struct leaf *first = first_unbound(r, &n);
    struct str prefix;
    struct diag_item *item;
    for (size_t i = 0; n >= 2 && i < r->c->count && tried < MAX_PREFIXES; i++) {
        struct str name = r->c->tensors[i].name;
        if (name.n <= first->name.n ||
            name.p[name.n - first->name.n - 1] != '.' ||
            !str_eq(str_cut(name, name.n - first->name.n, name.n), first->name))
            continue;
        prefix = str_cut(name, 0, name.n - first->name.n);
        tried++;
        have = count_with_prefix(r, prefix, n);
        if (have * 10 < n * 9)
            continue;
        item = diag_add(r->d, "E0309", first->where,
                        "%zu of %zu missing names stand in the checkpoint "
                        "behind the prefix `%.*s`",
                        have, n, STR_ARG(prefix));
        diag_help(r->d, item, "write `from: %.*s` on the blocks of `map:`",
                  STR_ARG(prefix));
        r->cover->wanted = r->m->leaf_count;
        r->cover->missing = n;
        r->cover->first_missing = first->name;
        return true;
    }
    return false;
}

/* --- leftovers --- */

static size_t common_prefix(struct str a, struct str b)
{
    size_t n = 0;
    while (n < a.n && n < b.n && a.p[n] == b.p[n])
        n++;
    return n;
}

/* The leaf whose name is nearest by prefix: where a line should be added. */
static const struct leaf *nearest_leaf(const struct resolution *r,
                                       struct str name)
{
    const struct leaf *best = NULL;
    size_t most = 0;
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        size_t n = common_prefix(name, r->m->leaves[i]->name);
        if (n > most && memchr(name.p, '.', n) != NULL) {
            best = r->m->leaves[i];
            most = n;
        }
    }
    return best;
}

static struct str type_to_paste(struct arena *a, const struct st_tensor *t)
{
    struct str s = str_c("[");
    for (uint32_t i = 0; i < t->rank; i++)
        s = arena_format(a, "%.*s%s%s%" PRIu64, STR_ARG(s), i > 0 ? ", " : "",
                         t->dims[i] == 1 ? "" : "?=", t->dims[i]);
    return arena_format(a, "%.*s]", STR_ARG(s));
}

static void say_unclaimed(struct resolution *r, const struct name_set *set,
                          uint32_t index)
{
    const struct st_tensor *example = &r->c->tensors[index];
    const struct leaf *near = nearest_leaf(r, example->name);
    struct diag_where where = {.at = r->m->spec->model_at};
    struct diag_item *item;
    if (near != NULL)
        where = (struct diag_where){near->where.at, near->where.use, NULL};
    if (set->count == 1)
        item = diag_add(r->d, "E0302", where,
                        "checkpoint tensor `%.*s` is neither used nor dropped",
                        STR_ARG(set->text));
    else
        item = diag_add(r->d, "E0302", where,
                        "%zu checkpoint tensors are neither used nor dropped: "
                        "%.*s",
                        set->count, STR_ARG(set->text));
    diag_note(r->d, item, "%.*s: `%.*s` is %s %.*s (header byte %" PRIu64 ")",
              STR_ARG(checkpoint_path(r->c, index)), STR_ARG(example->name),
              ttsb_dtype_name(example->dtype),
              STR_ARG(checkpoint_shape(r->a, example)), example->header_offset);
    diag_help(
        r->d, item,
        "use it under `tensors:` or put it under `drop:` (names there are "
        "behind the block's `from:`): %.*s %.*s",
        STR_ARG(example->name), STR_ARG(type_to_paste(r->a, example)));
}

static void check_leftovers(struct resolution *r)
{
    struct str *names = arena_new(r->a, struct str, r->c->count);
    struct name_set *sets;
    size_t n = 0, count;
    for (size_t i = 0; i < r->c->count; i++)
        if (!r->claimed[i])
            names[n++] = r->c->tensors[i].name;
    r->cover->unclaimed = n;
    count = indexset_fold_names(r->a, names, n, &sets);
    for (size_t i = 0; i < count; i++) {
        uint32_t index = 0;
        checkpoint_find(r->c, 0, sets[i].first, &index);
        say_unclaimed(r, &sets[i], index);
    }
}

/* An alias of a missing output is missing. */
static void share_missing(struct model *m)
{
    for (size_t i = 0; i < m->output_count; i++)
        if (m->outputs[i].alias_of != TTSB_NO_TENSOR)
            m->outputs[i].missing = m->outputs[m->outputs[i].alias_of].missing;
}

/* --- all of it --- */

/* What a tensor's later uses have in common with its first was said there. */
static void judge_again(struct resolution *r, const struct leaf *leaf)
{
    if (leaf->source == NO_SOURCE && r->partial && !leaf->reported)
        say_partial(r, leaf);
}

static void judge(struct resolution *r, struct leaf *leaf)
{
    if (leaf->first_use != leaf) {
        judge_again(r, leaf);
        return;
    }
    r->cover->wanted++;
    if (leaf->reported) {
        r->cover->missing++;
        if (r->cover->first_missing.n == 0)
            r->cover->first_missing = leaf->name;
        return;
    }
    if (is_absent(r, leaf)) {
        r->cover->wanted--;
        say_absent(r, leaf);
        return;
    }
    if (leaf->source == NO_SOURCE) {
        say_missing(r, leaf);
        return;
    }
    if (leaf->dropped)
        r->cover->dropped++;
    else
        r->cover->used++;
    if (!mismatch_check(r->a, r->d, leaf, r->c))
        r->cover->different++;
}

/* --- roles --- */

static void assign_roles(struct resolution *r)
{
    struct model *m = r->m;
    for (size_t i = 0; i < m->leaf_count; i++) {
        const struct leaf *leaf = m->leaves[i];
        if (leaf->source == NO_SOURCE)
            continue;
        if (leaf->dropped)
            m->roles[leaf->source] = ROLE_DROPPED;
        for (uint32_t k = 0; k < leaf->output_count; k++)
            if (!m->outputs[leaf->output + k].missing)
                m->roles[leaf->source] = ROLE_READ;
    }
}

bool resolve_model(struct arena *a, struct diag *d, struct model *m,
                   const struct checkpoint *c, bool partial,
                   struct coverage *out)
{
    struct resolution r = {
        .a = a, .d = d, .m = m, .c = c, .cover = out, .partial = partial};
    uint64_t before = d->errors;
    *out = (struct coverage){0};
    r.claimed = arena_new(a, bool, c->count);
    m->roles = arena_new(a, uint8_t, c->count);
    bind_all(&r);
    if (check_prefix(&r))
        return false;
    check_spelling(&r);
    check_dtypes(&r);
    for (size_t i = 0; i < m->leaf_count; i++)
        judge(&r, m->leaves[i]);
    subtree_check(&(struct subtree_run){a, d, m, c, r.claimed, out, partial});
    share_missing(m);
    assign_roles(&r);
    check_leftovers(&r);
    return d->errors == before;
}
