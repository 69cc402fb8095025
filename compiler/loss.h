/* SPDX-License-Identifier: MIT
 *
 * loss.h - says why sources cannot be restored.
 *
 * In: the fates of a blob's origins. Out: findings, folded over loops: E0317
 * for each chosen origin that is lost, or W0317; W0311 for what was absent.
 * Invariant: each lost origin is named once, but those under a dropped subtree
 * with its prefix, and a weight norm's two together.
 */
#ifndef TTSW_LOSS_H
#define TTSW_LOSS_H

#include "inverse.h"

struct losses {
    struct run *r;
    const struct inverse *v;
    const bool *chosen; /* of each origin */
    bool warn;          /* of what is lost; it is no error */
};

/* Returns how many of the chosen ones are lost. */
size_t losses_say(const struct losses *x);

/* Names each output of the run's model that is absent. */
void losses_absent(struct run *r);

#endif
