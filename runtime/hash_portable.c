/* SPDX-License-Identifier: MIT
 *
 * hash_portable.c - XXH3 for the compiler's baseline, and the joined form.
 *
 * In: bytes, in one place or in several. Out: their hash. Invariant: the
 * result is that of every other variant, and of a copy that lies together. The
 * packaged xxhash.h is compiled into this file, so that there is no library to
 * link and no symbol to clash with an engine's own copy.
 */
#include "hash.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static uint64_t hash64(const void *data, size_t size)
{
    return XXH3_64bits(data, size);
}

static void hash128(const void *data, size_t size, uint8_t out[16])
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, size));
    memcpy(out, canonical.digest, 16);
}

void ttsb__hash128_joined(const struct ttsb__bytes *parts, size_t count,
                          uint8_t out[16])
{
    XXH3_state_t state;
    XXH128_canonical_t canonical;
    XXH3_128bits_reset(&state);
    for (size_t i = 0; i < count; i++)
        XXH3_128bits_update(&state, parts[i].data, parts[i].size);
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(&state));
    memcpy(out, canonical.digest, 16);
}

const struct ttsb__hash ttsb__hash_portable = {"portable", hash64, hash128};
