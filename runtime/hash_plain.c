/* SPDX-License-Identifier: MIT
 *
 * hash_plain.c - the list of XXH3's variants where there is but one.
 *
 * In: an index. Out: the portable variant at index 0. Invariant: what the
 * compiler's baseline offers (NEON on 64-bit ARM) is in it already. On x86-64
 * the build takes hash_x86.c in its place.
 */
#include "hash.h"

const struct ttsb__hash *ttsb__hash_variant(size_t index)
{
    return index == 0 ? &ttsb__hash_portable : NULL;
}
