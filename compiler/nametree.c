/* SPDX-License-Identifier: MIT
 *
 * nametree.c - a table of prefixes, then classes from the leaves up.
 *
 * A node's class is the number of a text that says everything about it: its
 * tensor's dtype and sizes, its children's components and classes.
 */
#include "nametree.h"

#include <stdlib.h>

#include "text.h"

/* What lies deeper is one component, dots and all. */
#define MAX_DEPTH 128

struct builder {
    struct arena *a;
    const struct tensor *p;
    struct nametab paths;
    struct name_node **nodes; /* by their number in `paths` */
    size_t count, capacity;
    struct nametab classes;
    uint32_t class_count;
};

static struct name_node *new_node(struct builder *b, struct str component)
{
    struct name_node *n = arena_new(b->a, struct name_node, 1);
    n->component = component;
    n->is_index = str_is_index(component, &n->index);
    n->tensor = NAMETREE_NO_TENSOR;
    return n;
}

static struct name_node *child(struct builder *b, struct name_node *parent,
                               struct str path, struct str component)
{
    uint32_t at = (uint32_t)b->count;
    struct name_node *n;
    if (!nametab_add(b->a, &b->paths, path, &at))
        return b->nodes[at];
    n = new_node(b, component);
    if (b->count == b->capacity)
        b->nodes = arena_grow(b->a, b->nodes, sizeof(struct name_node *),
                              b->count, &b->capacity);
    b->nodes[b->count++] = n;
    if (parent->count == parent->capacity)
        parent->children =
            arena_grow(b->a, parent->children, sizeof(struct name_node *),
                       parent->count, &parent->capacity);
    parent->children[parent->count++] = n;
    return n;
}

static void insert(struct builder *b, struct name_node *root, uint32_t tensor)
{
    struct str name = b->p[tensor].name;
    struct name_node *at = root;
    size_t from = 0, depth = 0;
    for (size_t i = 0; i <= name.n; i++) {
        if (i < name.n && (name.p[i] != '.' || depth + 1 >= MAX_DEPTH))
            continue;
        at = child(b, at, str_cut(name, 0, i), str_cut(name, from, i));
        from = i + 1;
        depth++;
    }
    at->tensor = tensor;
}

static int by_component(const void *x, const void *y)
{
    const struct name_node *a = *(struct name_node *const *)x;
    const struct name_node *b = *(struct name_node *const *)y;
    if (a->is_index != b->is_index)
        return a->is_index ? -1 : 1;
    if (a->is_index && a->index != b->index)
        return a->index < b->index ? -1 : 1;
    return str_order(a->component, b->component);
}

static void put_u64(struct text *t, uint64_t n)
{
    text_str(t, (struct str){(const char *)&n, sizeof n});
}

/* Counts what lies at and below a node, and gives it its class. */
static void finish(struct builder *b, struct name_node *n)
{
    struct text key = {0};
    const struct tensor *x =
        n->tensor == NAMETREE_NO_TENSOR ? NULL : &b->p[n->tensor];
    if (x != NULL) {
        n->tensors = 1;
        n->elements = x->elements;
        n->bytes = x->size;
        put_u64(&key, x->rank + 1);
        put_u64(&key, (uint64_t)x->dtype);
        for (uint32_t i = 0; i < x->rank; i++)
            put_u64(&key, x->dims[i]);
    } else {
        put_u64(&key, 0);
    }
    if (n->count > 0)
        qsort(n->children, n->count, sizeof *n->children, by_component);
    for (size_t i = 0; i < n->count; i++) {
        struct name_node *c = n->children[i];
        finish(b, c);
        n->tensors += c->tensors;
        n->elements += c->elements;
        n->bytes += c->bytes;
        put_u64(&key, c->component.n);
        text_str(&key, c->component);
        put_u64(&key, c->class);
    }
    n->class = b->class_count;
    if (nametab_add(b->a, &b->classes, arena_str(b->a, text_view(&key)),
                    &n->class))
        b->class_count++;
    text_release(&key);
}

struct name_node *nametree_build(struct arena *a, const struct tensor *p,
                                 const uint32_t *index, size_t n)
{
    struct builder b = {.a = a, .p = p};
    struct name_node *root = new_node(&b, (struct str){0});
    for (size_t i = 0; i < n; i++)
        insert(&b, root, index[i]);
    finish(&b, root);
    return root;
}

size_t nametree_run(const struct name_node *node, size_t i)
{
    const struct name_node *first = node->children[i];
    size_t n = 1;
    while (first->is_index && i + n < node->count &&
           node->children[i + n]->is_index &&
           node->children[i + n]->index == first->index + n &&
           node->children[i + n]->class == first->class)
        n++;
    return n;
}
