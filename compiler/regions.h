/* SPDX-License-Identifier: MIT
 *
 * regions.h - which elements of a source go where in a value.
 *
 * In: the regions of a value, an operation that moves elements. Out: the
 * regions of the result. Invariant: the regions of a value tile it exactly;
 * each is one-to-one. An index of the value is a start and a sum of digits,
 * each of which runs along one axis of the value and one of the source; on an
 * axis of the value they are nested, so that a digit's step is larger than
 * all that the ones behind it reach.
 */
#ifndef TTSW_REGIONS_H
#define TTSW_REGIONS_H

#include "model.h"

#define REGION_MAX_DIGITS 16
#define REGION_MAX_RANK (TTSB_MAX_RANK + 2) /* while a rope turns */
#define REGIONS_MAX 131072                  /* of one value */

/* Index i of a digit stands at i * step on its axis of the value and at
 * i * by on its axis of the source. */
struct digit {
    uint64_t step, count, by;
    uint8_t axis, from;
};

/* Operations with one operand, on each element, the last one first. */
struct math {
    const struct step *step;
    const struct math *before;
};

struct computed;

struct region {
    struct leaf *leaf;         /* NULL: zeros, or a computed node */
    struct leaf *g;            /* magnitude of a weight norm, or NULL */
    const struct step *node;   /* a step that computes; NULL otherwise */
    struct computed *computed; /* the node, ready to be read */
    const struct math *math;
    uint32_t keep; /* axis of the leaf, or KEEP_NONE */
    uint32_t rank; /* of the value */
    uint32_t digit_count;
    bool empty;
    bool hollow; /* empty since its source is; cut like others, for claims */
    bool cut;    /* hollow, and a part of what it was */
    uint64_t start[REGION_MAX_RANK]; /* of each axis of the value */
    uint64_t lo[TTSB_MAX_RANK];      /* of each axis of the source */
    struct digit *digits;            /* by axis, then by falling step */
};

struct regions {
    struct arena *a;
    struct region *p;
    size_t n, capacity;
    bool failed;   /* more regions or digits than there may be */
    uint64_t work; /* regions and boxes made for it, see plan_claims */
};

/* A source, whole and in its order. */
void regions_add(struct regions *v, const struct step *source);

/* What follows changes the regions from `first` on; axes and sizes are those
 * before it. A value that failed, whose regions have not all come as far, stays
 * as it is. */
void regions_permute(struct regions *v, size_t first, const uint8_t *order);
void regions_squeeze(struct regions *v, size_t first, uint32_t removed);
void regions_unsqueeze(struct regions *v, size_t first, uint32_t at);
void regions_slice(struct regions *v, size_t first, uint32_t axis, uint64_t lo,
                   uint64_t n);

/* Axes [axis, axis + k) of these sizes become one. */
void regions_merge(struct regions *v, size_t first, uint32_t axis,
                   const struct axis *sizes, uint32_t k);

/* An axis becomes two, the inner one of size `inner`. */
void regions_part(struct regions *v, size_t first, uint32_t axis,
                  uint64_t inner);

/* Parts of a join: along an axis they begin at `at`; are a new outermost axis'
 * index k; or are number k of n in turn. */
void regions_shift(struct regions *v, size_t first, uint32_t axis, uint64_t at);
void regions_stack(struct regions *v, size_t first, uint64_t k);
void regions_spread(struct regions *v, size_t first, uint32_t axis, uint64_t k,
                    uint64_t n);

/* Joins digits that are contiguous on both sides, takes out empty regions;
 * where there are several, each has one digit for an axis at most. */
void regions_settle(struct regions *v);

/* How many regions there would be, of those from `first` on alone. */
uint64_t regions_settled(const struct regions *v, size_t first);

/* Elements of a region. */
uint64_t region_elements(const struct region *r);

/* Whether a region has all of its leaf. */
bool region_is_whole(const struct region *r);

/* How many elements of a value are zeros that were put in. */
uint64_t regions_zeros(const struct regions *v);

#endif
