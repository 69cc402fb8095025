/* SPDX-License-Identifier: MIT
 *
 * chain.c - collects what both forms of a chain say.
 */
#include "chain.h"

#include <inttypes.h>

#include "meta.h"

#define MOST_LINES 8

/* --- steps --- */

static bool is_arithmetic(enum op op)
{
    return op == OP_ADD || op == OP_SUB || op == OP_MUL || op == OP_DIV;
}

/* Operands that are steps, in the order in which contract_step names them. */
static size_t operand_count(const struct step *s)
{
    if (s->op == OP_LEAF || s->op == OP_ZEROS || s->op == OP_WEIGHT_NORM ||
        s->op == OP_SPECTRAL_NORM)
        return 0;
    if (s->part_count > 0)
        return s->part_count;
    return is_arithmetic(s->op) ? 2 : 1;
}

static const struct step *operand(const struct step *s, size_t i)
{
    if (s->part_count > 0)
        return s->parts[i];
    return i == 0 ? s->arg : s->other;
}

/* Operands first; the number of the step. */
static uint32_t follow(struct arena *a, struct chain *c, const struct step *s)
{
    size_t n = operand_count(s);
    uint32_t *operands = arena_new(a, uint32_t, n);
    for (size_t i = 0; i < n; i++)
        operands[i] = follow(a, c, operand(s, i));
    if (c->n == c->capacity)
        c->steps =
            arena_grow(a, c->steps, sizeof *c->steps, c->n, &c->capacity);
    c->steps[c->n++] = (struct chain_step){s, operands};
    return (uint32_t)c->n;
}

struct chain chain_follow(struct arena *a, const struct model *m,
                          uint32_t output)
{
    const struct output *o = &m->outputs[output];
    bool alias = o->alias_of != TTSB_NO_TENSOR;
    struct chain c = {.o = o, .made = alias ? &m->outputs[o->alias_of] : o};
    c.uses = uses_of(a, m, c.made);
    follow(a, &c, c.made->step);
    return c;
}

/* --- store --- */

void chain_put_store(struct text *t, const struct chain *c)
{
    const struct output *o = c->made;
    enum ttsb_dtype from = o->step->dtype;
    text_c(t, spec_dtype_name(o->dtype));
    if (o->dtype == from)
        text_c(t, ", as it is");
    else
        text_format(t, ", from %s", spec_dtype_name(from));
    if (o->value->cast != 0)
        text_format(t, ", by `as %s`", spec_dtype_name(o->value->cast));
    else if (spec_dtype_is_float(from))
        text_format(t, ", by `store:` for a %s",
                    o->type.rank <= 1 ? "vector" : "matrix");
}

/* --- bytes --- */

/* First and last element of a claim, row major; all grids. */
static void span_of(struct type type, const struct claimed *c, uint64_t *first,
                    uint64_t *last)
{
    *first = UINT64_MAX;
    *last = 0;
    for (size_t i = 0; i < c->n; i++) {
        const struct grid *g = &c->p[i];
        uint64_t lo = 0, hi;
        for (uint32_t k = 0; k < type.rank; k++)
            lo += g->lo[k] * type_stride(type, k);
        hi = lo;
        for (uint32_t k = 0; k < g->count; k++)
            hi += (g->digits[k].count - 1) * g->digits[k].by *
                  type_stride(type, g->digits[k].from);
        *first = lo < *first ? lo : *first;
        *last = hi > *last ? hi : *last;
    }
}

bool chain_bytes(const struct chain_of *of, const struct leaf *leaf,
                 const struct claimed *c, struct byte_range *out)
{
    const struct st_tensor *t;
    const struct stfile *f;
    uint64_t first, last, bits = spec_dtype_bits(leaf->dtype);
    if (of->c == NULL || leaf->source == NO_SOURCE)
        return false;
    t = &of->c->tensors[leaf->source];
    f = &of->c->files[of->c->places[leaf->source].file];
    if (f->is_lock)
        return false;
    *out = (struct byte_range){f->path, f->header.data_start + t->begin,
                               f->header.data_start + t->end, true};
    if (!uses_is_part(leaf->type, c) || t->dtype != (uint32_t)leaf->dtype)
        return true;
    span_of(leaf->type, c, &first, &last);
    if ((last + 1) * bits / 8 > t->end - t->begin)
        return true; /* the checkpoint has another shape */
    out->whole = claimed_elements(c) == last + 1 - first;
    out->end = out->begin + ((last + 1) * bits + 7) / 8;
    out->begin += first * bits / 8;
    return true;
}

/* --- lines --- */

static size_t blanks(struct str line)
{
    size_t n = 0;
    while (n < line.n && line.p[n] == ' ')
        n++;
    return n;
}

struct str chain_lines(struct arena *a, const struct output *o)
{
    const struct source *src = o->where.at.src;
    struct span value = o->value->at;
    uint32_t first, last, column;
    size_t indent = SIZE_MAX;
    struct text t = {0};
    struct str s;
    source_position(src, o->where.at.begin, &first, &column);
    last = first;
    if (value.src == src && value.end > o->where.at.end)
        source_position(src, value.end - 1, &last, &column);
    last = last >= first + MOST_LINES ? first + MOST_LINES - 1 : last;
    for (uint32_t i = first; i <= last; i++) {
        size_t n = blanks(source_line(src, i));
        indent = n < indent ? n : indent;
    }
    for (uint32_t i = first; i <= last; i++) {
        struct str line = source_line(src, i);
        text_c(&t, i > first ? "\n" : "");
        text_str(&t, str_cut(line, indent, line.n));
    }
    s = arena_str(a, text_view(&t));
    text_release(&t);
    return s;
}

bool chain_is_piece(const struct output *o)
{
    const struct term *term = o->value->term;
    return term != NULL && o->step != NULL &&
           (term->at.src != o->where.at.src ||
            term->at.begin < o->where.at.begin);
}

void chain_put_place(struct text *t, struct span at)
{
    uint32_t line, column;
    source_position(at.src, at.begin, &line, &column);
    meta_word(t, at.src->path);
    text_format(t, ":%" PRIu32 ":%" PRIu32, line, column);
}
