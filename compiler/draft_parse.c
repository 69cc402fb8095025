/* SPDX-License-Identifier: MIT
 *
 * draft_parse.c - looks for the `?` of `layout:`, counts those of types.
 */
#include "draft_parse.h"

static const struct node *open_item(const struct node *root)
{
    for (size_t i = 0; root->kind == NODE_MAP && i < root->count; i++) {
        const struct node *n = root->items[i];
        if (!str_is(root->keys[i]->text, "layout") || n->kind != NODE_LIST)
            continue;
        for (size_t k = 0; k < n->count; k++)
            if (n->items[k]->kind == NODE_SCALAR &&
                str_is(n->items[k]->text, "?"))
                return n->items[k];
    }
    return NULL;
}

/* The `?=` in the scalars of a tree, which nests at most 64 deep. */
static size_t count_axes(const struct node *n)
{
    size_t count = 0;
    if (n->kind == NODE_SCALAR) {
        for (size_t i = 1; i < n->text.n; i++)
            count += n->text.p[i - 1] == '?' && n->text.p[i] == '=';
        return count;
    }
    for (size_t i = 0; i < n->count; i++)
        count += count_axes(n->items[i]);
    return count;
}

bool draft_is_open(struct parser *p, const struct node *root)
{
    const struct node *open = open_item(root);
    struct diag_item *item;
    size_t count;
    if (open == NULL)
        return false;
    count = count_axes(root);
    item = diag_add(p->d, "E0201", diag_at(open->at),
                    "this is a draft: its axes have no names yet");
    diag_note(p->d, item, "%zu `?=` in types wait for a name, too", count);
    diag_help(p->d, item,
              "say of each tensor what its axes are, as they are stored: "
              "`[out=512, in=512]`; and list the names here, in the order in "
              "which outputs are to have them");
    return true;
}
