/* SPDX-License-Identifier: MIT
 *
 * output.h - what must hold for each output of a model.
 *
 * In: an output with its typed value. Out: its stored dtype, its group, its
 * place in file order; findings about layout, roles, casts, aliases and
 * optional ones. Invariant: afterwards outputs are grouped in load order and
 * an alias points back to an ordinary output of its group.
 */
#ifndef TTSW_OUTPUT_H
#define TTSW_OUTPUT_H

#include "model.h"

/* The groups of the spec, or the single group `main`. */
void output_groups(struct arena *a, struct model *m);

/* Judges one output by itself. */
void output_finish(struct arena *a, struct diag *d, struct model *m,
                   struct output *o, const struct overrides *say);

/* Brings outputs into file order, numbers the leaves, resolves aliases;
 * `whole` is false if the spec already has findings, and then nothing is said
 * about what might only be a consequence. */
void output_order(struct arena *a, struct diag *d, struct model *m, bool whole);

#endif
