/* SPDX-License-Identifier: MIT
 *
 * expand_split.c - a split: one term, cut along an axis into outputs.
 *
 * The term claims its sources whole and the pieces must tile it, so that a
 * part of it can only be left out by a `drop` with a reason.
 */
#include <inttypes.h>

#include "expansion.h"
#include "plan.h"
#include "tiling.h"

/* One iteration of a split: its term, cut. */
struct cut {
    struct expansion *x;
    struct frame *f;
    const struct split *split;
    const struct step *whole;
    size_t first_leaf;
    uint32_t axis;
    bool is_cut; /* the term: its pieces may be too many */
};

/* What a split's source is called in messages. */
static struct str cut_name(const struct cut *c)
{
    const struct model *m = c->x->model;
    struct output o = {.first_leaf = (uint32_t)c->first_leaf,
                       .leaf_count = (uint32_t)(m->leaf_count - c->first_leaf)};
    const struct leaf *leaf = output_only_leaf(m, &o);
    if (leaf == NULL)
        return span_text(c->split->source->at);
    return leaf->stem.n > 0 ? leaf->stem : leaf->name;
}

/* A gap is said with an overlap: one bound is wrong, and both follow. */
static void say_overlaps(const struct cut *c, const struct tiling *t)
{
    for (size_t i = 0; i < t->overlap_count; i++) {
        const struct overlap *o = &t->overlaps[i];
        struct str range =
            arena_format(c->x->a, "%" PRIu64 "..%" PRIu64, o->lo, o->hi);
        struct diag_item *item = diag_add(
            c->x->d, "E0308",
            scope_where(&c->f->scope, c->split->pieces[o->second].range.at),
            "`%.*s` %.*s of `%.*s` is used by two pieces",
            STR_ARG(c->split->axis), STR_ARG(range), STR_ARG(cut_name(c)));
        diag_fact(item, arena_format(c->x->a, "%.*s %.*s", STR_ARG(range),
                                     STR_ARG(t->gaps)));
        diag_label(c->x->d, item, c->split->pieces[o->first].range.at,
                   "the same elements");
        if (t->gaps.n > 0)
            diag_note(c->x->d, item, "`%.*s` %.*s is used by no piece",
                      STR_ARG(c->split->axis), STR_ARG(t->gaps));
    }
}

/* The piece that ends where the first gap begins, or begins where it ends. */
static struct span beside_gap(const struct cut *c, const struct tiling *t,
                              const struct part *parts)
{
    size_t best = 0;
    for (size_t i = 0; i < c->split->piece_count; i++)
        if (parts[i].hi == t->gap_lo ||
            (t->gap_lo == 0 && parts[i].lo == t->gap_hi))
            best = parts[i].owner;
    return c->split->pieces[best].range.at;
}

static void say_gaps(const struct cut *c, const struct tiling *t,
                     const struct part *parts)
{
    struct diag_item *item = diag_add(
        c->x->d, "E0307", scope_where(&c->f->scope, beside_gap(c, t, parts)),
        "`%.*s` %.*s of `%.*s` is used by no piece", STR_ARG(c->split->axis),
        STR_ARG(t->gaps), STR_ARG(cut_name(c)));
    diag_fact(item, t->gaps);
    diag_label(c->x->d, item, c->split->source->at, "%.*s",
               STR_ARG(type_text(c->x->a, c->whole->type)));
    diag_help(c->x->d, item,
              "what is not wanted is dropped with a reason: `drop %" PRIu64
              "..%" PRIu64 ": reason`",
              t->gap_lo, t->gap_hi);
}

/* The pieces' ranges tile the axis. */
static bool check_tiling(const struct cut *c, const struct range_value *ranges)
{
    struct part *parts = arena_new(c->x->a, struct part, c->split->piece_count);
    struct tiling t;
    for (size_t i = 0; i < c->split->piece_count; i++)
        parts[i] = (struct part){ranges[i].lo, ranges[i].lo + ranges[i].n, i};
    t = tiling_line(c->x->a, parts, c->split->piece_count,
                    c->whole->type.axes[c->axis].size);
    say_overlaps(c, &t);
    if (t.gaps.n > 0 && t.overlap_count == 0)
        say_gaps(c, &t, parts);
    return t.overlap_count == 0 && t.gaps.n == 0;
}

/* The range, turned or without its axis; NULL after a finding. */
static const struct step *piece_value(const struct cut *c, struct typing *t,
                                      const struct piece *p,
                                      const struct range_value *r)
{
    const struct step *s = typing_slice(t, c->whole, c->axis, r);
    struct arena scratch = {0};
    bool failed;
    if (p->range.hi == NULL)
        return typing_without(t, s, c->axis);
    if (p->rope != NULL)
        s = typing_rope(t, p->rope, s, c->axis);
    if (s == NULL || (!c->is_cut && p->rope == NULL))
        return s;
    failed = plan_value(&scratch, s).failed;
    arena_release(&scratch);
    if (failed)
        expansion_too_many(t, p->range.at);
    return failed ? NULL : s;
}

static void expand_piece(const struct cut *c, const struct piece *p,
                         const struct range_value *r)
{
    struct typing t = expansion_typing(c->x, c->f);
    struct output *o;
    bool ok;
    if (p->name == NULL || c->f->reason != NULL)
        return;
    o = expansion_output(c->x, c->f, p->name->at, &p->value);
    if (o == NULL)
        return;
    o->step = piece_value(c, &t, p, r);
    ok = o->step != NULL;
    ok = scope_name(&c->f->scope, c->f->to, p->name, &o->name) && ok;
    if (ok)
        expansion_finish(c->x, c->f, o, c->first_leaf);
    else
        c->x->model->output_count--;
}

static bool find_axis(struct cut *c)
{
    int axis = type_axis(c->whole->type, c->split->axis);
    c->axis = (uint32_t)axis;
    if (axis < 0)
        diag_add(c->x->d, "E0406", scope_where(&c->f->scope, c->split->axis_at),
                 "axis `%.*s` is not in %.*s", STR_ARG(c->split->axis),
                 STR_ARG(type_text(c->x->a, c->whole->type)));
    return axis >= 0;
}

/* What is left out of a split that is not dropped itself. */
static void note_trimmed(const struct cut *c, const struct range_value *ranges)
{
    struct model *m = c->x->model;
    bool drops = false;
    for (size_t i = 0; i < c->split->piece_count; i++)
        drops = drops || c->split->pieces[i].name == NULL;
    if (!drops || c->f->reason != NULL)
        return;
    if (m->trimmed_count == m->trimmed_capacity)
        m->trimmed = arena_grow(c->x->a, m->trimmed, sizeof *m->trimmed,
                                m->trimmed_count, &m->trimmed_capacity);
    m->trimmed[m->trimmed_count++] =
        (struct trimmed){c->split, ranges, c->whole, c->axis};
}

void expansion_split(struct expansion *x, struct frame *f, const void *what)
{
    const struct split *split = what;
    struct cut c = {.x = x, .f = f, .split = split};
    struct typing t = expansion_typing(x, f);
    struct range_value *ranges =
        arena_new(x->a, struct range_value, split->piece_count);
    uint64_t terms = x->terms;
    bool ok = true;
    c.first_leaf = x->model->leaf_count;
    c.whole = expansion_value(x, &t, split->source);
    c.is_cut = t.cut;
    if (c.whole == NULL || !find_axis(&c) ||
        !typing_may_compute(&t, split->source, c.whole) ||
        !expansion_work(x, f, split->at,
                        (x->terms - terms) * split->piece_count))
        return;
    for (size_t i = 0; i < split->piece_count; i++)
        ok = typing_range(&t, &split->pieces[i].range,
                          c.whole->type.axes[c.axis], &ranges[i]) &&
             ok;
    if (!ok || !check_tiling(&c, ranges))
        return;
    for (size_t i = 0; i < split->piece_count; i++)
        expand_piece(&c, &split->pieces[i], &ranges[i]);
    note_trimmed(&c, ranges);
}
