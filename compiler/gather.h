/* SPDX-License-Identifier: MIT
 *
 * gather.h - any range of a view's elements, out of a checkpoint.
 *
 * In: a view, a range of its elements. Out: those elements in the view's
 * order, in the source's dtype. Invariant: reads only what the range needs or
 * what lies between; memory is the caller's buffers, whatever the tensor.
 */
#ifndef TTSW_GATHER_H
#define TTSW_GATHER_H

#include "checkpoint.h"
#include "plan.h"

#define GATHER_WINDOW ((size_t)512 << 10)

/* A worker's buffers. */
struct gather {
    const struct checkpoint *c;
    uint8_t *staging; /* as large as the largest range */
    uint8_t *window;  /* GATHER_WINDOW */
};

/* Elements [first, first + count) into out. 0, or an errno. */
int gather_range(struct gather *g, const struct view *v, uint64_t first,
                 uint64_t count, uint8_t *out);

#endif
