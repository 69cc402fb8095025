/* SPDX-License-Identifier: MIT
 *
 * test_scope.c - integer expressions: values, precedence, and every fault.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "constant_parse.h"
#include "cursor.h"
#include "scope.h"

/* Evaluates a text in a scope with D = 12, L = 3, T = [5, 6], w = "ff". The
 * first id that was reported, or "". */
static const char *evaluate(const char *text, int64_t *value, char *id)
{
    static const int64_t table[] = {5, 6};
    struct arena a = {0};
    struct diag d = {.arena = &a};
    struct scope s = {.a = &a, .d = &d};
    struct source src;
    struct node n = {.kind = NODE_SCALAR};
    const struct expr *e;
    char *out = NULL;
    size_t size;
    FILE *f;
    uint32_t at;
    assert_int_equal(source_from_text(&a, str_c("x"), str_c(text), &src, &at),
                     SOURCE_OK);
    n.at = n.raw = (struct span){&src, 0, (uint32_t)strlen(text)};
    scope_define(&s, (struct binding){.name = str_c("D"), .number = 12});
    scope_define(&s, (struct binding){.name = str_c("L"), .number = 3});
    scope_define(&s, (struct binding){.name = str_c("T"),
                                      .kind = BIND_TABLE,
                                      .table = table,
                                      .count = 2});
    scope_define(&s, (struct binding){.name = str_c("w"),
                                      .kind = BIND_WORD,
                                      .word = str_c("ff")});
    e = cursor_whole_expr(&a, &d, &n, true);
    if (e != NULL)
        scope_eval(&s, e, value);
    id[0] = '\0';
    f = open_memstream(&out, &size);
    diag_print(&d, f);
    fclose(f);
    if (strstr(out, "error[") != NULL)
        snprintf(id, 6, "%s", strstr(out, "error[") + 6);
    free(out);
    arena_release(&a);
    return id;
}

static void test_values(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } cases[] = {
        {"1", 1},
        {"2+3*4", 14},
        {"(2+3)*4", 20},
        {"2*3**2", 18},
        {"2**3**2", 512},
        {"-2**2", 4}, /* unary minus binds first */
        {"10-3-2", 5},
        {"D/4", 3},
        {"7//2", 3},
        {"-7//2", -4},
        {"7//-2", -4},
        {"-7%3", 2},
        {"7%3", 1},
        {"7%-3", 1},
        {"D*((1024-2)/2)", 6132},
        {"T[0]+T[L-2]", 11},
        {"D % L == 0", 1},
        {"D < L", 0},
        {"D >= 12 and L != 4", 1},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775807-1", INT64_MIN},
        {"1**9223372036854775807", 1},
        {"(-1)**9223372036854775807", -1},
        {"0**0", 1},
        {"3\n   + 4", 7},
    };
    char id[8];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t v = 4711;
        if (evaluate(cases[i].text, &v, id)[0] != '\0' || v != cases[i].value)
            fail_msg("%s: %lld %s", cases[i].text, (long long)v, id);
    }
}

static void test_faults(void **state)
{
    static const struct {
        const char *text, *id;
    } cases[] = {
        {"7/2", "E0214"},
        {"1//0", "E0215"},
        {"1/0", "E0215"},
        {"1%0", "E0215"},
        {"2**-1", "E0215"},
        {"9223372036854775807+1", "E0213"},
        {"9223372036854775808", "E0213"},
        {"-9223372036854775807-2", "E0213"},
        {"2**63", "E0213"},
        {"(-9223372036854775807-1)//-1", "E0213"},
        {"-(-9223372036854775807-1)", "E0213"},
        {"9223372036854775807*2", "E0213"},
        {"X", "E0202"},
        {"T", "E0217"},
        {"D[0]", "E0217"},
        {"w", "E0217"},
        {"T[2]", "E0204"},
        {"T[-1]", "E0204"},
        {"", "E0201"},
        {"1 2", "E0201"},
        {"1+", "E0201"},
        {"(1", "E0201"},
        {"1.5", "E0201"},
        {"a..b", "E0201"},
        {"1e3", "E0201"},
    };
    char id[8];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t v = 0;
        if (strcmp(evaluate(cases[i].text, &v, id), cases[i].id) != 0)
            fail_msg("`%s`: %s, not %s", cases[i].text, id, cases[i].id);
    }
}

/* Nesting is limited, so that no text overflows the stack. */
static void test_depth(void **state)
{
    char text[4096], id[8];
    int64_t v = 0;
    (void)state;
    memset(text, '(', 4000);
    strcpy(text + 4000, "1");
    assert_string_equal(evaluate(text, &v, id), "E0201");
    memset(text, '-', 4000);
    assert_string_equal(evaluate(text, &v, id), "E0201");
}

/* So is length: a tree of sums leans to one side. */
static void test_length(void **state)
{
    char text[4096], id[8];
    int64_t v = 0;
    (void)state;
    for (int i = 0; i < 2002; i += 2)
        memcpy(text + i, "1+", 2);
    strcpy(text + 2000, "1");
    assert_string_equal(evaluate(text, &v, id), "");
    assert_int_equal(v, 1001);
    strcpy(text + 2000, "1+1");
    assert_string_equal(evaluate(text, &v, id), "E0201");
}

static void test_decimals(void **state)
{
    static const struct {
        const char *text;
        double value;
        bool ok;
    } cases[] = {
        {"1.0", 1.0, true},
        {"1e-5", 1e-5, true},
        {"-2.5E+3", -2500, true},
        {"0.1", 0.1, true},
        {"1e400", 0, false},
        {"1", 0, false},
        {".5", 0, false},
        {"1.", 0, false},
        {"1e", 0, false},
        {"0x1p3", 0, false},
        {"inf", 0, false},
        {"nan", 0, false},
        {"1,5", 0, false},
        {" 1.5", 0, false},
        {"4.9406564584124654e-324", 4.9406564584124654e-324, true},
        {"2.2250738585072011e-308", 2.2250738585072011e-308, true},
        /* exactly between two: to even */
        {"9007199254740993.0", 9007199254740992.0, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double v = 0;
        bool ok = decimal_parse(str_c(cases[i].text), &v);
        if (ok != cases[i].ok ||
            (ok && memcmp(&v, &cases[i].value, sizeof v) != 0))
            fail_msg("%s: %d %.17g", cases[i].text, ok, v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),   cmocka_unit_test(test_faults),
        cmocka_unit_test(test_depth),    cmocka_unit_test(test_length),
        cmocka_unit_test(test_decimals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
