/* SPDX-License-Identifier: MIT
 *
 * uses.c - from the regions of a value to a list of its sources.
 */
#include "uses.h"

#include <inttypes.h>

#include "meta.h"
#include "plan.h"

/* Whether a source has no elements; of a weight norm its direction counts. */
static bool is_empty(const struct leaf *leaf)
{
    uint64_t elements;
    type_elements(leaf->is_g ? leaf->pair->type : leaf->type, &elements);
    return elements == 0;
}

/* Without a region are tensors without elements, and sources of a split that
 * another piece has, which are left out. */
struct uses uses_of(struct arena *a, const struct model *m,
                    const struct output *o)
{
    struct regions v = plan_value(a, o->step);
    struct uses uses = {.zeros = regions_zeros(&v)};
    struct leaf_claims claims;
    plan_sources(&v);
    claims = claims_of(a, &v);
    uses.p = arena_new(a, struct use, o->leaf_count);
    for (uint32_t i = 0; i < o->leaf_count; i++) {
        const struct leaf *leaf = output_leaf(m, o, i);
        const struct claimed *c = claims_find(&claims, leaf);
        if ((c == NULL || c->n == 0) && !is_empty(leaf))
            continue;
        uses.p[uses.n++] = (struct use){leaf, c != NULL ? c : leaf->claimed};
    }
    return uses;
}

bool uses_is_part(struct type type, const struct claimed *c)
{
    uint64_t n = c == NULL ? 0 : claimed_box_count(c, type);
    uint64_t all;
    return n > 0 && !(type_elements(type, &all) && claimed_elements(c) == all);
}

void uses_put_range(struct text *t, struct type type, const struct box *b)
{
    const char *before = "[";
    for (uint32_t i = 0; i < type.rank; i++) {
        if (b->n[i] == type.axes[i].size)
            continue;
        text_format(t, "%s%.*s %" PRIu64 "..%" PRIu64, before,
                    STR_ARG(type.axes[i].name), b->lo[i], b->lo[i] + b->n[i]);
        before = ",";
    }
    text_c(t, before[0] == ',' ? "]" : "");
}

void uses_put_part(struct text *t, struct type type, const struct claimed *c)
{
    struct box first = {0};
    size_t from = t->n;
    uint64_t n;
    if (!uses_is_part(type, c))
        return;
    n = claimed_box_count(c, type);
    claimed_first_box(c, type, &first);
    uses_put_range(t, type, &first);
    if (n > 1 && t->n > from) {
        t->n--;
        text_format(t, " and %" PRIu64 " more]", n - 1);
    }
}

void uses_json_part(struct text *t, struct type type, const struct claimed *c)
{
    struct box first = {0};
    const char *comma = "";
    if (!uses_is_part(type, c)) {
        text_c(t, "null");
        return;
    }
    claimed_first_box(c, type, &first);
    text_format(t, "{\"boxes\":%" PRIu64 ",\"ranges\":[",
                claimed_box_count(c, type));
    for (uint32_t i = 0; i < type.rank; i++) {
        if (first.n[i] == type.axes[i].size)
            continue;
        text_format(t, "%s{\"axis\":", comma);
        meta_string(t, type.axes[i].name);
        text_format(t, ",\"begin\":%" PRIu64 ",\"end\":%" PRIu64 "}",
                    first.lo[i], first.lo[i] + first.n[i]);
        comma = ",";
    }
    text_c(t, "]}");
}

void uses_json_dropped(struct text *t, const struct dropped *d)
{
    if (d->leaf != NULL)
        uses_json_part(t, d->leaf->type, d->claimed);
    else
        text_c(t, "null");
}

void uses_put_marks(struct text *t, const struct leaf *leaf)
{
    text_c(t, leaf->also ? " (also)" : "");
    text_c(t, leaf->allow_nonfinite ? " (allow_nonfinite)" : "");
    text_c(t, leaf->source == NO_SOURCE ? " (lacking)" : "");
}
