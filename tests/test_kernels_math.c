/* SPDX-License-Identifier: MIT
 *
 * test_kernels_math.c - what has one operand or two.
 *
 * In:  results written out by hand; every pair of numbers at an edge; random
 * bits. Out: passes where the bits are the table's, the reference's, and one
 * digest's, which is the same for every compiler, level and machine. Invariant:
 * a buffer is checked with what lies behind it, and every result also where it
 * is written over an operand.
 */
#include "test_kernels.h"

#include <stdlib.h>

#include "kernels.h"
#include "reference.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define UNARIES KERNEL_MAX
#define BINARIES KERNEL_DIV

/* Numbers at which an operation changes its mind. */
static const uint64_t edges[] = {
    0x0000000000000000, 0x8000000000000000, /* zeros */
    0x0000000000000001, 0x8000000000000001, /* least */
    0x000fffffffffffff, 0x800fffffffffffff, /* largest subnormal */
    0x0010000000000000, 0x8010000000000000, /* least normal */
    0x0008000000000000, 0x0004000000000001, /* reciprocals overflow or not */
    0x3ca0000000000000, 0xbca0000000000000, /* half a unit of 1 */
    0x3ca0000000000001, 0x3cb0000000000000, /* just above, one unit */
    0x3fe0000000000000, 0xbfe0000000000000, /* 1/2 */
    0x3fefffffffffffff, 0x3ff0000000000000, /* below 1, 1 */
    0xbff0000000000000, 0x3ff0000000000001, /* -1, above 1 */
    0x4008000000000000, 0xc024000000000000, /* 3, -10 */
    0x4086000000000000, 0xc087000000000000, /* where exp ends */
    0x4340000000000000, 0x4340000000000001, /* 2^53 and its neighbour */
    0x5fe0000000000000, 0x1fe0000000000000, /* their squares: 2^1022, 2^-1026 */
    0x7fd0000000000000, 0x7fe0000000000000, /* 1/x: subnormal */
    0x7fefffffffffffff, 0xffefffffffffffff, /* largest */
    0x7ff0000000000000, 0xfff0000000000000, /* infinities */
    0x7ff8000000000000, 0xfff8000000000000, /* quiet NaNs */
    0x7ff8000000000123, 0xfffc0000abcdef00, /* with payloads */
    0x7ff0000000000001, 0xfff0000000000456, /* signalling */
    0x7ff7ffffffffffff, 0xfff4000000000000,
};
#define EDGES COUNT_OF(edges)

static double map_one(enum kernel_unary op, double x, double q)
{
    const struct kernel_map m = {op, q};
    double y;
    assert_true(kernel_map(&m, &x, 1, &y));
    return y;
}

static double combine_one(enum kernel_binary op, double a, double b)
{
    double y;
    assert_true(kernel_combine(op, &a, &b, 1, &y));
    return y;
}

struct mapping {
    enum kernel_unary op;
    uint64_t x;
    uint64_t q;
    uint64_t result;
};

#define ANY UINT64_C(0x7ff80000deadbeef) /* a q that means nothing */

static const struct mapping mappings[] = {
    {KERNEL_EXP, 0x8000000000000000, ANY, 0x3ff0000000000000},
    {KERNEL_EXP, 0xfff4000000abcdef, ANY, 0xfffc000000abcdef},
    {KERNEL_RECIPROCAL, 0x4008000000000000, ANY, 0x3fd5555555555555}, /* 1/3 */
    {KERNEL_RECIPROCAL, 0x0000000000000000, ANY, 0x7ff0000000000000},
    {KERNEL_RECIPROCAL, 0x8000000000000000, ANY, 0xfff0000000000000},
    {KERNEL_RECIPROCAL, 0xfff0000000000000, ANY, 0x8000000000000000},
    {KERNEL_RECIPROCAL, 0x7fe0000000000000, ANY, 0x0008000000000000},
    {KERNEL_RECIPROCAL, 0x0004000000000000, ANY, 0x7ff0000000000000},
    {KERNEL_RECIPROCAL, 0x0004000000000001, ANY, 0x7feffffffffffff8},
    {KERNEL_RECIPROCAL, 0xfff0000000000456, ANY, 0xfff8000000000456},
    {KERNEL_SQRT, 0x4000000000000000, ANY, 0x3ff6a09e667f3bcd}, /* 2 */
    {KERNEL_SQRT, 0x8000000000000000, ANY, 0x8000000000000000},
    {KERNEL_SQRT, 0x0000000000000001, ANY, 0x1e60000000000000},
    {KERNEL_SQRT, 0x7ff0000000000000, ANY, 0x7ff0000000000000},
    {KERNEL_SQRT, 0xfff0000000000000, ANY, 0x7ff8000000000000},
    {KERNEL_SQRT, 0x8000000000000001, ANY, 0x7ff8000000000000},
    {KERNEL_SQRT, 0xfff0000000000456, ANY, 0xfff8000000000456},
    {KERNEL_SCALE, 0x8000000000000000, 0x7ff0000000000000, 0x7ff8000000000000},
    {KERNEL_SCALE, 0x0000000000000003, 0x3fe0000000000000, 0x0000000000000002},
    {KERNEL_SCALE, 0x0000000000000001, 0xbfe0000000000000, 0x8000000000000000},
    {KERNEL_SCALE, 0x3ff0000000000000, 0xfff0000000000456, 0xfff8000000000456},
    {KERNEL_SCALE, 0x7ff0000000000123, 0xfff0000000000456, 0x7ff8000000000123},
    {KERNEL_OFFSET, 0x3ff0000000000000, 0x3ca0000000000000, 0x3ff0000000000000},
    {KERNEL_OFFSET, 0x3ff0000000000001, 0x3ca0000000000000, 0x3ff0000000000002},
    {KERNEL_OFFSET, 0x8000000000000000, 0x0000000000000000, 0x0000000000000000},
    {KERNEL_OFFSET, 0x8000000000000000, 0x8000000000000000, 0x8000000000000000},
    {KERNEL_OFFSET, 0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000},
    {KERNEL_OFFSET, 0x3ff0000000000000, 0xfff0000000000456, 0xfff8000000000456},
    {KERNEL_MAX, 0x8000000000000000, 0x0000000000000000, 0x0000000000000000},
    {KERNEL_MAX, 0x0000000000000000, 0x8000000000000000, 0x0000000000000000},
    {KERNEL_MAX, 0x8000000000000000, 0x8000000000000000, 0x8000000000000000},
    {KERNEL_MAX, 0xbff0000000000000, 0xc024000000000000, 0xbff0000000000000},
    {KERNEL_MAX, 0x8000000000000001, 0x8000000000000000, 0x8000000000000000},
    {KERNEL_MAX, 0xfff0000000000000, 0xffefffffffffffff, 0xffefffffffffffff},
    {KERNEL_MAX, 0x7ff0000000000123, 0x3ff0000000000000, 0x7ff8000000000123},
    {KERNEL_MAX, 0x7ff0000000000000, 0xfff0000000000456, 0xfff8000000000456},
    {KERNEL_MAX, 0x7ff0000000000123, 0xfff8000000000456, 0x7ff8000000000123},
};

static void test_mappings(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(mappings); i++) {
        const struct mapping *m = &mappings[i];
        const double y = map_one(m->op, of_bits(m->x), of_bits(m->q));
        assert_int_equal(to_bits(y), m->result);
    }
}

struct combination {
    enum kernel_binary op;
    uint64_t a;
    uint64_t b;
    uint64_t result;
};

static const struct combination combinations[] = {
    {KERNEL_ADD, 0x3ff0000000000000, 0x3ca0000000000001, 0x3ff0000000000001},
    {KERNEL_ADD, 0x7fefffffffffffff, 0x7c90000000000000, 0x7ff0000000000000},
    {KERNEL_ADD, 0x4008000000000000, 0xc008000000000000, 0x0000000000000000},
    {KERNEL_ADD, 0xfff0000000000000, 0x7ff0000000000000, 0x7ff8000000000000},
    {KERNEL_ADD, 0xfff0000000000456, 0x7ff8000000000123, 0xfff8000000000456},
    {KERNEL_SUB, 0x4008000000000000, 0x4008000000000000, 0x0000000000000000},
    {KERNEL_SUB, 0x8000000000000000, 0x0000000000000000, 0x8000000000000000},
    {KERNEL_SUB, 0x0010000000000000, 0x0000000000000001, 0x000fffffffffffff},
    {KERNEL_SUB, 0x3ff0000000000000, 0x3c90000000000000, 0x3ff0000000000000},
    {KERNEL_SUB, 0x7ff0000000000000, 0x7ff0000000000000, 0x7ff8000000000000},
    {KERNEL_SUB, 0x3ff0000000000000, 0x7ff0000000000123, 0x7ff8000000000123},
    {KERNEL_MUL, 0x3ff0000000000001, 0x3ff0000000000001, 0x3ff0000000000002},
    {KERNEL_MUL, 0x8000000000000000, 0x4008000000000000, 0x8000000000000000},
    {KERNEL_MUL, 0xc024000000000000, 0xfff0000000000000, 0x7ff0000000000000},
    {KERNEL_MUL, 0x0000000000000000, 0xfff0000000000000, 0x7ff8000000000000},
    {KERNEL_MUL, 0x4008000000000000, 0xfff0000000000456, 0xfff8000000000456},
    {KERNEL_DIV, 0xc024000000000000, 0x4008000000000000, 0xc00aaaaaaaaaaaab},
    {KERNEL_DIV, 0x4008000000000000, 0x8000000000000000, 0xfff0000000000000},
    {KERNEL_DIV, 0x4008000000000000, 0xfff0000000000000, 0x8000000000000000},
    {KERNEL_DIV, 0x8000000000000000, 0x0000000000000000, 0x7ff8000000000000},
    {KERNEL_DIV, 0xfff0000000000000, 0x7ff0000000000000, 0x7ff8000000000000},
    {KERNEL_DIV, 0x7ff0000000000001, 0x0000000000000000, 0x7ff8000000000001},
    {KERNEL_DIV, 0xfffc000000000001, 0xfff0000000000456, 0xfffc000000000001},
};

static void test_combinations(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(combinations); i++) {
        const struct combination *c = &combinations[i];
        double x = of_bits(c->a);
        const double b = of_bits(c->b);
        assert_int_equal(to_bits(combine_one(c->op, x, b)), c->result);
        assert_true(kernel_combine_keep(c->op, &x, 1, 1, 1, &b));
        assert_int_equal(to_bits(x), c->result);
    }
}

/* Every edge by every edge. */
static void fill_edges(double *a, double *b)
{
    for (size_t i = 0; i < EDGES * EDGES; i++) {
        a[i] = of_bits(edges[i / EDGES]);
        b[i] = of_bits(edges[i % EDGES]);
    }
}

static void test_edges(void **state)
{
    (void)state;
    static double a[EDGES * EDGES];
    static double b[EDGES * EDGES];
    static double fast[EDGES * EDGES];
    static double slow[EDGES * EDGES];
    fill_edges(a, b);
    for (int op = 1; op <= BINARIES; op++) {
        const enum kernel_binary which = (enum kernel_binary)op;
        assert_true(kernel_combine(which, a, b, EDGES * EDGES, fast));
        reference_combine(which, a, b, EDGES * EDGES, slow);
        assert_memory_equal(fast, slow, sizeof(fast));
    }
    for (size_t i = 0; i < UNARIES * EDGES; i++) {
        const struct kernel_map m = {(enum kernel_unary)(i % UNARIES + 1),
                                     of_bits(edges[i / UNARIES])};
        assert_true(kernel_map(&m, b, EDGES, fast));
        reference_map(&m, b, EDGES, slow);
        assert_memory_equal(fast, slow, EDGES * sizeof(*fast));
    }
}

/* Tame numbers, any bits, or both, by turns. */
static void fill(uint64_t *seed, uint64_t n, double *x)
{
    const uint64_t kind = random_bits(seed) % 3;
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t bits = random_bits(seed);
        const double tame = (double)(int64_t)bits * 0x1p-62;
        const bool wild = kind == 0 || (kind == 1 && bits % 5 == 0);
        const uint64_t edge = edges[bits % EDGES];
        x[i] = of_bits(bits % 3 == 0 ? edge : random_bits(seed));
        x[i] = wild ? x[i] : tame;
    }
}

#define LONG 300

/* Two operands, and room for what a result may not touch. */
struct trial {
    double a[LONG];
    double b[LONG];
    double fast[LONG];
    double slow[LONG];
    uint64_t n;
    uint64_t at; /* where the buffers begin: every alignment of a double */
};

static void trial_fill(struct trial *t, uint64_t *seed)
{
    fill(seed, LONG, t->a);
    fill(seed, LONG, t->b);
    t->at = random_bits(seed) % 8;
    t->n = random_bits(seed) % 3 == 0 ? random_bits(seed) % 9
                                      : random_bits(seed) % (LONG - 8);
}

/* Makes fast and slow alike; x is what the destination holds before. */
static void trial_begin(struct trial *t, const double *x)
{
    memcpy(t->fast, x, sizeof(t->fast));
    memcpy(t->slow, x, sizeof(t->slow));
}

static void trial_end(const struct trial *t)
{
    assert_memory_equal(t->fast, t->slow, sizeof(t->fast));
}

static void check_map(struct trial *t, const struct kernel_map *m)
{
    trial_begin(t, t->b);
    assert_true(kernel_map(m, t->a + t->at, t->n, t->fast + t->at));
    reference_map(m, t->a + t->at, t->n, t->slow + t->at);
    trial_end(t);
    trial_begin(t, t->a);
    assert_true(kernel_map(m, t->fast + t->at, t->n, t->fast + t->at));
    reference_map(m, t->a + t->at, t->n, t->slow + t->at);
    trial_end(t);
}

static void check_combine(struct trial *t, enum kernel_binary op)
{
    const double *a = t->a + t->at;
    const double *b = t->b + t->at;
    double *fast = t->fast + t->at;
    double *slow = t->slow + t->at;
    trial_begin(t, t->a); /* into the first, then into a third */
    assert_true(kernel_combine(op, fast, b, t->n, fast));
    reference_combine(op, a, b, t->n, slow);
    trial_end(t);
    assert_true(kernel_combine(op, a, b, t->n, fast));
    trial_end(t);
    trial_begin(t, t->b);
    assert_true(kernel_combine(op, a, fast, t->n, fast));
    reference_combine(op, a, b, t->n, slow);
    trial_end(t);
    trial_begin(t, t->a);
    assert_true(kernel_combine(op, fast, fast, t->n, fast));
    reference_combine(op, a, a, t->n, slow);
    trial_end(t);
}

static void test_random(void **state)
{
    (void)state;
    uint64_t seed = 41;
    static struct trial t;
    for (int round = 0; round < 1500; round++) {
        trial_fill(&t, &seed);
        for (int op = 1; op <= BINARIES; op++)
            check_combine(&t, (enum kernel_binary)op);
        for (int op = 1; op <= UNARIES; op++) {
            struct kernel_map m = {(enum kernel_unary)op, 0};
            fill(&seed, 1, &m.q);
            check_map(&t, &m);
        }
    }
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

static double *numbers(uint64_t *seed, uint64_t n)
{
    double *x = malloc((n + 1) * sizeof(*x));
    fill(seed, n + 1, x);
    return x;
}

static void test_combine_keep(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (size_t i = 0; i < COUNT_OF(shapes) * BINARIES * 3; i++) {
        const struct shape s = shapes[i % COUNT_OF(shapes)];
        const enum kernel_binary op =
            (enum kernel_binary)(i / COUNT_OF(shapes) % BINARIES + 1);
        const uint64_t n = s.outer * s.keep * s.inner;
        double *fast = numbers(&seed, n);
        double *slow = malloc((n + 1) * sizeof(*slow));
        double *y = numbers(&seed, s.keep);
        memcpy(slow, fast, (n + 1) * sizeof(*slow));
        assert_true(kernel_combine_keep(op, fast, s.outer, s.keep, s.inner, y));
        reference_combine_keep(op, slow, s.outer, s.keep, s.inner, y);
        assert_memory_equal(fast, slow, (n + 1) * sizeof(*slow));
        free(fast);
        free(slow);
        free(y);
    }
}

static void test_refused(void **state)
{
    (void)state;
    const double a = 3;
    double y = 7;
    for (int i = 0; i < 2; i++) {
        const struct kernel_map m = {(enum kernel_unary)(i * (UNARIES + 1)), 2};
        const enum kernel_binary op = (enum kernel_binary)(i * (BINARIES + 1));
        assert_false(kernel_map(&m, &a, 1, &y));
        assert_false(kernel_combine(op, &a, &a, 1, &y));
        assert_false(kernel_combine_keep(op, &y, 1, 1, 1, &a));
        assert_false(kernel_combine_keep(op, NULL, 0, 0, 0, NULL));
    }
    assert_true(y == 7);
}

static void test_nothing(void **state)
{
    (void)state;
    for (int op = 1; op <= UNARIES; op++) {
        const struct kernel_map m = {(enum kernel_unary)op, 2};
        assert_true(kernel_map(&m, NULL, 0, NULL));
    }
    for (int op = 1; op <= BINARIES; op++) {
        const enum kernel_binary which = (enum kernel_binary)op;
        assert_true(kernel_combine(which, NULL, NULL, 0, NULL));
        assert_true(kernel_combine_keep(which, NULL, 3, 0, 1, NULL));
        assert_true(kernel_combine_keep(which, NULL, 3, 2, 0, NULL));
    }
}

/* FNV-1a. */
static void digest_add(uint64_t *digest, const double *x, uint64_t n)
{
    for (uint64_t i = 0; i < n * 8; i++) {
        *digest ^= to_bits(x[i / 8]) >> i % 8 * 8 & 0xff;
        *digest *= UINT64_C(0x100000001b3);
    }
}

/* The reference is made by the same compiler, with the same options; this
 * number is not. */
static void test_digest(void **state)
{
    (void)state;
    uint64_t seed = 46;
    uint64_t digest = UINT64_C(0xcbf29ce484222325);
    static struct trial t;
    for (int round = 0; round < 300; round++) {
        fill(&seed, LONG, t.a);
        fill(&seed, LONG, t.b);
        for (int op = 1; op <= BINARIES; op++) {
            (void)kernel_combine((enum kernel_binary)op, t.a, t.b, LONG,
                                 t.fast);
            digest_add(&digest, t.fast, LONG);
        }
        for (int op = 1; op <= UNARIES; op++) {
            const struct kernel_map m = {(enum kernel_unary)op, t.b[0]};
            (void)kernel_map(&m, t.a, LONG, t.fast);
            digest_add(&digest, t.fast, LONG);
        }
    }
    assert_int_equal(digest, UINT64_C(0xbab02ed4dc1c8f2e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mappings),
        cmocka_unit_test(test_combinations),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_combine_keep),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
