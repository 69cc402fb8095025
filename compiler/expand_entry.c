/* SPDX-License-Identifier: MIT
 *
 * expand_entry.c - the lines of a block: tensors and drops.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "expansion.h"
#include "output.h"
#include "plan.h"
#include "sources.h"

/* --- entries --- */

/* On the heap while it grows; output_order moves it into the arena. */
static void grow_outputs(struct model *m)
{
    m->output_capacity = m->output_capacity == 0 ? 64 : m->output_capacity * 2;
    m->outputs = realloc(m->outputs, m->output_capacity * sizeof *m->outputs);
    if (m->outputs == NULL)
        arena_exhausted();
}

struct output *expansion_output(struct expansion *x, struct frame *f,
                                struct span at, const struct value *value)
{
    struct model *m = x->model;
    struct output *o;
    if (m->output_count == TTSB_MAX_TENSORS) {
        if (!x->stopped)
            diag_add(x->d, "E0216", scope_where(&f->scope, at),
                     "more than %d outputs", TTSB_MAX_TENSORS);
        x->stopped = true;
        return NULL;
    }
    if (m->output_count == m->output_capacity)
        grow_outputs(m);
    o = &m->outputs[m->output_count++];
    *o = (struct output){.where = scope_where(&f->scope, at),
                         .value = value,
                         .optional = value->optional,
                         .alias_of = TTSB_NO_TENSOR};
    return o;
}

struct typing expansion_typing(struct expansion *x, struct frame *f)
{
    return (struct typing){.model = x->model,
                           .scope = &f->scope,
                           .from = f->from,
                           .say = f->say,
                           .work = &x->terms,
                           .reason = f->reason};
}

void expansion_too_many(struct typing *t, struct span at)
{
    struct diag_item *item =
        typing_report(t, "E0216", at, "the value falls into too many pieces");
    diag_note(t->scope->d, item,
              "where its axes are cut and parted does not meet the bounds of "
              "what they are made of: more than %d pieces, or axes parted more "
              "than %d times",
              REGIONS_MAX, REGION_MAX_DIGITS);
}

/* A cut value's claims; its pieces count as terms, so that expansion ends. */
static bool claim(struct expansion *x, struct typing *t,
                  const struct term *term, const struct step *s)
{
    uint64_t work;
    bool ok = plan_claims(x->a, s, &work);
    if (!ok)
        expansion_too_many(t, term->at);
    if (work <= 1)
        return ok;
    if (work - 1 < TYPING_MAX_WORK - x->terms) {
        x->terms += work - 1;
        return ok;
    }
    if (ok && !x->stopped)
        typing_report(t, "E0216", term->at,
                      "more than %d terms and pieces of values",
                      TYPING_MAX_WORK);
    x->stopped = true;
    return false;
}

const struct step *expansion_value(struct expansion *x, struct typing *t,
                                   const struct term *term)
{
    size_t first = x->model->leaf_count;
    const struct step *s = typing_step(t, term);
    if (s != NULL && t->cut && !claim(x, t, term, s))
        s = NULL;
    for (size_t i = first; s == NULL && i < x->model->leaf_count; i++)
        x->model->leaves[i]->broken = true;
    return s;
}

void expansion_finish(struct expansion *x, struct frame *f, struct output *o,
                      size_t first)
{
    o->first_leaf = (uint32_t)first;
    o->leaf_count = (uint32_t)(x->model->leaf_count - first);
    output_finish(x->a, x->d, x->model, o, f->say);
}

static void expand_tensor(struct expansion *x, struct frame *f,
                          const struct entry *e)
{
    struct typing t = expansion_typing(x, f);
    size_t first = x->model->leaf_count;
    bool alias = e->value.term->op == OP_ALIAS, ok;
    struct output *o;
    t.optional = e->value.optional;
    if (f->reason != NULL && alias) {
        expansion_work(x, f, e->name->at, 1);
        return;
    }
    if (f->reason != NULL) {
        expansion_value(x, &t, e->value.term);
        return;
    }
    o = expansion_output(x, f, e->name->at, &e->value);
    if (o == NULL)
        return;
    ok = scope_name(&f->scope, f->to, e->name, &o->name);
    if (alias)
        ok = scope_name(&f->scope, f->to, e->value.term->args[0].name,
                        &o->alias_target) &&
             ok;
    else
        ok = (o->step = expansion_value(x, &t, e->value.term)) != NULL && ok;
    if (ok)
        expansion_finish(x, f, o, first);
    else
        x->model->output_count--;
}

static void expand_drop(struct expansion *x, struct frame *f,
                        const struct entry *e)
{
    struct leaf *leaf;
    struct typing t = expansion_typing(x, f);
    t.reason = &e->drop->reason;
    typing_leaf(&t, e->name, &e->drop->type, &leaf);
}

static bool eval_size(struct expansion *x, struct frame *f,
                      const struct axis_expr *e, uint64_t *out)
{
    int64_t v;
    if (!scope_eval(&f->scope, e->size, &v))
        return false;
    *out = (uint64_t)v;
    if (v < 0)
        diag_add(x->d, "E0111", scope_where(&f->scope, e->at),
                 "`%.*s` is negative", STR_ARG(e->id));
    return v >= 0;
}

static void expand_subtree(struct expansion *x, struct frame *f,
                           const struct entry *e)
{
    struct model *m = x->model;
    struct subtree s = {.where = scope_where(&f->scope, e->name->at),
                        .size_at = e->drop->type.at,
                        .reason = &e->drop->reason,
                        .say = f->say,
                        .file = sources_find(x->spec, f->say->source)};
    if (!expansion_work(x, f, e->name->at, 1) ||
        !scope_name(&f->scope, f->from, e->name, &s.prefix) ||
        !eval_size(x, f, &e->drop->type.axes[0], &s.tensors) ||
        !eval_size(x, f, &e->drop->type.axes[1], &s.elements))
        return;
    if (m->subtree_count == m->subtree_capacity)
        m->subtrees = arena_grow(x->a, m->subtrees, sizeof *m->subtrees,
                                 m->subtree_count, &m->subtree_capacity);
    m->subtrees[m->subtree_count++] = s;
}

void expansion_entry(struct expansion *x, struct frame *f,
                     const struct entry *e)
{
    struct looped loops;
    switch (e->kind) {
    case ENTRY_TENSOR:
        if (e->value.term->op == OP_BATCHNORM ||
            e->value.term->op == OP_FOLD_BATCHNORM)
            expansion_norm(x, f, e);
        else
            expand_tensor(x, f, e);
        break;
    case ENTRY_SPLIT:
        loops = (struct looped){e->split->loops, e->split->loop_count,
                                e->split->at, expansion_split, e->split};
        expansion_loops(x, f, &loops, 0);
        break;
    case ENTRY_DROP:
        expand_drop(x, f, e);
        break;
    case ENTRY_SUBTREE:
        expand_subtree(x, f, e);
        break;
    }
}
