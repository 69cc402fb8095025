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
    bool names;               /* of sources, in place of `$n` */
    bool brief;               /* one step: `#N` for what it takes, no types */
    const uint32_t *operands; /* their numbers, the next one first */
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
    if (w->brief)
        return;
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

/* A spectral norm's matrix stands for all three of its sources. */
static void put_spectral(const struct writer *w, const struct step *s)
{
    put_typed(w, s->parts[0], s->parts[0]->leaf);
    text_c(w->t, ",rows=");
    put_axis(w, s->type, s->axis);
}

static void put_step(struct writer *w, const struct step *s);

/* A step that another one takes. */
static void put_operand(struct writer *w, const struct step *s)
{
    if (!w->brief)
        put_step(w, s);
    else
        text_format(w->t, "#%" PRIu32, *w->operands++);
}

static void put_norm(const struct writer *w, const struct step *s)
{
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

/* ",a" for some axes of a type. */
static void put_axes(const struct writer *w, struct type type, uint32_t first,
                     uint32_t count, const char *separator)
{
    for (uint32_t i = first; i < first + count; i++) {
        text_c(w->t, i > first ? "*" : separator);
        put_axis(w, type, i);
    }
}

/* ",a*b->c" or ",a->b*c" */
static void put_split_axes(const struct writer *w, const struct step *s)
{
    uint32_t more = s->op == OP_MERGE ? s->arg->type.rank - s->type.rank + 1
                                      : s->type.rank - s->arg->type.rank + 1;
    put_axes(w, s->arg->type, s->axis, s->op == OP_MERGE ? more : 1, ",");
    put_axes(w, s->type, s->axis, s->op == OP_MERGE ? 1 : more, "->");
}

/* Bits, as constants have them; for people digits that lose none of them. */
static void put_number(const struct writer *w, const char *before,
                       double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    text_c(w->t, before);
    if (w->names)
        text_format(w->t, "%.17g", number);
    else
        text_format(w->t, "%016" PRIx64, bits);
}

static void put_slice(const struct writer *w, const struct step *s)
{
    put_axes(w, s->arg->type, s->axis, 1, ",");
    text_format(w->t, ",%" PRIu64 "..%" PRIu64, s->lo,
                s->lo + s->type.axes[s->axis].size);
}

static void put_rope(const struct writer *w, const struct step *s)
{
    put_axes(w, s->arg->type, s->axis, 1, ",");
    text_format(w->t, ",heads=%" PRIu64 ",dims=%" PRIu32, s->heads, s->keep);
}

/* What stands behind the first argument. */
static void put_arguments(const struct writer *w, const struct step *s)
{
    switch (s->op) {
    case OP_PERMUTE:
        for (uint32_t i = 0; i < s->type.rank; i++)
            put_axes(w, s->arg->type, s->order[i], 1, ",");
        break;
    case OP_SQUEEZE:
        for (uint32_t i = 0; i < s->arg->type.rank; i++)
            put_axes(w, s->arg->type, i, s->removed >> i & 1, ",");
        break;
    case OP_SLICE:
        put_slice(w, s);
        break;
    case OP_UNSQUEEZE:
        text_format(w->t, ",%" PRIu32, s->axis);
        break;
    case OP_MERGE:
    case OP_UNMERGE:
        put_split_axes(w, s);
        break;
    case OP_ROPE_HALF:
    case OP_ROPE_INTERLEAVE:
        put_rope(w, s);
        break;
    case OP_SCALE:
    case OP_OFFSET:
    case OP_MAX:
        put_number(w, ",", s->number);
        break;
    case OP_L2_NORMALIZE:
        put_axes(w, s->type, s->axis, 1, ",over=");
        put_number(w, ",eps=", s->number);
        break;
    default:
        break;
    }
}

/* Two operands, and the axis along which the second runs. */
static void put_both(struct writer *w, const struct step *s)
{
    put_operand(w, s->arg);
    text_c(w->t, ",");
    put_operand(w, s->other);
    if (s->axis != AXIS_NONE)
        put_axes(w, s->type, s->axis, 1, ",");
}

static void put_parts(struct writer *w, const struct step *s)
{
    put_axis(w, s->type, s->axis);
    for (size_t i = 0; i < s->part_count; i++) {
        text_c(w->t, ",");
        put_operand(w, s->parts[i]);
    }
}

static void put_operands(struct writer *w, const struct step *s)
{
    switch (s->op) {
    case OP_WEIGHT_NORM:
        put_norm(w, s);
        break;
    case OP_SPECTRAL_NORM:
        put_spectral(w, s);
        break;
    case OP_CONCAT:
    case OP_STACK:
    case OP_INTERLEAVE:
        put_parts(w, s);
        break;
    case OP_ADD:
    case OP_SUB:
    case OP_MUL:
    case OP_DIV:
        put_both(w, s);
        break;
    case OP_ZEROS:
        break;
    default:
        put_operand(w, s->arg);
        break;
    }
}

/* Without its type. */
static void put_call(struct writer *w, const struct step *s)
{
    text_format(w->t, "%s(", op_name(s->op));
    put_operands(w, s);
    put_arguments(w, s);
    text_c(w->t, ")");
}

static void put_step(struct writer *w, const struct step *s)
{
    if (s->op == OP_LEAF) {
        put_leaf(w, s);
        return;
    }
    put_call(w, s);
    type_print(w->t, s->type);
}

static void put_value(struct writer *w, const struct output *o)
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
    struct writer w = {&t, m, false, false, NULL};
    struct str s;
    put_value(&w, o);
    s = arena_str(a, text_view(&t));
    text_release(&t);
    return s;
}

void contract_readable(struct text *t, const struct model *m,
                       const struct output *o)
{
    struct writer w = {t, m, true, false, NULL};
    put_value(&w, o);
}

void contract_step(struct text *t, const struct model *m, const struct step *s,
                   const uint32_t *operands)
{
    struct writer w = {t, m, true, true, operands};
    if (s->op == OP_LEAF)
        put_leaf(&w, s);
    else
        put_call(&w, s);
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

void contract_line(struct text *t, const struct model *m,
                   const struct output *o)
{
    struct writer w = {t, m, false, false, NULL};
    text_format(t, "tensor %.*s %s ", STR_ARG(o->name),
                spec_dtype_name(o->dtype));
    type_print(t, o->type);
    text_format(t, " %.*s %" PRIu64 "%s = ", STR_ARG(m->groups[o->group].name),
                o->offset, o->optional ? " optional" : "");
    put_value(&w, o);
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
    for (size_t i = 0; i < m->output_count; i++) {
        contract_line(t, m, &m->outputs[i]);
        text_c(t, "\n");
    }
}

void contract_seal(struct model *m)
{
    struct text t = {0};
    put_contract(&t, m);
    ttsb__hash128(t.p, t.n, m->contract_id);
    text_release(&t);
}
