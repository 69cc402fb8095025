/* SPDX-License-Identifier: MIT
 *
 * hash.h - XXH3 with seed 0, as FORMAT.md uses it, at the machine's speed.
 *
 * In: bytes. Out: XXH3-64 as a number, XXH3-128 in canonical (big-endian)
 * form. Invariant: every variant gives the same result; which one runs is
 * decided per call by what the CPU can do, and is no state. The variants are
 * one source, xxhash.h, compiled for several instruction sets; hash_x86.c or
 * hash_plain.c lists those that the build has.
 */
#ifndef TTSB_HASH_H
#define TTSB_HASH_H

#include <stddef.h>
#include <stdint.h>

/* XXH3-64 of `size` bytes at `data`; NULL is fine for 0 bytes. */
uint64_t ttsb__hash64(const void *data, size_t size);

/* XXH3-128 of `size` bytes at `data`, canonical; NULL is fine for 0 bytes. */
void ttsb__hash128(const void *data, size_t size, uint8_t out[16]);

struct ttsb__bytes {
    const void *data;
    size_t size;
};

/* XXH3-128 of `count` pieces of bytes as if they were one; none is NULL. Made
 * for lists of digests: about half as fast as ttsb__hash128. */
void ttsb__hash128_joined(const struct ttsb__bytes *parts, size_t count,
                          uint8_t out[16]);

/* One compilation of XXH3. */
struct ttsb__hash {
    const char *name;
    uint64_t (*hash64)(const void *data, size_t size);
    void (*hash128)(const void *data, size_t size, uint8_t out[16]);
};

/* The variants that this build has and this CPU can run, the best one at
 * index 0; NULL behind the last. */
const struct ttsb__hash *ttsb__hash_variant(size_t index);

/* What the lists are made of; call them through ttsb__hash_variant only. */
extern const struct ttsb__hash ttsb__hash_portable;
extern const struct ttsb__hash ttsb__hash_avx2;
extern const struct ttsb__hash ttsb__hash_avx512;

#endif
