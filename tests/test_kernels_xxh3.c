/* SPDX-License-Identifier: MIT
 *
 * test_kernels_xxh3.c - the bodies that a device hashes with, against xxHash.
 *
 * In: random bytes and bytes of one kind, of every length from 0 to 70,000, at
 * every alignment; a warp's way for those above 240 at every multiple of 8.
 * Out: passes where each hash is libxxhash's, and where the check of pieces
 * marks what was damaged and no other. Invariant: the lengths include every
 * boundary of the algorithm: 0, 3, 8, 16, 128, 240, a stripe, a block, a piece.
 * LENGTHS_STEP=N takes one length in N above four blocks, N odd.
 */
#include "test_kernels.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdlib.h>
#include <string.h>

#include "body_xxh3_warp.h"
#include "kernels.h"

enum { MOST = 70000, SLACK = 64, PIECES = 100 };

static uint32_t lengths_step(void)
{
    const char *text = getenv("LENGTHS_STEP");
    const uint32_t step = text != NULL ? (uint32_t)strtoul(text, NULL, 10) : 1;
    assert_true(step % 2 == 1);
    return step;
}

static void compare_all(const uint8_t *bytes)
{
    const uint32_t step = lengths_step();
    for (uint32_t n = 0; n <= MOST; n += n < 4 * XXH3_BLOCK ? 1 : step) {
        const uint8_t *p = bytes + n % SLACK;
        const uint8_t *even = bytes + n * 8 % SLACK;
        if (body_xxh3(p, n) != XXH3_64bits(p, n))
            fail_msg("length %u at %u", n, n % SLACK);
        if (n > XXH3_SHORT &&
            body_xxh3_by_warp(even, n) != XXH3_64bits(even, n))
            fail_msg("length %u at %u, by a warp", n, n * 8 % SLACK);
    }
}

static void of_random(void **state)
{
    uint8_t *bytes = malloc(MOST + SLACK);
    uint64_t seed = 1;
    (void)state;
    for (size_t i = 0; i < MOST + SLACK; i++)
        bytes[i] = (uint8_t)random_bits(&seed);
    compare_all(bytes);
    free(bytes);
}

static void of_one_kind(void **state)
{
    static const uint8_t kinds[] = {0x00, 0xff};
    uint8_t *bytes = malloc(MOST + SLACK);
    (void)state;
    for (size_t k = 0; k < sizeof(kinds); k++) {
        memset(bytes, kinds[k], MOST + SLACK);
        compare_all(bytes);
    }
    free(bytes);
}

/* Where there is a byte more, a sanitizer knows. */
static void reads_no_more(void **state)
{
    static const uint32_t lengths[] = {
        1,   3,   4,    8,    9,    16,   17,   128,  129,  240,  241,   255,
        256, 257, 1023, 1024, 1025, 1087, 1088, 1089, 4095, 8193, 65535, 65536};
    uint64_t seed = 2;
    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        const uint32_t n = lengths[i];
        uint8_t *bytes = malloc(n);
        random_bytes(&seed, bytes, n);
        assert_int_equal(body_xxh3(bytes, n), XXH3_64bits(bytes, n));
        if (n > XXH3_SHORT)
            assert_int_equal(body_xxh3_by_warp(bytes, n),
                             XXH3_64bits(bytes, n));
        free(bytes);
    }
}

/* Pieces of many sizes, whose bits are in another order; every seventh one's
 * hash is wrong in one bit. */
static void marks_what_is_damaged(void **state)
{
    struct kernel_piece pieces[PIECES];
    uint8_t *bytes = malloc(MOST);
    uint32_t bad[PIECES / 32 + 2] = {0}, expected[PIECES / 32 + 2] = {0};
    uint64_t seed = 3;
    (void)state;
    random_bytes(&seed, bytes, MOST);
    bad[PIECES / 32 + 1] = expected[PIECES / 32 + 1] = 0xa5a5a5a5;
    bad[0] = expected[0] = UINT32_C(1) << (PIECES - 1 - 98);
    for (uint32_t i = 0; i < PIECES; i++) {
        const uint32_t size = 1 + i * i * 6, number = PIECES - 1 - i;
        const uint64_t hash = XXH3_64bits(bytes + i, size);
        pieces[i] = (struct kernel_piece){bytes + i, hash, size, number};
        if (i % 7 != 3)
            continue;
        pieces[i].hash ^= UINT64_C(1) << (i % 64);
        expected[number / 32] |= UINT32_C(1) << number % 32;
    }
    kernel_check_pieces(NULL, 0, NULL);
    kernel_check_pieces(pieces, PIECES, bad);
    assert_memory_equal(bad, expected, sizeof(bad));
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_random),
        cmocka_unit_test(of_one_kind),
        cmocka_unit_test(reads_no_more),
        cmocka_unit_test(marks_what_is_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
