/* SPDX-License-Identifier: MIT
 *
 * draft_map.h - the blocks of a draft.
 *
 * In: a tree of names. Out: the text below `map:`, and what its loops need of
 * `dims:`. Invariant: each tensor is in exactly one line, or in a comment that
 * says why no line can have it.
 */
#ifndef TTSW_DRAFT_MAP_H
#define TTSW_DRAFT_MAP_H

#include "draft_names.h"

struct draft_dim {
    uint64_t size;
    struct str of; /* the prefix of its loop, for a comment */
};

struct drafting {
    struct arena *a;
    const struct tensor *p;
    enum ttsb_dtype source_dtype;
    struct draft_dim *dims; /* N0, N1, ... */
    size_t dim_count, dim_capacity;
    size_t lines, loops; /* of the text */
    uint64_t left_out;   /* tensors that no line can have */
};

/* Appends a name for a comment; `{i}` in it is a loop's index. NUL-terminated.
 */
void draft_put_whole(struct text *t, struct str whole);

/* Appends the list of blocks. */
void draft_map(struct drafting *d, const struct name_node *root,
               struct text *out);

#endif
