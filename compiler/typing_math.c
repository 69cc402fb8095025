/* SPDX-License-Identifier: MIT
 *
 * typing_math.c - the type rules of arithmetic.
 *
 * In: a call with typed operands. Out: a step of the first operand's type.
 * Invariant: nothing is broadcast but a vector along an axis that bears its
 * own name and size.
 */
#include <inttypes.h>

#include "typing.h"

static struct arena *arena_of(struct typing *t)
{
    return t->scope->a;
}

/* --- steps --- */

bool typing_need_floats(struct typing *t, const struct term *term,
                        struct span at, enum ttsb_dtype dtype)
{
    if (spec_dtype_is_float(dtype))
        return true;
    typing_report(t, "E0412", at, "`%s` needs floats, not %s",
                  term->signature->name, spec_dtype_name(dtype));
    return false;
}

const struct step *typing_map(struct typing *t, enum op op,
                              const struct step *arg, double number)
{
    struct step *s = arena_new(arena_of(t), struct step, 1);
    s->op = op;
    s->arg = arg;
    s->type = arg->type;
    s->dtype = TTSB_F64;
    s->number = number;
    return s;
}

const struct step *typing_combine(struct typing *t, enum op op,
                                  const struct step *x, const struct step *y,
                                  uint32_t axis)
{
    struct step *s = arena_new(arena_of(t), struct step, 1);
    s->op = op;
    s->arg = x;
    s->other = y;
    s->axis = axis;
    s->type = x->type;
    s->dtype = TTSB_F64;
    return s;
}

/* --- each element by itself --- */

bool typing_map_step(struct typing *t, const struct term *term, struct step *s)
{
    double number = term->count > 1 ? term->args[1].decimal : 0;
    if (!typing_need_floats(t, term, term->at, s->arg->dtype))
        return false;
    *s = *typing_map(t, term->op, s->arg, number);
    return typing_check_written(t, term, s->type);
}

/* E0111: zeros may make a value that no tensor could be. */
static bool may_compute(struct typing *t, const struct term *term,
                        struct type type)
{
    uint64_t bytes;
    if (type_bytes(type, TTSB_F64, &bytes))
        return true;
    typing_report(t, "E0111", term->at,
                  "`%s` of %.*s: more than 2^63 - 1 bytes in binary64",
                  term->signature->name, STR_ARG(type_text(arena_of(t), type)));
    return false;
}

/* --- two operands --- */

/* E0410 about the second operand, with what is wanted. */
static struct diag_item *say_other(struct typing *t, const struct term *term,
                                   struct type x, struct type y)
{
    struct diag_item *item =
        typing_report(t, "E0410", term->args[1].at,
                      "`%s`: the second term is %.*s, the first is %.*s",
                      term->signature->name, STR_ARG(type_text(arena_of(t), y)),
                      STR_ARG(type_text(arena_of(t), x)));
    diag_label(t->scope->d, item, term->args[0].at, "the first");
    return item;
}

static struct str axis_text(struct typing *t, const struct axis *x)
{
    struct type one = {1, x};
    return type_text(arena_of(t), one);
}

/* Which axes of two types of one rank differ. */
static void note_axes(struct typing *t, struct diag_item *item, struct type x,
                      struct type y)
{
    for (uint32_t i = 0; i < x.rank; i++) {
        struct type a = {1, &x.axes[i]}, b = {1, &y.axes[i]};
        if (!type_eq(a, b))
            diag_note(t->scope->d, item,
                      "axis %" PRIu32 " is %.*s in the first and %.*s in the "
                      "second",
                      i, STR_ARG(axis_text(t, &x.axes[i])),
                      STR_ARG(axis_text(t, &y.axes[i])));
    }
}

/* Whether y is a vector along an axis of x; which one. */
static bool runs_along(struct type x, struct type y, uint32_t *axis)
{
    int i = x.rank >= 2 && y.rank == 1 ? type_axis(x, y.axes[0].name) : -1;
    *axis = (uint32_t)i;
    return i >= 0 && x.axes[i].size == y.axes[0].size;
}

static bool say_types(struct typing *t, const struct term *term, struct type x,
                      struct type y)
{
    struct diag_item *item = say_other(t, term, x, y);
    uint32_t axis;
    bool exchanged = runs_along(y, x, &axis);
    if (x.rank == y.rank)
        note_axes(t, item, x, y);
    if (exchanged && term->op == OP_DIV)
        diag_help(t->scope->d, item,
                  "only the second term may be a vector: "
                  "mul(reciprocal(...), ...), with the vector behind");
    else if (exchanged)
        diag_help(t->scope->d, item,
                  "only the second term may be a vector: exchange the two");
    else
        diag_help(t->scope->d, item,
                  "the second term has the first one's axes and sizes, or is a "
                  "vector along one of its axes, of the same name and size");
    return false;
}

/* The only axis of a size, or -1. */
static int axis_of_size(struct type x, uint64_t size)
{
    int found = -1;
    for (uint32_t i = 0; i < x.rank; i++)
        if (x.axes[i].size == size)
            found = found == -1 ? (int)i : -2;
    return found < 0 ? -1 : found;
}

/* A vector whose axis is not in the first operand. */
static bool say_axis(struct typing *t, const struct term *term, struct type x,
                     struct axis y)
{
    int axis = axis_of_size(x, y.size);
    struct diag_item *item;
    if (y.name.n == 0)
        item = typing_report(t, "E0406", term->args[1].at,
                             "`%s`: the vector's axis has no name, so it runs "
                             "along none of %.*s",
                             term->signature->name,
                             STR_ARG(type_text(arena_of(t), x)));
    else
        item = typing_report(t, "E0406", term->args[1].at,
                             "`%s`: axis `%.*s` of the vector is not in %.*s",
                             term->signature->name, STR_ARG(y.name),
                             STR_ARG(type_text(arena_of(t), x)));
    diag_label(t->scope->d, item, term->args[0].at, "the first");
    if (axis >= 0 && x.axes[axis].name.n > 0)
        diag_help(t->scope->d, item,
                  "if it runs along `%.*s`, call its axis so: %.*s",
                  STR_ARG(x.axes[axis].name),
                  STR_ARG(axis_text(t, &x.axes[axis])));
    return false;
}

static bool find_axis(struct typing *t, const struct term *term, struct step *s)
{
    struct type x = s->arg->type, y = s->other->type;
    s->axis = AXIS_NONE;
    if (type_eq(x, y) || runs_along(x, y, &s->axis))
        return true;
    if (x.rank < 2 || y.rank != 1)
        return say_types(t, term, x, y);
    if (s->axis == AXIS_NONE)
        return say_axis(t, term, x, y.axes[0]);
    diag_label(t->scope->d,
               typing_report(t, "E0410", term->args[1].at,
                             "`%s`: axis `%.*s` is %" PRIu64
                             " in the vector, %" PRIu64 " in %.*s",
                             term->signature->name, STR_ARG(y.axes[0].name),
                             y.axes[0].size, x.axes[s->axis].size,
                             STR_ARG(type_text(arena_of(t), x))),
               term->args[0].at, "the first");
    return false;
}

bool typing_combine_step(struct typing *t, const struct term *term,
                         struct step *s)
{
    s->other = typing_step(t, term->args[1].term);
    if (s->other == NULL ||
        !typing_need_floats(t, term, term->args[0].at, s->arg->dtype) ||
        !typing_need_floats(t, term, term->args[1].at, s->other->dtype) ||
        !find_axis(t, term, s) || !may_compute(t, term, s->arg->type))
        return false;
    *s = *typing_combine(t, term->op, s->arg, s->other, s->axis);
    return typing_check_written(t, term, s->type);
}

/* --- norms of vectors --- */

bool typing_l2_normalize_step(struct typing *t, const struct term *term,
                              struct step *s)
{
    const struct arg *over = typing_arg(term, "over");
    const struct arg *eps = typing_arg(term, "eps");
    int axis = type_axis(s->arg->type, over->id);
    if (!typing_need_floats(t, term, term->at, s->arg->dtype) ||
        !may_compute(t, term, s->arg->type))
        return false;
    if (axis < 0) {
        typing_report(t, "E0406", over->at, "axis `%.*s` is not in %.*s",
                      STR_ARG(over->id),
                      STR_ARG(type_text(arena_of(t), s->arg->type)));
        return false;
    }
    if (!(eps->decimal > 0)) {
        typing_report(t, "E0405", eps->at,
                      "`eps=` of `l2_normalize` must be above 0: it stands in "
                      "for a norm of 0");
        return false;
    }
    *s = *typing_map(t, term->op, s->arg, eps->decimal);
    s->axis = (uint32_t)axis;
    return typing_check_written(t, term, s->type);
}
