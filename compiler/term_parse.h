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

/* name type, of a drop; false after a finding. */
bool term_parse_drop(struct arena *a, struct diag *d, const struct node *n,
                     const struct name **name, struct type_expr *type);

#endif
