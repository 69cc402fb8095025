/* SPDX-License-Identifier: MIT
 *
 * compute.h - what is computed from several elements, read like a source.
 *
 * In: a node (OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_L2_NORMALIZE,
 * OP_SPECTRAL_NORM) whose sources are audited. Out: any range of its elements,
 * row major, in binary64. Invariant: an element has the same bits whatever
 * range it is read in. Memory is fixed buffers for each node, a table of a
 * vector operand, or of the norms; 88 bytes for each row of a spectral norm.
 */
#ifndef TTSW_COMPUTE_H
#define TTSW_COMPUTE_H

#include "view.h"

struct norms;
struct production;
struct gather;

/* Where nodes are made. */
struct computing {
    struct arena *a; /* of one output */
    const struct production *p;
    const struct norms *norms;
};

/* Makes the nodes of a value ready, and those below them: vectors are read,
 * norms summed. False after a finding; computed_close in any case. */
bool computed_open(const struct computing *x, struct regions *v);

/* Frees what they have, and makes `g` forget them. */
void computed_close(struct gather *g, struct regions *v);

/* Elements [at, at + n) as doubles; out needs no alignment. 0, or an errno. */
int computed_read(struct computed *c, uint64_t at, uint64_t n, uint8_t *out);

/* Whether a result of element `at`, which is not finite, comes from a source
 * that may hold such. */
bool computed_allows(const struct computed *c, uint64_t at);

/* The leaf that could not be read. */
const struct leaf *computed_unread(const struct computed *c);

#endif
