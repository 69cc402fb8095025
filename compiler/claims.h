/* SPDX-License-Identifier: MIT
 *
 * claims.h - which part of a tensor a use claims.
 *
 * In: the regions of a value. Out: for each of its leaves a list of grids, as
 * small as the digits they come from; on demand their ranges and boxes.
 * Invariant: exact, in elements; the grids of one use do not meet.
 */
#ifndef TTSW_CLAIMS_H
#define TTSW_CLAIMS_H

#include "regions.h"

/* Indices of a tensor: on each axis a first one and sums of digits. */
struct grid {
    uint64_t lo[TTSB_MAX_RANK];
    uint32_t count;
    struct digit *digits; /* by `from`, then by falling `by` */
};

/* No grid: nothing. */
struct claimed {
    struct grid *p;
    size_t n;
};

struct leaf_claim {
    struct leaf *leaf;
    struct claimed claimed;
    bool cut; /* a part, though of no elements */
};

/* Of the leaves of a value: directions, magnitudes, twins. */
struct leaf_claims {
    struct leaf_claim *p;
    size_t n;
};

/* The claims go to `a`, what is made on the way to v->a. */
struct leaf_claims claims_of(struct arena *a, const struct regions *v);

/* What a leaf has there; NULL if it has no entry. */
const struct claimed *claims_find(const struct leaf_claims *v,
                                  const struct leaf *leaf);

/* Writes `claimed` of each leaf of a value; the structures go to `a`. False,
 * and nothing written, if that takes more than CLAIMS_MAX boxes of magnitudes;
 * adds them to v->work. */
#define CLAIMS_MAX 262144
bool claims_write(struct arena *a, struct regions *v);

/* Appends indices [lo, lo + n) of an axis, all of the others having size 1;
 * there is room. */
void claimed_add(struct arena *a, struct claimed *c, uint32_t axis,
                 struct range_value range);

uint64_t claimed_elements(const struct claimed *c);

/* How many boxes a claim consists of, UINT64_MAX at most. */
uint64_t claimed_box_count(const struct claimed *c, struct type t);

/* The first of them; false, and nothing written, if there is none. */
bool claimed_first_box(const struct claimed *c, struct type t, struct box *out);

/* Those boxes, into out. */
void claimed_boxes(const struct claimed *c, struct type t, struct box *out);

#endif
