/* SPDX-License-Identifier: MIT
 *
 * test_kernels_permute.c - strided gathers.
 *
 * In:  shapes of every rank, every element size, permutations and strides that
 * no permutation has. Out: passes where the fast gather's bytes are the
 * reference's, and where nothing beside the output was written. Invariant: the
 * reference itself is pinned by gathers written out by hand.
 */
#include "test_kernels.h"

#include <stdlib.h>

#include "kernels.h"
#include "reference.h"

#define SPAN 70000

struct buffers {
    unsigned char *src;
    unsigned char *fast;
    unsigned char *slow;
};

static struct buffers buffers_new(uint64_t *seed)
{
    struct buffers b = {malloc(SPAN), malloc(SPAN), malloc(SPAN)};
    random_bytes(seed, b.src, SPAN);
    return b;
}

static void buffers_free(struct buffers *b)
{
    free(b->src);
    free(b->fast);
    free(b->slow);
}

/* Both at an odd address, with the rest of the buffers as a guard. */
static void check(const struct kernel_permute *p, struct buffers *b)
{
    memset(b->fast, 0xaa, SPAN);
    memset(b->slow, 0xaa, SPAN);
    reference_permute(p, b->src + 1, b->slow + 1);
    assert_true(kernel_permute(p, b->src + 1, b->fast + 1));
    assert_memory_equal(b->fast, b->slow, SPAN);
}

static void test_by_hand(void **state)
{
    (void)state;
    const uint16_t src[] = {1, 2, 3, 4, 5, 6};
    const uint16_t transposed[] = {1, 4, 2, 5, 3, 6};
    const uint16_t reversed_axes[] = {1, 3, 5, 2, 4, 6};
    const uint16_t repeated[] = {1, 1, 2, 2, 3, 3};
    uint16_t dst[6];
    struct kernel_permute p = {2, 2, {3, 2}, {1, 3}};
    assert_true(kernel_permute(&p, src, dst));
    assert_memory_equal(dst, transposed, sizeof(dst));
    p = (struct kernel_permute){3, 2, {2, 1, 3}, {1, 6, 2}};
    assert_true(kernel_permute(&p, src, dst));
    assert_memory_equal(dst, reversed_axes, sizeof(dst));
    reference_permute(&p, src, dst);
    assert_memory_equal(dst, reversed_axes, sizeof(dst));
    p = (struct kernel_permute){2, 2, {3, 2}, {1, 0}};
    assert_true(kernel_permute(&p, src, dst));
    assert_memory_equal(dst, repeated, sizeof(dst));
}

static void test_scalar_and_empty(void **state)
{
    (void)state;
    const uint32_t src = 7;
    uint32_t dst = 0;
    struct kernel_permute p = {0, 4, {0}, {0}};
    assert_true(kernel_permute(&p, &src, &dst));
    assert_int_equal(dst, 7);
    p = (struct kernel_permute){3, 4, {2, 0, 3}, {1, 1, 1}};
    dst = 0;
    assert_true(kernel_permute(&p, &src, &dst));
    assert_int_equal(dst, 0);
}

static void test_refused(void **state)
{
    (void)state;
    static const uint32_t bad[][2] = {
        {KERNEL_MAX_RANK + 1, 4}, {1, 0}, {1, 3}, {1, 5}, {1, 16}};
    uint64_t src = 1;
    uint64_t dst = 0;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct kernel_permute p = {bad[i][0], bad[i][1], {1}, {1}};
        assert_false(kernel_permute(&p, &src, &dst));
        assert_int_equal(dst, 0);
    }
}

/* Dense strides of a random order of the axes. */
static void shuffle_strides(uint64_t *seed, struct kernel_permute *p)
{
    uint32_t order[KERNEL_MAX_RANK];
    uint64_t stride = 1;
    for (uint32_t a = 0; a < p->rank; a++) {
        const uint32_t b = (uint32_t)(random_bits(seed) % (a + 1));
        order[a] = order[b];
        order[b] = a;
    }
    for (uint32_t a = 0; a < p->rank; a++) {
        p->in_strides[order[a]] = stride;
        stride *= p->out_dims[order[a]];
    }
}

static void test_random_shapes(void **state)
{
    (void)state;
    uint64_t seed = 11;
    struct buffers b = buffers_new(&seed);
    for (int round = 0; round < 4000; round++) {
        struct kernel_permute p = {0};
        uint64_t count = 1;
        p.rank = (uint32_t)(random_bits(&seed) % (KERNEL_MAX_RANK + 1));
        p.element_size = UINT32_C(1) << random_bits(&seed) % 4;
        for (uint32_t a = 0; a < p.rank; a++) {
            const uint64_t dim = 1 + random_bits(&seed) % 40;
            const bool small =
                count * dim > 2000 || random_bits(&seed) % 4 == 0;
            p.out_dims[a] = small ? 1 : dim;
            count *= p.out_dims[a];
        }
        shuffle_strides(&seed, &p);
        check(&p, &b);
    }
    buffers_free(&b);
}

/* As many axes as there may be, none of them 1. */
static void test_most_axes(void **state)
{
    (void)state;
    uint64_t seed = 15;
    struct buffers b = buffers_new(&seed);
    struct kernel_permute p = {.rank = KERNEL_MAX_RANK, .element_size = 1};
    for (uint32_t a = 0; a < KERNEL_MAX_RANK; a++) {
        p.out_dims[a] = 2;
        p.in_strides[a] = UINT64_C(1) << a;
    }
    assert_int_equal(KERNEL_MAX_RANK, 16);
    check(&p, &b);
    for (int round = 0; round < 4; round++) {
        shuffle_strides(&seed, &p);
        check(&p, &b);
    }
    buffers_free(&b);
}

/* Strides with gaps, repeats and zeros; the source's span is bounded. */
static void test_random_strides(void **state)
{
    (void)state;
    uint64_t seed = 12;
    struct buffers b = buffers_new(&seed);
    for (int round = 0; round < 4000; round++) {
        struct kernel_permute p = {0};
        p.rank = 1 + (uint32_t)(random_bits(&seed) % 4);
        p.element_size = UINT32_C(1) << random_bits(&seed) % 4;
        for (uint32_t a = 0; a < p.rank; a++) {
            p.out_dims[a] = 1 + random_bits(&seed) % 7;
            p.in_strides[a] = random_bits(&seed) % 100;
        }
        check(&p, &b);
    }
    buffers_free(&b);
}

/* Tile edges: every size around 16 and 32, both ways. */
static void test_tiles(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 2, 7, 15, 16, 17, 31, 32, 33, 48, 65};
    const size_t n = sizeof(sizes) / sizeof(sizes[0]);
    uint64_t seed = 13;
    struct buffers b = buffers_new(&seed);
    for (size_t i = 0; i < n * n; i++) {
        const uint64_t rows = sizes[i / n];
        const uint64_t cols = sizes[i % n];
        for (uint32_t size = 1; size <= 8; size *= 2) {
            const struct kernel_permute p = {2, size, {rows, cols}, {1, rows}};
            const struct kernel_permute inner = {
                3, size, {rows, cols, 1}, {cols, 1, rows * cols}};
            check(&p, &b);
            check(&inner, &b);
        }
    }
    buffers_free(&b);
}

/* The permutations that checkpoints need: a convolution's kernel first, in and
 * out exchanged, heads split. */
static void test_common(void **state)
{
    (void)state;
    uint64_t seed = 14;
    struct buffers b = buffers_new(&seed);
    const struct kernel_permute cases[] = {
        {3, 4, {7, 24, 40}, {1, 280, 7}},
        {3, 4, {40, 24, 7}, {7, 280, 1}},
        {3, 2, {24, 7, 40}, {280, 1, 7}},
        {4, 4, {4, 8, 2, 16}, {256, 16, 128, 1}},
        {4, 2, {4, 8, 2, 16}, {256, 1, 128, 8}},
        {2, 8, {64, 64}, {1, 64}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check(&cases[i], &b);
    buffers_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_scalar_and_empty),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_random_shapes),
        cmocka_unit_test(test_most_axes),
        cmocka_unit_test(test_random_strides),
        cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_common),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
