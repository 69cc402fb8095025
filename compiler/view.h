/* SPDX-License-Identifier: MIT
 *
 * view.h - a dense block of a value's elements, in its source's terms.
 *
 * In: a region, or a block of it. Out: the strides by which the source is read
 * in the value's order: what gather.c reads and assemble.c computes on.
 * Invariant: pure; axes of size 1 are left out, and neighbours that are
 * contiguous in the source are one.
 */
#ifndef TTSW_VIEW_H
#define TTSW_VIEW_H

#include "regions.h"

#define VIEW_MAX_RANK REGION_MAX_DIGITS

struct view {
    const struct leaf *leaf;   /* NULL: zeros, or computed */
    struct computed *computed; /* a node that is read like a source */
    enum ttsb_dtype dtype;     /* of the source; 0 for zeros */
    uint32_t element_size; /* bytes; packed dtypes count bytes as elements */
    uint64_t base;         /* source element of its first element */
    uint64_t elements;
    uint32_t rank; /* outermost first */
    uint64_t dims[VIEW_MAX_RANK];
    uint64_t strides[VIEW_MAX_RANK]; /* in the source, in elements */
    bool straight;                   /* contiguous in the source */

    /* A weight norm's factor: the index on the kept axis is keep_first and
     * each axis' index times keeps[]. Where one axis alone keeps, by 1,
     * keep_inner elements have the factor in common, and there are keep_size;
     * else keep_size is 0. */
    uint64_t keep_first, keep_size, keep_inner;
    uint64_t keeps[VIEW_MAX_RANK];
};

/* The part of a region with one digit on an axis at most: its indices
 * [first[i], first[i] + count[i]) along each axis. */
struct view view_part(const struct region *r, const uint64_t *first,
                      const uint64_t *count);

/* All of a region. */
struct view view_whole(const struct region *r);

/* The part of such a region inside a box of the value: its indices [first[i],
 * first[i] + count[i]) along each axis. False if it is empty. */
bool view_meet(const struct region *r, const struct box *b, uint64_t *first,
               uint64_t *count);

/* The step and the number of indices along an axis of such a region. */
uint64_t view_step(const struct region *r, uint32_t axis, uint64_t *count);

/* The source element of element e of a view. */
uint64_t view_at(const struct view *v, uint64_t e);

/* The factors of elements [first, first + n) of a view. */
void view_factors(const struct view *v, const double *scale, uint64_t first,
                  uint64_t n, double *out);

#endif
