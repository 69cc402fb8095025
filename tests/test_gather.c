/* SPDX-License-Identifier: MIT
 *
 * test_gather.c - any range of a permuted tensor, element by element.
 *
 * In: checkpoints of one tensor whose elements are their own numbers. Out:
 * gather_range gives what the definition of a permutation says, for random
 * shapes, orders and ranges, and an error when the file became shorter;
 * gather_narrow the same in 16 bits, or that there are larger numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <unistd.h>

#include "gather.h"
#include "plan.h"

struct bench {
    struct arena a;
    struct checkpoint c;
    struct stfile file;
    struct tensor_place place;
    struct st_tensor tensor;
    struct leaf leaf;
    struct gather g;
    char path[64];
    uint64_t below; /* all numbers; beyond, they begin again */
};

static uint64_t reads; /* that went to the system */

ssize_t __real_pread(int fd, void *p, size_t n, off_t at);
ssize_t __wrap_pread(int fd, void *p, size_t n, off_t at);

ssize_t __wrap_pread(int fd, void *p, size_t n, off_t at)
{
    reads++;
    return __real_pread(fd, p, n, at);
}

static uint64_t random_state = 88172645463325252u;

static uint64_t roll(uint64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}

/* A file of n elements of 4 bytes: 0, 1, 2, ... below - 1, 0, 1, ... */
static void open_numbers(struct bench *b, uint64_t n, uint64_t below)
{
    uint32_t *p = calloc((size_t)n, sizeof *p);
    memset(b, 0, sizeof *b);
    strcpy(b->path, "gather-XXXXXX");
    b->file.fd = mkstemp(b->path);
    assert_true(b->file.fd >= 0);
    for (uint64_t i = 0; i < n; i++)
        p[i] = (uint32_t)(i % below);
    assert_int_equal(write(b->file.fd, p, (size_t)n * 4), (ssize_t)n * 4);
    free(p);
    b->tensor.end = n * 4;
    b->c.files = &b->file;
    b->c.tensors = &b->tensor;
    b->c.places = &b->place;
    b->c.count = 1;
    b->below = n < below ? n : below;
    b->leaf.dtype = TTSB_U32;
    b->g.c = &b->c;
    b->g.staging = malloc(GATHER_STAGING);
    b->g.window = malloc(GATHER_WINDOW);
}

static void close_numbers(struct bench *b)
{
    close(b->file.fd);
    unlink(b->path);
    gather_release(&b->g);
    arena_release(&b->a);
}

/* An output that permutes a source of `rank` sizes by `order`. */
static struct output make_output(struct bench *b, uint32_t rank,
                                 const uint64_t *sizes, const uint8_t *order)
{
    struct axis *axes = arena_new(&b->a, struct axis, rank + 1);
    struct axis *moved = arena_new(&b->a, struct axis, rank + 1);
    struct step *leaf = arena_new(&b->a, struct step, 1);
    struct step *permute = arena_new(&b->a, struct step, 1);
    for (uint32_t i = 0; i < rank; i++)
        axes[i].size = sizes[i];
    for (uint32_t i = 0; i < rank; i++)
        moved[i] = axes[order[i]];
    b->leaf.type = (struct type){rank, axes};
    *leaf = (struct step){.op = OP_LEAF,
                          .type = b->leaf.type,
                          .dtype = TTSB_U32,
                          .leaf = &b->leaf};
    *permute = (struct step){.op = OP_PERMUTE,
                             .type = {rank, moved},
                             .dtype = TTSB_U32,
                             .arg = leaf};
    memcpy(permute->order, order, rank);
    return (struct output){
        .step = permute, .type = permute->type, .dtype = TTSB_U32};
}

/* The source element of output element e, by definition. */
static uint64_t source_of(uint32_t rank, const uint64_t *sizes,
                          const uint8_t *order, uint64_t e)
{
    uint64_t at[TTSB_MAX_RANK] = {0}, index = 0;
    for (uint32_t i = rank; i-- > 0;) {
        at[order[i]] = e % sizes[order[i]];
        e /= sizes[order[i]];
    }
    for (uint32_t i = 0; i < rank; i++)
        index = index * sizes[i] + at[i];
    return index;
}

/* All of the output's only region. */
static struct view view_of(struct bench *b, const struct output *o)
{
    struct regions v = plan_value(&b->a, o->step);
    assert_int_equal(v.n, 1);
    return view_whole(&v.p[0]);
}

static void check_narrow(struct bench *b, const struct view *v, uint64_t first,
                         uint64_t count, const uint32_t *want)
{
    uint16_t *got = calloc((size_t)count, sizeof *got);
    int error = gather_narrow(&b->g, v, TTSB_U16, first, count, (uint8_t *)got);
    if (b->below <= 0x10000)
        assert_int_equal(error, 0);
    for (uint64_t i = 0; i < count && error == 0; i++)
        assert_int_equal(got[i], want[i]);
    if (error != 0)
        assert_int_equal(error, GATHER_MISFIT);
    free(got);
}

static void check_range(struct bench *b, uint32_t rank, const uint64_t *sizes,
                        const uint8_t *order, uint64_t n)
{
    struct output o = make_output(b, rank, sizes, order);
    struct view p = view_of(b, &o);
    uint64_t first = roll(n), count = 1 + roll(n - first);
    uint32_t *got = calloc((size_t)count, sizeof *got);
    assert_int_equal(p.elements, n);
    assert_int_equal(gather_range(&b->g, &p, first, count, (uint8_t *)got), 0);
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(got[i],
                         source_of(rank, sizes, order, first + i) % b->below);
    if (!p.straight)
        check_narrow(b, &p, first, count, got);
    free(got);
}

static void shuffle(uint8_t *order, uint32_t rank)
{
    for (uint32_t i = 0; i < rank; i++)
        order[i] = (uint8_t)i;
    for (uint32_t i = rank; i > 1; i--) {
        uint64_t k = roll(i);
        uint8_t swap = order[i - 1];
        order[i - 1] = order[k];
        order[k] = swap;
    }
}

static void test_random_shapes(void **state)
{
    (void)state;
    for (int round = 0; round < 400; round++) {
        uint32_t rank = (uint32_t)roll(TTSB_MAX_RANK + 1);
        uint64_t sizes[TTSB_MAX_RANK], n = 1;
        uint8_t order[TTSB_MAX_RANK];
        struct bench b;
        for (uint32_t i = 0; i < rank; i++) {
            sizes[i] = 1 + roll(rank > 3 ? 5 : 40);
            n *= sizes[i];
        }
        open_numbers(&b, n, n);
        for (int i = 0; i < 4; i++) {
            shuffle(order, rank);
            check_range(&b, rank, sizes, order, n);
        }
        close_numbers(&b);
    }
}

/* Runs long and short, inside and beyond one window. */
static void test_large_matrices(void **state)
{
    static const uint64_t shapes[][3] = {{600, 700, 1},
                                         {3, 100000, 2},
                                         {100000, 3, 2},
                                         {7, 300, 200},
                                         {1300, 900, 1}};
    static const uint8_t orders[][3] = {
        {1, 0, 2}, {2, 1, 0}, {1, 2, 0}, {0, 2, 1}, {2, 0, 1}};
    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        struct bench b;
        uint64_t n = shapes[s][0] * shapes[s][1] * shapes[s][2];
        open_numbers(&b, n, 65521);
        for (size_t k = 0; k < 5; k++)
            check_range(&b, 3, shapes[s], orders[k], n);
        close_numbers(&b);
    }
}

static void test_shorter_file(void **state)
{
    static const uint64_t sizes[] = {60, 50};
    static const uint8_t order[] = {1, 0};
    struct bench b;
    struct output o;
    struct view p;
    uint32_t got[3000];
    (void)state;
    open_numbers(&b, 3000, 3000);
    o = make_output(&b, 2, sizes, order);
    p = view_of(&b, &o);
    assert_int_equal(ftruncate(b.file.fd, 9000), 0);
    assert_int_equal(gather_range(&b.g, &p, 0, 3000, (uint8_t *)got), ENODATA);
    assert_int_equal(gather_narrow(&b.g, &p, TTSB_U16, 0, 3000, (uint8_t *)got),
                     ENODATA);
    close_numbers(&b);
}

/* Half of each row of a transposed matrix, row by row, as a piece of a computed
 * value is read: rows are staged together, and not each by itself. */
static void test_parts_of_rows(void **state)
{
    enum { N = 3000 };
    static const uint64_t sizes[] = {N, N};
    static const uint8_t order[] = {1, 0};
    uint32_t got[N / 2];
    uint64_t before;
    struct bench b;
    struct output o;
    struct view p;
    (void)state;
    open_numbers(&b, N * N, N * N);
    o = make_output(&b, 2, sizes, order);
    p = view_of(&b, &o);
    before = reads;
    for (uint64_t row = 0; row < N; row++) {
        uint64_t first = row * N + N / 2;
        assert_int_equal(gather_range(&b.g, &p, first, N / 2, (uint8_t *)got),
                         0);
        for (uint64_t i = 0; i < N / 2; i++)
            assert_int_equal(got[i], source_of(2, sizes, order, first + i));
    }
    /* A read for each row of the source, and each time rows are staged. */
    assert_in_range(reads - before, 1,
                    N * (N / (GATHER_STAGING / sizeof *got / N) + 1));
    close_numbers(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_shapes),
        cmocka_unit_test(test_large_matrices),
        cmocka_unit_test(test_shorter_file),
        cmocka_unit_test(test_parts_of_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
