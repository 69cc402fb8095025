/* SPDX-License-Identifier: MIT
 *
 * diff_metric.h - how far two tensors are from each other, element by element.
 *
 * In: two dtypes, tolerances, blocks of elements. Out: counts, distances in
 * binary64, distances in units in the last place, where the first and the
 * worst are. Invariant: any cutting into blocks gives the same figures;
 * whether two values are equal is decided exactly, also for integers that
 * binary64 does not have.
 *
 * Equal within tolerance: the same value (-0 is +0), or NaN at the same place,
 * or both finite and one of |a-b| <= rtol * max(|a|,|b|), |a-b| <= atol, at
 * most `ulp` units apart; but 0 units beside a tolerance other than 0 is none
 * of them, as values of two dtypes may be 0 units apart and not the same. An
 * infinity is within no tolerance of another value.
 */
#ifndef TTSW_DIFF_METRIC_H
#define TTSW_DIFF_METRIC_H

#include <stdbool.h>
#include <stddef.h>

#include "tally_values.h"
#include "kernels.h"

#define METRIC_BLOCK 4096 /* elements that metric_add takes at most */
/* 0, 1, 2, 3-4, 5-8, ..., 2^62+1 to 2^63, more. */
#define METRIC_BINS 66
#define METRIC_NOWHERE UINT64_MAX

struct tolerance {
    double rtol, atol;
    uint64_t ulp;
};

/* What a dtype's values are to a comparison. */
enum value_kind { VALUE_OPAQUE, VALUE_INTEGER, VALUE_FLOAT };
enum value_kind value_kind(enum ttsb_dtype dtype);

/* The figures of a set of pairs of values. */
struct metric {
    struct tolerance within;
    enum ttsb_dtype a, b;
    enum value_kind kind_a, kind_b;
    enum ttsb_dtype unit; /* whose last place counts; 0: integers, by 1 */
    bool opaque;          /* a dtype without numbers: bytes are elements */
    uint64_t count;       /* elements so far */
    uint64_t different;   /* of another value */
    uint64_t over;        /* beyond tolerance */
    uint64_t first, first_over; /* elements; METRIC_NOWHERE: none */
    uint64_t finite; /* pairs of finite values, which all below is of */
    double max_abs, max_rel;
    uint64_t max_ulp;
    uint64_t at_abs, at_rel, at_ulp; /* the first that has it */
    /* Values of A and B at first_over and at at_abs. */
    double over_values[2], worst_values[2];
    uint64_t bins[METRIC_BINS];
    double sum_abs, sum_abs_low; /* compensated */
    struct kernel_sumsq dd, aa, bb, ab;
    /* Census of what is not finite. */
    uint64_t nan_a, nan_b, nan_both; /* NaN in a only, b only, at both */
    uint64_t inf_a, inf_b, inf_both; /* infinite in a only, b only; the same */
    uint64_t inf_signs;              /* of both signs */
    uint64_t nan_bits, zero_signs;   /* equal values of other bits */
};

/* False if the dtypes cannot be compared: another pair of which one has no
 * numbers. C64 is given as F32, of twice the elements. */
bool metric_begin(struct metric *m, enum ttsb_dtype a, enum ttsb_dtype b,
                  const struct tolerance *within);

/* Adds n elements, at most METRIC_BLOCK, of each; of an opaque dtype, bytes. */
void metric_add(struct metric *m, const void *a, const void *b, size_t n);

/* Of the finite pairs; NaN where there is none, or a norm is 0. */
double metric_mean_abs(const struct metric *m);
double metric_rmse(const struct metric *m);
double metric_cosine(const struct metric *m);

/* Whether every pair is one of finite values. */
bool metric_is_finite(const struct metric *m);

/* The bin of a distance, and the least and the largest distance of a bin. */
unsigned metric_bin(uint64_t ulp);
void metric_bin_range(unsigned bin, uint64_t *least, uint64_t *most);

/* Units in the last place between two values of one float dtype, by bits. */
uint64_t ulp_between(enum ttsb_dtype dtype, const void *a, const void *b);

#endif
