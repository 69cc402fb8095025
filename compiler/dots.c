/* SPDX-License-Identifier: MIT
 *
 * dots.c - puts a dot where a prefix ends and looks the name up.
 *
 * Between a block's prefix and its names one tensor that is found is enough.
 * Further out, between the prefixes of two blocks, the place is a guess until
 * it explains several names, and nearly all that begin so.
 */
#include "dots.h"

#include "text.h"

#define MAX_EFFORT 200000 /* look-ups */

/* The missing names that begin with a text. */
struct seam {
    struct str text;
    const struct leaf *first;
    size_t have, missing; /* there with a dot, in all */
};

static bool is_missing(const struct dots_run *r, const struct leaf *leaf)
{
    return leaf->source == NO_SOURCE && !leaf->reported &&
           leaf->first_use == leaf && !r->prefixed[leaf->file];
}

static bool is_behind(const struct leaf *leaf, const struct seam *s)
{
    return leaf->file == s->first->file && leaf->prefix >= s->text.n &&
           str_begins(leaf->name, s->text);
}

/* Whether the checkpoint has a name with a dot behind its first n bytes. */
static bool find_dotted(const struct dots_run *r, const struct leaf *leaf,
                        size_t n, uint32_t *index)
{
    struct text name = {0};
    bool found;
    text_str(&name, str_cut(leaf->name, 0, n));
    text_str(&name, str_c("."));
    text_str(&name, str_cut(leaf->name, n, leaf->name.n));
    found = checkpoint_find(r->c, leaf->file, text_view(&name), index);
    text_release(&name);
    return found && !r->claimed[*index];
}

static void count(const struct dots_run *r, struct seam *s)
{
    s->have = s->missing = 0;
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        const struct leaf *leaf = r->m->leaves[i];
        uint32_t index;
        if (!is_missing(r, leaf) || leaf->counter || !is_behind(leaf, s))
            continue;
        s->missing++;
        s->have += find_dotted(r, leaf, s->text.n, &index);
    }
}

static bool find_seam(const struct dots_run *r, const struct leaf *leaf,
                      struct seam *out, size_t *effort)
{
    *out = (struct seam){.first = leaf};
    for (size_t n = leaf->prefix; n > 0 && *effort < MAX_EFFORT; n--) {
        uint32_t index;
        ++*effort;
        if (!find_dotted(r, leaf, n, &index))
            continue;
        *effort += r->m->leaf_count / 16;
        out->text = str_cut(leaf->name, 0, n);
        count(r, out);
        if (n == leaf->prefix ||
            (out->have > 1 && out->have * 10 >= out->missing * 9))
            return true;
    }
    return false;
}

static void say(const struct dots_run *r, const struct seam *s)
{
    const struct leaf *first = s->first;
    const struct spec *spec = r->m->spec;
    struct str root = {0}, text = s->text;
    const char *key = "from";
    struct diag_item *item =
        diag_add(r->d, "E0309", first->where,
                 "%zu of %zu missing names behind `%.*s` are in the checkpoint "
                 "with a dot between: `%.*s.%.*s`",
                 s->have, s->missing, STR_ARG(text), STR_ARG(text),
                 STR_ARG(str_cut(first->name, text.n, first->name.n)));
    if (spec->source_count > 0)
        root = spec->sources[first->file].root;
    if (str_eq(text, root))
        key = "root";
    else if (root.n > 0 && str_begins(text, root))
        text = str_cut(text, root.n, text.n);
    if (first->where.loops != NULL)
        diag_help(r->d, item,
                  "no dot is added between `%s:` and a name: let it end in one",
                  key);
    else
        diag_help(r->d, item,
                  "no dot is added between `%s:` and a name: write `%s: %.*s.`",
                  key, key, STR_ARG(text));
}

static void settle(const struct dots_run *r, const struct seam *s)
{
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        struct leaf *leaf = r->m->leaves[i];
        uint32_t index;
        if (!is_missing(r, leaf) || !is_behind(leaf, s) ||
            !find_dotted(r, leaf, s->text.n, &index))
            continue;
        leaf->reported = true;
        r->claimed[index] = true;
    }
}

void dots_check(const struct dots_run *r)
{
    size_t effort = 0;
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        const struct leaf *leaf = r->m->leaves[i];
        struct seam s;
        if (!is_missing(r, leaf) || leaf->counter ||
            !find_seam(r, leaf, &s, &effort))
            continue;
        say(r, &s);
        settle(r, &s);
    }
    for (size_t i = 0; i < r->m->leaf_count; i++)
        if (r->m->leaves[i]->first_use->reported)
            r->m->leaves[i]->reported = true;
}
