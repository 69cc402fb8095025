/* SPDX-License-Identifier: MIT
 *
 * header_family.h - tensors that differ only in indices of arrays.
 *
 * In: the tree of members. Out: one family for each member of the structs that
 * is a pointer or an array of them. Invariant: the tensors of a family are in
 * the order of their indices, the last one fastest, and have one dtype.
 */
#ifndef TTSW_HEADER_FAMILY_H
#define TTSW_HEADER_FAMILY_H

#include "members.h"

struct family {
    struct str path;         /* "blk[i].attn.q.weight" */
    struct str loops;        /* "blk[i]", to the last index; may be empty */
    struct str name;         /* "BLK_ATTN_Q_WEIGHT" */
    const uint64_t *extents; /* of each index */
    uint32_t index_count;
    uint32_t *outputs;
    size_t count, capacity;
};

/* An array and its length: "BLK", and which `[n]` of it this is. */
struct family_array {
    struct str path; /* "blk", "x[i]" */
    struct str name;
    uint32_t nth; /* 0: the first */
    uint64_t count;
};

struct families {
    struct family *items;
    size_t count, capacity;
    struct family_array *arrays;
    size_t array_count, array_capacity;
};

/* "i", "j", ... */
struct str family_index(struct arena *a, uint32_t nth);

/* Whether the tensors have one type: the same axes and sizes. */
bool family_is_even(const struct family *f, const struct model *m);

/* All families, in the order of the members. */
void families_find(struct arena *a, const struct member *root,
                   struct families *out);

#endif
