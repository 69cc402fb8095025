/* SPDX-License-Identifier: MIT
 *
 * fate.c - looks at each use of a name, then at what is dropped.
 */
#include "fate.h"

#include <stdlib.h>

#include "sources.h"

/* --- outputs --- */

static void add_output(struct arena *a, struct fate *f, uint32_t output,
                       const struct use *use)
{
    if (f->output_count == f->output_capacity)
        f->outputs = arena_grow(a, f->outputs, sizeof *f->outputs,
                                f->output_count, &f->output_capacity);
    f->outputs[f->output_count++] = (struct fate_output){output, *use};
}

/* An output that takes of the leaf, and each alias of it. */
static void add_uses(struct arena *a, const struct model *m, struct fate *f,
                     const struct leaf *leaf, uint32_t output)
{
    struct uses uses = uses_of(a, m, &m->outputs[output]);
    for (size_t i = 0; i < uses.n; i++) {
        if (uses.p[i].leaf != leaf)
            continue;
        add_output(a, f, output, &uses.p[i]);
        for (uint32_t k = 0; k < m->output_count; k++)
            if (m->outputs[k].alias_of == output)
                add_output(a, f, k, &uses.p[i]);
    }
}

static int compare_outputs(const void *x, const void *y)
{
    uint32_t a = ((const struct fate_output *)x)->output;
    uint32_t b = ((const struct fate_output *)y)->output;
    return (a > b) - (a < b);
}

static void find_outputs(struct arena *a, const struct model *m, struct fate *f)
{
    for (size_t i = 0; i < m->leaf_count; i++) {
        const struct leaf *leaf = m->leaves[i];
        if (leaf->file != f->file || !str_eq(leaf->name, f->name))
            continue;
        f->leaf = f->leaf == NULL ? leaf : f->leaf;
        for (uint32_t k = 0; !leaf->dropped && k < leaf->output_count; k++)
            add_uses(a, m, f, leaf, leaf->output + k);
    }
    if (f->output_count > 0)
        qsort(f->outputs, f->output_count, sizeof *f->outputs, compare_outputs);
}

/* --- drops --- */

static void find_dropped(struct arena *a, const struct model *m, struct fate *f)
{
    struct dropped_list all = dropped_list(a, m);
    f->dropped = arena_new(a, struct dropped, all.n);
    for (size_t i = 0; i < all.n; i++) {
        const struct dropped *d = &all.p[i];
        bool it = d->leaf != NULL ? d->leaf->file == f->file &&
                                        str_eq(d->leaf->name, f->name)
                                  : d->subtree == f->tree;
        if (it)
            f->dropped[f->dropped_count++] = *d;
    }
}

static const struct subtree *tree_of(const struct model *m, uint32_t file,
                                     struct str name)
{
    for (size_t i = 0; i < m->subtree_count; i++)
        if (m->subtrees[i].file == file &&
            str_begins(name, m->subtrees[i].prefix))
            return &m->subtrees[i];
    return NULL;
}

bool fate_find(struct arena *a, const struct chain_of *of, uint32_t file,
               struct str name, struct fate *out)
{
    *out = (struct fate){.name = name, .file = file, .found = NO_SOURCE};
    find_outputs(a, of->m, out);
    if (of->c != NULL && !checkpoint_find(of->c, file, name, &out->found))
        out->found = NO_SOURCE;
    /* Without a checkpoint nobody knows whether a prefix has this name. */
    if (out->leaf == NULL && (of->c == NULL || out->found != NO_SOURCE))
        out->tree = tree_of(of->m, file, name);
    out->unclaimed = out->leaf == NULL && out->tree == NULL;
    if (out->unclaimed)
        return out->found != NO_SOURCE;
    find_dropped(a, of->m, out);
    return true;
}

/* --- norms --- */

static void put_partner(struct text *t, const struct chain_of *of,
                        const struct leaf *leaf)
{
    text_c(t, ", with ");
    sources_put(t, of->m->spec, leaf->file, leaf->name);
}

void fate_put_role(struct text *t, const struct chain_of *of,
                   const struct leaf *leaf)
{
    static const char *const parts[] = {"", "the matrix", "the vector u",
                                        "the vector v"};
    if (leaf->spectral != SPECTRAL_NONE)
        text_format(t, "%s of spectral norm `%.*s`", parts[leaf->spectral],
                    STR_ARG(leaf->stem));
    else if (leaf->pair != NULL && leaf->spelled)
        text_format(t, "the %s of weight norm `%.*s`",
                    leaf->is_g ? "magnitude" : "direction",
                    STR_ARG(leaf->stem));
    else if (leaf->pair != NULL)
        text_format(t, "the %s of a weight norm",
                    leaf->is_g ? "magnitude" : "direction");
    else if (leaf->stem.n > 0)
        text_format(t, "%s of batch norm `%.*s`",
                    leaf->counter ? "the counter" : "a vector",
                    STR_ARG(leaf->stem));
    if (leaf->pair != NULL)
        put_partner(t, of, leaf->pair);
    if (leaf->is_twin)
        text_c(t, "only compared with its twin");
    if (leaf->twin != NULL)
        text_c(t, "compared");
    if (leaf->twin != NULL)
        put_partner(t, of, leaf->twin);
}
