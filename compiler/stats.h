/* SPDX-License-Identifier: MIT
 *
 * stats.h - the statistics of many tensors, and what is suspicious of them.
 *
 * In: the rows of a file, of a compile's sources or of its outputs. Out: the
 * same as text, as JSON, and findings W0610 to W0615. Invariant: statistics
 * judge nothing that is compiled, and are in no blob.
 */
#ifndef TTSW_STATS_H
#define TTSW_STATS_H

#include "diag.h"
#include "tally.h"

/* One tensor. */
struct stats_row {
    struct str name;
    enum ttsb_dtype dtype;
    uint32_t rank;
    const uint64_t *dims;
    uint64_t size;      /* bytes */
    struct str group;   /* of a blob; or the source's or file's name */
    struct str file;    /* path; empty: that of the figures */
    bool has_values;    /* false: nothing was read, the tally is empty */
    bool is_alias;      /* of another row: in no total */
    uint8_t digest[16]; /* of dtype, shape and bytes; for equal tensors */
    struct tally tally;
    /* Of `N.weight_g` and `N.weight_v` (or parametrized) both: whether g is
     * the norm of v at each kept index, as near as stats_pairs.h says. */
    bool untrained_norm;
};

struct stats {
    struct stats_row *rows; /* in file order */
    size_t n;
    struct str path; /* as findings show it */
};

/* A suspicion of a row, or of several that agree. */
struct suspicion {
    const char *id; /* "W0610" */
    uint32_t *rows;
    size_t n;
    struct str text;  /* one line, names and figures */
    struct str notes; /* further lines, or empty */
};

struct suspicions {
    struct suspicion *p;
    size_t n;
};

/* Looks for all suspicions but those whose id `allowed` lists. */
struct suspicions suspicions_find(struct arena *a, const struct stats *s,
                                  const char *const *allowed, int count);

/* The classic rule, which is information and no suspicion: a standard
 * deviation within 0.005 of 0.02 and a mean below 0.001. */
bool suspicion_classic(const struct tally *t);

#endif
