/* SPDX-License-Identifier: MIT
 *
 * draft_parse.h - a spec that `ttswc draft` wrote and nobody went on with.
 *
 * In: the root of a spec. Out: one finding instead of one for each axis.
 * Invariant: what has a `?` where an axis goes is never accepted.
 */
#ifndef TTSW_DRAFT_PARSE_H
#define TTSW_DRAFT_PARSE_H

#include "fields.h"

/* True, after E0201, if `layout:` has a `?` for an item: then nothing else of
 * the spec is worth a finding. */
bool draft_is_open(struct parser *p, const struct node *root);

#endif
