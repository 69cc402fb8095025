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

struct str type_text(struct arena *a, struct type t)
{
    struct str s = str_c("[");
    for (uint32_t i = 0; i < t.rank; i++) {
        const struct axis *x = &t.axes[i];
        s = arena_format(a, "%.*s%s%.*s%s%" PRIu64, STR_ARG(s),
                         i > 0 ? "," : "", STR_ARG(x->name),
                         x->name.n > 0 ? "=" : "", x->size);
    }
    return arena_format(a, "%.*s]", STR_ARG(s));
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
