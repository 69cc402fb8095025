/* SPDX-License-Identifier: MIT
 *
 * missing.h - what becomes of a source that the checkpoint lacks.
 *
 * In: a leaf that is not bound. Out: its output is absent, or MISSING, or
 * there is an error; each is said with the names of source and outputs.
 * Invariant: nothing takes a missing source's place.
 */
#ifndef TTSW_MISSING_H
#define TTSW_MISSING_H

#include "resolve.h"

/* The run of resolve.c. */
struct resolution {
    struct arena *a;
    struct diag *d;
    struct model *m;
    const struct checkpoint *c;
    struct coverage *covers; /* of each source */
    bool *prefixed;          /* sources that E0309 was said of */
    bool partial;
    bool *claimed; /* tensors of the checkpoint */
    bool *used;    /* those that a value reads a part of, or all */
    size_t hints;  /* looked for so far */
};

/* The coverage of a leaf's source. */
struct coverage *missing_cover(struct resolution *r, const struct leaf *leaf);

/* Another source of the weight norm or spectral norm of a leaf that is missing,
 * which the checkpoint has; empty if there is none. */
struct str missing_beside(const struct resolution *r, const struct leaf *leaf);

/* Counts a leaf's tensor as missing. */
void missing_count(struct resolution *r, const struct leaf *leaf);

/* An optional output is absent when none of its sources is there. */
bool missing_is_absent(const struct resolution *r, const struct leaf *leaf);

/* W0311, once for each output. */
void missing_say_absent(struct resolution *r, const struct leaf *leaf);

/* W0301 or E0605 for the outputs of a leaf, or W0301 for a drop. */
void missing_say_partial(struct resolution *r, const struct leaf *leaf);

/* E0301, E0306, E0311 or E0312 for leaf `number` of the model; in partial mode
 * as above. Other leaves of the same norm count as reported. */
void missing_say(struct resolution *r, size_t number);

#endif
