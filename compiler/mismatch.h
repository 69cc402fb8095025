/* SPDX-License-Identifier: MIT
 *
 * mismatch.h - one leaf against one tensor, and hints for a missing one.
 *
 * In: a leaf and the checkpoint it was bound in. Out: a finding that names
 * both dtypes or both shapes, and what probably happened. Invariant: hints
 * are structural (another index, another order of sizes), never applied.
 */
#ifndef TTSW_MISMATCH_H
#define TTSW_MISMATCH_H

#include "checkpoint.h"
#include "model.h"

/* False after a finding. */
bool mismatch_check(struct arena *a, struct diag *d, const struct leaf *leaf,
                    const struct checkpoint *c);

/* The same sizes in another order; the ranks are equal. */
bool mismatch_is_reordered(const struct leaf *leaf, const struct st_tensor *t);

/* E0401 for one axis, with what its size is made of. */
struct diag_item *mismatch_say_size(struct arena *a, struct diag *d,
                                    const struct leaf *leaf,
                                    const struct checkpoint *c, uint32_t axis,
                                    const struct diag_where *where);

/* Adds to a missing tensor's finding unclaimed tensors of the same shape beside
 * it, never one at another index. A single such tensor counts as claimed from
 * then on, and its name is returned. */
struct str mismatch_hint_missing(struct arena *a, struct diag *d,
                                 struct diag_item *item,
                                 const struct leaf *leaf,
                                 const struct checkpoint *c, bool *claimed);

#endif
