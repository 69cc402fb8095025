/* SPDX-License-Identifier: MIT
 *
 * dropped.h - all that a spec leaves out of the blob.
 *
 * In: a resolved model. Out: each dropped tensor, part of a tensor and
 * subtree that the checkpoint has, with its reason. Invariant: no element is
 * listed twice; what a second reading leaves out is claimed by the first.
 */
#ifndef TTSW_DROPPED_H
#define TTSW_DROPPED_H

#include "claims.h"

struct dropped {
    const struct leaf *leaf;       /* NULL: a subtree */
    const struct subtree *subtree; /* NULL: a leaf */
    const struct claimed *claimed; /* of the leaf; NULL: all of it */
    const struct str *reason;
    struct span at;
};

struct dropped_list {
    struct dropped *p;
    size_t n, capacity;
};

/* By source and name; parts of a tensor by where they begin. */
struct dropped_list dropped_list(struct arena *a, const struct model *m);

/* Of a leaf, or of the part of it. */
uint64_t dropped_elements(const struct dropped *d);

#endif
