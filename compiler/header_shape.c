/* SPDX-License-Identifier: MIT
 *
 * header_shape.c - for each family of tensors its dtype, dims, strides, group,
 * size, index and offset, as macros; the order of its axes, as an enum.
 */
#include <inttypes.h>

#include "header_form.h"
#include "header_series.h"

/* Which number of a tensor. */
enum fact { RANK, DIM, STRIDE, SIZE, INDEX, OFFSET };

static const char *const fact_names[] = {"RANK", "DIM",   "STRIDE",
                                         "SIZE", "INDEX", "OFFSET"};

static int64_t fact_of(const struct output *o, enum fact fact, uint32_t axis)
{
    switch (fact) {
    case RANK:
        return o->type.rank;
    case DIM:
        return axis < o->type.rank ? (int64_t)o->type.axes[axis].size : 0;
    case STRIDE:
        return axis < o->type.rank ? (int64_t)type_stride(o->type, axis) : 0;
    case SIZE:
        return (int64_t)o->size;
    default:
        return (int64_t)o->offset;
    }
}

static void put_name(struct generator *g, const struct family *f,
                     const char *word)
{
    text_format(&g->t, "#define %.*s_%.*s_%s", STR_ARG(g->upper),
                STR_ARG(f->name), word);
}

/* "(i, j) " */
static void put_parameters(struct generator *g, const struct family *f)
{
    for (uint32_t d = 0; d < f->index_count; d++)
        text_format(&g->t, "%s%.*s", d == 0 ? "(" : ", ",
                    STR_ARG(family_index(g->a, d)));
    text_c(&g->t, f->index_count > 0 ? ") " : " ");
}

/* One macro. What an engine's loop would ask for each element has parameters
 * always, the rest only where the elements differ. */
static void put_fact(struct generator *g, const struct family *f,
                     enum fact fact, uint32_t axis)
{
    struct arena scratch = {0};
    int64_t one;
    int64_t *values =
        f->count == 1 ? &one : arena_new(&scratch, int64_t, f->count);
    struct series s = {values, f->count, f->extents, f->index_count};
    bool each = fact == INDEX || fact == OFFSET;
    for (size_t k = 0; k < f->count; k++)
        values[k] = fact == INDEX
                        ? f->outputs[k]
                        : fact_of(&g->m->outputs[f->outputs[k]], fact, axis);
    put_name(g, f, fact_names[fact]);
    if (fact == DIM || fact == STRIDE)
        text_format(&g->t, "%" PRIu32, axis);
    if (each || !series_is_constant(&s))
        put_parameters(g, f);
    else
        text_c(&g->t, " ");
    series_put(&g->t, &scratch, &s);
    text_c(&g->t, "\n");
    arena_release(&scratch);
}

/* A group may differ, too; its name stands beside the number that #if needs. */
static void put_group(struct generator *g, const struct family *f)
{
    struct arena scratch = {0};
    int64_t one;
    int64_t *values =
        f->count == 1 ? &one : arena_new(&scratch, int64_t, f->count);
    struct series s = {values, f->count, f->extents, f->index_count};
    for (size_t k = 0; k < f->count; k++)
        values[k] = g->m->outputs[f->outputs[k]].group;
    put_name(g, f, "GROUP");
    if (series_is_constant(&s)) {
        text_format(&g->t, " %" PRId64 " /* %.*s */\n", values[0],
                    STR_ARG(g->m->groups[values[0]].name));
    } else {
        put_parameters(g, f);
        series_put(&g->t, &scratch, &s);
        text_c(&g->t, "\n");
    }
    arena_release(&scratch);
}

static bool same_axes(struct type a, struct type b)
{
    for (uint32_t i = 0; i < a.rank && a.rank == b.rank; i++)
        if (!str_eq(a.axes[i].name, b.axes[i].name))
            return false;
    return a.rank == b.rank;
}

/* Nothing if the axes have no names, or differ from element to element. */
static void put_axes(struct generator *g, const struct family *f)
{
    struct type t = g->m->outputs[f->outputs[0]].type;
    const char *before = "enum { ";
    for (size_t k = 1; k < f->count; k++)
        if (!same_axes(t, g->m->outputs[f->outputs[k]].type)) {
            text_c(&g->t, "/* its axes differ: none are named */\n");
            return;
        }
    for (uint32_t i = 0; i < t.rank; i++) {
        if (t.axes[i].name.n == 0)
            continue;
        text_format(&g->t, "%s%.*s_%.*s_AXIS_%.*s = %" PRIu32, before,
                    STR_ARG(g->upper), STR_ARG(f->name),
                    STR_ARG(header_upper(g->a, t.axes[i].name)), i);
        before = ", ";
    }
    if (before[0] == ',')
        text_c(&g->t, " };\n");
}

static void put_title(struct generator *g, const struct family *f)
{
    const struct output *o = &g->m->outputs[f->outputs[0]];
    bool optional = false;
    for (size_t k = 0; k < f->count; k++)
        optional = optional || g->m->outputs[f->outputs[k]].optional;
    text_format(&g->t, "\n/* %.*s: %s ", STR_ARG(f->path),
                spec_dtype_name(o->dtype));
    text_str(&g->t, type_text(g->a, o->type));
    text_format(&g->t, "%s%s */\n", family_is_even(f, g->m) ? "" : ", ...",
                optional ? ", optional" : "");
}

static void put_family(struct generator *g, const struct family *f)
{
    const struct output *o = &g->m->outputs[f->outputs[0]];
    uint32_t rank = 0;
    for (size_t k = 0; k < f->count; k++)
        if (g->m->outputs[f->outputs[k]].type.rank > rank)
            rank = g->m->outputs[f->outputs[k]].type.rank;
    put_title(g, f);
    put_name(g, f, "DTYPE");
    text_format(&g->t, " %d /* ", (int)o->dtype);
    text_format(
        &g->t, "%.*s */\n",
        STR_ARG(header_upper(
            g->a, arena_format(g->a, "TTSB_%s", spec_dtype_name(o->dtype)))));
    put_fact(g, f, RANK, 0);
    for (uint32_t i = 0; i < rank; i++)
        put_fact(g, f, DIM, i);
    for (uint32_t i = 0; i < rank; i++)
        put_fact(g, f, STRIDE, i);
    put_group(g, f);
    put_fact(g, f, SIZE, 0);
    put_fact(g, f, INDEX, 0);
    put_fact(g, f, OFFSET, 0);
    put_axes(g, f);
}

static void put_arrays(struct generator *g)
{
    const struct families *f = &g->families;
    for (size_t i = 0; i < f->array_count; i++) {
        const struct family_array *x = &f->arrays[i];
        text_format(&g->t, "#define %.*s_%.*s_COUNT", STR_ARG(g->upper),
                    STR_ARG(x->name));
        if (x->nth > 0)
            text_format(&g->t, "%" PRIu32, x->nth);
        text_format(&g->t, " INT64_C(%" PRIu64 ") /* %.*s[] */\n", x->count,
                    STR_ARG(x->path));
    }
}

void header_put_shapes(struct generator *g)
{
    text_c(&g->t, "/* ---- Arrays and tensors ---- */\n\n");
    put_arrays(g);
    for (size_t i = 0; i < g->families.count; i++)
        put_family(g, &g->families.items[i]);
    text_c(&g->t, "\n");
}
