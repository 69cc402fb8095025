/* SPDX-License-Identifier: MIT
 *
 * header_gen.c - the parts of the header in their order: what it is, the
 * spec's constants and groups; then header_shape.c, header_struct.c and
 * header_bind.c.
 */
#include "header_gen.h"

#include <inttypes.h>

#include "commands.h"
#include "compile.h"
#include "header_form.h"
#include "header_literal.h"
#include "outfile.h"
#include "sidecar.h"

/* --- constants --- */

static void put_item(struct text *t, const struct constant_value *v, size_t i)
{
    const struct constant_item *item = &v->as->items[i];
    if (item->kind == CONSTANT_INTEGER)
        literal_put_integer(t, v->integers[i]);
    else if (item->kind == CONSTANT_DECIMAL)
        literal_put_decimal(t, item->decimal);
    else
        literal_put_string(t, item->text);
}

static void put_constant(struct generator *g, const struct constant_value *v)
{
    const struct constant *c = v->as;
    struct str name = header_upper(g->a, c->name);
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

/* --- all of it --- */

static void put_comment(struct generator *g, struct str words)
{
    literal_put_comment(&g->t, words);
    text_c(&g->t, "\n");
}

static void put_manual(struct generator *g)
{
    const char *up = g->upper.p, *low = g->lower.p;
    text_format(&g->t,
                " *     struct %s_weights w;\n"
                " *     const void *bases[%s_GROUP_COUNT];\n"
                " *     ttsb_open(path, NULL, &blob, &error);\n"
                " *     ttsb_host_bases(blob, bases, %s_GROUP_COUNT);\n"
                " *     status = %s_bind(blob, bases, &w);\n"
                " *     if (status != TTSB_OK)\n"
                " *         %s_require(blob, &error); ... says why\n */\n\n",
                low, up, up, low, low);
    put_comment(
        g, arena_format(
               g->a,
               "In struct %s_weights each tensor is a pointer. A part of it "
               "goes to a function as `const struct %s_weights_PATH *` (in "
               "C++, where types nest, as %s_weights::%s_weights_PATH), if no "
               "two parts have one PATH: that is a name without the indices "
               "of arrays, `_` between components.",
               low, low, low, low));
    put_comment(
        g, arena_format(
               g->a,
               "A tensor's macros are %s_PATH_WORD, in upper case. WORD is "
               "DTYPE, RANK, DIM0 and on, STRIDE0 and on (in elements), GROUP, "
               "SIZE (bytes), INDEX (in the file) or OFFSET (bytes, from the "
               "start of its group). All are integer constant expressions, "
               "good in #if. What differs in an array takes the indices, in "
               "range: OFFSET(i), DIM0(i, j); a DIM beyond the tensor's own "
               "rank is 0. PATH_COUNT is an array's length, PATH_COUNT1 that "
               "of the arrays in it. Enumerators, which #if does not know, are "
               "the places of axes, PATH_AXIS_NAME, and of groups, GROUP_NAME.",
               up));
}

static void put_platform(struct generator *g)
{
    text_format(
        &g->t,
        "#ifndef %.*s_H\n#define %.*s_H\n\n#include <string.h>\n\n"
        "#include \"ttsb.h\"\n\n"
        "#if TTSB_VERSION_MAJOR != 1 || TTSB_VERSION_MINOR < 1 || "
        "!defined(TTSB_CAST)\n"
        "#error \"this header needs a ttsb.h as new as the ttswc that wrote "
        "it\"\n#endif\n"
        "#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != "
        "__ORDER_LITTLE_ENDIAN__\n"
        "#error \"a blob's numbers are little endian\"\n#endif\n\n",
        STR_ARG(g->upper), STR_ARG(g->upper));
}

static void put_identity(struct generator *g)
{
    const struct model *m = g->m;
    struct text *t = &g->t;
    text_format(t, "#define %.*s_MODEL ", STR_ARG(g->upper));
    literal_put_string(t, m->spec->model);
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

static void put_groups(struct generator *g)
{
    text_c(&g->t, "/* ---- Groups, in load order ---- */\n\nenum {\n");
    for (size_t i = 0; i < g->m->group_count; i++)
        text_format(&g->t, "    %.*s_GROUP_%.*s = %zu%s\n", STR_ARG(g->upper),
                    STR_ARG(header_upper(g->a, g->m->groups[i].name)), i,
                    i + 1 < g->m->group_count ? "," : "");
    text_c(&g->t, "};\n");
    for (size_t i = 0; i < g->m->group_count; i++) {
        struct str name = header_upper(g->a, g->m->groups[i].name);
        text_format(&g->t,
                    "#define %.*s_GROUP_%.*s_SIZE INT64_C(%" PRIu64 ")\n",
                    STR_ARG(g->upper), STR_ARG(name), g->m->groups[i].size);
        text_format(
            &g->t, "#define %.*s_GROUP_%.*s_PLACE %d /* %s */\n",
            STR_ARG(g->upper), STR_ARG(name), (int)g->m->groups[i].place,
            g->m->groups[i].place == TTSB_PLACE_HOST ? "TTSB_PLACE_HOST"
                                                     : "TTSB_PLACE_DEVICE");
    }
    text_c(&g->t, "\n");
}

static void put_head(struct generator *g)
{
    text_format(&g->t,
                "/* Generated by `ttswc header` from the spec of %.*s, "
                "revision %" PRIu64 ".\n * Do not edit: change the spec.\n *\n",
                STR_ARG(g->m->spec->model), g->m->spec->revision);
    put_manual(g);
    put_platform(g);
    put_identity(g);
    for (size_t i = 0; i < g->m->constant_count; i++)
        put_constant(g, &g->m->constants[i]);
    text_c(&g->t, g->m->constant_count > 0 ? "\n" : "");
    put_groups(g);
}

/* An engine's own header may be BIGVGAN_H as well; this one would then be
 * empty, and each of its names an error of its own. */
static void put_end(struct generator *g)
{
    text_format(&g->t,
                "#elif !defined(%.*s_CONTRACT_ID)\n"
                "#error \"%.*s_H is another header's guard: this one is not "
                "read\"\n#endif\n",
                STR_ARG(g->upper), STR_ARG(g->upper));
}

struct str header_text(struct arena *a, struct diag *d, const struct model *m)
{
    struct generator g = {.m = m, .a = a};
    struct str s;
    g.root = members_tree(a, d, m);
    g.lower = header_identifier(a, m->spec->model, false);
    g.upper = header_identifier(a, m->spec->model, true);
    families_find(a, g.root, &g.families);
    put_head(&g);
    header_put_struct(&g);
    header_put_bind(&g);
    header_put_unused(&g);
    header_put_shapes(&g);
    put_end(&g);
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
