/* SPDX-License-Identifier: MIT
 *
 * typing_parts.c - the type rules of what cuts and joins: slice, concat, stack
 * and interleave.
 */
#include <inttypes.h>

#include "plan.h"
#include "size.h"
#include "typing.h"

static struct arena *arena_of(struct typing *t)
{
    return t->scope->a;
}

/* --- cutting --- */

bool typing_range(struct typing *t, const struct range *r, struct axis axis,
                  struct range_value *out)
{
    int64_t lo, hi;
    if (!scope_eval(t->scope, r->lo, &lo) ||
        (r->hi != NULL && !scope_eval(t->scope, r->hi, &hi)))
        return false;
    if (r->hi == NULL)
        hi = lo < INT64_MAX ? lo + 1 : lo;
    if (lo >= hi) {
        typing_report(t, "E0205", r->at,
                      "the range %" PRId64 "..%" PRId64 " is empty", lo, hi);
        return false;
    }
    if (lo < 0 || (uint64_t)hi > axis.size) {
        struct str text = arena_format(
            arena_of(t),
            r->hi == NULL ? "index %" PRId64 : "%" PRId64 "..%" PRId64, lo, hi);
        struct diag_item *item = typing_report(
            t, "E0405", r->at, "%.*s is not inside axis `%.*s`, 0..%" PRIu64,
            STR_ARG(text), STR_ARG(axis.name), axis.size);
        diag_fact(item,
                  arena_format(arena_of(t), "%" PRId64 " %" PRId64, lo, hi));
        return false;
    }
    *out = (struct range_value){(uint64_t)lo, (uint64_t)(hi - lo)};
    return true;
}

const struct step *typing_slice(struct typing *t, const struct step *arg,
                                uint32_t axis, const struct range_value *r)
{
    struct step *s = arena_new(arena_of(t), struct step, 1);
    struct axis *axes = arena_new(arena_of(t), struct axis, arg->type.rank);
    for (uint32_t i = 0; i < arg->type.rank; i++)
        axes[i] = arg->type.axes[i];
    axes[axis].size = r->n;
    s->op = OP_SLICE;
    s->arg = arg;
    s->dtype = arg->dtype;
    s->axis = axis;
    s->lo = r->lo;
    s->type = (struct type){arg->type.rank, axes};
    return s;
}

const struct step *typing_without(struct typing *t, const struct step *arg,
                                  uint32_t axis)
{
    struct step *s = arena_new(arena_of(t), struct step, 1);
    struct axis *axes = arena_new(arena_of(t), struct axis, arg->type.rank);
    uint32_t rank = 0;
    for (uint32_t i = 0; i < arg->type.rank; i++)
        if (i != axis)
            axes[rank++] = arg->type.axes[i];
    s->op = OP_SQUEEZE;
    s->arg = arg;
    s->dtype = arg->dtype;
    s->removed = (uint8_t)(1U << axis);
    s->type = (struct type){rank, axes};
    return s;
}

/* A step below that needs all of its operands for each part of its result, or
 * several of them for each element; NULL if there is none. */
static const struct step *computed_below(const struct step *s)
{
    const struct step *found = NULL;
    if (plan_is_node(s))
        return s;
    for (size_t i = 0; i < s->part_count && found == NULL; i++)
        found = computed_below(s->parts[i]);
    return found != NULL || s->arg == NULL ? found : computed_below(s->arg);
}

/* Such a value claims its sources whole, so that a slice of it would leave
 * elements out that nothing accounts for. */
static bool may_slice(struct typing *t, const struct term *term,
                      const struct step *arg)
{
    const struct step *computed = computed_below(arg);
    struct diag_item *item;
    if (computed == NULL)
        return true;
    item = typing_report(t, "E0405", term->at,
                         "`slice` of a value that `%s` computes",
                         op_name(computed->op));
    diag_note(t->scope->d, item, "`%s` claims its sources whole",
              op_name(computed->op));
    diag_help(t->scope->d, item,
              "cut its operands, or use `split:`, whose source may be any "
              "term");
    return false;
}

bool typing_slice_step(struct typing *t, const struct term *term,
                       struct step *s)
{
    const struct arg *id = &term->args[1];
    int axis = type_axis(s->arg->type, id->id);
    struct range_value r;
    if (!may_slice(t, term, s->arg))
        return false;
    if (axis < 0) {
        typing_report(t, "E0406", id->at, "axis `%.*s` is not in %.*s",
                      STR_ARG(id->id),
                      STR_ARG(type_text(arena_of(t), s->arg->type)));
        return false;
    }
    if (!typing_range(t, &term->args[2].range, s->arg->type.axes[axis], &r))
        return false;
    *s = *typing_slice(t, s->arg, (uint32_t)axis, &r);
    t->cut = true;
    return typing_check_written(t, term, s->type);
}

/* --- joining --- */

/* The terms of a join while they are typed. */
struct parts {
    const struct step **steps;
    struct diag_where *where;
    size_t n, capacity, where_capacity;
};

static const struct step *zeros_step(struct typing *t, const struct term *term)
{
    struct step *s = arena_new(arena_of(t), struct step, 1);
    s->op = OP_ZEROS;
    *t->work += *t->work + 1 < TYPING_MAX_WORK; /* the next source stops */
    return typing_type(t, &term->type, &s->type) ? s : NULL;
}

static bool part_add(struct typing *t, const struct term *join,
                     const struct term *term, struct parts *v)
{
    bool zeros = term->op == OP_ZEROS && join->op != OP_INTERLEAVE;
    const struct step *s;
    if (t->parts++ == TYPING_MAX_PARTS) {
        typing_report(t, "E0216", join->at, "more than %d terms in one value",
                      TYPING_MAX_PARTS);
        return false;
    }
    s = zeros ? zeros_step(t, term) : typing_step(t, term);
    if (s == NULL || (!zeros && !typing_may_compute(t, term, s)))
        return false;
    if (v->n == v->capacity) {
        v->steps = arena_grow(arena_of(t), v->steps, sizeof *v->steps, v->n,
                              &v->capacity);
        v->where = arena_grow(arena_of(t), v->where, sizeof *v->where, v->n,
                              &v->where_capacity);
    }
    v->where[v->n] = scope_where(t->scope, term->at);
    v->steps[v->n++] = s;
    return true;
}

/* `each j lo..hi, TERM` */
static bool parts_each(struct typing *t, const struct term *join,
                       const struct arg *arg, struct parts *v)
{
    struct scope *outer = t->scope;
    uint64_t errors = t->scope->d->errors;
    int64_t lo, hi;
    const struct loop_run *run;
    bool ok = scope_eval(outer, arg->range.lo, &lo) &&
              scope_eval(outer, arg->range.hi, &hi);
    if (ok && lo >= hi) {
        typing_report(t, "E0205", arg->range.at,
                      "the range %" PRId64 "..%" PRId64 " is empty", lo, hi);
        return false;
    }
    run = ok ? scope_run(outer, &arg->range, lo, hi) : NULL;
    for (int64_t i = lo; ok && i < hi; i++) {
        struct scope inner = *outer;
        struct diag_binding *shown =
            arena_new(arena_of(t), struct diag_binding, 1);
        *shown = (struct diag_binding){
            .outer = outer->loops, .name = arg->each, .number = i, .run = run};
        inner.loops = shown;
        scope_define(&inner, (struct binding){.name = arg->each,
                                              .at = arg->each_at,
                                              .kind = BIND_NUMBER,
                                              .number = i});
        t->scope = &inner;
        ok = outer->d->errors == errors && part_add(t, join, arg->term, v);
        t->scope = outer;
    }
    return ok;
}

static bool parts_all(struct typing *t, const struct term *join,
                      struct parts *v)
{
    bool sources = false;
    for (size_t i = 1; i < join->count; i++) {
        const struct arg *arg = &join->args[i];
        if (arg->each.n > 0 ? !parts_each(t, join, arg, v)
                            : !part_add(t, join, arg->term, v))
            return false;
        sources = sources || arg->term->op != OP_ZEROS;
    }
    if (!sources)
        typing_report(t, "E0212", join->at,
                      "`%s` needs a source: zeros alone are no weights",
                      join->signature->name);
    return sources;
}

/* Whether part k has the first one's axes, but for the size of `free`. */
static bool fits(struct type first, struct type part, int free)
{
    if (first.rank != part.rank)
        return false;
    for (uint32_t i = 0; i < first.rank; i++)
        if (!str_eq(first.axes[i].name, part.axes[i].name) ||
            ((int)i != free && first.axes[i].size != part.axes[i].size))
            return false;
    return true;
}

static bool check_fit(struct typing *t, const struct term *join,
                      const struct parts *v, int free)
{
    for (size_t k = 1; k < v->n; k++) {
        struct diag_item *item;
        if (fits(v->steps[0]->type, v->steps[k]->type, free))
            continue;
        item = diag_add(t->scope->d, "E0410", v->where[k],
                        "`%s`: term %zu is %.*s, the first is %.*s",
                        join->signature->name, k + 1,
                        STR_ARG(type_text(arena_of(t), v->steps[k]->type)),
                        STR_ARG(type_text(arena_of(t), v->steps[0]->type)));
        diag_label(t->scope->d, item, v->where[0].at, "the first");
        diag_note(t->scope->d, item,
                  free < 0 ? "all terms need the same axes in the same order"
                           : "only the axis along which they are joined may "
                             "have another size");
        return false;
    }
    return true;
}

/* One dtype, or binary64 where floats differ or were computed. */
static bool join_dtype(struct typing *t, const struct term *join,
                       const struct parts *v, enum ttsb_dtype *out)
{
    *out = (enum ttsb_dtype)0;
    for (size_t k = 0; k < v->n; k++) {
        enum ttsb_dtype dtype = v->steps[k]->dtype;
        if (v->steps[k]->op == OP_ZEROS || dtype == *out)
            continue;
        if (*out == 0) {
            *out = dtype;
        } else if (spec_dtype_is_float(dtype) && spec_dtype_is_float(*out)) {
            *out = TTSB_F64;
        } else {
            struct diag_item *item =
                diag_add(t->scope->d, "E0412", v->where[k], "`%s` of %s and %s",
                         join->signature->name, spec_dtype_name(*out),
                         spec_dtype_name(dtype));
            diag_note(t->scope->d, item,
                      "all terms are floats, or all of one dtype; nothing is "
                      "cast inside a value");
            return false;
        }
    }
    return true;
}

/* concat and interleave: an axis of the terms grows. */
static bool grown_type(struct typing *t, const struct term *join,
                       const struct parts *v, struct step *s)
{
    struct type first = v->steps[0]->type;
    struct axis *axes = arena_new(arena_of(t), struct axis, first.rank);
    uint64_t size = 0;
    bool ok = true;
    for (uint32_t i = 0; i < first.rank; i++)
        axes[i] = first.axes[i];
    for (size_t k = 0; k < v->n; k++)
        ok = ok && size_add(size, v->steps[k]->type.axes[s->axis].size, &size);
    axes[s->axis].size = size;
    s->type = (struct type){first.rank, axes};
    if (!ok)
        typing_report(t, "E0111", join->at, "the axis would be too large");
    return ok;
}

/* stack: a new outermost axis. */
static bool stacked_type(struct typing *t, const struct term *join,
                         const struct parts *v, struct step *s)
{
    struct type first = v->steps[0]->type;
    struct axis *axes = arena_new(arena_of(t), struct axis, first.rank + 1);
    const struct arg *id = &join->args[0];
    if (type_axis(first, id->id) >= 0 || first.rank == TTSB_MAX_RANK) {
        bool twice = first.rank < TTSB_MAX_RANK;
        typing_report(t, twice ? "E0413" : "E0111", id->at,
                      twice ? "axis `%.*s` is in the terms already: %.*s"
                            : "axis `%.*s` is one too many for %.*s",
                      STR_ARG(id->id), STR_ARG(type_text(arena_of(t), first)));
        return false;
    }
    axes[0] = (struct axis){id->id, v->n};
    for (uint32_t i = 0; i < first.rank; i++)
        axes[i + 1] = first.axes[i];
    s->type = (struct type){first.rank + 1, axes};
    return true;
}

static bool join_type(struct typing *t, const struct term *join,
                      const struct parts *v, struct step *s)
{
    const struct arg *id = &join->args[0];
    int axis;
    if (join->op == OP_STACK)
        return check_fit(t, join, v, -1) && stacked_type(t, join, v, s);
    axis = type_axis(v->steps[0]->type, id->id);
    if (axis < 0) {
        typing_report(t, "E0406", id->at, "axis `%.*s` is not in %.*s",
                      STR_ARG(id->id),
                      STR_ARG(type_text(arena_of(t), v->steps[0]->type)));
        return false;
    }
    s->axis = (uint32_t)axis;
    return check_fit(t, join, v, join->op == OP_CONCAT ? axis : -1) &&
           grown_type(t, join, v, s);
}

bool typing_join_step(struct typing *t, const struct term *term, struct step *s)
{
    struct parts v = {0};
    if (!parts_all(t, term, &v) || !join_type(t, term, &v, s) ||
        !join_dtype(t, term, &v, &s->dtype))
        return false;
    s->parts = v.steps;
    s->part_count = v.n;
    return typing_check_written(t, term, s->type);
}
