/* SPDX-License-Identifier: MIT
 *
 * sum.h - what the engine computes, in C++. In: bound weights. Out: a number.
 */
#ifndef SUM_H
#define SUM_H

#include "feat.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The first elements of all rows of `emo`, added up. Cannot fail. */
double sum_of_rows(const struct indextts2_feat_tiny_weights *w);

#ifdef __cplusplus
}
#endif

#endif
