/* SPDX-License-Identifier: MIT
 *
 * body_xxh3.h - XXH3-64 of a piece, seed 0 and the default secret.
 *
 * In: up to 64 KiB. Out: the hash that PIECES holds (runtime/FORMAT.md,
 * section 5). The steps of the long form take single words, so that a warp can
 * share a piece out: within a block of 1024 bytes the order of the additions
 * does not matter, and between blocks all eight accumulators are mixed.
 * Source: the XXH3 specification in xxHash's doc/xxhash_spec.md.
 *
 * Invariant: the same bits as libxxhash for every length, which the host's
 * test shows for 0 to 70,000.
 */
#ifndef TTSW_BODY_XXH3_H
#define TTSW_BODY_XXH3_H

#include "hd.h"

#define XXH3_STRIPE 64        /* bytes that each step takes, 8 a lane */
#define XXH3_BLOCK_STRIPES 16 /* between two scrambles */
#define XXH3_BLOCK (XXH3_STRIPE * XXH3_BLOCK_STRIPES)
#define XXH3_SHORT 240 /* the longest that is hashed without stripes */
#define XXH3_LAST 121  /* where the secret begins for the last stripe */
#define XXH3_MERGE 11  /* and for the merge */

#define XXH3_PRIME32_1 UINT64_C(0x9E3779B1)
#define XXH3_PRIME32_2 UINT64_C(0x85EBCA77)
#define XXH3_PRIME32_3 UINT64_C(0xC2B2AE3D)
#define XXH3_PRIME64_1 UINT64_C(0x9E3779B185EBCA87)
#define XXH3_PRIME64_2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define XXH3_PRIME64_3 UINT64_C(0x165667B19E3779F9)
#define XXH3_PRIME64_4 UINT64_C(0x85EBCA77C2B2AE63)
#define XXH3_PRIME64_5 UINT64_C(0x27D4EB2F165667C5)
#define XXH3_MIX_1 UINT64_C(0x165667919E3779F9)
#define XXH3_MIX_2 UINT64_C(0x9FB21C651E98DF25)

/* The default secret, as little-endian words. */
#ifdef __CUDA_ARCH__
#define XXH3_TABLE static __device__ __constant__ const
#else
#define XXH3_TABLE static const
#endif
XXH3_TABLE uint64_t xxh3_secret[24] = {
    UINT64_C(0xbe4ba423396cfeb8), UINT64_C(0x1cad21f72c81017c),
    UINT64_C(0xdb979083e96dd4de), UINT64_C(0x1f67b3b7a4a44072),
    UINT64_C(0x78e5c0cc4ee679cb), UINT64_C(0x2172ffcc7dd05a82),
    UINT64_C(0x8e2443f7744608b8), UINT64_C(0x4c263a81e69035e0),
    UINT64_C(0xcb00c391bb52283c), UINT64_C(0xa32e531b8b65d088),
    UINT64_C(0x4ef90da297486471), UINT64_C(0xd8acdea946ef1938),
    UINT64_C(0x3f349ce33f76faa8), UINT64_C(0x1d4f0bc7c7bbdcf9),
    UINT64_C(0x3159b4cd4be0518a), UINT64_C(0x647378d9c97e9fc8),
    UINT64_C(0xc3ebd33483acc5ea), UINT64_C(0xeb6313faffa081c5),
    UINT64_C(0x49daf0b751dd0d17), UINT64_C(0x9e68d429265516d3),
    UINT64_C(0xfca1477d58be162b), UINT64_C(0xce31d07ad1b8f88f),
    UINT64_C(0x280416958f3acb45), UINT64_C(0x7e404bbbcafbd7af),
};

/* The word at byte `at` of the secret, which need not be a multiple of 8. */
TTSW_HD uint64_t body_xxh3_key(uint32_t at)
{
    const uint32_t shift = at % 8 * 8;
    const uint64_t low = xxh3_secret[at / 8] >> shift;
    return shift == 0 ? low : low | xxh3_secret[at / 8 + 1] << (64 - shift);
}

/* The word at p, little endian, of any alignment. */
TTSW_HD uint64_t body_xxh3_word(const uint8_t *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof(w));
    return w;
}

TTSW_HD uint32_t body_xxh3_half(const uint8_t *p)
{
    uint32_t w;
    memcpy(&w, p, sizeof(w));
    return w;
}

TTSW_HD uint64_t body_xxh3_rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

TTSW_HD uint64_t body_xxh3_swap(uint64_t x)
{
    x = (x & UINT64_C(0x00ff00ff00ff00ff)) << 8 |
        (x >> 8 & UINT64_C(0x00ff00ff00ff00ff));
    x = (x & UINT64_C(0x0000ffff0000ffff)) << 16 |
        (x >> 16 & UINT64_C(0x0000ffff0000ffff));
    return x << 32 | x >> 32;
}

/* The two halves of a * b, xored. */
TTSW_HD uint64_t body_xxh3_fold(uint64_t a, uint64_t b)
{
#ifdef __CUDA_ARCH__
    return (a * b) ^ __umul64hi(a, b);
#else
    __extension__ typedef unsigned __int128 wide;
    const wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#endif
}

TTSW_HD uint64_t body_xxh3_avalanche(uint64_t h)
{
    h = (h ^ h >> 37) * XXH3_MIX_1;
    return h ^ h >> 32;
}

/* --- up to 240 bytes --- */

/* The finish of XXH64, which the shortest lengths end with. */
TTSW_HD uint64_t body_xxh3_avalanche64(uint64_t h)
{
    h = (h ^ h >> 33) * XXH3_PRIME64_2;
    h = (h ^ h >> 29) * XXH3_PRIME64_3;
    return h ^ h >> 32;
}

TTSW_HD uint64_t body_xxh3_mix(const uint8_t *p, uint32_t key)
{
    return body_xxh3_fold(body_xxh3_word(p) ^ body_xxh3_key(key),
                          body_xxh3_word(p + 8) ^ body_xxh3_key(key + 8));
}

TTSW_HD uint64_t body_xxh3_to_3(const uint8_t *p, uint32_t n)
{
    const uint32_t combined = (uint32_t)p[0] << 16 | (uint32_t)p[n / 2] << 24 |
                              (uint32_t)p[n - 1] | n << 8;
    const uint64_t flip =
        (uint32_t)xxh3_secret[0] ^ (uint32_t)(xxh3_secret[0] >> 32);
    return body_xxh3_avalanche64(combined ^ flip);
}

TTSW_HD uint64_t body_xxh3_to_8(const uint8_t *p, uint32_t n)
{
    const uint64_t both =
        body_xxh3_half(p + n - 4) + ((uint64_t)body_xxh3_half(p) << 32);
    uint64_t h = both ^ xxh3_secret[1] ^ xxh3_secret[2];
    h ^= body_xxh3_rotate(h, 49) ^ body_xxh3_rotate(h, 24);
    h *= XXH3_MIX_2;
    h = (h ^ ((h >> 35) + n)) * XXH3_MIX_2;
    return h ^ h >> 28;
}

TTSW_HD uint64_t body_xxh3_to_16(const uint8_t *p, uint32_t n)
{
    const uint64_t low = body_xxh3_word(p) ^ xxh3_secret[3] ^ xxh3_secret[4];
    const uint64_t high =
        body_xxh3_word(p + n - 8) ^ xxh3_secret[5] ^ xxh3_secret[6];
    return body_xxh3_avalanche(n + body_xxh3_swap(low) + high +
                               body_xxh3_fold(low, high));
}

/* Pairs of 16 bytes from both ends towards the middle. */
TTSW_HD uint64_t body_xxh3_to_128(const uint8_t *p, uint32_t n)
{
    uint64_t h = n * XXH3_PRIME64_1;
    for (uint32_t i = (n - 1) / 32 + 1; i-- > 0;)
        h += body_xxh3_mix(p + 16 * i, 32 * i) +
             body_xxh3_mix(p + n - 16 * (i + 1), 32 * i + 16);
    return body_xxh3_avalanche(h);
}

TTSW_HD uint64_t body_xxh3_to_240(const uint8_t *p, uint32_t n)
{
    uint64_t h = n * XXH3_PRIME64_1;
    for (uint32_t i = 0; i < 8; i++)
        h += body_xxh3_mix(p + 16 * i, 16 * i);
    h = body_xxh3_avalanche(h);
    for (uint32_t i = 8; i < n / 16; i++)
        h += body_xxh3_mix(p + 16 * i, 16 * (i - 8) + 3);
    return body_xxh3_avalanche(h + body_xxh3_mix(p + n - 16, 136 - 17));
}

/* n is at most XXH3_SHORT. */
TTSW_HD uint64_t body_xxh3_short(const uint8_t *p, uint32_t n)
{
    if (n > 128)
        return body_xxh3_to_240(p, n);
    if (n > 16)
        return body_xxh3_to_128(p, n);
    if (n > 8)
        return body_xxh3_to_16(p, n);
    if (n > 3)
        return body_xxh3_to_8(p, n);
    if (n > 0)
        return body_xxh3_to_3(p, n);
    return body_xxh3_avalanche64(xxh3_secret[7] ^ xxh3_secret[8]);
}

/* --- beyond 240 bytes --- */

/* What lane i (0 to 7) begins with. */
TTSW_HD uint64_t body_xxh3_start(uint32_t lane)
{
    switch (lane) {
    case 0:
        return XXH3_PRIME32_3;
    case 1:
        return XXH3_PRIME64_1;
    case 2:
        return XXH3_PRIME64_2;
    case 3:
        return XXH3_PRIME64_3;
    case 4:
        return XXH3_PRIME64_4;
    case 5:
        return XXH3_PRIME32_2;
    case 6:
        return XXH3_PRIME64_5;
    default:
        return XXH3_PRIME32_1;
    }
}

/* What a lane's own word adds to its accumulator; the word itself is added to
 * that of lane ^ 1. */
TTSW_HD uint64_t body_xxh3_product(uint64_t word, uint64_t key)
{
    const uint64_t keyed = word ^ key;
    return (keyed & 0xffffffff) * (keyed >> 32);
}

/* A lane's accumulator at the end of a block. */
TTSW_HD uint64_t body_xxh3_scramble(uint64_t acc, uint32_t lane)
{
    return (acc ^ acc >> 47 ^ xxh3_secret[16 + lane]) * XXH3_PRIME32_1;
}

/* What lanes 2i and 2i + 1 add to the result. */
TTSW_HD uint64_t body_xxh3_merge(uint64_t even, uint64_t odd, uint32_t i)
{
    return body_xxh3_fold(even ^ body_xxh3_key(XXH3_MERGE + 16 * i),
                          odd ^ body_xxh3_key(XXH3_MERGE + 16 * i + 8));
}

/* The stripe at p, with the secret from byte `key` on. */
TTSW_HD void body_xxh3_stripe(uint64_t acc[8], const uint8_t *p, uint32_t key)
{
    for (uint32_t i = 0; i < 8; i++) {
        const uint64_t word = body_xxh3_word(p + 8 * i);
        acc[i ^ 1] += word;
        acc[i] += body_xxh3_product(word, body_xxh3_key(key + 8 * i));
    }
}

/* The accumulators when all n bytes are in them, n above XXH3_SHORT. */
TTSW_HD void body_xxh3_sum(uint64_t acc[8], const uint8_t *p, uint32_t n)
{
    const uint32_t stripes = (n - 1) / XXH3_STRIPE;
    for (uint32_t i = 0; i < 8; i++)
        acc[i] = body_xxh3_start(i);
    for (uint32_t s = 0; s < stripes; s++) {
        const uint32_t in_block = s % XXH3_BLOCK_STRIPES;
        body_xxh3_stripe(acc, p + XXH3_STRIPE * s, 8 * in_block);
        if (in_block + 1 < XXH3_BLOCK_STRIPES)
            continue;
        for (uint32_t i = 0; i < 8; i++)
            acc[i] = body_xxh3_scramble(acc[i], i);
    }
    body_xxh3_stripe(acc, p + n - XXH3_STRIPE, XXH3_LAST);
}

TTSW_HD uint64_t body_xxh3_long(const uint8_t *p, uint32_t n)
{
    uint64_t h = n * XXH3_PRIME64_1;
    uint64_t acc[8];
    body_xxh3_sum(acc, p, n);
    for (uint32_t i = 0; i < 4; i++)
        h += body_xxh3_merge(acc[2 * i], acc[2 * i + 1], i);
    return body_xxh3_avalanche(h);
}

/* XXH3-64 of n bytes at p, n below 2^32. */
TTSW_HD uint64_t body_xxh3(const uint8_t *p, uint32_t n)
{
    return n > XXH3_SHORT ? body_xxh3_long(p, n) : body_xxh3_short(p, n);
}

#endif
