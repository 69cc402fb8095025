/* SPDX-License-Identifier: MIT
 *
 * stranger.c - counts what a source lacks.
 *
 * The file of another model gives as many findings as both have tensors, and
 * not one of them says what happened.
 */
#include "stranger.h"

#include "sources.h"

#define LEAST_WANTED 10 /* names; of fewer, each is said */
#define MOST_BOUND 20   /* one of so many may be there by chance */

struct census {
    uint32_t source;
    size_t wanted, bound;
    const struct leaf *first; /* that is missing */
    bool explained;           /* some of it is said already */
};

static struct census count(const struct resolution *r, uint32_t source)
{
    struct census n = {.source = source};
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        const struct leaf *leaf = r->m->leaves[i];
        if (leaf->file != source || leaf->first_use != leaf || leaf->counter ||
            leaf->optional)
            continue;
        n.wanted++;
        n.bound += leaf->source != NO_SOURCE;
        n.explained = n.explained || leaf->reported;
        if (leaf->source == NO_SOURCE && n.first == NULL)
            n.first = leaf;
    }
    return n;
}

/* How many of a source's names another source's files have. */
static size_t count_in(const struct resolution *r, uint32_t source,
                       uint32_t other)
{
    size_t n = 0;
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        const struct leaf *leaf = r->m->leaves[i];
        uint32_t index;
        if (leaf->file == source && leaf->first_use == leaf && !leaf->counter &&
            !leaf->optional)
            n += checkpoint_find(r->c, other, leaf->name, &index);
    }
    return n;
}

static void note_other(struct resolution *r, struct diag_item *item,
                       const struct census *n)
{
    for (uint32_t i = 0; i < r->c->source_count; i++) {
        size_t there = i == n->source ? 0 : count_in(r, n->source, i);
        if (there * 10 < n->wanted * 9)
            continue;
        diag_help(r->d, item, "%.*s has %zu of them: are the files exchanged?",
                  STR_ARG(checkpoint_called(r->a, r->c, i)), there);
        return;
    }
    diag_help(r->d, item, "is it the file that this spec is written for?");
}

static void say(struct resolution *r, const struct census *n)
{
    const struct checkpoint_source *of = &r->c->sources[n->source];
    struct str called = checkpoint_called(r->a, r->c, n->source);
    struct diag_where where = {.at = sources_at(r->m->spec, n->source)};
    struct diag_item *item;
    uint32_t example = of->first;
    while (example + 1 < of->first + of->count && r->claimed[example])
        example++;
    if (n->bound == 0)
        item = diag_add(r->d, "E0301", where,
                        "none of the %zu tensors that the spec names is in "
                        "%.*s",
                        n->wanted, STR_ARG(called));
    else
        item = diag_add(r->d, "E0301", where,
                        "only %zu of the %zu tensors that the spec names %s in "
                        "%.*s",
                        n->bound, n->wanted, n->bound == 1 ? "is" : "are",
                        STR_ARG(called));
    diag_label(r->d, item, n->first->where.at, "needs `%.*s`",
               STR_ARG(n->first->name));
    if (of->count == 0)
        diag_note(r->d, item, "%.*s has no tensor at all", STR_ARG(called));
    else
        diag_note(r->d, item, "%.*s has %u tensor%s, `%.*s` for example",
                  STR_ARG(checkpoint_path(r->c, example)), of->count,
                  of->count == 1 ? "" : "s",
                  STR_ARG(r->c->tensors[example].name));
    note_other(r, item, n);
}

/* What is counted elsewhere for sources of which more is said. */
static void cover(struct resolution *r, const struct census *n)
{
    const struct checkpoint_source *of = &r->c->sources[n->source];
    struct coverage *c = &r->covers[n->source];
    c->wanted = n->wanted;
    c->used = n->bound;
    c->missing = n->wanted - n->bound;
    c->first_missing = n->first->name;
    for (uint32_t i = of->first; i < of->first + of->count; i++)
        c->unclaimed += !r->claimed[i];
}

void stranger_check(struct resolution *r)
{
    for (uint32_t i = 0; i < r->c->source_count && !r->partial; i++) {
        struct census n = count(r, i);
        if (r->prefixed[i] || n.explained || n.wanted < LEAST_WANTED ||
            n.bound * MOST_BOUND >= n.wanted)
            continue;
        say(r, &n);
        cover(r, &n);
        r->prefixed[i] = true;
        for (size_t k = 0; k < r->m->leaf_count; k++)
            if (r->m->leaves[k]->file == i)
                r->m->leaves[k]->reported = true;
    }
}
