/* SPDX-License-Identifier: MIT
 *
 * expand_norm.c - a BatchNorm's line, which makes two outputs.
 *
 * In: `KEY: batchnorm(...)` or `KEY: fold_batchnorm(...)`, all variables set.
 * Out: KEY.scale and KEY.shift, or KEY.weight and KEY.bias, composed of steps
 * that other values have too. Invariant: both outputs share all sources of
 * the line, as the pieces of a split do; the counter of training steps is
 * dropped, and the only source that a checkpoint may lack unsaid.
 */
#include "expansion.h"

/* A line while it is expanded. */
struct norm {
    struct expansion *x;
    struct frame *f;
    const struct entry *e;
    const struct term *term;
    struct typing t;
    const struct arg *module;        /* the stem N */
    const struct type_expr *written; /* type of its vectors, for messages */
    struct str stem, key;
    struct type type;         /* of its vectors */
    const struct step *w, *b; /* fold_batchnorm; b may be NULL */
    uint32_t axis;            /* of w */
    size_t first_leaf;
    double eps;
    bool affine, ok;
};

static const struct str counter_reason = {
    "a counter that only training reads",
    sizeof "a counter that only training reads" - 1};

/* --- sources --- */

static struct leaf *new_leaf(struct norm *n, const char *name,
                             const struct type_expr *written)
{
    struct leaf *leaf = typing_leaf_new(&n->t, n->module->at, written);
    leaf->stem = n->stem;
    leaf->name = arena_format(n->x->a, "%.*s.%s", STR_ARG(n->stem), name);
    return leaf;
}

static const struct step *vector(struct norm *n, const char *name)
{
    struct step *s = arena_new(n->x->a, struct step, 1);
    s->op = OP_LEAF;
    s->leaf = new_leaf(n, name, n->written);
    s->leaf->type = s->type = n->type;
    s->dtype = s->leaf->dtype;
    n->ok = n->ok && typing_claim(&n->t, s->leaf);
    return s;
}

/* Behind the outputs, none of which reads it. */
static void claim_counter(struct norm *n)
{
    struct type_expr *written = arena_new(n->x->a, struct type_expr, 1);
    struct leaf *leaf;
    *written = (struct type_expr){
        .given = true, .at = n->module->at, .dtype = TTSB_I64};
    if (n->t.reason == NULL)
        n->t.reason = &counter_reason;
    leaf = new_leaf(n, "num_batches_tracked", written);
    leaf->counter = true;
    typing_claim(&n->t, leaf);
}

/* --- values --- */

static const struct step *map(struct norm *n, enum op op,
                              const struct step *arg, double number)
{
    return typing_map(&n->t, op, arg, number);
}

static const struct step *combine(struct norm *n, enum op op,
                                  const struct step *x, const struct step *y)
{
    return typing_combine(&n->t, op, x, y, AXIS_NONE);
}

/* gamma / sqrt(var + eps) */
static const struct step *factor(struct norm *n)
{
    const struct step *gamma = n->affine ? vector(n, "weight") : NULL, *root;
    root = map(n, OP_OFFSET, vector(n, "running_var"), n->eps);
    root = map(n, OP_SQRT, root, 0);
    return gamma != NULL ? combine(n, OP_DIV, gamma, root)
                         : map(n, OP_RECIPROCAL, root, 0);
}

/* beta - mean * s */
static const struct step *shift(struct norm *n, const struct step *s)
{
    const struct step *beta = n->affine ? vector(n, "bias") : NULL;
    const struct step *mean = vector(n, "running_mean");
    if (beta == NULL)
        return combine(n, OP_MUL, map(n, OP_SCALE, mean, -1), s);
    return combine(n, OP_SUB, beta, combine(n, OP_MUL, mean, s));
}

/* (b - mean) * s + beta */
static const struct step *folded_bias(struct norm *n, const struct step *s)
{
    const struct step *mean = vector(n, "running_mean");
    const struct step *bias =
        combine(n, OP_MUL, combine(n, OP_SUB, n->b, mean), s);
    return n->affine ? combine(n, OP_ADD, bias, vector(n, "bias")) : bias;
}

/* --- arguments --- */

static bool read_module(struct norm *n)
{
    const struct arg *eps = typing_arg(n->term, "eps");
    const struct arg *affine = typing_arg(n->term, "affine");
    n->eps = eps->decimal;
    n->affine = affine == NULL || str_is(affine->id, "yes");
    if (!(n->eps >= 0)) {
        typing_report(&n->t, "E0405", eps->at,
                      "`eps=` of `%s` must not be negative",
                      n->term->signature->name);
        return false;
    }
    return scope_name(n->t.scope, n->t.from, n->module->name, &n->stem) &&
           typing_need_floats(&n->t, n->term, n->module->at,
                              n->written->dtype != 0 ? n->written->dtype
                                                     : n->t.say->source_dtype);
}

static bool read_batchnorm(struct norm *n)
{
    n->module = &n->term->args[0];
    n->written = &n->module->type;
    if (!read_module(n) || !typing_type(&n->t, n->written, &n->type))
        return false;
    if (n->type.rank != 1)
        typing_report(&n->t, "E0405", n->written->at,
                      "`batchnorm` needs the type of its vectors, one axis; "
                      "%.*s has %u",
                      STR_ARG(type_text(n->x->a, n->type)), n->type.rank);
    return n->type.rank == 1;
}

/* The axis of W along which the BatchNorm runs: its channels. */
static bool find_axis(struct norm *n)
{
    const struct arg *arg = typing_arg(n->term, "axis");
    struct str id = arg != NULL ? arg->id : str_c("out");
    int axis = type_axis(n->w->type, id);
    struct diag_item *item;
    if (axis >= 0) {
        n->axis = (uint32_t)axis;
        n->type = (struct type){1, &n->w->type.axes[axis]};
        return true;
    }
    item = typing_report(&n->t, "E0406",
                         arg != NULL ? arg->at : n->term->args[0].at,
                         "axis `%.*s` is not in %.*s", STR_ARG(id),
                         STR_ARG(type_text(n->x->a, n->w->type)));
    if (arg == NULL)
        diag_help(n->x->d, item,
                  "a BatchNorm runs along `out` unless `axis=` names another "
                  "axis");
    return false;
}

static bool read_fold(struct norm *n)
{
    const struct term *term = n->term;
    struct type_expr *none = arena_new(n->x->a, struct type_expr, 1);
    bool bias = term->args[1].kind == ARG_TERM_OR_NOT;
    n->module = &term->args[bias ? 2 : 1];
    none->at = n->module->at;
    n->written = none;
    n->w = expansion_value(n->x, &n->t, term->args[0].term);
    return n->w != NULL &&
           typing_need_floats(&n->t, term, term->args[0].at, n->w->dtype) &&
           find_axis(n) && read_module(n);
}

/* The bias that a layer has already: a vector along W's axis. */
static bool read_bias(struct norm *n)
{
    const struct arg *arg = &n->term->args[1];
    struct diag_item *item;
    if (arg->kind != ARG_TERM_OR_NOT)
        return true;
    n->b = expansion_value(n->x, &n->t, arg->term);
    if (n->b == NULL ||
        !typing_need_floats(&n->t, n->term, arg->at, n->b->dtype))
        return false;
    if (type_eq(n->b->type, n->type))
        return true;
    item = typing_report(&n->t, "E0410", arg->at,
                         "`fold_batchnorm`: the bias is %.*s; along `%.*s` it "
                         "is %.*s",
                         STR_ARG(type_text(n->x->a, n->b->type)),
                         STR_ARG(n->type.axes[0].name),
                         STR_ARG(type_text(n->x->a, n->type)));
    diag_label(n->x->d, item, n->term->args[0].at, "%.*s",
               STR_ARG(type_text(n->x->a, n->w->type)));
    return false;
}

/* --- the line --- */

static void make(struct norm *n, const char *name, const struct step *s)
{
    struct output *o =
        expansion_output(n->x, n->f, n->e->name->at, &n->e->value);
    if (o == NULL)
        return;
    o->name = arena_format(n->x->a, "%.*s.%s", STR_ARG(n->key), name);
    o->step = s;
    expansion_finish(n->x, n->f, o, n->first_leaf);
}

static bool expand(struct norm *n)
{
    bool fold = n->term->op == OP_FOLD_BATCHNORM;
    const struct step *s, *second;
    if (!(fold ? read_fold(n) : read_batchnorm(n)))
        return false;
    s = factor(n);
    if (fold && !read_bias(n))
        return false;
    second = n->b != NULL ? folded_bias(n, s) : shift(n, s);
    if (!n->ok)
        return false;
    if (n->f->reason == NULL && fold)
        s = typing_combine(&n->t, OP_MUL, n->w, s,
                           n->w->type.rank > 1 ? n->axis : AXIS_NONE);
    if (n->f->reason == NULL) {
        make(n, fold ? "weight" : "scale", s);
        make(n, fold ? "bias" : "shift", second);
    }
    claim_counter(n);
    return true;
}

void expansion_norm(struct expansion *x, struct frame *f, const struct entry *e)
{
    struct model *m = x->model;
    struct norm n = {.x = x,
                     .f = f,
                     .e = e,
                     .term = e->value.term,
                     .t = expansion_typing(x, f),
                     .first_leaf = m->leaf_count,
                     .ok = true};
    if (e->value.optional) {
        typing_report(&n.t, "E0508", e->value.optional_at,
                      "`%s` cannot be optional: its two outputs share their "
                      "sources",
                      n.term->signature->name);
        return;
    }
    if (!expansion_work(x, f, e->name->at, 1) ||
        !scope_name(&f->scope, f->to, e->name, &n.key) || expand(&n))
        return;
    for (size_t i = n.first_leaf; i < m->leaf_count; i++)
        m->leaves[i]->broken = true;
}
