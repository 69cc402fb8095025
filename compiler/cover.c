/* SPDX-License-Identifier: MIT
 *
 * cover.c - collects the uses of each tensor, has tiling.c look at them, and
 * says what is wrong. Uses that are cut along one axis are told apart by its
 * ranges, others as boxes.
 */
#include "cover.h"

#include <inttypes.h>
#include <stdlib.h>

#include "claims.h"
#include "size.h"
#include "sources.h"
#include "tiling.h"

#define MAX_BOXES 262144      /* of one tensor */
#define MAX_ALL_BOXES 4000000 /* of all */

void cover_first_here(struct arena *a, struct diag *d, struct diag_item *item,
                      const struct diag_where *first)
{
    struct str values = diag_values(a, first->loops);
    struct str use = {0};
    uint32_t line, column;
    if (first->use != NULL) {
        const struct source *src = first->use->at.src;
        source_position(src, first->use->at.begin, &line, &column);
        use = arena_format(a, ", by `use: %.*s` at %.*s:%" PRIu32 ":%" PRIu32,
                           STR_ARG(first->use->name), STR_ARG(src->path), line,
                           column);
    }
    diag_label(d, item, first->at, "first here%s%.*s%.*s",
               values.n > 0 ? ", with " : "", STR_ARG(values), STR_ARG(use));
}

/* --- boxes --- */

/* All that use one tensor. */
struct uses {
    struct arena *a;
    struct arena *scratch; /* for boxes */
    struct diag *d;
    struct leaf **p;
    size_t n;
    struct type type;
    struct claims v; /* what they claim */
    bool whole_spec; /* the spec has no findings yet */
    struct work *work;
};

/* So that the comparing ends: of all tensors so far. */
struct work {
    uint64_t boxes, pairs;
};

static uint64_t box_count(const struct leaf *leaf)
{
    uint64_t all;
    if (leaf->claimed != NULL)
        return claimed_box_count(leaf->claimed, leaf->type);
    type_elements(leaf->type, &all);
    return all > 0;
}

static void take_boxes(const struct leaf *leaf, struct box *out)
{
    *out = (struct box){0};
    if (leaf->claimed != NULL)
        claimed_boxes(leaf->claimed, leaf->type, out);
    for (uint32_t i = 0; leaf->claimed == NULL && i < leaf->type.rank; i++)
        out->n[i] = leaf->type.axes[i].size;
}

static bool say_too_many(const struct uses *u, uint64_t n)
{
    diag_add(u->d, "E0216", u->p[0]->where,
             "`%.*s` is cut into %" PRIu64
             " boxes, too many to compare: %d at most, and %d of all tensors",
             STR_ARG(u->p[0]->name), n, MAX_BOXES, MAX_ALL_BOXES);
    return false;
}

/* All parts that are claimed. */
static bool collect(struct uses *u)
{
    uint64_t n = 0;
    struct box *boxes;
    for (size_t k = 0; k < u->n; k++)
        if (!size_add(n, box_count(u->p[k]), &n))
            n = UINT64_MAX;
    if (n > MAX_BOXES || n > MAX_ALL_BOXES - u->work->boxes)
        return say_too_many(u, n);
    u->work->boxes += n;
    boxes = arena_new(u->scratch, struct box, n);
    u->v = (struct claims){arena_new(u->scratch, struct claim, n), 0, u->type,
                           &u->work->pairs};
    for (size_t k = 0; k < u->n; k++) {
        uint64_t count = box_count(u->p[k]);
        if (count > 0)
            take_boxes(u->p[k], boxes);
        for (uint64_t i = 0; i < count; i++)
            u->v.p[u->v.n++] = (struct claim){boxes[i], k};
    }
    return true;
}

/* "`out` 4..8, `in` 0..2": the axes along which a box is a part. */
static struct str box_text(struct arena *a, struct type t, const struct box *b)
{
    struct text s = {0};
    struct str out;
    for (uint32_t i = 0; i < t.rank; i++) {
        if (b->n[i] == t.axes[i].size)
            continue;
        text_format(&s, "%s`%.*s` %" PRIu64 "..%" PRIu64, s.n > 0 ? ", " : "",
                    STR_ARG(t.axes[i].name), b->lo[i], b->lo[i] + b->n[i]);
    }
    if (s.n == 0)
        text_c(&s, "all");
    out = arena_str(a, text_view(&s));
    text_release(&s);
    return out;
}

/* `x` and `y` are uses, in any order. */
static struct diag_item *say_overlap(const struct uses *u, size_t x, size_t y,
                                     struct str what)
{
    const struct leaf *first = u->p[x < y ? x : y];
    const struct leaf *second = u->p[x < y ? y : x];
    struct diag_item *item = diag_add(u->d, "E0308", second->where,
                                      "%.*s of `%.*s` is used by two pieces",
                                      STR_ARG(what), STR_ARG(second->name));
    diag_fact(item, what);
    cover_first_here(u->a, u->d, item, &first->where);
    diag_help(u->d, item,
              "each element is used once; `also(...)` reads what another use "
              "claims");
    return item;
}

/* "WHAT of `name` BEHIND"; both are facts. */
static void say_gap(const struct uses *u, struct str what, struct str behind)
{
    const struct leaf *last = u->p[u->n - 1];
    struct diag_item *item;
    if (!u->whole_spec)
        return;
    item = diag_add(u->d, "E0307", last->where, "%.*s of `%.*s` %.*s",
                    STR_ARG(what), STR_ARG(last->name), STR_ARG(behind));
    diag_fact(item,
              arena_format(u->a, "%.*s %.*s", STR_ARG(what), STR_ARG(behind)));
    diag_help(u->d, item,
              "use the rest as well, or cut the tensor with `split:`, where a "
              "part can be dropped: `drop lo..hi: reason`");
}

/* The only axis along which claims are parts, -1 if there are several. */
static int cut_axis(const struct uses *u)
{
    int axis = -2;
    for (size_t k = 0; k < u->v.n; k++) {
        const struct box *b = &u->v.p[k].box;
        for (uint32_t i = 0; i < u->type.rank; i++) {
            if (b->n[i] == u->type.axes[i].size)
                continue;
            axis = axis == -2 || axis == (int)i ? (int)i : -1;
        }
    }
    return axis == -2 ? -1 : axis;
}

static void judge_line(const struct uses *u, uint32_t axis)
{
    struct part *parts = arena_new(u->scratch, struct part, u->v.n);
    const struct axis *x = &u->type.axes[axis];
    struct tiling t;
    for (size_t k = 0; k < u->v.n; k++) {
        const struct claim *c = &u->v.p[k];
        parts[k] = (struct part){c->box.lo[axis],
                                 c->box.lo[axis] + c->box.n[axis], c->owner};
    }
    t = tiling_line(u->scratch, parts, u->v.n, x->size);
    for (size_t i = 0; i < t.overlap_count; i++) {
        const struct overlap *o = &t.overlaps[i];
        struct diag_item *item =
            say_overlap(u, o->first, o->second,
                        arena_format(u->a, "`%.*s` %.*s", STR_ARG(x->name),
                                     STR_ARG(o->ranges)));
        if (t.gaps.n > 0 && u->whole_spec)
            diag_note(u->d, item, "`%.*s` %.*s is used by no piece",
                      STR_ARG(x->name), STR_ARG(t.gaps));
    }
    if (t.gaps.n > 0 && t.overlap_count == 0)
        say_gap(u,
                arena_format(u->a, "`%.*s` %.*s", STR_ARG(x->name),
                             STR_ARG(t.gaps)),
                str_c("is used by no piece"));
}

/* Whether the boxes meet nowhere. */
static bool judge_meeting(const struct uses *u)
{
    struct claim first, second;
    struct box both;
    switch (tiling_meeting(u->scratch, &u->v, &first, &second, &both)) {
    case MEETING_NONE:
        return true;
    case MEETING_FOUND:
        say_overlap(u, first.owner, second.owner,
                    box_text(u->a, u->type, &both));
        return false;
    default:
        return say_too_many(u, u->v.n);
    }
}

/* Boxes that differ along several axes. Where they meet nowhere, counting
 * tells whether anything is left. */
static void judge_boxes(const struct uses *u)
{
    uint64_t claimed = 0, all = 0;
    struct box gap;
    type_elements(u->type, &all);
    if (!judge_meeting(u))
        return;
    for (size_t k = 0; k < u->v.n; k++)
        claimed += box_elements(&u->v.p[k].box, u->type.rank);
    if (claimed == all)
        return;
    if (claimed == 0)
        say_gap(u, str_c("all"), str_c("is used by no piece"));
    else if (tiling_gap(u->scratch, &u->v, &gap))
        say_gap(u,
                arena_format(u->a, "%" PRIu64 " of %" PRIu64 " elements",
                             all - claimed, all),
                arena_format(u->a, "are used by no piece, the first at %.*s",
                             STR_ARG(box_text(u->a, u->type, &gap))));
}

/* --- one tensor --- */

static void used_twice(const struct uses *u, const struct leaf *leaf,
                       const struct leaf *first)
{
    const char *how = leaf->dropped != first->dropped ? "both used and dropped"
                      : leaf->dropped                 ? "dropped twice"
                                                      : "used twice";
    bool norm = leaf->stem.n > 0 && str_eq(leaf->stem, first->stem);
    struct diag_item *item;
    if (norm && diag_just_said(u->d, "E0303", &leaf->where))
        return; /* of another tensor of the norm */
    item = diag_add(u->d, "E0303", leaf->where,
                    norm ? "the norm at `%.*s` is %s" : "source `%.*s` is %s",
                    STR_ARG(norm ? leaf->stem : leaf->name), how);
    cover_first_here(u->a, u->d, item, &first->where);
    if (leaf->counter != first->counter)
        diag_help(u->d, item,
                  "a BatchNorm's line drops its counter by itself: take the "
                  "other line out");
    if (!leaf->dropped && !first->dropped)
        diag_help(u->d, item,
                  "for tied weights use `alias(target)` on the second output, "
                  "for a second reading `also(...)`");
}

/* All uses of one tensor declare the same type. */
static bool check_types(const struct uses *u)
{
    const struct leaf *first = u->p[0];
    for (size_t k = 1; k < u->n; k++) {
        const struct leaf *leaf = u->p[k];
        struct diag_item *item;
        if (leaf->dtype == first->dtype && type_eq(leaf->type, first->type))
            continue;
        item = diag_add(u->d, "E0410", leaf->where,
                        "`%.*s` is %s%.*s here and %s%.*s elsewhere",
                        STR_ARG(leaf->name), spec_dtype_name(leaf->dtype),
                        STR_ARG(type_text(u->a, leaf->type)),
                        spec_dtype_name(first->dtype),
                        STR_ARG(type_text(u->a, first->type)));
        cover_first_here(u->a, u->d, item, &first->where);
        return false;
    }
    return true;
}

/* All uses of one tensor, or none, admit NaN and infinities. What is dropped
 * is not looked at. */
static bool check_nonfinite(const struct uses *u)
{
    const struct leaf *first = NULL;
    for (size_t k = 0; k < u->n; k++) {
        const struct leaf *leaf = u->p[k];
        struct diag_item *item;
        if (first == NULL && !leaf->dropped)
            first = leaf;
        if (leaf->dropped || leaf->allow_nonfinite == first->allow_nonfinite)
            continue;
        item = diag_add(u->d, "E0410", leaf->where,
                        "`%.*s` is `allow_nonfinite` %s and not %s",
                        STR_ARG(leaf->name),
                        leaf->allow_nonfinite ? "here" : "elsewhere",
                        leaf->allow_nonfinite ? "elsewhere" : "here");
        cover_first_here(u->a, u->d, item, &first->where);
        diag_help(u->d, item,
                  "a tensor holds NaN and Inf on purpose or does not: say it "
                  "at every use, or at none");
        return false;
    }
    return true;
}

/* What the first readings of a tensor mean for a second one. */
struct readings {
    const struct leaf *optional; /* a first reading that is */
    bool used;                   /* by an output */
};

static bool check_reading(const struct uses *u, const struct readings *r,
                          const struct leaf *also)
{
    struct diag_item *item;
    if (r->optional != NULL && !also->optional) {
        item = diag_add(u->d, "E0508", also->where,
                        "`also` reads `%.*s`, which may be absent",
                        STR_ARG(also->name));
        diag_label(u->d, item, r->optional->where.at, "optional here");
        return false;
    }
    if (r->used || (also->dropped && u->n > 0) || !u->whole_spec)
        return true;
    item = diag_add(u->d, "E0315", also->where,
                    u->n > 0 ? "`also` reads `%.*s`, which is dropped"
                             : "`also` reads `%.*s` a second time, and nothing "
                               "uses it a first time",
                    STR_ARG(also->name));
    if (u->n > 0)
        diag_label(u->d, item, u->p[0]->where.at, "dropped here");
    diag_help(u->d, item, "the first use of a tensor stands without `also`");
    return false;
}

/* Takes out second readings; false after a finding. */
static bool split_readings(struct uses *u)
{
    struct leaf **also = arena_new(u->a, struct leaf *, u->n);
    struct readings r = {0};
    size_t n = 0, count = 0;
    bool ok = true;
    for (size_t k = 0; k < u->n; k++) {
        struct leaf *leaf = u->p[k];
        if (leaf->also) {
            also[count++] = leaf;
            continue;
        }
        r.used = r.used || !leaf->dropped;
        r.optional = leaf->optional ? leaf : r.optional;
        u->p[n++] = leaf;
    }
    u->n = n;
    for (size_t k = 0; k < count && ok; k++)
        ok = check_reading(u, &r, also[k]);
    return ok && n > 0;
}

static void judge(struct uses *u)
{
    const struct leaf *whole = NULL;
    size_t wholes = 0;
    int axis;
    u->type = u->p[0]->type;
    for (size_t k = 0; k < u->n; k++)
        if (u->p[k]->broken)
            return;
    if (!check_types(u) || !check_nonfinite(u) || !split_readings(u))
        return;
    for (size_t k = 0; k < u->n && u->d->errors <= COVER_MAX_ERRORS; k++) {
        if (u->p[k]->claimed != NULL)
            continue;
        if (wholes++ > 0)
            used_twice(u, u->p[k], whole);
        else
            whole = u->p[k];
    }
    if (wholes > 1 || (wholes == 1 && u->n == 1) || !collect(u))
        return;
    axis = cut_axis(u);
    if (axis >= 0)
        judge_line(u, (uint32_t)axis);
    else
        judge_boxes(u);
}

/* --- all tensors --- */

/* Where a leaf that is not simply the only use of its tensor belongs. */
struct place {
    uint32_t first, leaf;
};

static int compare_uses(const void *x, const void *y)
{
    const struct place *a = x, *b = y;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return (a->leaf > b->leaf) - (a->leaf < b->leaf);
}

/* The index of each leaf's first use; `shared` where there is more to judge
 * than one use of a whole tensor. */
static void name_sources(struct arena *a, struct model *m, uint32_t *first,
                         bool *shared)
{
    nametab_reserve(a, &m->sources, m->leaf_count);
    for (uint32_t i = 0; i < m->leaf_count; i++) {
        struct leaf *leaf = m->leaves[i];
        first[i] = i;
        if (leaf->file == NO_SOURCE) /* nobody knows whose name this is */
            continue;
        if (!nametab_add(a, &m->sources,
                         sources_name(a, m->spec, leaf->file, leaf->name),
                         &first[i]))
            shared[first[i]] = true;
        if (leaf->claimed != NULL || leaf->also)
            shared[first[i]] = true;
        leaf->first_use = m->leaves[first[i]];
    }
}

/* --- subtrees --- */

/* By source, then by name. */
static int leaf_order(const struct leaf *leaf, uint32_t file, struct str name)
{
    if (leaf->file != file)
        return leaf->file < file ? -1 : 1;
    return str_order(leaf->name, name);
}

static int compare_leaves(const void *x, const void *y)
{
    const struct leaf *a = *(struct leaf *const *)x;
    const struct leaf *b = *(struct leaf *const *)y;
    return leaf_order(a, b->file, b->name);
}

static int compare_subtrees(const void *x, const void *y)
{
    const struct subtree *a = *(struct subtree *const *)x;
    const struct subtree *b = *(struct subtree *const *)y;
    int order = str_order(a->prefix, b->prefix);
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    return order != 0 ? order : (a > b) - (a < b);
}

/* Leaves are ordered. */
static size_t first_behind(struct leaf **leaves, size_t n,
                           const struct subtree *s)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (leaf_order(leaves[mid], s->file, s->prefix) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void judge_subtree(struct arena *a, struct diag *d,
                          const struct subtree *s, const struct leaf *leaf)
{
    struct diag_item *item =
        diag_add(d, "E0303", leaf->where,
                 leaf->dropped
                     ? "source `%.*s` is dropped twice: also with all of `%.*s`"
                     : "source `%.*s` is used, and dropped with all of `%.*s`",
                 STR_ARG(leaf->name), STR_ARG(s->prefix));
    (void)a;
    diag_label(d, item, s->where.at, "dropped here");
}

static void judge_leaves(struct arena *a, struct diag *d,
                         const struct subtree *s, const struct model *m,
                         struct leaf **leaves)
{
    size_t k = first_behind(leaves, m->leaf_count, s);
    for (; k < m->leaf_count && leaves[k]->file == s->file &&
           str_begins(leaves[k]->name, s->prefix) &&
           d->errors <= COVER_MAX_ERRORS;
         k++)
        judge_subtree(a, d, s, leaves[k]);
}

/* Nothing under a dropped prefix is used or dropped otherwise. */
static void judge_subtrees(struct arena *a, struct diag *d, struct model *m)
{
    struct leaf **leaves = arena_new(a, struct leaf *, m->leaf_count);
    struct subtree **sorted = arena_new(a, struct subtree *, m->subtree_count);
    const struct subtree *outer = NULL;
    if (m->leaf_count > 0)
        memcpy(leaves, m->leaves, m->leaf_count * sizeof *leaves);
    qsort(leaves, m->leaf_count, sizeof *leaves, compare_leaves);
    for (size_t i = 0; i < m->subtree_count; i++)
        sorted[i] = &m->subtrees[i];
    qsort(sorted, m->subtree_count, sizeof *sorted, compare_subtrees);
    for (size_t i = 0; i < m->subtree_count && d->errors <= COVER_MAX_ERRORS;
         i++) {
        const struct subtree *s = sorted[i];
        if (outer == NULL || s->file != outer->file ||
            !str_begins(s->prefix, outer->prefix)) {
            outer = s;
            judge_leaves(a, d, s, m, leaves);
            continue;
        }
        cover_first_here(a, d,
                         diag_add(d, "E0303", s->where,
                                  "what lies under `%.*s` is dropped twice: "
                                  "also with all of `%.*s`",
                                  STR_ARG(s->prefix), STR_ARG(outer->prefix)),
                         &outer->where);
    }
}

void cover_sources(struct arena *a, struct diag *d, struct model *m, bool whole)
{
    uint32_t *first = arena_new(a, uint32_t, m->leaf_count);
    bool *shared = arena_new(a, bool, m->leaf_count);
    struct place *uses;
    struct work work = {0};
    size_t n = 0;
    name_sources(a, m, first, shared);
    if (d->errors > COVER_MAX_ERRORS)
        return; /* said already */
    for (size_t i = 0; i < m->leaf_count; i++)
        n += shared[first[i]];
    uses = arena_new(a, struct place, n);
    n = 0;
    for (uint32_t i = 0; i < m->leaf_count; i++)
        if (shared[first[i]])
            uses[n++] = (struct place){first[i], i};
    qsort(uses, n, sizeof *uses, compare_uses);
    for (size_t i = 0, k; i < n && d->errors <= COVER_MAX_ERRORS; i = k) {
        struct arena scratch = {0};
        struct uses u = {.a = a,
                         .scratch = &scratch,
                         .d = d,
                         .whole_spec = whole,
                         .work = &work};
        for (k = i; k < n && uses[k].first == uses[i].first; k++)
            ;
        u.p = arena_new(a, struct leaf *, k - i);
        for (; u.n < k - i; u.n++)
            u.p[u.n] = m->leaves[uses[i + u.n].leaf];
        judge(&u);
        arena_release(&scratch);
    }
    if (m->subtree_count > 0)
        judge_subtrees(a, d, m);
    if (d->errors > COVER_MAX_ERRORS)
        diag_add(d, "E0216", diag_at(m->spec->model_at),
                 "more than %d errors: not all are shown", COVER_MAX_ERRORS);
}
