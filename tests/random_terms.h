/* SPDX-License-Identifier: MIT
 *
 * random_terms.h - values of random moves over small sources.
 *
 * In: a seed. Out: terms, as the steps that plan.c reads and as an array that
 * says of each element, index by index, which source element it is. Invariant:
 * the array is made by the definition of each move alone.
 */
#ifndef TTSW_RANDOM_TERMS_H
#define TTSW_RANDOM_TERMS_H

#include "model.h"
#include "regions.h"

#define MAX_LEAVES 64

/* An element's source: a leaf's number and an element of it; zeros have none.
 */
struct cell {
    int leaf;
    uint64_t element;
};

#define NO_LEAF (-1)

struct made {
    struct step *s;
    struct cell *cells; /* row major */
};

/* Zero-initialise; arena_release at the end. */
struct maker {
    struct arena a;
    struct leaf *leaves[MAX_LEAVES]; /* also of terms that were thrown away */
    int n;
    bool plain; /* neither weight norms nor twins */
    /* Makes parts of joins in place of source(), if it is not NULL. */
    struct made (*part)(struct maker *m, struct type type);
    uint64_t larger; /* axes are up to so many times longer; 0: not at all */
};

void random_seed(uint64_t seed);

/* 0 to n - 1 */
uint64_t roll(uint64_t n);

/* Up to 720 elements, or as many times `larger` twice; seldom none; up to 8
 * moves. */
struct made random_term(struct maker *m);

/* The same over a value; it stays as it is where a move would not do. */
struct made random_moves(struct maker *m, struct made x);

/* A source, not moved; a leaf of the maker's that nothing reads. */
struct made source(struct maker *m, struct type type);
struct leaf *new_leaf(struct maker *m, struct type type);

uint64_t elements(struct type t);

struct index {
    uint64_t at[REGION_MAX_RANK];
};

/* Of an element in row-major order, and back. */
struct index index_of(struct type t, uint64_t e);
uint64_t element_at(struct type t, const uint64_t *at);

#endif
