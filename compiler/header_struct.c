/* SPDX-License-Identifier: MIT
 *
 * header_struct.c - the tree of members as nested structs, what must hold of
 * them, and what a build with TTSB_COVERAGE adds.
 */
#include <inttypes.h>

#include "header_form.h"
#include "header_literal.h"

static const struct {
    const char *type;
    int bytes; /* of one element, or of a packed byte */
} types[TTSB_DTYPE_COUNT] = {
    [TTSB_BOOL] = {"uint8_t", 1},
    [TTSB_U8] = {"uint8_t", 1},
    [TTSB_I8] = {"int8_t", 1},
    [TTSB_U16] = {"uint16_t", 2},
    [TTSB_I16] = {"int16_t", 2},
    [TTSB_U32] = {"uint32_t", 4},
    [TTSB_I32] = {"int32_t", 4},
    [TTSB_U64] = {"uint64_t", 8},
    [TTSB_I64] = {"int64_t", 8},
    [TTSB_F16] = {"struct ttsb_f16", 2},
    [TTSB_BF16] = {"struct ttsb_bf16", 2},
    [TTSB_F32] = {"float", 4},
    [TTSB_F64] = {"double", 8},
    [TTSB_C64] = {"struct ttsb_c64", 8},
    [TTSB_F8_E4M3] = {"struct ttsb_f8_e4m3", 1},
    [TTSB_F8_E5M2] = {"struct ttsb_f8_e5m2", 1},
    [TTSB_F8_E8M0] = {"struct ttsb_f8_e8m0", 1},
    [TTSB_F8_E4M3FNUZ] = {"struct ttsb_f8_e4m3fnuz", 1},
    [TTSB_F8_E5M2FNUZ] = {"struct ttsb_f8_e5m2fnuz", 1},
    [TTSB_F4] = {"struct ttsb_packed", 1},
    [TTSB_F6_E2M3] = {"struct ttsb_packed", 1},
    [TTSB_F6_E3M2] = {"struct ttsb_packed", 1},
};

const char *header_type(enum ttsb_dtype dtype)
{
    return types[dtype].type;
}

static void put_indent(struct text *t, int depth)
{
    text_format(t, "%*s", depth * 4, "");
}

/* One declaration, of the next family: they come in the members' order. */
static void put_pointer(struct generator *g, const struct family *f,
                        struct str name, struct str dims)
{
    const struct output *o = &g->m->outputs[f->outputs[0]];
    bool optional = false;
    for (size_t k = 0; k < f->count; k++)
        optional = optional || g->m->outputs[f->outputs[k]].optional;
    text_format(&g->t, "const %s *%.*s%.*s; /* ", header_type(o->dtype),
                STR_ARG(name), STR_ARG(dims));
    text_format(&g->t, "%s ", spec_dtype_name(o->dtype));
    text_str(&g->t, type_text(g->a, o->type));
    text_c(&g->t, family_is_even(f, g->m) ? "" : ", ...");
    text_c(&g->t, optional ? ", or NULL */\n" : " */\n");
}

/* Which tags would be two structs'. */
static void find_tags(struct generator *g, const struct member *m,
                      struct str path)
{
    for (; m->kind == MEMBER_ARRAY; m = m->first)
        ;
    for (const struct member *c = m->first; c != NULL; c = c->next) {
        const struct member *x = c;
        struct str tag = header_join(g->a, path, c);
        uint32_t first = 0;
        for (; x->kind == MEMBER_ARRAY; x = x->first)
            ;
        if (x->kind != MEMBER_TENSOR &&
            !nametab_add(g->a, &g->tags, tag, &first))
            nametab_add(g->a, &g->ambiguous, tag, &first);
        find_tags(g, c, tag);
    }
}

static void put_tag(struct generator *g, struct str tag)
{
    uint32_t first;
    if (nametab_find(&g->ambiguous, tag, &first))
        text_c(&g->t, "struct {\n");
    else
        text_format(&g->t, "struct %.*s_weights_%.*s {\n", STR_ARG(g->lower),
                    STR_ARG(tag));
}

static void put_members(struct generator *g, const struct member *parent,
                        struct str path, int depth);

/* One declaration; an array of arrays has one `[n]` for each. */
static void put_member(struct generator *g, const struct member *m,
                       struct str path, int depth)
{
    struct str name = header_member(g->a, m), dims = {"", 0};
    for (; m->kind == MEMBER_ARRAY; m = m->first)
        dims = arena_format(g->a, "%.*s[%zu]", STR_ARG(dims), m->count);
    put_indent(&g->t, depth);
    if (m->kind == MEMBER_TENSOR) {
        put_pointer(g, &g->families.items[g->declared++], name, dims);
        return;
    }
    put_tag(g, path);
    put_members(g, m, path, depth + 1);
    put_indent(&g->t, depth);
    text_format(&g->t, "} %.*s%.*s;\n", STR_ARG(name), STR_ARG(dims));
}

static void put_members(struct generator *g, const struct member *parent,
                        struct str path, int depth)
{
    for (const struct member *m = parent->first; m != NULL; m = m->next)
        put_member(g, m, header_join(g->a, path, m), depth);
}

static void put_assertions(struct generator *g)
{
    struct text *t = &g->t;
    bool seen[TTSB_DTYPE_COUNT] = {false};
    for (size_t i = 0; i < g->m->output_count; i++)
        seen[g->m->outputs[i].dtype] = true;
    for (int i = 1; i < TTSB_DTYPE_COUNT; i++)
        if (seen[i])
            text_format(t,
                        "TTSB_STATIC_ASSERT(sizeof(%s) == %d, \"%s is %d "
                        "bytes in a blob\");\n",
                        types[i].type, types[i].bytes,
                        spec_dtype_name((enum ttsb_dtype)i), types[i].bytes);
    text_format(t,
                "#ifdef TTSB_COVERAGE\n"
                "TTSB_STATIC_ASSERT(sizeof(struct %.*s_weights) ==\n"
                "                       (%.*s_TENSOR_COUNT + 1) * "
                "sizeof(void *),\n"
                "                   \"every member is one pointer\");\n"
                "#else\n",
                STR_ARG(g->lower), STR_ARG(g->upper));
    text_format(t,
                "TTSB_STATIC_ASSERT(sizeof(struct %.*s_weights) ==\n"
                "                       %.*s_TENSOR_COUNT * sizeof(void *),\n"
                "                   \"every member is one pointer\");\n"
                "#endif\n\n",
                STR_ARG(g->lower), STR_ARG(g->upper));
}

void header_put_struct(struct generator *g)
{
    text_format(&g->t, "/* ---- The weights ---- */\n\nstruct %.*s_weights {\n",
                STR_ARG(g->lower));
    find_tags(g, g->root, (struct str){"", 0});
    put_members(g, g->root, (struct str){"", 0}, 1);
    text_c(&g->t, "#ifdef TTSB_COVERAGE\n"
                  "    uint32_t *ttsb_used; /* see ttsb_use.h */\n"
                  "#endif\n};\n\n");
    put_assertions(g);
}

/* --- coverage --- */

/* The tensors in the order of their members: as every member is one pointer,
 * a member's place in the struct is its number here. */
static void put_names(struct generator *g, const struct member *m)
{
    if (m->kind == MEMBER_TENSOR) {
        text_c(&g->t, "        ");
        literal_put_string(&g->t, g->m->outputs[m->output].name);
        text_c(&g->t, ",\n");
        return;
    }
    for (const struct member *c = m->first; c != NULL; c = c->next)
        put_names(g, c);
}

void header_put_unused(struct generator *g)
{
    struct text *t = &g->t;
    text_format(t,
                "#ifdef TTSB_COVERAGE\n"
                "/* The name of the first tensor that TTSB_USE did not use, "
                "from member number\n * *next on, which starts as 0 and then "
                "stands behind it; NULL if all were used.\n"
                " * Without w->ttsb_used none was. */\n"
                "static inline const char *%.*s_unused(\n"
                "    const struct %.*s_weights *w, uint32_t *next)\n{\n"
                "    static const char *const names[%.*s_TENSOR_COUNT] = {\n",
                STR_ARG(g->lower), STR_ARG(g->lower), STR_ARG(g->upper));
    put_names(g, g->root);
    text_format(t,
                "    };\n"
                "    while (*next < %.*s_TENSOR_COUNT) {\n"
                "        const uint32_t i = (*next)++;\n"
                "        if (w->ttsb_used == NULL || "
                "!ttsb_is_used(w->ttsb_used, i))\n"
                "            return names[i];\n"
                "    }\n    return NULL;\n}\n#endif\n\n",
                STR_ARG(g->upper));
}
