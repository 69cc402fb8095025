/* SPDX-License-Identifier: MIT
 *
 * output.c - layout, roles, dtypes, groups and aliases of outputs.
 */
#include "output.h"

#include <stdlib.h>

#include "cover.h"
#include "members.h"
#include "reserved.h"
#include "suggest.h"

void output_groups(struct arena *a, struct model *m)
{
    const struct spec *s = m->spec;
    m->group_count = s->group_count > 0 ? s->group_count : 1;
    m->groups = arena_new(a, struct group, m->group_count);
    m->groups[0].name = str_c("main");
    for (size_t i = 0; i < s->group_count; i++)
        m->groups[i] = (struct group){.name = s->groups[i].name,
                                      .place = s->groups[i].place};
    for (uint32_t i = 0; i < m->group_count; i++) {
        uint32_t index = i;
        nametab_add(a, &m->group_names, m->groups[i].name, &index);
    }
}

/* --- layout --- */

/* Where the type stands that the output has: behind the outermost call, or
 * behind the source. */
static struct span type_at(const struct model *m, const struct output *o)
{
    const struct leaf *leaf = output_only_leaf(m, o);
    if (o->value->term->type.given)
        return o->value->term->type.at;
    return leaf != NULL ? leaf->written->at : o->value->term->at;
}

static struct str axes_text(struct arena *a, struct type t)
{
    struct str s = str_c("[");
    for (uint32_t i = 0; i < t.rank; i++)
        s = arena_format(
            a, "%.*s%s%.*s", STR_ARG(s), i > 0 ? ", " : "",
            STR_ARG(t.axes[i].name.n > 0 ? t.axes[i].name : str_c("1")));
    return arena_format(a, "%.*s]", STR_ARG(s));
}

/* The order may be a slip in the type of a source that needs no operation. */
static const char *type_doubt(const struct output *o)
{
    const struct axis *x = o->type.axes;
    if (o->value->term->op != OP_LEAF)
        return "";
    if (o->type.rank == 2 && str_is(x[0].name, "in") &&
        str_is(x[1].name, "out"))
        return "; an nn.Linear is stored [out, in] and needs none";
    return "; else mend its type";
}

static void order_violated(struct arena *a, struct diag *d,
                           const struct model *m, const struct output *o,
                           uint32_t first, uint32_t second)
{
    const struct axis *x = o->type.axes;
    bool square = x[first].size == x[second].size;
    struct diag_where where = o->where;
    struct diag_item *item;
    where.at = type_at(m, o);
    if (diag_just_said(d, "E0404", &where))
        return; /* of another piece of the split */
    item = diag_add(d, "E0404", where,
                    "output `%.*s` would be stored %.*s; `layout:` says %.*s",
                    STR_ARG(o->name), STR_ARG(axes_text(a, o->type)),
                    STR_ARG(spec_layout_text(a, m->spec)));
    diag_label(d, item, m->spec->layout_at,
               "this spec stores `%.*s` before `%.*s`", STR_ARG(x[second].name),
               STR_ARG(x[first].name));
    diag_fact(item, square || o->type.rank == 2 ? type_text(a, o->type)
                                                : axes_text(a, o->type));
    if (square)
        diag_note(d, item,
                  "both axes have %llu: the sizes cannot show which is which",
                  (unsigned long long)x[first].size);
    if (o->type.rank == 2)
        diag_help(d, item,
                  "transpose(...) [%.*s=%llu, %.*s=%llu], if the "
                  "checkpoint really stores it so%s",
                  STR_ARG(x[1].name), (unsigned long long)x[1].size,
                  STR_ARG(x[0].name), (unsigned long long)x[0].size,
                  type_doubt(o));
    else
        diag_help(d, item,
                  "permute(...) into the layout's order, with the type of the "
                  "result behind it, if the checkpoint really stores it so%s",
                  type_doubt(o));
}

static void not_in_layout(struct arena *a, struct diag *d,
                          const struct model *m, const struct output *o,
                          struct str axis)
{
    size_t n = m->spec->layout_count;
    struct str *names = arena_new(a, struct str, n), near;
    struct diag_item *item =
        diag_add(d, "E0506", o->where,
                 "`layout:` does not say where axis `%.*s` of `%.*s` goes",
                 STR_ARG(axis), STR_ARG(o->name));
    diag_label(d, item, m->spec->layout_at, "%.*s",
               STR_ARG(spec_layout_text(a, m->spec)));
    for (size_t i = 0; i < n; i++)
        names[i] = m->spec->layout[i].id;
    near = suggest_nearest(axis, names, n);
    if (near.n > 0)
        diag_help(d, item, "did you mean `%.*s`? or add `%.*s` to `layout:`",
                  STR_ARG(near), STR_ARG(axis));
    else
        diag_help(d, item, "add `%.*s` to `layout:`", STR_ARG(axis));
}

static void check_layout(struct arena *a, struct diag *d, const struct model *m,
                         const struct output *o)
{
    int last = -1, last_axis = -1;
    for (uint32_t i = 0; i < o->type.rank; i++) {
        const struct axis *x = &o->type.axes[i];
        int rank = x->name.n > 0 ? spec_layout_rank(m->spec, x->name) : -1;
        if (rank < 0 && x->name.n > 0 && x->size > 1 && o->type.rank >= 2)
            not_in_layout(a, d, m, o, x->name);
        if (rank < 0)
            continue;
        if (rank < last) {
            order_violated(a, d, m, o, (uint32_t)last_axis, i);
            return;
        }
        last = rank;
        last_axis = (int)i;
    }
}

/* --- roles --- */

static struct str last_component(struct str name)
{
    size_t n = name.n;
    while (n > 0 && name.p[n - 1] != '.')
        n--;
    return str_cut(name, n, name.n);
}

/* 1 for a factor, 2 for a summand, 0 for neither. */
static int role(struct str name)
{
    static const char *const words[] = {"weight", "gamma", "scale",
                                        "bias",   "beta",  "shift"};
    struct str last = last_component(name);
    for (int i = 0; i < 6; i++)
        if (str_is(last, words[i]))
            return i < 3 ? 1 : 2;
    return 0;
}

/* Of values with one source. */
static void check_role(struct diag *d, const struct model *m,
                       const struct output *o)
{
    const struct leaf *leaf = output_only_leaf(m, o);
    struct str source = {0};
    int have, want = role(o->name);
    struct diag_item *item;
    if (leaf != NULL)
        source = leaf->stem.n > 0 ? leaf->stem : leaf->name;
    have = role(source);
    if (have == 0 || want == 0 || have == want)
        return;
    item =
        diag_add(d, "E0507", leaf->where, "`%.*s` takes its value from `%.*s`",
                 STR_ARG(o->name), STR_ARG(source));
    diag_note(d, item,
              "weight, gamma and scale are factors; bias, beta and "
              "shift are summands");
}

/* --- dtypes and groups --- */

static void choose_dtype(struct diag *d, struct output *o,
                         const struct overrides *say)
{
    enum ttsb_dtype from = o->step->dtype, cast = o->value->cast;
    bool fits = spec_dtype_is_float(from) ? spec_dtype_is_float(cast)
                                          : spec_dtype_is_integer(from) &&
                                                spec_dtype_is_integer(cast);
    o->dtype = cast != 0 ? cast : from;
    if (cast == 0 && spec_dtype_is_float(from))
        o->dtype = o->type.rank <= 1 ? say->store.vector : say->store.matrix;
    if (cast != 0 && cast != from && !fits) {
        struct diag_where where = o->where;
        where.at = o->value->cast_at;
        diag_add(d, "E0412", where,
                 "no cast from %s to %s: casts are float to float and integer "
                 "to integer",
                 spec_dtype_name(from), spec_dtype_name(cast));
    }
}

static void choose_group(struct diag *d, struct model *m, struct output *o,
                         const struct overrides *say)
{
    struct diag_where where = o->where;
    o->group = 0;
    if (say->group.n == 0) {
        if (m->group_count > 1)
            diag_add(d, "E0509", o->where,
                     "`%.*s` is in no group: write `group:` on a block around "
                     "it",
                     STR_ARG(o->name));
        return;
    }
    if (nametab_find(&m->group_names, say->group, &o->group))
        return;
    where.at = say->group_at;
    diag_add(d, "E0509", where, "no group is called `%.*s` in `groups:`",
             STR_ARG(say->group));
}

/* An optional output is there or absent as a whole: its sources are its own. */
static void check_optional(struct diag *d, const struct model *m,
                           const struct output *o)
{
    struct diag_where where = o->where;
    bool own = true;
    where.at = o->value->optional_at;
    for (uint32_t i = 0; o->optional && i < o->leaf_count; i++) {
        const struct leaf *leaf = output_leaf(m, o, i);
        own = own && !leaf->also && leaf->claimed == NULL;
    }
    if (!own)
        diag_add(d, "E0508", where,
                 "an optional output has its sources for itself, whole: no "
                 "`also` and no part of one");
}

void output_finish(struct arena *a, struct diag *d, struct model *m,
                   struct output *o, const struct overrides *say)
{
    struct diag_where where = o->where;
    where.at = o->value->optional_at;
    choose_group(d, m, o, say);
    if (o->step == NULL) {
        if (o->optional)
            diag_add(d, "E0508", where, "an alias cannot be optional");
        where.at = o->value->cast_at;
        if (o->value->cast != 0)
            diag_add(d, "E0504", where,
                     "an alias has its target's dtype: no `as`");
        return;
    }
    o->type = o->step->type;
    choose_dtype(d, o, say);
    check_layout(a, d, m, o);
    check_role(d, m, o);
    check_optional(d, m, o);
    if (!type_bytes(o->type, o->dtype, &o->size))
        diag_add(d, "E0111", o->where,
                 "the output's bytes are no whole number below 2^63");
}

/* --- file order --- */

/* From the growing array to one of the right size, in file order. */
static void sort_by_group(struct arena *a, struct model *m)
{
    struct output *sorted = arena_new(a, struct output, m->output_count);
    uint32_t *next = arena_new(a, uint32_t, m->group_count), at = 0;
    for (size_t i = 0; i < m->output_count; i++)
        m->groups[m->outputs[i].group].count++;
    for (size_t g = 0; g < m->group_count; g++) {
        m->groups[g].first = next[g] = at;
        at += m->groups[g].count;
    }
    for (size_t i = 0; i < m->output_count; i++)
        sorted[next[m->outputs[i].group]++] = m->outputs[i];
    free(m->outputs);
    m->outputs = sorted;
}

/* Numbers go to tensors, not to their uses; the halves of a weight norm share
 * one, so do the sources of a spectral norm, which stand `before` each other;
 * and a twin, which is only compared, has none. */
static void number_leaf(struct leaf *leaf, const struct leaf *before,
                        uint32_t output, uint32_t *next)
{
    struct leaf *first = leaf->first_use;
    if (leaf->output_count++ == 0)
        leaf->output = output;
    if (leaf->spectral > SPECTRAL_W) {
        leaf->number = before->number;
        return;
    }
    if (leaf->pair != NULL && leaf->is_g)
        return; /* its direction follows */
    if (leaf->is_twin)
        return;
    if (first->number == NO_NUMBER)
        first->number = (*next)++;
    leaf->number = first->number;
    if (leaf->pair != NULL)
        leaf->pair->number = leaf->number;
}

static void number_leaves(struct model *m)
{
    uint32_t n = 0;
    for (size_t i = 0; i < m->output_count; i++) {
        const struct output *o = &m->outputs[i];
        const struct leaf *before = NULL;
        for (uint32_t k = 0; k < o->leaf_count; k++) {
            struct leaf *leaf = output_leaf(m, o, k);
            number_leaf(leaf, before, (uint32_t)i, &n);
            before = leaf;
        }
    }
}

static void alias_error(struct diag *d, const struct output *o,
                        const struct output *target, const char *why)
{
    struct diag_where where = o->where;
    struct diag_item *item;
    where.at = o->value->at;
    item = diag_add(d, "E0504", where, "alias(%.*s): %s",
                    STR_ARG(o->alias_target), why);
    if (target != NULL)
        diag_label(d, item, target->where.at, "the target");
}

static void resolve_alias(struct diag *d, struct model *m, struct output *o)
{
    uint32_t index = 0;
    const struct output *t;
    const char *why = NULL;
    if (!nametab_find(&m->names, o->alias_target, &index)) {
        alias_error(d, o, NULL, "no output has this name");
        return;
    }
    t = &m->outputs[index];
    if (t->step == NULL)
        why = "the target is an alias itself";
    else if (t->optional)
        why = "the target is optional";
    else if (t->group != o->group)
        why = "the target is in another group";
    else if (t > o)
        why = "the target comes later in the file; exchange the two";
    if (why != NULL) {
        alias_error(d, o, t, why);
        return;
    }
    o->alias_of = index;
    o->type = t->type;
    o->dtype = t->dtype;
    o->size = t->size;
}

static void name_outputs(struct arena *a, struct diag *d, struct model *m)
{
    nametab_reserve(a, &m->names, m->output_count);
    for (uint32_t i = 0; i < m->output_count; i++) {
        uint32_t first = i;
        struct diag_item *item;
        if (nametab_add(a, &m->names, m->outputs[i].name, &first))
            continue;
        item = diag_add(d, "E0501", m->outputs[i].where,
                        "target `%.*s` is defined twice",
                        STR_ARG(m->outputs[i].name));
        cover_first_here(a, d, item, &m->outputs[first].where);
    }
}

static void check_groups(struct diag *d, const struct model *m)
{
    for (size_t i = 0; i < m->group_count; i++) {
        if (m->groups[i].count > 0)
            continue;
        if (m->spec->group_count == 0)
            diag_add(d, "E0510", diag_at(m->spec->model_at),
                     "the spec has no output");
        else
            diag_add(d, "E0509", diag_at(m->spec->groups[i].at),
                     "group `%.*s` has no output", STR_ARG(m->groups[i].name));
    }
}

void output_order(struct arena *a, struct diag *d, struct model *m, bool whole)
{
    uint64_t before = d->errors;
    sort_by_group(a, m);
    name_outputs(a, d, m);
    reserved_check(a, d, m);
    cover_sources(a, d, m, whole);
    number_leaves(m);
    if (d->errors <= COVER_MAX_ERRORS)
        members_check(d, m);
    if (!whole || d->errors != before)
        return;
    for (size_t i = 0; i < m->output_count; i++)
        if (m->outputs[i].step == NULL)
            resolve_alias(d, m, &m->outputs[i]);
    check_groups(d, m);
}
