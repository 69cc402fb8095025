/* SPDX-License-Identifier: MIT
 *
 * tally.h - the statistics of one tensor, in one pass.
 *
 * In: its bytes, in order. Out: counts, moments, extremes and a histogram.
 * Invariant: a function of dtype and values alone: where the bytes were cut
 * and which thread saw them changes no bit of it.
 */
#ifndef TTSW_TALLY_H
#define TTSW_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "ttsb_format.h"

/* A bin is an octave of magnitude with a sign: bin TALLY_ZERO_SIDE + k holds
 * positive, bin TALLY_ZERO_SIDE - 1 - k negative x with
 * 2^(k - 25) <= |x| < 2^(k - 24), for k from 0 to 31; what is smaller or larger
 * is in the first or last. Zeros, NaN and Inf are in none. */
#define TALLY_BINS 64
#define TALLY_ZERO_SIDE 32

/* Zero-initialised: nothing was seen. */
struct tally {
    bool counted;    /* the dtype has numbers: not C64, not below 8 bits */
    uint64_t count;  /* elements */
    uint64_t finite; /* those that the figures below are of */
    uint64_t zeros;  /* -0 too */
    uint64_t nan, inf;
    uint64_t denormal; /* in its own dtype */
    double min, max;   /* 0 where finite is 0 */
    double mean;
    double m2, m3, m4; /* sums of powers of x - mean */
    uint64_t bins[TALLY_BINS];
};

/* A tally in the making; holds a block that is not full. */
struct tally_maker;

/* Population figures of what is finite; 0 where there is nothing. */
double tally_std(const struct tally *t);
double tally_absmax(const struct tally *t);
/* m4 / m2^2 * n: 3 for a normal distribution, 1.8 for a uniform one; 0 where
 * m2 is 0. */
double tally_kurtosis(const struct tally *t);

/* The lower bound of a bin's magnitude. */
double tally_bin_edge(int bin);

#endif
