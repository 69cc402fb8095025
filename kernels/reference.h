/* SPDX-License-Identifier: MIT
 *
 * reference.h - every kernel once more, slowly.
 *
 * In:  what kernels.h describes, a tensor at a time. Out: what kernels.h
 * promises. The functions mean what those without `reference_` mean; sums take
 * whole rows instead of an accumulator. They share no code with the bodies:
 * they are written from the definitions with library calls (frexp, ldexp,
 * rint), one element after the other. Invariant: every faster variant gives
 * their bits. For tests only.
 */
#ifndef TTSW_REFERENCE_H
#define TTSW_REFERENCE_H

#include "kernels.h"

/* F16, BF16, F32 or F64 to binary64. */
void reference_load_f64(enum ttsb_dtype dtype, const void *src, uint64_t n,
                        double *dst);

/* binary64 to F16, BF16, F32 or F64; err is zero-initialised by the caller. */
void reference_store_f64(enum ttsb_dtype dtype, const double *src, uint64_t n,
                         void *dst, struct kernel_range_error *err);

/* Any known pair of dtypes. */
void reference_cast(struct kernel_cast pair, const void *src, uint64_t n,
                    void *dst, struct kernel_range_error *err);

/* Elements that are NaN or infinite. */
void reference_scan_nonfinite(enum ttsb_dtype dtype, const void *src,
                              uint64_t n, struct kernel_nonfinite *found);

/* The strided gather. */
void reference_permute(const struct kernel_permute *p, const void *src,
                       void *dst);

/* The sum of squares of x[0], x[step], ... x[(n - 1) * step]. */
double reference_sumsq(const double *x, uint64_t n, uint64_t step);

/* The sum of x[i] * y[i]. */
double reference_dot(const double *x, const double *y, uint64_t n);

/* g / sqrt(sumsq), and whether there is one. */
bool reference_weight_norm_scale(double g, double sumsq, double *scale);

/* x[o][k][i] *= scale[k]. */
void reference_scale_keep(double *x, uint64_t outer, uint64_t keep,
                          uint64_t inner, const double *scale);

/* e to the src[i]. */
void reference_exp(const double *src, uint64_t n, double *dst);

/* op of each element. */
void reference_map(const struct kernel_map *m, const double *src, uint64_t n,
                   double *dst);

/* a[i] op b[i]. */
void reference_combine(enum kernel_binary op, const double *a, const double *b,
                       uint64_t n, double *dst);

/* x[o][k][i] = x[o][k][i] op y[k]. */
void reference_combine_keep(enum kernel_binary op, double *x, uint64_t outer,
                            uint64_t keep, uint64_t inner, const double *y);

#endif
