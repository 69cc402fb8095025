/* SPDX-License-Identifier: MIT
 *
 * term_parse.c - calls are read argument by argument, by signature.
 */
#include "term_parse.h"

#include "arg_parse.h"
#include "constant_parse.h"
#include "loop_parse.h"

#define MAX_CALLS 32

static const struct term *term(struct cursor *c);

struct args {
    struct arg *p;
    size_t n, capacity;
};

/* Those with a key may stand anywhere, and go behind those without. */
static void arg_add(struct cursor *c, struct args *v, struct arg arg)
{
    size_t at = v->n;
    arg.at.src = c->src;
    arg.at.end = c->at;
    if (v->n == v->capacity)
        v->p = arena_grow(c->a, v->p, sizeof *v->p, v->n, &v->capacity);
    while (at > 0 && arg.key.n == 0 && v->p[at - 1].key.n > 0)
        at--;
    memmove(&v->p[at + 1], &v->p[at], (v->n - at) * sizeof *v->p);
    v->p[at] = arg;
    v->n++;
}

/* `each j lo..hi,` in front of a term. A source may be called `each`: then a
 * type follows, and no identifier. */
static void each(struct cursor *c, struct arg *arg)
{
    struct cursor try = *c;
    struct span at;
    if (!cursor_word(&try, "each", &at) ||
        !cursor_id(&try, &arg->each, &arg->each_at) ||
        cursor_peek(&try) == '[') {
        arg->each = (struct str){0};
        return;
    }
    *c = try;
    arg->range = cursor_range(c);
    cursor_expect(c, ",");
}

/* Whether a variable stands in a name or a range of a term. */
static bool is_used(const struct term *t, struct str id)
{
    bool used = loop_in_name(t->name, id);
    for (size_t i = 0; i < t->count && !used; i++) {
        const struct arg *a = &t->args[i];
        used = loop_in_name(a->name, id) || loop_in_expr(a->range.lo, id) ||
               loop_in_expr(a->range.hi, id) || loop_in_expr(a->expr, id) ||
               (a->term != NULL && is_used(a->term, id));
    }
    return used;
}

/* Whether a term may stand once only: zeros and second readings may repeat. */
static bool is_single(const struct term *t)
{
    bool single = t->op == OP_LEAF || t->op == OP_WEIGHT_NORM ||
                  t->op == OP_SPECTRAL_NORM;
    for (size_t i = 0; i < t->count && !single && t->op != OP_ALSO; i++)
        single = t->args[i].term != NULL && is_single(t->args[i].term);
    return single;
}

static void check_each(struct cursor *c, const struct arg *arg)
{
    struct diag_item *item;
    if (arg->each.n == 0 || is_used(arg->term, arg->each) ||
        !is_single(arg->term))
        return;
    item = diag_add(c->d, "E0203", diag_at(arg->each_at),
                    "`%.*s` of `each` is never used in a name or range of its "
                    "term",
                    STR_ARG(arg->each));
    diag_note(c->d, item, "every turn would use the same source");
}

/* One argument of the given kind, behind its key if it has one. */
static void argument(struct cursor *c, struct args *v, enum arg_kind kind,
                     struct str key)
{
    struct arg arg = {.kind = kind, .key = key};
    bool ok;
    cursor_peek(c);
    arg.at.begin = c->at;
    if (kind == ARG_TERMS)
        each(c, &arg);
    if (kind == ARG_TERM || kind == ARG_TERMS || kind == ARG_TERM_OR_NOT) {
        arg.term = term(c);
        ok = arg.term != NULL;
        if (ok)
            check_each(c, &arg);
    } else {
        ok = arg_parse(c, kind, &arg);
    }
    if (!ok)
        cursor_error(c, arg_kind_name(kind));
    arg_add(c, v, arg);
}

/* KEY=VALUE if one of the signature's keys follows. */
static bool keyed(struct cursor *c, struct args *v,
                  const struct op_signature *s)
{
    struct cursor try = *c;
    struct str id;
    struct span at;
    if (!cursor_id(&try, &id, &at) || !cursor_take(&try, "="))
        return false;
    for (size_t k = 0; k < OP_MAX_KEYS && s->keys[k].name != NULL; k++) {
        if (!str_is(id, s->keys[k].name))
            continue;
        for (size_t i = 0; i < v->n; i++)
            if (str_eq(v->p[i].key, id))
                diag_add(c->d, "E0212", diag_at(at), "`%.*s=` is given twice",
                         STR_ARG(id));
        *c = try;
        argument(c, v, s->keys[k].kind, id);
        return true;
    }
    diag_add(c->d, "E0212", diag_at(at), "`%s` has no argument `%.*s=`",
             s->name, STR_ARG(id));
    c->failed = true;
    return true;
}

static size_t positional_count(const struct op_signature *s)
{
    size_t n = 0;
    while (n < OP_MAX_POSITIONAL && s->positional[n] != ARG_NONE)
        n++;
    return n;
}

static void check_arguments(struct cursor *c, const struct args *v,
                            const struct op_signature *s, size_t taken,
                            struct span at)
{
    size_t all = positional_count(s), k, i;
    enum arg_kind lacks = taken < all ? s->positional[taken] : ARG_NONE;
    if (c->failed)
        return;
    if (lacks == ARG_TERM_OR_NOT)
        lacks = s->positional[taken + 1];
    if (taken + s->optional < all)
        diag_add(c->d, "E0212", diag_at(at), "`%s` needs %s as argument %zu",
                 s->name, arg_kind_name(lacks), taken + 1);
    for (k = 0; k < OP_MAX_KEYS && s->keys[k].name != NULL; k++) {
        for (i = 0; i < v->n && !str_is(v->p[i].key, s->keys[k].name);)
            i++;
        if (i == v->n && s->keys[k].required)
            diag_add(c->d, "E0212", diag_at(at), "`%s` needs `%s=`, %s",
                     s->name, s->keys[k].name, arg_kind_name(s->keys[k].kind));
    }
}

static bool may_repeat(enum arg_kind kind)
{
    return kind == ARG_AXES || kind == ARG_TERMS;
}

/* A name without a type, up to what ends its argument. */
static bool take_bare_name(struct cursor *c)
{
    return cursor_name(c) != NULL && !c->failed &&
           (cursor_peek(c) == ',' || cursor_peek(c) == ')');
}

/* Whether a name follows that is no term, but what comes behind one that may
 * be left out. Of two names without types the first is a term that lacks its
 * own. What is wrong in a name is said when it is read. */
static bool is_left_out(const struct cursor *c)
{
    struct diag aside = {.arena = c->a};
    struct cursor try = *c, behind;
    struct str id;
    struct span at;
    char next;
    try.d = &aside;
    if (!take_bare_name(&try))
        return false;
    if (!cursor_take(&try, ","))
        return true;
    behind = try;
    if (cursor_id(&behind, &id, &at) && cursor_take(&behind, "="))
        return true;
    next = cursor_peek(&try);
    return (next >= '0' && next <= '9') || !take_bare_name(&try);
}

/* "(" arg { "," arg } ")" */
static void arguments(struct cursor *c, struct term *t, struct span at)
{
    const struct op_signature *s = t->signature;
    struct args v = {0};
    size_t next = 0, all = positional_count(s);
    enum arg_kind kind;
    bool repeated = false;
    while (cursor_peek(c) != ')' && !c->failed) {
        if (v.n > 0 && !cursor_expect(c, ","))
            break;
        if (keyed(c, &v, s))
            continue;
        if (next == all) {
            cursor_error(c, cursor_peek(c) == ')' ? "an argument" : "`)`");
            break;
        }
        kind = s->positional[next];
        if (kind == ARG_TERM_OR_NOT && is_left_out(c))
            kind = s->positional[++next];
        argument(c, &v, kind, (struct str){0});
        next += !may_repeat(kind);
        repeated = repeated || may_repeat(kind);
    }
    next += repeated;
    cursor_expect(c, ")");
    check_arguments(c, &v, s, next, at);
    t->args = v.p;
    t->count = v.n;
}

static void unknown_op(struct cursor *c, struct str id, struct span at)
{
    struct diag_item *item =
        diag_add(c->d, "E0210", diag_at(at), "no operation is called `%.*s`",
                 STR_ARG(id));
    struct str list = {0};
    for (size_t i = 0; op_at(i) != NULL; i++)
        list = arena_format(c->a, "%.*s%s%s", STR_ARG(list),
                            list.n > 0 ? ", " : "", op_at(i)->name);
    diag_help(c->d, item, "operations are %.*s", STR_ARG(list));
    c->failed = true;
}

static struct term *call(struct cursor *c, struct str id, struct span at)
{
    struct term *t = arena_new(c->a, struct term, 1);
    t->at = at;
    t->signature = op_find(id);
    if (t->signature == NULL) {
        unknown_op(c, id, at);
        return NULL;
    }
    t->op = t->signature->op;
    if (t->op == OP_ZEROS) {
        cursor_error(c, "`zeros [axis=size, ...]`, without parentheses");
        return NULL;
    }
    if (++c->depth > MAX_CALLS)
        cursor_error(c, "at most 32 nested calls");
    arguments(c, t, at);
    c->depth--;
    return c->failed ? NULL : t;
}

static void check_result_type(struct cursor *c, const struct term *t)
{
    const struct op_signature *s = t->signature;
    if (s->result == RESULT_REQUIRED && !t->type.given) {
        struct diag_item *item =
            diag_add(c->d, "E0405", diag_at(t->at),
                     "`%s` needs the type of its result behind it", s->name);
        diag_help(c->d, item, "write %s(...) [axis=size, ...]", s->name);
    }
    if (s->result == RESULT_NONE && t->type.given)
        diag_add(c->d, "E0405", diag_at(t->type.at),
                 s->op == OP_ALIAS ? "`%s` takes no type: it has its target's"
                                   : "`%s` takes no type: its source has one",
                 s->name);
    if (t->type.given && t->type.dtype != 0)
        diag_add(c->d, "E0405", diag_at(t->type.at),
                 "a dtype stands on a source; for the result of an operation "
                 "use `as`");
}

/* Whether a term may end here: then a missing type is just missing. */
static bool may_end(struct cursor *c)
{
    struct cursor try = *c;
    struct span at;
    char next = cursor_peek(&try);
    return next == '\0' || next == ',' || next == ')' ||
           cursor_word(&try, "as", &at) || cursor_word(&try, "optional", &at);
}

/* `zeros [T]`, the only operation without arguments. */
static struct term *zeros(struct cursor *c)
{
    struct cursor try = *c, behind;
    struct term *t;
    struct span at, dtype_at;
    struct str dtype;
    if (!cursor_word(&try, "zeros", &at))
        return NULL;
    behind = try;
    cursor_id(&behind, &dtype, &dtype_at);
    if (cursor_peek(&behind) != '[')
        return NULL;
    *c = try;
    t = arena_new(c->a, struct term, 1);
    t->op = OP_ZEROS;
    t->at = at;
    t->signature = op_find(str_c("zeros"));
    return t;
}

/* What stands in front of the type. */
static struct term *untyped(struct cursor *c)
{
    struct cursor try = *c;
    struct str id;
    struct span at;
    struct term *t;
    if (cursor_id(&try, &id, &at) && cursor_take(&try, "(")) {
        *c = try;
        return call(c, id, at);
    }
    t = zeros(c);
    if (t != NULL)
        return t;
    t = arena_new(c->a, struct term, 1);
    t->op = OP_LEAF;
    t->name = cursor_name(c);
    if (t->name == NULL) {
        cursor_error(c, "a source name or an operation");
        return NULL;
    }
    t->at = t->name->at;
    return t;
}

static struct str word_at(const struct cursor *c)
{
    struct cursor try = *c;
    struct str id = {0};
    struct span at;
    cursor_id(&try, &id, &at);
    return id;
}

/* term = ( name | op "(" args ")" ) type? */
static const struct term *term(struct cursor *c)
{
    struct term *t;
    struct cursor before;
    struct span allow;
    cursor_peek(c);
    t = untyped(c);
    if (t == NULL)
        return NULL;
    before = *c;
    t->type = cursor_type(c);
    if (c->failed)
        return NULL;
    if (t->op == OP_LEAF && t->type.given &&
        cursor_word(c, "allow_nonfinite", &allow))
        t->allow_at = allow;
    if (t->op != OP_LEAF)
        check_result_type(c, t);
    if (t->op == OP_LEAF && !t->type.given && !may_end(c)) {
        cursor_error(c, "a type: `[axis=size, ...]`, with a dtype glued to it "
                        "if it differs");
        spec_dtype_help(c->d, c->d->last, word_at(&before));
        return NULL;
    }
    if (t->op == OP_LEAF && !t->type.given) {
        struct diag_item *item =
            diag_add(c->d, "E0405", diag_at(t->at),
                     "a source needs the type it is stored with");
        double number;
        if (decimal_parse(span_text(t->at), &number))
            diag_help(c->d, item,
                      "a number is added by `offset(X, %.*s)` and multiplied "
                      "by `scale(X, %.*s)`",
                      STR_ARG(span_text(t->at)), STR_ARG(span_text(t->at)));
        else
            diag_help(c->d, item, "write `%.*s [axis=size, ...]`",
                      STR_ARG(span_text(t->at)));
    }
    return t;
}

/* [ "as" dtype ] */
static void read_cast(struct cursor *c, struct value *v)
{
    struct str id;
    struct span at;
    if (!cursor_word(c, "as", &at))
        return;
    if (!cursor_id(c, &id, &v->cast_at)) {
        cursor_error(c, "a dtype");
        return;
    }
    v->cast = spec_dtype(id);
    if (v->cast == 0) {
        spec_dtype_help(c->d,
                        diag_add(c->d, "E0201", diag_at(v->cast_at),
                                 "expected a dtype, found `%.*s`", STR_ARG(id)),
                        id);
        c->failed = true;
    }
}

bool term_parse_value(struct arena *a, struct diag *d, const struct node *n,
                      struct value *out)
{
    struct cursor c = cursor_open(a, d, n);
    uint64_t before = d->errors;
    *out = (struct value){.at = n->raw};
    if (c.failed)
        return false;
    out->term = term(&c);
    if (!c.failed)
        read_cast(&c, out);
    out->optional = !c.failed && cursor_word(&c, "optional", &out->optional_at);
    cursor_finish(&c);
    return d->errors == before && out->term != NULL;
}

const struct term *term_parse_source(struct arena *a, struct diag *d,
                                     const struct node *n)
{
    struct value v;
    if (!term_parse_value(a, d, n, &v))
        return NULL;
    if (v.cast != 0 || v.optional) {
        diag_add(d, "E0201", diag_at(v.cast != 0 ? v.cast_at : v.optional_at),
                 "the source of a split takes no `as` and no `optional`; `as` "
                 "stands behind each piece");
        return NULL;
    }
    if (v.term->op != OP_ALIAS)
        return v.term;
    diag_add(d, "E0504", diag_at(v.term->at),
             "`alias` stands alone, not inside a value");
    return NULL;
}

/* KEY=EXPR of a rope around a range. */
static void rope_key(struct cursor *c, struct args *v,
                     const struct op_signature *s)
{
    if (!keyed(c, v, s))
        cursor_error(c, "`heads=` or `dims=`");
}

/* rope_half(range, heads=H[, dims=r]), or rope_interleave; false if it is
 * none of them. */
static bool read_rope(struct cursor *c, struct piece *p)
{
    struct cursor try = *c;
    struct args v = {0};
    struct term *t;
    struct str id;
    struct span at;
    const struct op_signature *s;
    if (!cursor_id(&try, &id, &at) || !cursor_take(&try, "("))
        return false;
    s = op_find(id);
    if (s == NULL || (s->op != OP_ROPE_HALF && s->op != OP_ROPE_INTERLEAVE)) {
        cursor_error(c, "a range `lo..hi`, an index, or `rope_half(lo..hi, "
                        "heads=H)`");
        return true;
    }
    *c = try;
    t = arena_new(c->a, struct term, 1);
    t->op = s->op;
    t->signature = s;
    t->at = at;
    p->range = cursor_range(c);
    while (!c->failed && cursor_take(c, ","))
        rope_key(c, &v, s);
    cursor_expect(c, ")");
    check_arguments(c, &v, s, positional_count(s), at);
    t->args = v.p;
    t->count = v.n;
    p->rope = t;
    return true;
}

static void read_target(struct arena *a, struct diag *d, const struct node *key,
                        const struct node *value, struct piece *p)
{
    struct cursor c = cursor_open(a, d, value);
    p->value.at = value->raw;
    p->at = value->raw;
    p->name = cursor_whole_name(a, d, key);
    if (!c.failed && !read_rope(&c, p))
        p->range = arg_parse_range(&c);
    if (!c.failed)
        read_cast(&c, &p->value);
    cursor_finish(&c);
}

bool term_parse_piece(struct arena *a, struct diag *d, const struct node *key,
                      const struct node *value, struct piece *p)
{
    uint64_t before = d->errors;
    struct cursor c;
    *p = (struct piece){.at = key->raw};
    if (!str_begins(key->text, str_c("drop "))) {
        read_target(a, d, key, value, p);
        return d->errors == before;
    }
    c = cursor_open(a, d, key);
    cursor_take(&c, "drop");
    if (!c.failed)
        p->range = arg_parse_range(&c);
    cursor_finish(&c);
    return d->errors == before;
}

bool term_parse_drop(struct arena *a, struct diag *d, const struct node *n,
                     const struct name **name, struct type_expr *type)
{
    struct cursor c = cursor_open(a, d, n);
    if (c.failed)
        return false;
    *name = cursor_name(&c);
    if (*name == NULL)
        cursor_error(&c, "a source name");
    *type = cursor_type(&c);
    cursor_finish(&c);
    if (!c.failed && !type->given) {
        struct diag_item *item =
            diag_add(d, "E0405", diag_at(n->raw),
                     "a drop needs the type of what it drops");
        diag_help(d, item, "write `%.*s [%s]: reason`",
                  STR_ARG(span_text(n->raw)),
                  str_ends(span_text(n->raw), ".") ? "tensors=N, elements=M"
                                                   : "axis=size, ...");
        return false;
    }
    return !c.failed;
}
