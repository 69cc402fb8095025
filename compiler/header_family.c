/* SPDX-License-Identifier: MIT
 *
 * header_family.c - one walk over the tree; a table of names finds the family
 * again for each later element of an array.
 */
#include "header_family.h"

#include <inttypes.h>

#include "header_names.h"

struct extent {
    const struct extent *outer;
    uint64_t count;
    uint32_t nth; /* 0: the outermost */
};

/* The way down to a member. */
struct way {
    struct str path, loops, name;
    const struct extent *extents; /* the innermost; NULL: none */
    uint32_t nth;                 /* `[n]`s behind the last component */
};

struct finder {
    struct arena *a;
    struct families *out;
    struct nametab by_name;
    struct nametab arrays;
};

struct str family_index(struct arena *a, uint32_t nth)
{
    static const char letters[] = "ijklmn";
    return nth < sizeof letters - 1 ? (struct str){letters + nth, 1}
                                    : arena_format(a, "i%" PRIu32, nth);
}

bool family_is_even(const struct family *f, const struct model *m)
{
    for (size_t k = 1; k < f->count; k++)
        if (!type_eq(m->outputs[f->outputs[k]].type,
                     m->outputs[f->outputs[0]].type))
            return false;
    return true;
}

static const uint64_t *extents(struct arena *a, const struct extent *e)
{
    uint64_t *out = e != NULL ? arena_new(a, uint64_t, e->nth + 1) : NULL;
    for (; e != NULL; e = e->outer)
        out[e->nth] = e->count;
    return out;
}

static void add_tensor(struct finder *f, const struct way *w, uint32_t output)
{
    struct families *out = f->out;
    uint32_t at = (uint32_t)out->count;
    struct family *family;
    if (nametab_add(f->a, &f->by_name, w->name, &at)) {
        if (out->count == out->capacity)
            out->items = arena_grow(f->a, out->items, sizeof *out->items,
                                    out->count, &out->capacity);
        out->items[out->count++] = (struct family){
            .path = w->path,
            .loops = w->loops,
            .name = w->name,
            .extents = extents(f->a, w->extents),
            .index_count = w->extents != NULL ? w->extents->nth + 1 : 0};
    }
    family = &out->items[at];
    if (family->count == family->capacity)
        family->outputs =
            arena_grow(f->a, family->outputs, sizeof *family->outputs,
                       family->count, &family->capacity);
    family->outputs[family->count++] = output;
}

static void add_array(struct finder *f, const struct way *w, uint64_t count)
{
    struct families *out = f->out;
    uint32_t once = 0;
    struct str key =
        arena_format(f->a, "%.*s %" PRIu32, STR_ARG(w->name), w->nth);
    if (!nametab_add(f->a, &f->arrays, key, &once))
        return;
    if (out->array_count == out->array_capacity)
        out->arrays = arena_grow(f->a, out->arrays, sizeof *out->arrays,
                                 out->array_count, &out->array_capacity);
    out->arrays[out->array_count++] = (struct family_array){
        .path = w->path, .name = w->name, .nth = w->nth, .count = count};
}

static void find(struct finder *f, const struct member *m, struct way w)
{
    struct extent extent = {w.extents, m->count,
                            w.extents != NULL ? w.extents->nth + 1 : 0};
    struct way in = w;
    if (m->kind == MEMBER_TENSOR) {
        add_tensor(f, &w, m->output);
    } else if (m->kind == MEMBER_ARRAY) {
        add_array(f, &w, m->count);
        in.path = arena_format(f->a, "%.*s[%.*s]", STR_ARG(w.path),
                               STR_ARG(family_index(f->a, extent.nth)));
        in.loops = in.path;
        in.extents = &extent;
        in.nth++;
        for (const struct member *c = m->first; c != NULL; c = c->next)
            find(f, c, in);
    } else {
        in.nth = 0;
        for (const struct member *c = m->first; c != NULL; c = c->next) {
            in.path = arena_format(f->a, "%.*s%s%.*s", STR_ARG(w.path),
                                   w.path.n > 0 ? "." : "",
                                   STR_ARG(header_member(f->a, c)));
            in.name = header_upper(f->a, header_join(f->a, w.name, c));
            find(f, c, in);
        }
    }
}

void families_find(struct arena *a, const struct member *root,
                   struct families *out)
{
    struct finder f = {.a = a, .out = out};
    find(&f, root,
         (struct way){.path = {"", 0}, .loops = {"", 0}, .name = {"", 0}});
}
