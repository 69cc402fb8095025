/* SPDX-License-Identifier: MIT
 *
 * diff_computed.c - values that one operation on each makes of the others.
 *
 * The operation is done in binary64 on every element of A, its result rounded
 * to the dtype, to nearest even, and compared with B bit for bit. A factor is
 * looked for where each element allows it: between what rounds just so to
 * B's value, divided by A's.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "diff.h"

#define LEAST                                                                  \
    4 /* elements (for a factor: that are not 0) that mean anything            \
       */
#define CHUNK 1024

struct operation {
    double factor, offset;
};

/* Whether B is round(A * factor + offset), the sum exact or rounded once in
 * binary64 before; one of the two does nothing. */
static bool is_made(const struct diff_bytes *k, struct operation o)
{
    enum ttsb_dtype dtype = k->ta->dtype;
    size_t size = spec_dtype_bits(dtype) / 8;
    struct kernel_range_error lost = {0};
    double x[CHUNK];
    uint8_t made[CHUNK * 8];
    for (uint64_t i = 0; i < k->ta->elements; i += CHUNK) {
        uint64_t left = k->ta->elements - i;
        size_t n = left < CHUNK ? (size_t)left : CHUNK;
        values_load(dtype, k->a + i * size, n, x);
        for (size_t j = 0; j < n; j++)
            x[j] = o.offset != 0 ? x[j] + o.offset : x[j] * o.factor;
        kernel_store_f64(dtype, x, n, made, &lost);
        if (memcmp(made, k->b + i * size, n * size) != 0)
            return false;
    }
    return true;
}

/* --- a sign --- */

static bool is_negated(const struct diff_bytes *k)
{
    size_t size = spec_dtype_bits(k->ta->dtype) / 8;
    for (uint64_t i = 0; i < k->ta->size; i++) {
        uint8_t flip = i % size == size - 1 ? 0x80 : 0;
        if ((k->a[i] ^ flip) != k->b[i])
            return false;
    }
    return true;
}

/* --- a factor --- */

struct bounds {
    double low, high, guess, largest;
    uint64_t used;
};

/* The value halfway from b to its neighbour away from or towards zero. */
static double halfway(enum ttsb_dtype dtype, const uint8_t *b, bool outwards)
{
    size_t size = spec_dtype_bits(dtype) / 8;
    uint8_t next[8];
    double v[2];
    int carry = outwards ? 1 : -1;
    memcpy(next, b, size);
    for (size_t i = 0; i < size && carry != 0; i++) {
        int byte = next[i] + carry;
        next[i] = (uint8_t)(byte & 0xff);
        carry = byte < 0 ? -1 : byte > 0xff ? 1 : 0;
    }
    values_load(dtype, b, 1, &v[0]);
    values_load(dtype, next, 1, &v[1]);
    return isfinite(v[1]) ? v[0] + (v[1] - v[0]) / 2 : v[0];
}

/* What one pair of values allows; false if it allows no factor. */
static bool narrow(struct bounds *f, enum ttsb_dtype dtype, double a,
                   const uint8_t *b)
{
    double y, p, q;
    values_load(dtype, b, 1, &y);
    if (!isfinite(a) || !isfinite(y) || (a == 0) != (y == 0))
        return y == 0 && isfinite(a); /* too small to tell */
    if (a == 0)
        return true;
    p = halfway(dtype, b, true) / a;
    q = halfway(dtype, b, false) / a;
    f->low = fmax(f->low, fmin(p, q));
    f->high = fmin(f->high, fmax(p, q));
    if (fabs(a) > f->largest) {
        f->largest = fabs(a);
        f->guess = y / a;
    }
    f->used++;
    /* The quotients above are rounded, too. */
    return f->low - fabs(f->low) * 1e-15 <= f->high + fabs(f->high) * 1e-15;
}

static bool find_bounds(const struct diff_bytes *k, struct bounds *f)
{
    enum ttsb_dtype dtype = k->ta->dtype;
    size_t size = spec_dtype_bits(dtype) / 8;
    *f = (struct bounds){.low = -INFINITY, .high = INFINITY};
    for (uint64_t i = 0; i < k->ta->elements; i++) {
        double a;
        values_load(dtype, k->a + i * size, 1, &a);
        if (!narrow(f, dtype, a, k->b + i * size))
            return false;
    }
    return f->used >= LEAST;
}

/* The shortest decimal between the bounds, or the one nearest to the guess. */
static double shortest(const struct bounds *f)
{
    double middle = f->low + (f->high - f->low) / 2;
    for (int n = 1; n <= 17; n++) {
        char digits[40];
        double x;
        snprintf(digits, sizeof digits, "%.*g", n, middle);
        x = strtod(digits, NULL);
        if (x >= f->low && x <= f->high)
            return x;
    }
    return f->guess;
}

static bool factor(struct diff *d, const struct diff_bytes *k)
{
    struct bounds f;
    struct text t = {0};
    double tries[2];
    if (!find_bounds(k, &f))
        return false;
    tries[0] = shortest(&f);
    tries[1] = f.guess;
    for (size_t i = 0; i < 2; i++) {
        double c = tries[i];
        if (c == 0 || c == 1 || !isfinite(c) ||
            !is_made(k, (struct operation){.factor = c}))
            continue;
        diff_put_decimal(&t, c);
        diff_fact(d, &k->x->facts, "factor",
                  "B is A times %.*s: for all %" PRIu64
                  " elements the product in binary64, rounded to %s, is B's "
                  "value bit for bit",
                  STR_ARG(text_view(&t)), k->ta->elements,
                  spec_dtype_name(k->ta->dtype));
        text_release(&t);
        return true;
    }
    return false;
}

/* --- all --- */

void diff_computed(struct diff *d, const struct diff_bytes *k)
{
    static const double offsets[] = {1, -1};
    if (k->ta->elements < LEAST)
        return;
    if (is_negated(k)) {
        diff_fact(d, &k->x->facts, "negated",
                  "B is A negated (all %" PRIu64 " elements, bit for bit)",
                  k->ta->elements);
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        if (!is_made(k, (struct operation){1, offsets[i]}))
            continue;
        diff_fact(d, &k->x->facts, i == 0 ? "plus_one" : "minus_one",
                  "B is A %s 1: for all %" PRIu64
                  " elements the sum in binary64, rounded to %s, is B's value "
                  "bit for bit",
                  i == 0 ? "plus" : "minus", k->ta->elements,
                  spec_dtype_name(k->ta->dtype));
        return;
    }
    factor(d, k);
}
