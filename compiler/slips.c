/* SPDX-License-Identifier: MIT
 *
 * slips.c - walks a spec to the n-th place where a kind of slip can happen.
 *
 * One walk serves all kinds: it passes every loop, name, size, term and piece
 * in the order of the text, asks at each whether it is the place, and changes
 * it there. What the parser made is const for everybody else; here it is
 * this run's own copy.
 */
#include "slips.h"

#include <inttypes.h>

/* A source's name, where the structures hold it. */
struct slot {
    const struct name **name;
    struct span at;
    bool stem;
};

struct walk {
    struct arena *a;
    enum slip_kind kind;
    size_t left; /* places before the one that is meant */
    size_t met;
    bool done;
    struct slip *out;
    struct slot before; /* in the same block; name NULL: none */
};

/* Whether this is the place. */
static bool here(struct walk *w, enum slip_kind kind)
{
    if (w->kind != kind || w->done)
        return false;
    w->met++;
    if (w->left > 0) {
        w->left--;
        return false;
    }
    w->done = true;
    return true;
}

static void say(struct walk *w, struct span at, struct str text)
{
    *w->out = (struct slip){at, text};
}

/* --- small changes --- */

static const struct expr *plus(struct walk *w, const struct expr *e, int64_t n)
{
    struct expr *number = arena_new(w->a, struct expr, 1);
    struct expr *sum = arena_new(w->a, struct expr, 1);
    *number = (struct expr){
        .kind = EXPR_NUMBER, .at = e->at, .number = n < 0 ? -n : n};
    *sum = (struct expr){
        .kind = n < 0 ? EXPR_SUB : EXPR_ADD, .at = e->at, .a = e, .b = number};
    return sum;
}

static struct str shifted(struct walk *w, struct span at, const char *by)
{
    struct str t = span_text(at);
    return arena_format(w->a, "`%.*s` %s", STR_ARG(t), by);
}

static void bound(struct walk *w, enum slip_kind kind, const struct expr **e,
                  int64_t by)
{
    if (!here(w, kind))
        return;
    say(w, (*e)->at, shifted(w, (*e)->at, by < 0 ? "- 1" : "+ 1"));
    *e = plus(w, *e, by);
}

static void typo(struct walk *w, const struct name **slot, struct span at)
{
    const struct name *old = *slot;
    struct name *name;
    if (!here(w, SLIP_TYPO))
        return;
    name = arena_new(w->a, struct name, 1);
    name->at = old->at;
    name->count = old->count + 1;
    name->parts = arena_new(w->a, struct name_part, name->count);
    memcpy(name->parts, old->parts, old->count * sizeof *name->parts);
    name->parts[old->count].text = str_c("x");
    *slot = name;
    say(w, at, shifted(w, at, "with an x behind it"));
}

/* --- names --- */

static bool differ(const struct slot *x, const struct slot *y)
{
    return !str_eq(span_text((*x->name)->at), span_text((*y->name)->at));
}

static void source_name(struct walk *w, struct slot s)
{
    typo(w, s.name, s.at);
    if (w->before.name != NULL && w->before.stem == s.stem &&
        differ(&w->before, &s) && here(w, SLIP_NEIGHBOURS)) {
        const struct name *name = *w->before.name;
        say(w, s.at,
            arena_format(w->a, "`%.*s` and `%.*s` exchanged",
                         STR_ARG(span_text(name->at)),
                         STR_ARG(span_text((*s.name)->at))));
        *w->before.name = *s.name;
        *s.name = name;
    }
    w->before = s;
}

/* --- terms --- */

static void sizes(struct walk *w, struct type_expr *t)
{
    for (size_t i = 0; t->given && i < t->rank; i++)
        bound(w, SLIP_SIZE, &t->axes[i].size, 1);
}

/* The axis that an argument names, replaced by each other one of the type. */
static void other_axis(struct walk *w, struct arg *g, const struct type_expr *t)
{
    for (size_t i = 0; t->given && i < t->rank; i++) {
        struct str id = t->axes[i].id;
        if (id.n == 0 || str_eq(id, g->id) || !here(w, SLIP_AXIS))
            continue;
        say(w, g->at, shifted(w, g->at, ""));
        w->out->text = arena_format(w->a, "`%.*s` instead of `%.*s`",
                                    STR_ARG(id), STR_ARG(g->id));
        g->id = id;
    }
}

static void term(struct walk *w, const struct term **slot);

static void argument(struct walk *w, struct arg *g, const struct term *of)
{
    bool norm = of->op == OP_WEIGHT_NORM || of->op == OP_SPECTRAL_NORM ||
                of->op == OP_L2_NORMALIZE;
    if (g->term != NULL)
        term(w, &g->term);
    if (g->kind == ARG_STEM || g->kind == ARG_TYPED_STEM)
        source_name(w, (struct slot){&g->name, g->at, true});
    if (g->kind == ARG_TYPED_STEM)
        sizes(w, &g->type);
    if (g->kind == ARG_RANGE && g->range.hi != NULL) {
        bound(w, SLIP_CUT, &g->range.lo, 1);
        bound(w, SLIP_CUT, &g->range.hi, -1);
    }
    if (norm && (g->kind == ARG_KEEP || g->kind == ARG_AXIS))
        other_axis(w, g, &of->type);
}

/* The operation in a slot, replaced by what it works on. */
static bool forgotten(struct walk *w, const struct term **slot)
{
    const struct term *t = *slot;
    bool move = t->op == OP_PERMUTE || t->op == OP_TRANSPOSE;
    bool rope = t->op == OP_ROPE_HALF || t->op == OP_ROPE_INTERLEAVE;
    if (!(move && here(w, SLIP_MOVE)) && !(rope && here(w, SLIP_ROPE)))
        return false;
    say(w, t->at, arena_format(w->a, "%s forgotten", op_name(t->op)));
    *slot = t->args[0].term;
    return true;
}

static void term(struct walk *w, const struct term **slot)
{
    struct term *t = (struct term *)*slot; /* this run's own */
    if (forgotten(w, slot))
        return;
    if (t->op == OP_LEAF)
        source_name(w, (struct slot){&t->name, t->name->at, false});
    for (size_t i = 0; i < t->count; i++)
        argument(w, &t->args[i], t);
    sizes(w, &t->type);
}

/* --- splits --- */

static void remove_piece(struct walk *w, struct split *s, size_t i)
{
    if (s->piece_count < 2 || !here(w, SLIP_PIECE))
        return;
    say(w, s->pieces[i].at, shifted(w, s->pieces[i].at, "deleted"));
    memmove(&s->pieces[i], &s->pieces[i + 1],
            (s->piece_count - i - 1) * sizeof *s->pieces);
    s->piece_count--;
}

static void swap_ranges(struct walk *w, struct piece *x, struct piece *y)
{
    struct range r = x->range;
    if (x->name == NULL || y->name == NULL || !here(w, SLIP_RANGES))
        return;
    say(w, y->range.at,
        arena_format(w->a, "`%.*s` and `%.*s` exchanged",
                     STR_ARG(span_text(x->range.at)),
                     STR_ARG(span_text(y->range.at))));
    x->range = y->range;
    y->range = r;
}

static void piece(struct walk *w, struct split *s, size_t i)
{
    struct piece *p = &s->pieces[i];
    if (p->range.hi != NULL) {
        bound(w, SLIP_CUT, &p->range.lo, 1);
        bound(w, SLIP_CUT, &p->range.hi, -1);
    }
    if (p->rope != NULL && here(w, SLIP_ROPE)) {
        say(w, p->rope->at,
            arena_format(w->a, "%s forgotten", op_name(p->rope->op)));
        p->rope = NULL;
    }
    if (i > 0)
        swap_ranges(w, &s->pieces[i - 1], p);
}

static void split(struct walk *w, struct split *s)
{
    term(w, &s->source);
    for (size_t i = 0; !w->done && i < s->piece_count; i++)
        piece(w, s, i);
    for (size_t i = 0; !w->done && i < s->piece_count; i++)
        remove_piece(w, s, i);
}

/* --- blocks --- */

static void loops(struct walk *w, struct loop *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!v[i].is_range)
            continue;
        bound(w, SLIP_BOUND, &v[i].range.lo, 1);
        bound(w, SLIP_BOUND, &v[i].range.hi, 1);
        bound(w, SLIP_BOUND, &v[i].range.hi, -1);
    }
}

static void entry(struct walk *w, struct entry *e)
{
    switch (e->kind) {
    case ENTRY_TENSOR:
        term(w, &e->value.term);
        break;
    case ENTRY_SPLIT:
        loops(w, e->split->loops, e->split->loop_count);
        split(w, (struct split *)e->split);
        break;
    default:
        typo(w, &e->name, e->name->at);
        sizes(w, &((struct drop *)e->drop)->type);
    }
}

static struct span entry_at(const struct entry *e)
{
    return e->name != NULL ? e->name->at : e->split->source->at;
}

static void remove_entry(struct walk *w, struct block *b, size_t i)
{
    struct span at = entry_at(&b->entries[i]);
    if (!here(w, SLIP_LINE))
        return;
    say(w, at, shifted(w, at, "deleted"));
    memmove(&b->entries[i], &b->entries[i + 1],
            (b->entry_count - i - 1) * sizeof *b->entries);
    b->entry_count--;
}

/* Blocks nest at most as deep as the parser allows. */
static void blocks(struct walk *w, struct block *v, size_t n)
{
    for (size_t i = 0; !w->done && i < n; i++) {
        struct block *b = &v[i];
        loops(w, b->loops, b->loop_count);
        if (b->from != NULL)
            typo(w, &b->from, b->from->at);
        w->before.name = NULL;
        for (size_t k = 0; !w->done && k < b->entry_count; k++)
            entry(w, &b->entries[k]);
        for (size_t k = 0; !w->done && k < b->entry_count; k++)
            remove_entry(w, b, k);
        w->before.name = NULL;
        blocks(w, b->body, b->body_count);
    }
}

static void walk_spec(struct walk *w, struct spec *s, const bool *used)
{
    for (size_t i = 0; i < s->template_count; i++)
        if (used[i])
            blocks(w, s->templates[i].body, s->templates[i].body_count);
    blocks(w, s->map, s->map_count);
}

bool slip_make(struct arena *a, struct spec *s, const struct slip_site *site,
               struct slip *out)
{
    struct walk w = {
        .a = a, .kind = site->kind, .left = site->number, .out = out};
    walk_spec(&w, s, site->used);
    return w.done;
}

size_t slip_count(struct arena *a, struct spec *s, const bool *used,
                  enum slip_kind kind)
{
    struct walk w = {.a = a, .kind = kind, .left = SIZE_MAX};
    walk_spec(&w, s, used);
    return w.met;
}

const char *slip_title(enum slip_kind kind)
{
    static const char *const titles[] = {
        [SLIP_TYPO] = "typo in a source name",
        [SLIP_SIZE] = "size off by one",
        [SLIP_LINE] = "line deleted",
        [SLIP_BOUND] = "loop bound off by one",
        [SLIP_PIECE] = "piece of a split deleted",
        [SLIP_CUT] = "bound of a piece off by one",
        [SLIP_AXIS] = "wrong axis kept",
        [SLIP_MOVE] = "permute or transpose forgotten",
        [SLIP_ROPE] = "rotary order forgotten",
        [SLIP_NEIGHBOURS] = "neighbouring sources swapped",
        [SLIP_RANGES] = "ranges swapped",
    };
    return titles[kind];
}
