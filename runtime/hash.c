/* SPDX-License-Identifier: MIT
 *
 * hash.c - XXH3 through the best variant of this CPU.
 *
 * In: bytes. Out: their hash. Invariant: no state; the choice is a table look
 * up that costs a few nanoseconds and is made anew for each call, so that
 * nothing has to be initialised and threads share nothing.
 */
#include "hash.h"

uint64_t ttsb__hash64(const void *data, size_t size)
{
    return ttsb__hash_variant(0)->hash64(data, size);
}

void ttsb__hash128(const void *data, size_t size, uint8_t out[16])
{
    ttsb__hash_variant(0)->hash128(data, size, out);
}
