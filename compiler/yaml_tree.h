/* SPDX-License-Identifier: MIT
 *
 * yaml_tree.h - a spec file as a tree of maps, lists and texts.
 *
 * In: a source. Out: nodes with the exact bytes they stand in. Invariant:
 * every scalar is text (YAML's own typing is never used); keys are scalars
 * and unique; anchors, aliases, tags, tabs, several documents and nesting
 * deeper than 64 are refused.
 */
#ifndef TTSW_YAML_TREE_H
#define TTSW_YAML_TREE_H

#include "diag.h"

enum node_kind { NODE_SCALAR, NODE_MAP, NODE_LIST };

enum node_style { STYLE_PLAIN, STYLE_SINGLE, STYLE_DOUBLE, STYLE_BLOCK };

struct node {
    enum node_kind kind;
    enum node_style style;
    struct span at;      /* of the whole node */
    struct span raw;     /* of a scalar: the bytes inside the quotes */
    struct str text;     /* of a scalar: as YAML decodes it */
    struct node **keys;  /* of a map */
    struct node **items; /* of a map: its values; of a list: its items */
    size_t count;
};

/* Parses the whole text. NULL after a syntax error; other findings leave a
 * tree that may be used for finding more. The nodes live in `a`; their texts
 * in the source or in `texts`, and may outlive them. */
struct node *yaml_tree(struct arena *a, struct arena *texts,
                       const struct source *src, struct diag *d);

/* Whether the bytes of a scalar can be read as they stand: no escape, no
 * doubled quote, no block style. Reports E0105 otherwise. */
bool yaml_is_verbatim(const struct node *n, struct diag *d);

#endif
