/* SPDX-License-Identifier: MIT
 *
 * ranges.h - ranges of loops that are too short or too long.
 *
 * In: leaves that are bound or not, tensors that nobody claims. Out: E0305 for
 * indices of a range of which the checkpoint has nothing, E0304 for indices
 * beyond it that have the same names. Invariant: exact sets; an index of which
 * the checkpoint has anything is not absent, one that any other line of the
 * spec claims a tensor of is not beyond. Nothing is applied.
 */
#ifndef TTSW_RANGES_H
#define TTSW_RANGES_H

#include "missing.h"

/* E0305. What it explains counts as reported. */
void ranges_check_absent(struct resolution *r);

/* E0304. What it explains counts as claimed; returns how many tensors of each
 * source in `unclaimed`, which has an entry for each. */
void ranges_check_beyond(struct resolution *r, size_t *unclaimed);

#endif
