/* SPDX-License-Identifier: MIT
 *
 * test_json.c - the pull reader, by tables.
 *
 * In: texts. Out: each good text's tokens, written as one line and compared;
 * each bad text's error, by its byte offset and a part of its sentence. Texts
 * lie in buffers of exactly their length, so that a sanitizer sees a read
 * beyond the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "json.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

struct good {
    const char *text;
    const char *tokens;
};

struct bad {
    const char *text;
    uint64_t offset;
    const char *part;
};

/* One token as "s7:text": kind, offset, text. */
static struct str token_line(struct arena *a, struct str line,
                             const struct json_token *t)
{
    static const char letters[] = {
        [JSON_END] = '$',    [JSON_OBJECT] = '{', [JSON_OBJECT_END] = '}',
        [JSON_ARRAY] = '[',  [JSON_KEY] = 'k',    [JSON_ARRAY_END] = ']',
        [JSON_STRING] = 's', [JSON_NUMBER] = 'n', [JSON_TRUE] = 't',
        [JSON_FALSE] = 'f',  [JSON_NULL] = '0'};
    return arena_format(a, "%.*s%s%c%ju%s%.*s", STR_ARG(line),
                        line.n == 0 ? "" : " ", letters[t->kind],
                        (uintmax_t)t->offset, t->text.p == NULL ? "" : ":",
                        (int)t->text.n, t->text.p == NULL ? "" : t->text.p);
}

/* A copy that ends where its memory ends. */
static char *exact(const char *text, size_t n)
{
    char *p = malloc(n == 0 ? 1 : n);
    assert_non_null(p);
    memcpy(p, text, n);
    return p;
}

/* Reads to the end; false with j->error as json_next. */
static bool read_all(struct json *j, struct arena *a, struct str *line)
{
    struct json_token t;
    *line = str_c("");
    do {
        if (!json_next(j, &t))
            return false;
        *line = token_line(a, *line, &t);
    } while (t.kind != JSON_END);
    return true;
}

static bool reads(const char *text, size_t n)
{
    struct arena a = {0};
    struct str line;
    struct json j;
    char *copy = exact(text, n);
    bool good;
    json_start(&j, &a, (struct str){copy, n}, 0);
    good = read_all(&j, &a, &line);
    arena_release(&a);
    free(copy);
    return good;
}

static void check_good(const struct good *g)
{
    struct arena a = {0};
    struct str line;
    struct json j;
    size_t n = strlen(g->text);
    char *copy = exact(g->text, n);
    json_start(&j, &a, (struct str){copy, n}, 0);
    if (!read_all(&j, &a, &line))
        fail_msg("%s: %s at %ju", g->text, j.error.text,
                 (uintmax_t)j.error.offset);
    assert_string_equal(line.n == 0 ? "" : line.p, g->tokens);
    arena_release(&a);
    free(copy);
}

static void check_bad(const struct bad *b)
{
    struct arena a = {0};
    struct json_token t;
    struct str line;
    struct json j;
    size_t n = strlen(b->text);
    char *copy = exact(b->text, n);
    json_start(&j, &a, (struct str){copy, n}, 1000);
    if (read_all(&j, &a, &line))
        fail_msg("accepted: %s", b->text);
    if (strstr(j.error.text, b->part) == NULL ||
        j.error.offset != b->offset + 1000)
        fail_msg("%s: \"%s\" at %ju, not \"%s\" at %ju", b->text, j.error.text,
                 (uintmax_t)j.error.offset, b->part,
                 (uintmax_t)(b->offset + 1000));
    assert_false(json_next(&j, &t));
    arena_release(&a);
    free(copy);
}

static void test_tokens(void **state)
{
    static const struct good table[] = {
        {"{}", "{0 }1 $2"},
        {"[]", "[0 ]1 $2"},
        {" \t\r\n1 ", "n4:1 $6"},
        {"null", "00 $4"},
        {"true", "t0 $4"},
        {"false", "f0 $5"},
        {"\"\"", "s0: $2"},
        {"\"a b\"", "s0:a b $5"},
        {"[1,[2,[]],{}]", "[0 n1:1 [3 n4:2 [6 ]7 ]8 {10 }11 ]12 $13"},
        {"{\"a\":1,\"b\":{\"a\":2}}",
         "{0 k1:a n5:1 k7:b {11 k12:a n16:2 }17 }18 $19"},
        {"{ \"a\" : [ true , null ] }", "{0 k2:a [8 t10 017 ]22 }24 $25"},
        {"{\"a\":[{\"a\":1},{\"a\":1}]}",
         "{0 k1:a [5 {6 k7:a n11:1 }12 {14 k15:a n19:1 }20 ]21 }22 $23"},
        {"{\"\":0}", "{0 k1: n4:0 }5 $6"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++)
        check_good(&table[i]);
}

static void test_strings(void **state)
{
    static const struct good table[] = {
        {"\"\\\"\\\\\\/\"", "s0:\"\\/ $8"},
        {"\"\\b\\f\\n\\r\\t\"", "s0:\b\f\n\r\t $12"},
        {"\"\\u0041\\u007F\"", "s0:A\x7f $14"},
        {"\"\\u0080\\u07ff\"", "s0:\xc2\x80\xdf\xbf $14"},
        {"\"\\u0800\\uFFFF\"", "s0:\xe0\xa0\x80\xef\xbf\xbf $14"},
        {"\"\\ud7ff\\ue000\"", "s0:\xed\x9f\xbf\xee\x80\x80 $14"},
        {"\"\\ud800\\udc00\"", "s0:\xf0\x90\x80\x80 $14"},
        {"\"\\uDBFF\\uDFFFx\"", "s0:\xf4\x8f\xbf\xbfx $15"},
        {"\"\xc3\xa9\\n\xf0\x9f\x98\x80\"",
         "s0:\xc3\xa9\n\xf0\x9f\x98\x80 $10"},
        {"{\"\\u006b\":1}", "{0 k1:k n10:1 }11 $12"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++)
        check_good(&table[i]);
}

static void test_numbers(void **state)
{
    static const char *const good[] = {
        "0",      "-0",      "10",      "-1",          "0.0",   "1.50",
        "1e5",    "1E+5",    "1e-5",    "-0.1e007",    "0e0",   "9.9e307",
        "0e9999", "1e-9999", "0.1e308", "0.00001e312", "1e307", "0.0e999999"};
    static const char *const bad[] = {
        "",        "-",        "+1",
        "01",      "-01",      "00",
        ".5",      "1.",       "1.e5",
        "1e",      "1e+",      "0x10",
        "1_0",     "1e5.0",    "1e308",
        "1e999",   "10e307",   "-1e308",
        "0.1e309", "--1",      "1e99999999999",
        "NaN",     "Infinity", "1 2",
        "1,",      "1f",       "1e308888888888888888888"};
    char digits[400];
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        if (!reads(good[i], strlen(good[i])))
            fail_msg("refused: %s", good[i]);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (reads(bad[i], strlen(bad[i])))
            fail_msg("accepted: %s", bad[i]);
    }
    memset(digits, '9', sizeof digits);
    assert_true(reads(digits, 308));
    assert_false(reads(digits, 309));
}

static void test_errors(void **state)
{
    static const struct bad table[] = {
        {"", 0, "expected a value, but the text ends"},
        {"  ", 2, "expected a value, but the text ends"},
        {"\xef\xbb\xbf{}", 0, "found the byte 0xef"},
        {"nul", 0, "expected a value, found 'n'"},
        {"nulL", 0, "expected a value"},
        {"nullx", 4, "nothing behind the value, found 'x'"},
        {"{} {}", 3, "nothing behind the value"},
        {"]", 0, "expected a value"},
        {"[1", 2, "expected ',' or ']', but the text ends"},
        {"[1}", 2, "expected ',' or ']', found '}'"},
        {"[1 2]", 3, "expected ',' or ']', found '2'"},
        {"[,1]", 1, "expected a value, found ','"},
        {"[1,,2]", 3, "expected a value, found ','"},
        {"[1,]", 3, "expected a value, found ']'"},
        {"[", 1, "expected a value, but the text ends"},
        {"{", 1, "expected a key in quotes, but the text ends"},
        {"{a:1}", 1, "expected a key in quotes, found 'a'"},
        {"{1:1}", 1, "expected a key in quotes"},
        {"{\"a\"}", 4, "expected a colon, found '}'"},
        {"{\"a\":}", 5, "expected a value, found '}'"},
        {"{\"a\":1", 6, "expected ',' or '}', but the text ends"},
        {"{\"a\":1]", 6, "expected ',' or '}', found ']'"},
        {"{\"a\":1,}", 7, "expected a key in quotes, found '}'"},
        {"{\"a\":1,,}", 7, "expected a key in quotes, found ','"},
        {"[1]/**/", 3, "found '/'"},
        {"\"a", 0, "ends inside this string"},
        {"[\"a\\", 3, "ends inside an escape"},
        {"\"a\nb\"", 2, "control byte 0x0a"},
        {"\"a\x1f\"", 2, "control byte 0x1f"},
        {"\"\\a\"", 1, "no such escape"},
        {"\"\\U0041\"", 1, "no such escape"},
        {"\"\\u004\"", 1, "four hexadecimal digits"},
        {"\"\\u004", 1, "four hexadecimal digits"},
        {"\"\\u00g0\"", 1, "four hexadecimal digits"},
        {"\"\\u-041\"", 1, "four hexadecimal digits"},
        {"\"x\\ud800\"", 2, "high surrogate"},
        {"\"\\ud800x\"", 1, "high surrogate"},
        {"\"\\ud800\\n\"", 1, "high surrogate"},
        {"\"\\ud800\\ud800\"", 1, "high surrogate"},
        {"\"\\ud800\\u0041\"", 1, "high surrogate"},
        {"\"\\udc00\"", 1, "low surrogate"},
        {"\"\\udc00\\ud800\"", 1, "low surrogate"},
        {"\"a\x80\"", 2, "invalid UTF-8 at the byte 0x80"},
        {"\"\xc0\x80\"", 1, "invalid UTF-8"},
        {"\"\xc3\"", 1, "invalid UTF-8"},
        {"\"\xe0\x80\x80\"", 1, "invalid UTF-8"},
        {"\"\xed\xa0\x80\"", 1, "invalid UTF-8"},
        {"\"\xf0\x80\x80\x80\"", 1, "invalid UTF-8"},
        {"\"\xf4\x90\x80\x80\"", 1, "invalid UTF-8"},
        {"\"\xf5\x80\x80\x80\"", 1, "invalid UTF-8"},
        {"01", 0, "0 before its first digit"},
        {"-", 1, "expected a digit, but the text ends"},
        {"1.x", 2, "expected a digit, found 'x'"},
        {"[1e400]", 1, "1e308 or more"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++)
        check_bad(&table[i]);
}

static void test_keys_twice(void **state)
{
    static const struct bad table[] = {
        {"{\"a\":1,\"a\":1}", 7, "has already"},
        {"{\"a\":1,\"b\":2,\"b\":3,\"a\":4}", 13, "has already"},
        {"{\"b\":1,\"a\":2,\"b\":3,\"a\":4}", 13, "has already"},
        {"{\"a\":1,\"a\":2,\"a\":3}", 7, "has already"},
        {"{\"a\":1,\"\\u0061\":1}", 7, "has already"},
        {"{\"\":1,\"\":1}", 6, "has already"},
        {"{\"a\":{\"b\":{},\"b\":1}}", 13, "has already"},
        {"[{\"a\":{\"a\":1}},{\"x\":1,\"a\":1,\"x\":1}]", 28, "has already"},
        {"{\"a\":[{\"a\":1,\"c\":1}],\"a\":1}", 21, "has already"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++)
        check_bad(&table[i]);
}

/* The error names the key, and no other error does. */
static void test_key_of_error(void **state)
{
    struct arena a = {0};
    struct str line;
    struct json j;
    (void)state;
    json_start(&j, &a, str_c("{\"k\":[],\"\\u006b\":0}"), 0);
    assert_false(read_all(&j, &a, &line));
    assert_true(str_is(j.error.key, "k"));
    json_start(&j, &a, str_c("{\"k\":[}"), 0);
    assert_false(read_all(&j, &a, &line));
    assert_null(j.error.key.p);
    arena_release(&a);
}

/* Many keys make the stack of keys grow, and one more makes a pair. */
static void test_many_keys(void **state)
{
    struct arena a = {0};
    struct str text = str_c("{\"x\":{");
    struct json j;
    struct str line;
    (void)state;
    for (int i = 0; i < 300; i++)
        text = arena_format(&a, "%.*s\"%d\":%d,", STR_ARG(text), i, i);
    json_start(&j, &a, arena_format(&a, "%.*s\"n\":0}}", STR_ARG(text)), 0);
    assert_true(read_all(&j, &a, &line));
    json_start(&j, &a, arena_format(&a, "%.*s\"17\":0}}", STR_ARG(text)), 5);
    assert_false(read_all(&j, &a, &line));
    assert_int_equal(j.error.offset, text.n + 5);
    arena_release(&a);
}

/* n containers, alternately objects and arrays if `mixed`. */
static bool nests(size_t n, bool mixed)
{
    char text[JSON_MAX_DEPTH * 12];
    size_t at = 0, i;
    for (i = 0; i < n; i++) {
        const char *open = mixed && i % 2 == 0 ? "{\"a\":" : "[";
        memcpy(text + at, open, strlen(open));
        at += strlen(open);
    }
    text[at++] = '1';
    for (; i-- > 0;)
        text[at++] = mixed && i % 2 == 0 ? '}' : ']';
    return reads(text, at);
}

static void test_depth(void **state)
{
    (void)state;
    for (int mixed = 0; mixed < 2; mixed++) {
        assert_true(nests(JSON_MAX_DEPTH, mixed != 0));
        assert_false(nests(JSON_MAX_DEPTH + 1, mixed != 0));
        assert_false(nests(JSON_MAX_DEPTH + 20, mixed != 0));
    }
}

/* Every text that is cut short fails, whatever the length. */
static void test_truncation(void **state)
{
    static const char text[] =
        "{\"a\\u00e9\\ud83d\\ude00\":[1,-2.5e-3,true,false,null,\"\xc3\xa9\","
        "{\"b\":{}}],\"c\":\"\\n\"}";
    (void)state;
    assert_true(reads(text, sizeof text - 1));
    for (size_t n = 0; n < sizeof text - 1; n++) {
        if (reads(text, n))
            fail_msg("accepted: %.*s", (int)n, text);
    }
}

/* Without an escape a string is the text itself. */
static void test_views(void **state)
{
    static const char text[] = "[\"plain\",\"esc\\u0061ped\"]";
    struct arena a = {0};
    struct json_token t;
    struct json j;
    (void)state;
    json_start(&j, &a, str_c(text), 0);
    assert_true(json_next(&j, &t) && json_next(&j, &t));
    assert_ptr_equal(t.text.p, text + 2);
    assert_true(json_next(&j, &t));
    assert_true(str_is(t.text, "escaped"));
    assert_true(t.text.p < text || t.text.p >= text + sizeof text);
    assert_true(json_next(&j, &t) && t.kind == JSON_ARRAY_END);
    assert_true(json_next(&j, &t) && t.kind == JSON_END);
    assert_true(json_next(&j, &t) && t.kind == JSON_END);
    arena_release(&a);
}

static void test_nul_byte(void **state)
{
    (void)state;
    assert_true(reads("\"a\\u0000b\"", 10));
    assert_false(reads("\"a\0b\"", 5));
    assert_false(reads("{}\0", 3));
    assert_false(reads("\"\\\0\"", 4));
}

static void test_skip(void **state)
{
    static const char text[] = "{\"a\":[1,{\"b\":[]}],\"c\":7,\"d\":{}}";
    struct arena a = {0};
    struct json_token t;
    struct json j;
    (void)state;
    json_start(&j, &a, str_c(text), 0);
    for (int i = 0; i < 3; i++) /* {, "a", [ */
        assert_true(json_next(&j, &t));
    assert_true(json_skip(&j, &t));
    assert_int_equal(j.depth, 1);
    assert_true(json_next(&j, &t) && str_is(t.text, "c"));
    assert_true(json_next(&j, &t) && json_skip(&j, &t));
    assert_true(json_next(&j, &t) && str_is(t.text, "d"));
    assert_true(json_next(&j, &t) && json_skip(&j, &t));
    assert_true(json_next(&j, &t) && t.kind == JSON_OBJECT_END);
    json_start(&j, &a, str_c("[[1,2"), 0);
    assert_true(json_next(&j, &t));
    assert_false(json_skip(&j, &t));
    assert_int_equal(j.error.offset, 5);
    arena_release(&a);
}

static void test_u64(void **state)
{
    static const struct {
        const char *text;
        bool good;
        uint64_t value;
    } table[] = {{"0", true, 0},
                 {"7", true, 7},
                 {"18446744073709551615", true, UINT64_MAX},
                 {"18446744073709551616", false, 0},
                 {"18446744073709551620", false, 0},
                 {"99999999999999999999", false, 0},
                 {"184467440737095516150", false, 0},
                 {"-0", false, 0},
                 {"-1", false, 0},
                 {"1.0", false, 0},
                 {"1e1", false, 0},
                 {"\"1\"", false, 0},
                 {"null", false, 0}};
    struct arena a = {0};
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct json_token t;
        uint64_t v = 0;
        struct json j;
        json_start(&j, &a, str_c(table[i].text), 0);
        assert_true(json_next(&j, &t));
        assert_int_equal(json_u64(&t, &v), table[i].good);
        assert_true(v == table[i].value);
    }
    arena_release(&a);
}

static void test_kind_names(void **state)
{
    (void)state;
    for (int k = JSON_END; k <= JSON_NULL; k++)
        assert_non_null(json_kind_name((enum json_kind)k));
    assert_string_equal(json_kind_name(JSON_ARRAY), "an array");
    assert_string_equal(json_kind_name(JSON_NULL), "null");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),     cmocka_unit_test(test_strings),
        cmocka_unit_test(test_numbers),    cmocka_unit_test(test_errors),
        cmocka_unit_test(test_keys_twice), cmocka_unit_test(test_key_of_error),
        cmocka_unit_test(test_many_keys),  cmocka_unit_test(test_depth),
        cmocka_unit_test(test_truncation), cmocka_unit_test(test_views),
        cmocka_unit_test(test_nul_byte),   cmocka_unit_test(test_skip),
        cmocka_unit_test(test_u64),        cmocka_unit_test(test_kind_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
