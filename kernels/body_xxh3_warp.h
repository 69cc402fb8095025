/* SPDX-License-Identifier: MIT
 *
 * body_xxh3_warp.h - XXH3-64 of a piece by 32 threads.
 *
 * In: more than 240 bytes, aligned to 8. Out: body_xxh3's hash, in every
 * thread. Thread t works for lane t % 8, and takes the words t, t + 32, t + 64
 * and t + 96 of each block of 128, so that a warp reads 256 bytes side by side.
 * Within a block it only sums; at a block's end the sums of a lane's four
 * threads come together. Invariant: written once. On a device each thread holds
 * its own part of the warp's state and exchanges are shuffles; a host holds all
 * 32 parts and goes through them in a loop, which is how this is tested.
 */
#ifndef TTSW_BODY_XXH3_WARP_H
#define TTSW_BODY_XXH3_WARP_H

#include "body_xxh3.h"

#define XXH3_LANES 8
#define XXH3_WARP 32
#define XXH3_TAKES (XXH3_BLOCK / 8 / XXH3_WARP) /* a thread's of a block */

/* Parts of the warp's state that one processor's thread holds. */
#ifdef __CUDA_ARCH__
#define XXH3_HELD 1
#else
#define XXH3_HELD XXH3_WARP
#endif

struct body_xxh3_warp {
    uint64_t key[XXH3_HELD][XXH3_TAKES];
    uint64_t acc[XXH3_HELD];      /* the lane's; the same in its 4 threads */
    uint64_t products[XXH3_HELD]; /* to add to it; the thread's alone */
    uint64_t words[XXH3_HELD];    /* to add to that of lane ^ 1 */
};

/* Which thread of the warp has part `held`. */
TTSW_HD uint32_t body_xxh3_thread(uint32_t held)
{
#ifdef __CUDA_ARCH__
    return held + threadIdx.x % XXH3_WARP;
#else
    return held;
#endif
}

/* Gives each thread t the value that thread t ^ by has. */
TTSW_HD void body_xxh3_exchange(uint64_t v[XXH3_HELD], uint32_t by)
{
#ifdef __CUDA_ARCH__
    v[0] = __shfl_xor_sync(0xffffffffU, (unsigned long long)v[0], (int)by);
#else
    for (uint32_t t = 0; t < XXH3_WARP; t++) {
        const uint64_t mine = v[t];
        if ((t & by) != 0)
            continue;
        v[t] = v[t ^ by];
        v[t ^ by] = mine;
    }
#endif
}

/* The word at p, which is aligned to 8; a device need not keep it cached. */
TTSW_HD uint64_t body_xxh3_aligned(const uint8_t *p)
{
#ifdef __CUDA_ARCH__
    return __ldcs((const unsigned long long *)p);
#else
    return body_xxh3_word((const uint8_t *)__builtin_assume_aligned(p, 8));
#endif
}

TTSW_HD void body_xxh3_warp_begin(struct body_xxh3_warp *w)
{
    for (uint32_t h = 0; h < XXH3_HELD; h++) {
        const uint32_t t = body_xxh3_thread(h);
        w->acc[h] = body_xxh3_start(t % XXH3_LANES);
        w->products[h] = 0;
        w->words[h] = 0;
        for (uint32_t k = 0; k < XXH3_TAKES; k++) {
            const uint32_t stripe = (XXH3_WARP * k + t) / XXH3_LANES;
            w->key[h][k] = xxh3_secret[stripe + t % XXH3_LANES];
        }
    }
}

/* The first `stripes`, up to XXH3_BLOCK_STRIPES, of the block at p. */
TTSW_HD void body_xxh3_warp_take(struct body_xxh3_warp *w, const uint8_t *p,
                                 uint32_t stripes)
{
    for (uint32_t h = 0; h < XXH3_HELD; h++) {
        const uint32_t t = body_xxh3_thread(h);
        const uint8_t *first = p + 8 * t;
        for (uint32_t k = 0; k < XXH3_TAKES; k++) {
            if ((XXH3_WARP * k + t) / XXH3_LANES >= stripes)
                continue;
            const uint64_t word = body_xxh3_aligned(first + 8 * XXH3_WARP * k);
            w->products[h] += body_xxh3_product(word, w->key[h][k]);
            w->words[h] += word;
        }
    }
}

/* The piece's last 64 bytes, before `end`, of any alignment. */
TTSW_HD void body_xxh3_warp_last(struct body_xxh3_warp *w, const uint8_t *end)
{
    for (uint32_t h = 0; h < XXH3_HELD; h++) {
        const uint32_t t = body_xxh3_thread(h);
        if (t >= XXH3_LANES)
            continue;
        const uint64_t word = body_xxh3_word(end - XXH3_STRIPE + 8 * t);
        w->products[h] +=
            body_xxh3_product(word, body_xxh3_key(XXH3_LAST + 8 * t));
        w->words[h] += word;
    }
}

/* Adds the value of thread t ^ by to each thread's. */
TTSW_HD void body_xxh3_reduce(uint64_t v[XXH3_HELD], uint32_t by)
{
    uint64_t other[XXH3_HELD];
    for (uint32_t h = 0; h < XXH3_HELD; h++)
        other[h] = v[h];
    body_xxh3_exchange(other, by);
    for (uint32_t h = 0; h < XXH3_HELD; h++)
        v[h] += other[h];
}

/* Adds what a lane's four threads have summed to its accumulator. */
TTSW_HD void body_xxh3_warp_settle(struct body_xxh3_warp *w)
{
    body_xxh3_exchange(w->words, 1);
    for (uint32_t h = 0; h < XXH3_HELD; h++)
        w->products[h] += w->words[h];
    for (uint32_t by = XXH3_LANES; by < XXH3_WARP; by *= 2)
        body_xxh3_reduce(w->products, by);
    for (uint32_t h = 0; h < XXH3_HELD; h++) {
        w->acc[h] += w->products[h];
        w->products[h] = 0;
        w->words[h] = 0;
    }
}

TTSW_HD void body_xxh3_warp_scramble(struct body_xxh3_warp *w)
{
    for (uint32_t h = 0; h < XXH3_HELD; h++)
        w->acc[h] =
            body_xxh3_scramble(w->acc[h], body_xxh3_thread(h) % XXH3_LANES);
}

/* body_xxh3_merge of all pairs of lanes, each by its own threads. */
TTSW_HD uint64_t body_xxh3_warp_merge(const struct body_xxh3_warp *w)
{
    uint64_t mine[XXH3_HELD], other[XXH3_HELD];
    for (uint32_t h = 0; h < XXH3_HELD; h++) {
        const uint32_t lane = body_xxh3_thread(h) % XXH3_LANES;
        mine[h] = w->acc[h] ^ body_xxh3_key(XXH3_MERGE + 8 * lane);
        other[h] = mine[h];
    }
    body_xxh3_exchange(other, 1);
    for (uint32_t h = 0; h < XXH3_HELD; h++)
        mine[h] = body_xxh3_fold(mine[h], other[h]);
    body_xxh3_reduce(mine, 2);
    body_xxh3_reduce(mine, 4);
    return mine[0];
}

/* XXH3-64 of n bytes at p, aligned to 8; n is above XXH3_SHORT. On a device
 * all threads of a warp call this, with the same arguments. */
TTSW_HD uint64_t body_xxh3_by_warp(const uint8_t *p, uint32_t n)
{
    const uint32_t stripes = (n - 1) / XXH3_STRIPE;
    const uint32_t blocks = stripes / XXH3_BLOCK_STRIPES;
    const uint8_t *end = p + n;
    struct body_xxh3_warp w;
    body_xxh3_warp_begin(&w);
    for (uint32_t b = 0; b < blocks; b++, p += XXH3_BLOCK) {
        body_xxh3_warp_take(&w, p, XXH3_BLOCK_STRIPES);
        body_xxh3_warp_settle(&w);
        body_xxh3_warp_scramble(&w);
    }
    body_xxh3_warp_take(&w, p, stripes % XXH3_BLOCK_STRIPES);
    body_xxh3_warp_last(&w, end);
    body_xxh3_warp_settle(&w);
    return body_xxh3_avalanche(n * XXH3_PRIME64_1 + body_xxh3_warp_merge(&w));
}

#endif
