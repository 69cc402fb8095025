/* SPDX-License-Identifier: MIT
 *
 * units.c - a forest over the outputs, joined where they use the same tensor.
 */
#include "units.h"

#include <stdlib.h>

/* The lowest output of a unit is its root. */
static uint32_t root_of(uint32_t *parent, uint32_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

static void join(uint32_t *parent, uint32_t a, uint32_t b)
{
    a = root_of(parent, a);
    b = root_of(parent, b);
    if (a < b)
        parent[b] = a;
    else
        parent[a] = b;
}

static uint32_t *find_roots(struct arena *a, const struct model *m,
                            size_t tensor_count)
{
    uint32_t *parent = arena_new(a, uint32_t, m->output_count);
    uint32_t *owner = arena_new(a, uint32_t, tensor_count);
    for (size_t i = 0; i < tensor_count; i++)
        owner[i] = TTSB_NO_TENSOR;
    for (uint32_t i = 0; i < m->output_count; i++)
        parent[i] = i;
    for (uint32_t i = 0; i < m->output_count; i++) {
        const struct output *o = &m->outputs[i];
        for (uint32_t k = 0; k < o->leaf_count; k++) {
            uint32_t source = output_leaf(m, o, k)->source;
            if (source == NO_SOURCE)
                continue;
            if (owner[source] == TTSB_NO_TENSOR)
                owner[source] = i;
            join(parent, owner[source], i);
        }
    }
    for (uint32_t i = 0; i < m->output_count; i++)
        parent[i] = root_of(parent, i);
    return parent;
}

static int compare_roots(const void *x, const void *y, void *roots)
{
    const uint32_t *root = roots;
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    if (root[a] != root[b])
        return root[a] < root[b] ? -1 : 1;
    return (a > b) - (a < b);
}

static int compare_sizes(const void *x, const void *y)
{
    const struct unit *a = x, *b = y;
    if (a->size != b->size)
        return a->size < b->size ? 1 : -1;
    return (a->first > b->first) - (a->first < b->first);
}

struct units units_make(struct arena *a, const struct model *m,
                        size_t tensor_count)
{
    uint32_t *roots = find_roots(a, m, tensor_count);
    struct units u = {.outputs = arena_new(a, uint32_t, m->output_count)};
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->output_count; i++)
        if (m->outputs[i].step != NULL)
            u.outputs[n++] = i;
    qsort_r(u.outputs, n, sizeof *u.outputs, compare_roots, roots);
    u.p = arena_new(a, struct unit, n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t o = u.outputs[i];
        if (i == 0 || roots[o] != roots[u.outputs[i - 1]])
            u.p[u.n++].first = i;
        u.p[u.n - 1].count++;
        u.p[u.n - 1].size += m->outputs[o].size;
    }
    qsort(u.p, u.n, sizeof *u.p, compare_sizes);
    return u;
}
