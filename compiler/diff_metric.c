/* SPDX-License-Identifier: MIT
 *
 * diff_metric.c - one pass over two blocks.
 *
 * Where the blocks are the same bytes, and hold neither NaN nor infinity, only
 * the norms need a look at the values.
 */
#include "diff_metric.h"

#include <math.h>

#include "size.h"
#include "spec.h"

/* --- values --- */

enum value_kind value_kind(enum ttsb_dtype dtype)
{
    if (spec_dtype_is_float(dtype))
        return VALUE_FLOAT;
    return spec_dtype_is_integer(dtype) || dtype == TTSB_BOOL ? VALUE_INTEGER
                                                              : VALUE_OPAQUE;
}

static bool is_signed(enum ttsb_dtype dtype)
{
    return dtype == TTSB_I8 || dtype == TTSB_I16 || dtype == TTSB_I32 ||
           dtype == TTSB_I64;
}

/* An integer's bits, widened to 64 with its sign. */
static uint64_t load_integer(enum ttsb_dtype dtype, const uint8_t *p)
{
    switch (dtype) {
    case TTSB_I8:
        return (uint64_t)(int64_t)(int8_t)p[0];
    case TTSB_I16:
        return (uint64_t)(int64_t)(int16_t)load_u16(p);
    case TTSB_U16:
        return load_u16(p);
    case TTSB_I32:
        return (uint64_t)(int64_t)(int32_t)load_u32(p);
    case TTSB_U32:
        return load_u32(p);
    case TTSB_I64:
    case TTSB_U64:
        return load_u64(p);
    default: /* U8, BOOL */
        return p[0];
    }
}

/* --- distances --- */

/* Bits of a float in an order that is that of the values; -0 is +0. */
static int64_t in_order(uint64_t bits, unsigned width)
{
    uint64_t sign = UINT64_C(1) << (width - 1);
    int64_t magnitude = (int64_t)(bits & (sign - 1));
    return (bits & sign) != 0 ? -magnitude : magnitude;
}

static uint64_t float_bits(enum ttsb_dtype dtype, const uint8_t *p)
{
    return dtype == TTSB_F64   ? load_u64(p)
           : dtype == TTSB_F32 ? load_u32(p)
                               : load_u16(p);
}

/* The distance of two such numbers of `width` bits. */
static uint64_t bits_between(uint64_t a, uint64_t b, unsigned width)
{
    int64_t x = in_order(a, width), y = in_order(b, width);
    return x > y ? (uint64_t)x - (uint64_t)y : (uint64_t)y - (uint64_t)x;
}

uint64_t ulp_between(enum ttsb_dtype dtype, const void *a, const void *b)
{
    return bits_between(float_bits(dtype, a), float_bits(dtype, b),
                        spec_dtype_bits(dtype));
}

/* |a - b| of two integers, exactly, or UINT64_MAX. */
static uint64_t integer_distance(const struct metric *m, uint64_t a, uint64_t b)
{
    bool x = is_signed(m->a) && (int64_t)a < 0;
    bool y = is_signed(m->b) && (int64_t)b < 0;
    if (x == y) {
        bool more = x ? (int64_t)a > (int64_t)b : a > b;
        return more ? a - b : b - a;
    }
    a = x ? 0 - a : a;
    b = y ? 0 - b : b;
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* |i - d|: zero only if they are the same number. The halves of i are exact,
 * and so is the first difference where d is near. */
static double mixed_distance(enum ttsb_dtype dtype, uint64_t i, double d)
{
    double low = (double)(uint32_t)i;
    double high = is_signed(dtype) ? (double)((int64_t)i >> 32) * 4294967296.0
                                   : (double)(i >> 32) * 4294967296.0;
    return fabs((high - d) + low);
}

/* The float dtype with fewer bits, then with fewer digits. */
static enum ttsb_dtype narrower(enum ttsb_dtype a, enum ttsb_dtype b)
{
    uint32_t x = spec_dtype_bits(a), y = spec_dtype_bits(b);
    if (value_kind(a) != VALUE_FLOAT || value_kind(b) != VALUE_FLOAT)
        return value_kind(a) == VALUE_FLOAT ? a : b;
    return x != y ? (x < y ? a : b) : a == TTSB_BF16 ? a : b;
}

/* --- one pair of elements --- */

/* A block while it is looked at. */
struct slab {
    const uint8_t *a, *b;
    size_t size_a, size_b; /* of an element */
    double x[METRIC_BLOCK], y[METRIC_BLOCK];
    double apart[METRIC_BLOCK]; /* |x - y|; 0 where one is not finite */
};

/* The distance of finite values in m->unit. */
static uint64_t distance_ulp(const struct metric *m, const struct slab *k,
                             size_t i)
{
    struct kernel_range_error lost = {0};
    uint8_t a[8], b[8];
    if (m->a == m->b)
        return bits_between(float_bits(m->a, k->a + i * k->size_a),
                            float_bits(m->b, k->b + i * k->size_b),
                            (unsigned)k->size_a * 8);
    kernel_store_f64(m->unit, &k->x[i], 1, a, &lost);
    kernel_store_f64(m->unit, &k->y[i], 1, b, &lost);
    return lost.count > 0 ? UINT64_MAX : ulp_between(m->unit, a, b);
}

/* |a - b| of finite values; *ulp in m->unit. Both are 0 only for equals. */
static double distance(const struct metric *m, const struct slab *k, size_t i,
                       uint64_t *ulp)
{
    const uint8_t *a = k->a + i * k->size_a, *b = k->b + i * k->size_b;
    enum value_kind x = m->kind_a, y = m->kind_b;
    if (x == VALUE_INTEGER && y == VALUE_INTEGER) {
        *ulp =
            integer_distance(m, load_integer(m->a, a), load_integer(m->b, b));
        return (double)*ulp;
    }
    *ulp = distance_ulp(m, k, i);
    if (x == VALUE_INTEGER)
        return mixed_distance(m->a, load_integer(m->a, a), k->y[i]);
    if (y == VALUE_INTEGER)
        return mixed_distance(m->b, load_integer(m->b, b), k->x[i]);
    return fabs(k->x[i] - k->y[i]);
}

static void note_different(struct metric *m, uint64_t at, bool over)
{
    m->different++;
    if (m->first == METRIC_NOWHERE)
        m->first = at;
    m->over += over;
    if (over && m->first_over == METRIC_NOWHERE)
        m->first_over = at;
}

/* Keeps the values of the first pair that is over, once it was noted. */
static void note_over(struct metric *m, const struct slab *k, size_t i)
{
    if (m->first_over != m->count + i)
        return;
    m->over_values[0] = k->x[i];
    m->over_values[1] = k->y[i];
}

/* Neumaier's sum. */
static void add_abs(struct metric *m, double x)
{
    double sum = m->sum_abs + x;
    m->sum_abs_low +=
        m->sum_abs >= x ? (m->sum_abs - sum) + x : (x - sum) + m->sum_abs;
    m->sum_abs = sum;
}

/* Units are a tolerance if they are given, or if nothing is: with --atol 1e-9
 * an f32 is not equal to all that rounds to the same f16. */
static bool is_within(const struct metric *m, double abs, double larger,
                      uint64_t ulp)
{
    const struct tolerance *t = &m->within;
    bool units = t->ulp > 0 || (t->rtol == 0 && t->atol == 0);
    return abs <= t->rtol * larger || abs <= t->atol ||
           (units && ulp <= t->ulp);
}

static void add_finite(struct metric *m, struct slab *k, size_t i)
{
    uint64_t at = m->count + i, ulp;
    double larger = fmax(fabs(k->x[i]), fabs(k->y[i]));
    double abs = distance(m, k, i, &ulp), rel;
    m->bins[metric_bin(ulp)]++;
    m->finite++;
    k->apart[i] = abs;
    if (abs == 0 && ulp == 0) {
        m->zero_signs += k->x[i] == 0 && signbit(k->x[i]) != signbit(k->y[i]);
        return;
    }
    rel = larger > 0 ? abs / larger : 0;
    add_abs(m, abs);
    note_different(m, at, !is_within(m, abs, larger, ulp));
    note_over(m, k, i);
    if (abs > m->max_abs) {
        m->worst_values[0] = k->x[i];
        m->worst_values[1] = k->y[i];
        m->max_abs = abs;
        m->at_abs = at;
    }
    if (rel > m->max_rel) {
        m->max_rel = rel;
        m->at_rel = at;
    }
    if (ulp > m->max_ulp) {
        m->max_ulp = ulp;
        m->at_ulp = at;
    }
}

/* A pair with NaN or an infinity; it leaves no trace in the sums. */
static void add_nonfinite(struct metric *m, struct slab *k, size_t i)
{
    double x = k->x[i], y = k->y[i];
    bool equal = (isnan(x) && isnan(y)) || x == y;
    m->nan_a += isnan(x) && !isnan(y);
    m->nan_b += isnan(y) && !isnan(x);
    m->nan_both += isnan(x) && isnan(y);
    m->nan_bits +=
        isnan(x) && isnan(y) && m->a == m->b &&
        memcmp(k->a + i * k->size_a, k->b + i * k->size_b, k->size_a) != 0;
    m->inf_a += isinf(x) && isfinite(y);
    m->inf_b += isinf(y) && isfinite(x);
    m->inf_both += isinf(x) && x == y;
    m->inf_signs += isinf(x) && isinf(y) && x != y;
    if (!equal)
        note_different(m, m->count + i, true);
    note_over(m, k, i);
    k->x[i] = k->y[i] = k->apart[i] = 0;
}

/* --- blocks --- */

bool metric_begin(struct metric *m, enum ttsb_dtype a, enum ttsb_dtype b,
                  const struct tolerance *within)
{
    bool known = value_kind(a) != VALUE_OPAQUE && value_kind(b) != VALUE_OPAQUE;
    bool floats = value_kind(a) == VALUE_FLOAT || value_kind(b) == VALUE_FLOAT;
    *m = (struct metric){.within = *within,
                         .a = a,
                         .b = b,
                         .opaque = !known,
                         .first = METRIC_NOWHERE,
                         .first_over = METRIC_NOWHERE};
    m->kind_a = value_kind(a);
    m->kind_b = value_kind(b);
    if (known && floats)
        m->unit = narrower(a, b);
    kernel_sumsq_init(&m->dd);
    kernel_sumsq_init(&m->aa);
    kernel_sumsq_init(&m->bb);
    kernel_sumsq_init(&m->ab);
    return known || a == b;
}

static void add_opaque(struct metric *m, const uint8_t *a, const uint8_t *b,
                       size_t n)
{
    if (memcmp(a, b, n) != 0)
        for (size_t i = 0; i < n; i++)
            if (a[i] != b[i])
                note_different(m, m->count + i, true);
    m->count += n;
}

static bool all_finite(const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

static void add_sums(struct metric *m, const struct slab *k, size_t n)
{
    kernel_dot_add(&m->aa, k->x, k->x, n);
    kernel_dot_add(&m->bb, k->y, k->y, n);
    kernel_dot_add(&m->ab, k->x, k->y, n);
    kernel_dot_add(&m->dd, k->apart, k->apart, n);
}

void metric_add(struct metric *m, const void *a, const void *b, size_t n)
{
    struct slab k;
    if (m->opaque) {
        add_opaque(m, a, b, n);
        return;
    }
    k.a = a;
    k.b = b;
    k.size_a = spec_dtype_bits(m->a) / 8;
    k.size_b = spec_dtype_bits(m->b) / 8;
    values_load(m->a, a, n, k.x);
    values_load(m->b, b, n, k.y);
    if (m->a == m->b && memcmp(a, b, n * k.size_a) == 0 && all_finite(k.x, n)) {
        m->finite += n;
        m->bins[0] += n;
        memset(k.apart, 0, n * sizeof k.apart[0]);
    } else {
        for (size_t i = 0; i < n; i++)
            if (isfinite(k.x[i]) && isfinite(k.y[i]))
                add_finite(m, &k, i);
            else
                add_nonfinite(m, &k, i);
    }
    add_sums(m, &k, n);
    m->count += n;
}

/* --- results --- */

double metric_mean_abs(const struct metric *m)
{
    return (m->sum_abs + m->sum_abs_low) / (double)m->finite;
}

double metric_rmse(const struct metric *m)
{
    return sqrt(kernel_sumsq_done(&m->dd) / (double)m->finite);
}

double metric_cosine(const struct metric *m)
{
    double aa = kernel_sumsq_done(&m->aa), bb = kernel_sumsq_done(&m->bb);
    double ab = kernel_sumsq_done(&m->ab), product = aa * bb;
    if (aa == 0 || bb == 0)
        return NAN;
    if (product > 1e-280 && isfinite(product))
        return ab / sqrt(product);
    return ab / sqrt(aa) / sqrt(bb);
}

bool metric_is_finite(const struct metric *m)
{
    return !m->opaque && m->finite == m->count;
}

unsigned metric_bin(uint64_t ulp)
{
    unsigned bits = 0;
    if (ulp < 2)
        return (unsigned)ulp;
    ulp--; /* 2^k becomes the largest of its bin */
    for (unsigned half = 32; half > 0; half /= 2)
        if (ulp >> half != 0) {
            ulp >>= half;
            bits += half;
        }
    return bits + 2;
}

void metric_bin_range(unsigned bin, uint64_t *least, uint64_t *most)
{
    *least = bin < 2 ? bin : (UINT64_C(1) << (bin - 2)) + 1;
    *most = bin < 2                 ? bin
            : bin < METRIC_BINS - 1 ? UINT64_C(1) << (bin - 1)
                                    : UINT64_MAX;
}
