/* SPDX-License-Identifier: MIT
 *
 * contract.h - the contract text and its id (FORMAT.md section 8).
 *
 * In: a model that is laid out. Out: the text, its XXH3-128. Invariant: a
 * function of the spec alone, the same on every machine.
 */
#ifndef TTSW_CONTRACT_H
#define TTSW_CONTRACT_H

#include <stdio.h>

#include "model.h"

/* Fills m->contract_id. */
void contract_seal(struct model *m);

/* The canonical expression of one output's value. */
struct str contract_expression(struct arena *a, const struct model *m,
                               const struct output *o);

/* Appends the same for people: in place of `$n` a source's name as
 * sources_put has it, of a weight norm both or the stem, and with `also` and
 * `same`, which the contract does not hold. */
void contract_readable(struct text *t, const struct model *m,
                       const struct output *o);

/* Appends one step for people, without types: `#N` stands for each operand
 * that is a step, with the numbers in `operands` in order. */
void contract_step(struct text *t, const struct model *m, const struct step *s,
                   const uint32_t *operands);

/* Appends an output's line of the contract text, without its line end. */
void contract_line(struct text *t, const struct model *m,
                   const struct output *o);

#endif
