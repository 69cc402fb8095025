/* SPDX-License-Identifier: MIT
 *
 * moved.h - sub-trees of names that a prefix of the checkpoint moves.
 *
 * In: leaves that are not bound, the checkpoint's names. Out: one E0309 where
 * missing names that begin alike are all there with a prefix more or less, or
 * with another word for a module. Invariant: it is only ever said, never
 * applied.
 */
#ifndef TTSW_MOVED_H
#define TTSW_MOVED_H

#include "missing.h"

/* What it explains counts as reported and its tensor as claimed. */
void moved_check(struct resolution *r);

#endif
