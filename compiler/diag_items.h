/* SPDX-License-Identifier: MIT
 *
 * diag_items.h - what the three files of the diagnostics share.
 *
 * In: findings as diag.c keeps them. Out: nothing; these are the structures,
 * and what renders one folded finding. Invariant: what is rendered shows
 * every fact of the first finding and the exact loop values of all.
 */
#ifndef TTSW_DIAG_ITEMS_H
#define TTSW_DIAG_ITEMS_H

#include "diag.h"
#include "text.h"

/* A label, a note or a help. */
struct diag_text {
    struct diag_text *next;
    struct span at; /* of a label */
    bool is_help;
    struct diag_edit edit; /* of a help; at.src NULL: none */
    struct str text;
};

struct diag_item {
    struct diag_item *next;
    const char *id;
    struct diag_where where;
    struct str path; /* for a file that is no spec */
    uint64_t offset;
    uint64_t serial, leads; /* leads: the least serial of what folds with it */
    struct str fact;
    struct str text;
    struct diag_text *labels, *notes;
};

/* Findings that print as one; the first speaks for all. */
struct diag_folded {
    struct diag_item *const *items;
    size_t n;
};

/* "error", "warning" or "note". */
const char *diag_level(const char *id);

/* The loop values of n items that have the same variables. */
struct str diag_values_text(struct arena *a, struct diag_item *const *items,
                            size_t n);

/* Whether a stream gets colours: as it was asked for, or a terminal that does
 * not decline them (NO_COLOR, TERM). */
bool diag_is_colored(enum color_when when, int fd);

/* Appends a finding as lines of text. */
void diag_put_text(struct arena *a, const struct diag_folded *f, bool color,
                   struct text *out);

/* Appends a finding as one JSON object, without a line end. */
void diag_put_json(struct arena *a, const struct diag_folded *f,
                   struct text *out);

/* Appends the last line: how many there are, and how many were printed. */
void diag_put_json_summary(const struct diag *d, uint64_t found,
                           uint64_t printed, struct text *out);

#endif
