/* SPDX-License-Identifier: MIT
 *
 * plan.h - a value as one gather and at most one pass of arithmetic.
 *
 * In: an output's steps. Out: where each output element comes from (strides
 * in the source), the factor of a weight norm, how many exps follow.
 * Invariant: pure. Moving elements and computing on each of them commute, so
 * that any chain of steps has this form, and no intermediate tensor exists.
 */
#ifndef TTSW_PLAN_H
#define TTSW_PLAN_H

#include "model.h"

struct plan {
    struct leaf *leaf; /* whose elements are gathered */
    struct leaf *g;    /* magnitude of a weight norm, or NULL */
    uint32_t exps;     /* how often exp is applied */
    bool arithmetic;   /* g or exps */

    /* Axes of the output, outermost first; axes of size 1 are left out, and
     * neighbours that are contiguous in the source are one. */
    uint32_t rank;
    uint64_t dims[TTSB_MAX_RANK];
    uint64_t strides[TTSB_MAX_RANK]; /* in the source, in elements */
    uint64_t elements;
    uint32_t element_size; /* of the source, in bytes; packed dtypes count
                              bytes as elements */
    bool identity;         /* the source's order is the output's */

    /* The factor of output element e is number (e / keep_inner) % keep_size;
     * that of source element e (e / norm_inner) % keep_size. */
    uint64_t keep_size, keep_inner, norm_inner;
};

/* The plan of an output that is no alias. */
struct plan plan_output(const struct output *o);

#endif
