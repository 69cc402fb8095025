/* SPDX-License-Identifier: MIT
 *
 * tally.h - the statistics of one tensor, in one pass.
 *
 * In: its bytes, in order. Out: counts, moments, extremes and a histogram.
 * Invariant: a function of dtype and values alone: where the bytes were cut
 * and which thread saw them changes no bit of it.
 *
 * Blocks of TALLY_BLOCK elements, from the tensor's start, are summed in two
 * passes while they are in the cache; TALLY_UNIT elements' blocks are joined
 * in order, then the units are. All of it is binary64 in an order that is
 * written down, so that no compiler and no option changes it either.
 */
#ifndef TTSW_TALLY_H
#define TTSW_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ttsb_types.h"

/* Elements. */
#define TALLY_BLOCK 4096
#define TALLY_UNIT ((uint64_t)1 << 19)

/* A bin is an octave of magnitude with a sign: bin TALLY_ZERO_SIDE + k holds
 * positive, bin TALLY_ZERO_SIDE - 1 - k negative x with
 * 2^(k - 25) <= |x| < 2^(k - 24), for k from 0 to 31; what is smaller or larger
 * is in the first or last. Zeros, NaN and Inf are in none. */
#define TALLY_BINS 64
#define TALLY_ZERO_SIDE 32

/* Zero-initialised: nothing was seen. Integers are rounded to binary64 first,
 * as numpy does it; a BOOL is 0 or 1. */
struct tally {
    bool counted;    /* the dtype has numbers: not C64, not below 8 bits */
    uint64_t count;  /* elements */
    uint64_t finite; /* those that the figures below are of */
    uint64_t zeros;  /* -0 too */
    uint64_t nan, inf;
    uint64_t denormal; /* in its own dtype */
    double min, max;   /* never -0; 0 where finite is 0 */
    double mean;
    /* Sums of powers of (x - mean) / 2^exponent. The exponent is 0 for what
     * weights are like, an absmax in [2^-64, 2^128); else it is such that
     * nothing overflows or vanishes: squares of 1e300 and of 5e-324 count. */
    double m2, m3, m4;
    int exponent;
    /* The mean / 2^exponent as a sum of two, which is what joining needs. */
    double scaled_mean, scaled_rest;
    uint64_t bins[TALLY_BINS];
};

/* A tally in the making; holds a block that is not full. */
struct tally_maker;

/* Whether tally.counted would be true. */
bool tally_is_counted(enum ttsb_dtype dtype);

/* A maker for a tensor of this dtype, or for one that begins at a unit of it;
 * some 70 KiB, given back by tally_end. */
struct tally_maker *tally_begin(enum ttsb_dtype dtype);

/* Adds the next n bytes, cut anywhere. */
void tally_add(struct tally_maker *m, const void *bytes, size_t n);

/* What was seen; gives the maker back. Bytes that are no whole element at the
 * end do not count. */
struct tally tally_end(struct tally_maker *m);

/* Adds what follows: `next` begins where `t` ends, at a unit. A tensor's tally
 * is that of its units, joined in order; joining to nothing gives `next`. */
void tally_join(struct tally *t, const struct tally *next);

/* Population figures of what is finite; 0 where there is nothing. Neither
 * overflows. */
double tally_std(const struct tally *t);
double tally_absmax(const struct tally *t);
/* m4 / m2^2 * n: 3 for a normal distribution, 1.8 for a uniform one; 0 where
 * m2 is 0. */
double tally_kurtosis(const struct tally *t);

/* The lower bound of a bin's magnitude. */
double tally_bin_edge(int bin);

#endif
