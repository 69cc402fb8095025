/* SPDX-License-Identifier: MIT
 *
 * diff_spec.h - what two specs differ in, change by change.
 *
 * In: two expanded specs. Out: nothing; these are the structures. Invariant: a
 * change has texts for both sides, and the same texts with the indices of its
 * name taken out, by which changes fold.
 */
#ifndef TTSW_DIFF_SPEC_H
#define TTSW_DIFF_SPEC_H

#include "diff.h"

/* One thing that is not the same; an empty side: it has no such thing. */
struct change {
    const char *what; /* "dtype": for programs, too */
    struct str name, a, b;
    struct str pattern;                /* the name without its numbers */
    struct str template_a, template_b; /* a and b, with {i} for them */
    bool said;
};

struct spec_diff {
    struct run *a, *b; /* of A and B */
    struct arena arena;
    struct change *p;
    size_t n, capacity;
    size_t moved;      /* targets in both whose offset is another */
    bool same_sources; /* but for reasons */
};

/* Whether the contract ids are the same. */
bool spec_diff_same_contract(const struct spec_diff *d);

/* Prints the changes, folded, once; as --json asks. */
void spec_diff_print(struct spec_diff *d, const struct args *args);

#endif
