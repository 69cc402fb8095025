/* SPDX-License-Identifier: MIT
 *
 * expansion.h - what the files of the expansion share.
 *
 * In: a parsed spec. Out: nothing; these are the structures of the walk.
 * Invariant: the walk goes down with a frame (scope, prefixes, overrides,
 * templates that are open) and leaves outputs and leaves behind in the model.
 */
#ifndef TTSW_EXPANSION_H
#define TTSW_EXPANSION_H

#include "cover.h"
#include "typing.h"

struct expansion {
    struct arena *a;
    struct diag *d;
    struct spec *spec;
    struct model *model;
    uint64_t iterations, terms;
    bool stopped; /* over a limit: said once */
};

struct frame {
    struct scope scope;
    struct str from, to;
    const struct overrides *say;
    const struct str *reason; /* of a `use:` that is dropped; or NULL */
    const struct template *open[16];
    size_t depth;
};

/* What is repeated: its loops, and what one iteration does. */
struct looped {
    const struct loop *loops;
    size_t count;
    struct span at;
    void (*once)(struct expansion *x, struct frame *f, const void *what);
    const void *what;
};

/* The dims of a file, evaluated once. */
struct scope expansion_file_scope(struct expansion *x, struct spec_file *f);

/* One block with all its iterations. */
void expansion_block(struct expansion *x, const struct frame *outer,
                     const struct block *b);

/* All iterations, the first loop the slowest. */
void expansion_loops(struct expansion *x, const struct frame *outer,
                     const struct looped *l, size_t depth);

/* Counts work that makes no source of its own, so that expansion ends. False
 * over the limit (E0216, said once). */
bool expansion_work(struct expansion *x, const struct frame *f, struct span at,
                    uint64_t terms);

/* One line of `tensors:`, `split:` or `drop:`, all variables set. */
void expansion_entry(struct expansion *x, struct frame *f,
                     const struct entry *e);

/* --- for lines that make outputs --- */

/* NULL over the limit. */
struct output *expansion_output(struct expansion *x, struct frame *f,
                                struct span at, const struct value *value);

struct typing expansion_typing(struct expansion *x, struct frame *f);

/* A value's steps, its leaves' claims written; NULL after a finding. */
const struct step *expansion_value(struct expansion *x, struct typing *t,
                                   const struct term *term);

/* E0216: a value of too many regions. */
void expansion_too_many(struct typing *t, struct span at);

/* Gives an output the leaves from `first` on, and judges it. */
void expansion_finish(struct expansion *x, struct frame *f, struct output *o,
                      size_t first);

/* One iteration of a split; `split` is a struct split. */
void expansion_split(struct expansion *x, struct frame *f, const void *split);

/* A batchnorm or fold_batchnorm: two outputs. */
void expansion_norm(struct expansion *x, struct frame *f,
                    const struct entry *e);

#endif
