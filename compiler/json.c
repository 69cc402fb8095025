/* SPDX-License-Identifier: MIT
 *
 * json.c - bytes in, tokens out: a state machine with an explicit stack.
 *
 * In: the text and a position in it. Out: the next token, and the position
 * behind it. The state says what may come next; the frames say whether an
 * object or an array encloses it; the keys of all open objects lie on one
 * stack, and each object's keys are sorted and compared when it closes.
 *
 * Invariant: at <= text.n, always; every byte is tested against text.n before
 * it is read. A string is read twice: once to check it and find its end, and
 * only if it has an escape a second time, to decode what is known to be good.
 */
#include "json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_DECIMAL_EXPONENT 307
#define EXPONENT_ENOUGH INT64_C(1000000000000)

static bool fail(struct json *j, size_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail(struct json *j, size_t at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(j->error.text, sizeof j->error.text, format, args);
    va_end(args);
    j->error.offset = j->base + at;
    j->state = JSON_FAILED;
    return false;
}

/* The byte at a position, or -1 at the end: no byte equals that. */
static int byte_at(const struct json *j, size_t at)
{
    return at < j->text.n ? (unsigned char)j->text.p[at] : -1;
}

static bool fail_wanted(struct json *j, const char *wanted)
{
    int c = byte_at(j, j->at);
    if (c < 0)
        return fail(j, j->at, "expected %s, but the text ends", wanted);
    if (c > 0x20 && c < 0x7f)
        return fail(j, j->at, "expected %s, found '%c'", wanted, c);
    return fail(j, j->at, "expected %s, found the byte 0x%02x", wanted,
                (unsigned)c);
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static int hex_digit(int c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The value of the \uXXXX at a position, or -1 if there is none. */
static int32_t unicode_escape(const struct json *j, size_t at)
{
    int32_t v = 0;
    int h;
    if (byte_at(j, at) != '\\' || byte_at(j, at + 1) != 'u')
        return -1;
    for (size_t i = 2; i < 6; i++) {
        h = hex_digit(byte_at(j, at + i));
        if (h < 0)
            return -1;
        v = v * 16 + h;
    }
    return v;
}

static bool is_high_surrogate(int32_t v)
{
    return v >= 0xd800 && v <= 0xdbff;
}

static bool is_low_surrogate(int32_t v)
{
    return v >= 0xdc00 && v <= 0xdfff;
}

/* Moves behind the escape at j->at. */
static bool pass_escape(struct json *j)
{
    int c = byte_at(j, j->at + 1);
    int32_t v;
    if (c < 0)
        return fail(j, j->at, "the text ends inside an escape");
    if (c != 'u') {
        if (c == 0 || strchr("\"\\/bfnrt", c) == NULL)
            return fail(j, j->at, "there is no such escape");
        j->at += 2;
        return true;
    }
    v = unicode_escape(j, j->at);
    if (v < 0)
        return fail(j, j->at, "\\u needs four hexadecimal digits");
    if (is_low_surrogate(v))
        return fail(j, j->at, "a low surrogate without a high one before it");
    if (is_high_surrogate(v)) {
        if (!is_low_surrogate(unicode_escape(j, j->at + 6)))
            return fail(j, j->at, "a high surrogate without a low one");
        j->at += 6;
    }
    j->at += 6;
    return true;
}

/* Moves from behind the opening quote onto the closing one. */
static bool pass_string(struct json *j, bool *escaped)
{
    size_t begin = j->at, n;
    *escaped = false;
    for (;;) {
        int c = byte_at(j, j->at);
        if (c == '"')
            return true;
        if (c < 0)
            return fail(j, begin - 1, "the text ends inside this string");
        if (c < 0x20)
            return fail(j, j->at, "the control byte 0x%02x in a string",
                        (unsigned)c);
        if (c == '\\') {
            *escaped = true;
            if (!pass_escape(j))
                return false;
            continue;
        }
        n = utf8_length(j->text.p + j->at, j->text.n - j->at);
        if (n == 0)
            return fail(j, j->at, "invalid UTF-8 at the byte 0x%02x",
                        (unsigned)c);
        j->at += n;
    }
}

/* Returns the number of bytes written: 1 to 4. */
static size_t put_utf8(char *out, uint32_t v)
{
    if (v < 0x80) {
        out[0] = (char)v;
        return 1;
    }
    if (v < 0x800) {
        out[0] = (char)(0xc0 | v >> 6);
        out[1] = (char)(0x80 | (v & 63));
        return 2;
    }
    if (v < 0x10000) {
        out[0] = (char)(0xe0 | v >> 12);
        out[1] = (char)(0x80 | (v >> 6 & 63));
        out[2] = (char)(0x80 | (v & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | v >> 18);
    out[1] = (char)(0x80 | (v >> 12 & 63));
    out[2] = (char)(0x80 | (v >> 6 & 63));
    out[3] = (char)(0x80 | (v & 63));
    return 4;
}

/* Decodes the escape at *at, which pass_escape has accepted, and moves *at
 * behind it. */
static uint32_t decode_escape(const struct json *j, size_t *at)
{
    static const char plain[256] = {
        ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
        ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    int32_t v = unicode_escape(j, *at), low;
    if (v < 0) {
        *at += 2;
        return (uint32_t)plain[(unsigned char)j->text.p[*at - 1]];
    }
    *at += 6;
    if (!is_high_surrogate(v))
        return (uint32_t)v;
    low = unicode_escape(j, *at);
    *at += 6;
    return UINT32_C(0x10000) + ((uint32_t)(v - 0xd800) << 10) +
           (uint32_t)(low - 0xdc00);
}

/* Decodes [from, to), which pass_string has accepted, into the arena. An
 * escape is never shorter than the UTF-8 that it stands for. */
static struct str decode_string(struct json *j, size_t from, size_t to)
{
    char *out = arena_take(j->arena, 1, to - from);
    size_t n = 0;
    while (from < to) {
        if (j->text.p[from] == '\\')
            n += put_utf8(out + n, decode_escape(j, &from));
        else
            out[n++] = j->text.p[from++];
    }
    return (struct str){out, n};
}

static bool read_string(struct json *j, struct json_token *token)
{
    size_t begin = ++j->at;
    bool escaped;
    token->kind = JSON_STRING;
    if (!pass_string(j, &escaped))
        return false;
    token->text = escaped ? decode_string(j, begin, j->at)
                          : str_cut(j->text, begin, j->at);
    j->at++;
    return true;
}

static bool pass_digits(struct json *j)
{
    if (!is_digit(byte_at(j, j->at)))
        return fail_wanted(j, "a digit");
    while (is_digit(byte_at(j, j->at)))
        j->at++;
    return true;
}

/* The number behind a number's 'e', held at plus or minus EXPONENT_ENOUGH:
 * no text has as many digits as it would take to outweigh that. */
static int64_t exponent_of(struct str s)
{
    bool negative = s.n != 0 && s.p[0] == '-';
    int64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (is_digit(s.p[i]) && v < EXPONENT_ENOUGH)
            v = v * 10 + (s.p[i] - '0');
    }
    return negative ? -v : v;
}

/* Whether a well-formed number is below 1e308 in magnitude, by the decimal
 * exponent of its first digit that is not 0. */
static bool is_finite(struct str s)
{
    int64_t digits = 0, whole = -1, first = -1, exponent = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.')
            whole = digits;
        if (s.p[i] == 'e' || s.p[i] == 'E') {
            exponent = exponent_of(str_cut(s, i + 1, s.n));
            break;
        }
        if (first < 0 && s.p[i] >= '1' && s.p[i] <= '9')
            first = digits;
        digits += is_digit(s.p[i]);
    }
    if (whole < 0)
        whole = digits;
    return first < 0 || whole - first - 1 + exponent <= MAX_DECIMAL_EXPONENT;
}

static bool read_number(struct json *j, struct json_token *token)
{
    size_t begin = j->at;
    token->kind = JSON_NUMBER;
    if (byte_at(j, j->at) == '-')
        j->at++;
    if (byte_at(j, j->at) == '0' && is_digit(byte_at(j, j->at + 1)))
        return fail(j, j->at, "a number has a 0 before its first digit");
    if (!pass_digits(j))
        return false;
    if (byte_at(j, j->at) == '.') {
        j->at++;
        if (!pass_digits(j))
            return false;
    }
    if (byte_at(j, j->at) == 'e' || byte_at(j, j->at) == 'E') {
        j->at++;
        if (byte_at(j, j->at) == '+' || byte_at(j, j->at) == '-')
            j->at++;
        if (!pass_digits(j))
            return false;
    }
    token->text = str_cut(j->text, begin, j->at);
    if (!is_finite(token->text))
        return fail(j, begin, "a number of 1e308 or more");
    return true;
}

static bool read_word(struct json *j, struct json_token *token)
{
    static const struct {
        const char *word;
        enum json_kind kind;
    } words[] = {
        {"true", JSON_TRUE}, {"false", JSON_FALSE}, {"null", JSON_NULL}};
    struct str rest = str_cut(j->text, j->at, j->text.n);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (str_begins(rest, str_c(words[i].word))) {
            token->kind = words[i].kind;
            j->at += strlen(words[i].word);
            return true;
        }
    }
    return fail_wanted(j, "a value");
}

static bool open_frame(struct json *j, struct json_token *token, bool object)
{
    if (j->depth == JSON_MAX_DEPTH)
        return fail(j, j->at, "nested deeper than %d", JSON_MAX_DEPTH);
    j->frames[j->depth++] = (struct json_frame){object, j->key_count};
    j->state = object ? JSON_WANT_FIRST_KEY : JSON_WANT_FIRST_ITEM;
    token->kind = object ? JSON_OBJECT : JSON_ARRAY;
    j->at++;
    return true;
}

static int key_order(const void *left, const void *right)
{
    const struct json_key *a = left, *b = right;
    int c = str_order(a->name, b->name);
    return c != 0 ? c : (a->offset > b->offset) - (a->offset < b->offset);
}

/* Compares the innermost object's keys. Of several that come twice the one
 * reported is the first in the text. */
static bool check_keys(struct json *j)
{
    size_t first = j->frames[j->depth - 1].first_key;
    const struct json_key *again = NULL;
    if (j->key_count - first < 2)
        return true;
    qsort(j->keys + first, j->key_count - first, sizeof *j->keys, key_order);
    for (size_t i = first + 1; i < j->key_count; i++) {
        const struct json_key *k = &j->keys[i];
        if (str_eq(k[-1].name, k->name) &&
            (again == NULL || k->offset < again->offset))
            again = k;
    }
    if (again == NULL)
        return true;
    j->error.key = again->name;
    return fail(j, (size_t)(again->offset - j->base),
                "a key that its object has already");
}

static bool close_frame(struct json *j, struct json_token *token)
{
    bool object = j->frames[j->depth - 1].object;
    token->kind = object ? JSON_OBJECT_END : JSON_ARRAY_END;
    if (object && !check_keys(j))
        return false;
    j->at++;
    j->depth--;
    j->key_count = j->frames[j->depth].first_key;
    j->state = JSON_WANT_COMMA_OR_END;
    return true;
}

static void skip_space(struct json *j)
{
    for (;; j->at++) {
        int c = byte_at(j, j->at);
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return;
    }
}

static bool read_key(struct json *j, struct json_token *token)
{
    if (byte_at(j, j->at) != '"')
        return fail_wanted(j, "a key in quotes");
    if (!read_string(j, token))
        return false;
    token->kind = JSON_KEY;
    if (j->key_count == j->key_capacity)
        j->keys = arena_grow(j->arena, j->keys, sizeof *j->keys, j->key_count,
                             &j->key_capacity);
    j->keys[j->key_count++] = (struct json_key){token->text, token->offset};
    skip_space(j);
    if (byte_at(j, j->at) != ':')
        return fail_wanted(j, "a colon");
    j->at++;
    j->state = JSON_WANT_VALUE;
    return true;
}

static bool read_value(struct json *j, struct json_token *token)
{
    int c = byte_at(j, j->at);
    if (c == '{' || c == '[')
        return open_frame(j, token, c == '{');
    j->state = JSON_WANT_COMMA_OR_END;
    if (c == '"')
        return read_string(j, token);
    if (c == '-' || is_digit(c))
        return read_number(j, token);
    return read_word(j, token);
}

/* Behind a value: the end of the text, a comma and what comes behind it, or
 * the end of the object or array. */
static bool read_on(struct json *j, struct json_token *token)
{
    bool object = j->depth != 0 && j->frames[j->depth - 1].object;
    int c = byte_at(j, j->at);
    if (j->depth == 0) {
        if (c >= 0)
            return fail_wanted(j, "nothing behind the value");
        token->kind = JSON_END;
        return true;
    }
    if (c == (object ? '}' : ']'))
        return close_frame(j, token);
    if (c != ',')
        return fail_wanted(j, object ? "',' or '}'" : "',' or ']'");
    j->at++;
    skip_space(j);
    token->offset = j->base + j->at;
    return object ? read_key(j, token) : read_value(j, token);
}

void json_start(struct json *j, struct arena *arena, struct str text,
                uint64_t base)
{
    struct str some = text.n == 0 ? str_c("") : text;
    *j = (struct json){.arena = arena, .text = some, .base = base};
    j->state = JSON_WANT_VALUE;
}

bool json_next(struct json *j, struct json_token *token)
{
    if (j->state == JSON_FAILED)
        return false;
    skip_space(j);
    *token = (struct json_token){.offset = j->base + j->at};
    switch (j->state) {
    case JSON_WANT_VALUE:
        return read_value(j, token);
    case JSON_WANT_FIRST_ITEM:
        return byte_at(j, j->at) == ']' ? close_frame(j, token)
                                        : read_value(j, token);
    case JSON_WANT_FIRST_KEY:
        return byte_at(j, j->at) == '}' ? close_frame(j, token)
                                        : read_key(j, token);
    default:
        return read_on(j, token);
    }
}

bool json_skip(struct json *j, const struct json_token *first)
{
    struct json_token token;
    size_t outside;
    if (first->kind != JSON_OBJECT && first->kind != JSON_ARRAY)
        return true;
    outside = j->depth - 1;
    while (j->depth > outside) {
        if (!json_next(j, &token))
            return false;
    }
    return true;
}

bool json_u64(const struct json_token *token, uint64_t *value)
{
    uint64_t v = 0;
    if (token->kind != JSON_NUMBER)
        return false;
    for (size_t i = 0; i < token->text.n; i++) {
        unsigned digit = (unsigned)(token->text.p[i] - '0');
        if (digit > 9 || v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *value = v;
    return true;
}

const char *json_kind_name(enum json_kind kind)
{
    static const char *const names[] = {[JSON_END] = "the end of the text",
                                        [JSON_OBJECT] = "an object",
                                        [JSON_OBJECT_END] = "'}'",
                                        [JSON_ARRAY] = "an array",
                                        [JSON_ARRAY_END] = "']'",
                                        [JSON_KEY] = "a key",
                                        [JSON_STRING] = "a string",
                                        [JSON_NUMBER] = "a number",
                                        [JSON_TRUE] = "true",
                                        [JSON_FALSE] = "false",
                                        [JSON_NULL] = "null"};
    return names[kind];
}
