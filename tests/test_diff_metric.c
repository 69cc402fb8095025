/* SPDX-License-Identifier: MIT
 *
 * test_diff_metric.c - distances of single values, and that cutting a tensor
 * into blocks changes nothing.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "diff.h"

static const struct tolerance none = {0, 0, 0};

static uint64_t ulp_f32(float a, float b)
{
    return ulp_between(TTSB_F32, &a, &b);
}

static void test_ulp(void **state)
{
    double a = 1, b = nextafter(1, 2);
    uint16_t h = 0x3c00, k = 0x3c05; /* f16 */
    (void)state;
    assert_int_equal(ulp_f32(1, 1), 0);
    assert_int_equal(ulp_f32(1, nextafterf(1, 2)), 1);
    assert_int_equal(ulp_f32(-0.0F, 0.0F), 0);
    assert_int_equal(ulp_f32(-1e-45F, 1e-45F), 2);
    assert_int_equal(ulp_f32(1, 2), 1 << 23);
    assert_int_equal(ulp_between(TTSB_F64, &a, &b), 1);
    assert_int_equal(ulp_between(TTSB_F16, &h, &k), 5);
    a = -1.7976931348623157e308;
    b = 1.7976931348623157e308;
    assert_int_equal(ulp_between(TTSB_F64, &a, &b),
                     UINT64_C(0xffdffffffffffffe));
}

static void test_bins(void **state)
{
    static const struct {
        uint64_t ulp;
        unsigned bin;
    } rows[] = {{0, 0},
                {1, 1},
                {2, 2},
                {3, 3},
                {4, 3},
                {5, 4},
                {8, 4},
                {9, 5},
                {16, 5},
                {17, 6},
                {UINT64_C(1) << 63, 64},
                {(UINT64_C(1) << 63) + 1, 65},
                {UINT64_MAX, 65}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t least, most;
        assert_int_equal(metric_bin(rows[i].ulp), rows[i].bin);
        metric_bin_range(rows[i].bin, &least, &most);
        assert_true(least <= rows[i].ulp && rows[i].ulp <= most);
    }
}

static struct metric compare(enum ttsb_dtype a, const void *x,
                             enum ttsb_dtype b, const void *y, size_t n,
                             struct tolerance t)
{
    struct metric m;
    assert_true(metric_begin(&m, a, b, &t));
    metric_add(&m, x, y, n);
    return m;
}

/* Integers that binary64 does not have are told apart. */
static void test_integers(void **state)
{
    int64_t a[] = {INT64_MAX, -5, (INT64_C(1) << 53) + 1, 7};
    uint64_t b[] = {INT64_MAX, UINT64_MAX, (UINT64_C(1) << 53) + 1, 7};
    double d[] = {9223372036854775808.0, -5, 9007199254740992.0, 7};
    struct metric m = compare(TTSB_I64, a, TTSB_U64, b, 4, none);
    (void)state;
    assert_int_equal(m.different, 1);
    assert_int_equal(m.first, 1);
    assert_int_equal(m.max_ulp, UINT64_MAX);
    m = compare(TTSB_I64, a, TTSB_F64, d, 4, none);
    assert_int_equal(m.different, 2);
    assert_int_equal(m.first, 0);
    assert_true(m.max_abs == 1);
    assert_true(metric_rmse(&m) == sqrt(0.5));
    m = compare(TTSB_F64, d, TTSB_I64, a, 4, none);
    assert_int_equal(m.different, 2);
    a[0]--;
    m = compare(TTSB_I64, a, TTSB_I64, (const int64_t *)b, 1, none);
    assert_int_equal(m.over, 1);
    assert_int_equal(m.max_ulp, 1);
    m = compare(TTSB_I64, a, TTSB_I64, (const int64_t *)b, 1,
                (struct tolerance){0, 0, 1});
    assert_int_equal(m.over, 0);
}

/* What is equal, and within what. */
static void test_tolerance(void **state)
{
    static const float big = 3.4028235e38F;
    const struct {
        float a, b;
        struct tolerance t;
        bool different, over;
    } rows[] = {
        {0.0F, -0.0F, {0, 0, 0}, false, false},
        {NAN, NAN, {0, 0, 0}, false, false},
        {INFINITY, INFINITY, {0, 0, 0}, false, false},
        {NAN, 1, {1, 1, 9}, true, true},
        {INFINITY, big, {1, 1e300, UINT64_MAX}, true, true},
        {INFINITY, -INFINITY, {1, 1e300, UINT64_MAX}, true, true},
        {1, 1.5F, {0, 0.5, 0}, true, false},
        {1, 1.5F, {0, 0.49, 0}, true, true},
        {1, 2, {0.5, 0, 0}, true, false}, /* of the larger */
        {2, 1, {0.5, 0, 0}, true, false},
        {1, 2, {0.49, 0, 0}, true, true},
        {1, 2, {0, 0, 1 << 23}, true, false},
        {1, 2, {0, 0, (1 << 23) - 1}, true, true},
        {1e-45F, 0, {0, 0, 0}, true, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct metric m =
            compare(TTSB_F32, &rows[i].a, TTSB_F32, &rows[i].b, 1, rows[i].t);
        if (m.different != rows[i].different || m.over != rows[i].over)
            fail_msg("row %zu", i);
    }
}

/* An f32 that does not fit f16 is no neighbour of its infinity. */
static void test_overflow(void **state)
{
    float a = 1e6F;
    uint16_t b = 0x7bff; /* 65504 */
    struct metric m =
        compare(TTSB_F32, &a, TTSB_F16, &b, 1, (struct tolerance){0, 0, 1000});
    (void)state;
    assert_int_equal(m.over, 1);
    assert_int_equal(m.max_ulp, UINT64_MAX);
}

/* Units of the narrower dtype do not widen a tolerance that is in values. */
static void test_units_of_another_dtype(void **state)
{
    const float a = 1.0001F;
    const uint16_t b = 0x3c00; /* 1, and the nearest f16 of a */
    const struct {
        struct tolerance t;
        uint64_t over;
    } rows[] = {{{0, 1e-9, 0}, 1}, {{1e-9, 0, 0}, 1}, {{0, 2e-4, 0}, 0},
                {{2e-4, 0, 0}, 0}, {{0, 1e-9, 1}, 0}, {{0, 0, 1}, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct metric m = compare(TTSB_F32, &a, TTSB_F16, &b, 1, rows[i].t);
        assert_int_equal(m.max_ulp, 0);
        assert_int_equal(m.different, 1);
        assert_int_equal(m.over, rows[i].over);
    }
}

static void test_census(void **state)
{
    uint32_t a[] = {0x7fc00000, 0x7fc00000, 0x7f800000, 0, 0x3f800000};
    uint32_t b[] = {0x7fc00001, 0x3f800000, 0xff800000, 0x80000000, 0x7f800000};
    struct metric m = compare(TTSB_F32, a, TTSB_F32, b, 5, none);
    (void)state;
    assert_int_equal(m.nan_both, 1);
    assert_int_equal(m.nan_bits, 1);
    assert_int_equal(m.nan_a, 1);
    assert_int_equal(m.nan_b, 0);
    assert_int_equal(m.inf_signs, 1);
    assert_int_equal(m.inf_b, 1);
    assert_int_equal(m.zero_signs, 1);
    assert_int_equal(m.different, 3);
    assert_int_equal(m.first_over, 1);
    assert_int_equal(m.finite, 1);
}

/* One block, or many uneven ones: the same figures, bit for bit. */
static void test_blocks(void **state)
{
    enum { N = 3 * METRIC_BLOCK + 77 };
    float *a = malloc(N * sizeof *a), *b = malloc(N * sizeof *b);
    struct metric whole, parts;
    uint32_t seed = 1;
    (void)state;
    for (size_t i = 0; i < N; i++) {
        seed = seed * 1664525 + 1013904223;
        a[i] = (float)seed / 1e9F - 2;
        b[i] = i % 3 == 0 ? a[i] : a[i] * 1.0001F;
    }
    a[9] = NAN;
    assert_true(metric_begin(&whole, TTSB_F32, TTSB_F32, &none));
    assert_true(metric_begin(&parts, TTSB_F32, TTSB_F32, &none));
    for (size_t i = 0; i < N; i += METRIC_BLOCK)
        metric_add(&whole, a + i, b + i,
                   N - i < METRIC_BLOCK ? N - i : METRIC_BLOCK);
    for (size_t i = 0, n; i < N; i += n) {
        n = 1 + i % 1000;
        n = N - i < n ? N - i : n;
        metric_add(&parts, a + i, b + i, n);
    }
    assert_memory_equal(&whole.bins, &parts.bins, sizeof whole.bins);
    assert_true(metric_rmse(&whole) == metric_rmse(&parts));
    assert_true(metric_cosine(&whole) == metric_cosine(&parts));
    assert_true(metric_mean_abs(&whole) == metric_mean_abs(&parts));
    assert_int_equal(whole.at_rel, parts.at_rel);
    assert_int_equal(whole.first_over, 1);
    free(a);
    free(b);
}

static void test_natural_order(void **state)
{
    static const char *const names[] = {"embed", "h.0",    "h.2",  "h.9",
                                        "h.10",  "h.10.a", "h.11", "h.x",
                                        "h10",   "h010",   "ln_f"};
    size_t n = sizeof names / sizeof names[0];
    (void)state;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            int c = diff_natural(str_c(names[i]), str_c(names[k]));
            if (strcmp(names[i], "h010") == 0 || strcmp(names[k], "h010") == 0)
                assert_int_equal(c == 0, i == k); /* some order, and one */
            else
                assert_int_equal((c > 0) - (c < 0), (i > k) - (i < k));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ulp),
        cmocka_unit_test(test_bins),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_tolerance),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_units_of_another_dtype),
        cmocka_unit_test(test_census),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_natural_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
