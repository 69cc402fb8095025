/* SPDX-License-Identifier: MIT
 *
 * prefix.c - tries the prefixes that the first missing name has.
 */
#include "prefix.h"

#include "text.h"

#define MAX_PREFIXES 16 /* candidates */

struct search {
    const struct model *m;
    const struct checkpoint *c;
    const bool *claimed;
    uint32_t source;
};

static bool is_missing(const struct search *s, const struct leaf *leaf)
{
    return leaf->file == s->source && leaf->source == NO_SOURCE &&
           leaf->first_use == leaf && !leaf->optional && !leaf->counter;
}

/* Missing names that stand behind the prefix and that nobody claims; gives up
 * once a tenth of `all` does not. */
static size_t count_behind(const struct search *s, struct str prefix,
                           size_t all)
{
    size_t n = 0, without = 0;
    struct text name = {0};
    for (size_t i = 0; i < s->m->leaf_count && without * 10 <= all; i++) {
        const struct leaf *leaf = s->m->leaves[i];
        uint32_t index;
        if (!is_missing(s, leaf))
            continue;
        name.n = 0;
        text_str(&name, prefix);
        text_str(&name, leaf->name);
        if (checkpoint_find(s->c, s->source, text_view(&name), &index) &&
            !s->claimed[index])
            n++;
        else
            without++;
    }
    text_release(&name);
    return n;
}

/* What stands before `end` in a name, up to a dot; empty if nothing does. */
static struct str prefix_of(struct str name, struct str end)
{
    size_t n = name.n - end.n;
    if (name.n <= end.n || name.p[n - 1] != '.' ||
        !str_eq(str_cut(name, n, name.n), end))
        return (struct str){0};
    return str_cut(name, 0, n);
}

bool prefix_find(const struct model *m, const struct checkpoint *c,
                 const bool *claimed, uint32_t source, struct prefix *out)
{
    struct search s = {m, c, claimed, source};
    const struct checkpoint_source *of = &c->sources[source];
    size_t tried = 0;
    *out = (struct prefix){0};
    for (size_t i = 0; i < m->leaf_count; i++) {
        if (!is_missing(&s, m->leaves[i]))
            continue;
        out->first = out->first == NULL ? m->leaves[i] : out->first;
        out->missing++;
    }
    if (out->missing < 2)
        return false;
    for (uint32_t i = of->first;
         i < of->first + of->count && tried < MAX_PREFIXES; i++) {
        out->text = prefix_of(c->tensors[i].name, out->first->name);
        if (out->text.n == 0)
            continue;
        tried++;
        out->have = count_behind(&s, out->text, out->missing);
        if (out->have * 10 >= out->missing * 9)
            return true;
    }
    return false;
}
