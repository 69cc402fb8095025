/* SPDX-License-Identifier: MIT
 *
 * nametree.h - names as a tree, in which equal branches are known.
 *
 * In: tensors. Out: a node for each prefix that ends before a dot; beneath it,
 * indices first and by number, then names by their bytes. Invariant: two nodes
 * have the same class if and only if what lies below them has the same names,
 * dtypes and shapes, so that a run of indices with one class can be written
 * once without a loss. A name is its components joined by dots, whatever bytes
 * it has.
 */
#ifndef TTSW_NAMETREE_H
#define TTSW_NAMETREE_H

#include "tensors.h"

#define NAMETREE_NO_TENSOR UINT32_MAX

struct name_node {
    struct str component;
    uint64_t index; /* its value, where is_index */
    bool is_index;
    struct name_node **children;
    size_t count, capacity;
    uint32_t tensor; /* that ends here, or NAMETREE_NO_TENSOR */
    uint32_t class;
    uint64_t tensors, elements, bytes; /* of this node and all below */
};

/* The root, whose component is empty, of the tensors p[index[0..n)]. */
struct name_node *nametree_build(struct arena *a, const struct tensor *p,
                                 const uint32_t *index, size_t n);

/* How many children from number i on are a run: one, or indices that follow
 * each other and have one class. */
size_t nametree_run(const struct name_node *node, size_t i);

#endif
