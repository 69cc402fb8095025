/* SPDX-License-Identifier: MIT
 *
 * fields.c - tables of fields, and the small readers that all maps share.
 */
#include "fields.h"

#include "cursor.h"
#include "suggest.h"

#define FEW_KEYS 4 /* of a map whose keys are listed for whoever misses one */

static struct str list_keys(struct arena *a, const struct str *names,
                            size_t count)
{
    struct str s = {0};
    for (size_t i = 0; i < count; i++)
        s = arena_format(a, "%.*s%s`%.*s`", STR_ARG(s), i > 0 ? ", " : "",
                         STR_ARG(names[i]));
    return s;
}

static void unknown_key(struct parser *p, const struct node *key,
                        const char *what, const struct field *fields,
                        size_t count)
{
    struct str *names = arena_new(p->a, struct str, count), near;
    struct diag_item *item =
        diag_add(p->d, "E0103", diag_at(key->at), "unknown key `%.*s` in %s",
                 STR_ARG(key->text), what);
    for (size_t i = 0; i < count; i++)
        names[i] = str_c(fields[i].name);
    near = suggest_nearest(key->text, names, count);
    if (near.n > 0)
        diag_fix(p->d, item, &(struct diag_edit){key->at, near, false},
                 "did you mean `%.*s`?", STR_ARG(near));
    else if (count <= FEW_KEYS)
        diag_help(p->d, item, "%s has %.*s", what,
                  STR_ARG(list_keys(p->a, names, count)));
}

static void missing_keys(struct parser *p, const struct node *n,
                         const char *what, const struct field *fields,
                         size_t count)
{
    struct span first = n->at;
    if (n->count > 0)
        first = n->keys[0]->at;
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < n->count && !str_is(n->keys[k]->text, fields[i].name))
            k++;
        if (fields[i].required && k == n->count)
            diag_add(p->d, "E0104", diag_at(first), "%s needs `%s:`", what,
                     fields[i].name);
    }
}

static bool seen_before(const struct node *n, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (str_eq(n->keys[k]->text, n->keys[i]->text))
            return true;
    return false;
}

void fields_read(struct parser *p, const struct node *n, const char *what,
                 const struct field *fields, size_t count, void *into)
{
    if (n->kind != NODE_MAP) {
        diag_add(p->d, "E0110", diag_at(n->at), "%s is a map of keys", what);
        return;
    }
    for (size_t i = 0; i < n->count; i++) {
        size_t k = 0;
        while (k < count && !str_is(n->keys[i]->text, fields[k].name))
            k++;
        if (k == count)
            unknown_key(p, n->keys[i], what, fields, count);
        else if (!seen_before(n, i))
            fields[k].read(p, n->items[i], into);
    }
    missing_keys(p, n, what, fields, count);
}

bool field_is_text(struct parser *p, const struct node *n)
{
    if (n->kind == NODE_SCALAR)
        return true;
    diag_add(p->d, "E0110", diag_at(n->at), "a single text is needed here");
    return false;
}

bool field_is_list(struct parser *p, const struct node *n)
{
    if (n->kind == NODE_LIST)
        return true;
    diag_add(p->d, "E0110", diag_at(n->at), "a list is needed here");
    return false;
}

bool field_is_map(struct parser *p, const struct node *n)
{
    if (n->kind == NODE_MAP)
        return true;
    diag_add(p->d, "E0110", diag_at(n->at), "a map of keys is needed here");
    return false;
}

bool field_is_identifier(struct parser *p, const struct node *n)
{
    if (!field_is_text(p, n))
        return false;
    if (is_identifier(n->text))
        return true;
    diag_add(p->d, "E0201", diag_at(n->at),
             "expected an identifier, found `%.*s`", STR_ARG(n->text));
    return false;
}

bool field_is_uncut(struct parser *p, const struct node *n, const char *what)
{
    const struct source *src = n->at.src;
    struct diag_item *item;
    struct str line;
    uint32_t number, column, from;
    source_position(src, n->at.end, &number, &column);
    line = source_line(src, number);
    from = n->at.end - (uint32_t)(line.p - src->text.p);
    if (n->style != STYLE_PLAIN || from > line.n)
        return true;
    line = str_cut(line, from, line.n);
    while (line.n > 0 && line.p[0] == ' ')
        line = str_cut(line, 1, line.n);
    if (line.n == 0 || line.p[0] != '#')
        return true;
    item = diag_add(p->d, "E0109", diag_at(n->at), "YAML cuts this %s at ` #`",
                    what);
    diag_help(p->d, item,
              "put the %s in quotes, or the comment on a line of its own",
              what);
    return false;
}

uint64_t field_number(struct parser *p, const struct node *n, uint64_t lo,
                      uint64_t hi)
{
    uint64_t v = 0;
    size_t i = 0;
    if (!field_is_text(p, n))
        return 0;
    for (; i < n->text.n && n->text.p[i] >= '0' && n->text.p[i] <= '9'; i++) {
        uint64_t digit = (uint64_t)(n->text.p[i] - '0');
        if (v > (UINT64_MAX - digit) / 10)
            break;
        v = v * 10 + digit;
    }
    if (n->text.n > 0 && i == n->text.n && v >= lo && v <= hi)
        return v;
    diag_add(p->d, "E0111", diag_at(n->at),
             "a whole number from %llu to %llu is needed here",
             (unsigned long long)lo, (unsigned long long)hi);
    return 0;
}

/* Whether a path stays inside its folder: relative, no `..`. */
static bool stays_inside(struct str path)
{
    size_t from = 0;
    if (path.n == 0 || path.p[0] == '/')
        return false;
    for (size_t i = 0; i <= path.n; i++) {
        if (i < path.n && path.p[i] != '/')
            continue;
        if (str_is(str_cut(path, from, i), ".."))
            return false;
        from = i + 1;
    }
    return true;
}

static struct str beside(struct arena *a, struct str path, struct str name)
{
    struct str s = str_folder(path);
    size_t from = 0;
    for (size_t i = 0; i <= name.n; i++) {
        struct str part = str_cut(name, from, i);
        if (i < name.n && name.p[i] != '/')
            continue;
        from = i + 1;
        if (part.n > 0 && !str_is(part, "."))
            s = arena_format(a, "%.*s%s%.*s", STR_ARG(s),
                             s.n == 0 || s.p[s.n - 1] == '/' ? "" : "/",
                             STR_ARG(part));
    }
    return arena_str(a, s);
}

struct str field_path(struct parser *p, const struct node *n, const char *what)
{
    if (stays_inside(n->text))
        return beside(p->a, p->file->source.path, n->text);
    diag_add(p->d, "E0111", diag_at(n->at),
             "%s, or below: no `..`, no leading `/`", what);
    return (struct str){0};
}

static void definition_table(struct parser *p, const struct node *n,
                             struct definition *def)
{
    def->is_table = true;
    def->exprs = arena_new(p->a, const struct expr *, n->count);
    def->count = n->count;
    for (size_t i = 0; i < n->count; i++)
        def->exprs[i] = cursor_whole_expr(p->a, p->d, n->items[i], false);
}

struct definition *field_definitions(struct parser *p, const struct node *n,
                                     bool tables, size_t *count)
{
    struct definition *defs;
    *count = 0;
    if (!field_is_map(p, n))
        return NULL;
    defs = arena_new(p->a, struct definition, n->count);
    for (size_t i = 0; i < n->count; i++) {
        struct definition *def = &defs[*count];
        if (!field_is_identifier(p, n->keys[i]))
            continue;
        def->id = n->keys[i]->text;
        def->at = n->keys[i]->raw;
        ++*count;
        if (tables && n->items[i]->kind == NODE_LIST) {
            definition_table(p, n->items[i], def);
            continue;
        }
        def->exprs = arena_new(p->a, const struct expr *, 1);
        def->exprs[0] = cursor_whole_expr(p->a, p->d, n->items[i], false);
        def->count = 1;
    }
    return defs;
}
