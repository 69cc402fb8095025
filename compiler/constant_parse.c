/* SPDX-License-Identifier: MIT
 *
 * constant_parse.c - the kind of a constant is told by how it is written:
 * quotes make a string, a point or an exponent makes a decimal, all else is
 * an integer expression.
 */
#include "constant_parse.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "cursor.h"

#define MAX_DECIMAL 768

static size_t digits(struct str s, size_t i)
{
    size_t from = i;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    return i - from;
}

/* Whether the text is [-]digits[.digits][e[+-]digits] with `.` or `e`. */
static bool is_decimal(struct str s)
{
    size_t i = s.n > 0 && s.p[0] == '-', k = digits(s, i);
    bool marked = false;
    i += k;
    if (k == 0)
        return false;
    if (i < s.n && s.p[i] == '.') {
        k = digits(s, ++i);
        i += k;
        marked = true;
        if (k == 0)
            return false;
    }
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        i += i < s.n && (s.p[i] == '+' || s.p[i] == '-');
        k = digits(s, i);
        i += k;
        marked = true;
        if (k == 0)
            return false;
    }
    return marked && i == s.n;
}

/* Whether a decimal says 0: no digit before its exponent is another. */
static bool is_zero(struct str s)
{
    for (size_t i = 0; i < s.n && s.p[i] != 'e' && s.p[i] != 'E'; i++)
        if (s.p[i] >= '1' && s.p[i] <= '9')
            return false;
    return true;
}

bool decimal_is(struct str text)
{
    return is_decimal(text) && text.n <= MAX_DECIMAL;
}

bool decimal_parse(struct str text, double *out)
{
    char buffer[MAX_DECIMAL + 1];
    locale_t c;
    if (!is_decimal(text) || text.n > MAX_DECIMAL)
        return false;
    memcpy(buffer, text.p, text.n);
    buffer[text.n] = '\0';
    c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c == (locale_t)0)
        return false;
    *out = strtod_l(buffer, NULL, c);
    freelocale(c);
    return isfinite(*out) && (*out != 0 || is_zero(text));
}

static void check_string(struct parser *p, const struct node *n)
{
    if (n->text.n > TTSB_MAX_STRING || memchr(n->text.p, '\0', n->text.n) ||
        utf8_bad(n->text) != n->text.n)
        diag_add(p->d, "E0218", diag_at(n->at),
                 "a string constant is UTF-8 without NUL, of at most 65535 "
                 "bytes");
}

/* `.5` and `5.`, as other languages write them, with what is missing; empty
 * for any other text. */
static struct str with_digits(struct arena *a, struct str s)
{
    struct str sign = str_cut(s, 0, s.n > 0 && s.p[0] == '-'), more;
    size_t whole = digits(s, sign.n), point = sign.n + whole, part;
    if (point >= s.n || s.p[point] != '.')
        return (struct str){0};
    part = digits(s, point + 1);
    if ((whole == 0) == (part == 0))
        return (struct str){0};
    more =
        arena_format(a, "%.*s%s%.*s.%s%.*s", STR_ARG(sign),
                     whole == 0 ? "0" : "", STR_ARG(str_cut(s, sign.n, point)),
                     part == 0 ? "0" : "", STR_ARG(str_cut(s, point + 1, s.n)));
    return is_decimal(more) ? more : (struct str){0};
}

static const struct expr *read_integer(struct parser *p, const struct node *n)
{
    uint64_t before = p->d->errors;
    struct str decimal = with_digits(p->a, n->text);
    const struct expr *e = cursor_whole_expr(p->a, p->d, n, false);
    if (p->d->errors == before)
        return e;
    if (decimal.n > 0)
        diag_help(p->d, p->d->last,
                  "digits stand before and behind the point: %.*s",
                  STR_ARG(decimal));
    else if (n->text.n > 0 && is_identifier(str_cut(n->text, 0, 1)))
        diag_help(p->d, p->d->last,
                  "a string stands in double quotes: `\"%.*s\"`",
                  STR_ARG(n->text));
    return e;
}

static struct constant_item read_item(struct parser *p, const struct node *n)
{
    struct constant_item item = {.at = n->raw};
    if (!field_is_text(p, n))
        return item;
    if (n->style == STYLE_DOUBLE) {
        item.kind = CONSTANT_STRING;
        item.text = n->text;
        check_string(p, n);
    } else if (n->style != STYLE_PLAIN) {
        diag_add(p->d, "E0218", diag_at(n->at),
                 "a string constant stands in double quotes");
    } else if (is_decimal(n->text)) {
        item.kind = CONSTANT_DECIMAL;
        if (!decimal_parse(n->text, &item.decimal))
            diag_add(p->d, "E0218", diag_at(n->at),
                     "the number does not fit in binary64");
    } else {
        item.kind = CONSTANT_INTEGER;
        item.expr = read_integer(p, n);
    }
    return item;
}

static void read_list(struct parser *p, const struct node *n,
                      struct constant *c)
{
    c->is_list = true;
    c->items = arena_new(p->a, struct constant_item, n->count);
    if (n->count == 0)
        diag_add(p->d, "E0218", diag_at(n->at),
                 "a list constant has one item or more");
    for (size_t i = 0; i < n->count; i++) {
        c->items[c->count++] = read_item(p, n->items[i]);
        if (c->items[i].kind != c->items[0].kind)
            diag_add(p->d, "E0218", diag_at(n->items[i]->at),
                     "the items of a list are all integers, all decimals or "
                     "all strings");
    }
}

void constants_read(struct parser *p, const struct node *n, void *into)
{
    struct spec *s = p->spec;
    (void)into;
    if (!field_is_map(p, n))
        return;
    s->constants = arena_new(p->a, struct constant, n->count);
    for (size_t i = 0; i < n->count; i++) {
        struct constant *c = &s->constants[s->constant_count];
        if (!field_is_identifier(p, n->keys[i]))
            continue;
        s->constant_count++;
        c->name = n->keys[i]->text;
        c->at = n->keys[i]->raw;
        if (n->items[i]->kind == NODE_LIST) {
            read_list(p, n->items[i], c);
            continue;
        }
        c->items = arena_new(p->a, struct constant_item, 1);
        c->items[0] = read_item(p, n->items[i]);
        c->count = 1;
    }
}
