/* SPDX-License-Identifier: MIT
 *
 * precision.h - values that are too small for the f16 in which they are stored.
 *
 * In: the sources' bytes, as they pass. Out: notes. Invariant: counts only;
 * no byte and no exit status depends on it.
 */
#ifndef TTSW_PRECISION_H
#define TTSW_PRECISION_H

#include "checkpoint.h"
#include "model.h"
#include "produce.h"

/* Of one tensor of the checkpoint: values that are not 0 and below 2^-15,
 * which f16 holds to 2^-10 or worse, and those of them that it makes 0. */
struct small_values {
    uint64_t small, zero;
};

/* Zero-initialised: counts nothing. */
struct precision {
    const struct model *m;
    const struct checkpoint *c;
    struct small_values *p; /* of each tensor; NULL: no output is f16 */
};

/* What the resolved model needs; the checkpoint outlives it. */
struct precision precision_of(struct arena *a, const struct model *m,
                              const struct checkpoint *c);

/* Sees the sources; `p` is filled before any passes. */
struct watch precision_watch(struct precision *p);

/* Adds N0704 for each f32 source that an f16 output holds as it is, and of
 * whose values one in a hundred or more are such. */
void precision_note(struct diag *d, const struct precision *p);

#endif
