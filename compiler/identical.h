/* SPDX-License-Identifier: MIT
 *
 * identical.h - outputs that hold the same bytes and are no aliases.
 *
 * In: a model, the hashes of its outputs' pieces. Out: at most one note.
 * Invariant: changes nothing; two outputs count as identical by their group,
 * type, dtype and every XXH3-64 of their pieces.
 */
#ifndef TTSW_IDENTICAL_H
#define TTSW_IDENTICAL_H

#include "emit.h"

/* Adds N0703 where aliases would save TTSB_GROUP_ALIGN bytes or more: groups
 * are rounded up to that anyway. */
void identical_note(struct arena *a, struct diag *d, const struct model *m,
                    const struct emitted *blob);

#endif
