/* SPDX-License-Identifier: MIT
 *
 * loss.c - a sentence for each kind of loss.
 */
#include "loss.h"

#include <inttypes.h>

#include "dropped.h"

/* A lost origin, while it is said. */
struct lost {
    const struct losses *x;
    uint32_t origin;
    const struct origin *o;
    const struct fate *f;
    struct diag_item *item;
};

static struct diag_item *add(const struct losses *x, struct diag_where where,
                             struct str what, struct str why)
{
    struct diag *d = &x->r->diag;
    struct diag_item *item =
        diag_add(d, x->warn ? "W0317" : "E0317", where,
                 "%.*s cannot be restored: %.*s", STR_ARG(what), STR_ARG(why));
    if (!x->warn)
        diag_help(d, item, "--restorable leaves it out and writes the rest");
    return item;
}

static struct str by_cast(const struct lost *l)
{
    struct arena *a = &l->x->r->arena;
    const struct output *o = l->f->output;
    struct str holds =
        arena_format(a, "`%.*s` holds it as %s", STR_ARG(o->name),
                     spec_dtype_name(o->dtype));
    if (l->f->loss == LOSS_NAN)
        return arena_format(
            a, "%.*s, and it may hold NaN, whose bits a cast changes",
            STR_ARG(holds));
    return arena_format(a, "%.*s, which is less than its %s", STR_ARG(holds),
                        spec_dtype_name(l->f->leaf->dtype));
}

/* The part of an origin that is dropped, the first one. */
static const struct dropped *find_part(const struct lost *l,
                                       const struct dropped_list *parts)
{
    for (size_t i = 0; i < parts->n; i++)
        if (parts->p[i].leaf != NULL && parts->p[i].leaf->source == l->origin)
            return &parts->p[i];
    return NULL;
}

static struct str why(const struct lost *l)
{
    struct arena *a = &l->x->r->arena;
    struct str name = {0};
    if (l->f->output != NULL)
        name = l->f->output->name;
    switch (l->f->loss) {
    case LOSS_DROPPED:
        return arena_format(a, "it is dropped: %.*s",
                            STR_ARG(*l->o->leaf->reason));
    case LOSS_WEIGHT_NORM:
        return arena_format(a, "a weight norm folds them into `%.*s`",
                            STR_ARG(name));
    case LOSS_SPECTRAL_NORM:
        return arena_format(a, "a spectral norm folds it into `%.*s`",
                            STR_ARG(name));
    case LOSS_COMPUTED:
        return arena_format(a, "`%.*s` is computed from it", STR_ARG(name));
    case LOSS_NARROWED:
    case LOSS_NAN:
        return by_cast(l);
    case LOSS_MISSING:
        return arena_format(a, "`%.*s` is MISSING", STR_ARG(name));
    case LOSS_PIECES:
        return str_c("it lies in too many pieces");
    default:
        return str_c("a part of it is dropped");
    }
}

/* Findings fold where all but the names is the same. */
static struct str fact_of(const struct lost *l, struct str reason)
{
    struct arena *a = &l->x->r->arena;
    const struct output *o = l->f->output;
    const struct leaf *leaf = l->f->leaf != NULL ? l->f->leaf : l->o->leaf;
    return arena_format(
        a, "%d %.*s %s %.*s", (int)l->f->loss, STR_ARG(leaf_tail(a, leaf)),
        o != NULL ? spec_dtype_name(o->dtype) : "", STR_ARG(reason));
}

/* "`a.weight_g` and `a.weight_v`", or the origin's name. */
static struct str name_of(const struct lost *l)
{
    struct arena *a = &l->x->r->arena;
    const struct leaf *leaf = l->f->leaf;
    if (l->f->loss == LOSS_WEIGHT_NORM && leaf->pair != NULL)
        return arena_format(
            a, "`%.*s` and `%.*s`",
            STR_ARG(leaf->is_g ? leaf->name : leaf->pair->name),
            STR_ARG(leaf->is_g ? leaf->pair->name : leaf->name));
    return arena_format(a, "`%.*s`", STR_ARG(l->o->name));
}

/* Whether the direction of a weight norm says it for both. */
static bool is_said_by_pair(const struct lost *l)
{
    const struct leaf *leaf = l->f->leaf;
    uint32_t other;
    if (l->f->loss != LOSS_WEIGHT_NORM || !leaf->is_g)
        return false;
    other = leaf->pair->source;
    return other != NO_SOURCE && l->x->chosen[other] &&
           l->x->v->fates[other].loss == LOSS_WEIGHT_NORM;
}

static void say_one(struct lost *l, const struct dropped_list *parts)
{
    const struct leaf *leaf = l->f->leaf != NULL ? l->f->leaf : l->o->leaf;
    struct diag *d = &l->x->r->diag;
    const struct dropped *part = NULL;
    struct str reason = why(l);
    if (l->f->loss == LOSS_PART)
        part = find_part(l, parts);
    if (part != NULL)
        reason = arena_format(&l->x->r->arena, "%.*s: %.*s", STR_ARG(reason),
                              STR_ARG(*part->reason));
    l->item = add(l->x, leaf->where, name_of(l), reason);
    diag_fact(l->item,
              fact_of(l, part != NULL ? *part->reason : (struct str){0}));
    if (part != NULL)
        diag_label(d, l->item, part->at, "dropped here");
}

/* --- subtrees --- */

/* How many of the chosen origins lie under a subtree. */
static size_t count_under(const struct losses *x, const struct subtree *s)
{
    const struct lineage *l = x->v->l;
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        n += x->chosen[i] && l->p[i].subtree == s;
    return n;
}

static size_t say_subtrees(const struct losses *x)
{
    const struct model *m = x->v->m;
    size_t all = 0;
    for (size_t i = 0; i < m->subtree_count; i++) {
        const struct subtree *s = &m->subtrees[i];
        struct arena *a = &x->r->arena;
        size_t n = count_under(x, s);
        all += n;
        if (n > 0)
            add(x, s->where,
                arena_format(a, "%zu tensors under `%.*s`", n,
                             STR_ARG(s->prefix)),
                arena_format(a, "they are dropped: %.*s", STR_ARG(*s->reason)));
    }
    return all;
}

/* --- public --- */

static bool has_parts(const struct losses *x)
{
    bool any = false;
    for (size_t i = 0; i < x->v->l->n && !any; i++)
        any = x->chosen[i] && x->v->fates[i].loss == LOSS_PART;
    return any;
}

size_t losses_say(const struct losses *x)
{
    const struct lineage *v = x->v->l;
    struct dropped_list parts = {0};
    size_t n = 0;
    if (has_parts(x))
        parts = dropped_list(&x->r->arena, x->v->m);
    for (uint32_t i = 0; i < v->n; i++) {
        struct lost l = {x, i, &v->p[i], &x->v->fates[i], NULL};
        if (!x->chosen[i] || l.f->loss == LOSS_NONE || l.o->subtree != NULL)
            continue;
        n++;
        if (!is_said_by_pair(&l))
            say_one(&l, &parts);
    }
    return n + say_subtrees(x);
}

void losses_absent(struct run *r)
{
    for (size_t i = 0; i < r->model.output_count; i++) {
        const struct output *o = &r->model.outputs[i];
        if (o->absent)
            diag_add(&r->diag, "W0311", o->where,
                     "`%.*s` is ABSENT: its sources were not in the checkpoint",
                     STR_ARG(o->name));
    }
}
