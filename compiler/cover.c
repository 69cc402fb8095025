/* SPDX-License-Identifier: MIT
 *
 * cover.c - ranges of one axis are swept in order; boxes that differ along
 * several axes are cut out of the whole, one after the other.
 */
#include "cover.h"

#include <inttypes.h>
#include <stdlib.h>

#include "sources.h"

#define MAX_CUTS 1000 /* boxes that are cut out one by one, for a message */

void cover_first_here(struct arena *a, struct diag *d, struct diag_item *item,
                      const struct diag_where *first)
{
    struct str values = diag_values(a, first->loops);
    diag_label(d, item, first->at, "first here%s%.*s",
               values.n > 0 ? ", with " : "", STR_ARG(values));
}

/* --- one axis --- */

static int compare_parts(const void *x, const void *y)
{
    const struct part *a = x, *b = y;
    if (a->lo != b->lo)
        return a->lo < b->lo ? -1 : 1;
    return (a->owner > b->owner) - (a->owner < b->owner);
}

static void gap_add(struct text *gaps, uint64_t lo, uint64_t hi)
{
    if (lo < hi)
        text_format(gaps, "%s%" PRIu64 "..%" PRIu64, gaps->n > 0 ? ", " : "",
                    lo, hi);
}

static void overlap_add(struct arena *a, struct tiling *t, struct overlap o)
{
    if (o.first > o.second) {
        size_t later = o.first;
        o.first = o.second;
        o.second = later;
    }
    if (t->overlap_count == t->capacity)
        t->overlaps = arena_grow(a, t->overlaps, sizeof *t->overlaps,
                                 t->overlap_count, &t->capacity);
    t->overlaps[t->overlap_count++] = o;
}

struct tiling cover_line(struct arena *a, struct part *parts, size_t n,
                         uint64_t size)
{
    struct tiling t = {0};
    struct text gaps = {0};
    uint64_t end = 0;
    size_t last = 0;
    qsort(parts, n, sizeof *parts, compare_parts);
    for (size_t i = 0; i < n; i++) {
        const struct part *p = &parts[i];
        gap_add(&gaps, end, p->lo);
        if (p->lo < end)
            overlap_add(a, &t,
                        (struct overlap){last, p->owner, p->lo,
                                         p->hi < end ? p->hi : end});
        if (p->hi > end) {
            end = p->hi;
            last = p->owner;
        }
    }
    gap_add(&gaps, end, size);
    t.gaps = arena_str(a, text_view(&gaps));
    text_release(&gaps);
    return t;
}

/* --- boxes --- */

/* All that claim one tensor. */
struct claims {
    struct arena *a;
    struct diag *d;
    struct leaf **p;
    size_t n;
    struct type type;
    bool whole_spec; /* the spec has no findings yet */
};

static struct box box_of(const struct leaf *leaf)
{
    struct box b = {0};
    if (leaf->box != NULL)
        return *leaf->box;
    for (uint32_t i = 0; i < leaf->type.rank; i++)
        b.n[i] = leaf->type.axes[i].size;
    return b;
}

/* "out 4..8, in 0..2": the axes along which a box is a part. */
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

static bool intersect(const struct box *x, const struct box *y, uint32_t rank,
                      struct box *out)
{
    *out = (struct box){0};
    for (uint32_t i = 0; i < rank; i++) {
        uint64_t lo = x->lo[i] > y->lo[i] ? x->lo[i] : y->lo[i];
        uint64_t a = x->lo[i] + x->n[i], b = y->lo[i] + y->n[i];
        uint64_t hi = a < b ? a : b;
        if (lo >= hi)
            return false;
        out->lo[i] = lo;
        out->n[i] = hi - lo;
    }
    return !x->empty && !y->empty;
}

static void say_overlap(const struct claims *c, const struct leaf *first,
                        const struct leaf *second, struct str what)
{
    struct diag_item *item = diag_add(c->d, "E0308", second->where,
                                      "%.*s of `%.*s` is used by two pieces",
                                      STR_ARG(what), STR_ARG(second->name));
    diag_fact(item, what);
    cover_first_here(c->a, c->d, item, &first->where);
    diag_help(c->d, item,
              "each element is used once; `also(...)` reads what another use "
              "claims");
}

static void say_gap(const struct claims *c, struct str what)
{
    const struct leaf *last = c->p[c->n - 1];
    struct diag_item *item;
    if (!c->whole_spec)
        return;
    item = diag_add(c->d, "E0307", last->where,
                    "%.*s of `%.*s` is used by no piece", STR_ARG(what),
                    STR_ARG(last->name));
    diag_fact(item, what);
    diag_help(c->d, item,
              "use the rest as well, or cut the tensor with `split:`, where a "
              "part can be dropped: `drop lo..hi: reason`");
}

/* The only axis along which claims are parts, -1 if there are several. */
static int cut_axis(const struct claims *c)
{
    int axis = -2;
    for (size_t k = 0; k < c->n; k++) {
        struct box b = box_of(c->p[k]);
        for (uint32_t i = 0; i < c->type.rank; i++) {
            if (b.empty || b.n[i] == c->type.axes[i].size)
                continue;
            axis = axis == -2 || axis == (int)i ? (int)i : -1;
        }
    }
    return axis == -2 ? -1 : axis;
}

static void judge_line(const struct claims *c, uint32_t axis)
{
    struct part *parts = arena_new(c->a, struct part, c->n);
    const struct axis *x = &c->type.axes[axis];
    struct tiling t;
    size_t n = 0;
    for (size_t k = 0; k < c->n; k++) {
        struct box b = box_of(c->p[k]);
        if (!b.empty)
            parts[n++] = (struct part){b.lo[axis], b.lo[axis] + b.n[axis], k};
    }
    t = cover_line(c->a, parts, n, x->size);
    for (size_t i = 0; i < t.overlap_count; i++)
        say_overlap(c, c->p[t.overlaps[i].first], c->p[t.overlaps[i].second],
                    arena_format(c->a, "`%.*s` %" PRIu64 "..%" PRIu64,
                                 STR_ARG(x->name), t.overlaps[i].lo,
                                 t.overlaps[i].hi));
    if (t.gaps.n > 0)
        say_gap(c, arena_format(c->a, "`%.*s` %.*s", STR_ARG(x->name),
                                STR_ARG(t.gaps)));
}

/* --- boxes that differ along several axes --- */

static int compare_boxes(const void *x, const void *y)
{
    struct box a = box_of(*(struct leaf *const *)x);
    struct box b = box_of(*(struct leaf *const *)y);
    for (uint32_t i = 0; i < TTSB_MAX_RANK; i++)
        if (a.lo[i] != b.lo[i])
            return a.lo[i] < b.lo[i] ? -1 : 1;
    return 0;
}

/* The first axis along which claims begin at different places. */
static uint32_t sweep_axis(const struct claims *c)
{
    for (uint32_t i = 0; i < c->type.rank; i++)
        for (size_t k = 1; k < c->n; k++)
            if (box_of(c->p[k]).lo[i] != box_of(c->p[0]).lo[i])
                return i;
    return 0;
}

static bool find_overlap(const struct claims *c)
{
    struct leaf **sorted = arena_new(c->a, struct leaf *, c->n);
    uint32_t axis = sweep_axis(c);
    bool found = false;
    memcpy(sorted, c->p, c->n * sizeof *sorted);
    qsort(sorted, c->n, sizeof *sorted, compare_boxes);
    for (size_t i = 0; i < c->n && !found; i++) {
        struct box x = box_of(sorted[i]), both;
        for (size_t k = i + 1; k < c->n && !found; k++) {
            struct box y = box_of(sorted[k]);
            if (c->type.rank > 0 && y.lo[axis] >= x.lo[axis] + x.n[axis])
                break;
            found = intersect(&x, &y, c->type.rank, &both);
            if (found)
                say_overlap(c, sorted[i], sorted[k],
                            box_text(c->a, c->type, &both));
        }
    }
    return found;
}

struct boxes {
    struct box *p;
    size_t n, capacity;
};

static void box_add(struct arena *a, struct boxes *v, const struct box *b)
{
    if (v->n == v->capacity)
        v->p = arena_grow(a, v->p, sizeof *v->p, v->n, &v->capacity);
    v->p[v->n++] = *b;
}

/* What is left of `b` without `hole`, which lies in it. */
static void cut_out(struct arena *a, struct boxes *out, struct box b,
                    const struct box *hole, uint32_t rank)
{
    for (uint32_t i = 0; i < rank; i++) {
        uint64_t end = b.lo[i] + b.n[i], hole_end = hole->lo[i] + hole->n[i];
        struct box side = b;
        side.n[i] = hole->lo[i] - b.lo[i];
        if (side.n[i] > 0)
            box_add(a, out, &side);
        side.lo[i] = hole_end;
        side.n[i] = end - hole_end;
        if (side.n[i] > 0)
            box_add(a, out, &side);
        b.lo[i] = hole->lo[i];
        b.n[i] = hole->n[i];
    }
}

/* The first box that nobody claims. */
static bool find_gap(const struct claims *c, struct box *gap)
{
    struct boxes left = {0}, next;
    struct box whole = {0}, both;
    for (uint32_t i = 0; i < c->type.rank; i++)
        whole.n[i] = c->type.axes[i].size;
    box_add(c->a, &left, &whole);
    for (size_t k = 0; k < c->n; k++) {
        struct box b = box_of(c->p[k]);
        next = (struct boxes){0};
        for (size_t i = 0; i < left.n; i++) {
            if (intersect(&left.p[i], &b, c->type.rank, &both))
                cut_out(c->a, &next, left.p[i], &both, c->type.rank);
            else
                box_add(c->a, &next, &left.p[i]);
        }
        left = next;
    }
    if (left.n > 0)
        *gap = left.p[0];
    return left.n > 0;
}

static uint64_t box_elements(const struct box *b, uint32_t rank)
{
    uint64_t n = b->empty ? 0 : 1;
    for (uint32_t i = 0; i < rank; i++)
        n *= b->n[i];
    return n;
}

/* Without an overlap, counting tells whether anything is left. */
static void judge_boxes(const struct claims *c)
{
    uint64_t claimed = 0, all;
    struct box gap;
    struct str what;
    type_elements(c->type, &all);
    if (find_overlap(c))
        return;
    for (size_t k = 0; k < c->n; k++) {
        struct box b = box_of(c->p[k]);
        claimed += box_elements(&b, c->type.rank);
    }
    if (claimed == all)
        return;
    what = arena_format(c->a, "%" PRIu64 " of %" PRIu64 " elements",
                        all - claimed, all);
    if (claimed > 0 && c->n <= MAX_CUTS && find_gap(c, &gap))
        what = arena_format(c->a, "%.*s, the first at %.*s,", STR_ARG(what),
                            STR_ARG(box_text(c->a, c->type, &gap)));
    say_gap(c, what);
}

/* --- one tensor --- */

static void used_twice(const struct claims *c, const struct leaf *leaf,
                       const struct leaf *first)
{
    struct diag_item *item = diag_add(
        c->d, "E0303", leaf->where, "source `%.*s` is %s", STR_ARG(leaf->name),
        leaf->dropped != first->dropped ? "both used and dropped"
        : leaf->dropped                 ? "dropped twice"
                                        : "used twice");
    cover_first_here(c->a, c->d, item, &first->where);
    if (!leaf->dropped && !first->dropped)
        diag_help(c->d, item,
                  "for tied weights use `alias(target)` on the second output, "
                  "for a second reading `also(...)`");
}

/* All uses of one tensor declare the same type. */
static bool check_types(const struct claims *c)
{
    const struct leaf *first = c->p[0];
    for (size_t k = 1; k < c->n; k++) {
        const struct leaf *leaf = c->p[k];
        struct diag_item *item;
        if (leaf->dtype == first->dtype && type_eq(leaf->type, first->type))
            continue;
        item = diag_add(c->d, "E0410", leaf->where,
                        "`%.*s` is %s%.*s here and %s%.*s elsewhere",
                        STR_ARG(leaf->name), spec_dtype_name(leaf->dtype),
                        STR_ARG(type_text(c->a, leaf->type)),
                        spec_dtype_name(first->dtype),
                        STR_ARG(type_text(c->a, first->type)));
        cover_first_here(c->a, c->d, item, &first->where);
        return false;
    }
    return true;
}

/* Takes out second readings; false if nothing else uses the tensor. */
static bool split_readings(struct claims *c)
{
    const struct leaf *also = NULL;
    bool used = false;
    size_t n = 0;
    for (size_t k = 0; k < c->n; k++) {
        if (c->p[k]->also) {
            also = c->p[k];
            continue;
        }
        used = used || !c->p[k]->dropped;
        c->p[n++] = c->p[k];
    }
    c->n = n;
    if (also == NULL || used || !c->whole_spec)
        return true;
    diag_add(c->d, "E0315", also->where,
             "`also` reads `%.*s` a second time, and nothing uses it a first "
             "time",
             STR_ARG(also->name));
    return false;
}

static void judge(struct claims *c)
{
    const struct leaf *whole = NULL;
    size_t wholes = 0;
    int axis;
    c->type = c->p[0]->type;
    for (size_t k = 0; k < c->n; k++)
        if (c->p[k]->broken)
            return;
    if (!check_types(c) || !split_readings(c))
        return;
    for (size_t k = 0; k < c->n; k++) {
        if (c->p[k]->box != NULL)
            continue;
        if (wholes++ > 0)
            used_twice(c, c->p[k], whole);
        else
            whole = c->p[k];
    }
    if (wholes > 1 || (wholes == 1 && c->n == 1))
        return;
    axis = cut_axis(c);
    if (axis >= 0)
        judge_line(c, (uint32_t)axis);
    else
        judge_boxes(c);
}

/* --- all tensors --- */

/* Where a leaf that is not simply the only use of its tensor belongs. */
struct use {
    uint32_t first, leaf;
};

static int compare_uses(const void *x, const void *y)
{
    const struct use *a = x, *b = y;
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
        if (leaf->box != NULL || leaf->also)
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
                 "source `%.*s` is %s, and dropped with all of `%.*s`",
                 STR_ARG(leaf->name), leaf->dropped ? "dropped" : "used",
                 STR_ARG(s->prefix));
    cover_first_here(a, d, item, &s->where);
}

/* Nothing under a dropped prefix is used or dropped otherwise. */
static void judge_subtrees(struct arena *a, struct diag *d, struct model *m)
{
    struct leaf **leaves = arena_new(a, struct leaf *, m->leaf_count);
    struct subtree **sorted = arena_new(a, struct subtree *, m->subtree_count);
    const struct subtree *outer = NULL;
    memcpy(leaves, m->leaves, m->leaf_count * sizeof *leaves);
    qsort(leaves, m->leaf_count, sizeof *leaves, compare_leaves);
    for (size_t i = 0; i < m->subtree_count; i++)
        sorted[i] = &m->subtrees[i];
    qsort(sorted, m->subtree_count, sizeof *sorted, compare_subtrees);
    for (size_t i = 0; i < m->subtree_count; i++) {
        const struct subtree *s = sorted[i];
        size_t k = first_behind(leaves, m->leaf_count, s);
        for (; k < m->leaf_count && leaves[k]->file == s->file &&
               str_begins(leaves[k]->name, s->prefix);
             k++)
            judge_subtree(a, d, s, leaves[k]);
        if (outer == NULL || s->file != outer->file ||
            !str_begins(s->prefix, outer->prefix)) {
            outer = s;
            continue;
        }
        cover_first_here(a, d,
                         diag_add(d, "E0303", s->where,
                                  "what lies under `%.*s` is dropped with all "
                                  "of `%.*s`",
                                  STR_ARG(s->prefix), STR_ARG(outer->prefix)),
                         &outer->where);
    }
}

void cover_sources(struct arena *a, struct diag *d, struct model *m, bool whole)
{
    uint32_t *first = arena_new(a, uint32_t, m->leaf_count);
    bool *shared = arena_new(a, bool, m->leaf_count);
    struct use *uses;
    size_t n = 0;
    name_sources(a, m, first, shared);
    for (size_t i = 0; i < m->leaf_count; i++)
        n += shared[first[i]];
    uses = arena_new(a, struct use, n);
    n = 0;
    for (uint32_t i = 0; i < m->leaf_count; i++)
        if (shared[first[i]])
            uses[n++] = (struct use){first[i], i};
    qsort(uses, n, sizeof *uses, compare_uses);
    for (size_t i = 0, k; i < n; i = k) {
        struct claims c = {.a = a, .d = d, .whole_spec = whole};
        for (k = i; k < n && uses[k].first == uses[i].first; k++)
            ;
        c.p = arena_new(a, struct leaf *, k - i);
        for (; c.n < k - i; c.n++)
            c.p[c.n] = m->leaves[uses[i + c.n].leaf];
        judge(&c);
    }
    if (m->subtree_count > 0)
        judge_subtrees(a, d, m);
}
