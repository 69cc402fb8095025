/* SPDX-License-Identifier: MIT
 *
 * leftover.h - tensors of a checkpoint that the spec does not mention.
 *
 * In: a model and a checkpoint, and which tensors are claimed. Out: E0302 for
 * the others. Invariant: names that differ only in numbers are one finding,
 * which names them all.
 */
#ifndef TTSW_LEFTOVER_H
#define TTSW_LEFTOVER_H

#include "checkpoint.h"
#include "model.h"

struct leftovers {
    struct arena *a;
    struct diag *d;
    const struct model *m;
    const struct checkpoint *c;
    const bool *claimed; /* of the checkpoint's tensors */
};

/* Says what is left of a source; returns how many tensors. */
size_t leftover_check(const struct leftovers *r, uint32_t source);

#endif
