/* SPDX-License-Identifier: MIT
 *
 * test_indexset.c - exact sets, in the shortest exact words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "indexset.h"

static struct index_value number(int64_t n)
{
    return (struct index_value){.number = n};
}

static void check(const char *expected, size_t width, size_t count,
                  const int64_t *numbers)
{
    static const struct str names[] = {{"i", 1}, {"j", 1}, {"k", 1}};
    struct arena a = {0};
    struct index_value v[64];
    for (size_t i = 0; i < width * count; i++)
        v[i] = number(numbers[i]);
    assert_string_equal(indexset_text(&a, names, v, width, count).p, expected);
    arena_release(&a);
}

#define CHECK(expected, width, ...)                                            \
    check(expected, width,                                                     \
          sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t) / (width),        \
          (int64_t[]){__VA_ARGS__})

static void test_one_variable(void **state)
{
    (void)state;
    CHECK("i = 7", 1, 7);
    CHECK("i = {0..3}", 1, 3, 2, 1, 0);
    CHECK("i = {0, 1}", 1, 1, 0, 1);
    CHECK("i = {0..4, 6..11}", 1, 0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11);
    CHECK("i = {-2, 5, 9}", 1, 9, -2, 5);
}

static void test_products(void **state)
{
    (void)state;
    CHECK("i = {0, 1}, j = {3..5}", 2, 0, 3, 0, 4, 0, 5, 1, 3, 1, 4, 1, 5);
    CHECK("i = 2, j = {0..2}", 2, 2, 0, 2, 1, 2, 2);
}

static void test_irregular(void **state)
{
    (void)state;
    CHECK("(i, j) = (0, 1), (2, {3..5})", 2, 0, 1, 2, 3, 2, 4, 2, 5);
    CHECK("(i, j, k) = (0, 0, 0), (0, 1, 1)", 3, 0, 0, 0, 0, 1, 1);
}

static void test_words(void **state)
{
    static const struct str names[] = {{"n", 1}};
    struct index_value v[] = {{.is_word = true, .word = {"mha", 3}},
                              {.is_word = true, .word = {"ff", 2}},
                              {.is_word = true, .word = {"", 0}}};
    struct arena a = {0};
    (void)state;
    assert_string_equal(indexset_text(&a, names, v, 1, 3).p,
                        "n = {\"\", ff, mha}");
    arena_release(&a);
}

static void test_names(void **state)
{
    static const char *const given[] = {"a.1.w",   "a.0.w", "b",      "c.0.d.1",
                                        "c.1.d.2", "a.2.w", "x.01.y", "x.2.y"};
    static const char *const expected[] = {
        "a.{0..2}.w", "b", "c.{i}.d.{j}, (i, j) = (0, 1), (1, 2)", "x.01.y",
        "x.2.y"};
    static const size_t sizes[] = {3, 1, 2, 1, 1};
    struct arena a = {0};
    struct str names[8];
    struct name_set *sets;
    (void)state;
    for (size_t i = 0; i < 8; i++)
        names[i] = str_c(given[i]);
    assert_int_equal(indexset_fold_names(&a, names, 8, &sets), 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(sets[i].text.p, expected[i]);
        assert_int_equal(sets[i].count, sizes[i]);
    }
    assert_string_equal(sets[0].first.p, "a.0.w");
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_variable), cmocka_unit_test(test_products),
        cmocka_unit_test(test_irregular),    cmocka_unit_test(test_words),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
