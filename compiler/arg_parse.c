/* SPDX-License-Identifier: MIT
 *
 * arg_parse.c - one function for each kind of argument that needs one.
 */
#include "arg_parse.h"

#include "constant_parse.h"

static bool is_decimal_byte(const struct cursor *c, uint32_t i)
{
    char b = c->src->text.p[i];
    char before = i > c->at ? c->src->text.p[i - 1] : '\0';
    if (b == '+' || b == '-')
        return i == c->at || before == 'e' || before == 'E';
    return (b >= '0' && b <= '9') || b == '.' || b == 'e' || b == 'E';
}

/* A number with a point or an exponent. */
static bool read_decimal(struct cursor *c, struct arg *arg)
{
    struct str text;
    uint32_t i;
    cursor_peek(c);
    for (i = c->at; i < c->end && is_decimal_byte(c, i);)
        i++;
    text = str_cut(c->src->text, c->at, i);
    if (!decimal_parse(text, &arg->decimal)) {
        if (decimal_is(text)) {
            struct span at = {c->src, c->at, i};
            diag_add(c->d, "E0201", diag_at(at),
                     "`%.*s` is no finite binary64, or rounds to 0",
                     STR_ARG(text));
            c->failed = true;
        }
        return false;
    }
    arg->id = text;
    c->at = i;
    return true;
}

static void axis_add(struct cursor *c, struct arg *arg, size_t *capacity,
                     struct axis_expr x)
{
    if (arg->axis_count == *capacity)
        arg->axes = arena_grow(c->a, arg->axes, sizeof *arg->axes,
                               arg->axis_count, capacity);
    arg->axes[arg->axis_count++] = x;
}

/* a * b * ... -> c */
static bool read_merge(struct cursor *c, struct arg *arg)
{
    size_t capacity = 0;
    do {
        struct axis_expr x = {0};
        if (!cursor_id(c, &x.id, &x.at))
            return false;
        axis_add(c, arg, &capacity, x);
    } while (cursor_take(c, "*"));
    return cursor_expect(c, "->") && cursor_id(c, &arg->id, &arg->id_at);
}

/* c -> a=n * b=m * ... */
static bool read_unmerge(struct cursor *c, struct arg *arg)
{
    size_t capacity = 0;
    if (!cursor_id(c, &arg->id, &arg->id_at) || !cursor_expect(c, "->"))
        return false;
    do {
        struct axis_expr x = {0};
        if (!cursor_id(c, &x.id, &x.at) || !cursor_expect(c, "="))
            return false;
        x.size = cursor_size(c);
        if (c->failed)
            return false;
        axis_add(c, arg, &capacity, x);
    } while (cursor_take(c, "*"));
    return true;
}

/* Another word is left where it stands, for the finding. */
static bool read_yes_no(struct cursor *c, struct arg *arg)
{
    struct cursor try = *c;
    if (!cursor_id(&try, &arg->id, &arg->id_at) ||
        !(str_is(arg->id, "yes") || str_is(arg->id, "no")))
        return false;
    *c = try;
    return true;
}

struct range arg_parse_range(struct cursor *c)
{
    struct range r = {0};
    cursor_peek(c);
    r.at = (struct span){c->src, c->at, c->at};
    r.lo = cursor_expr(c, false);
    if (cursor_take(c, ".."))
        r.hi = cursor_expr(c, false);
    r.at.end = c->at;
    return r;
}

bool arg_parse(struct cursor *c, enum arg_kind kind, struct arg *arg)
{
    switch (kind) {
    case ARG_RANGE:
        arg->range = cursor_range(c);
        return !c->failed;
    case ARG_INTEGER:
        arg->expr = cursor_expr(c, false);
        return !c->failed;
    case ARG_DECIMAL:
        return read_decimal(c, arg);
    case ARG_TYPED_STEM:
        arg->name = cursor_name(c);
        if (arg->name == NULL)
            return false;
        arg->type = cursor_type(c);
        return arg->type.given && !c->failed;
    case ARG_STEM:
    case ARG_TARGET:
        arg->name = cursor_name(c);
        return arg->name != NULL;
    case ARG_MERGE:
        return read_merge(c, arg);
    case ARG_UNMERGE:
        return read_unmerge(c, arg);
    case ARG_YES_NO:
        return read_yes_no(c, arg);
    default:
        return cursor_id(c, &arg->id, &arg->id_at);
    }
}
