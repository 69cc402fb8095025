/* SPDX-License-Identifier: MIT
 *
 * header_series.h - a number of each tensor of a family, as one C expression.
 *
 * In: the numbers in the order of the indices, all 0 or more. Out: the
 * expression of the indices i, j, ... that gives them: an integer constant
 * expression where the indices are, of 64 bits, good in #if. Invariant: right
 * for every index in its range, undefined for others; no warning for an index
 * of any integer type.
 */
#ifndef TTSW_HEADER_SERIES_H
#define TTSW_HEADER_SERIES_H

#include "header_family.h"
#include "text.h"

struct series {
    const int64_t *values;
    size_t count;
    const uint64_t *extents; /* their product is count */
    uint32_t index_count;
};

bool series_is_constant(const struct series *s);

/* What each index adds, index_count numbers in `a`; NULL if the series is not
 * its first number and a multiple of each index. */
const int64_t *series_steps(struct arena *a, const struct series *s);

/* The expression. */
void series_put(struct text *t, struct arena *a, const struct series *s);

#endif
