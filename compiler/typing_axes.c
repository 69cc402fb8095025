/* SPDX-License-Identifier: MIT
 *
 * typing_axes.c - the type rules of what reads axes differently: unsqueeze,
 * merge, unmerge and the two ropes.
 */
#include <inttypes.h>

#include "size.h"
#include "typing.h"

static struct arena *arena_of(struct typing *t)
{
    return t->scope->a;
}

static bool find_axis(struct typing *t, struct str id, struct span at,
                      struct type type, uint32_t *out)
{
    int axis = type_axis(type, id);
    *out = (uint32_t)axis;
    if (axis < 0)
        typing_report(t, "E0406", at, "axis `%.*s` is not in %.*s", STR_ARG(id),
                      STR_ARG(type_text(arena_of(t), type)));
    return axis >= 0;
}

/* What is there before an operation: axes [first, first + cut) go. */
struct stays {
    struct type type;
    uint32_t first, cut;
};

/* A new axis must not have the name of one that stays of `have`: of all but
 * [first, first + cut). */
static bool check_new(struct typing *t, struct str id, struct span at,
                      const struct stays *have)
{
    struct type type = have->type;
    for (uint32_t i = 0; i < type.rank; i++) {
        if ((i >= have->first && i < have->first + have->cut) ||
            !str_eq(type.axes[i].name, id))
            continue;
        typing_report(t, "E0413", at,
                      "the value has an axis `%.*s` already: "
                      "%.*s",
                      STR_ARG(id), STR_ARG(type_text(arena_of(t), type)));
        return false;
    }
    return true;
}

/* The type with axes [axis, axis + cut) replaced. */
static struct type replaced(struct typing *t, struct type type, uint32_t axis,
                            uint32_t cut, const struct type *by)
{
    uint32_t rank = type.rank - cut + by->rank, n = 0;
    struct axis *axes = arena_new(arena_of(t), struct axis, rank);
    for (uint32_t i = 0; i < axis; i++)
        axes[n++] = type.axes[i];
    for (uint32_t i = 0; i < by->rank; i++)
        axes[n++] = by->axes[i];
    for (uint32_t i = axis + cut; i < type.rank; i++)
        axes[n++] = type.axes[i];
    return (struct type){rank, axes};
}

/* --- unsqueeze --- */

bool typing_unsqueeze_step(struct typing *t, const struct term *term,
                           struct step *s)
{
    const struct arg *name = &term->args[1], *at = typing_arg(term, "at");
    struct stays have = {s->arg->type, 0, 0};
    struct axis one = {name->id, 1};
    struct type by = {1, &one};
    int64_t k;
    if (!scope_eval(t->scope, at->expr, &k) ||
        !check_new(t, name->id, name->at, &have))
        return false;
    if (have.type.rank == TTSB_MAX_RANK) {
        typing_report(t, "E0111", name->at,
                      "axis `%.*s` is one too many for %.*s", STR_ARG(name->id),
                      STR_ARG(type_text(arena_of(t), have.type)));
        return false;
    }
    if (k < 0 || k > (int64_t)have.type.rank) {
        diag_fact(typing_report(t, "E0405", at->at,
                                "`at=` is %" PRId64 "; in %.*s a new axis can "
                                "stand at 0, outermost, to %" PRIu32
                                ", innermost",
                                k, STR_ARG(type_text(arena_of(t), have.type)),
                                have.type.rank),
                  arena_format(arena_of(t), "%" PRId64, k));
        return false;
    }
    s->axis = (uint32_t)k;
    s->dtype = s->arg->dtype;
    s->type = replaced(t, s->arg->type, s->axis, 0, &by);
    return typing_check_written(t, term, s->type);
}

/* --- merge --- */

/* The axes stand side by side, in the order written. */
static bool find_merged(struct typing *t, const struct arg *arg,
                        struct type have, uint32_t *first)
{
    uint32_t axis;
    for (size_t i = 0; i < arg->axis_count; i++) {
        const struct axis_expr *x = &arg->axes[i];
        if (!find_axis(t, x->id, x->at, have, &axis))
            return false;
        if (i == 0)
            *first = axis;
        if (axis == *first + i)
            continue;
        typing_report(t, "E0405", arg->at,
                      "`merge` joins axes that stand side by side, outermost "
                      "first; the value is %.*s",
                      STR_ARG(type_text(arena_of(t), have)));
        diag_help(t->scope->d, t->scope->d->last,
                  "write them in its order; `permute` first, if another one "
                  "is wanted");
        return false;
    }
    if (arg->axis_count >= 2)
        return true;
    typing_report(t, "E0212", arg->at, "`merge` takes two axes or more");
    return false;
}

/* Where the parts of a merged axis are stored is no longer seen in the type
 * of the result: they are held to `layout:` here. */
static bool check_layout(struct typing *t, const struct arg *arg,
                         struct type have)
{
    const struct spec *spec = t->model->spec;
    struct str last = {0}, layout = spec_layout_text(arena_of(t), spec);
    int before = -1;
    for (size_t i = 0; i < arg->axis_count; i++) {
        struct str id = arg->axes[i].id;
        int rank = spec_layout_rank(spec, id);
        struct diag_item *item;
        if (rank < 0 && have.axes[type_axis(have, id)].size == 1)
            continue;
        if (rank > before) {
            before = rank;
            last = id;
            continue;
        }
        item = typing_report(
            t, rank < 0 ? "E0506" : "E0404", arg->axes[i].at,
            rank < 0 ? "`layout:` does not say where axis `%.*s` goes"
                     : "axis `%.*s` would be stored inside of `%.*s`; "
                       "`layout:` says %.*s",
            STR_ARG(id), STR_ARG(last), STR_ARG(layout));
        diag_label(t->scope->d, item, spec->layout_at, "the order of all axes");
        if (rank < 0)
            diag_help(t->scope->d, item, "add `%.*s` to `layout:`",
                      STR_ARG(id));
        else
            diag_help(t->scope->d, item,
                      "permute the axes before they are merged, if the "
                      "checkpoint really stores them so");
        return false;
    }
    return true;
}

bool typing_merge_step(struct typing *t, const struct term *term,
                       struct step *s)
{
    const struct arg *arg = &term->args[1];
    struct type have = s->arg->type;
    struct axis merged = {arg->id, 1};
    struct type by = {1, &merged};
    struct stays rest = {have, 0, 0};
    uint32_t k = (uint32_t)arg->axis_count;
    if (!find_merged(t, arg, have, &s->axis) || !check_layout(t, arg, have))
        return false;
    for (uint32_t i = 0; i < k; i++)
        if (!size_mul(merged.size, have.axes[s->axis + i].size, &merged.size)) {
            typing_report(t, "E0111", arg->at, "the axis would be too large");
            return false;
        }
    rest.first = s->axis;
    rest.cut = k;
    if (!check_new(t, arg->id, arg->id_at, &rest))
        return false;
    s->dtype = s->arg->dtype;
    s->type = replaced(t, have, s->axis, k, &by);
    t->cut = true;
    return typing_check_written(t, term, s->type);
}

/* --- unmerge --- */

static bool eval_sizes(struct typing *t, const struct arg *arg,
                       struct axis *axes, uint64_t *product)
{
    *product = 1;
    for (size_t i = 0; i < arg->axis_count; i++) {
        int64_t size;
        if (!scope_eval(t->scope, arg->axes[i].size, &size))
            return false;
        if (size < 0 || !size_mul(*product, (uint64_t)size, product)) {
            typing_report(t, "E0111", arg->axes[i].at,
                          size < 0 ? "axis `%.*s` has the size %" PRId64
                                   : "with axis `%.*s` = %" PRId64
                                     " the sizes multiply to more than "
                                     "2^63 - 1",
                          STR_ARG(arg->axes[i].id), size);
            return false;
        }
        axes[i] = (struct axis){arg->axes[i].id, (uint64_t)size};
    }
    return true;
}

static bool check_parted(struct typing *t, const struct arg *arg,
                         struct axis have, uint64_t product)
{
    if (arg->axis_count < 2) {
        typing_report(t, "E0212", arg->at, "`unmerge` makes two axes or more");
        return false;
    }
    if (product == have.size)
        return true;
    diag_fact(
        typing_report(t, "E0405", arg->at,
                      "the sizes multiply to %" PRIu64
                      "; axis `%.*s` has %" PRIu64,
                      product, STR_ARG(have.name), have.size),
        arena_format(arena_of(t), "%" PRIu64 " %" PRIu64, product, have.size));
    return false;
}

/* No axis is there twice, and none is one too many. */
static bool check_parts(struct typing *t, const struct arg *arg,
                        const struct stays *have)
{
    size_t rank = have->type.rank - 1 + arg->axis_count;
    for (size_t i = 0; i < arg->axis_count; i++) {
        const struct axis_expr *x = &arg->axes[i];
        if (!check_new(t, x->id, x->at, have))
            return false;
        for (size_t k = 0; k < i; k++) {
            if (!str_eq(arg->axes[k].id, x->id))
                continue;
            typing_report(t, "E0413", x->at, "axis `%.*s` stands twice",
                          STR_ARG(x->id));
            return false;
        }
    }
    if (rank <= TTSB_MAX_RANK)
        return true;
    typing_report(t, "E0111", arg->at, "%zu axes; at most 8 are possible",
                  rank);
    return false;
}

bool typing_unmerge_step(struct typing *t, const struct term *term,
                         struct step *s)
{
    const struct arg *arg = &term->args[1];
    struct type have = s->arg->type;
    struct axis *axes = arena_new(arena_of(t), struct axis, arg->axis_count);
    struct type by = {(uint32_t)arg->axis_count, axes};
    struct stays rest = {have, 0, 1};
    uint64_t product;
    if (!find_axis(t, arg->id, arg->id_at, have, &s->axis) ||
        !eval_sizes(t, arg, axes, &product) ||
        !check_parted(t, arg, have.axes[s->axis], product))
        return false;
    rest.first = s->axis;
    if (!check_parts(t, arg, &rest))
        return false;
    s->dtype = s->arg->dtype;
    s->type = replaced(t, have, s->axis, 1, &by);
    t->cut = true;
    return typing_check_written(t, term, s->type);
}

/* --- ropes --- */

/* The text is the fact: loops have other sizes. */
static bool say_rope(struct typing *t, struct span at, struct str text)
{
    diag_fact(typing_report(t, "E0408", at, "%.*s", STR_ARG(text)), text);
    return false;
}

static bool find_heads(struct typing *t, const struct arg *arg,
                       struct axis axis, struct step *s)
{
    int64_t h;
    if (!scope_eval(t->scope, arg->expr, &h))
        return false;
    s->heads = (uint64_t)h;
    if (h < 1)
        return say_rope(
            t, arg->at,
            arena_format(arena_of(t),
                         "`heads=` is %" PRId64 "; there is one at least", h));
    if (axis.size % s->heads == 0 && axis.size > 0)
        return true;
    return say_rope(t, arg->at,
                    arena_format(arena_of(t),
                                 "%" PRIu64 " rows of axis `%.*s` do not "
                                 "divide into %" PRId64 " heads",
                                 axis.size, STR_ARG(axis.name), h));
}

/* How many rows of a head turn: all of them unless `dims=` says. */
static bool find_dims(struct typing *t, const struct arg *arg, struct span at,
                      uint64_t rows, struct step *s)
{
    int64_t r = (int64_t)rows;
    s->keep = 0;
    if (arg != NULL && !scope_eval(t->scope, arg->expr, &r))
        return false;
    at = arg != NULL ? arg->at : at;
    if (r < 1 || r > (int64_t)rows)
        return say_rope(t, at,
                        arena_format(arena_of(t),
                                     "`dims=` is %" PRId64
                                     "; from 2 to all %" PRIu64
                                     " rows of a head turn",
                                     r, rows));
    if (r % 2 != 0 || r > UINT32_MAX)
        return say_rope(
            t, at,
            arena_format(arena_of(t),
                         r % 2 != 0 ? "a head's %" PRId64
                                      " rows do not divide into pairs"
                                    : "a head's %" PRId64
                                      " rows are too many: below 2^32 can turn",
                         r));
    s->keep = (uint32_t)r;
    return true;
}

/* How many heads, and how many rows of each turn. */
static bool rope_sizes(struct typing *t, const struct term *term,
                       struct axis axis, struct step *s)
{
    const struct arg *heads = typing_arg(term, "heads");
    return find_heads(t, heads, axis, s) &&
           find_dims(t, typing_arg(term, "dims"), heads->at,
                     axis.size / s->heads, s);
}

bool typing_rope_step(struct typing *t, const struct term *term, struct step *s)
{
    const struct arg *id = &term->args[1];
    if (!find_axis(t, id->id, id->at, s->arg->type, &s->axis) ||
        !rope_sizes(t, term, s->arg->type.axes[s->axis], s))
        return false;
    s->type = s->arg->type;
    s->dtype = s->arg->dtype;
    t->cut = true;
    return typing_check_written(t, term, s->type);
}

const struct step *typing_rope(struct typing *t, const struct term *rope,
                               const struct step *arg, uint32_t axis)
{
    struct step *s = arena_new(arena_of(t), struct step, 1);
    s->op = rope->op;
    s->arg = arg;
    s->type = arg->type;
    s->dtype = arg->dtype;
    s->axis = axis;
    return rope_sizes(t, rope, arg->type.axes[axis], s) ? s : NULL;
}
