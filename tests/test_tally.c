/* SPDX-License-Identifier: MIT
 *
 * test_tally.c - figures that can be worked out by hand, every kind of value,
 * and that no cut, no unit and no compiler changes a bit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tally.h"
#include "tally_values.h"

/* Of test_known_bits; the exact figures differ in the last digit. */
#define KNOWN_MEAN 0x1.fffffffffbeabp+25
#define KNOWN_M2 0x1.5bb15b628371dp+17
#define KNOWN_M3 0x1.2205adb437e0fp+8
#define KNOWN_M4 0x1.3925eae8034dcp+17
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static struct tally tally_of(enum ttsb_dtype dtype, const void *bytes, size_t n,
                             size_t cut)
{
    const uint8_t *p = bytes;
    struct tally_maker *m = tally_begin(dtype);
    for (size_t i = 0; i < n; i += cut)
        tally_add(m, p + i, n - i < cut ? n - i : cut);
    return tally_end(m);
}

static struct tally of_doubles(const double *x, size_t n)
{
    return tally_of(TTSB_F64, x, n * sizeof *x, SIZE_MAX);
}

static void assert_bits(double x, double y)
{
    uint64_t a, b;
    memcpy(&a, &x, sizeof a);
    memcpy(&b, &y, sizeof b);
    assert_int_equal(a, b);
}

static void assert_same(const struct tally *a, const struct tally *b)
{
    const double x[] = {a->min, a->max, a->mean,        a->m2,
                        a->m3,  a->m4,  a->scaled_mean, a->scaled_rest};
    const double y[] = {b->min, b->max, b->mean,        b->m2,
                        b->m3,  b->m4,  b->scaled_mean, b->scaled_rest};
    for (size_t i = 0; i < COUNT(x); i++)
        assert_bits(x[i], y[i]);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->finite, b->finite);
    assert_int_equal(a->zeros, b->zeros);
    assert_int_equal(a->nan, b->nan);
    assert_int_equal(a->inf, b->inf);
    assert_int_equal(a->denormal, b->denormal);
    assert_int_equal(a->exponent, b->exponent);
    assert_memory_equal(a->bins, b->bins, sizeof a->bins);
}

/* Within n units in the 52nd bit. */
static void assert_near(double x, double y, double n)
{
    if (!(fabs(x - y) <= fabs(y) * n * 0x1p-52))
        fail_msg("%a is not near %a", x, y);
}

static uint64_t bins_sum(const struct tally *t)
{
    uint64_t sum = 0;
    for (int i = 0; i < TALLY_BINS; i++)
        sum += t->bins[i];
    return sum;
}

/* --- figures --- */

static const struct {
    double x[6];
    size_t n;
    double mean, std, m2, m3, m4, min, max;
    int exponent;
} small[] = {
    {{0}, 0, 0, 0, 0, 0, 0, 0, 0, 0},
    {{-7}, 1, -7, 0, 0, 0, 0, -7, -7, 0},
    {{1, 2, 3, 4}, 4, 2.5, 0x1.1e3779b97f4a8p+0, 5, 0, 10.25, 1, 4, 0},
    {{0, 0, 0, 4}, 4, 1, 0x1.bb67ae8584caap+0, 12, 24, 84, 0, 4, 0},
    {{-0.0, -0.0}, 2, 0, 0, 0, 0, 0, 0, 0, 0},
    {{0.1, 0.1, 0.1}, 3, 0.1, 0, 0, 0, 0, 0.1, 0.1, 0},
    /* (x / 2^1000): +-1/2 */
    {{0x1p999, -0x1p999},
     2,
     0,
     0x1p999,
     0.5,
     0,
     0.125,
     -0x1p999,
     0x1p999,
     1000},
    {{0x1.fffffffffffffp1023, -0x1.fffffffffffffp1023},
     2,
     0,
     0x1.fffffffffffffp1023,
     0x1.ffffffffffffep0,
     0,
     0x1.ffffffffffffcp0,
     -0x1.fffffffffffffp1023,
     0x1.fffffffffffffp1023,
     1024},
    /* subnormal: 1 and 3 times the least, (x / 2^-1072): 1/4 and 3/4 */
    {{0x1p-1074, 0x3p-1074},
     2,
     0x1p-1073,
     0x1p-1074,
     0.125,
     0,
     0.0078125,
     0x1p-1074,
     0x3p-1074,
     -1072},
    /* the means of both halves are no doubles */
    {{0x1p53, 0x1p53 + 2}, 2, 0x1p53, 1, 2, 0, 2, 0x1p53, 0x1p53 + 2, 0},
    {{0, 0x1p-70, 0},
     3,
     0x1.5555555555555p-72,
     0x1.e2b7dddfefa66p-72,
     0x1.5555555555555p-3,
     0x1.c71c71c71c71cp-6,
     0x1.c71c71c71c71cp-7,
     0,
     0x1p-70,
     -69},
};

static void test_small(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(small); i++) {
        struct tally t = of_doubles(small[i].x, small[i].n);
        assert_true(t.counted);
        assert_int_equal(t.finite, small[i].n);
        assert_near(t.mean, small[i].mean, 1);
        assert_near(tally_std(&t), small[i].std, 2);
        assert_near(t.m2, small[i].m2, 4);
        assert_near(t.m3, small[i].m3, 8);
        assert_near(t.m4, small[i].m4, 8);
        assert_bits(t.min, small[i].min);
        assert_bits(t.max, small[i].max);
        assert_int_equal(t.exponent, small[i].exponent);
        assert_int_equal(bins_sum(&t) + t.zeros, small[i].n);
    }
}

static void test_kurtosis(void **state)
{
    const double two[] = {-1, 1}, skew[] = {0, 0, 0, 4}, flat[] = {2, 2};
    const double large[] = {-0x1p1000, 0x1p1000};
    struct tally a = of_doubles(two, 2), b = of_doubles(skew, 4);
    struct tally c = of_doubles(flat, 2), d = of_doubles(large, 2);
    (void)state;
    assert_bits(tally_kurtosis(&a), 1);
    assert_near(tally_kurtosis(&b), 84.0 * 4 / 144, 2);
    assert_bits(tally_kurtosis(&c), 0);
    assert_bits(tally_kurtosis(&d), 1);
    assert_bits(tally_absmax(&d), 0x1p1000);
}

static void test_not_finite(void **state)
{
    const double x[] = {NAN, 1, INFINITY, -INFINITY, 3, -NAN, -0.0, -4};
    const double none[] = {NAN, INFINITY};
    struct tally t = of_doubles(x, COUNT(x)), u = of_doubles(none, 2);
    (void)state;
    assert_int_equal(t.count, 8);
    assert_int_equal(t.finite, 4);
    assert_int_equal(t.nan, 2);
    assert_int_equal(t.inf, 2);
    assert_int_equal(t.zeros, 1);
    assert_bits(t.mean, 0);
    assert_bits(t.m2, 26);
    assert_bits(t.min, -4);
    assert_bits(t.max, 3);
    assert_int_equal(bins_sum(&t), 3);
    assert_int_equal(u.count, 2);
    assert_int_equal(u.finite, 0);
    assert_bits(tally_std(&u), 0);
    assert_bits(u.min, 0);
    assert_bits(u.mean, 0);
}

static void test_bins(void **state)
{
    static const struct {
        double x;
        int bin; /* -1: none */
    } cases[] = {
        {1, 57},          {0x1.fffffffffffffp0, 57},
        {2, 58},          {-1, 6},
        {-2, 5},          {0x1p-25, 32},
        {0x1p-24, 33},    {0x1p-300, 32},
        {-0x1p-300, 31},  {0x1p-1074, 32},
        {-0x1p-1074, 31}, {0x1p6, 63},
        {0x1p300, 63},    {-0x1p300, 0},
        {0, -1},          {-0.0, -1},
        {NAN, -1},        {-INFINITY, -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tally t = of_doubles(&cases[i].x, 1);
        assert_int_equal(bins_sum(&t), cases[i].bin >= 0);
        if (cases[i].bin >= 0)
            assert_int_equal(t.bins[cases[i].bin], 1);
    }
    assert_bits(tally_bin_edge(57), 1);
    assert_bits(tally_bin_edge(6), 1);
    assert_bits(tally_bin_edge(32), 0x1p-25);
    assert_bits(tally_bin_edge(31), 0x1p-25);
}

/* --- dtypes --- */

static const struct {
    enum ttsb_dtype dtype;
    uint64_t bits;
    double value;
    bool denormal;
} codes[] = {
    {TTSB_BOOL, 0, 0, false},
    {TTSB_BOOL, 1, 1, false},
    {TTSB_BOOL, 0x80, 1, false},
    {TTSB_U8, 0xff, 255, false},
    {TTSB_I8, 0xff, -1, false},
    {TTSB_U16, 0xffff, 65535, false},
    {TTSB_I16, 0x8000, -32768, false},
    {TTSB_U32, 0xffffffff, 4294967295.0, false},
    {TTSB_I32, 0x80000000, -2147483648.0, false},
    {TTSB_U64, UINT64_MAX, 0x1p64, false},
    {TTSB_I64, UINT64_C(1) << 63, -0x1p63, false},
    {TTSB_I64, (UINT64_C(1) << 53) + 1, 0x1p53, false},
    {TTSB_F16, 0x0001, 0x1p-24, true},
    {TTSB_F16, 0x83ff, -0x3ffp-24, true},
    {TTSB_F16, 0x0400, 0x1p-14, false},
    {TTSB_F16, 0x7bff, 65504, false},
    {TTSB_F16, 0x7c00, INFINITY, false},
    {TTSB_F16, 0xfc01, NAN, false},
    {TTSB_BF16, 0x0001, 0x1p-133, true},
    {TTSB_BF16, 0x0080, 0x1p-126, false},
    {TTSB_BF16, 0x7f7f, 0xffp120, false},
    {TTSB_BF16, 0xff80, -INFINITY, false},
    {TTSB_BF16, 0x7f81, NAN, false},
    {TTSB_F32, 1, 0x1p-149, true},
    {TTSB_F32, 0x007fffff, 0x7fffffp-149, true},
    {TTSB_F32, 0x00800000, 0x1p-126, false},
    {TTSB_F32, 0x7f7fffff, 0xffffffp104, false},
    {TTSB_F32, 0x7f800001, NAN, false},
    {TTSB_F64, 1, 0x1p-1074, true},
    {TTSB_F64, UINT64_C(0x0010000000000000), 0x1p-1022, false},
    {TTSB_F64, UINT64_C(0x7ff0000000000001), NAN, false},
    {TTSB_F8_E4M3, 0x01, 0x1p-9, true},
    {TTSB_F8_E4M3, 0x08, 0x1p-6, false},
    {TTSB_F8_E4M3, 0x7e, 448, false},
    {TTSB_F8_E4M3, 0x80, 0, false},
    {TTSB_F8_E4M3, 0xff, NAN, false},
    {TTSB_F8_E5M2, 0x03, 0x3p-16, true},
    {TTSB_F8_E5M2, 0x04, 0x1p-14, false},
    {TTSB_F8_E5M2, 0xfb, -57344, false},
    {TTSB_F8_E5M2, 0x7c, INFINITY, false},
    {TTSB_F8_E5M2, 0x7d, NAN, false},
    {TTSB_F8_E8M0, 0x00, 0x1p-127, false},
    {TTSB_F8_E8M0, 0xfe, 0x1p127, false},
    {TTSB_F8_E8M0, 0xff, NAN, false},
    {TTSB_F8_E4M3FNUZ, 0x01, 0x1p-10, true},
    {TTSB_F8_E4M3FNUZ, 0x08, 0x1p-7, false},
    {TTSB_F8_E4M3FNUZ, 0xff, -240, false},
    {TTSB_F8_E4M3FNUZ, 0x80, NAN, false},
    {TTSB_F8_E5M2FNUZ, 0x01, 0x1p-17, true},
    {TTSB_F8_E5M2FNUZ, 0x04, 0x1p-15, false},
    {TTSB_F8_E5M2FNUZ, 0x7f, 57344, false},
    {TTSB_F8_E5M2FNUZ, 0x80, NAN, false},
};

static size_t size_of(enum ttsb_dtype dtype)
{
    return dtype == TTSB_U64 || dtype == TTSB_I64 || dtype == TTSB_F64   ? 8
           : dtype == TTSB_U32 || dtype == TTSB_I32 || dtype == TTSB_F32 ? 4
           : dtype == TTSB_U16 || dtype == TTSB_I16 || dtype == TTSB_F16 ||
                   dtype == TTSB_BF16
               ? 2
               : 1;
}

static void test_codes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(codes); i++) {
        double want = codes[i].value;
        struct tally t = tally_of(codes[i].dtype, &codes[i].bits,
                                  size_of(codes[i].dtype), SIZE_MAX);
        assert_true(t.counted);
        assert_int_equal(t.count, 1);
        assert_int_equal(t.nan, isnan(want) ? 1 : 0);
        assert_int_equal(t.inf, isinf(want) ? 1 : 0);
        assert_int_equal(t.zeros, want == 0);
        assert_int_equal(t.denormal, codes[i].denormal);
        if (isfinite(want)) {
            assert_bits(t.mean, want);
            assert_bits(t.min, want);
        }
    }
}

static void test_not_counted(void **state)
{
    static const struct {
        enum ttsb_dtype dtype;
        size_t bytes;
        uint64_t count;
    } cases[] = {{TTSB_C64, 24, 3},
                 {TTSB_F4, 5, 10},
                 {TTSB_F6_E2M3, 9, 12},
                 {TTSB_F6_E3M2, 3, 4},
                 {TTSB_C64, 0, 0}};
    const uint8_t bytes[24] = {1, 2, 3};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tally t =
            tally_of(cases[i].dtype, bytes, cases[i].bytes, SIZE_MAX);
        assert_false(tally_is_counted(cases[i].dtype));
        assert_false(t.counted);
        assert_int_equal(t.count, cases[i].count);
        assert_int_equal(t.finite + t.zeros + t.nan + t.inf, 0);
    }
}

/* --- order --- */

/* Sums of uniforms, near a normal distribution; the same everywhere, since
 * they are multiples of 2^-20. */
static double *make_values(size_t n, double offset)
{
    double *x = malloc(n * sizeof *x);
    uint64_t s = 20251;
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) {
        int64_t sum = 0;
        for (int k = 0; k < 4; k++) {
            s = s * UINT64_C(6364136223846793005) +
                UINT64_C(1442695040888963407);
            sum += (int64_t)(s >> 44) - (1 << 19);
        }
        x[i] = offset + (double)sum * 0x1p-20;
    }
    return x;
}

static void test_cuts(void **state)
{
    static const size_t cuts[] = {1, 7, 8, 4096, 32767, 32768, 32769, 65536};
    size_t n = 20011;
    double *x = make_values(n, 3);
    struct tally whole = of_doubles(x, n);
    (void)state;
    for (size_t i = 0; i < COUNT(cuts); i++) {
        struct tally t = tally_of(TTSB_F64, x, n * 8, cuts[i]);
        assert_same(&t, &whole);
    }
    free(x);
}

/* A unit each, by makers of their own, is the stream. */
static void test_units(void **state)
{
    size_t n = 2 * TALLY_UNIT + 12345;
    double *x = make_values(n, -1);
    struct tally whole = of_doubles(x, n), sum = {0};
    (void)state;
    for (size_t at = 0; at < n; at += TALLY_UNIT) {
        size_t k = n - at < TALLY_UNIT ? n - at : TALLY_UNIT;
        struct tally t = tally_of(TTSB_F64, x + at, k * 8, 100000);
        tally_join(&sum, &t);
    }
    assert_same(&sum, &whole);
    assert_true(sum.counted);
    free(x);
}

/* What any compiler at any level makes of the same values. */
static void test_known_bits(void **state)
{
    size_t n = TALLY_UNIT + 9999;
    double *x = make_values(n, 0x1p26);
    struct tally t = of_doubles(x, n);
    (void)state;
    assert_bits(t.mean, KNOWN_MEAN);
    assert_bits(t.m2, KNOWN_M2);
    assert_bits(t.m3, KNOWN_M3);
    assert_bits(t.m4, KNOWN_M4);
    free(x);
}

/* Blocks of quite different magnitudes; and zeros, which have any. */
static void test_scales(void **state)
{
    static const double scales[][3] = {{0, 0x1p-1000, 0},
                                       {0x1p-1000, 0, 0x1p-1000},
                                       {0x1p-1000, 1, 0x1p600},
                                       {0x1p600, 0x1p-1000, 1}};
    (void)state;
    for (size_t i = 0; i < COUNT(scales); i++) {
        double *x = make_values(3 * TALLY_BLOCK, 0), *y, sum = 0, top = 0;
        struct tally t;
        for (size_t k = 0; k < 3 * TALLY_BLOCK; k++)
            x[k] *= scales[i][k / TALLY_BLOCK];
        t = of_doubles(x, 3 * TALLY_BLOCK);
        for (size_t k = 0; k < 3; k++)
            top = scales[i][k] > top ? scales[i][k] : top;
        y = x; /* the mean is next to nothing beside the deviation */
        for (size_t k = 0; k < 3 * TALLY_BLOCK; k++)
            sum += y[k] / top * (y[k] / top);
        sum -= t.mean / top * (t.mean / top) * 3 * TALLY_BLOCK;
        assert_near(tally_std(&t) / top, sqrt(sum / (3 * TALLY_BLOCK)), 256);
        free(x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),      cmocka_unit_test(test_kurtosis),
        cmocka_unit_test(test_not_finite), cmocka_unit_test(test_bins),
        cmocka_unit_test(test_codes),      cmocka_unit_test(test_not_counted),
        cmocka_unit_test(test_cuts),       cmocka_unit_test(test_units),
        cmocka_unit_test(test_known_bits), cmocka_unit_test(test_scales),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
