/* SPDX-License-Identifier: MIT
 *
 * rows.h - the sums of squares of a tensor's rows while it passes.
 *
 * In: elements in the tensor's order, cut anywhere. Out: a sum for each index
 * of one axis. Invariant: the kernels' fixed tree, so that any cut gives the
 * same bits.
 */
#ifndef TTSW_ROWS_H
#define TTSW_ROWS_H

#include "kernels.h"

struct rows {
    struct kernel_sumsq *acc; /* NULL: nothing is summed */
    uint64_t keep, inner;     /* row of element e: e / inner % keep */
};

/* Adds elements [first, first + n). */
void rows_add(const struct rows *r, const double *x, uint64_t first,
              uint64_t n);

#endif
