/* SPDX-License-Identifier: MIT
 *
 * inputs.h - the checkpoints of a command line, for the sources of a spec.
 *
 * In: operands behind the spec and `--source NAME=PATH`. Out: an open
 * checkpoint that has every source of the spec. Invariant: no source is
 * guessed: operands are taken only where the spec has one source.
 */
#ifndef TTSW_INPUTS_H
#define TTSW_INPUTS_H

#include "checkpoint.h"
#include "cli.h"
#include "spec.h"

/* Opens what args gives. False after findings: E0316 for a source without a
 * checkpoint, an unknown one, an operand where there are several; and those of
 * checkpoint_open. */
bool inputs_open(struct arena *a, struct diag *d, const struct spec *s,
                 const struct args *args, struct checkpoint *out);

#endif
