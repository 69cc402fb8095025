/* SPDX-License-Identifier: MIT
 *
 * fate.h - what becomes of a tensor of the checkpoint.
 *
 * In: a bound model, a source and a name. Out: every output that it goes into,
 * with which part of it, and what of it is dropped why. Invariant: the chains
 * of chain.h, read from the other end; an alias is named with its target.
 */
#ifndef TTSW_FATE_H
#define TTSW_FATE_H

#include "chain.h"
#include "dropped.h"

struct fate_output {
    uint32_t output;
    struct use use;
};

struct fate {
    struct str name;
    uint32_t file;              /* its source's number */
    const struct leaf *leaf;    /* the first use, or NULL: */
    const struct subtree *tree; /* dropped with all of this, or NULL: */
    bool unclaimed;             /* only the checkpoint has it */
    uint32_t found;             /* in the checkpoint, or NO_SOURCE */
    struct fate_output *outputs;
    size_t output_count, output_capacity;
    struct dropped *dropped; /* of it */
    size_t dropped_count;
};

/* False if neither the spec nor the checkpoint (of->c may be NULL) knows the
 * name in that source. */
bool fate_find(struct arena *a, const struct chain_of *of, uint32_t file,
               struct str name, struct fate *out);

/* "the magnitude of weight norm `conv.weight`, with conv.weight_v"; nothing
 * for a tensor that is called by its own name. */
void fate_put_role(struct text *t, const struct chain_of *of,
                   const struct leaf *leaf);

void fate_text(struct text *t, const struct chain_of *of, const struct fate *f);
void fate_json(struct text *t, const struct chain_of *of, const struct fate *f);

#endif
