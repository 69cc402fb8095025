/* SPDX-License-Identifier: MIT
 *
 * test_bench_xxhash.c - the bench's stand-in for xxhash.h, against xxHash.
 *
 * In: random bytes of every length from 0 to 5,000 and of some up to 70,000,
 * each in memory of its own, so that a sanitizer knows of a byte read beside
 * them. Out: passes where XXH3-64, XXH3-128 and the joined form are the
 * runtime's, which the packaged header is compiled into.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/gpu/xxhash/xxhash.h"
#include "hash.h"

static uint8_t *random_bytes(size_t n)
{
    uint8_t *bytes = malloc(n != 0 ? n : 1);
    uint64_t state = n;
    assert_non_null(bytes);
    for (size_t i = 0; i < n; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
        bytes[i] = (uint8_t)(state >> 56);
    }
    return bytes;
}

static void compare(size_t n)
{
    uint8_t *bytes = random_bytes(n);
    XXH128_canonical_t ours;
    uint8_t theirs[16];
    if (XXH3_64bits(bytes, n) != ttsb__hash64(bytes, n))
        fail_msg("length %zu, 64 bits", n);
    XXH128_canonicalFromHash(&ours, XXH3_128bits(bytes, n));
    ttsb__hash128(bytes, n, theirs);
    if (memcmp(ours.digest, theirs, 16) != 0)
        fail_msg("length %zu, 128 bits", n);
    free(bytes);
}

static void every_length(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 5000; n++)
        compare(n);
    for (size_t n = 5001; n <= 70000; n += 127)
        compare(n);
}

static void joined(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 600; n++) {
        uint8_t *bytes = random_bytes(n);
        const size_t cut = n / 3;
        const struct ttsb__bytes parts[] = {{bytes, cut},
                                            {bytes + cut, n - cut}};
        XXH128_canonical_t ours;
        uint8_t theirs[16];
        XXH3_state_t hash;
        XXH3_128bits_reset(&hash);
        XXH3_128bits_update(&hash, parts[0].data, parts[0].size);
        XXH3_128bits_update(&hash, parts[1].data, parts[1].size);
        XXH128_canonicalFromHash(&ours, XXH3_128bits_digest(&hash));
        ttsb__hash128_joined(parts, 2, theirs);
        assert_memory_equal(ours.digest, theirs, 16);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length),
        cmocka_unit_test(joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
