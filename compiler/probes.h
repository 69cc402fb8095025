/* SPDX-License-Identifier: MIT
 *
 * probes.h - a few numbers that pin a tensor's values and their order.
 *
 * In: a file of probes; a tensor's elements in row-major order. Out: what the
 * file says; the projections of the elements on its vectors of signs, and how
 * far they may lie apart. Invariant: the same sums however the elements are
 * cut into pieces; specs/README.md section 16 is normative.
 */
#ifndef TTSW_PROBES_H
#define TTSW_PROBES_H

#include "diag.h"
#include "nametab.h"
#include "ttsb_format.h"

#define PROBES_MOST 64 /* of one tensor */
#define PROBES_LANES 4
#define PROBES_RTOL 0x1p-21 /* of float32 that torch computed, by default */

/* What a file says of one tensor. */
struct probe {
    struct str name;
    uint32_t rank, count;
    const uint64_t *dims;
    double sumsq;
    const double *sums; /* `count` of them */
};

struct probe_file {
    uint64_t seed;
    struct probe *p;
    size_t n;
    struct nametab names;
};

/* Reads a file. False after a finding: E0705 at `at`, or E0607. */
bool probes_read(struct arena *a, struct diag *d, struct str path,
                 struct span at, struct probe_file *out);

/* The sums of a tensor, in the making. */
struct projection {
    uint64_t seed, seen;
    uint32_t count;
    double (*sums)[PROBES_LANES]; /* `count` of them, zero at first */
    double squares[PROBES_LANES];
};

/* Adds the next n elements. */
void projection_add(struct projection *p, const double *x, size_t n);

double projection_sum(const struct projection *p, uint32_t k);

double projection_sumsq(const struct projection *p);

/* By how much each value may differ, besides the rounding to a dtype. */
struct probe_tolerance {
    double rtol, atol;
};

/* How far a sum, and the sum of squares, of n values of a stored dtype (a
 * float) may lie from what is expected, the sum of squares of which is given.
 */
struct probe_bounds {
    double sum, sumsq;
};

struct probe_bounds probe_bounds(double sumsq, uint64_t n,
                                 enum ttsb_dtype dtype,
                                 struct probe_tolerance t);

#endif
