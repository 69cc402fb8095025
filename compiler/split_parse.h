/* SPDX-License-Identifier: MIT
 *
 * split_parse.h - `split:` of a block.
 *
 * In: a YAML list of splits. Out: for each its source term, axis and pieces.
 * Invariant: every dropped piece has a reason; whether the pieces tile the
 * axis is judged by expansion, which knows the numbers.
 */
#ifndef TTSW_SPLIT_PARSE_H
#define TTSW_SPLIT_PARSE_H

#include "fields.h"

/* Those without findings. */
struct split **split_parse_list(struct parser *p, const struct node *n,
                                size_t *count);

/* E0108, E0109: the reason behind a drop. */
void reason_check(struct parser *p, const struct node *key,
                  const struct node *reason);

#endif
