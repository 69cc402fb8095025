/* SPDX-License-Identifier: MIT
 *
 * test_runtime_hash.c - all compilations of XXH3 give the published hash.
 *
 * In: bytes of all lengths at which XXH3 changes its way, and around a piece.
 * Out: the same hash from each variant that this CPU can run and from
 * xxhash.h compiled here. Invariant: the variant that is chosen is the first
 * of the list, and the portable one is always its last.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "hash.h"

enum { LONGEST = 3 * 65536 };

static uint8_t *bytes_new(void)
{
    uint8_t *bytes = malloc(LONGEST + 1);
    uint32_t state = 1;
    assert_non_null(bytes);
    for (size_t i = 0; i <= LONGEST; i++) {
        state = state * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(state >> 24);
    }
    return bytes;
}

static void check_length(const uint8_t *bytes, size_t size)
{
    const XXH64_hash_t want64 = XXH3_64bits(bytes, size);
    XXH128_canonical_t want128;
    uint8_t out[16];
    const struct ttsb__hash *variant = ttsb__hash_variant(0);
    XXH128_canonicalFromHash(&want128, XXH3_128bits(bytes, size));
    for (size_t i = 0; variant != NULL; variant = ttsb__hash_variant(++i)) {
        if (variant->hash64(bytes, size) != want64)
            fail_msg("%s: another XXH3-64 of %zu bytes", variant->name, size);
        variant->hash128(bytes, size, out);
        if (memcmp(out, want128.digest, 16) != 0)
            fail_msg("%s: another XXH3-128 of %zu bytes", variant->name, size);
    }
    assert_true(ttsb__hash64(bytes, size) == want64);
    ttsb__hash128(bytes, size, out);
    assert_memory_equal(out, want128.digest, 16);
}

static void all_lengths(void **state)
{
    uint8_t *bytes = bytes_new();
    (void)state;
    for (size_t size = 0; size <= 5000; size++) {
        check_length(bytes, size);
        check_length(bytes + 1, size);
    }
    for (size_t size = 65536 - 70; size <= 65536 + 70; size++)
        check_length(bytes + 1, size);
    check_length(bytes, LONGEST);
    free(bytes);
}

/* Published values, so that the format does not hang on one xxhash.h. */
static void known_values(void **state)
{
    static const uint8_t empty128[16] = {0x99, 0xaa, 0x06, 0xd3, 0x01, 0x47,
                                         0x98, 0xd8, 0x60, 0x01, 0xc3, 0x24,
                                         0x46, 0x8d, 0x49, 0x7f};
    uint8_t out[16];
    (void)state;
    assert_true(ttsb__hash64(NULL, 0) == UINT64_C(0x2d06800538d394c2));
    ttsb__hash128(NULL, 0, out);
    assert_memory_equal(out, empty128, 16);
}

static void joined(void **state)
{
    uint8_t *bytes = bytes_new();
    uint8_t want[16];
    uint8_t out[16];
    (void)state;
    for (size_t size = 0; size <= 3000; size += 7) {
        for (size_t cut = 0; cut <= size; cut += 191) {
            const struct ttsb__bytes parts[] = {{bytes, cut},
                                                {bytes + cut, size - cut}};
            ttsb__hash128(bytes, size, want);
            ttsb__hash128_joined(parts, 2, out);
            assert_memory_equal(out, want, 16);
        }
    }
    ttsb__hash128_joined(NULL, 0, out);
    ttsb__hash128(NULL, 0, want);
    assert_memory_equal(out, want, 16);
    free(bytes);
}

static void variants(void **state)
{
    size_t count = 0;
    (void)state;
    while (ttsb__hash_variant(count) != NULL)
        count++;
    assert_true(count >= 1);
    assert_string_equal(ttsb__hash_variant(count - 1)->name, "portable");
    assert_null(ttsb__hash_variant(count + 1));
}

#if defined(__x86_64__)

/* The upper halves of ymm0 to ymm15. */
static void read_upper_halves(uint8_t out[16][16])
{
    __asm__ volatile("vextractf128 $1, %%ymm0, 0x00(%0)\n\t"
                     "vextractf128 $1, %%ymm1, 0x10(%0)\n\t"
                     "vextractf128 $1, %%ymm2, 0x20(%0)\n\t"
                     "vextractf128 $1, %%ymm3, 0x30(%0)\n\t"
                     "vextractf128 $1, %%ymm4, 0x40(%0)\n\t"
                     "vextractf128 $1, %%ymm5, 0x50(%0)\n\t"
                     "vextractf128 $1, %%ymm6, 0x60(%0)\n\t"
                     "vextractf128 $1, %%ymm7, 0x70(%0)\n\t"
                     "vextractf128 $1, %%ymm8, 0x80(%0)\n\t"
                     "vextractf128 $1, %%ymm9, 0x90(%0)\n\t"
                     "vextractf128 $1, %%ymm10, 0xa0(%0)\n\t"
                     "vextractf128 $1, %%ymm11, 0xb0(%0)\n\t"
                     "vextractf128 $1, %%ymm12, 0xc0(%0)\n\t"
                     "vextractf128 $1, %%ymm13, 0xd0(%0)\n\t"
                     "vextractf128 $1, %%ymm14, 0xe0(%0)\n\t"
                     "vextractf128 $1, %%ymm15, 0xf0(%0)"
                     :
                     : "r"(out)
                     : "memory");
}

/* What a vector variant must not leave behind: it slows its caller down. */
static void upper_halves(void **state)
{
    static const uint8_t zero[16][16];
    uint8_t *bytes = bytes_new();
    uint8_t left[16][16], out[16];
    (void)state;
    for (size_t i = 0; ttsb__hash_variant(i + 1) != NULL; i++) {
        const struct ttsb__hash *variant = ttsb__hash_variant(i);
        for (size_t size = 0; size <= LONGEST; size += 1 + size / 2) {
            variant->hash64(bytes, size);
            read_upper_halves(left);
            assert_memory_equal(left, zero, sizeof left);
            variant->hash128(bytes, size, out);
            read_upper_halves(left);
            assert_memory_equal(left, zero, sizeof left);
        }
    }
    free(bytes);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_lengths),
        cmocka_unit_test(known_values),
        cmocka_unit_test(joined),
        cmocka_unit_test(variants),
#if defined(__x86_64__)
        cmocka_unit_test(upper_halves),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
