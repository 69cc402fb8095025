/* SPDX-License-Identifier: MIT
 *
 * wanted.c - a tensor for each first use of a leaf.
 */
#include "wanted.h"

static struct st_tensor tensor_of(struct arena *a, const struct leaf *leaf)
{
    struct st_tensor t = {.name = leaf->name, .dtype = (uint32_t)leaf->dtype};
    uint64_t *dims = arena_new(a, uint64_t, leaf->type.rank);
    uint64_t elements;
    for (uint32_t i = 0; i < leaf->type.rank; i++)
        dims[i] = leaf->type.axes[i].size;
    t.rank = leaf->type.rank;
    t.dims = dims;
    type_elements(leaf->type, &elements);
    t.end = elements * spec_dtype_bits(leaf->dtype) / 8;
    return t;
}

/* A tensor that any use does not drop is read. */
static void bind(struct model *m, struct leaf *leaf)
{
    uint8_t *role;
    leaf->source = leaf->first_use->source;
    role = &m->roles[leaf->source];
    if (!leaf->dropped)
        *role = ROLE_READ;
    else if (*role == ROLE_NONE)
        *role = ROLE_DROPPED;
}

void wanted_make(struct arena *a, struct model *m, struct checkpoint *out)
{
    *out = (struct checkpoint){0};
    out->tensors = arena_new(a, struct st_tensor, m->leaf_count);
    out->places = arena_new(a, struct tensor_place, m->leaf_count);
    m->roles = arena_new(a, uint8_t, m->leaf_count);
    for (size_t i = 0; i < m->leaf_count; i++) {
        struct leaf *leaf = m->leaves[i];
        if (leaf->first_use != leaf)
            continue;
        out->tensors[out->count] = tensor_of(a, leaf);
        out->places[out->count].source = leaf->file;
        leaf->source = (uint32_t)out->count++;
    }
    for (size_t i = 0; i < m->leaf_count; i++)
        bind(m, m->leaves[i]);
    for (size_t i = 0; i < m->subtree_count; i++) {
        struct subtree *s = &m->subtrees[i];
        s->found_tensors = s->tensors;
        s->found_elements = s->elements;
        s->found_bytes = 0;
    }
}
