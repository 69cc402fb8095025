/* SPDX-License-Identifier: MIT
 *
 * inspect_tree.c - prefixes with counts and bytes, equal indices as one.
 *
 * In: a tree of names. Out: text or JSON. Invariant: the tree says every
 * tensor: what is folded is equal in names, dtypes and shapes, and counts as
 * often as it is there, so that the lines of one depth add up to the line
 * above them.
 */
#include <inttypes.h>

#include "inspect.h"
#include "meta.h"
#include "nametree.h"

struct printer {
    struct text *t;
    const struct inspect_view *v;
};

/* Children of a node that are shown as one. */
struct branch {
    const struct name_node *node; /* the first of them */
    uint64_t last;                /* index; of a run */
    uint64_t copies;              /* of everything in it, over all depths */
    bool run;
};

static struct branch branch_at(const struct name_node *parent, size_t i,
                               size_t n, uint64_t copies)
{
    return (struct branch){.node = parent->children[i],
                           .last = parent->children[i + n - 1]->index,
                           .copies = copies * n,
                           .run = n > 1};
}

/* --- text --- */

static void put_component(struct text *t, const struct branch *b)
{
    if (b->run)
        text_format(t, "{%" PRIu64 "..%" PRIu64 "}", b->node->index, b->last);
    else if (b->node->component.n == 0 ||
             memchr(b->node->component.p, '{', b->node->component.n) != NULL)
        meta_string(t, b->node->component);
    else
        meta_word(t, b->node->component);
}

/* One line; `times` is how often the branch is there below the line above. */
static void put_line(const struct printer *p, const struct branch *b, int depth,
                     struct str label, uint64_t times)
{
    const struct name_node *n = b->node;
    text_format(p->t, "%8" PRIu64 " %15" PRIu64 "  %*s%.*s",
                n->tensors * b->copies, n->bytes * b->copies, 2 * depth, "",
                STR_ARG(label));
    if (n->count == 0) {
        const struct tensor *x = &p->v->tensors->p[n->tensor];
        text_format(p->t, "  %s ", spec_dtype_name(x->dtype));
        text_sizes(p->t, x->dims, x->rank);
    }
    if (times > 1)
        text_format(p->t, "  x%" PRIu64, times);
    text_c(p->t, "\n");
}

static void put_children(const struct printer *p, const struct name_node *n,
                         int depth, uint64_t copies);

/* A tensor that is a prefix, too: two lines. */
static void put_own(const struct printer *p, const struct branch *b, int depth,
                    struct str label, uint64_t times)
{
    struct name_node leaf = *b->node;
    struct branch own = *b;
    leaf.count = 0;
    leaf.tensors = 1;
    leaf.bytes = p->v->tensors->p[leaf.tensor].size;
    own.node = &leaf;
    put_line(p, &own, depth, label, times);
}

/* A branch, and with it all that has no sibling below it. */
static void put_branch(const struct printer *p, struct branch b, int depth)
{
    struct text label = {0};
    uint64_t before = b.copies;
    const struct name_node *n = b.node;
    put_component(&label, &b);
    if (b.run)
        before /= b.last - n->index + 1;
    while (n->tensor == NAMETREE_NO_TENSOR && nametree_run(n, 0) == n->count) {
        b = branch_at(n, 0, n->count, b.copies);
        n = b.node;
        text_c(&label, ".");
        put_component(&label, &b);
    }
    if (n->tensor != NAMETREE_NO_TENSOR && n->count > 0)
        put_own(p, &b, depth, text_view(&label), b.copies / before);
    if (n->count > 0) {
        struct name_node below = *n;
        if (n->tensor != NAMETREE_NO_TENSOR) {
            below.tensors--;
            below.bytes -= p->v->tensors->p[n->tensor].size;
        }
        b.node = &below;
        text_c(&label, ".");
        put_line(p, &b, depth, text_view(&label), b.copies / before);
        put_children(p, n, depth + 1, b.copies);
    } else {
        put_line(p, &b, depth, text_view(&label), b.copies / before);
    }
    text_release(&label);
}

static void put_children(const struct printer *p, const struct name_node *n,
                         int depth, uint64_t copies)
{
    size_t k;
    for (size_t i = 0; i < n->count; i += k) {
        k = nametree_run(n, i);
        put_branch(p, branch_at(n, i, k, copies), depth);
    }
}

/* --- JSON --- */

static void json_children(const struct printer *p, const struct name_node *n,
                          uint64_t copies);

static void json_branch(const struct printer *p, const struct branch *b)
{
    const struct name_node *n = b->node;
    text_format(p->t, "{\"bytes\":%" PRIu64 ",\"children\":[",
                n->bytes * b->copies);
    json_children(p, n, b->copies);
    text_c(p->t, "],");
    if (!b->run) {
        text_c(p->t, "\"component\":");
        meta_string(p->t, n->component);
        text_c(p->t, ",");
    }
    if (n->tensor != NAMETREE_NO_TENSOR)
        text_format(p->t, "\"dtype\":\"%s\",",
                    spec_dtype_name(p->v->tensors->p[n->tensor].dtype));
    text_format(p->t, "\"elements\":%" PRIu64 ",", n->elements * b->copies);
    if (b->run)
        text_format(p->t, "\"first\":%" PRIu64 ",\"last\":%" PRIu64 ",",
                    n->index, b->last);
    if (n->tensor != NAMETREE_NO_TENSOR) {
        const struct tensor *x = &p->v->tensors->p[n->tensor];
        text_c(p->t, "\"shape\":");
        text_sizes(p->t, x->dims, x->rank);
        text_c(p->t, ",");
    }
    text_format(p->t, "\"tensors\":%" PRIu64 "}", n->tensors * b->copies);
}

static void json_children(const struct printer *p, const struct name_node *n,
                          uint64_t copies)
{
    size_t k;
    for (size_t i = 0; i < n->count; i += k) {
        struct branch b;
        k = nametree_run(n, i);
        b = branch_at(n, i, k, copies);
        text_c(p->t, i > 0 ? "," : "");
        json_branch(p, &b);
    }
}

void inspect_tree(struct text *t, const struct inspect_view *v)
{
    struct printer p = {t, v};
    struct inspect_totals n = {v->s.count, v->tensors->n, v->s.bytes};
    const struct name_node *root =
        nametree_build(v->a, v->tensors->p, v->s.index, v->s.count);
    if (!v->args->json) {
        put_children(&p, root, 0, 1);
        inspect_totals(t, v->args, v->format, n);
        return;
    }
    text_format(t, "{\"bytes\":%" PRIu64 ",\"children\":[", root->bytes);
    json_children(&p, root, 1);
    text_format(t,
                "],\"elements\":%" PRIu64 ",\"format\":\"%s\",\"tensors\":"
                "%" PRIu64 "}\n",
                root->elements, v->format, root->tensors);
}
