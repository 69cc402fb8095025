/* SPDX-License-Identifier: MIT
 *
 * leftover.c - folds the names that nobody claims, and says where a line for
 * them belongs.
 */
#include "leftover.h"

#include <inttypes.h>

#include "indexset.h"
#include "sources.h"
#include "ttsb.h"

static size_t common_prefix(struct str a, struct str b)
{
    size_t n = 0;
    while (n < a.n && n < b.n && a.p[n] == b.p[n])
        n++;
    return n;
}

/* The leaf of a source whose name is nearest by prefix: where a line should
 * be added. */
static const struct leaf *nearest_leaf(const struct leftovers *r,
                                       uint32_t source, struct str name)
{
    const struct leaf *best = NULL;
    size_t most = 0;
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        const struct leaf *leaf = r->m->leaves[i];
        size_t n = common_prefix(name, leaf->name);
        if (leaf->file == source && n > most &&
            memchr(name.p, '.', n) != NULL) {
            best = leaf;
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

/* A line to paste where the caret stands: the block puts `root:` and `from:`
 * before the names in it. */
static void help_unclaimed(const struct leftovers *r, struct diag_item *item,
                           const struct leaf *near, uint32_t index)
{
    static const char use[] = "use it under `tensors:` or put it under `drop:`";
    const struct st_tensor *t = &r->c->tensors[index];
    struct str type = type_to_paste(r->a, t), before = {0};
    uint32_t source = r->c->places[index].source;
    if (near != NULL)
        before = str_cut(near->name, 0, near->prefix);
    else if (r->m->spec->source_count > 0)
        before = r->m->spec->sources[source].root;
    if (before.n == 0)
        diag_help(r->d, item, "%s: %.*s %.*s", use, STR_ARG(t->name),
                  STR_ARG(type));
    else if (near != NULL && t->name.n > before.n &&
             str_begins(t->name, before))
        diag_help(r->d, item,
                  "%s of this block, whose names stand behind `%.*s`: %.*s "
                  "%.*s",
                  use, STR_ARG(before),
                  STR_ARG(str_cut(t->name, before.n, t->name.n)),
                  STR_ARG(type));
    else
        diag_help(r->d, item,
                  "%s: %.*s %.*s; this is the full name, and names %s stand "
                  "behind `%.*s`",
                  use, STR_ARG(t->name), STR_ARG(type),
                  near != NULL ? "in this block" : "of this source",
                  STR_ARG(before));
}

static void say_unclaimed(const struct leftovers *r, const struct name_set *set,
                          uint32_t index)
{
    const struct st_tensor *example = &r->c->tensors[index];
    uint32_t source = r->c->places[index].source;
    const struct leaf *near = nearest_leaf(r, source, example->name);
    struct diag_where where = {.at = sources_at(r->m->spec, source)};
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
    diag_note(r->d, item, "%.*s",
              STR_ARG(checkpoint_tensor_text(r->a, r->c, index)));
    help_unclaimed(r, item, near, index);
}

size_t leftover_check(const struct leftovers *r, uint32_t source)
{
    const struct checkpoint_source *of = &r->c->sources[source];
    struct str *names = arena_new(r->a, struct str, of->count);
    struct name_set *sets;
    size_t n = 0, count;
    for (uint32_t i = of->first; i < of->first + of->count; i++)
        if (!r->claimed[i])
            names[n++] = r->c->tensors[i].name;
    count = indexset_fold_names(r->a, names, n, &sets);
    for (size_t i = 0; i < count; i++) {
        uint32_t index = 0;
        checkpoint_find(r->c, source, sets[i].first, &index);
        say_unclaimed(r, &sets[i], index);
    }
    return n;
}
