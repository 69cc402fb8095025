/* SPDX-License-Identifier: MIT
 *
 * subtree.h - dropped subtrees against a checkpoint.
 *
 * In: `prefix. [tensors=N, elements=M]` and the checkpoint's names. Out: the
 * tensors under the prefix are claimed; a finding where number or size is
 * another (E0314). Invariant: nothing under the prefix is dropped unless all
 * of it is exactly as large as the spec says.
 */
#ifndef TTSW_SUBTREE_H
#define TTSW_SUBTREE_H

#include "resolve.h"

struct subtree_run {
    struct arena *a;
    struct diag *d;
    struct model *m;
    const struct checkpoint *c;
    bool *claimed;
    struct coverage *covers; /* of each source */
    const bool *prefixed;    /* sources that are not looked at */
    bool partial;
};

void subtree_check(const struct subtree_run *r);

#endif
