/* SPDX-License-Identifier: MIT
 *
 * sources.c - who declares a source, who says it, and that somebody does.
 */
#include "sources.h"

#include "cursor.h"
#include "meta.h"
#include "pins.h"
#include "suggest.h"

/* --- reading --- */

static void source_root(struct parser *p, const struct node *n, void *into)
{
    ((struct source_spec *)into)->root_as = cursor_whole_name(p->a, p->d, n);
}

static const struct field source_fields[] = {
    {"root", false, source_root},
    {"sha256", false, pins_read},
};

void sources_read(struct parser *p, const struct node *n, void *into)
{
    struct spec *s = p->spec;
    (void)into;
    if (!field_is_map(p, n))
        return;
    s->sources = arena_new(p->a, struct source_spec, n->count);
    for (size_t i = 0; i < n->count; i++) {
        struct source_spec *x = &s->sources[s->source_count];
        if (!field_is_identifier(p, n->keys[i]))
            continue;
        x->id = n->keys[i]->text;
        x->at = n->keys[i]->raw;
        s->source_count++;
        fields_read(p, n->items[i], "a source", source_fields,
                    FIELD_COUNT(source_fields), x);
    }
    if (n->count == 0)
        diag_add(p->d, "E0316", diag_at(n->at), "`sources:` declares none");
}

/* --- looking up --- */

uint32_t sources_count(const struct spec *s)
{
    return s->source_count > 0 ? (uint32_t)s->source_count : 1;
}

struct str sources_id(const struct spec *s, uint32_t number)
{
    return s->source_count > 0 ? s->sources[number].id : str_c("main");
}

struct span sources_at(const struct spec *s, uint32_t number)
{
    return s->source_count > 0 ? s->sources[number].at : s->model_at;
}

uint32_t sources_find(const struct spec *s, struct str id)
{
    uint32_t n = sources_count(s);
    if (id.n == 0)
        return n == 1 ? 0 : NO_SOURCE;
    for (uint32_t i = 0; i < n; i++)
        if (str_eq(sources_id(s, i), id))
            return i;
    return NO_SOURCE;
}

struct str sources_list(struct arena *a, const struct spec *s)
{
    struct str list = {0};
    for (uint32_t i = 0; i < sources_count(s); i++)
        list = arena_format(a, "%.*s%s`%.*s`", STR_ARG(list), i > 0 ? ", " : "",
                            STR_ARG(sources_id(s, i)));
    return list;
}

static struct str join(struct arena *a, struct str x, struct str y)
{
    char *p = arena_take(a, 1, x.n + y.n + 1);
    if (x.n > 0)
        memcpy(p, x.p, x.n);
    if (y.n > 0)
        memcpy(p + x.n, y.p, y.n);
    return (struct str){p, x.n + y.n};
}

struct str sources_name(struct arena *a, const struct spec *s, uint32_t number,
                        struct str name)
{
    if (s->source_count == 0)
        return name;
    return join(a, join(a, s->sources[number].id, str_c(":")), name);
}

void sources_put(struct text *t, const struct spec *s, uint32_t number,
                 struct str name)
{
    if (s->source_count > 0) {
        text_str(t, s->sources[number].id);
        text_c(t, ":");
    }
    meta_word(t, name);
}

/* --- roots --- */

void sources_json(struct text *t, const struct spec *s, uint32_t number)
{
    if (s->source_count > 0)
        meta_string(t, sources_id(s, number));
    else
        text_c(t, "null");
}

void sources_evaluate(const struct scope *scope, struct spec *s)
{
    for (size_t i = 0; i < s->source_count; i++)
        scope_name(scope, (struct str){0}, s->sources[i].root_as,
                   &s->sources[i].root);
}

struct str sources_root(struct arena *a, const struct spec *s,
                        const struct overrides *say, struct str from)
{
    uint32_t number = sources_find(s, say->source);
    if (s->source_count == 0 || number == NO_SOURCE ||
        s->sources[number].root.n == 0)
        return from;
    return join(a, s->sources[number].root, from);
}

/* --- E0316 --- */

static void say_unknown(const struct scope *scope, const struct spec *s,
                        const struct block *b)
{
    struct str *ids = arena_new(scope->a, struct str, sources_count(s)), near;
    struct diag_item *item =
        diag_add(scope->d, "E0316", scope_where(scope, b->say.source_at),
                 "no source is called `%.*s`", STR_ARG(b->say.source));
    for (uint32_t i = 0; i < sources_count(s); i++)
        ids[i] = sources_id(s, i);
    near = suggest_nearest(b->say.source, ids, sources_count(s));
    if (s->source_count == 0)
        diag_help(scope->d, item,
                  "declare it in `sources:`; without that key there is only "
                  "`main`");
    else if (near.n > 0)
        diag_help(scope->d, item, "did you mean `%.*s`?", STR_ARG(near));
    else
        diag_help(scope->d, item, "`sources:` has %.*s",
                  STR_ARG(sources_list(scope->a, s)));
}

static void say_none_said(const struct scope *scope, const struct spec *s,
                          struct span at)
{
    struct diag_item *item =
        diag_add(scope->d, "E0316", scope_where(scope, at),
                 "no `source:` around this, and `sources:` has %.*s",
                 STR_ARG(sources_list(scope->a, s)));
    diag_help(scope->d, item,
              "write `source: %.*s` or another on this block or one around it",
              STR_ARG(sources_id(s, 0)));
}

void sources_check_block(const struct scope *scope, const struct spec *s,
                         const struct block *b, const struct overrides *say)
{
    if (b->say.source.n > 0 && sources_find(s, b->say.source) == NO_SOURCE)
        say_unknown(scope, s, b);
    if (say->source.n > 0 || sources_count(s) == 1)
        return;
    for (size_t i = 0; i < b->entry_count; i++) {
        const struct entry *e = &b->entries[i];
        if (e->kind == ENTRY_TENSOR && e->value.term->op == OP_ALIAS)
            continue;
        say_none_said(scope, s,
                      e->kind == ENTRY_SPLIT ? e->split->source->at
                                             : e->name->at);
        return;
    }
}

void sources_check_used(struct arena *a, struct diag *d, const struct model *m)
{
    bool *used = arena_new(a, bool, sources_count(m->spec));
    for (size_t i = 0; i < m->leaf_count; i++)
        used[m->leaves[i]->file] = true;
    for (size_t i = 0; i < m->subtree_count; i++)
        used[m->subtrees[i].file] = true;
    for (size_t i = 0; i < m->spec->source_count; i++)
        if (!used[i])
            diag_add(d, "E0316", diag_at(m->spec->sources[i].at),
                     "nothing is taken or dropped from source `%.*s`",
                     STR_ARG(m->spec->sources[i].id));
}
