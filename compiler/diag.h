/* SPDX-License-Identifier: MIT
 *
 * diag.h - what is wrong, collected, folded and printed.
 *
 * In: findings with a stable id, a place, the loop values under which they
 * arose and the chain of `use:` that led there. Out: text on a stream, in
 * the order of the spec. Invariant: everything found in a run is kept;
 * findings that differ only in loop values print as one, with the exact set
 * of values. Nothing else writes diagnostics: diag_text.c renders them for
 * people, diag_json.c for programs (specs/README.md section 14).
 */
#ifndef TTSW_DIAG_H
#define TTSW_DIAG_H

#include <stdio.h>

#include "arena.h"
#include "source.h"

struct loop_run;

/* A loop variable and its value; the innermost first. */
struct diag_binding {
    const struct diag_binding *outer;
    struct str name;
    bool is_word;
    int64_t number;
    struct str word;
    const struct loop_run *run; /* scope.h; NULL for a list */
};

/* One step of a "in this use" chain; the innermost first. */
struct diag_frame {
    const struct diag_frame *outer;
    struct span at;
    struct str name; /* of the template */
};

/* Where something is: a place, how it was reached, under which values. */
struct diag_where {
    struct span at;
    const struct diag_frame *use;
    const struct diag_binding *loops;
};

struct diag_item;

enum color_when { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

/* How findings are shown. */
struct diag_show {
    bool json;
    uint64_t most; /* 0: all */
    enum color_when color;
};

struct diag {
    struct arena *arena;
    struct diag_show show;
    struct diag_item *first, *last;
    uint64_t errors, warnings, notes;
    uint64_t system_errors; /* E0704, E0705: among the errors */
};

/* Adds a finding. `id` ("E0301") must stand in the table of diag_ids.c; its
 * first letter is the level. The item takes labels, notes and a help. */
struct diag_item *diag_add(struct diag *d, const char *id,
                           struct diag_where where, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Adds a finding about a file that is no spec: `offset` is a byte offset in
 * it, or DIAG_NO_OFFSET. */
#define DIAG_NO_OFFSET UINT64_MAX
struct diag_item *diag_add_file(struct diag *d, const char *id, struct str path,
                                uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* A second place, underlined with `-`. */
void diag_label(struct diag *d, struct diag_item *item, struct span at,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Whether the latest finding has this id, at this place, under these loops and
 * uses: then what follows from the same text may go without saying. */
bool diag_just_said(const struct diag *d, const char *id,
                    const struct diag_where *where);

/* What must be equal, besides id and place, for findings to fold. */
void diag_fact(struct diag_item *item, struct str fact);

/* "i = 0, j = 2" for the loop values of a place; empty without any. */
struct str diag_values(struct arena *a, const struct diag_binding *loops);

void diag_note(struct diag *d, struct diag_item *item, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void diag_help(struct diag *d, struct diag_item *item, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What would mend a finding: the bytes of a span, replaced. */
struct diag_edit {
    struct span at;
    struct str text;
    /* It cannot change which tensor is used for what; otherwise a person
     * decides. */
    bool machine_applicable;
};

/* A help with an edit. */
void diag_fix(struct diag *d, struct diag_item *item,
              const struct diag_edit *edit, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Prints what d->show asks for, ordered, folded; and a last line that
 * counts. */
void diag_print(struct diag *d, FILE *out);

/* A place without loops or uses. */
static inline struct diag_where diag_at(struct span s)
{
    return (struct diag_where){.at = s};
}

/* The table of ids: the title of `id`, or NULL if there is no such id. */
const char *diag_title(const char *id);

#endif
