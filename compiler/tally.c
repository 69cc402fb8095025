/* SPDX-License-Identifier: MIT
 *
 * tally.c - moments and bins.
 *
 * A block becomes doubles. If its sum is not finite, what is NaN or Inf is
 * counted and taken out. Then one pass finds sum, extremes and whether anything
 * is zero or subnormal, a second sums powers of the distance to the rounded
 * mean, and a third counts octaves. Four lanes, element i in lane i % 4, are
 * the order in which all is added, so that vector code is the code as written.
 *
 * A mean travels as a sum of two doubles: 10^8 + N(0, 1) in binary64 has
 * means of blocks whose distances matter to the standard deviation, but lie
 * near the last bit of the means themselves.
 */
#include "tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "tally_values.h"

#define LANES 4
#define TABLES 4 /* of counts, so that equal neighbours do not wait */
#define LEAST_OCTAVE (-25)
#define OCTAVES 32
#define SIGN ((uint64_t)1 << 63)

struct tally_maker {
    enum ttsb_dtype dtype;
    size_t size; /* bytes of an element */
    double least_normal;
    struct tally total, unit; /* units that are full; the one that is not */
    uint64_t blocks;          /* of `unit` */
    uint32_t counts[TABLES][TALLY_BINS]; /* of `unit` */
    size_t held_bytes;
    double wide[TALLY_BLOCK];
    uint8_t bin[TALLY_BLOCK];
    uint8_t held[TALLY_BLOCK * 8];
};

/* --- figures --- */

double tally_std(const struct tally *t)
{
    double scaled = t->finite == 0 ? 0 : sqrt(t->m2 / (double)t->finite);
    return t->exponent == 0 ? scaled : ldexp(scaled, t->exponent);
}

double tally_absmax(const struct tally *t)
{
    return fmax(fabs(t->min), fabs(t->max));
}

double tally_kurtosis(const struct tally *t)
{
    return t->m2 > 0 ? t->m4 / t->m2 / t->m2 * (double)t->finite : 0;
}

double tally_bin_edge(int bin)
{
    int k = bin >= TALLY_ZERO_SIDE ? bin - TALLY_ZERO_SIDE
                                   : TALLY_ZERO_SIDE - 1 - bin;
    return ldexp(1.0, k + LEAST_OCTAVE);
}

/* --- lanes --- */

static double add_lanes(const double *v)
{
    return (v[0] + v[1]) + (v[2] + v[3]);
}

/* What one pass finds. */
struct scan {
    double sum, min, max;
    uint64_t small; /* below the least normal, zeros too */
};

struct scan_lanes {
    double sum[LANES], min[LANES], max[LANES];
    int64_t small[LANES];
};

static inline void scan_one(struct scan_lanes *v, int k, double x, double least)
{
    v->sum[k] += x;
    v->min[k] = x < v->min[k] ? x : v->min[k];
    v->max[k] = x > v->max[k] ? x : v->max[k];
    v->small[k] += fabs(x) < least;
}

static struct scan scan_block(const double *x, size_t n, double least)
{
    struct scan_lanes v;
    struct scan s;
    size_t i = 0;
    for (int k = 0; k < LANES; k++) {
        v.sum[k] = 0;
        v.min[k] = INFINITY;
        v.max[k] = -INFINITY;
        v.small[k] = 0;
    }
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++)
            scan_one(&v, k, x[i + (size_t)k], least);
    for (; i < n; i++)
        scan_one(&v, (int)(i % LANES), x[i], least);
    s = (struct scan){add_lanes(v.sum), v.min[0], v.max[0], 0};
    for (int k = 0; k < LANES; k++) {
        s.min = v.min[k] < s.min ? v.min[k] : s.min;
        s.max = v.max[k] > s.max ? v.max[k] : s.max;
        s.small += (uint64_t)v.small[k];
    }
    s.min += 0.0; /* no -0 */
    s.max += 0.0;
    return s;
}

/* Two lanes; both compilers have it, and make one instruction of each of its
 * operations on every processor that has pairs. */
typedef double pair __attribute__((vector_size(16)));

/* Sums of powers of x - pivot, of the lanes 0, 1 and 2, 3. */
struct powers {
    pair p1[2], p2[2], p3[2], p4[2];
};

static inline void add_powers(struct powers *v, int k, pair d)
{
    pair square = d * d;
    v->p1[k] += d;
    v->p2[k] += square;
    v->p3[k] += square * d;
    v->p4[k] += square * square;
}

static double add_pairs(const pair *v)
{
    return (v[0][0] + v[0][1]) + (v[1][0] + v[1][1]);
}

/* The end is filled up with pivots, whose distance is 0. */
static struct powers sum_powers(const double *x, size_t n, double pivot)
{
    struct powers v = {{{0}}, {{0}}, {{0}}, {{0}}};
    const pair center = {pivot, pivot};
    double last[LANES] = {pivot, pivot, pivot, pivot};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < 2; k++) {
            pair at = {x[i + 2 * (size_t)k], x[i + 2 * (size_t)k + 1]};
            add_powers(&v, k, at - center);
        }
    memcpy(last, x + i, (n - i) * sizeof *x);
    for (int k = 0; k < 2; k++) {
        pair at = {last[2 * k], last[2 * k + 1]};
        add_powers(&v, k, at - center);
    }
    return v;
}

/* --- two doubles as one number --- */

/* Makes t->scaled_mean the sum rounded to binary64, the rest what is left. */
static void set_mean(struct tally *t, double a, double b)
{
    double sum = a + b, part = sum - a;
    t->scaled_mean = sum;
    t->scaled_rest = (a - (sum - part)) + (b - part);
    t->mean = t->exponent == 0 ? sum : ldexp(sum, t->exponent);
}

/* --- one block --- */

/* Fills the moments; x is scaled already. The powers are of the distance to a
 * mean that was rounded, so they are moved by what it lacks. */
static void fill_moments(struct tally *t, const double *x, size_t n, double sum)
{
    double count = (double)n, pivot = sum / count, r, s2, s3, s4;
    struct powers v = sum_powers(x, n, pivot);
    r = add_pairs(v.p1) / count;
    s2 = add_pairs(v.p2);
    s3 = add_pairs(v.p3);
    s4 = add_pairs(v.p4);
    t->m2 = s2 - r * r * count;
    t->m3 = s3 - 3 * r * s2 + 2 * r * r * r * count;
    t->m4 = s4 - 4 * r * s3 + 6 * r * r * s2 - 3 * r * r * r * r * count;
    t->m2 = t->m2 > 0 ? t->m2 : 0;
    t->m4 = t->m4 > 0 ? t->m4 : 0;
    set_mean(t, pivot, r);
}

/* Powers of two that bring the magnitude to 1, where it would otherwise
 * overflow or vanish when raised to the fourth. */
static int exponent_of(double absmax)
{
    int e;
    if (absmax == 0 || (absmax >= 0x1p-64 && absmax < 0x1p128))
        return 0;
    frexp(absmax, &e);
    return e;
}

/* Takes what is not finite out of x. */
static size_t keep_finite(double *x, size_t n, struct tally *t)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        t->nan += isnan(x[i]) ? 1 : 0;
        t->inf += isinf(x[i]) ? 1 : 0;
        if (isfinite(x[i]))
            x[kept++] = x[i];
    }
    return kept;
}

/* Zeros have no bin, but were counted in those of the least octave. */
static void count_small(struct tally_maker *m, size_t n, uint64_t small,
                        struct tally *t)
{
    uint64_t zeros = 0, negative = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, &m->wide[i], sizeof bits);
        zeros += (bits & ~SIGN) == 0;
        negative += bits == SIGN;
    }
    t->zeros = zeros;
    t->denormal = small - zeros;
    m->counts[0][TALLY_ZERO_SIDE] -= (uint32_t)(zeros - negative);
    m->counts[0][TALLY_ZERO_SIDE - 1] -= (uint32_t)negative;
}

static void find_bins(const double *x, size_t n, uint8_t *bin)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t bits;
        int32_t high, k;
        memcpy(&bits, &x[i], sizeof bits);
        high = (int32_t)(uint32_t)(bits >> 32);
        k = (high >> 20 & 0x7ff) - (1023 + LEAST_OCTAVE);
        k = k < 0 ? 0 : k;
        k = k < OCTAVES ? k : OCTAVES - 1;
        bin[i] = (uint8_t)((k + TALLY_ZERO_SIDE) ^ (high >> 31 & 63));
    }
}

static void count_bins(struct tally_maker *m, size_t n)
{
    size_t i = 0;
    find_bins(m->wide, n, m->bin);
    for (; i + TABLES <= n; i += TABLES)
        for (size_t k = 0; k < TABLES; k++)
            m->counts[k][m->bin[i + k]]++;
    for (; i < n; i++)
        m->counts[0][m->bin[i]]++;
}

/* All figures of n finite values but the bins' sums; sum is that of `wide`. */
static void fill_block(struct tally_maker *m, size_t n, const struct scan *s,
                       struct tally *t)
{
    double sum = s->sum;
    t->finite = n;
    t->min = s->min;
    t->max = s->max;
    count_bins(m, n);
    if (s->small > 0)
        count_small(m, n, s->small, t);
    t->exponent = exponent_of(tally_absmax(t));
    if (t->exponent != 0) {
        for (size_t i = 0; i < n; i++)
            m->wide[i] = ldexp(m->wide[i], -t->exponent);
        sum = scan_block(m->wide, n, 0).sum;
    }
    if (s->min == s->max) /* exactly */
        set_mean(t, m->wide[0] + 0.0, 0);
    else
        fill_moments(t, m->wide, n, sum);
}

static void add_block(struct tally_maker *m, const uint8_t *bytes, size_t n)
{
    struct tally t = {.counted = true, .count = n};
    struct scan s;
    values_load(m->dtype, bytes, n, m->wide);
    s = scan_block(m->wide, n, m->least_normal);
    if (!isfinite(s.sum)) { /* or too large a sum */
        n = keep_finite(m->wide, n, &t);
        s = scan_block(m->wide, n, m->least_normal);
    }
    if (n > 0)
        fill_block(m, n, &s, &t);
    tally_join(&m->unit, &t);
}

/* --- joining --- */

static void scale(struct tally *t, int exponent)
{
    int by = t->exponent - exponent;
    t->exponent = exponent;
    if (by == 0)
        return;
    t->scaled_mean = ldexp(t->scaled_mean, by);
    t->scaled_rest = ldexp(t->scaled_rest, by);
    t->m2 = ldexp(t->m2, 2 * by);
    t->m3 = ldexp(t->m3, 3 * by);
    t->m4 = ldexp(t->m4, 4 * by);
}

/* To the larger exponent of the two; zeros have any. */
static void scale_both(struct tally *a, struct tally *b)
{
    int e = a->exponent > b->exponent ? a->exponent : b->exponent;
    if (tally_absmax(a) == 0)
        e = b->exponent;
    else if (tally_absmax(b) == 0)
        e = a->exponent;
    scale(a, e);
    scale(b, e);
}

/* Chan's and Pebay's formulas: a's moments become those of both. */
static void join_moments(struct tally *a, const struct tally *b)
{
    double na = (double)a->finite, nb = (double)b->finite;
    double p = na / (na + nb), q = nb / (na + nb);
    double d =
        (b->scaled_mean - a->scaled_mean) + (b->scaled_rest - a->scaled_rest);
    double square = d * d, both = na * q;
    double m2 = a->m2 + b->m2 + square * both;
    double m3 = a->m3 + b->m3 + square * d * both * (p - q) +
                3 * d * (p * b->m2 - q * a->m2);
    double m4 = a->m4 + b->m4 +
                square * square * both * (p * p - p * q + q * q) +
                6 * square * (p * p * b->m2 + q * q * a->m2) +
                4 * d * (p * b->m3 - q * a->m3);
    double step = d * q, sum = a->scaled_mean + step;
    double part = sum - a->scaled_mean;
    double lost = (a->scaled_mean - (sum - part)) + (step - part);
    a->m2 = m2;
    a->m3 = m3;
    a->m4 = m4 > 0 ? m4 : 0;
    set_mean(a, sum, lost + a->scaled_rest);
}

static void join_values(struct tally *t, struct tally next)
{
    t->min = next.min < t->min ? next.min : t->min;
    t->max = next.max > t->max ? next.max : t->max;
    join_moments(t, &next);
}

void tally_join(struct tally *t, const struct tally *next)
{
    struct tally sum = *t, other = *next;
    if (t->finite > 0 && next->finite > 0) {
        scale_both(&sum, &other);
        join_values(&sum, other);
    } else if (next->finite > 0) {
        sum = other;
    }
    sum.counted = t->counted || next->counted;
    sum.count = t->count + next->count;
    sum.finite = t->finite + next->finite;
    sum.zeros = t->zeros + next->zeros;
    sum.nan = t->nan + next->nan;
    sum.inf = t->inf + next->inf;
    sum.denormal = t->denormal + next->denormal;
    for (int i = 0; i < TALLY_BINS; i++)
        sum.bins[i] = t->bins[i] + next->bins[i];
    *t = sum;
}

/* --- the stream --- */

bool tally_is_counted(enum ttsb_dtype dtype)
{
    return values_known(dtype);
}

static size_t size_of(enum ttsb_dtype dtype)
{
    switch (dtype) {
    case TTSB_U64:
    case TTSB_I64:
    case TTSB_F64:
        return 8;
    case TTSB_U32:
    case TTSB_I32:
    case TTSB_F32:
        return 4;
    case TTSB_U16:
    case TTSB_I16:
    case TTSB_F16:
    case TTSB_BF16:
        return 2;
    default:
        return 1;
    }
}

/* Elements of so many bytes of a dtype that is not counted. */
static uint64_t elements_of(enum ttsb_dtype dtype, uint64_t bytes)
{
    uint64_t bits = dtype == TTSB_C64 ? 64 : dtype == TTSB_F4 ? 4 : 6;
    return bits == 64 ? bytes / 8 : bytes / bits * 8 + bytes % bits * 8 / bits;
}

struct tally_maker *tally_begin(enum ttsb_dtype dtype)
{
    struct tally_maker *m = malloc(sizeof *m);
    if (m == NULL)
        arena_exhausted();
    m->dtype = dtype;
    m->size = size_of(dtype);
    m->least_normal = values_least_normal(dtype);
    m->total = m->unit = (struct tally){.counted = values_known(dtype)};
    m->blocks = 0;
    m->held_bytes = 0;
    memset(m->counts, 0, sizeof m->counts);
    return m;
}

static void end_unit(struct tally_maker *m)
{
    for (int i = 0; i < TALLY_BINS; i++) {
        uint32_t sum = 0; /* a part may be below zero, modulo 2^32 */
        for (int k = 0; k < TABLES; k++)
            sum += m->counts[k][i];
        m->unit.bins[i] = sum;
    }
    tally_join(&m->total, &m->unit);
    m->unit = (struct tally){.counted = true};
    m->blocks = 0;
    memset(m->counts, 0, sizeof m->counts);
}

static void add_full(struct tally_maker *m, const uint8_t *bytes)
{
    add_block(m, bytes, TALLY_BLOCK);
    if (++m->blocks == TALLY_UNIT / TALLY_BLOCK)
        end_unit(m);
}

void tally_add(struct tally_maker *m, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    size_t block = TALLY_BLOCK * m->size;
    if (!m->total.counted) {
        m->total.count += n; /* bytes, until the end */
        return;
    }
    while (n > 0) {
        size_t k = block - m->held_bytes;
        if (m->held_bytes == 0 && n >= block) {
            add_full(m, p);
        } else {
            k = k < n ? k : n;
            memcpy(m->held + m->held_bytes, p, k);
            m->held_bytes += k;
            if (m->held_bytes == block) {
                add_full(m, m->held);
                m->held_bytes = 0;
            }
        }
        p += k;
        n -= k;
    }
}

struct tally tally_end(struct tally_maker *m)
{
    struct tally t;
    if (!m->total.counted) {
        m->total.count = elements_of(m->dtype, m->total.count);
    } else {
        if (m->held_bytes >= m->size)
            add_block(m, m->held, m->held_bytes / m->size);
        if (m->unit.count > 0)
            end_unit(m);
    }
    t = m->total;
    free(m);
    return t;
}
