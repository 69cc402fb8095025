/* SPDX-License-Identifier: MIT
 *
 * expect_parse.h - `expect:`.
 *
 * In: a YAML list. Out: the files that say what outputs hold, and how exactly.
 * Invariant: nothing of it is in any identity of a blob.
 */
#ifndef TTSW_EXPECT_PARSE_H
#define TTSW_EXPECT_PARSE_H

#include "fields.h"

/* A field reader for `expect:` of the root: E0104 and E0107 for `probes:` and
 * `values:`, E0111 for a path or a tolerance. */
void expects_read(struct parser *p, const struct node *n, void *into);

#endif
