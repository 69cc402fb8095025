/* SPDX-License-Identifier: MIT
 *
 * typing_norm.c - the type rules of norms that are given by a stem: weight
 * norm and spectral norm. The spelling of their sources' names is said once,
 * by `weight_norm:`.
 */
#include "size.h"
#include "typing.h"

static struct arena *arena_of(struct typing *t)
{
    return t->scope->a;
}

static bool spell(struct typing *t, const struct term *term,
                  const struct arg *arg, struct leaf *leaf)
{
    leaf->spelled = true;
    if (t->say->spelling == SPELLING_UNSET) {
        struct diag_item *item =
            typing_report(t, "E0104", arg->at,
                          "%s(%.*s) needs `weight_norm: legacy` or "
                          "`parametrized` in the spec or a block around it",
                          term->signature->name, STR_ARG(leaf->stem));
        if (term->op == OP_WEIGHT_NORM)
            diag_help(t->scope->d, item,
                      "or name both tensors: weight_norm(g=..., v=..., "
                      "keep=...)");
        return false;
    }
    leaf->name = leaf_spelled(arena_of(t), leaf, t->say->spelling);
    return true;
}

/* The axis that an argument names; -1 after a finding. */
static int find_axis(struct typing *t, const struct arg *arg, struct type type)
{
    int axis = type_axis(type, arg->id);
    if (axis < 0)
        typing_report(t, "E0406", arg->at, "axis `%.*s` is not in %.*s",
                      STR_ARG(arg->id), STR_ARG(type_text(arena_of(t), type)));
    return axis;
}

/* --- weight norm --- */

static const struct arg *arg_first(const struct term *term)
{
    return term->count > 0 && term->args[0].key.n == 0 ? &term->args[0] : NULL;
}

static bool norm_leaf(struct typing *t, const struct term *term, bool is_g,
                      struct leaf **out)
{
    const struct arg *named = typing_arg(term, is_g ? "g" : "v");
    const struct arg *arg = named != NULL ? named : arg_first(term);
    struct leaf *leaf = typing_leaf_new(t, arg->at, &term->type);
    if (!scope_name(t->scope, t->from, arg->name, &leaf->stem))
        return false;
    leaf->name = leaf->stem;
    leaf->is_g = is_g;
    leaf->keep_at = typing_arg(term, "keep")->at;
    *out = leaf;
    return named != NULL || spell(t, term, arg, leaf);
}

static bool find_keep(struct typing *t, const struct term *term, struct step *s)
{
    const struct arg *keep = typing_arg(term, "keep");
    s->keep = KEEP_NONE;
    if (type_axis(s->type, keep->id) < 0 && str_is(keep->id, "none"))
        return true;
    s->keep = (uint32_t)find_axis(t, keep, s->type);
    return s->keep < s->type.rank;
}

/* g is 1 everywhere but on the kept axis; rank 0 where nothing is kept. */
static struct type magnitude_type(struct typing *t, const struct step *s)
{
    struct axis *axes = arena_new(arena_of(t), struct axis, s->type.rank);
    if (s->keep == KEEP_NONE)
        return (struct type){0};
    for (uint32_t i = 0; i < s->type.rank; i++)
        axes[i] = i == s->keep ? s->type.axes[i] : (struct axis){{0}, 1};
    return (struct type){s->type.rank, axes};
}

static bool check_norm_arguments(struct typing *t, const struct term *term)
{
    bool stem = arg_first(term) != NULL;
    bool g = typing_arg(term, "g") != NULL, v = typing_arg(term, "v") != NULL;
    if (stem ? !g && !v : g && v)
        return true;
    typing_report(t, "E0212", term->at,
                  "weight_norm takes a stem, or both `g=` and `v=`");
    return false;
}

bool typing_weight_norm_step(struct typing *t, const struct term *term,
                             struct step *s)
{
    if (!check_norm_arguments(t, term) ||
        !typing_type(t, &term->type, &s->type) || !find_keep(t, term, s) ||
        !norm_leaf(t, term, true, &s->g) ||
        !norm_leaf(t, term, false, &s->leaf))
        return false;
    s->dtype = TTSB_F64;
    s->leaf->type = s->type;
    s->g->type = magnitude_type(t, s);
    s->g->keep = s->keep;
    s->g->pair = s->leaf;
    s->leaf->pair = s->g;
    return typing_need_floats(t, term, term->at, s->leaf->dtype) &&
           typing_claim(t, s->g) && typing_claim(t, s->leaf);
}

/* --- spectral norm --- */

/* W has the type that is written, u the size of its rows, v that of all other
 * axes together; v's axis is none of W's, and has no name. */
static bool spectral_type(struct typing *t, const struct step *s,
                          enum spectral_part part, struct type *out)
{
    struct axis *axis = arena_new(arena_of(t), struct axis, 1);
    *out = s->type;
    if (part == SPECTRAL_W)
        return true;
    *out = (struct type){1, axis};
    *axis = s->type.axes[s->axis];
    if (part == SPECTRAL_U)
        return true;
    *axis = (struct axis){{0}, 1};
    for (uint32_t i = 0; i < s->type.rank; i++)
        if (i != s->axis &&
            !size_mul(axis->size, s->type.axes[i].size, &axis->size))
            return false;
    return true;
}

static const struct step *spectral_leaf(struct typing *t,
                                        const struct term *term,
                                        const struct step *s,
                                        enum spectral_part part)
{
    const struct arg *arg = &term->args[0];
    struct step *leaf = arena_new(arena_of(t), struct step, 1);
    leaf->op = OP_LEAF;
    leaf->leaf = typing_leaf_new(t, arg->at, &term->type);
    leaf->leaf->spectral = (uint8_t)part;
    leaf->dtype = leaf->leaf->dtype;
    if (!scope_name(t->scope, t->from, arg->name, &leaf->leaf->stem) ||
        !spell(t, term, arg, leaf->leaf))
        return NULL;
    if (!spectral_type(t, s, part, &leaf->type)) {
        typing_report(t, "E0111", term->type.at,
                      "the tensor's bytes are no whole number below 2^63");
        return NULL;
    }
    leaf->leaf->type = leaf->type;
    return typing_claim(t, leaf->leaf) ? leaf : NULL;
}

static bool find_rows(struct typing *t, const struct term *term, struct step *s)
{
    s->axis = (uint32_t)find_axis(t, typing_arg(term, "rows"), s->type);
    if (s->axis >= s->type.rank)
        return false;
    if (s->type.rank >= 2)
        return true;
    typing_report(t, "E0405", term->type.at,
                  "`spectral_norm` needs 2 axes or more; %.*s has one",
                  STR_ARG(type_text(arena_of(t), s->type)));
    return false;
}

bool typing_spectral_norm_step(struct typing *t, const struct term *term,
                               struct step *s)
{
    const struct step **parts = arena_new(arena_of(t), const struct step *, 3);
    if (!typing_type(t, &term->type, &s->type) || !find_rows(t, term, s) ||
        !typing_need_floats(t, term, term->at, t->say->source_dtype))
        return false;
    s->dtype = TTSB_F64;
    for (int i = 0; i < 3; i++) {
        parts[i] =
            spectral_leaf(t, term, s, (enum spectral_part)(SPECTRAL_W + i));
        if (parts[i] == NULL)
            return false;
    }
    s->parts = parts;
    s->part_count = 3;
    return true;
}
