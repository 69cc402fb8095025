/* SPDX-License-Identifier: MIT
 *
 * draft_names.h - names as a draft writes them.
 *
 * In: components of sources' names. Out: how a spec spells them, and targets
 * that are legal members. Invariant: a target is its source's name wherever
 * that is one; no two targets are equal.
 */
#ifndef TTSW_DRAFT_NAMES_H
#define TTSW_DRAFT_NAMES_H

#include "nametree.h"
#include "text.h"

/* A part of a name: components and dots, loop variables in braces. */
struct draft_name {
    struct str text; /* escaped as between quotes */
    bool quoted;     /* needs them */
};

/* Appends components, which draft_can_write. */
struct draft_name draft_join(struct arena *a, struct draft_name name,
                             struct str bytes);

/* Appends "{i}". */
struct draft_name draft_join_variable(struct arena *a, struct draft_name name,
                                      struct str variable);

/* Whether bytes can stand in a name of a spec that begins a YAML scalar:
 * control characters and `'` cannot. */
bool draft_can_write(struct str bytes);

/* A YAML scalar: the name, and `behind` it. */
void draft_scalar(struct text *t, struct draft_name name, struct str behind);

/* The targets of a node's children, by their numbers. */
struct draft_targets {
    struct str *of;        /* components; of an index the text before it */
    const char *index_was; /* "n", or NULL where indices stay as they are */
    struct str own;        /* of a tensor that is a prefix, too */
};

void draft_targets_make(struct arena *a, const struct name_node *parent,
                        bool is_root, struct draft_targets *out);

#endif
