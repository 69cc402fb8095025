/* SPDX-License-Identifier: MIT
 *
 * draft_names.c - quotes, and members where a source's name is none.
 *
 * members.c knows what a component may be; here are the rules between
 * siblings: names and indices do not mix, a tensor is no prefix.
 */
#include "draft_names.h"

#include "members.h"

/* --- spelling --- */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

bool draft_can_write(struct str bytes)
{
    struct arena scratch = {0};
    struct source s;
    uint32_t at;
    bool ok;
    if (bytes.n == 0)
        return true;
    ok = memchr(bytes.p, '\'', bytes.n) == NULL &&
         memchr(bytes.p, '\n', bytes.n) == NULL &&
         memchr(bytes.p, '\r', bytes.n) == NULL &&
         source_from_text(&scratch, (struct str){0}, bytes, &s, &at) ==
             SOURCE_OK;
    arena_release(&scratch);
    return ok;
}

struct draft_name draft_join(struct arena *a, struct draft_name name,
                             struct str bytes)
{
    struct text t = {0};
    text_str(&t, name.text);
    for (size_t i = 0; i < bytes.n; i++) {
        name.quoted = name.quoted || !is_plain(bytes.p[i]);
        if (memchr("\"\\{", bytes.p[i], 3) != NULL)
            text_c(&t, "\\");
        text_str(&t, str_cut(bytes, i, i + 1));
    }
    name.text = arena_str(a, text_view(&t));
    text_release(&t);
    return name;
}

struct draft_name draft_join_variable(struct arena *a, struct draft_name name,
                                      struct str variable)
{
    name.text =
        arena_format(a, "%.*s{%.*s}", STR_ARG(name.text), STR_ARG(variable));
    return name;
}

void draft_scalar(struct text *t, struct draft_name name, struct str behind)
{
    bool quoted = name.quoted || name.text.n == 0;
    const char *yaml = quoted ? "'" : name.text.p[0] == '{' ? "\"" : "";
    text_c(t, yaml);
    text_c(t, quoted ? "\"" : "");
    text_str(t, name.text);
    text_c(t, quoted ? "\"" : "");
    text_str(t, behind);
    text_c(t, yaml);
}

/* --- targets --- */

/* Whether `x.COMPONENT`, or COMPONENT where it is the first, is a member. */
static bool is_member(struct arena *a, struct str component, bool first)
{
    struct str bad;
    struct str name =
        first ? component : arena_format(a, "x.%.*s", STR_ARG(component));
    return component.n > 0 && component.n < TTSB_MAX_NAME / 2 &&
           memchr(component.p, '.', component.n) == NULL &&
           members_fault(name, &bad) == NULL;
}

/* An identifier that looks like a component. */
static struct str like(struct arena *a, struct str component)
{
    size_t n = component.n < 100 ? component.n : 100;
    char *p = arena_take(a, 1, n + 2);
    size_t k = 0;
    if (n == 0 || (component.p[0] >= '0' && component.p[0] <= '9'))
        p[k++] = '_';
    for (size_t i = 0; i < n; i++) {
        char c = component.p[i];
        p[k++] = is_plain(c) && c != '.' && c != '-' ? c : '_';
    }
    return (struct str){p, k};
}

/* `wish`, or it with as many `_` behind it as no sibling has; behind an `n`
 * where what it begins with is C's or ttsb.h's: `__`, `ttsb_`. */
static struct str claim(struct arena *a, struct nametab *taken, struct str wish)
{
    uint32_t none = 0;
    while (!is_member(a, wish, false) || !nametab_add(a, taken, wish, &none)) {
        struct str longer = arena_format(a, "%.*s_", STR_ARG(wish));
        wish = is_member(a, longer, false)
                   ? longer
                   : arena_format(a, "n%.*s", STR_ARG(wish));
    }
    return wish;
}

/* Whether a sibling's name is `prefix` and an index. */
static bool in_the_way(const struct name_node *parent, struct str prefix)
{
    uint64_t index;
    for (size_t i = 0; i < parent->count; i++) {
        struct str c = parent->children[i]->component;
        if (str_begins(c, prefix) &&
            str_is_index(str_cut(c, prefix.n, c.n), &index))
            return true;
    }
    return false;
}

static struct str index_prefix(struct arena *a, const struct name_node *parent)
{
    struct str prefix = str_c("n");
    while (in_the_way(parent, prefix))
        prefix = arena_format(a, "%.*s_", STR_ARG(prefix));
    return prefix;
}

void draft_targets_make(struct arena *a, const struct name_node *parent,
                        bool is_root, struct draft_targets *out)
{
    struct nametab taken = {0};
    bool own = parent->tensor != NAMETREE_NO_TENSOR, names = own || is_root;
    *out =
        (struct draft_targets){.of = arena_new(a, struct str, parent->count)};
    for (size_t i = 0; i < parent->count; i++)
        names = names || !parent->children[i]->is_index;
    out->index_was = names ? index_prefix(a, parent).p : NULL;
    for (size_t i = 0; i < parent->count; i++) {
        const struct name_node *c = parent->children[i];
        if (c->is_index)
            out->of[i] = names ? str_c(out->index_was) : (struct str){0};
        else if (is_member(a, c->component, is_root))
            out->of[i] = claim(a, &taken, c->component);
    }
    for (size_t i = 0; i < parent->count; i++) {
        const struct name_node *c = parent->children[i];
        if (!c->is_index && out->of[i].n == 0)
            out->of[i] = claim(a, &taken, like(a, c->component));
    }
    if (own)
        out->own = claim(a, &taken, str_c("value"));
}
