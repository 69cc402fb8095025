/* SPDX-License-Identifier: MIT
 *
 * hash_x86.c - the list of XXH3's variants on x86-64.
 *
 * In: an index. Out: the variant, best first, of those that the CPU and the
 * operating system can run. Invariant: this file is compiled without any of
 * their instruction sets, so that asking is always safe. On other machines
 * the build takes hash_plain.c in its place.
 */
#include "hash.h"

const struct ttsb__hash *ttsb__hash_variant(size_t index)
{
    const struct ttsb__hash *usable[3];
    size_t count = 0;
    if (__builtin_cpu_supports("avx512f"))
        usable[count++] = &ttsb__hash_avx512;
    if (__builtin_cpu_supports("avx2"))
        usable[count++] = &ttsb__hash_avx2;
    usable[count++] = &ttsb__hash_portable;
    return index < count ? usable[index] : NULL;
}
