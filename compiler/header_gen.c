/* SPDX-License-Identifier: MIT
 *
 * header_gen.c - prints the tree of members as nested structs, the bind
 * function line by line, and what a build with TTSB_COVERAGE adds.
 */
#include "header_gen.h"

#include <ctype.h>
#include <inttypes.h>

#include "commands.h"
#include "compile.h"
#include "members.h"
#include "outfile.h"
#include "sidecar.h"
#include "text.h"

struct generator {
    const struct model *m;
    struct text t;
    struct str lower; /* the model's name as an identifier */
    struct str upper;
};

static struct str identifier(struct arena *a, struct str model, bool upper)
{
    char *p = arena_take(a, 1, model.n + 1);
    for (size_t i = 0; i < model.n; i++) {
        char c = model.p[i] == '.' || model.p[i] == '-' ? '_' : model.p[i];
        p[i] = upper ? (char)toupper((unsigned char)c) : c;
    }
    return (struct str){p, model.n};
}

static const char *pointer_type(enum ttsb_dtype dtype)
{
    static const char *const types[TTSB_DTYPE_COUNT] = {
        [TTSB_BOOL] = "uint8_t",
        [TTSB_U8] = "uint8_t",
        [TTSB_I8] = "int8_t",
        [TTSB_U16] = "uint16_t",
        [TTSB_I16] = "int16_t",
        [TTSB_U32] = "uint32_t",
        [TTSB_I32] = "int32_t",
        [TTSB_U64] = "uint64_t",
        [TTSB_I64] = "int64_t",
        [TTSB_F16] = "struct ttsb_f16",
        [TTSB_BF16] = "struct ttsb_bf16",
        [TTSB_F32] = "float",
        [TTSB_F64] = "double",
        [TTSB_C64] = "struct ttsb_c64",
        [TTSB_F8_E4M3] = "struct ttsb_f8_e4m3",
        [TTSB_F8_E5M2] = "struct ttsb_f8_e5m2",
        [TTSB_F8_E8M0] = "struct ttsb_f8_e8m0",
        [TTSB_F8_E4M3FNUZ] = "struct ttsb_f8_e4m3fnuz",
        [TTSB_F8_E5M2FNUZ] = "struct ttsb_f8_e5m2fnuz",
        [TTSB_F4] = "struct ttsb_packed",
        [TTSB_F6_E2M3] = "struct ttsb_packed",
        [TTSB_F6_E3M2] = "struct ttsb_packed",
    };
    return types[dtype];
}

/* --- constants --- */

static void put_literal(struct text *t, struct str s)
{
    text_c(t, "\"");
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\' || c == '?')
            text_format(t, "\\%c", c);
        else if (c < 0x20 || c > 0x7e)
            text_format(t, "\\%03o", c);
        else
            text_format(t, "%c", c);
    }
    text_c(t, "\"");
}

static void put_integer(struct text *t, int64_t v)
{
    if (v == INT64_MIN)
        text_c(t, "(-INT64_C(9223372036854775807) - 1)");
    else
        text_format(t,
                    v < 0 ? "(-INT64_C(%" PRId64 "))" : "INT64_C(%" PRId64 ")",
                    v < 0 ? -v : v);
}

static void put_item(struct text *t, const struct constant_value *v, size_t i)
{
    const struct constant_item *item = &v->as->items[i];
    if (item->kind == CONSTANT_INTEGER)
        put_integer(t, v->integers[i]);
    else if (item->kind == CONSTANT_DECIMAL)
        text_format(t, item->decimal < 0 ? "(%a)" : "%a", item->decimal);
    else
        put_literal(t, item->text);
}

static void put_constant(struct generator *g, struct arena *a,
                         const struct constant_value *v)
{
    const struct constant *c = v->as;
    struct str name = identifier(a, c->name, true);
    if (!c->is_list) {
        text_format(&g->t, "#define %.*s_%.*s ", STR_ARG(g->upper),
                    STR_ARG(name));
        put_item(&g->t, v, 0);
        text_c(&g->t, "\n");
        return;
    }
    text_format(&g->t, "#define %.*s_%.*s_COUNT %zu\n", STR_ARG(g->upper),
                STR_ARG(name), c->count);
    text_format(&g->t, "#define %.*s_%.*s {", STR_ARG(g->upper), STR_ARG(name));
    for (size_t i = 0; i < c->count; i++) {
        text_c(&g->t, i > 0 ? ", " : "");
        put_item(&g->t, v, i);
    }
    text_c(&g->t, "}\n");
}

/* --- the weights --- */

static void put_indent(struct text *t, int depth)
{
    text_format(t, "%*s", depth * 4, "");
}

static struct str member_name(struct arena *a, const struct member *m)
{
    return m->is_index ? arena_format(a, "_%.*s", STR_ARG(m->component))
                       : m->component;
}

static void put_members(struct generator *g, struct arena *a,
                        const struct member *parent, int depth);

/* One declaration; an array of arrays has one `[n]` for each. */
static void put_member(struct generator *g, struct arena *a,
                       const struct member *m, int depth)
{
    struct str name = member_name(a, m), dims = {"", 0};
    const struct output *o;
    for (; m->kind == MEMBER_ARRAY; m = m->first)
        dims = arena_format(a, "%.*s[%zu]", STR_ARG(dims), m->count);
    put_indent(&g->t, depth);
    if (m->kind == MEMBER_TENSOR) {
        o = &g->m->outputs[m->output];
        text_format(&g->t, "const %s *%.*s%.*s; /* ", pointer_type(o->dtype),
                    STR_ARG(name), STR_ARG(dims));
        text_format(&g->t, "%s ", spec_dtype_name(o->dtype));
        text_str(&g->t, type_text(a, o->type));
        text_c(&g->t, dims.n > 0 ? ", ... */\n" : " */\n");
        return;
    }
    text_c(&g->t, "struct {\n");
    put_members(g, a, m, depth + 1);
    put_indent(&g->t, depth);
    text_format(&g->t, "} %.*s%.*s;\n", STR_ARG(name), STR_ARG(dims));
}

static void put_members(struct generator *g, struct arena *a,
                        const struct member *parent, int depth)
{
    for (const struct member *m = parent->first; m != NULL; m = m->next)
        put_member(g, a, m, depth);
}

static void put_struct(struct generator *g, struct arena *a,
                       const struct member *root)
{
    text_format(&g->t, "struct %.*s_weights {\n", STR_ARG(g->lower));
    put_members(g, a, root, 1);
    text_c(&g->t, "#ifdef TTSB_COVERAGE\n"
                  "    uint32_t *ttsb_used; /* see ttsb_use.h */\n"
                  "#endif\n};\n\n");
}

/* --- coverage --- */

/* The tensors in the order of their members: as every member is one pointer,
 * a member's place in the struct is its number here. */
static void put_names(struct generator *g, const struct member *m)
{
    if (m->kind == MEMBER_TENSOR) {
        text_c(&g->t, "        ");
        put_literal(&g->t, g->m->outputs[m->output].name);
        text_c(&g->t, ",\n");
        return;
    }
    for (const struct member *c = m->first; c != NULL; c = c->next)
        put_names(g, c);
}

static void put_unused(struct generator *g, const struct member *root)
{
    struct text *t = &g->t;
    text_format(t,
                "#ifdef TTSB_COVERAGE\n"
                "TTSB_STATIC_ASSERT(sizeof(struct %.*s_weights) ==\n"
                "                   (%.*s_TENSOR_COUNT + 1) * sizeof(void *),\n"
                "                   \"every member is one pointer\");\n\n",
                STR_ARG(g->lower), STR_ARG(g->upper));
    text_format(t,
                "/* The name of the first tensor that TTSB_USE did not use, "
                "from member number\n * *next on, which starts as 0 and then "
                "stands behind it; NULL if all were used.\n"
                " * Without w->ttsb_used none was. */\n"
                "static inline const char *%.*s_unused(\n"
                "    const struct %.*s_weights *w, uint32_t *next)\n{\n"
                "    static const char *const names[%.*s_TENSOR_COUNT] = {\n",
                STR_ARG(g->lower), STR_ARG(g->lower), STR_ARG(g->upper));
    put_names(g, root);
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

/* --- bind --- */

/* Assignments for all tensors below m; `path` is the lvalue so far. */
static void put_assignments(struct generator *g, struct arena *a,
                            const struct member *m, struct str path)
{
    const struct output *o;
    if (m->kind == MEMBER_TENSOR) {
        o = &g->m->outputs[m->output];
        text_format(&g->t,
                    "    %.*s =\n        (const %s *)ttsb_pointer(blob, "
                    "bases[%" PRIu32 "], %" PRIu32 ", UINT64_C(%" PRIu64
                    "));\n",
                    STR_ARG(path), pointer_type(o->dtype), o->group, m->output,
                    o->offset);
        return;
    }
    for (const struct member *c = m->first; c != NULL; c = c->next) {
        struct arena scratch = {0};
        struct str name = member_name(&scratch, c);
        if (m->kind == MEMBER_ARRAY)
            name = arena_format(&scratch, "%.*s[%" PRIu64 "]", STR_ARG(path),
                                c->index);
        else
            name = arena_format(&scratch, "%.*s%s%.*s", STR_ARG(path),
                                path.n == 1 ? "->" : ".", STR_ARG(name));
        put_assignments(g, a, c, name);
        arena_release(&scratch);
    }
}

static void put_require(struct generator *g)
{
    struct text *t = &g->t;
    text_format(t,
                "/* Whether the blob was compiled for this header: "
                "TTSB_OK, TTSB_WRONG_MODEL,\n * TTSB_WRONG_REVISION or "
                "TTSB_WRONG_CONTRACT, explained in *error (or NULL). */\n"
                "static inline int32_t %.*s_require(const struct ttsb_blob "
                "*blob,\n                         struct ttsb_error *error)\n"
                "{\n    static const uint8_t id[16] = %.*s_CONTRACT_ID;\n"
                "    struct ttsb_requirement want;\n",
                STR_ARG(g->lower), STR_ARG(g->upper));
    text_format(t,
                "    want.struct_size = (uint32_t)sizeof want;\n"
                "    want.model = %.*s_MODEL;\n"
                "    want.revision_min = %.*s_REVISION;\n"
                "    want.revision_max = %.*s_REVISION;\n"
                "    want.contract_id = id;\n"
                "    return ttsb_require(blob, &want, error);\n}\n\n",
                STR_ARG(g->upper), STR_ARG(g->upper), STR_ARG(g->upper));
}

static void put_bind(struct generator *g, struct arena *a,
                     const struct member *root)
{
    text_format(&g->t,
                "/* Points every member of *w into the groups' memory: "
                "bases[i] is the address of\n * group i, on the host "
                "(ttsb_host_bases) or on a device. A tensor that is ABSENT\n"
                " * or MISSING is NULL. Fails as %.*s_require does, and then "
                "*w is untouched. */\n"
                "static inline int32_t %.*s_bind(const struct ttsb_blob *blob,"
                "\n                      const void *const *bases,\n"
                "                      struct %.*s_weights *w)\n{\n"
                "    int32_t status = %.*s_require(blob, NULL);\n"
                "    if (status != TTSB_OK)\n        return status;\n",
                STR_ARG(g->lower), STR_ARG(g->lower), STR_ARG(g->lower),
                STR_ARG(g->lower));
    put_assignments(g, a, root, str_c("w"));
    text_c(&g->t, "#ifdef TTSB_COVERAGE\n    w->ttsb_used = NULL;\n#endif\n");
    text_c(&g->t, "    return TTSB_OK;\n}\n\n");
}

/* --- all of it --- */

static void put_head(struct generator *g)
{
    const struct model *m = g->m;
    struct text *t = &g->t;
    text_format(t,
                "/* Generated by `ttswc header` from the spec of %.*s, "
                "revision %" PRIu64 ".\n * Do not edit: change the spec. */\n"
                "#ifndef %.*s_H\n#define %.*s_H\n\n#include \"ttsb.h\"\n\n",
                STR_ARG(m->spec->model), m->spec->revision, STR_ARG(g->upper),
                STR_ARG(g->upper));
    text_format(t, "#define %.*s_MODEL ", STR_ARG(g->upper));
    put_literal(t, m->spec->model);
    text_format(t, "\n#define %.*s_REVISION UINT64_C(%" PRIu64 ")\n",
                STR_ARG(g->upper), m->spec->revision);
    text_format(t, "#define %.*s_CONTRACT_ID \\\n    {", STR_ARG(g->upper));
    for (int i = 0; i < 16; i++)
        text_format(t, "%s0x%02x",
                    i == 0   ? ""
                    : i == 8 ? ", \\\n     "
                             : ", ",
                    m->contract_id[i]);
    text_format(t, "}\n#define %.*s_TENSOR_COUNT %zu\n", STR_ARG(g->upper),
                m->output_count);
    text_format(t, "#define %.*s_GROUP_COUNT %zu\n\n", STR_ARG(g->upper),
                m->group_count);
}

struct str header_text(struct arena *a, struct diag *d, const struct model *m)
{
    struct generator g = {.m = m};
    struct member *root = members_tree(a, d, m);
    struct str s;
    g.lower = identifier(a, m->spec->model, false);
    g.upper = identifier(a, m->spec->model, true);
    put_head(&g);
    for (size_t i = 0; i < m->constant_count; i++)
        put_constant(&g, a, &m->constants[i]);
    text_c(&g.t, m->constant_count > 0 ? "\n" : "");
    put_struct(&g, a, root);
    put_require(&g);
    put_bind(&g, a, root);
    put_unused(&g, root);
    text_c(&g.t, "#endif\n");
    s = arena_str(a, text_view(&g.t));
    text_release(&g.t);
    return s;
}

enum exit_code command_header(const struct args *args)
{
    struct run r;
    struct sidecar side;
    int error;
    run_begin(&r, args);
    sidecar_begin(&r, args, &side);
    if (run_model(&r, args->positional[0]) &&
        run_may_write(&r, args->output, NULL) &&
        sidecar_prepare(&r, NULL, &side)) {
        struct str text = header_text(&r.arena, &r.diag, &r.model);
        error = outfile_write_text(&r.arena, str_c(args->output), text);
        if (error != 0)
            diag_add_file(&r.diag, "E0704", str_c(args->output), DIAG_NO_OFFSET,
                          "cannot write: %s", outfile_error(error));
        else if (sidecar_write(&r, NULL, &side) && !args->quiet)
            printf("wrote %s\n", args->output);
    }
    return run_end(&r);
}
