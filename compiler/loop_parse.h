/* SPDX-License-Identifier: MIT
 *
 * loop_parse.h - `for:` of a block or a split.
 *
 * In: a YAML map of loop variables. Out: the loops, the slowest first.
 * Invariant: an item is an integer exactly if it is written as one.
 */
#ifndef TTSW_LOOP_PARSE_H
#define TTSW_LOOP_PARSE_H

#include "fields.h"

struct loop *loop_parse(struct parser *p, const struct node *n, size_t *count);

/* Whether an expression names an identifier. */
bool loop_in_expr(const struct expr *e, struct str id);

/* Whether a name (or NULL) does. */
bool loop_in_name(const struct name *n, struct str id);

#endif
