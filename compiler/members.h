/* SPDX-License-Identifier: MIT
 *
 * members.h - target names as nested members of a C struct.
 *
 * In: the outputs of a model. Out: a tree: structs, arrays, pointers; or
 * findings (E0503). Invariant: the rule of FORMAT.md section 7. A tree without
 * findings can be printed as C, C++ and CUDA as it stands.
 */
#ifndef TTSW_MEMBERS_H
#define TTSW_MEMBERS_H

#include "model.h"

enum member_kind {
    MEMBER_TENSOR, /* a pointer */
    MEMBER_STRUCT, /* identifiers below it */
    MEMBER_ARRAY,  /* indices 0 to n - 1 with identical subtrees */
    MEMBER_SPARSE, /* other indices: members _0, _2 */
};

struct member {
    struct member *next;         /* sibling */
    struct member *first, *last; /* children, in file order */
    size_t count;                /* of children */
    struct str component;
    struct str path; /* the whole name down to here */
    enum member_kind kind;
    bool is_index;
    uint64_t index;
    uint32_t output; /* of a tensor, or the first one below */
};

/* What is wrong with a target's name by itself, and *component of it that is;
 * NULL if nothing is. */
const char *members_fault(struct str name, struct str *component);

/* Whether a word is a keyword of C, C++, CUDA, Rust or Python or a common
 * macro, and so no name in a header. */
bool members_taken(struct str s);

/* The tree of all outputs; findings where names break the rule. */
struct member *members_tree(struct arena *a, struct diag *d,
                            const struct model *m);

/* Only the findings, and those about other names of the header
 * (header_names.h). */
void members_check(struct diag *d, const struct model *m);

#endif
