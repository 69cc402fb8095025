/* SPDX-License-Identifier: MIT
 *
 * quantised.h - a checkpoint that a quantiser wrote.
 *
 * In: tensors that nobody claims. Out: one E0313 for a source whose names are
 * a quantiser's state. Invariant: what follows from it (weights of another
 * dtype, shape or name) is not said as well; nothing is dequantised.
 */
#ifndef TTSW_QUANTISED_H
#define TTSW_QUANTISED_H

#include "missing.h"

/* What it explains counts as claimed or reported; adds how many tensors of
 * each source to `unclaimed`. Leaves are bound. */
void quantised_check(struct resolution *r, size_t *unclaimed);

#endif
