/* SPDX-License-Identifier: MIT
 *
 * chain_text.c - the chain of an output, for people.
 */
#include <inttypes.h>

#include "chain.h"
#include "contract.h"
#include "meta.h"
#include "sources.h"

#define MOST_BOXES 8
#define STEP_WIDTH 48

static void put_label(struct text *t, const char *label)
{
    text_format(t, "%-10s", label);
}

static void put_lines(struct arena *a, struct text *t, const struct output *o)
{
    struct str s = chain_lines(a, o);
    size_t from = 0;
    for (size_t i = 0; i <= s.n; i++) {
        if (i < s.n && s.p[i] != '\n')
            continue;
        text_format(t, "%12s%.*s\n", "", STR_ARG(str_cut(s, from, i)));
        from = i + 1;
    }
}

/* Of a term the place is where it begins. */
static void put_split(struct text *t, const struct output *o)
{
    struct span term;
    struct str s;
    uint32_t line, column;
    size_t n = 0;
    if (!chain_is_piece(o))
        return;
    term = o->value->term->at;
    source_position(term.src, term.begin, &line, &column);
    s = source_line(term.src, line);
    while (n < s.n && s.p[n] == ' ')
        n++;
    put_label(t, "cut from");
    chain_put_place(t, term);
    text_format(t, "\n%12s%.*s\n", "", STR_ARG(str_cut(s, n, s.n)));
}

static void put_where(struct arena *a, struct text *t, const struct output *o)
{
    struct str loops = diag_values(a, o->where.loops);
    put_label(t, "spec");
    chain_put_place(t, o->where.at);
    text_c(t, "\n");
    put_lines(a, t, o);
    put_split(t, o);
    for (const struct diag_frame *f = o->where.use; f != NULL; f = f->outer) {
        put_label(t, "in");
        text_format(t, "template `%.*s`, used at ", STR_ARG(f->name));
        chain_put_place(t, f->at);
        text_c(t, "\n");
    }
    if (loops.n > 0) {
        put_label(t, "for");
        text_format(t, "%.*s\n", STR_ARG(loops));
    }
}

/* --- sources --- */

/* All boxes of a part, up to eight. */
static void put_boxes(struct arena *a, struct text *t, struct type type,
                      const struct claimed *c)
{
    uint64_t n = claimed_box_count(c, type);
    struct box *boxes;
    if (n > MOST_BOXES) {
        text_c(t, " ");
        uses_put_part(t, type, c);
        return;
    }
    boxes = arena_new(a, struct box, n);
    claimed_boxes(c, type, boxes);
    for (uint64_t i = 0; i < n; i++) {
        text_c(t, " ");
        uses_put_range(t, type, &boxes[i]);
    }
}

static void put_bytes(struct text *t, const struct byte_range *b)
{
    text_format(t, "%12sin ", "");
    meta_word(t, b->path);
    text_format(t, ", %s %" PRIu64 "..%" PRIu64 "\n",
                b->whole ? "bytes" : "some of the bytes", b->begin, b->end);
}

/* Where the checkpoint's header is not what the spec says. */
static void put_difference(struct text *t, const struct chain_of *of,
                           const struct leaf *leaf)
{
    const struct st_tensor *x;
    bool same;
    if (of->c == NULL || leaf->source == NO_SOURCE)
        return;
    x = &of->c->tensors[leaf->source];
    same = x->dtype == (uint32_t)leaf->dtype && x->rank == leaf->type.rank;
    for (uint32_t i = 0; i < x->rank && same; i++)
        same = x->dims[i] == leaf->type.axes[i].size;
    if (same)
        return;
    text_format(t, "%12sthe checkpoint has %s", "",
                spec_dtype_name((enum ttsb_dtype)x->dtype));
    text_sizes(t, x->dims, x->rank);
    text_c(t, "\n");
}

static void put_source(struct arena *a, struct text *t,
                       const struct chain_of *of, const struct use *u)
{
    const struct leaf *leaf = u->leaf;
    struct byte_range bytes;
    sources_put(t, of->m->spec, leaf->file, leaf->name);
    text_format(t, "  %s", spec_dtype_name(leaf->dtype));
    type_print(t, leaf->type);
    if (uses_is_part(leaf->type, u->claimed)) {
        text_c(t, ", of it");
        put_boxes(a, t, leaf->type, u->claimed);
    }
    uses_put_marks(t, leaf);
    text_c(t, "\n");
    if (chain_bytes(of, leaf, u->claimed, &bytes))
        put_bytes(t, &bytes);
    put_difference(t, of, leaf);
}

static void put_sources(struct arena *a, struct text *t,
                        const struct chain_of *of, const struct uses *uses)
{
    for (size_t i = 0; i < uses->n; i++) {
        put_label(t, i == 0 ? "sources" : "");
        put_source(a, t, of, &uses->p[i]);
    }
    if (uses->zeros > 0) {
        put_label(t, uses->n == 0 ? "sources" : "");
        text_format(t, "%" PRIu64 " zeros that are put in\n", uses->zeros);
    }
}

/* --- steps --- */

static void put_steps(struct text *t, const struct chain_of *of,
                      const struct chain *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct step *s = c->steps[i].step;
        size_t from;
        put_label(t, i == 0 ? "steps" : "");
        text_format(t, "#%-3zu ", i + 1);
        from = t->n;
        contract_step(t, of->m, s, c->steps[i].operands);
        text_format(
            t, "%*s",
            from + STEP_WIDTH > t->n ? (int)(from + STEP_WIDTH - t->n) : 0, "");
        text_format(t, "  %s", s->dtype != 0 ? spec_dtype_name(s->dtype) : "");
        type_print(t, s->type);
        text_c(t, "\n");
    }
}

static void put_end(struct text *t, const struct chain_of *of,
                    const struct chain *c)
{
    const struct output *o = c->o;
    const struct group *g = &of->m->groups[o->group];
    put_label(t, "stored");
    chain_put_store(t, c);
    text_c(t, "\n");
    put_label(t, "type");
    text_c(t, spec_dtype_name(o->dtype));
    type_print(t, o->type);
    text_c(t, "\n");
    put_label(t, "contract");
    contract_line(t, of->m, o);
    text_c(t, "\n");
    put_label(t, "place");
    text_format(t,
                "group %.*s (%s), offset %" PRIu64 " (0x%" PRIx64 "), %" PRIu64
                " bytes",
                STR_ARG(g->name),
                g->place == TTSB_PLACE_HOST ? "host" : "device", o->offset,
                o->offset, o->size);
    if (of->blob != NULL) {
        uint64_t at = of->blob->offsets[o - of->m->outputs];
        text_format(t, "; in the file at %" PRIu64 " (0x%" PRIx64 ")", at, at);
    }
    text_c(t, "\n");
}

void chain_text(struct arena *a, struct text *t, const struct chain_of *of,
                uint32_t output)
{
    struct chain c = chain_follow(a, of->m, output);
    text_str(t, c.o->name);
    text_format(t, "%s%s%s\n", c.o->optional ? "  optional" : "",
                c.o->absent ? "  ABSENT" : "", c.o->missing ? "  MISSING" : "");
    put_where(a, t, c.o);
    if (c.made != c.o) {
        put_label(t, "alias of");
        text_format(t, "%.*s, at ", STR_ARG(c.made->name));
        chain_put_place(t, c.made->where.at);
        text_c(t, "\n");
    }
    put_sources(a, t, of, &c.uses);
    put_steps(t, of, &c);
    put_end(t, of, &c);
}
