/* SPDX-License-Identifier: MIT
 *
 * near.h - the names that somebody may have meant.
 *
 * In: a name that is none of many. Out: a text: the same name under other
 * indices, folded, or the nearest one. Invariant: for messages only.
 */
#ifndef TTSW_NEAR_H
#define TTSW_NEAR_H

#include "arena.h"
#include "str.h"

/* "there are h.{0..3}.attn.q.weight", "did you mean `a.b`?", or empty. */
struct str near_text(struct arena *a, struct str name, const struct str *names,
                     size_t n);

#endif
