/* SPDX-License-Identifier: MIT
 *
 * expand.h - loops and templates unrolled, every value typed.
 *
 * In: a parsed spec. Out: a model: outputs in file order (groups in load
 * order, in a group the spec's order), sources with their types. Invariant:
 * expansion always ends (no recursion, ranges are finite, at most 1,000,000
 * outputs and as many drops) and never looks at a checkpoint.
 */
#ifndef TTSW_EXPAND_H
#define TTSW_EXPAND_H

#include "model.h"

/* False if the model must not be used; findings are in d. */
bool expand_spec(struct arena *a, struct spec *spec, struct diag *d,
                 struct model *out);

#endif
