/* SPDX-License-Identifier: MIT
 *
 * regions.c - digits are shifted, trimmed, cut and joined. Where a cut does
 * not meet the digits' bounds a region falls into several.
 */
#include "regions.h"

#include "size.h"

/* --- making regions --- */

/* With room for one digit more. */
static struct region copy_of(struct regions *v, const struct region *r)
{
    struct region c = *r;
    c.digits = arena_new(v->a, struct digit, r->digit_count + 1);
    if (r->digit_count > 0)
        memcpy(c.digits, r->digits, r->digit_count * sizeof *c.digits);
    return c;
}

static void append(struct regions *v, const struct region *r)
{
    if (v->n >= REGIONS_MAX) {
        v->failed = true;
        return;
    }
    if (v->n == v->capacity)
        v->p = arena_grow(v->a, v->p, sizeof *v->p, v->n, &v->capacity);
    v->p[v->n++] = *r;
}

void regions_add(struct regions *v, const struct step *s)
{
    bool is_leaf = s->op == OP_LEAF || s->op == OP_WEIGHT_NORM;
    struct region r = {.leaf = s->leaf, .g = s->g, .keep = KEEP_NONE};
    if (!is_leaf && s->op != OP_ZEROS)
        r.node = s;
    if (s->op == OP_WEIGHT_NORM)
        r.keep = s->keep;
    r.rank = s->type.rank;
    r.digits = arena_new(v->a, struct digit, r.rank + 1);
    for (uint32_t i = 0; i < r.rank; i++) {
        uint64_t size = s->type.axes[i].size;
        r.empty = r.hollow = r.empty || size == 0;
        if (size > 1)
            r.digits[r.digit_count++] =
                (struct digit){1, size, 1, (uint8_t)i, (uint8_t)i};
    }
    append(v, &r);
}

/* What takes the place of one region: the first result does, others are
 * appended; without any it is empty. */
struct results {
    struct regions *v;
    size_t slot;
    bool any;
};

static void put(struct results *to, const struct region *r)
{
    if (to->any)
        append(to->v, r);
    else
        to->v->p[to->slot] = *r;
    to->any = true;
}

/* --- digits --- */

/* The first digit of an axis; those of the axis follow. */
static uint32_t first_of(const struct region *r, uint32_t axis)
{
    uint32_t i = 0;
    while (i < r->digit_count && r->digits[i].axis < axis)
        i++;
    return i;
}

static bool is_on(const struct region *r, uint32_t i, uint32_t axis)
{
    return i < r->digit_count && r->digits[i].axis == axis;
}

/* How far digit i and those behind it on its axis reach. */
static uint64_t reach(const struct region *r, uint32_t i, uint32_t axis)
{
    uint64_t sum = 0;
    for (; is_on(r, i, axis); i++)
        sum += (r->digits[i].count - 1) * r->digits[i].step;
    return sum;
}

static void digit_remove(struct region *r, uint32_t i)
{
    memmove(&r->digits[i], &r->digits[i + 1],
            (r->digit_count - i - 1) * sizeof r->digits[0]);
    r->digit_count--;
}

/* What is contiguous on both sides becomes one. */
static void join_digits(struct region *r)
{
    for (uint32_t i = 0; i + 1 < r->digit_count;) {
        struct digit *x = &r->digits[i], *y = x + 1;
        if (x->axis != y->axis || x->from != y->from ||
            x->step != y->step * y->count || x->by != y->by * y->count) {
            i++;
            continue;
        }
        y->count *= x->count;
        digit_remove(r, i);
    }
}

/* A copy in which digit i has its indices [from, from + count) only. */
static struct region trimmed(struct regions *v, const struct region *r,
                             uint32_t i, uint64_t from, uint64_t count)
{
    struct region c = copy_of(v, r);
    struct digit *d = &c.digits[i];
    c.start[d->axis] += from * d->step;
    c.lo[d->from] += from * d->by;
    d->count = count;
    if (count == 1)
        digit_remove(&c, i);
    return c;
}

/* --- moves that leave a region one --- */

void regions_permute(struct regions *v, size_t first, const uint8_t *order)
{
    for (size_t k = first; k < v->n && !v->failed; k++) {
        struct region *r = &v->p[k];
        struct region old = copy_of(v, r);
        uint32_t n = 0;
        for (uint32_t i = 0; i < r->rank; i++) {
            r->start[i] = old.start[order[i]];
            for (uint32_t j = first_of(&old, order[i]);
                 is_on(&old, j, order[i]); j++) {
                r->digits[n] = old.digits[j];
                r->digits[n++].axis = (uint8_t)i;
            }
        }
    }
}

/* Takes an axis out that has no digits. */
static void axis_remove(struct region *r, uint32_t axis)
{
    memmove(&r->start[axis], &r->start[axis + 1],
            (r->rank - axis - 1) * sizeof r->start[0]);
    r->rank--;
    for (uint32_t i = first_of(r, axis); i < r->digit_count; i++)
        r->digits[i].axis--;
}

static void axis_insert(struct region *r, uint32_t axis)
{
    memmove(&r->start[axis + 1], &r->start[axis],
            (r->rank - axis) * sizeof r->start[0]);
    r->start[axis] = 0;
    r->rank++;
    for (uint32_t i = first_of(r, axis); i < r->digit_count; i++)
        r->digits[i].axis++;
}

void regions_squeeze(struct regions *v, size_t first, uint32_t removed)
{
    for (size_t k = first; k < v->n && !v->failed; k++)
        for (uint32_t i = v->p[k].rank; i-- > 0;)
            if ((removed >> i & 1) != 0)
                axis_remove(&v->p[k], i);
}

void regions_unsqueeze(struct regions *v, size_t first, uint32_t at)
{
    for (size_t k = first; k < v->n && !v->failed; k++)
        axis_insert(&v->p[k], at);
}

void regions_shift(struct regions *v, size_t first, uint32_t axis, uint64_t at)
{
    for (size_t k = first; k < v->n && !v->failed; k++)
        v->p[k].start[axis] += at;
}

void regions_stack(struct regions *v, size_t first, uint64_t k)
{
    regions_unsqueeze(v, first, 0);
    regions_shift(v, first, 0, k);
}

void regions_spread(struct regions *v, size_t first, uint32_t axis, uint64_t k,
                    uint64_t n)
{
    for (size_t i = first; i < v->n && !v->failed; i++) {
        struct region *r = &v->p[i];
        r->start[axis] = r->start[axis] * n + k;
        for (uint32_t j = first_of(r, axis); is_on(r, j, axis); j++)
            r->digits[j].step *= n;
    }
}

static void merge_two(struct region *r, uint32_t axis, uint64_t inner)
{
    r->start[axis + 1] += r->start[axis] * inner;
    for (uint32_t j = first_of(r, axis); is_on(r, j, axis); j++)
        r->digits[j].step *= inner;
    memmove(&r->start[axis], &r->start[axis + 1],
            (r->rank - axis - 1) * sizeof r->start[0]);
    for (uint32_t j = first_of(r, axis + 1); j < r->digit_count; j++)
        r->digits[j].axis--;
    r->rank--;
}

void regions_merge(struct regions *v, size_t first, uint32_t axis,
                   const struct axis *sizes, uint32_t k)
{
    for (size_t i = first; i < v->n && !v->failed; i++) {
        for (uint32_t j = 1; j < k; j++)
            merge_two(&v->p[i], axis, sizes[j].size);
        join_digits(&v->p[i]);
    }
}

/* --- slices --- */

struct cut {
    uint32_t axis;
    uint64_t lo, hi;
};

/* Keeps what lies in [lo, hi). The outermost digit's indices are inside, or
 * outside, or cross a bound; then the inner digits are cut. */
static void cut(struct results *to, const struct region *r, const struct cut *c)
{
    uint32_t k = first_of(r, c->axis);
    uint64_t s = r->start[c->axis], inner, first, last, from, end;
    struct region part;
    const struct digit *d;
    if (!is_on(r, k, c->axis) || r->digits[k].step == 0) { /* hollow */
        part = *r;
        part.start[c->axis] -= c->lo;
        if (s >= c->lo && s < c->hi)
            put(to, &part);
        return;
    }
    d = &r->digits[k];
    inner = reach(r, k + 1, c->axis);
    first =
        s + inner >= c->lo ? 0 : (c->lo - s - inner + d->step - 1) / d->step;
    if (s >= c->hi || first >= d->count)
        return;
    last = (c->hi - 1 - s) / d->step;
    last = last < d->count ? last : d->count - 1;
    if (first > last)
        return;
    from = s + first * d->step >= c->lo ? first : first + 1;
    end = s + last * d->step + inner < c->hi ? last + 1 : last;
    if (from > first) {
        part = trimmed(to->v, r, k, first, 1);
        cut(to, &part, c);
    }
    if (from < end) {
        part = trimmed(to->v, r, k, from, end - from);
        part.start[c->axis] -= c->lo;
        put(to, &part);
    }
    if (end <= last && (last > first || from == first)) {
        part = trimmed(to->v, r, k, last, 1);
        cut(to, &part, c);
    }
}

/* Whether all of a region lies in [lo, hi). */
static bool is_inside(const struct region *r, const struct cut *c)
{
    uint64_t s = r->start[c->axis];
    return s >= c->lo && s + reach(r, first_of(r, c->axis), c->axis) < c->hi;
}

void regions_slice(struct regions *v, size_t first, uint32_t axis, uint64_t lo,
                   uint64_t n)
{
    struct cut c = {axis, lo, lo + n};
    size_t end = v->n;
    for (size_t k = first; k < end && !v->failed; k++) {
        struct results to = {v, k, false};
        struct region r = v->p[k];
        if (r.empty && !r.hollow)
            continue;
        if (is_inside(&r, &c)) {
            v->p[k].start[axis] -= lo;
            continue;
        }
        cut(&to, &r, &c);
        if (!to.any) {
            v->p[k].empty = true;
            v->p[k].hollow = false;
        }
    }
}

/* --- one axis becomes two --- */

/* Digits whose step is a multiple of the inner size go to the outer axis, the
 * others reach no further than the inner one. */
static void divide(struct results *to, struct region *r, uint32_t axis,
                   uint64_t inner)
{
    uint64_t s = r->start[axis];
    axis_insert(r, axis);
    r->start[axis] = s / inner;
    r->start[axis + 1] = s % inner;
    for (uint32_t i = first_of(r, axis + 1); is_on(r, i, axis + 1); i++) {
        struct digit *d = &r->digits[i];
        if (d->step % inner != 0)
            break;
        d->step /= inner;
        d->axis--;
    }
    put(to, r);
}

static void part(struct results *to, struct region *r, uint32_t axis,
                 uint64_t inner);

/* Digit i crosses the inner axis' bounds at whole steps: the rest of a first
 * row, full rows, the beginning of a last one. */
static void part_rows(struct results *to, const struct region *r, uint32_t i,
                      uint64_t inner)
{
    struct digit d = r->digits[i];
    uint64_t row = inner / d.step, at = r->start[d.axis] % inner / d.step;
    uint64_t head = at == 0 ? 0 : row - at, rows;
    struct region c;
    head = head < d.count ? head : d.count;
    rows = (d.count - head) / row;
    if (head > 0) {
        c = trimmed(to->v, r, i, 0, head);
        part(to, &c, d.axis, inner);
    }
    if (rows > 0) {
        c = trimmed(to->v, r, i, head, rows * row);
        if (rows > 1) {
            memmove(&c.digits[i + 1], &c.digits[i],
                    (c.digit_count - i) * sizeof c.digits[0]);
            c.digit_count++;
            c.digits[i + 1].count = row;
            c.digits[i].count = rows;
            c.digits[i].step *= row;
            c.digits[i].by *= row;
        }
        divide(to, &c, d.axis, inner);
    }
    head += rows * row;
    if (head < d.count) {
        c = trimmed(to->v, r, i, head, d.count - head);
        part(to, &c, d.axis, inner);
    }
}

/* Index by index of digit i. */
static void part_each(struct results *to, const struct region *r, uint32_t i,
                      uint64_t inner)
{
    uint32_t axis = r->digits[i].axis;
    for (uint64_t k = 0; k < r->digits[i].count && !to->v->failed; k++) {
        struct region c = trimmed(to->v, r, i, k, 1);
        part(to, &c, axis, inner);
    }
}

static void part(struct results *to, struct region *r, uint32_t axis,
                 uint64_t inner)
{
    uint32_t i = first_of(r, axis);
    uint64_t at = r->start[axis] % inner, step;
    while (is_on(r, i, axis) && r->digits[i].step % inner == 0)
        i++;
    if (at + reach(r, i, axis) < inner) {
        divide(to, r, axis, inner);
        return;
    }
    step = r->digits[i].step;
    if (r->digit_count >= REGION_MAX_DIGITS)
        to->v->failed = true;
    else if (inner % step == 0 && at % step + reach(r, i + 1, axis) < step)
        part_rows(to, r, i, inner);
    else
        part_each(to, r, i, inner);
}

void regions_part(struct regions *v, size_t first, uint32_t axis,
                  uint64_t inner)
{
    size_t end = v->n;
    for (size_t k = first; k < end && !v->failed; k++) {
        struct results to = {v, k, false};
        struct region r = copy_of(v, &v->p[k]);
        if ((r.empty && !r.hollow) || inner == 0)
            axis_insert(&v->p[k], axis);
        else
            part(&to, &r, axis, inner);
    }
}

/* --- settling --- */

/* A digit that has another one beside it on its axis, the smaller of two;
 * digit_count if there is none. */
static uint32_t crowded(const struct region *r)
{
    for (uint32_t i = 0; i + 1 < r->digit_count; i++)
        if (r->digits[i].axis == r->digits[i + 1].axis)
            return r->digits[i].count <= r->digits[i + 1].count ? i : i + 1;
    return r->digit_count;
}

/* One digit for an axis at most. */
static void flatten(struct results *to, const struct region *r)
{
    uint32_t i = crowded(r);
    if (i == r->digit_count) {
        put(to, r);
        return;
    }
    for (uint64_t k = 0; k < r->digits[i].count && !to->v->failed; k++) {
        struct region c = trimmed(to->v, r, i, k, 1);
        flatten(to, &c);
    }
}

void regions_settle(struct regions *v)
{
    size_t n = 0, end;
    for (size_t k = 0; k < v->n; k++)
        if (!v->p[k].empty)
            v->p[n++] = v->p[k];
    v->n = end = n;
    for (size_t k = 0; k < end; k++)
        join_digits(&v->p[k]);
    for (size_t k = 0; end > 1 && k < end && !v->failed; k++) {
        struct results to = {v, k, false};
        struct region r = v->p[k];
        flatten(&to, &r);
    }
}

/* --- questions --- */

/* How many regions flatten() makes of one. */
static uint64_t flat_count(const struct region *r)
{
    struct digit digits[REGION_MAX_DIGITS];
    struct region c = *r;
    uint64_t n = 1;
    c.digits = digits;
    memcpy(digits, r->digits, r->digit_count * sizeof *digits);
    join_digits(&c);
    for (uint32_t i = crowded(&c); i < c.digit_count; i = crowded(&c)) {
        if (!size_mul(n, digits[i].count, &n))
            return TTSB_SIZE_MAX;
        digit_remove(&c, i);
    }
    return n;
}

uint64_t regions_settled(const struct regions *v, size_t first)
{
    uint64_t n = 0, count = 0;
    for (size_t i = first; i < v->n; i++) {
        count += !v->p[i].empty;
        if (!v->p[i].empty && !size_add(n, flat_count(&v->p[i]), &n))
            n = TTSB_SIZE_MAX;
    }
    return count > 1 ? n : count;
}

uint64_t region_elements(const struct region *r)
{
    uint64_t n = r->empty ? 0 : 1;
    for (uint32_t i = 0; i < r->digit_count; i++)
        n *= r->digits[i].count;
    return n;
}

bool region_is_whole(const struct region *r)
{
    uint64_t all;
    return r->leaf != NULL && type_elements(r->leaf->type, &all) &&
           region_elements(r) == all;
}

uint64_t regions_zeros(const struct regions *v)
{
    uint64_t n = 0;
    for (size_t i = 0; i < v->n; i++)
        if (v->p[i].leaf == NULL && v->p[i].node == NULL)
            n += region_elements(&v->p[i]);
    return n;
}
