/* SPDX-License-Identifier: MIT
 *
 * taint.h - whether a result that is not finite was so from the beginning.
 *
 * In: an element of a value that came out as NaN or an infinity. Out: whether
 * one of the source elements that it is made of is not finite, in a source
 * that may hold such (`allow_nonfinite`). Invariant: one element at a time,
 * read from the checkpoint: slow, and needed only for results that are not
 * finite.
 */
#ifndef TTSW_TAINT_H
#define TTSW_TAINT_H

#include "checkpoint.h"
#include "model.h"

/* Whether any source of a value may hold NaN and infinities. */
bool taint_possible(const struct step *s);

/* Element number `element`, row major. What cannot be read is not finite. */
bool taint_at(const struct checkpoint *c, const struct step *s,
              uint64_t element);

#endif
