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
#include "ttsb.h"

struct resolution {
    struct arena *a;
    struct diag *d;
    struct model *m;
    const struct checkpoint *c;
    struct coverage *cover;
    bool partial;
    bool *claimed; /* tensors of the checkpoint */
};

/* --- other spelling of weight norm --- */

static struct str other_spelling(struct resolution *r, const struct leaf *leaf)
{
    size_t dot = leaf->stem.n;
    if (leaf->say->spelling != SPELLING_LEGACY)
        return arena_format(r->a, "%.*s_%c", STR_ARG(leaf->stem),
                            leaf->is_g ? 'g' : 'v');
    while (dot > 0 && leaf->stem.p[dot - 1] != '.')
        dot--;
    return arena_format(
        r->a, "%.*sparametrizations.%.*s.original%d", (int)dot, leaf->stem.p,
        STR_ARG(str_cut(leaf->stem, dot, leaf->stem.n)), leaf->is_g ? 0 : 1);
}

static bool is_spelled_otherwise(struct resolution *r, const struct leaf *leaf)
{
    uint32_t index;
    return leaf->spelled && leaf->source == NO_SOURCE &&
           nametab_find(&r->c->names, other_spelling(r, leaf), &index);
}

/* One finding for each `weight_norm:` that is wrong; true if there is any. */
static bool check_spelling(struct resolution *r)
{
    struct span said = {0};
    bool found = false;
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        struct leaf *leaf = r->m->leaves[i];
        struct diag_item *item;
        uint32_t index;
        if (!is_spelled_otherwise(r, leaf))
            continue;
        nametab_find(&r->c->names, other_spelling(r, leaf), &index);
        r->claimed[index] = true;
        leaf->source = index; /* so that it is not missing as well */
        found = true;
        if (said.src == leaf->say->spelling_at.src &&
            said.begin == leaf->say->spelling_at.begin)
            continue;
        said = leaf->say->spelling_at;
        item = diag_add(r->d, "E0310", diag_at(said),
                        "weight norm is spelled `%s` in this checkpoint",
                        leaf->say->spelling == SPELLING_LEGACY ? "parametrized"
                                                               : "legacy");
        diag_label(r->d, item, leaf->where.at, "looks for %.*s",
                   STR_ARG(leaf->name));
        diag_note(r->d, item, "%.*s has %.*s", STR_ARG(r->c->path),
                  STR_ARG(other_spelling(r, leaf)));
        diag_help(r->d, item, "write `weight_norm: %s`",
                  leaf->say->spelling == SPELLING_LEGACY ? "parametrized"
                                                         : "legacy");
    }
    return found;
}

/* --- binding --- */

static void bind_all(struct resolution *r)
{
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        struct leaf *leaf = r->m->leaves[i];
        uint32_t index;
        leaf->source = NO_SOURCE;
        if (!nametab_find(&r->c->names, leaf->name, &index))
            continue;
        leaf->source = index;
        r->claimed[index] = true;
    }
}

/* The other half of a weight norm's pair. */
static const struct leaf *partner(const struct resolution *r,
                                  const struct leaf *leaf)
{
    const struct step *s = NULL;
    if (leaf->stem.n > 0 && !leaf->dropped)
        s = r->m->outputs[leaf->output].step;
    while (s != NULL && s->leaf == NULL)
        s = s->arg;
    return s == NULL ? NULL : leaf->is_g ? s->leaf : s->g;
}

/* An optional output is absent when none of its sources is there. */
static bool is_absent(const struct resolution *r, const struct leaf *leaf)
{
    const struct leaf *other = partner(r, leaf);
    return leaf->optional && leaf->source == NO_SOURCE &&
           (other == NULL || other->source == NO_SOURCE);
}

static void say_absent(struct resolution *r, const struct leaf *leaf)
{
    struct output *o = &r->m->outputs[leaf->output];
    if (o->absent)
        return;
    o->absent = true;
    r->cover->absent++;
    diag_add(r->d, "W0311", leaf->where,
             "optional `%.*s` is absent: the checkpoint has no `%.*s`",
             STR_ARG(o->name), STR_ARG(leaf->name));
}

static bool may_be_missing(enum ttsb_dtype dtype)
{
    return spec_dtype_is_float(dtype) || dtype == TTSB_C64 ||
           dtype == TTSB_F8_E4M3 || dtype == TTSB_F8_E5M2 ||
           dtype == TTSB_F8_E8M0;
}

static void say_partial(struct resolution *r, const struct leaf *leaf)
{
    struct output *o = &r->m->outputs[leaf->output];
    if (!leaf->dropped && !may_be_missing(o->dtype)) {
        diag_add(r->d, "E0605", leaf->where,
                 "`%.*s` cannot be missing: %s has no NaN to fill it with",
                 STR_ARG(o->name), spec_dtype_name(o->dtype));
        return;
    }
    if (leaf->dropped) {
        diag_add(r->d, "W0301", leaf->where,
                 "no tensor `%.*s` to drop in the checkpoint",
                 STR_ARG(leaf->name));
        return;
    }
    o->missing = true;
    diag_add(r->d, "W0301", leaf->where,
             "no tensor `%.*s` in the checkpoint; output `%.*s` is MISSING",
             STR_ARG(leaf->name), STR_ARG(o->name));
}

static void say_missing(struct resolution *r, const struct leaf *leaf)
{
    const struct leaf *other = partner(r, leaf);
    struct diag_item *item;
    r->cover->missing++;
    if (r->cover->first_missing.n == 0)
        r->cover->first_missing = leaf->name;
    if (r->partial) {
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
    mismatch_hint_missing(r->a, r->d, item, leaf, r->c, r->claimed);
}

/* --- common prefix --- */

static size_t count_with_prefix(struct resolution *r, struct str prefix)
{
    size_t n = 0;
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        const struct leaf *leaf = r->m->leaves[i];
        uint32_t index;
        if (leaf->source == NO_SOURCE &&
            nametab_find(&r->c->names,
                         arena_format(r->a, "%.*s%.*s", STR_ARG(prefix),
                                      STR_ARG(leaf->name)),
                         &index))
            n++;
    }
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
    size_t n, have;
    const struct leaf *first = first_unbound(r, &n);
    struct str prefix;
    struct diag_item *item;
    for (size_t i = 0; n >= 2 && i < r->c->header.count; i++) {
        struct str name = r->c->header.tensors[i].name;
        if (name.n <= first->name.n ||
            name.p[name.n - first->name.n - 1] != '.' ||
            !str_eq(str_cut(name, name.n - first->name.n, name.n), first->name))
            continue;
        prefix = str_cut(name, 0, name.n - first->name.n);
        have = count_with_prefix(r, prefix);
        if (have * 10 < n * 9)
            continue;
        item = diag_add(r->d, "E0309", diag_at(r->m->spec->model_at),
                        "%zu of %zu missing names stand in the checkpoint "
                        "behind the prefix `%.*s`",
                        have, n, STR_ARG(prefix));
        diag_help(r->d, item, "write `from: %.*s` on the blocks of `map:`",
                  STR_ARG(prefix));
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
        if (best == NULL || n > most) {
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
                          const struct st_tensor *example)
{
    const struct leaf *near = nearest_leaf(r, example->name);
    struct span at = near != NULL ? near->where.at : r->m->spec->model_at;
    struct diag_item *item;
    if (set->count == 1)
        item = diag_add(r->d, "E0302", diag_at(at),
                        "checkpoint tensor `%.*s` is neither used nor dropped",
                        STR_ARG(set->text));
    else
        item = diag_add(r->d, "E0302", diag_at(at),
                        "%zu checkpoint tensors are neither used nor dropped: "
                        "%.*s",
                        set->count, STR_ARG(set->text));
    diag_note(r->d, item, "%.*s: `%.*s` is %s %.*s (header byte %" PRIu64 ")",
              STR_ARG(r->c->path), STR_ARG(example->name),
              ttsb_dtype_name(example->dtype),
              STR_ARG(checkpoint_shape(r->a, example)), example->header_offset);
    diag_help(r->d, item,
              "add it near here; under `tensors:`  NEW.NAME: "
              "%.*s %.*s  or under `drop:`  %.*s %.*s: REASON",
              STR_ARG(example->name), STR_ARG(type_to_paste(r->a, example)),
              STR_ARG(example->name), STR_ARG(type_to_paste(r->a, example)));
}

static void check_leftovers(struct resolution *r)
{
    struct str *names = arena_new(r->a, struct str, r->c->header.count);
    struct name_set *sets;
    size_t n = 0, count;
    for (size_t i = 0; i < r->c->header.count; i++)
        if (!r->claimed[i])
            names[n++] = r->c->header.tensors[i].name;
    r->cover->unclaimed = n;
    count = indexset_fold_names(r->a, names, n, &sets);
    for (size_t i = 0; i < count; i++) {
        uint32_t index = 0;
        nametab_find(&r->c->names, sets[i].first, &index);
        say_unclaimed(r, &sets[i], &r->c->header.tensors[index]);
    }
}

/* --- all of it --- */

static void judge(struct resolution *r, struct leaf *leaf)
{
    r->cover->wanted++;
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

bool resolve_model(struct arena *a, struct diag *d, struct model *m,
                   const struct checkpoint *c, bool partial,
                   struct coverage *out)
{
    struct resolution r = {
        .a = a, .d = d, .m = m, .c = c, .cover = out, .partial = partial};
    uint64_t before = d->errors;
    *out = (struct coverage){0};
    r.claimed = arena_new(a, bool, c->header.count);
    bind_all(&r);
    if (check_prefix(&r))
        return false;
    check_spelling(&r);
    for (size_t i = 0; i < m->leaf_count; i++)
        judge(&r, m->leaves[i]);
    check_leftovers(&r);
    return d->errors == before;
}
