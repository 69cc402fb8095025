/* SPDX-License-Identifier: MIT
 *
 * stats_pairs.h - weight norms whose magnitude is still the norm.
 *
 * In: the names and shapes of tensors, then the bytes of both halves as they
 * pass. Out: whether g is ||v|| at each kept index. Invariant: norms are those
 * of the compiler's own weight norm; where a half did not pass whole nothing is
 * said.
 *
 * PyTorch makes g in binary32, a few units in the last place from the norm, so
 * equal is: at most 4 units apart where g is F32 or F64, 1 where it was rounded
 * to F16 or BF16, at every index. Training moves g by far more.
 */
#ifndef TTSW_STATS_PAIRS_H
#define TTSW_STATS_PAIRS_H

#include "rows.h"
#include "stats.h"

#define STATS_NO_PAIR UINT32_MAX

struct stats_pair {
    uint32_t g, v; /* rows */
    struct rows rows;
    double *norms;      /* of v, once it has passed; on the heap */
    double *magnitudes; /* g's */
    bool whole_g;
};

struct stats_pairs {
    struct stats_pair *p;
    size_t n;
    uint32_t *of; /* of each row its pair, or STATS_NO_PAIR */
};

/* Finds `N.weight_g` with `N.weight_v`, and
 * `N.parametrizations.weight.original0` with 1, of float dtypes, g having the
 * size of one axis of v, or 1. `scopes`, if not NULL, says of each row which
 * names it may meet. */
void stats_pairs_find(struct arena *a, const struct stats *s,
                      const uint32_t *scopes, struct stats_pairs *out);

/* Bytes [at, at + n) of a half; of one half in order, whole elements. Both
 * halves may pass at the same time. */
void stats_pairs_add(const struct stats_pairs *p, const struct stats *s,
                     size_t row, uint64_t at, struct str bytes);

/* Sets untrained_norm of the halves, gives the memory back. */
void stats_pairs_judge(struct stats_pairs *p, struct stats *s);

#endif
