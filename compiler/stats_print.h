/* SPDX-License-Identifier: MIT
 *
 * stats_print.h - statistics as a table, as JSON, as findings.
 *
 * In: rows, suspicions. Out: text. Invariant: the JSON has its keys in
 * alphabetical order, and they are only ever added to; a figure that does not
 * exist is null there and `-` in the table; no control character of a name
 * reaches the table.
 */
#ifndef TTSW_STATS_PRINT_H
#define TTSW_STATS_PRINT_H

#include "stats.h"
#include "text.h"

/* Sums of rows that have values; aliases are in none. */
struct stats_sum {
    uint64_t tensors, elements, bytes;
    uint64_t zeros, nan, inf, denormal;
    uint64_t classic;        /* rows that the classic rule fits */
    uint64_t aliases, empty; /* rows that are left out: no values */
};

/* Of one group, or of all rows if `group` is NULL. */
struct stats_sum stats_sum_of(const struct stats *s, const struct str *group);

/* Whether row i is the first of its group. */
bool stats_begins_group(const struct stats *s, size_t i);

/* "892 MB": decimal units, three digits. */
void stats_put_size(struct text *t, uint64_t bytes);

/* A line for each row, `hist` puts a histogram under each; then groups, if
 * there are several, and the total. */
void stats_put_table(struct text *t, const struct stats *s, bool hist);

/* "WHAT: 450 tensors, 892 MB, ...", and its groups if there are several. */
void stats_put_sums(struct text *t, const char *what, const struct stats *s);

/* "Total weights: 450 tensors, 892 MB, ..." */
void stats_put_total(struct text *t, const struct stats *s);

/* One object, without a line end. */
void stats_put_json(struct text *t, const struct stats *s,
                    const struct suspicions *found);

/* Each suspicion as a warning about the file. */
void stats_warn(struct diag *d, const struct stats *s,
                const struct suspicions *found);

#endif
