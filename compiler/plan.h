/* SPDX-License-Identifier: MIT
 *
 * plan.h - where every element of a value comes from.
 *
 * In: an output's steps. Out: regions: for each use of a source, which
 * elements of the output it fills and from which of its own. Invariant: pure.
 * Moving elements and computing on each of them commute, so any tree of steps
 * is a list of regions with at most one pass of arithmetic each, and no
 * intermediate tensor exists. The regions of a value tile it exactly; a use
 * appears in one region at most.
 */
#ifndef TTSW_PLAN_H
#define TTSW_PLAN_H

#include "model.h"

#define NO_AXIS UINT8_MAX

/* Indices start, start + step, ... of one axis of the output, and the axis of
 * the source along which they run (by 1 each). */
struct lattice {
    uint64_t start, step, count;
    uint8_t from; /* NO_AXIS: the source stands still */
};

struct region {
    struct leaf *leaf; /* NULL: zeros */
    struct leaf *g;    /* magnitude of a weight norm, or NULL */
    uint32_t exps;     /* how often exp is applied */
    uint32_t keep;     /* axis of the leaf, or KEEP_NONE */
    uint32_t rank;     /* of the output */
    struct lattice axes[TTSB_MAX_RANK];
    struct box box; /* of the leaf; its `empty` outlives a squeezed axis */
};

struct regions {
    struct region *p;
    size_t n, capacity;
};

/* The regions of a value, in order of use; empty ones are left out. */
struct regions plan_value(struct arena *a, const struct step *s);

/* Writes to each leaf of a value which part of it is used (`box`). */
void plan_claims(struct arena *a, const struct step *s);

/* The part of a region inside a box of the output (of its rank): its indices
 * [first[i], first[i] + count[i]) along each axis. False if it is empty. */
bool region_meet(const struct region *r, const struct box *b, uint64_t *first,
                 uint64_t *count);

/* How many elements of a value are zeros that were put in. */
uint64_t regions_zeros(const struct regions *v);

/* Keeps what lies in [lo, lo + n) of an axis of the output. */
void region_slice(struct region *r, uint32_t axis, uint64_t lo, uint64_t n);

/* Elements of a region. */
uint64_t region_elements(const struct region *r);

/* Whether a region has all of its source. */
bool region_is_whole(const struct region *r);

/* A dense block of output elements, in the source's terms: what gather.c
 * reads and produce.c computes on. */
struct view {
    const struct leaf *leaf;
    uint32_t element_size; /* bytes; packed dtypes count bytes as elements */
    uint64_t base;         /* source element of its first element */
    uint64_t elements;
    /* Outermost first; axes of size 1 are left out, and neighbours that are
     * contiguous in the source are one. */
    uint32_t rank;
    uint64_t dims[TTSB_MAX_RANK];
    uint64_t strides[TTSB_MAX_RANK]; /* in the source, in elements */
    bool straight;                   /* contiguous in the source */

    /* A weight norm's factor of element e is number
     * keep_first + (e / keep_inner) % keep_size. */
    uint64_t keep_first, keep_size, keep_inner;
};

/* The part of a region with its indices [first[i], first[i] + count[i]) along
 * each axis. */
struct view plan_view(const struct region *r, const uint64_t *first,
                      const uint64_t *count);

/* All of a region. */
struct view plan_whole(const struct region *r);

#endif
