/* SPDX-License-Identifier: MIT
 *
 * contract.c - prints a model line by line, in one canonical form.
 */
#include "contract.h"

#include <inttypes.h>

#include "hash.h"
#include "sources.h"
#include "text.h"

/* A value on its way into a text. */
struct writer {
    struct text *t;
    const struct model *m;
    bool names; /* of sources, in place of `$n` */
};

static void put_name(const struct writer *w, const struct leaf *leaf,
                     struct str name)
{
    sources_put(w->t, w->m->spec, leaf->file, name);
}

/* A weight norm's direction stands for both of its sources. */
static void put_typed(const struct writer *w, const struct step *s,
                      const struct leaf *leaf)
{
    if (w->names)
        put_name(w, leaf, leaf->spelled ? leaf->stem : leaf->name);
    else
        text_format(w->t, "$%" PRIu32, leaf->number);
    text_format(w->t, ":%s ", spec_dtype_name(leaf->dtype));
    type_print(w->t, s->type);
}

static void put_leaf(const struct writer *w, const struct step *s)
{
    const struct leaf *leaf = s->leaf;
    if (w->names)
        text_c(w->t, leaf->also ? "also(" : leaf->twin != NULL ? "same(" : "");
    put_typed(w, s, leaf);
    if (w->names && leaf->twin != NULL) {
        text_c(w->t, ",");
        put_typed(w, s, leaf->twin);
    }
    if (w->names && (leaf->also || leaf->twin != NULL))
        text_c(w->t, ")");
}

static void put_axis(const struct writer *w, struct type type, uint32_t axis)
{
    if (type.axes[axis].name.n > 0)
        text_str(w->t, type.axes[axis].name);
    else
        text_format(w->t, "#%" PRIu32, axis);
}

static void put_step(const struct writer *w, const struct step *s);

static const char *op_text(enum op op)
{
    switch (op) {
    case OP_PERMUTE:
        return "permute";
    case OP_SQUEEZE:
        return "squeeze";
    case OP_SLICE:
        return "slice";
    case OP_CONCAT:
        return "concat";
    case OP_STACK:
        return "stack";
    case OP_INTERLEAVE:
        return "interleave";
    case OP_ZEROS:
        return "zeros";
    default:
        return "exp";
    }
}

static void put_norm(const struct writer *w, const struct step *s)
{
    text_c(w->t, "weight_norm(");
    if (w->names && !s->leaf->spelled) {
        text_c(w->t, "g=");
        put_name(w, s->g, s->g->name);
        text_c(w->t, ",v=");
    }
    put_typed(w, s, s->leaf);
    text_c(w->t, ",keep=");
    if (s->keep == KEEP_NONE)
        text_c(w->t, "none");
    else
        put_axis(w, s->type, s->keep);
}

/* What stands behind the first argument. */
static void put_arguments(const struct writer *w, const struct step *s)
{
    for (uint32_t i = 0; s->op == OP_PERMUTE && i < s->type.rank; i++) {
        text_c(w->t, ",");
        put_axis(w, s->arg->type, s->order[i]);
    }
    for (uint32_t i = 0; s->op == OP_SQUEEZE && i < s->arg->type.rank; i++) {
        if ((s->removed >> i & 1) == 0)
            continue;
        text_c(w->t, ",");
        put_axis(w, s->arg->type, i);
    }
    if (s->op != OP_SLICE)
        return;
    text_c(w->t, ",");
    put_axis(w, s->arg->type, s->axis);
    text_format(w->t, ",%" PRIu64 "..%" PRIu64, s->lo,
                s->lo + s->type.axes[s->axis].size);
}

static void put_parts(const struct writer *w, const struct step *s)
{
    put_axis(w, s->type, s->axis);
    for (size_t i = 0; i < s->part_count; i++) {
        text_c(w->t, ",");
        put_step(w, s->parts[i]);
    }
}

static void put_step(const struct writer *w, const struct step *s)
{
    if (s->op == OP_LEAF) {
        put_leaf(w, s);
        return;
    }
    if (s->op == OP_WEIGHT_NORM) {
        put_norm(w, s);
    } else {
        text_format(w->t, "%s(", op_text(s->op));
        if (s->part_count > 0)
            put_parts(w, s);
        else if (s->op != OP_ZEROS)
            put_step(w, s->arg);
        put_arguments(w, s);
    }
    text_c(w->t, ")");
    type_print(w->t, s->type);
}

static void put_value(const struct writer *w, const struct output *o)
{
    bool cast = o->step != NULL && spec_dtype_is_integer(o->step->dtype) &&
                o->dtype != o->step->dtype;
    if (o->step == NULL) {
        text_format(w->t, "alias(%.*s)",
                    STR_ARG(w->m->outputs[o->alias_of].name));
        return;
    }
    if (cast)
        text_c(w->t, "cast(");
    put_step(w, o->step);
    if (!cast)
        return;
    text_format(w->t, ",%s)", spec_dtype_name(o->dtype));
    type_print(w->t, o->type);
}

struct str contract_expression(struct arena *a, const struct model *m,
                               const struct output *o)
{
    struct text t = {0};
    struct writer w = {&t, m, false};
    struct str s;
    put_value(&w, o);
    s = arena_str(a, text_view(&t));
    text_release(&t);
    return s;
}

void contract_readable(struct text *t, const struct model *m,
                       const struct output *o)
{
    struct writer w = {t, m, true};
    put_value(&w, o);
}

static void put_string(struct text *t, struct str s)
{
    text_c(t, "\"");
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            text_format(t, "\\%c", c);
        else if (c < 0x20)
            text_format(t, "\\x%02x", c);
        else
            text_str(t, str_cut(s, i, i + 1));
    }
    text_c(t, "\"");
}

static void put_constant(struct text *t, const struct constant_value *v)
{
    static const char *const kinds[] = {"i64", "f64", "string"};
    const struct constant *c = v->as;
    text_format(t, "const %.*s %s%s", STR_ARG(c->name),
                c->is_list ? "list-" : "", kinds[c->items[0].kind]);
    for (size_t i = 0; i < c->count; i++) {
        uint64_t bits;
        text_c(t, " ");
        memcpy(&bits, &c->items[i].decimal, sizeof bits);
        if (c->items[i].kind == CONSTANT_INTEGER)
            text_format(t, "%" PRId64, v->integers[i]);
        else if (c->items[i].kind == CONSTANT_DECIMAL)
            text_format(t, "%016" PRIx64, bits);
        else
            put_string(t, c->items[i].text);
    }
    text_c(t, "\n");
}

static void put_output(struct text *t, const struct model *m,
                       const struct output *o)
{
    struct writer w = {t, m, false};
    text_format(t, "tensor %.*s %s ", STR_ARG(o->name),
                spec_dtype_name(o->dtype));
    type_print(t, o->type);
    text_format(t, " %.*s %" PRIu64 "%s = ", STR_ARG(m->groups[o->group].name),
                o->offset, o->optional ? " optional" : "");
    put_value(&w, o);
    text_c(t, "\n");
}

static void put_contract(struct text *t, const struct model *m)
{
    text_format(t, "ttsb contract 1\nmodel %.*s\nrevision %" PRIu64 "\n",
                STR_ARG(m->spec->model), m->spec->revision);
    for (size_t i = 0; i < m->constant_count; i++)
        put_constant(t, &m->constants[i]);
    for (size_t i = 0; i < m->group_count; i++)
        text_format(t, "group %.*s %s %" PRIu32 "\n",
                    STR_ARG(m->groups[i].name),
                    m->groups[i].place == TTSB_PLACE_HOST ? "host" : "device",
                    m->spec->align);
    for (size_t i = 0; i < m->output_count; i++)
        put_output(t, m, &m->outputs[i]);
}

void contract_seal(struct model *m)
{
    struct text t = {0};
    put_contract(&t, m);
    ttsb__hash128(t.p, t.n, m->contract_id);
    text_release(&t);
}
