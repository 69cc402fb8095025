/* SPDX-License-Identifier: MIT
 *
 * tiling.c - a line is swept in order. Boxes are swept along the axis where
 * the fewest pairs lie side by side, so that strips and grids end soon.
 */
#include "tiling.h"

#include <inttypes.h>
#include <stdlib.h>

#define MAX_PAIRS 100000000
#define MAX_RANGES 20 /* that are named one by one */

/* --- a line --- */

static int compare_parts(const void *x, const void *y)
{
    const struct part *a = x, *b = y;
    if (a->lo != b->lo)
        return a->lo < b->lo ? -1 : 1;
    return (a->owner > b->owner) - (a->owner < b->owner);
}

/* Ranges while they are named; what touches is one. */
struct ranges {
    struct text text;
    size_t count;
    uint64_t lo, hi; /* the last, not named yet */
};

static void range_end(struct ranges *r)
{
    if (r->lo < r->hi && r->count++ < MAX_RANGES)
        text_format(&r->text, "%s%" PRIu64 "..%" PRIu64,
                    r->text.n > 0 ? ", " : "", r->lo, r->hi);
}

static void range_add(struct ranges *r, uint64_t lo, uint64_t hi)
{
    if (lo >= hi)
        return;
    if (lo != r->hi || r->lo == r->hi) {
        range_end(r);
        r->lo = lo;
    }
    r->hi = hi;
}

/* Their names; releases them. */
static struct str range_names(struct arena *a, struct ranges *r)
{
    struct str s;
    range_end(r);
    if (r->count > MAX_RANGES)
        text_format(&r->text, " and %zu more", r->count - MAX_RANGES);
    s = arena_str(a, text_view(&r->text));
    text_release(&r->text);
    return s;
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

static int compare_overlaps(const void *x, const void *y)
{
    const struct overlap *a = x, *b = y;
    if (a->second != b->second)
        return a->second < b->second ? -1 : 1;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return (a->lo > b->lo) - (a->lo < b->lo);
}

/* All of two owners as one. */
static void overlaps_join(struct arena *a, struct tiling *t)
{
    size_t n = 0, k;
    if (t->overlap_count > 0)
        qsort(t->overlaps, t->overlap_count, sizeof *t->overlaps,
              compare_overlaps);
    for (size_t i = 0; i < t->overlap_count; i = k) {
        struct overlap o = t->overlaps[i];
        struct ranges r = {0};
        for (k = i; k < t->overlap_count && t->overlaps[k].first == o.first &&
                    t->overlaps[k].second == o.second;
             k++)
            range_add(&r, t->overlaps[k].lo, t->overlaps[k].hi);
        o.ranges = range_names(a, &r);
        t->overlaps[n++] = o;
    }
    t->overlap_count = n;
}

struct tiling tiling_line(struct arena *a, struct part *parts, size_t n,
                          uint64_t size)
{
    struct tiling t = {0};
    struct ranges gaps = {0};
    uint64_t end = 0;
    size_t last = 0;
    qsort(parts, n, sizeof *parts, compare_parts);
    for (size_t i = 0; i <= n; i++) {
        uint64_t lo = i < n ? parts[i].lo : size;
        if (end < lo && t.gap_lo == t.gap_hi) {
            t.gap_lo = end;
            t.gap_hi = lo;
        }
        range_add(&gaps, end, lo);
        if (i == n)
            break;
        if (lo < end)
            overlap_add(a, &t,
                        (struct overlap){last,
                                         parts[i].owner,
                                         lo,
                                         parts[i].hi < end ? parts[i].hi : end,
                                         {0}});
        if (parts[i].hi > end) {
            end = parts[i].hi;
            last = parts[i].owner;
        }
    }
    t.gaps = range_names(a, &gaps);
    overlaps_join(a, &t);
    return t;
}

/* --- where boxes meet --- */

uint64_t box_elements(const struct box *b, uint32_t rank)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < rank; i++)
        n *= b->n[i];
    return n;
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
    return true;
}

static int compare_numbers(const void *x, const void *y)
{
    const uint64_t *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

/* Pairs of boxes whose ranges on one axis meet. */
static uint64_t count_pairs(const struct claims *v, uint32_t axis, uint64_t *lo,
                            uint64_t *hi)
{
    uint64_t pairs = 0;
    size_t ended = 0;
    for (size_t i = 0; i < v->n; i++) {
        lo[i] = v->p[i].box.lo[axis];
        hi[i] = lo[i] + v->p[i].box.n[axis];
    }
    qsort(lo, v->n, sizeof *lo, compare_numbers);
    qsort(hi, v->n, sizeof *hi, compare_numbers);
    for (size_t i = 0; i < v->n; i++) {
        while (hi[ended] <= lo[i])
            ended++;
        pairs += i - ended;
    }
    return pairs;
}

/* The axis with the fewest pairs. */
static uint32_t sweep_axis(struct arena *a, const struct claims *v)
{
    uint64_t *lo = arena_new(a, uint64_t, v->n);
    uint64_t *hi = arena_new(a, uint64_t, v->n);
    uint64_t fewest = UINT64_MAX;
    uint32_t best = 0;
    for (uint32_t i = 0; i < v->type.rank; i++) {
        uint64_t pairs = count_pairs(v, i, lo, hi);
        if (pairs < fewest) {
            fewest = pairs;
            best = i;
        }
    }
    return best;
}

static int compare_claims(const void *x, const void *y, void *axis)
{
    const struct claim *a = x, *b = y;
    uint32_t i = *(const uint32_t *)axis;
    if (a->box.lo[i] != b->box.lo[i])
        return a->box.lo[i] < b->box.lo[i] ? -1 : 1;
    return (a->owner > b->owner) - (a->owner < b->owner);
}

/* The first box behind box i that meets it, or v->n. */
static size_t meets(const struct claims *v, size_t i, uint32_t axis,
                    struct box *both)
{
    const struct box *x = &v->p[i].box;
    for (size_t k = i + 1; k < v->n; k++) {
        const struct box *y = &v->p[k].box;
        if (y->lo[axis] >= x->lo[axis] + x->n[axis])
            break;
        ++*v->pairs;
        if (intersect(x, y, v->type.rank, both))
            return k;
    }
    return v->n;
}

enum meeting tiling_meeting(struct arena *a, const struct claims *v,
                            struct claim *first, struct claim *second,
                            struct box *both)
{
    uint32_t axis = sweep_axis(a, v);
    *both = (struct box){0};
    if (v->type.rank == 0 && v->n > 1) {
        *first = v->p[0];
        *second = v->p[1];
        return MEETING_FOUND;
    }
    qsort_r(v->p, v->n, sizeof *v->p, compare_claims, &axis);
    for (size_t i = 0; i < v->n && v->type.rank > 0; i++) {
        size_t k = meets(v, i, axis, both);
        if (k < v->n) {
            *first = v->p[i];
            *second = v->p[k];
            return MEETING_FOUND;
        }
        if (*v->pairs > MAX_PAIRS)
            return MEETING_UNKNOWN;
    }
    return MEETING_NONE;
}

/* --- what is left --- */

/* A box begins or ends; `area` is its elements at one index of the axis. */
struct event {
    uint64_t at, area;
    bool ends;
};

static int compare_events(const void *x, const void *y)
{
    const struct event *a = x, *b = y;
    return (a->at > b->at) - (a->at < b->at);
}

static uint64_t area_behind(const struct box *b, uint32_t axis, uint32_t rank)
{
    uint64_t n = 1;
    for (uint32_t i = axis + 1; i < rank; i++)
        n *= b->n[i];
    return n;
}

/* The first indices of an axis at which the boxes do not have all elements:
 * [gap->lo, gap->lo + gap->n). */
static bool find_open(struct arena *a, const struct claims *v, uint32_t axis,
                      const struct box *whole, struct box *gap)
{
    uint64_t full = area_behind(whole, axis, v->type.rank), have = 0, at = 0;
    struct event *e = arena_new(a, struct event, 2 * v->n);
    size_t n = 0;
    for (size_t i = 0; i < v->n; i++) {
        const struct box *b = &v->p[i].box;
        uint64_t area = area_behind(b, axis, v->type.rank);
        e[n++] = (struct event){b->lo[axis], area, false};
        e[n++] = (struct event){b->lo[axis] + b->n[axis], area, true};
    }
    qsort(e, n, sizeof *e, compare_events);
    for (size_t i = 0; i <= n; i++) {
        uint64_t next = i < n ? e[i].at : whole->n[axis];
        if (next > at && have < full) {
            gap->lo[axis] = at;
            gap->n[axis] = next - at;
            return true;
        }
        at = next;
        if (i < n)
            have += e[i].ends ? 0 - e[i].area : e[i].area;
    }
    return false;
}

/* Those claims that have index `at` of an axis. */
static struct claims claims_at(struct arena *a, const struct claims *v,
                               uint32_t axis, uint64_t at)
{
    struct claims out = {.type = v->type};
    out.p = arena_new(a, struct claim, v->n);
    for (size_t i = 0; i < v->n; i++) {
        const struct box *b = &v->p[i].box;
        if (b->lo[axis] <= at && at < b->lo[axis] + b->n[axis])
            out.p[out.n++] = v->p[i];
    }
    return out;
}

bool tiling_gap(struct arena *a, const struct claims *v, struct box *gap)
{
    struct box whole = {0};
    struct claims at = *v;
    for (uint32_t i = 0; i < v->type.rank; i++)
        whole.n[i] = v->type.axes[i].size;
    *gap = (struct box){0};
    for (uint32_t i = 0; i < v->type.rank; i++) {
        if (!find_open(a, &at, i, &whole, gap))
            return false;
        at = claims_at(a, &at, i, gap->lo[i]);
    }
    return v->type.rank > 0 || v->n == 0;
}

/* --- boxes that may meet --- */

/* A sweep along each axis in turn, outermost first. */
struct sweep {
    uint32_t rank;
    const struct axis *axes;
    uint64_t work;
    struct level {
        const struct box **sorted; /* by where they begin */
        const struct box **active; /* those that have the index */
        uint64_t *bounds;          /* where one begins or ends */
    } levels[TTSB_MAX_RANK + 1];
};

static int compare_begins(const void *x, const void *y, void *axis)
{
    const struct box *a = *(const struct box *const *)x;
    const struct box *b = *(const struct box *const *)y;
    uint32_t i = *(const uint32_t *)axis;
    return (a->lo[i] > b->lo[i]) - (a->lo[i] < b->lo[i]);
}

static uint64_t box_end(const struct box *b, uint32_t axis)
{
    return b->lo[axis] + b->n[axis];
}

/* The indices where boxes begin or end, ascending, each once. */
static size_t list_bounds(const struct level *l, size_t n, uint32_t axis)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        l->bounds[2 * i] = l->sorted[i]->lo[axis];
        l->bounds[2 * i + 1] = box_end(l->sorted[i], axis);
    }
    qsort(l->bounds, 2 * n, sizeof *l->bounds, compare_numbers);
    for (size_t i = 0; i < 2 * n; i++)
        if (m == 0 || l->bounds[i] != l->bounds[m - 1])
            l->bounds[m++] = l->bounds[i];
    return m;
}

/* Those that still have index `at`. */
static size_t drop_ended(const struct level *l, size_t n, uint32_t axis,
                         uint64_t at)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++)
        if (box_end(l->active[i], axis) > at)
            l->active[m++] = l->active[i];
    return m;
}

/* Whether n boxes have all indices of an axis and of those behind it. */
static bool sweep(struct sweep *s, const struct box **p, size_t n,
                  uint32_t axis)
{
    const struct level *l = &s->levels[axis];
    size_t bounds, active = 0, next = 0;
    if (axis == s->rank || n == 0)
        return n > 0;
    memcpy(l->sorted, p, n * sizeof *p);
    qsort_r(l->sorted, n, sizeof *p, compare_begins, &axis);
    bounds = list_bounds(l, n, axis);
    if (l->bounds[0] != 0 || l->bounds[bounds - 1] != s->axes[axis].size)
        return false;
    for (size_t i = 0; i + 1 < bounds && s->work <= MAX_PAIRS; i++) {
        active = drop_ended(l, active, axis, l->bounds[i]);
        while (next < n && l->sorted[next]->lo[axis] == l->bounds[i])
            l->active[active++] = l->sorted[next++];
        s->work += active + 1;
        if (!sweep(s, l->active, active, axis + 1))
            return false;
    }
    return true;
}

enum covering tiling_covers(struct arena *a, const struct claims *v)
{
    struct sweep s = {.rank = v->type.rank, .axes = v->type.axes};
    const struct box **p = arena_new(a, const struct box *, v->n);
    bool all;
    for (size_t i = 0; i < v->n; i++)
        p[i] = &v->p[i].box;
    for (uint32_t i = 0; i < s.rank; i++)
        s.levels[i] = (struct level){arena_new(a, const struct box *, v->n),
                                     arena_new(a, const struct box *, v->n),
                                     arena_new(a, uint64_t, 2 * v->n)};
    all = sweep(&s, p, v->n, 0);
    return s.work > MAX_PAIRS ? COVERS_UNKNOWN : all ? COVERS_ALL : COVERS_NOT;
}
