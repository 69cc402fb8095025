/* SPDX-License-Identifier: MIT
 *
 * suspicion.h - what the searches for suspicions share.
 *
 * In: rows with tallies. Out: for each search its suspicions, added to one
 * list. Invariant: the same rows give the same list; a row whose tally has
 * not seen values is judged by nothing.
 */
#ifndef TTSW_SUSPICION_H
#define TTSW_SUSPICION_H

#include "arena.h"
#include "stats.h"
#include "text.h"

/* From how many tensors on siblings, or the matrices of a layer, agree. */
#define SUSPICION_AGREE 3

/* Where a row stands among the others. */
struct kin {
    uint32_t family; /* rows whose names differ in plain numbers only */
    uint32_t layer;  /* rows whose names are equal up to the last number */
    bool numbered;   /* its name has a number; if not, layer is the rest */
};

struct finder {
    struct arena *a;   /* of one search, given back behind it */
    struct arena *out; /* what is found */
    const struct stats *s;
    struct kin *kin;     /* per row */
    uint32_t *in_family; /* rows per family */
    uint32_t families, layers;
    struct suspicions found;
    size_t capacity;
};

/* Rows, in file order. */
struct row_list {
    uint32_t *p;
    size_t n;
};

/* `a` keeps what all searches share; a search has f->a for its own. */
void finder_init(struct finder *f, struct arena *a, const struct stats *s);

/* The rows sorted by layer or by family, in file order within one. */
uint32_t *finder_order(struct finder *f, bool by_layer);

/* An empty list with room for all rows. */
struct row_list finder_list(struct finder *f);

/* Whether a row has floating-point values of 16 bits and more, is no alias,
 * and all of it is finite. */
bool finder_judges(const struct finder *f, uint32_t row);

/* Adds a suspicion of a copy of `rows`; takes the texts' memory. */
void finder_add(struct finder *f, const char *id, struct row_list rows,
                struct text *line, struct text *notes);

/* The rows' names folded, each set in backquotes, ", " between. */
void finder_names(struct finder *f, struct text *t, struct row_list rows);

double tally_skewness(const struct tally *t);

/* The searches. */
void suspicion_fresh(struct finder *f);  /* W0610 */
void suspicion_flat(struct finder *f);   /* W0611 */
void suspicion_broken(struct finder *f); /* W0612 */
void suspicion_equal(struct finder *f);  /* W0613 */
void suspicion_apart(struct finder *f);  /* W0614 */
void suspicion_norm(struct finder *f);   /* W0615 */

#endif
