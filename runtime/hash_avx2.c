/* SPDX-License-Identifier: MIT
 *
 * hash_avx2.c - XXH3 with 256-bit vectors, compiled with -mavx2.
 *
 * In: bytes. Out: their hash. Invariant: the result is that of every other
 * variant. The packaged xxhash.h is compiled into this file, so that there is
 * no library to link and no symbol to clash with an engine's own copy. The
 * registers' upper halves are cleared at the end: gcc forgets it below
 * xxhash.h's `#pragma GCC optimize`, and some processors run every SSE
 * instruction that follows, the caller's too, several times slower.
 */
#include "hash.h"

#include <string.h>

#define XXH_INLINE_ALL
#define XXH_VECTOR XXH_AVX2
#include <xxhash.h>

static uint64_t hash64(const void *data, size_t size)
{
    const uint64_t hash = XXH3_64bits(data, size);
    _mm256_zeroupper();
    return hash;
}

static void hash128(const void *data, size_t size, uint8_t out[16])
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, size));
    memcpy(out, canonical.digest, 16);
    _mm256_zeroupper();
}

const struct ttsb__hash ttsb__hash_avx2 = {"avx2", hash64, hash128};
