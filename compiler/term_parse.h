/* SPDX-License-Identifier: MIT
 *
 * term_parse.h - the right-hand side of a tensor.
 *
 * In: a scalar such as `permute(w [in=4, out=3], out, in) [out=3, in=4] as
 * f16`. Out: a tree of terms. Invariant: each argument was read by the kind
 * that the table of ops.c gives it; what a term means is judged later.
 */
#ifndef TTSW_TERM_PARSE_H
#define TTSW_TERM_PARSE_H

#include "cursor.h"

/* value = term [ "as" dtype ] [ "optional" ]; false after a finding. */
bool term_parse_value(struct arena *a, struct diag *d, const struct node *n,
                      struct value *out);

/* A term with nothing behind it, the source of a split; NULL after a
 * finding. */
const struct term *term_parse_source(struct arena *a, struct diag *d,
                                     const struct node *n);

/* A line under `into:`: `target: range [as dtype]` or `drop range: reason`
 * (whose reason is not looked at here); false after a finding. */
bool term_parse_piece(struct arena *a, struct diag *d, const struct node *key,
                      const struct node *value, struct piece *p);

/* name type, of a drop; false after a finding. */
bool term_parse_drop(struct arena *a, struct diag *d, const struct node *n,
                     const struct name **name, struct type_expr *type);

#endif
