/* SPDX-License-Identifier: MIT
 *
 * cursor.c - recursive descent over the bytes of one scalar. Each function
 * stands under the production it reads.
 */
#include "cursor.h"

#define MAX_NESTING 64
#define MAX_OPERATORS 1000 /* so that walking a tree ends soon */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_id_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_id_byte(char c)
{
    return is_id_start(c) || is_digit(c);
}

bool is_name_byte(char c)
{
    return is_id_byte(c) || c == '.' || c == '-';
}

bool is_identifier(struct str s)
{
    if (s.n == 0 || !is_id_start(s.p[0]))
        return false;
    for (size_t i = 1; i < s.n; i++)
        if (!is_id_byte(s.p[i]))
            return false;
    return true;
}

struct cursor cursor_open(struct arena *a, struct diag *d,
                          const struct node *scalar)
{
    struct cursor c = {.a = a, .d = d};
    c.src = scalar->at.src;
    c.at = scalar->raw.begin;
    c.end = scalar->raw.end;
    if (scalar->kind != NODE_SCALAR) {
        struct diag_item *item = diag_add(d, "E0110", diag_at(scalar->at),
                                          "a single text is needed");
        if (str_begins(span_text(scalar->at), str_c("{")))
            diag_help(d, item, "a value that begins with `{` needs quotes");
        c.failed = true;
    } else {
        c.failed = !yaml_is_verbatim(scalar, d);
    }
    return c;
}

static char byte_at(const struct cursor *c, uint32_t i)
{
    return i < c->end ? c->src->text.p[i] : '\0';
}

char cursor_peek(struct cursor *c)
{
    while (c->at < c->end &&
           (byte_at(c, c->at) == ' ' || byte_at(c, c->at) == '\n' ||
            byte_at(c, c->at) == '\r'))
        c->at++;
    return c->failed ? '\0' : byte_at(c, c->at);
}

void cursor_error(struct cursor *c, const char *what)
{
    uint32_t from;
    cursor_peek(c);
    if (c->failed)
        return;
    from = c->at;
    c->failed = true;
    if (from >= c->end) {
        struct span s = {c->src, c->end > 0 ? c->end - 1 : 0, c->end};
        diag_add(c->d, "E0201", diag_at(s), "expected %s, found the end", what);
        return;
    }
    do
        c->at++;
    while (c->at < c->end && is_id_byte(byte_at(c, from)) &&
           is_id_byte(byte_at(c, c->at)));
    while (c->at < c->end && ((unsigned char)byte_at(c, c->at) & 0xc0) == 0x80)
        c->at++;
    diag_add(c->d, "E0201", diag_at((struct span){c->src, from, c->at}),
             "expected %s, found `%.*s`", what, (int)(c->at - from),
             c->src->text.p + from);
}

bool cursor_take(struct cursor *c, const char *token)
{
    size_t n = strlen(token);
    cursor_peek(c);
    if (c->failed || c->end - c->at < n ||
        memcmp(c->src->text.p + c->at, token, n) != 0)
        return false;
    c->at += (uint32_t)n;
    return true;
}

bool cursor_expect(struct cursor *c, const char *token)
{
    char what[16];
    if (cursor_take(c, token))
        return true;
    snprintf(what, sizeof what, "`%s`", token);
    cursor_error(c, what);
    return false;
}

bool cursor_id(struct cursor *c, struct str *id, struct span *at)
{
    uint32_t from;
    if (!is_id_start(cursor_peek(c)))
        return false;
    from = c->at;
    while (is_id_byte(byte_at(c, c->at)))
        c->at++;
    *id = str_cut(c->src->text, from, c->at);
    *at = (struct span){c->src, from, c->at};
    return true;
}

bool cursor_word(struct cursor *c, const char *word, struct span *at)
{
    struct cursor try = *c;
    struct str id;
    if (!cursor_id(&try, &id, at) || !str_is(id, word))
        return false;
    *c = try;
    return true;
}

void cursor_finish(struct cursor *c)
{
    if (cursor_peek(c) != '\0')
        cursor_error(c, "the end");
}

/* --- expressions --- */

static const struct expr *node(struct cursor *c, enum expr_kind kind,
                               const struct expr *a, const struct expr *b)
{
    struct expr *e = arena_new(c->a, struct expr, 1);
    if (a == NULL || (kind != EXPR_NEGATE && b == NULL))
        return NULL;
    if (++c->operators > MAX_OPERATORS) {
        cursor_error(c, "at most 1000 operators in an expression");
        return NULL;
    }
    e->kind = kind;
    e->a = a;
    e->b = b;
    e->at = (struct span){c->src, a->at.begin, c->at};
    return e;
}

static const struct expr *number(struct cursor *c)
{
    struct expr *e = arena_new(c->a, struct expr, 1);
    uint32_t from = c->at;
    bool fits = true;
    e->kind = EXPR_NUMBER;
    while (is_digit(byte_at(c, c->at))) {
        int digit = byte_at(c, c->at++) - '0';
        fits = fits && e->number <= (INT64_MAX - digit) / 10;
        e->number = fits ? e->number * 10 + digit : 0;
    }
    e->at = (struct span){c->src, from, c->at};
    if (!fits) {
        diag_add(c->d, "E0213", diag_at(e->at),
                 "the number does not fit in 64 bits");
        c->failed = true;
        return NULL;
    }
    return e;
}

static const struct expr *comparison(struct cursor *c);
static const struct expr *sum(struct cursor *c);

/* atom = int | id | id "[" expr "]" | "(" expr ")" | "-" atom */
static const struct expr *atom(struct cursor *c)
{
    struct expr *e;
    const struct expr *inner;
    char p = cursor_peek(c);
    uint32_t from = c->at;
    if (is_digit(p))
        return number(c);
    if (cursor_take(c, "-")) {
        inner = c->depth++ < MAX_NESTING ? atom(c) : NULL;
        c->depth--;
        return node(c, EXPR_NEGATE, inner, NULL);
    }
    if (c->depth < MAX_NESTING && cursor_take(c, "(")) {
        c->depth++;
        inner = c->boolean ? comparison(c) : sum(c);
        c->depth--;
        return cursor_expect(c, ")") ? inner : NULL;
    }
    e = arena_new(c->a, struct expr, 1);
    if (!cursor_id(c, &e->id, &e->at)) {
        cursor_error(c, "a number or a name");
        return NULL;
    }
    e->kind = EXPR_ID;
    if (byte_at(c, c->at) == '[' && c->depth < MAX_NESTING) {
        c->at++;
        c->depth++;
        e->kind = EXPR_INDEX;
        e->a = sum(c);
        c->depth--;
        if (!cursor_expect(c, "]"))
            return NULL;
    }
    e->at = (struct span){c->src, from, c->at};
    return e;
}

/* power = atom [ "**" power ] */
static const struct expr *power(struct cursor *c)
{
    const struct expr *a = atom(c), *b;
    if (a == NULL || !cursor_take(c, "**"))
        return a;
    b = c->depth++ < MAX_NESTING ? power(c) : NULL;
    c->depth--;
    return node(c, EXPR_POW, a, b);
}

/* Whether the next axis of `a=n * b=m` follows. */
static bool axis_follows(struct cursor *c)
{
    struct cursor try = *c;
    struct str id;
    struct span at;
    return c->sizes && cursor_take(&try, "*") && cursor_id(&try, &id, &at) &&
           cursor_take(&try, "=");
}

/* product = power { ("*" | "/" | "//" | "%") power } */
static const struct expr *product(struct cursor *c)
{
    const struct expr *a = power(c);
    while (a != NULL) {
        if (cursor_take(c, "//"))
            a = node(c, EXPR_FLOOR, a, power(c));
        else if (cursor_take(c, "/"))
            a = node(c, EXPR_DIV, a, power(c));
        else if (!axis_follows(c) && cursor_take(c, "*"))
            a = node(c, EXPR_MUL, a, power(c));
        else if (cursor_take(c, "%"))
            a = node(c, EXPR_MOD, a, power(c));
        else
            break;
    }
    return a;
}

/* sum = product { ("+" | "-") product } */
static const struct expr *sum(struct cursor *c)
{
    const struct expr *a = product(c);
    while (a != NULL) {
        cursor_peek(c);
        if (byte_at(c, c->at) == '-' && byte_at(c, c->at + 1) == '>')
            break;
        if (cursor_take(c, "+"))
            a = node(c, EXPR_ADD, a, product(c));
        else if (cursor_take(c, "-"))
            a = node(c, EXPR_SUB, a, product(c));
        else
            break;
    }
    return a;
}

/* comparison = sum [ ("==" | "!=" | "<=" | "<" | ">=" | ">") sum ] */
static const struct expr *comparison(struct cursor *c)
{
    static const struct {
        const char *token;
        enum expr_kind kind;
    } signs[] = {{"==", EXPR_EQ}, {"!=", EXPR_NE}, {"<=", EXPR_LE},
                 {"<", EXPR_LT},  {">=", EXPR_GE}, {">", EXPR_GT}};
    const struct expr *a = sum(c);
    for (size_t i = 0; a != NULL && i < sizeof signs / sizeof signs[0]; i++)
        if (cursor_take(c, signs[i].token))
            return node(c, signs[i].kind, a, sum(c));
    return a;
}

const struct expr *cursor_expr(struct cursor *c, bool boolean)
{
    const struct expr *a;
    struct span at;
    c->boolean = boolean;
    c->operators = 0;
    a = boolean ? comparison(c) : sum(c);
    while (boolean && a != NULL && cursor_word(c, "and", &at))
        a = node(c, EXPR_AND, a, comparison(c));
    return a;
}

const struct expr *cursor_size(struct cursor *c)
{
    const struct expr *e;
    c->sizes = true;
    e = cursor_expr(c, false);
    c->sizes = false;
    return e;
}

struct range cursor_range(struct cursor *c)
{
    struct range r = {0};
    cursor_peek(c);
    r.at = (struct span){c->src, c->at, c->at};
    r.lo = cursor_expr(c, false);
    cursor_expect(c, "..");
    r.hi = cursor_expr(c, false);
    r.at.end = c->at;
    return r;
}

/* --- names --- */

struct parts {
    struct name_part *p;
    size_t n, capacity;
};

static void part_add(struct cursor *c, struct parts *v, struct name_part part)
{
    if (part.expr == NULL && part.text.n == 0)
        return;
    if (v->n == v->capacity)
        v->p = arena_grow(c->a, v->p, sizeof *v->p, v->n, &v->capacity);
    v->p[v->n++] = part;
}

static void braces(struct cursor *c, struct parts *v)
{
    const struct expr *e;
    c->at++;
    e = cursor_expr(c, false);
    if (cursor_expect(c, "}"))
        part_add(c, v, (struct name_part){.expr = e});
}

static void literal(struct cursor *c, struct parts *v)
{
    uint32_t from = c->at;
    while (is_name_byte(byte_at(c, c->at)))
        c->at++;
    part_add(c, v,
             (struct name_part){.text = str_cut(c->src->text, from, c->at)});
}

/* `"` any bytes `"`; \" \\ and \{ stand for themselves. */
static void quoted(struct cursor *c, struct parts *v)
{
    uint32_t from = ++c->at;
    while (!c->failed && c->at < c->end && byte_at(c, c->at) != '"') {
        char b = byte_at(c, c->at);
        if (b != '\\' && b != '{') {
            c->at++;
            continue;
        }
        part_add(
            c, v,
            (struct name_part){.text = str_cut(c->src->text, from, c->at)});
        if (b == '{') {
            braces(c, v);
            from = c->at;
        } else if (memchr("\"\\{", byte_at(c, c->at + 1), 3) != NULL) {
            from = c->at + 1;
            c->at += 2;
        } else {
            cursor_error(c, "`\\\"`, `\\\\` or `\\{`");
        }
    }
    part_add(c, v,
             (struct name_part){.text = str_cut(c->src->text, from, c->at)});
    cursor_expect(c, "\"");
}

const struct name *cursor_name(struct cursor *c)
{
    struct name *n;
    struct parts v = {0};
    char b = cursor_peek(c);
    uint32_t from = c->at;
    if (b == '"') {
        quoted(c, &v);
    } else {
        while (!c->failed && (b == '{' || is_name_byte(b))) {
            if (b == '{')
                braces(c, &v);
            else
                literal(c, &v);
            b = byte_at(c, c->at);
        }
    }
    if (c->failed || c->at == from)
        return NULL;
    n = arena_new(c->a, struct name, 1);
    *n = (struct name){{c->src, from, c->at}, v.p, v.n};
    return n;
}

/* --- types --- */

/* What `ttswc draft` leaves to a person. */
static void open_axis(struct cursor *c)
{
    struct diag_item *item = diag_add(
        c->d, "E0201", diag_at((struct span){c->src, c->at, c->at + 1}),
        "this axis has no name yet");
    diag_help(c->d, item,
              "write what it is, as `out` in `[out=512]`, and let `layout:` "
              "list it");
    c->failed = true;
}

/* axis = ( id "=" )? expr */
static struct axis_expr axis(struct cursor *c)
{
    struct axis_expr x = {0};
    struct cursor try;
    if (cursor_peek(c) == '?') {
        open_axis(c);
        return x;
    }
    x.at = (struct span){c->src, c->at, c->at};
    try = *c;
    if (cursor_id(&try, &x.id, &x.at) && cursor_peek(&try) == '=' &&
        byte_at(&try, try.at + 1) != '=') {
        try.at++;
        *c = try;
    } else {
        x.id = (struct str){0};
    }
    x.size = cursor_expr(c, false);
    x.at.end = c->at;
    return x;
}

struct type_expr cursor_type(struct cursor *c)
{
    struct type_expr t = {0};
    struct cursor try;
    struct str id = {0};
    struct span at;
    size_t capacity = 0;
    cursor_peek(c);
    try = *c;
    if (cursor_id(&try, &id, &at) && byte_at(&try, try.at) == '[')
        t.dtype = spec_dtype(id);
    if (t.dtype == 0)
        try = *c;
    if (byte_at(&try, try.at) != '[' || c->failed)
        return (struct type_expr){0};
    t.at = (struct span){c->src, c->at, c->at};
    t.given = true;
    *c = try;
    c->at++;
    while (cursor_peek(c) != ']' && !c->failed) {
        if (t.rank > 0 && !cursor_expect(c, ","))
            break;
        if (t.rank == capacity)
            t.axes =
                arena_grow(c->a, t.axes, sizeof *t.axes, t.rank, &capacity);
        t.axes[t.rank++] = axis(c);
    }
    cursor_expect(c, "]");
    t.at.end = c->at;
    return t;
}

/* --- whole scalars --- */

const struct expr *cursor_whole_expr(struct arena *a, struct diag *d,
                                     const struct node *n, bool boolean)
{
    struct cursor c = cursor_open(a, d, n);
    const struct expr *e = cursor_expr(&c, boolean);
    cursor_finish(&c);
    return c.failed ? NULL : e;
}

const struct name *cursor_whole_name(struct arena *a, struct diag *d,
                                     const struct node *n)
{
    struct cursor c = cursor_open(a, d, n);
    const struct name *name = cursor_name(&c);
    if (name == NULL && c.at < c.end)
        cursor_error(&c, "a name");
    cursor_finish(&c);
    return c.failed ? NULL : name;
}
