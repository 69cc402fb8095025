/* SPDX-License-Identifier: MIT
 *
 * chain.h - how an output is made: from a line of the spec to a place in the
 * blob.
 *
 * In: a model, perhaps bound to a checkpoint, perhaps laid out. Out: the chain
 * of one output, as text or JSON. Invariant: every step says the type that it
 * leaves; what no file told is left out and never made up.
 */
#ifndef TTSW_CHAIN_H
#define TTSW_CHAIN_H

#include "checkpoint.h"
#include "emit.h"
#include "uses.h"

struct chain_of {
    const struct model *m;
    const struct checkpoint *c; /* NULL: there are no files */
    const struct emitted *blob; /* NULL: no place in a file is known */
};

/* A step of a value; the numbers of its operands are those of earlier ones,
 * from 1. */
struct chain_step {
    const struct step *step;
    const uint32_t *operands;
};

struct chain {
    const struct output *o, *made; /* made: an alias' target, or o */
    struct uses uses;
    struct chain_step *steps; /* in order of application */
    size_t n, capacity;
};

/* Follows output number `output`; what it finds is in the arena. */
struct chain chain_follow(struct arena *a, const struct model *m,
                          uint32_t output);

/* How a value becomes what is stored: "f16, rounded from f64, by `store:`". */
void chain_put_store(struct text *t, const struct chain *c);

/* Bytes of a file that hold a part of a tensor; `whole` if they hold nothing
 * else. False without a file that has them: none at all, or a lock. */
struct byte_range {
    struct str path;
    uint64_t begin, end;
    bool whole;
};
bool chain_bytes(const struct chain_of *of, const struct leaf *leaf,
                 const struct claimed *c, struct byte_range *out);

/* The lines of the spec from where an output's name stands to the end of its
 * value, at most eight, without the blanks that all of them begin with. */
struct str chain_lines(struct arena *a, const struct output *o);

/* Whether an output is a piece of a split, whose value's term stands apart. */
bool chain_is_piece(const struct output *o);

/* FILE:LINE:COLUMN */
void chain_put_place(struct text *t, struct span at);

void chain_text(struct arena *a, struct text *t, const struct chain_of *of,
                uint32_t output);
void chain_json(struct arena *a, struct text *t, const struct chain_of *of,
                uint32_t output);

/* Shared by both directions: {"column":..,"line":..,"path":..} and members for
 * a tensor of the checkpoint; see chain_json.c. */
void chain_json_place(struct text *t, struct span at);
void chain_json_uses(struct text *t, const struct diag_frame *use);
void chain_json_loops(struct text *t, const struct diag_binding *loops);
void chain_json_bytes(struct text *t, const struct chain_of *of,
                      const struct leaf *leaf, const struct claimed *c);

#endif
