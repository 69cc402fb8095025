/* SPDX-License-Identifier: MIT
 *
 * test_kernels_weight_norm.c - sums of squares, factors, products.
 *
 * In:  rows around every edge of the tree, cut in every way; tensors with the
 * kept axis first, in the middle and last; NaNs, zeros, infinities. Out: passes
 * where the bits are the definition's. Invariant: the rows are such that
 * another order of additions gives other bits, which the first test proves.
 */
#include "test_kernels.h"

#include <math.h>
#include <stdlib.h>

#include "kernels.h"
#include "reference.h"

#define LONGEST 20000

/* Numbers of very different sizes, so that every addition rounds. */
static double *row_new(uint64_t *seed, uint64_t n)
{
    double *x = malloc((n + 1) * sizeof(*x));
    for (uint64_t i = 0; i < n; i++)
        x[i] = ldexp(random_unit(seed) - 0.5, (int)(random_bits(seed) % 20));
    return x;
}

static double sum_of(const double *x, uint64_t n)
{
    struct kernel_sumsq acc;
    kernel_sumsq_init(&acc);
    kernel_sumsq_add(&acc, x, n);
    return kernel_sumsq_done(&acc);
}

static void test_order_matters(void **state)
{
    (void)state;
    uint64_t seed = 31;
    double *x = row_new(&seed, LONGEST);
    double plain = 0;
    for (uint64_t i = 0; i < LONGEST; i++)
        plain += x[i] * x[i];
    assert_true(sum_of(x, LONGEST) != plain);
    assert_true(fabs(sum_of(x, LONGEST) / plain - 1) < 1e-12);
    free(x);
}

/* 2^53 + 1 rounds to 2^53: which ones survive tells how they were added. */
static void test_tree_by_hand(void **state)
{
    (void)state;
    double *x = calloc(4097, sizeof(*x));
    x[0] = 0x1p27; /* its square's unit in the last place is 4 */
    x[8] = 1;
    x[16] = 1;
    assert_true(sum_of(x, 17) == 0x1p54);
    x[8] = x[16] = 0;
    x[1] = x[9] = x[17] = 1; /* lane 1 holds 3, which rounds up */
    assert_true(sum_of(x, 18) == 0x1p54 + 4);
    x[1] = x[9] = x[17] = 0;
    x[2] = x[3] = x[10] = 1; /* l2 + l3 first */
    assert_true(sum_of(x, 11) == 0x1p54 + 4);
    x[2] = x[3] = x[10] = 0;
    x[1] = x[2] = 1; /* l0 + l1 loses one, l2 the other */
    assert_true(sum_of(x, 8) == 0x1p54);
    x[1] = x[2] = 0;
    x[4095] = x[4087] = x[4096] = 1; /* 2 is a tie, then the next block's 1 */
    assert_true(sum_of(x, 4097) == 0x1p54);
    x[4079] = 1;
    assert_true(sum_of(x, 4097) == 0x1p54 + 4);
    free(x);
}

static const uint64_t lengths[] = {0,    1,    2,    7,    8,     9,
                                   15,   16,   100,  4088, 4095,  4096,
                                   4097, 4104, 8191, 8192, 10000, LONGEST};

static void test_lengths(void **state)
{
    (void)state;
    uint64_t seed = 32;
    double *x = row_new(&seed, LONGEST);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        const double slow = reference_sumsq(x, lengths[i], 1);
        assert_true(to_bits(sum_of(x, lengths[i])) == to_bits(slow));
    }
    free(x);
}

static void test_chunks(void **state)
{
    static const uint64_t longest[] = {1, 2, 9, 30, 5000, LONGEST};
    (void)state;
    uint64_t seed = 33;
    double *x = row_new(&seed, LONGEST);
    const uint64_t whole = to_bits(sum_of(x, LONGEST));
    for (size_t k = 0; k < sizeof(longest) / sizeof(longest[0]); k++) {
        struct kernel_sumsq acc;
        kernel_sumsq_init(&acc);
        for (uint64_t i = 0, n; i < LONGEST; i += n) {
            n = random_bits(&seed) % (longest[k] + 1);
            n = n < LONGEST - i ? n : LONGEST - i;
            kernel_sumsq_add(&acc, x + i, n);
        }
        assert_int_equal(acc.count, LONGEST);
        assert_true(to_bits(kernel_sumsq_done(&acc)) == whole);
    }
    free(x);
}

struct shape {
    uint64_t outer;
    uint64_t keep;
    uint64_t inner;
};

static const struct shape shapes[] = {
    {1, 1, 1},   {1, 6, 100}, {1, 3, 5000}, {100, 6, 1}, {5000, 3, 1},
    {13, 5, 7},  {64, 8, 24}, {3, 2, 2000}, {0, 3, 4},   {4, 3, 0},
    {700, 4, 3}, {9, 0, 9},   {2, 9, 4096},
};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

/* Row k of x in its order. */
static double slow_keep(const double *x, struct shape s, uint64_t k)
{
    double *row = malloc((s.outer * s.inner + 1) * sizeof(*row));
    uint64_t n = 0;
    for (uint64_t o = 0; o < s.outer; o++)
        for (uint64_t i = 0; i < s.inner; i++)
            row[n++] = x[(o * s.keep + k) * s.inner + i];
    const double sum = reference_sumsq(row, n, 1);
    free(row);
    return sum;
}

static void check_keep(const double *x, struct shape s, uint64_t cut)
{
    struct kernel_sumsq *acc = malloc((s.keep + 1) * sizeof(*acc));
    for (uint64_t k = 0; k < s.keep; k++)
        kernel_sumsq_init(&acc[k]);
    kernel_sumsq_add_keep(acc, cut, s.keep, s.inner, x);
    kernel_sumsq_add_keep(acc, s.outer - cut, s.keep, s.inner,
                          x + cut * s.keep * s.inner);
    for (uint64_t k = 0; k < s.keep; k++)
        assert_true(to_bits(kernel_sumsq_done(&acc[k])) ==
                    to_bits(slow_keep(x, s, k)));
    free(acc);
}

static void test_keep(void **state)
{
    (void)state;
    uint64_t seed = 34;
    for (size_t i = 0; i < SHAPES; i++) {
        const struct shape s = shapes[i];
        double *x = row_new(&seed, s.outer * s.keep * s.inner);
        check_keep(x, s, 0);
        check_keep(x, s, s.outer / 3);
        free(x);
    }
}

static void test_strided_reference(void **state)
{
    (void)state;
    uint64_t seed = 35;
    double *x = row_new(&seed, LONGEST);
    const struct shape s = {LONGEST / 4, 4, 1};
    for (uint64_t k = 0; k < 4; k++)
        assert_true(reference_sumsq(x + k, LONGEST / 4, 4) ==
                    slow_keep(x, s, k));
    free(x);
}

static void test_nan_sum(void **state)
{
    (void)state;
    double x[3] = {1, of_bits(0xfff0000000000123), 2};
    assert_true(to_bits(sum_of(x, 3)) == UINT64_C(0x7ff8) << 48);
    x[1] = -(double)INFINITY;
    assert_true(sum_of(x, 3) == (double)INFINITY);
    x[1] = -0.0;
    assert_true(sum_of(x, 3) == 5);
    assert_int_equal(to_bits(sum_of(x + 1, 1)), 0);
}

struct factor {
    double g;
    double v[2];
    double scale;
    int bad;
};

static const struct factor factors[] = {
    {10, {3, 4}, 2, 0},        {-10, {3, 4}, -2, 0},
    {0, {3, 4}, 0, 0},         {1, {0, 0}, 0, 1},
    {1, {-0.0, 0}, 0, 1},      {1, {1e-200, 0}, 0, 1},
    {1, {1e200, 1e200}, 0, 1}, {1, {0x1p-500, 0}, 0x1p500, 0},
};

static void test_factors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(factors) / sizeof(factors[0]); i++) {
        const struct factor *f = &factors[i];
        struct kernel_sumsq acc;
        uint64_t first_bad = 99;
        double scale = 99;
        kernel_sumsq_init(&acc);
        kernel_sumsq_add(&acc, f->v, 2);
        kernel_weight_norm_scale(&f->g, &acc, 1, &scale, &first_bad);
        assert_int_equal(first_bad, f->bad ? 0 : 1);
        assert_true(scale == f->scale);
    }
}

static void test_factors_random(void **state)
{
    (void)state;
    uint64_t seed = 36;
    struct kernel_sumsq acc[300];
    double g[300];
    double scale[300];
    uint64_t first_bad;
    uint64_t expected = 300;
    for (size_t k = 0; k < 300; k++) {
        const double x = k == 123 ? 0 : random_unit(&seed) * 100;
        kernel_sumsq_init(&acc[k]);
        kernel_sumsq_add(&acc[k], &x, 1);
        g[k] = k % 7 == 0 ? of_bits(random_bits(&seed)) : random_unit(&seed);
    }
    kernel_weight_norm_scale(g, acc, 300, scale, &first_bad);
    for (size_t k = 300; k-- > 0;) {
        double slow;
        const double sum = kernel_sumsq_done(&acc[k]);
        if (!reference_weight_norm_scale(g[k], sum, &slow))
            expected = k;
        assert_true(to_bits(scale[k]) == to_bits(slow));
    }
    assert_int_equal(expected, 123);
    assert_int_equal(first_bad, expected);
}

static void test_scale_keep(void **state)
{
    (void)state;
    uint64_t seed = 37;
    for (size_t i = 0; i < SHAPES; i++) {
        const struct shape s = shapes[i];
        const uint64_t n = s.outer * s.keep * s.inner;
        double *x = row_new(&seed, n);
        double *y = malloc((n + 1) * sizeof(*y));
        double *scale = row_new(&seed, s.keep);
        for (uint64_t k = 0; k < n; k += 5)
            x[k] = of_bits(random_bits(&seed) | UINT64_C(0x7ff) << 52);
        if (s.keep > 1)
            scale[1] = (double)INFINITY;
        if (s.keep > 2)
            scale[2] = of_bits(0xfff0000000000321);
        memcpy(y, x, n * sizeof(*x));
        kernel_scale_keep(x, s.outer, s.keep, s.inner, scale);
        reference_scale_keep(y, s.outer, s.keep, s.inner, scale);
        assert_memory_equal(x, y, n * sizeof(*x));
        free(x);
        free(y);
        free(scale);
    }
}

struct product {
    uint64_t x;
    uint64_t scale;
    uint64_t result;
};

static const struct product products[] = {
    {0x4008000000000000, 0x4000000000000000, 0x4018000000000000}, /* 3 * 2 */
    {0x0000000000000000, 0x7ff0000000000000, 0x7ff8000000000000}, /* 0 * inf */
    {0xfff0000000000000, 0x8000000000000000, 0x7ff8000000000000},
    {0xfff0000000000007, 0x4000000000000000, 0xfff8000000000007},
    {0x4000000000000000, 0xfff0000000000007, 0xfff8000000000007},
    {0x7ff8000000000001, 0xfff8000000000002, 0x7ff8000000000001},
    {0x0000000000000003, 0x3fe0000000000000, 0x0000000000000002}, /* tie */
};

static void test_products(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(products) / sizeof(products[0]); i++) {
        double x = of_bits(products[i].x);
        const double scale = of_bits(products[i].scale);
        kernel_scale_keep(&x, 1, 1, 1, &scale);
        assert_int_equal(to_bits(x), products[i].result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_matters),
        cmocka_unit_test(test_tree_by_hand),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_keep),
        cmocka_unit_test(test_strided_reference),
        cmocka_unit_test(test_nan_sum),
        cmocka_unit_test(test_factors),
        cmocka_unit_test(test_factors_random),
        cmocka_unit_test(test_scale_keep),
        cmocka_unit_test(test_products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
