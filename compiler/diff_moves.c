/* SPDX-License-Identifier: MIT
 *
 * diff_moves.c - elements that are all there, in another order.
 *
 * Every element of B is compared with the element of A that the statement
 * puts there, bit for bit; the first that is another ends the try.
 */
#include <inttypes.h>

#include "diff.h"

#define MOST_AXES 4   /* whose orders are tried */
#define MOST_PARTS 16 /* of an axis, two of which are exchanged */

/* A tensor as (outer, axis, inner); a row is `bytes` long. */
struct axis_view {
    uint64_t outer, size;
    size_t row; /* bytes of one index of the axis */
};

static struct axis_view view_axis(const struct tensor *t, uint32_t axis)
{
    struct axis_view v = {1, t->dims[axis], spec_dtype_bits(t->dtype) / 8};
    for (uint32_t i = 0; i < t->rank; i++)
        if (i < axis)
            v.outer *= t->dims[i];
        else if (i > axis)
            v.row *= (size_t)t->dims[i];
    return v;
}

/* --- axes in another order --- */

/* Whether B = A.permute(order). */
static bool is_permuted(const struct diff_bytes *k, const uint8_t *order)
{
    size_t size = spec_dtype_bits(k->ta->dtype) / 8;
    uint64_t strides[MOST_AXES], at[MOST_AXES] = {0}, from = 0;
    uint32_t rank = k->ta->rank;
    for (uint32_t i = 0; i < rank; i++) {
        strides[i] = size;
        for (uint32_t j = order[i] + 1U; j < rank; j++)
            strides[i] *= k->ta->dims[j];
    }
    for (uint64_t e = 0; e < k->tb->elements; e++) {
        if (memcmp(k->b + e * size, k->a + from, size) != 0)
            return false;
        for (uint32_t i = rank; i-- > 0;) {
            from += strides[i];
            if (++at[i] < k->tb->dims[i])
                break;
            from -= strides[i] * at[i];
            at[i] = 0;
        }
    }
    return true;
}

/* The next order of bytes in the order of the alphabet; false at the last. */
static bool next_order(uint8_t *v, uint32_t n)
{
    uint32_t i = n - 1, k = n - 1;
    uint8_t t;
    while (i > 0 && v[i - 1] >= v[i])
        i--;
    if (i == 0)
        return false;
    while (v[k] <= v[i - 1])
        k--;
    t = v[i - 1];
    v[i - 1] = v[k];
    v[k] = t;
    for (k = n - 1; i < k; i++, k--) {
        t = v[i];
        v[i] = v[k];
        v[k] = t;
    }
    return true;
}

static void say_permuted(struct diff *d, const struct diff_bytes *k,
                         const uint8_t *order)
{
    struct text t = {0};
    for (uint32_t i = 0; i < k->ta->rank; i++)
        text_format(&t, "%s%u", i > 0 ? ", " : "", order[i]);
    if (k->ta->rank == 2)
        diff_fact(d, &k->x->facts, "transposed",
                  "B is A transposed (all %" PRIu64 " elements, bit for bit)",
                  k->ta->elements);
    else
        diff_fact(d, &k->x->facts, "permuted",
                  "B is A with its axes in another order: A.permute(%.*s) "
                  "(all %" PRIu64 " elements, bit for bit)",
                  STR_ARG(text_view(&t)), k->ta->elements);
    text_release(&t);
}

static bool permuted(struct diff *d, const struct diff_bytes *k)
{
    uint8_t order[MOST_AXES] = {0, 1, 2, 3};
    uint32_t rank = k->ta->rank;
    if (rank < 2 || rank > MOST_AXES || rank != k->tb->rank)
        return false;
    while (next_order(order, rank)) {
        bool fits = true;
        for (uint32_t i = 0; i < rank; i++)
            fits = fits && k->tb->dims[i] == k->ta->dims[order[i]];
        if (!fits || !is_permuted(k, order))
            continue;
        say_permuted(d, k, order);
        return true;
    }
    return false;
}

/* --- an axis in reverse --- */

static bool is_reversed(const struct diff_bytes *k, struct axis_view v)
{
    for (uint64_t o = 0; o < v.outer; o++)
        for (uint64_t i = 0; i < v.size; i++) {
            uint64_t from = o * v.size + (v.size - 1 - i);
            if (memcmp(k->b + (o * v.size + i) * v.row, k->a + from * v.row,
                       v.row) != 0)
                return false;
        }
    return true;
}

static bool reversed(struct diff *d, const struct diff_bytes *k)
{
    for (uint32_t i = 0; i < k->ta->rank; i++) {
        struct axis_view v = view_axis(k->ta, i);
        if (v.size < 2 || !is_reversed(k, v))
            continue;
        diff_fact(d, &k->x->facts, "reversed",
                  "B is A with axis %" PRIu32 " reversed (all %" PRIu64
                  " elements, bit for bit)",
                  i, k->ta->elements);
        return true;
    }
    return false;
}

/* --- two ranges exchanged --- */

/* Whether part p of B is part q of A; parts have `n` indices each. */
static bool same_part(const struct diff_bytes *k, struct axis_view v,
                      uint64_t n, uint64_t p, uint64_t q)
{
    for (uint64_t o = 0; o < v.outer; o++)
        if (memcmp(k->b + (o * v.size + p * n) * v.row,
                   k->a + (o * v.size + q * n) * v.row, (size_t)n * v.row) != 0)
            return false;
    return true;
}

/* The two parts that are exchanged, all others being equal. */
static bool exchanged(const struct diff_bytes *k, struct axis_view v,
                      uint64_t parts, uint64_t found[2])
{
    uint64_t n = v.size / parts;
    size_t count = 0;
    for (uint64_t p = 0; p < parts; p++) {
        if (same_part(k, v, n, p, p))
            continue;
        if (count == 2)
            return false;
        found[count++] = p;
    }
    return count == 2 && same_part(k, v, n, found[0], found[1]) &&
           same_part(k, v, n, found[1], found[0]);
}

static bool ranges(struct diff *d, const struct diff_bytes *k, uint32_t axis)
{
    struct axis_view v = view_axis(k->ta, axis);
    for (uint64_t parts = 2; parts <= MOST_PARTS && parts <= v.size; parts++) {
        uint64_t p[2], n = v.size / parts;
        if (v.size % parts != 0 || !exchanged(k, v, parts, p))
            continue;
        diff_fact(d, &k->x->facts, "ranges_swapped",
                  "B is A with two of %" PRIu64 " parts of axis %" PRIu32
                  " exchanged: %" PRIu64 "..%" PRIu64 " and %" PRIu64
                  "..%" PRIu64 " (all %" PRIu64 " elements, bit for bit)",
                  parts, axis, p[0] * n, (p[0] + 1) * n, p[1] * n,
                  (p[1] + 1) * n, k->ta->elements);
        return true;
    }
    return false;
}

void diff_moves(struct diff *d, const struct diff_bytes *k)
{
    bool found = permuted(d, k);
    if (k->x->reshaped) {
        if (memcmp(k->a, k->b, (size_t)k->ta->size) == 0)
            diff_fact(d, &k->x->facts, "reshaped",
                      "the values are the same in row-major order, bit for "
                      "bit");
        return;
    }
    found = found || reversed(d, k);
    for (uint32_t i = 0; i < k->ta->rank && !found; i++)
        found = ranges(d, k, i);
}
