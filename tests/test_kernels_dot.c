/* SPDX-License-Identifier: MIT
 *
 * test_kernels_dot.c - sums of products.
 *
 * In:  two rows around every edge of the tree, cut in every way; tensors with
 * the kept axis first, in the middle and last; NaNs, zeros, infinities. Out:
 * passes where the bits are the definition's. Invariant: the rows are such that
 * another order of additions gives other bits.
 */
#include "test_kernels.h"

#include <math.h>
#include <stdlib.h>

#include "kernels.h"
#include "reference.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define ROW 20000

/* Numbers of very different sizes and both signs: every addition rounds. */
static double *row_new(uint64_t *seed, uint64_t n)
{
    double *x = malloc((n + 1) * sizeof(*x));
    for (uint64_t i = 0; i < n; i++)
        x[i] = ldexp(random_unit(seed) - 0.5, (int)(random_bits(seed) % 20));
    return x;
}

static double dot_of(const double *x, const double *y, uint64_t n)
{
    struct kernel_sumsq acc;
    kernel_sumsq_init(&acc);
    kernel_dot_add(&acc, x, y, n);
    return kernel_sumsq_done(&acc);
}

/* A unit of 2^54 is 4: which small products survive tells how they were added
 * (test_kernels_weight_norm.c has more of the tree). */
static void test_by_hand(void **state)
{
    (void)state;
    double *x = calloc(4097, sizeof(*x));
    double *y = calloc(4097, sizeof(*y));
    x[0] = 0x1p53;
    y[0] = 2;
    x[8] = x[16] = -1; /* each is lost in lane 0 */
    y[8] = y[16] = -1;
    assert_true(dot_of(x, y, 17) == 0x1p54);
    x[1] = x[9] = x[17] = 1; /* lane 1 holds 3, which rounds up */
    y[1] = y[9] = 1;
    y[17] = 1;
    assert_true(dot_of(x, y, 18) == 0x1p54 + 4);
    y[17] = -1; /* and here 1 */
    assert_true(dot_of(x, y, 18) == 0x1p54);
    assert_true(dot_of(y, x, 18) == 0x1p54);
    x[4096] = 1; /* the next block, after the first block's sum */
    y[4096] = -0x1p54;
    assert_true(dot_of(x, y, 4097) == 0);
    free(x);
    free(y);
}

static void test_order_matters(void **state)
{
    (void)state;
    uint64_t seed = 47;
    double *x = row_new(&seed, ROW);
    double *y = row_new(&seed, ROW);
    double plain = 0;
    double size = 0;
    for (uint64_t i = 0; i < ROW; i++) {
        plain += x[i] * y[i];
        size += fabs(x[i] * y[i]);
    }
    assert_true(dot_of(x, y, ROW) != plain);
    assert_true(fabs(dot_of(x, y, ROW) - plain) < size * 1e-13);
    free(x);
    free(y);
}

static const uint64_t lengths[] = {0,    1,    2,    7,    8,    9,
                                   15,   16,   100,  4088, 4095, 4096,
                                   4097, 4104, 8191, 8192, 9999, ROW - 1};

static void test_lengths(void **state)
{
    (void)state;
    uint64_t seed = 43;
    double *x = row_new(&seed, ROW);
    double *y = row_new(&seed, ROW);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        const uint64_t n = lengths[i];
        const uint64_t slow = to_bits(reference_dot(x + 1, y, n));
        assert_int_equal(to_bits(dot_of(x + 1, y, n)), slow);
        assert_int_equal(to_bits(dot_of(y, x + 1, n)), slow);
        assert_int_equal(to_bits(dot_of(x, x, n)),
                         to_bits(reference_sumsq(x, n, 1)));
    }
    free(x);
    free(y);
}

/* A row of products, cut anywhere; squares in it are products, too. */
static void test_chunks(void **state)
{
    static const uint64_t longest[] = {1, 2, 9, 30, 5000, ROW};
    (void)state;
    uint64_t seed = 44;
    double *x = row_new(&seed, ROW);
    double *y = row_new(&seed, ROW);
    memcpy(y + 5000, x + 5000, 7000 * sizeof(*y));
    const uint64_t whole = to_bits(reference_dot(x, y, ROW));
    for (size_t k = 0; k < COUNT_OF(longest); k++) {
        struct kernel_sumsq acc;
        kernel_sumsq_init(&acc);
        for (uint64_t i = 0, n; i < ROW; i += n) {
            n = random_bits(&seed) % (longest[k] + 1);
            n = n < ROW - i ? n : ROW - i;
            if (i >= 5000 && i + n <= 12000)
                kernel_sumsq_add(&acc, x + i, n);
            else
                kernel_dot_add(&acc, x + i, y + i, n);
        }
        assert_int_equal(acc.count, ROW);
        assert_int_equal(to_bits(kernel_sumsq_done(&acc)), whole);
    }
    free(x);
    free(y);
}

struct shape {
    uint64_t outer;
    uint64_t keep;
    uint64_t inner;
};

static const struct shape shapes[] = {
    {1, 1, 1},  {1, 6, 100},  {1, 3, 5000}, {100, 6, 1}, {5000, 3, 1},
    {13, 5, 7}, {64, 8, 24},  {3, 2, 2000}, {0, 3, 4},   {4, 3, 0},
    {9, 0, 9},  {2, 2, 4096}, {9, 0, 1},    {0, 0, 0},   {2, 33, 2},
};

/* Row k of x by all of y, in their order. */
static double slow_keep(const double *x, const double *y, struct shape s,
                        uint64_t k)
{
    const uint64_t n = s.outer * s.inner;
    double *row = malloc((n + 1) * sizeof(*row));
    for (uint64_t i = 0; i < n; i++)
        row[i] = x[(i / s.inner * s.keep + k) * s.inner + i % s.inner];
    const double sum = reference_dot(row, y, n);
    free(row);
    return sum;
}

static void check_dot_keep(const double *x, const double *y, struct shape s,
                           uint64_t cut)
{
    struct kernel_sumsq *acc = malloc((s.keep + 1) * sizeof(*acc));
    for (uint64_t k = 0; k < s.keep; k++)
        kernel_sumsq_init(&acc[k]);
    kernel_dot_add_keep(acc, cut, s.keep, s.inner, x, y);
    kernel_dot_add_keep(acc, s.outer - cut, s.keep, s.inner,
                        x + cut * s.keep * s.inner, y + cut * s.inner);
    for (uint64_t k = 0; k < s.keep; k++)
        assert_int_equal(to_bits(kernel_sumsq_done(&acc[k])),
                         to_bits(slow_keep(x, y, s, k)));
    free(acc);
}

static void test_keep(void **state)
{
    (void)state;
    uint64_t seed = 45;
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        const struct shape s = shapes[i];
        double *x = row_new(&seed, s.outer * s.keep * s.inner);
        double *y = row_new(&seed, s.outer * s.inner);
        check_dot_keep(x, y, s, 0);
        check_dot_keep(x, y, s, s.outer / 3);
        free(x);
        free(y);
    }
}

static void test_nothing(void **state)
{
    (void)state;
    struct kernel_sumsq acc;
    kernel_sumsq_init(&acc);
    kernel_dot_add(&acc, NULL, NULL, 0);
    kernel_dot_add_keep(&acc, 3, 1, 0, NULL, NULL);
    kernel_dot_add_keep(NULL, 3, 0, 1, NULL, (double[]){1, 2, 3});
    kernel_sumsq_add_keep(&acc, 3, 1, 0, NULL);
    assert_int_equal(acc.count, 0);
    assert_int_equal(to_bits(kernel_sumsq_done(&acc)), 0);
}

struct sum {
    uint64_t x[2];
    uint64_t y[2];
    uint64_t result;
};

#define ONE UINT64_C(0x3ff0000000000000)
#define INF UINT64_C(0x7ff0000000000000)
#define NEGATIVE UINT64_C(0x8000000000000000)

static const struct sum sums[] = {
    {{NEGATIVE, NEGATIVE}, {ONE, ONE}, 0}, /* +0.0 + -0.0 */
    {{ONE, ONE}, {ONE, ONE | NEGATIVE}, 0},
    {{ONE, ONE}, {0xfff0000000000456, ONE}, 0x7ff8000000000000},
    {{0xfff8000000000456, ONE}, {ONE, ONE}, 0x7ff8000000000000},
    {{INF, ONE}, {0, ONE}, 0x7ff8000000000000},
    {{INF, ONE}, {INF, INF | NEGATIVE}, 0x7ff8000000000000},
    {{INF, ONE}, {ONE | NEGATIVE, ONE}, INF | NEGATIVE},
    {{0x7fefffffffffffff, ONE}, {0x4000000000000000, ONE}, INF},
};

static void test_special(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sums); i++) {
        double x[2];
        double y[2];
        memcpy(x, sums[i].x, sizeof(x));
        memcpy(y, sums[i].y, sizeof(y));
        assert_int_equal(to_bits(dot_of(x, y, 2)), sums[i].result);
        assert_int_equal(to_bits(reference_dot(x, y, 2)), sums[i].result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_matters), cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_lengths),       cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_keep),          cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_special),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
