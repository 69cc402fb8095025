/* SPDX-License-Identifier: MIT
 *
 * wanted.h - the checkpoint that a spec describes, without any file.
 *
 * In: a model that no checkpoint was shown to. Out: a checkpoint with exactly
 * the tensors that the spec names, and the model bound to it. Invariant: holds
 * no tensor under a dropped prefix, since their names are not known; nothing
 * of it can be read.
 */
#ifndef TTSW_WANTED_H
#define TTSW_WANTED_H

#include "checkpoint.h"
#include "model.h"

/* Also sets what a subtree found to what it says, with 0 bytes. */
void wanted_make(struct arena *a, struct model *m, struct checkpoint *out);

#endif
