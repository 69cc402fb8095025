/* SPDX-License-Identifier: MIT
 *
 * cover.h - every element of every source, claimed exactly once.
 *
 * In: the leaves of a model, each claiming a tensor or a box of it; the pieces
 * of a split. Out: findings for what two claim (E0303, E0308) and what none
 * claims (E0307), as ranges. Invariant: decided by the spec alone, in
 * elements; a tensor that the spec names is tiled or there is a finding.
 */
#ifndef TTSW_COVER_H
#define TTSW_COVER_H

#include "model.h"

/* Where judging stops (E0216). */
#define COVER_MAX_ERRORS 100000

/* Names the sources of a model (m->sources, leaf->first_use) and judges all
 * claims. Unless `whole`, the spec has findings already, and then nothing is
 * said about what might only be a consequence. */
void cover_sources(struct arena *a, struct diag *d, struct model *m,
                   bool whole);

/* Labels the first of two places, with its loop values if it has any. */
void cover_first_here(struct arena *a, struct diag *d, struct diag_item *item,
                      const struct diag_where *first);

#endif
