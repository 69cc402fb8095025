/* SPDX-License-Identifier: MIT
 *
 * subtree.c - the names are sorted once, so that each prefix is a range.
 */
#include "subtree.h"

#include <inttypes.h>
#include <stdlib.h>

#include "size.h"

/* A tensor under its name. */
struct named {
    struct str name;
    uint32_t index;
};

static int compare(const void *x, const void *y)
{
    return str_order(((const struct named *)x)->name,
                     ((const struct named *)y)->name);
}

static size_t first_behind(const struct named *names, size_t n,
                           struct str prefix)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (str_order(names[mid].name, prefix) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void count(struct subtree *s, const struct st_tensor *t)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < t->rank; i++)
        n *= t->dims[i]; /* checked by the header's parser */
    s->found_tensors++;
    s->found_bytes += t->end - t->begin; /* of files that exist */
    if (!size_add(s->found_elements, n, &s->found_elements))
        s->found_elements = UINT64_MAX;
}

static void say(const struct subtree_run *r, const struct subtree *s)
{
    struct str called = checkpoint_called(r->a, r->c, s->file);
    struct diag_where where = s->where;
    struct diag_item *item;
    if (r->partial && s->found_tensors < s->tensors) {
        diag_add(r->d, "W0301", where,
                 "%" PRIu64 " of %" PRIu64
                 " tensors to drop under `%.*s` are in %.*s",
                 s->found_tensors, s->tensors, STR_ARG(s->prefix),
                 STR_ARG(called));
        return;
    }
    where.at = s->size_at;
    item = diag_add(r->d, "E0314", where,
                    "under `%.*s` %.*s has %" PRIu64 " tensors with %" PRIu64
                    " elements, the spec drops %" PRIu64 " with %" PRIu64,
                    STR_ARG(s->prefix), STR_ARG(called), s->found_tensors,
                    s->found_elements, s->tensors, s->elements);
    diag_fact(item,
              arena_format(r->a, "%.*s %" PRIu64 " %" PRIu64, STR_ARG(called),
                           s->found_tensors, s->found_elements));
    diag_help(r->d, item,
              s->found_tensors == 0
                  ? "a stale drop: remove it"
                  : "look at what is new or gone there before "
                    "changing the numbers");
}

static void check_one(const struct subtree_run *r, struct subtree *s,
                      const struct named *names)
{
    size_t i = first_behind(names, r->c->count, s->prefix);
    struct coverage *cover = &r->covers[s->file];
    for (; i < r->c->count && str_begins(names[i].name, s->prefix); i++) {
        uint32_t index = names[i].index;
        if (r->c->places[index].source != s->file)
            continue;
        count(s, &r->c->tensors[index]);
        r->claimed[index] = true;
        r->m->roles[index] = ROLE_DROPPED;
    }
    cover->wanted += s->tensors;
    cover->dropped += s->found_tensors;
    if (s->found_tensors == s->tensors && s->found_elements == s->elements)
        return;
    say(r, s);
    if (s->found_tensors >= s->tensors) {
        cover->different++;
        return;
    }
    cover->missing += s->tensors - s->found_tensors;
    if (cover->first_missing.n == 0)
        cover->first_missing = s->prefix;
}

void subtree_check(const struct subtree_run *r)
{
    struct named *names;
    if (r->m->subtree_count == 0)
        return;
    names = arena_new(r->a, struct named, r->c->count);
    for (uint32_t i = 0; i < r->c->count; i++)
        names[i] = (struct named){r->c->tensors[i].name, i};
    qsort(names, r->c->count, sizeof *names, compare);
    for (size_t i = 0; i < r->m->subtree_count; i++)
        if (!r->prefixed[r->m->subtrees[i].file])
            check_one(r, &r->m->subtrees[i], names);
}
