/* SPDX-License-Identifier: MIT
 *
 * hash_x86.c - the list of XXH3's variants on x86-64.
 *
 * In: an index. Out: the variant, best first, of those that the CPU and the
 * operating system can run. Invariant: this file is compiled without any of
 * their instruction sets, so that asking is always safe. On other machines
 * the build takes hash_plain.c in its place.
 *
 * glibc has asked the CPU once and tells for a few nanoseconds; the compiler's
 * own answer is 4.5 KB of code, for other C libraries.
 */
#include "hash.h"

#if __has_include(<sys/platform/x86.h>)
#include <sys/platform/x86.h>
#define CAN_AVX2 x86_cpu_active(x86_cpu_AVX2)
#define CAN_AVX512 x86_cpu_active(x86_cpu_AVX512F)
#else
#define CAN_AVX2 __builtin_cpu_supports("avx2")
#define CAN_AVX512 __builtin_cpu_supports("avx512f")
#endif

const struct ttsb__hash *ttsb__hash_variant(size_t index)
{
    const struct ttsb__hash *usable[3];
    size_t count = 0;
    if (CAN_AVX512)
        usable[count++] = &ttsb__hash_avx512;
    if (CAN_AVX2)
        usable[count++] = &ttsb__hash_avx2;
    usable[count++] = &ttsb__hash_portable;
    return index < count ? usable[index] : NULL;
}
