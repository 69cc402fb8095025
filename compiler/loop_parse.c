/* SPDX-License-Identifier: MIT
 *
 * loop_parse.c - ranges are expressions, lists are integers or words.
 */
#include "loop_parse.h"

#include "cursor.h"

static bool is_word(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_name_byte(s.p[i]))
            return false;
    return true;
}

/* -?[0-9]+ that fits in 64 bits. */
static bool as_integer(struct str s, int64_t *out)
{
    size_t i = s.n > 0 && s.p[0] == '-';
    bool negative = i == 1;
    int64_t v = 0;
    if (i == s.n)
        return false;
    for (; i < s.n; i++) {
        int digit = s.p[i] - '0';
        if (digit < 0 || digit > 9 || v > (INT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *out = negative ? -v : v;
    return true;
}

/* Digits that as_integer found too many. */
static bool is_long_number(struct str s)
{
    size_t i = s.n > 0 && s.p[0] == '-';
    if (i == s.n)
        return false;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    return i == s.n;
}

static void loop_list(struct parser *p, const struct node *n, struct loop *l)
{
    l->items = arena_new(p->a, struct loop_item, n->count);
    l->count = n->count;
    for (size_t i = 0; i < n->count; i++) {
        const struct node *x = n->items[i];
        if (!field_is_text(p, x))
            continue;
        l->items[i].word = x->text;
        l->items[i].is_word = !as_integer(x->text, &l->items[i].number);
        if (l->items[i].is_word && is_long_number(x->text))
            diag_add(p->d, "E0213", diag_at(x->at),
                     "the number does not fit in 64 bits");
        if (l->items[i].is_word && !is_word(x->text))
            diag_add(p->d, "E0201", diag_at(x->at),
                     "a list holds integers or words of [A-Za-z0-9_.-]");
    }
    if (n->count == 0)
        diag_add(p->d, "E0205", diag_at(n->at), "the list is empty");
}

/* What `L` and `range(L)` are in this language. */
static void help_range(struct parser *p, const struct node *n)
{
    struct str s = n->text, lo = str_c("0");
    const char *comma;
    for (size_t i = 0; i + 1 < s.n; i++)
        if (s.p[i] == '.' && s.p[i + 1] == '.')
            return;
    if (str_begins(s, str_c("range(")) && str_ends(s, ")"))
        s = str_cut(s, strlen("range("), s.n - 1);
    comma = s.n > 0 ? memchr(s.p, ',', s.n) : NULL;
    if (comma != NULL) {
        lo = str_cut(s, 0, (size_t)(comma - s.p));
        s = str_cut(s, lo.n + 1, s.n);
    }
    while (s.n > 0 && s.p[0] == ' ')
        s = str_cut(s, 1, s.n);
    if (s.n > 0 && memchr(s.p, ',', s.n) == NULL && is_name_byte(s.p[0]) &&
        is_name_byte(s.p[s.n - 1]))
        diag_help(p->d, p->d->last, "write `%.*s..%.*s`", STR_ARG(lo),
                  STR_ARG(s));
}

static void loop_range(struct parser *p, const struct node *n, struct loop *l)
{
    struct cursor c = cursor_open(p->a, p->d, n);
    uint64_t before = p->d->errors;
    l->is_range = true;
    l->range = cursor_range(&c);
    cursor_finish(&c);
    if (p->d->errors != before)
        help_range(p, n);
}

struct loop *loop_parse(struct parser *p, const struct node *n, size_t *count)
{
    struct loop *loops;
    *count = 0;
    if (!field_is_map(p, n))
        return NULL;
    loops = arena_new(p->a, struct loop, n->count);
    for (size_t i = 0; i < n->count; i++) {
        struct loop *l = &loops[*count];
        if (!field_is_identifier(p, n->keys[i]))
            continue;
        l->id = n->keys[i]->text;
        l->at = n->keys[i]->raw;
        ++*count;
        if (n->items[i]->kind == NODE_LIST)
            loop_list(p, n->items[i], l);
        else
            loop_range(p, n->items[i], l);
    }
    return loops;
}

bool loop_in_expr(const struct expr *e, struct str id)
{
    if (e == NULL)
        return false;
    return ((e->kind == EXPR_ID || e->kind == EXPR_INDEX) &&
            str_eq(e->id, id)) ||
           loop_in_expr(e->a, id) || loop_in_expr(e->b, id);
}

bool loop_in_name(const struct name *n, struct str id)
{
    for (size_t i = 0; n != NULL && i < n->count; i++)
        if (loop_in_expr(n->parts[i].expr, id))
            return true;
    return false;
}
