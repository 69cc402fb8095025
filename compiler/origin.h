/* SPDX-License-Identifier: MIT
 *
 * origin.h - where a number of a spec was written.
 *
 * In: an expression and the scope that it was evaluated in. Out: labels at the
 * definitions that its words come from, with their values. Invariant: a
 * parameter is followed through `with:` to the definition it was given.
 */
#ifndef TTSW_ORIGIN_H
#define TTSW_ORIGIN_H

#include "scope.h"

/* The definition of a word, or NULL. */
const struct binding *origin_find(const struct binding *scope, struct str word);

/* The definition of a word, behind all parameters; NULL for a loop variable
 * among `loops` and for what is not defined. */
const struct binding *origin_of(const struct binding *scope,
                                const struct diag_binding *loops,
                                struct str word);

/* Where its value stands. */
struct span origin_at(const struct binding *b);

/* Labels each word of `e` once, at most 4. */
void origin_label(struct diag *d, struct diag_item *item,
                  const struct binding *scope, const struct diag_where *where,
                  const struct expr *e);

/* The same for the sizes of a type. */
void origin_label_type(struct diag *d, struct diag_item *item,
                       const struct binding *scope,
                       const struct diag_where *where,
                       const struct type_expr *type);

#endif
