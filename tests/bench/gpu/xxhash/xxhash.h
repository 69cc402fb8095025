/* SPDX-License-Identifier: MIT
 *
 * xxhash.h - what runtime/hash_*.c asks of xxHash, where it is not installed.
 *
 * In: bytes, less than 4 GiB. Out: XXH3-64 and XXH3-128, seed 0, with the names
 * of the packaged header, from the body that devices hash with and, for 128
 * bits, from xxHash's doc/xxhash_spec.md. gpu.sh names this folder if it finds
 * no other xxhash.h; nothing else does. Several times slower: no vector code.
 * Invariant: the same bits, which tests/test_bench_xxhash.c shows.
 */
#ifndef TTSB_BENCH_XXHASH_H
#define TTSB_BENCH_XXHASH_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h> /* the packaged header's users count on it */
#endif

#include "../../../../kernels/body_xxh3.h"

#define XXH3_LAST_MERGE 117 /* where the secret begins for the high half */

typedef struct {
    uint64_t low64;
    uint64_t high64;
} XXH128_hash_t;

typedef struct {
    uint8_t digest[16];
} XXH128_canonical_t;

/* All that was given, together: the runtime joins short lists. */
typedef struct {
    uint8_t *bytes;
    size_t size;
} XXH3_state_t;

static inline XXH128_hash_t bench_xxh3_product(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    const wide product = (wide)a * b;
    return (XXH128_hash_t){(uint64_t)product, (uint64_t)(product >> 64)};
}

static inline XXH128_hash_t bench_xxh3_to_3(const uint8_t *p, uint32_t n)
{
    const uint32_t low = (uint32_t)p[0] << 16 | (uint32_t)p[n / 2] << 24 |
                         (uint32_t)p[n - 1] | n << 8;
    const uint32_t swapped = __builtin_bswap32(low);
    const uint32_t high = swapped << 13 | swapped >> 19;
    const uint64_t *s = xxh3_secret;
    return (XXH128_hash_t){
        body_xxh3_avalanche64(low ^ (uint64_t)(uint32_t)(s[0] ^ s[0] >> 32)),
        body_xxh3_avalanche64(high ^ (uint64_t)(uint32_t)(s[1] ^ s[1] >> 32))};
}

static inline XXH128_hash_t bench_xxh3_to_8(const uint8_t *p, uint32_t n)
{
    const uint64_t both =
        body_xxh3_half(p) + ((uint64_t)body_xxh3_half(p + n - 4) << 32);
    XXH128_hash_t h = bench_xxh3_product(both ^ xxh3_secret[2] ^ xxh3_secret[3],
                                         XXH3_PRIME64_1 + (n << 2));
    h.high64 += h.low64 << 1;
    h.low64 ^= h.high64 >> 3;
    h.low64 = (h.low64 ^ h.low64 >> 35) * XXH3_MIX_2;
    h.low64 ^= h.low64 >> 28;
    h.high64 = body_xxh3_avalanche(h.high64);
    return h;
}

static inline XXH128_hash_t bench_xxh3_to_16(const uint8_t *p, uint32_t n)
{
    const uint64_t *s = xxh3_secret;
    const uint64_t last = body_xxh3_word(p + n - 8);
    const uint64_t high = last ^ s[6] ^ s[7];
    XXH128_hash_t m = bench_xxh3_product(body_xxh3_word(p) ^ last ^ s[4] ^ s[5],
                                         XXH3_PRIME64_1);
    XXH128_hash_t h;
    m.low64 += (uint64_t)(n - 1) << 54;
    m.high64 += high + (uint32_t)high * (XXH3_PRIME32_2 - 1);
    m.low64 ^= body_xxh3_swap(m.high64);
    h = bench_xxh3_product(m.low64, XXH3_PRIME64_2);
    h.high64 += m.high64 * XXH3_PRIME64_2;
    return (XXH128_hash_t){body_xxh3_avalanche(h.low64),
                           body_xxh3_avalanche(h.high64)};
}

/* 16 bytes at p and 16 at q. */
static inline void bench_xxh3_mix(XXH128_hash_t *h, const uint8_t *p,
                                  const uint8_t *q, uint32_t key)
{
    h->low64 += body_xxh3_mix(p, key);
    h->low64 ^= body_xxh3_word(q) + body_xxh3_word(q + 8);
    h->high64 += body_xxh3_mix(q, key + 16);
    h->high64 ^= body_xxh3_word(p) + body_xxh3_word(p + 8);
}

/* The finish of up to 240 bytes. */
static inline XXH128_hash_t bench_xxh3_end(XXH128_hash_t h, uint32_t n)
{
    const uint64_t high = h.low64 * XXH3_PRIME64_1 + h.high64 * XXH3_PRIME64_4 +
                          n * XXH3_PRIME64_2;
    return (XXH128_hash_t){body_xxh3_avalanche(h.low64 + h.high64),
                           0 - body_xxh3_avalanche(high)};
}

static inline XXH128_hash_t bench_xxh3_to_128(const uint8_t *p, uint32_t n)
{
    XXH128_hash_t h = {n * XXH3_PRIME64_1, 0};
    for (uint32_t i = (n - 1) / 32 + 1; i-- > 0;)
        bench_xxh3_mix(&h, p + 16 * i, p + n - 16 * (i + 1), 32 * i);
    return bench_xxh3_end(h, n);
}

static inline XXH128_hash_t bench_xxh3_to_240(const uint8_t *p, uint32_t n)
{
    XXH128_hash_t h = {n * XXH3_PRIME64_1, 0};
    for (uint32_t at = 0; at < 128; at += 32)
        bench_xxh3_mix(&h, p + at, p + at + 16, at);
    h.low64 = body_xxh3_avalanche(h.low64);
    h.high64 = body_xxh3_avalanche(h.high64);
    for (uint32_t at = 128; at + 32 <= n; at += 32)
        bench_xxh3_mix(&h, p + at, p + at + 16, at - 128 + 3);
    bench_xxh3_mix(&h, p + n - 16, p + n - 32, 136 - 17 - 16);
    return bench_xxh3_end(h, n);
}

static inline XXH128_hash_t bench_xxh3_long(const uint8_t *p, uint32_t n)
{
    XXH128_hash_t h = {n * XXH3_PRIME64_1, ~(n * XXH3_PRIME64_2)};
    uint64_t acc[8];
    body_xxh3_sum(acc, p, n);
    for (uint32_t i = 0; i < 8; i += 2) {
        const uint32_t high = XXH3_LAST_MERGE + 8 * i;
        h.low64 += body_xxh3_merge(acc[i], acc[i + 1], i / 2);
        h.high64 += body_xxh3_fold(acc[i] ^ body_xxh3_key(high),
                                   acc[i + 1] ^ body_xxh3_key(high + 8));
    }
    return (XXH128_hash_t){body_xxh3_avalanche(h.low64),
                           body_xxh3_avalanche(h.high64)};
}

static inline uint32_t bench_xxh3_length(size_t size)
{
    if (size > UINT32_MAX)
        abort(); /* no piece, and no section of a model of the bench */
    return (uint32_t)size;
}

static inline uint64_t XXH3_64bits(const void *data, size_t size)
{
    return body_xxh3(data, bench_xxh3_length(size));
}

static inline XXH128_hash_t XXH3_128bits(const void *data, size_t size)
{
    const uint32_t n = bench_xxh3_length(size);
    const uint64_t *s = xxh3_secret;
    if (n > XXH3_SHORT)
        return bench_xxh3_long(data, n);
    if (n > 128)
        return bench_xxh3_to_240(data, n);
    if (n > 16)
        return bench_xxh3_to_128(data, n);
    if (n > 8)
        return bench_xxh3_to_16(data, n);
    if (n > 3)
        return bench_xxh3_to_8(data, n);
    if (n > 0)
        return bench_xxh3_to_3(data, n);
    return (XXH128_hash_t){body_xxh3_avalanche64(s[8] ^ s[9]),
                           body_xxh3_avalanche64(s[10] ^ s[11])};
}

static inline void XXH128_canonicalFromHash(XXH128_canonical_t *out,
                                            XXH128_hash_t h)
{
    const uint64_t words[2] = {body_xxh3_swap(h.high64),
                               body_xxh3_swap(h.low64)};
    memcpy(out->digest, words, 16);
}

static inline void XXH3_128bits_reset(XXH3_state_t *state)
{
    *state = (XXH3_state_t){NULL, 0};
}

static inline void XXH3_128bits_update(XXH3_state_t *state, const void *data,
                                       size_t size)
{
    state->bytes = realloc(state->bytes, state->size + size + 1);
    if (state->bytes == NULL)
        abort();
    memcpy(state->bytes + state->size, data, size);
    state->size += size;
}

/* Once: frees what the state holds. */
static inline XXH128_hash_t XXH3_128bits_digest(XXH3_state_t *state)
{
    const XXH128_hash_t h = XXH3_128bits(state->bytes, state->size);
    free(state->bytes);
    return h;
}

#endif
