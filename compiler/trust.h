/* SPDX-License-Identifier: MIT
 *
 * trust.h - what no shape can prove of a spec, so that it is taken on trust.
 *
 * In: a model. Out: for each kind of trust the targets that rest on it.
 * Invariant: what is listed can be wrong although every check passes; what
 * `expect:` says of a target is what proves it.
 */
#ifndef TTSW_TRUST_H
#define TTSW_TRUST_H

#include "model.h"

enum trust_kind {
    TRUST_SQUARE,  /* a matrix with two axes of one size */
    TRUST_PARTS,   /* joined parts of one type: their order */
    TRUST_RANGES,  /* pieces of one source that have one type */
    TRUST_CUT,     /* pieces beside a dropped one: where it begins */
    TRUST_HEADS,   /* heads= and dims= of a rotary order */
    TRUST_FACTORS, /* merge and unmerge: the order of the factors */
    TRUST_NUMBERS, /* eps= and the numbers of scale, offset and max */
    TRUST_KINDS
};

struct trust {
    const char *what, *why;
    struct str *targets; /* in file order */
    size_t n;
};

/* All kinds, in their order; those without a target have n 0. */
void trust_find(struct arena *a, const struct model *m,
                struct trust out[TRUST_KINDS]);

/* N0702 for each kind that has targets. */
void trust_say(struct arena *a, struct diag *d, const struct model *m);

#endif
