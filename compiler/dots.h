/* SPDX-License-Identifier: MIT
 *
 * dots.h - a `from:` or `root:` that should end in a dot and does not.
 *
 * In: leaves that are not bound, the checkpoint's names. Out: one E0309 for
 * each text behind which a dot makes missing names ones that are there.
 * Invariant: it is only ever said, never applied.
 */
#ifndef TTSW_DOTS_H
#define TTSW_DOTS_H

#include "checkpoint.h"
#include "model.h"

struct dots_run {
    struct arena *a;
    struct diag *d;
    struct model *m;
    const struct checkpoint *c;
    bool *claimed;        /* of the checkpoint's tensors */
    const bool *prefixed; /* sources of which nothing is said any more */
};

/* What it explains counts as reported and its tensor as claimed from then on,
 * so that neither is said again. */
void dots_check(const struct dots_run *r);

#endif
