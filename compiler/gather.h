/* SPDX-License-Identifier: MIT
 *
 * gather.h - any range of a view's elements, out of a checkpoint.
 *
 * In: a view of a tensor or of what is computed, a range of its elements. Out:
 * those elements in the view's order, in the source's dtype or a narrower one.
 * Invariant: reads only what the range needs or what lies between; memory is
 * the caller's buffers, whatever the tensor.
 */
#ifndef TTSW_GATHER_H
#define TTSW_GATHER_H

#include "checkpoint.h"
#include "view.h"

#define GATHER_WINDOW ((size_t)512 << 10)
#define GATHER_STAGING ((size_t)2 << 20)

/* Part of a view: a sub-range of each of its axes. */
struct chunk {
    uint64_t base; /* source element of its first element */
    uint64_t at[VIEW_MAX_RANK], dims[VIEW_MAX_RANK];
};

/* A worker's buffers, and what lies in them. */
struct gather {
    const struct checkpoint *c;
    uint8_t *staging; /* GATHER_STAGING; NULL until it is needed */
    uint8_t *window;  /* GATHER_WINDOW, the same; free between calls */
    struct view view; /* whose chunk is staged, in the source's order */
    struct chunk chunk;
    enum ttsb_dtype dtype;           /* in which it is staged */
    uint32_t size;                   /* bytes of an element of it */
    uint64_t first, count;           /* its elements; count 0: nothing */
    uint64_t strides[VIEW_MAX_RANK]; /* of the view's axes in staging */
};

/* Elements [first, first + count) into out. 0, or an errno. Fastest when the
 * ranges of one view follow each other. */
int gather_range(struct gather *g, const struct view *v, uint64_t first,
                 uint64_t count, uint8_t *out);

/* The same, each element cast by kernel_cast to a dtype of fewer bytes than
 * the source's: staging holds more of them, so that runs are longer and fewer.
 * The view is not straight. GATHER_MISFIT if an element near the range does
 * not fit: gather_range has them as they are. */
#define GATHER_MISFIT (-1)

int gather_narrow(struct gather *g, const struct view *v, enum ttsb_dtype to,
                  uint64_t first, uint64_t count, uint8_t *out);

/* The window; never NULL. */
uint8_t *gather_window(struct gather *g);

/* Frees what was taken. */
void gather_release(struct gather *g);

#endif
