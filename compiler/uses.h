/* SPDX-License-Identifier: MIT
 *
 * uses.h - which part of which source goes into an output.
 *
 * In: an output of a model. Out: its sources in order of use, each with what
 * the output takes of it. Invariant: a source stands there once for each use
 * in the value; what another piece of a split takes stands not there.
 */
#ifndef TTSW_USES_H
#define TTSW_USES_H

#include "dropped.h"

struct use {
    const struct leaf *leaf;
    const struct claimed *claimed; /* NULL: all of it */
};

struct uses {
    struct use *p;
    size_t n;
    uint64_t zeros; /* elements that are zeros put in */
};

/* Of an output that is no alias. The list and its claims are in `a`. */
struct uses uses_of(struct arena *a, const struct model *m,
                    const struct output *o);

/* Whether a claim leaves out some of a tensor, though not all of it. */
bool uses_is_part(struct type type, const struct claimed *c);

/* "[out 4..8,in 0..2]": the axes along which a box is a part; else nothing. */
void uses_put_range(struct text *t, struct type type, const struct box *b);

/* The same of a claim; of several boxes the first, " and 2 more" behind it.
 * Nothing for all of a tensor. */
void uses_put_part(struct text *t, struct type type, const struct claimed *c);

/* The same as JSON: {"boxes":N,"ranges":[{"axis":"out","begin":4,"end":8}]},
 * or null for all of a tensor. */
void uses_json_part(struct text *t, struct type type, const struct claimed *c);

/* The same of what is dropped; null for a subtree, too. */
void uses_json_dropped(struct text *t, const struct dropped *d);

/* What a use is besides a reading: " (also)", " (allow_nonfinite)" and
 * " (lacking)", any of them. */
void uses_put_marks(struct text *t, const struct leaf *leaf);

#endif
