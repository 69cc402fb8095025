/* SPDX-License-Identifier: MIT
 *
 * origin.c - looks words up in the scopes that expansion left behind.
 */
#include "origin.h"

#include <inttypes.h>

#define MAX_LABELS 4

const struct binding *origin_find(const struct binding *scope, struct str word)
{
    while (scope != NULL && !str_eq(scope->name, word))
        scope = scope->outer;
    return scope;
}

const struct binding *origin_of(const struct binding *scope,
                                const struct diag_binding *loops,
                                struct str word)
{
    const struct binding *b = origin_find(scope, word), *from;
    for (; loops != NULL; loops = loops->outer)
        if (str_eq(loops->name, word))
            return NULL;
    while (b != NULL && b->expr != NULL && b->expr->kind == EXPR_ID &&
           (from = origin_find(b->expr_scope, b->expr->id)) != NULL)
        b = from;
    return b;
}

struct span origin_at(const struct binding *b)
{
    return b->given_at.src != NULL ? b->given_at : b->at;
}

struct labels {
    struct diag *d;
    struct diag_item *item;
    const struct binding *scope;
    const struct diag_binding *loops;
    const struct binding *said[MAX_LABELS];
    size_t n;
};

static void label_word(struct labels *l, struct str word)
{
    const struct binding *b = origin_of(l->scope, l->loops, word);
    for (size_t i = 0; i < l->n; i++)
        if (l->said[i] == b)
            return;
    if (b == NULL || l->n == MAX_LABELS)
        return;
    l->said[l->n++] = b;
    if (b->kind == BIND_TABLE)
        diag_label(l->d, l->item, origin_at(b), "the table `%.*s`",
                   STR_ARG(word));
    else if (b->kind == BIND_NUMBER && str_eq(b->name, word))
        diag_label(l->d, l->item, origin_at(b), "%.*s = %" PRId64,
                   STR_ARG(word), b->number);
    else if (b->kind == BIND_NUMBER)
        diag_label(l->d, l->item, origin_at(b), "%.*s = %" PRId64 ", as `%.*s`",
                   STR_ARG(b->name), b->number, STR_ARG(word));
}

static void label_all(struct labels *l, const struct expr *e)
{
    if (e == NULL)
        return;
    if (e->kind == EXPR_ID || e->kind == EXPR_INDEX)
        label_word(l, e->id);
    label_all(l, e->a);
    label_all(l, e->b);
}

void origin_label(struct diag *d, struct diag_item *item,
                  const struct binding *scope, const struct diag_where *where,
                  const struct expr *e)
{
    struct labels l = {
        .d = d, .item = item, .scope = scope, .loops = where->loops};
    label_all(&l, e);
}

void origin_label_type(struct diag *d, struct diag_item *item,
                       const struct binding *scope,
                       const struct diag_where *where,
                       const struct type_expr *type)
{
    struct labels l = {
        .d = d, .item = item, .scope = scope, .loops = where->loops};
    for (size_t i = 0; i < type->rank; i++)
        label_all(&l, type->axes[i].size);
}
