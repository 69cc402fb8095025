/* SPDX-License-Identifier: MIT
 *
 * scope.c - looks names up and does checked integer arithmetic.
 */
#include "scope.h"

#include <inttypes.h>

#include "suggest.h"

#define MAX_EXPANDED_NAME 65535
#define FEW_PARTS 24

const struct binding *scope_find(const struct scope *s, struct str name)
{
    const struct binding *b = s->top;
    while (b != NULL && !str_eq(b->name, name))
        b = b->outer;
    if (b != NULL && b->used != NULL)
        *b->used = true;
    return b;
}

struct diag_where scope_where(const struct scope *s, struct span at)
{
    return (struct diag_where){at, s->use, s->loops};
}

void scope_define(struct scope *s, struct binding b)
{
    const struct binding *old = scope_find(s, b.name);
    struct binding *fresh = arena_new(s->a, struct binding, 1);
    if (old != NULL) {
        struct diag_item *item =
            diag_add(s->d, "E0208", (struct diag_where){b.at, s->use, NULL},
                     "`%.*s` shadows an outer name", STR_ARG(b.name));
        diag_label(s->d, item, old->at, "defined here");
        if (b.used != NULL && old->used == NULL) /* only parameters count */
            diag_help(s->d, item,
                      "give the parameter another name; the user writes "
                      "`with: {NAME: %.*s}`",
                      STR_ARG(b.name));
    }
    *fresh = b;
    fresh->outer = s->top;
    s->top = fresh;
}

/* The word of an identifier, without its index. */
static struct span id_span(const struct expr *e)
{
    struct span at = e->at;
    at.end = at.begin + (uint32_t)e->id.n;
    return at;
}

static void undefined(const struct scope *s, const struct expr *e)
{
    struct str names[64], near;
    size_t n = 0;
    struct diag_item *item = diag_add(s->d, "E0202", scope_where(s, e->at),
                                      "`%.*s` is not defined", STR_ARG(e->id));
    for (const struct binding *b = s->top; b != NULL && n < 64; b = b->outer)
        names[n++] = b->name;
    near = suggest_nearest(e->id, names, n);
    if (near.n > 0)
        diag_fix(s->d, item, &(struct diag_edit){id_span(e), near, false},
                 "did you mean `%.*s`?", STR_ARG(near));
}

static bool lookup(const struct scope *s, const struct expr *e, int64_t *out)
{
    const struct binding *b = scope_find(s, e->id);
    int64_t i = 0;
    if (b == NULL) {
        undefined(s, e);
        return false;
    }
    if (b->kind == BIND_BROKEN)
        return false;
    if (e->kind == EXPR_INDEX && !scope_eval(s, e->a, &i))
        return false;
    if ((e->kind == EXPR_INDEX) != (b->kind == BIND_TABLE) ||
        b->kind == BIND_WORD) {
        diag_add(s->d, "E0217", scope_where(s, e->at), "`%.*s` is a %s",
                 STR_ARG(e->id),
                 b->kind == BIND_TABLE  ? "table: write an index behind it"
                 : b->kind == BIND_WORD ? "word, not a number"
                                        : "number: it takes no index");
        return false;
    }
    if (b->kind == BIND_NUMBER) {
        *out = b->number;
        return true;
    }
    if (i < 0 || (uint64_t)i >= b->count) {
        struct diag_item *item = diag_add(
            s->d, "E0204", scope_where(s, e->at),
            "index %" PRId64 " is out of range for `%.*s` (%zu entries)", i,
            STR_ARG(e->id), b->count);
        diag_label(s->d, item, b->at, "defined here");
        return false;
    }
    *out = b->table[i];
    return true;
}

static bool overflow(const struct scope *s, const struct expr *e, int64_t a,
                     int64_t b)
{
    diag_add(s->d, "E0213", scope_where(s, e->at),
             "the result of %" PRId64 " and %" PRId64
             " does not fit in 64 bits",
             a, b);
    return false;
}

static bool power(int64_t a, int64_t b, int64_t *out)
{
    int64_t r = 1;
    bool ok = true;
    if (a == 0 || a == 1 || a == -1)
        b = b > 1 ? 2 - b % 2 : b; /* same parity, at most two steps */
    for (; b > 0 && ok; b--)
        ok = !__builtin_mul_overflow(r, a, &r);
    *out = r;
    return ok;
}

static bool divide(const struct scope *s, const struct expr *e, int64_t a,
                   int64_t b, int64_t *out)
{
    int64_t q, r;
    if (b == 0) {
        diag_add(s->d, "E0215", scope_where(s, e->at), "division by zero");
        return false;
    }
    if (a == INT64_MIN && b == -1)
        return overflow(s, e, a, b);
    q = a / b;
    r = a % b;
    if (e->kind == EXPR_DIV && r != 0) {
        struct diag_item *item = diag_add(
            s->d, "E0214", scope_where(s, e->at),
            "`/` is exact: %" PRId64 " / %" PRId64 " leaves %" PRId64, a, b, r);
        diag_help(s->d, item, "`//` rounds down; is the size odd on purpose?");
        return false;
    }
    if (e->kind == EXPR_MOD)
        *out = r < 0 ? (b < 0 ? r - b : r + b) : r;
    else
        *out = r != 0 && (r < 0) != (b < 0) ? q - 1 : q;
    return true;
}

static bool raise_power(const struct scope *s, const struct expr *e, int64_t a,
                        int64_t b, int64_t *out)
{
    if (b < 0) {
        diag_add(s->d, "E0215", scope_where(s, e->at), "negative exponent");
        return false;
    }
    return power(a, b, out) || overflow(s, e, a, b);
}

static bool arithmetic(const struct scope *s, const struct expr *e, int64_t a,
                       int64_t b, int64_t *out)
{
    switch (e->kind) {
    case EXPR_ADD:
        return !__builtin_add_overflow(a, b, out) || overflow(s, e, a, b);
    case EXPR_SUB:
        return !__builtin_sub_overflow(a, b, out) || overflow(s, e, a, b);
    case EXPR_MUL:
        return !__builtin_mul_overflow(a, b, out) || overflow(s, e, a, b);
    case EXPR_POW:
        return raise_power(s, e, a, b, out);
    case EXPR_EQ:
        *out = a == b;
        return true;
    case EXPR_NE:
        *out = a != b;
        return true;
    case EXPR_LT:
        *out = a < b;
        return true;
    case EXPR_LE:
        *out = a <= b;
        return true;
    case EXPR_GT:
        *out = a > b;
        return true;
    case EXPR_GE:
        *out = a >= b;
        return true;
    case EXPR_AND:
        *out = a != 0 && b != 0;
        return true;
    default:
        return divide(s, e, a, b, out);
    }
}

bool scope_eval(const struct scope *s, const struct expr *e, int64_t *out)
{
    int64_t a = 0, b = 0;
    if (e == NULL)
        return false;
    if (e->kind == EXPR_NUMBER) {
        *out = e->number;
        return true;
    }
    if (e->kind == EXPR_ID || e->kind == EXPR_INDEX)
        return lookup(s, e, out);
    if (!scope_eval(s, e->a, &a))
        return false;
    if (e->kind == EXPR_NEGATE)
        return !__builtin_sub_overflow((int64_t)0, a, out) ||
               overflow(s, e, 0, a);
    return scope_eval(s, e->b, &b) && arithmetic(s, e, a, b, out);
}

const struct loop_run *scope_run(const struct scope *s, const struct range *r,
                                 int64_t lo, int64_t hi)
{
    struct loop_run *run = arena_new(s->a, struct loop_run, 1);
    *run = (struct loop_run){r, lo, hi, s->top, s->use, s->loops};
    return run;
}

/* The text of one part; numbers print in decimal. */
static bool part_text(const struct scope *s, const struct name_part *part,
                      struct str *out)
{
    const struct binding *b;
    int64_t v;
    if (part->expr == NULL) {
        *out = part->text;
        return true;
    }
    if (part->expr->kind == EXPR_ID) {
        b = scope_find(s, part->expr->id);
        if (b != NULL && b->kind == BIND_WORD) {
            *out = b->word;
            return true;
        }
    }
    if (!scope_eval(s, part->expr, &v))
        return false;
    *out = arena_format(s->a, "%" PRId64, v);
    return true;
}

bool scope_name(const struct scope *s, struct str prefix, const struct name *n,
                struct str *out)
{
    struct str few[FEW_PARTS], *parts = few;
    size_t count = n == NULL ? 0 : n->count, length = prefix.n;
    char *p;
    if (count + 1 > FEW_PARTS)
        parts = arena_new(s->a, struct str, count + 1);
    parts[0] = prefix;
    for (size_t i = 0; i < count; i++) {
        if (!part_text(s, &n->parts[i], &parts[i + 1]))
            return false;
        length += parts[i + 1].n;
    }
    if (length > MAX_EXPANDED_NAME) {
        diag_add(s->d, "E0111", scope_where(s, n->at),
                 "the name is longer than %d bytes", MAX_EXPANDED_NAME);
        return false;
    }
    p = arena_take(s->a, 1, length + 1);
    *out = (struct str){p, length};
    for (size_t i = 0; i <= count; i++) {
        if (parts[i].n > 0)
            memcpy(p, parts[i].p, parts[i].n);
        p += parts[i].n;
    }
    return true;
}

struct str scope_values(const struct scope *s, const struct expr *e)
{
    const struct binding *b;
    struct str x, y;
    if (e == NULL || e->kind == EXPR_NUMBER)
        return (struct str){0};
    x = scope_values(s, e->a);
    y = scope_values(s, e->b);
    if (e->kind == EXPR_ID && (b = scope_find(s, e->id)) != NULL &&
        b->kind == BIND_NUMBER)
        return arena_format(s->a, "%.*s = %" PRId64, STR_ARG(e->id), b->number);
    if (x.n == 0 || y.n == 0)
        return x.n == 0 ? y : x;
    return arena_format(s->a, "%.*s, %.*s", STR_ARG(x), STR_ARG(y));
}
