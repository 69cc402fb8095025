/* SPDX-License-Identifier: MIT
 *
 * test_kernels_xxh3.c - the body that a device hashes with, against xxHash.
 *
 * In: random bytes and bytes of one kind, of every length from 0 to 70,000, at
 * every alignment. Out: passes where each hash is libxxhash's. Invariant: the
 * lengths include every boundary of the algorithm: 0, 3, 8, 16, 128, 240, a
 * stripe, a block, a piece.
 */
#include "test_kernels.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdlib.h>
#include <string.h>

#include "body_xxh3.h"

enum { MOST = 70000, SLACK = 64 };

static void compare_all(const uint8_t *bytes)
{
    for (uint32_t n = 0; n <= MOST; n++) {
        const uint8_t *p = bytes + n % SLACK;
        if (body_xxh3(p, n) != XXH3_64bits(p, n))
            fail_msg("length %u at %u", n, n % SLACK);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_random),
        cmocka_unit_test(of_one_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
