/* SPDX-License-Identifier: MIT
 *
 * compute.h - what is computed from several elements, read like a source.
 *
 * In: a node (OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_L2_NORMALIZE,
 * OP_SPECTRAL_NORM) whose sources are audited. Out: any range of its elements,
 * row major, in binary64. Invariant: an element has the same bits whatever
 * range it is read in. Memory is a table of a vector operand or of the norms,
 * 8 bytes each, 80 more while they are summed, and fixed buffers that nodes
 * share: COMPUTE_SLOTS sets for each depth of nodes inside nodes, 0.7 MiB each,
 * and 2.5 MiB more for each of its two operands that is not read in its order.
 */
#ifndef TTSW_COMPUTE_H
#define TTSW_COMPUTE_H

#include "view.h"

struct norms;
struct production;
struct gather;
struct level;

#define COMPUTE_SLOTS 4

/* Where nodes are made; zero-initialise what is not said. */
struct computing {
    struct arena *a; /* of one output */
    const struct production *p;
    const struct norms *norms;
    struct level *level; /* the buffers of this depth and those below */
};

/* Makes the nodes of a value ready, and those below them: vectors are read,
 * norms summed. A node is made once, however many regions it has. False after a
 * finding; computed_close in any case. */
bool computed_open(struct computing *x, struct regions *v);

/* Frees what they have, and makes `g` forget them. */
void computed_close(struct gather *g, struct regions *v);

/* Frees the buffers, once all is closed. */
void computed_end(struct computing *x);

/* Elements [at, at + n) as doubles into out, which is aligned for them. 0, or
 * an errno. */
int computed_read(struct computed *c, uint64_t at, uint64_t n, uint8_t *out);

/* Whether a result of element `at`, which is not finite, comes from a source
 * that may hold such. */
bool computed_allows(const struct computed *c, uint64_t at);

/* The leaf that could not be read. */
const struct leaf *computed_unread(const struct computed *c);

#endif
