/* SPDX-License-Identifier: MIT
 *
 * layout.h - where every output lies in its group.
 *
 * In: a model in file order. Out: offsets within groups, group sizes.
 * Invariant: pure; a function of the spec alone; every gap follows from
 * `align:` (FORMAT.md section 4).
 */
#ifndef TTSW_LAYOUT_H
#define TTSW_LAYOUT_H

#include "model.h"

/* False, with a finding, if a size passes 2^63 - 1. */
bool layout_model(struct diag *d, struct model *m);

#endif
