/* SPDX-License-Identifier: MIT
 *
 * typing.h - from a term to a typed chain of steps.
 *
 * In: a term, a scope, the prefix of source names. Out: steps whose types
 * follow by each operation's rule, and the leaves they claim. Invariant:
 * every type that the author wrote behind an operation equals the one that
 * follows; nothing is inferred that the author had to write.
 */
#ifndef TTSW_TYPING_H
#define TTSW_TYPING_H

#include "model.h"
#include "scope.h"

/* What holds around a term. */
struct typing {
    struct model *model;
    struct scope *scope;
    struct str from;
    const struct overrides *say; /* every field set, or never said */
    uint32_t output;             /* that the leaves feed */
    bool optional, dropped;
};

/* NULL after a finding. */
const struct step *typing_step(struct typing *t, const struct term *term);

/* A leaf of its own, for a drop. False after a finding. */
bool typing_leaf(struct typing *t, const struct name *name,
                 const struct type_expr *type, struct leaf **out);

#endif
