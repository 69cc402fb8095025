/* SPDX-License-Identifier: MIT
 *
 * tally_values.h - elements of any dtype as binary64, for figures.
 *
 * In: bytes, little endian, and a dtype. Out: doubles. Invariant: exact, but
 * for integers above 2^53, which are rounded to nearest even.
 */
#ifndef TTSW_TALLY_VALUES_H
#define TTSW_TALLY_VALUES_H

#include <stdbool.h>
#include <stddef.h>

#include "ttsb_types.h"

/* Every dtype but C64 and those below 8 bits. */
bool values_known(enum ttsb_dtype dtype);

/* dst[i] = element i, i below n; src needs no alignment. False if the dtype is
 * not known. */
bool values_load(enum ttsb_dtype dtype, const void *src, size_t n, double *dst);

/* The least magnitude that is normal; 1 for an integer. */
double values_least_normal(enum ttsb_dtype dtype);

#endif
