/* SPDX-License-Identifier: MIT
 *
 * model.c - small questions about types.
 */
#include "model.h"

#include <inttypes.h>

#include "size.h"

bool type_elements(struct type t, uint64_t *out)
{
    uint64_t product = 1;
    bool empty = false;
    for (uint32_t i = 0; i < t.rank; i++) {
        if (t.axes[i].size == 0)
            empty = true;
        else if (!size_mul(product, t.axes[i].size, &product))
            return false;
    }
    *out = empty ? 0 : product;
    return true;
}

bool type_bytes(struct type t, enum ttsb_dtype dtype, uint64_t *out)
{
    uint64_t bits;
    if (!type_elements(t, &bits) ||
        !size_mul(bits, spec_dtype_bits(dtype), &bits) || bits % 8 != 0)
        return false;
    *out = bits / 8;
    return true;
}

uint64_t type_stride(struct type t, uint32_t axis)
{
    uint64_t stride = 1;
    for (uint32_t i = axis + 1; i < t.rank; i++)
        stride *= t.axes[i].size;
    return stride;
}

void type_print(struct text *t, struct type type)
{
    text_c(t, "[");
    for (uint32_t i = 0; i < type.rank; i++) {
        const struct axis *x = &type.axes[i];
        text_c(t, i > 0 ? "," : "");
        text_str(t, x->name);
        text_format(t, "%s%" PRIu64, x->name.n > 0 ? "=" : "", x->size);
    }
    text_c(t, "]");
}

struct str type_text(struct arena *a, struct type type)
{
    struct text t = {0};
    struct str s;
    type_print(&t, type);
    s = arena_str(a, text_view(&t));
    text_release(&t);
    return s;
}

struct leaf *output_leaf(const struct model *m, const struct output *o,
                         uint32_t i)
{
    return m->leaves[o->first_leaf + i];
}

struct leaf *output_only_leaf(const struct model *m, const struct output *o)
{
    struct leaf *only = NULL;
    for (uint32_t i = 0; i < o->leaf_count; i++) {
        struct leaf *leaf = output_leaf(m, o, i);
        if (leaf->is_twin || (leaf->pair != NULL && leaf->is_g) ||
            leaf->spectral > SPECTRAL_W)
            continue;
        if (only != NULL)
            return NULL;
        only = leaf;
    }
    return only;
}

/* Where the last component of a stem begins. */
static size_t last_component(struct str stem)
{
    size_t dot = stem.n;
    while (dot > 0 && stem.p[dot - 1] != '.')
        dot--;
    return dot;
}

/* "a.weight" and "original0": "a.parametrizations.weight.original0". */
static struct str parametrized(struct arena *a, struct str stem,
                               const char *tail)
{
    size_t dot = last_component(stem);
    return arena_format(a, "%.*sparametrizations.%.*s.%s", (int)dot, stem.p,
                        STR_ARG(str_cut(stem, dot, stem.n)), tail);
}

struct str spectral_name(struct arena *a, struct str stem,
                         enum weight_norm_spelling spelling,
                         enum spectral_part part)
{
    static const char *const legacy[] = {"", "_orig", "_u", "_v"};
    static const char *const param[] = {"", "original", "0._u", "0._v"};
    if (spelling == SPELLING_LEGACY)
        return arena_format(a, "%.*s%s", STR_ARG(stem), legacy[part]);
    return parametrized(a, stem, param[part]);
}

struct str leaf_spelled(struct arena *a, const struct leaf *leaf,
                        enum weight_norm_spelling spelling)
{
    if (leaf->spectral != SPECTRAL_NONE)
        return spectral_name(a, leaf->stem, spelling,
                             (enum spectral_part)leaf->spectral);
    if (spelling == SPELLING_LEGACY)
        return arena_format(a, "%.*s_%c", STR_ARG(leaf->stem),
                            leaf->is_g ? 'g' : 'v');
    return parametrized(a, leaf->stem, leaf->is_g ? "original0" : "original1");
}

struct str leaf_tail(struct arena *a, const struct leaf *leaf)
{
    struct str name = leaf->name;
    if (leaf->stem.n == 0)
        return (struct str){0};
    if (leaf->spelled)
        name = leaf_spelled(a, leaf, SPELLING_LEGACY);
    return str_cut(name, leaf->stem.n, name.n);
}

int type_axis(struct type t, struct str name)
{
    for (uint32_t i = 0; i < t.rank; i++)
        if (name.n > 0 && str_eq(t.axes[i].name, name))
            return (int)i;
    return -1;
}

bool type_eq(struct type a, struct type b)
{
    if (a.rank != b.rank)
        return false;
    for (uint32_t i = 0; i < a.rank; i++)
        if (!str_eq(a.axes[i].name, b.axes[i].name) ||
            a.axes[i].size != b.axes[i].size)
            return false;
    return true;
}

int spec_layout_rank(const struct spec *s, struct str axis)
{
    for (size_t i = 0; i < s->layout_count; i++)
        if (str_eq(s->layout[i].id, axis))
            return (int)i;
    return -1;
}

struct str spec_layout_text(struct arena *a, const struct spec *s)
{
    struct str t = str_c("[");
    for (size_t i = 0; i < s->layout_count; i++)
        t = arena_format(a, "%.*s%s%.*s", STR_ARG(t), i > 0 ? ", " : "",
                         STR_ARG(s->layout[i].id));
    return arena_format(a, "%.*s]", STR_ARG(t));
}
