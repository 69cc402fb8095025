/* SPDX-License-Identifier: MIT
 *
 * header_bind.c - MODEL_require and MODEL_bind.
 *
 * Arrays are filled by loops, which add multiples of the indices to an offset
 * or read a table of offsets; all other tensors line by line. All is NULL
 * before, and what a partial blob lacks is NULL again afterwards.
 */
#include <inttypes.h>

#include "header_form.h"
#include "header_literal.h"
#include "header_series.h"

/* --- loops --- */

/* What bind does with an output. */
struct binding {
    struct str lvalue;           /* "blk[0].attn.q.weight" */
    const struct family *family; /* if a loop begins with it */
    const int64_t *steps;        /* NULL: the loop reads a table */
    bool in_loop;                /* fills it */
};

/* With fewer tensors a table is longer than a line for each. */
enum { TABLE_MIN = 3 };

/* The steps of a family's offsets; NULL if a loop cannot add. */
static const int64_t *loop_steps(struct generator *g, const struct family *f)
{
    int64_t *values = arena_new(g->a, int64_t, f->count);
    struct series s = {values, f->count, f->extents, f->index_count};
    const int64_t *steps;
    for (size_t k = 0; k < f->count; k++)
        values[k] = (int64_t)g->m->outputs[f->outputs[k]].offset;
    steps = series_steps(g->a, &s);
    for (uint32_t d = 0; steps != NULL && d < f->index_count; d++)
        if (steps[d] < 0)
            return NULL;
    return steps;
}

/* One base, and no flag to test. */
static bool can_loop(const struct generator *g, const struct family *f)
{
    const struct output *first = &g->m->outputs[f->outputs[0]];
    for (size_t k = 0; k < f->count; k++) {
        const struct output *o = &g->m->outputs[f->outputs[k]];
        if (o->optional || o->group != first->group)
            return false;
    }
    return f->count > 1;
}

static void find_loops(struct generator *g, struct binding *bindings)
{
    for (size_t i = 0; i < g->families.count; i++) {
        const struct family *f = &g->families.items[i];
        const int64_t *steps = can_loop(g, f) ? loop_steps(g, f) : NULL;
        if (!can_loop(g, f) || (steps == NULL && f->count < TABLE_MIN))
            continue;
        bindings[f->outputs[0]].family = f;
        bindings[f->outputs[0]].steps = steps;
        for (size_t k = 0; k < f->count; k++)
            bindings[f->outputs[k]].in_loop = true;
    }
}

static void put_for(struct generator *g, const struct family *f)
{
    for (uint32_t d = 0; d < f->index_count; d++) {
        struct str index = family_index(g->a, d);
        text_format(&g->t, "%*sfor (uint64_t %.*s = 0; ", (int)(4 * d + 8), "",
                    STR_ARG(index));
        text_format(&g->t, "%.*s < %" PRIu64 "; %.*s++) {\n", STR_ARG(index),
                    f->extents[d], STR_ARG(index));
    }
}

static void put_end(struct generator *g, const struct family *f)
{
    for (uint32_t d = f != NULL ? f->index_count : 0; d-- > 0;)
        text_format(&g->t, "%*s}\n", (int)(4 * d + 8), "");
}

/* Offsets without a pattern: "at_7[i * 3 + j]" behind its table. */
static struct str put_table(struct generator *g, const struct binding *b,
                            int indent)
{
    const struct family *f = b->family;
    struct str index = family_index(g->a, 0);
    for (uint32_t d = 1; d < f->index_count; d++)
        index = arena_format(
            g->a,
            d > 1 ? "(%.*s) * %" PRIu64 " + %.*s" : "%.*s * %" PRIu64 " + %.*s",
            STR_ARG(index), f->extents[d], STR_ARG(family_index(g->a, d)));
    text_format(&g->t, "%*sstatic const uint64_t at_%" PRIu32 "[%zu] = {",
                indent, "", f->outputs[0], f->count);
    for (size_t k = 0; k < f->count; k++) {
        if (k % 4 == 0)
            text_format(&g->t, "\n%*s", indent + 4, "");
        text_format(&g->t, "%sUINT64_C(%" PRIu64 "),", k % 4 == 0 ? "" : " ",
                    g->m->outputs[f->outputs[k]].offset);
    }
    text_format(&g->t, "\n%*s};\n", indent, "");
    return arena_format(g->a, "at_%" PRIu32 "[%.*s]", f->outputs[0],
                        STR_ARG(index));
}

/* "UINT64_C(256) + i * UINT64_C(1024)" */
static struct str offset_of(struct generator *g, const struct binding *b)
{
    const struct family *f = b->family;
    struct str sum = arena_format(g->a, "UINT64_C(%" PRIu64 ")",
                                  g->m->outputs[f->outputs[0]].offset);
    for (uint32_t d = 0; d < f->index_count; d++)
        if (b->steps[d] != 0)
            sum = arena_format(g->a, "%.*s + %.*s * UINT64_C(%" PRId64 ")",
                               STR_ARG(sum), STR_ARG(family_index(g->a, d)),
                               b->steps[d]);
    return sum;
}

static void put_in_loop(struct generator *g, const struct binding *b)
{
    const struct family *f = b->family;
    int indent = (int)(4 * f->index_count + 8);
    struct str offset =
        b->steps != NULL ? offset_of(g, b) : put_table(g, b, indent);
    text_format(&g->t,
                "%*sw->%.*s = TTSB_CAST(const %s *,\n"
                "%*s    ttsb_at(base, %.*s));\n",
                indent, "", STR_ARG(f->path),
                header_type(g->m->outputs[f->outputs[0]].dtype), indent, "",
                STR_ARG(offset));
}

/* --- line by line --- */

static void put_assignment(struct generator *g, uint32_t output,
                           struct str lvalue)
{
    const struct output *o = &g->m->outputs[output];
    text_format(&g->t, "        w->%.*s = TTSB_CAST(const %s *,\n            ",
                STR_ARG(lvalue), header_type(o->dtype));
    if (o->optional)
        text_format(&g->t, "ttsb_pointer(blob, base, %" PRIu32, output);
    else
        text_c(&g->t, "ttsb_at(base");
    text_format(&g->t, ", UINT64_C(%" PRIu64 ")));\n", o->offset);
}

/* The lvalues of all tensors below m; `path` is m's. */
static void find_lvalues(struct generator *g, const struct member *m,
                         struct str path, struct binding *bindings)
{
    if (m->kind == MEMBER_TENSOR)
        bindings[m->output].lvalue = path;
    for (const struct member *c = m->first; c != NULL; c = c->next) {
        struct str name = header_member(g->a, c);
        if (m->kind == MEMBER_ARRAY)
            name = arena_format(g->a, "%.*s[%" PRIu64 "]", STR_ARG(path),
                                c->index);
        else if (path.n > 0)
            name =
                arena_format(g->a, "%.*s.%.*s", STR_ARG(path), STR_ARG(name));
        find_lvalues(g, c, name, bindings);
    }
}

/* --- a group --- */

/* Its tensors in file order; families whose loops are the same share one. */
static void put_group(struct generator *g, uint32_t index,
                      const struct binding *bindings)
{
    const struct group *group = &g->m->groups[index];
    const struct family *open = NULL;
    text_format(&g->t,
                "    base = bases[%" PRIu32 "]; /* %.*s */\n"
                "    if (base != NULL) {\n",
                index, STR_ARG(group->name));
    for (uint32_t i = group->first; i < group->first + group->count; i++) {
        const struct binding *b = &bindings[i];
        const struct family *f = b->family;
        if (b->in_loop && f == NULL)
            continue;
        if (f == NULL || open == NULL || !str_eq(open->loops, f->loops)) {
            put_end(g, open);
            open = f;
            if (f != NULL)
                put_for(g, f);
        }
        if (f != NULL)
            put_in_loop(g, b);
        else
            put_assignment(g, i, b->lvalue);
    }
    put_end(g, open);
    text_c(&g->t, "    }\n");
}

/* --- what a partial blob lacks --- */

/* Numbers the members as they lie in the struct; whether that is the order of
 * the tensors. */
static bool number_members(const struct member *m, uint32_t *places,
                           uint32_t *next)
{
    bool same = true;
    if (m->kind == MEMBER_TENSOR) {
        same = *next == m->output;
        places[m->output] = (*next)++;
    }
    for (const struct member *c = m->first; c != NULL; c = c->next)
        if (!number_members(c, places, next))
            same = false;
    return same;
}

static void put_places(struct generator *g, const uint32_t *places)
{
    text_format(&g->t,
                "    static const uint32_t places[%.*s_TENSOR_COUNT] = {",
                STR_ARG(g->upper));
    for (size_t i = 0; i < g->m->output_count; i++)
        text_format(&g->t, "%s%" PRIu32 ",", i % 10 == 0 ? "\n        " : " ",
                    places[i]);
    text_c(&g->t, "\n    };\n");
}

static void put_clear(struct generator *g)
{
    uint32_t *places = arena_new(g->a, uint32_t, g->m->output_count);
    uint32_t next = 0;
    bool same = number_members(g->root, places, &next);
    literal_put_comment(
        &g->t, arena_format(g->a,
                            "For %.*s_bind: makes NULL what is MISSING in a "
                            "partial blob.",
                            STR_ARG(g->lower)));
    text_format(&g->t,
                "static inline void %.*s_clear_missing(\n"
                "    const struct ttsb_blob *blob, struct %.*s_weights *w)\n"
                "{\n",
                STR_ARG(g->lower), STR_ARG(g->lower));
    if (!same)
        put_places(g, places);
    text_format(&g->t,
                "    struct ttsb_tensor tensor;\n"
                "    tensor.struct_size = TTSB_CAST(uint32_t, sizeof tensor);\n"
                "    for (uint32_t i = 0; i < %.*s_TENSOR_COUNT; i++)\n"
                "        if (ttsb_tensor_at(blob, i, &tensor, NULL) != TTSB_OK "
                "||\n"
                "            (tensor.flags & TTSB_RECORD_MISSING) != 0)\n"
                "            memset(TTSB_CAST(char *, TTSB_CAST(void *, w)) +\n"
                "                       %s * sizeof(void *),\n"
                "                   0, sizeof(void *));\n}\n\n",
                STR_ARG(g->upper), same ? "i" : "places[i]");
}

/* --- the functions --- */

static void put_refuse(struct generator *g)
{
    literal_put_comment(
        &g->t,
        arena_format(g->a,
                     "For %.*s_require: a blob with this contract id whose "
                     "groups are others was not made by ttswc; its tensors may "
                     "lie outside.",
                     STR_ARG(g->lower)));
    text_format(
        &g->t,
        "static inline int32_t %.*s_refuse(struct ttsb_error *error)\n{\n"
        "    static const char text[] =\n"
        "        \"the blob has the engine's contract id, but not its "
        "groups\";\n"
        "    if (error != NULL && error->struct_size == sizeof *error) {\n"
        "        memset(error, 0, sizeof *error);\n"
        "        error->struct_size = TTSB_CAST(uint32_t, sizeof *error);\n"
        "        error->status = TTSB_WRONG_CONTRACT;\n"
        "        error->tensor = TTSB_NO_TENSOR;\n"
        "        memcpy(error->text, text, sizeof text);\n"
        "    }\n    return TTSB_WRONG_CONTRACT;\n}\n\n",
        STR_ARG(g->lower));
}

static void put_sizes(struct generator *g)
{
    text_format(&g->t, "    static const uint64_t sizes[%.*s_GROUP_COUNT] = {",
                STR_ARG(g->upper));
    for (size_t i = 0; i < g->m->group_count; i++)
        text_format(&g->t, "%sUINT64_C(%" PRIu64 ")",
                    i == 0       ? ""
                    : i % 3 == 0 ? ",\n        "
                                 : ", ",
                    g->m->groups[i].size);
    text_c(&g->t, "};\n");
}

static void put_require_head(struct generator *g)
{
    text_format(&g->t,
                "/* Whether the blob was compiled for this header: TTSB_OK, "
                "TTSB_WRONG_MODEL,\n * TTSB_WRONG_REVISION, "
                "TTSB_WRONG_CONTRACT, or TTSB_BAD_ARGUMENT if it is NULL;\n"
                " * explained in *error, which may be NULL. */\n"
                "static inline int32_t %.*s_require(const struct ttsb_blob "
                "*blob,\n                         struct ttsb_error *error)\n"
                "{\n    static const uint8_t id[16] = %.*s_CONTRACT_ID;\n",
                STR_ARG(g->lower), STR_ARG(g->upper));
    put_sizes(g);
}

static void put_require(struct generator *g)
{
    struct text *t = &g->t;
    put_refuse(g);
    put_require_head(g);
    text_format(t,
                "    struct ttsb_requirement want;\n"
                "    struct ttsb_info info;\n"
                "    struct ttsb_group group;\n"
                "    uint32_t i = 0;\n    int32_t status;\n"
                "    want.struct_size = TTSB_CAST(uint32_t, sizeof want);\n"
                "    want.model = %.*s_MODEL;\n"
                "    want.revision_min = %.*s_REVISION;\n"
                "    want.revision_max = %.*s_REVISION;\n"
                "    want.contract_id = id;\n"
                "    status = ttsb_require(blob, &want, error);\n"
                "    if (status != TTSB_OK)\n        return status;\n",
                STR_ARG(g->upper), STR_ARG(g->upper), STR_ARG(g->upper));
    text_format(
        t,
        "    info.struct_size = TTSB_CAST(uint32_t, sizeof info);\n"
        "    group.struct_size = TTSB_CAST(uint32_t, sizeof group);\n"
        "    if (ttsb_info(blob, &info) != TTSB_OK ||\n"
        "        info.tensor_count != %.*s_TENSOR_COUNT ||\n"
        "        info.group_count != %.*s_GROUP_COUNT)\n"
        "        return %.*s_refuse(error);\n"
        "    while (i < %.*s_GROUP_COUNT && ttsb_group_at(blob, i, &group) == "
        "TTSB_OK &&\n           group.size == sizes[i])\n        i++;\n",
        STR_ARG(g->upper), STR_ARG(g->upper), STR_ARG(g->lower),
        STR_ARG(g->upper));
    text_format(t,
                "    return i == %.*s_GROUP_COUNT ? TTSB_OK : "
                "%.*s_refuse(error);\n}\n\n",
                STR_ARG(g->upper), STR_ARG(g->lower));
}

static void put_bind_head(struct generator *g)
{
    literal_put_comment(
        &g->t,
        arena_format(
            g->a,
            "Points every member of *w into the groups' memory: bases[i] is "
            "the address of group i, on the host (ttsb_host_bases) or on a "
            "device; the tensors of a group whose base is NULL are NULL. So is "
            "an optional tensor that is ABSENT, and one that is MISSING from a "
            "blob opened with TTSB_OPEN_PARTIAL. Fails as %.*s_require does, "
            "and with TTSB_BAD_ARGUMENT for a NULL; *w is then untouched.",
            STR_ARG(g->lower)));
    text_format(&g->t,
                "static inline int32_t %.*s_bind(const struct ttsb_blob *blob,"
                "\n                      const void *const bases[],\n"
                "                      struct %.*s_weights *w)\n{\n",
                STR_ARG(g->lower), STR_ARG(g->lower));
    text_format(&g->t,
                "    struct ttsb_info info;\n"
                "    const void *base;\n"
                "    int32_t status = %.*s_require(blob, NULL);\n"
                "    if (status != TTSB_OK)\n        return status;\n"
                "    if (bases == NULL || w == NULL)\n"
                "        return TTSB_BAD_ARGUMENT;\n"
                "    memset(w, 0, sizeof *w);\n",
                STR_ARG(g->lower));
}

void header_put_bind(struct generator *g)
{
    struct binding *bindings =
        arena_new(g->a, struct binding, g->m->output_count);
    find_lvalues(g, g->root, (struct str){"", 0}, bindings);
    find_loops(g, bindings);
    text_c(&g->t, "/* ---- Binding ---- */\n\n");
    put_require(g);
    put_clear(g);
    put_bind_head(g);
    for (uint32_t i = 0; i < g->m->group_count; i++)
        put_group(g, i, bindings);
    text_format(&g->t,
                "    info.struct_size = TTSB_CAST(uint32_t, sizeof info);\n"
                "    if (ttsb_info(blob, &info) != TTSB_OK || "
                "info.partial != 0)\n"
                "        %.*s_clear_missing(blob, w);\n"
                "    return TTSB_OK;\n}\n\n",
                STR_ARG(g->lower));
}
