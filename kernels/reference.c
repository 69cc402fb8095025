/* SPDX-License-Identifier: MIT
 *
 * reference.c - every kernel once more, slowly, from its definition.
 *
 * In:  tensors in memory. Out: the bits that the fast kernels have to give.
 * A float of any format is (-1)^s * m * 2^e with integers m and e; rounding is
 * rint of an exactly scaled number; NaNs are taken apart field by field. It
 * assumes the default rounding direction, nearest even. Invariant: no function
 * of the bodies is used here, so that one mistake cannot hide in both.
 */
#include "reference.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Fields of a binary format: one sign bit, `exponent` bits, `mantissa` bits. */
struct layout {
    int exponent;
    int mantissa;
};

static struct layout layout_of(enum ttsb_dtype dtype)
{
    switch (dtype) {
    case TTSB_F8_E4M3:
        return (struct layout){4, 3};
    case TTSB_F8_E5M2:
        return (struct layout){5, 2};
    case TTSB_F16:
        return (struct layout){5, 10};
    case TTSB_BF16:
        return (struct layout){8, 7};
    case TTSB_F32:
        return (struct layout){8, 23};
    default:
        return (struct layout){11, 52};
    }
}

/* `size` bytes, least significant first. */
static uint64_t get(const void *src, uint64_t i, unsigned size)
{
    const unsigned char *p = (const unsigned char *)src + i * size;
    uint64_t bits = 0;
    for (unsigned b = 0; b < size; b++)
        bits |= (uint64_t)p[b] << (8 * b);
    return bits;
}

static void put(void *dst, uint64_t i, unsigned size, uint64_t bits)
{
    unsigned char *p = (unsigned char *)dst + i * size;
    for (unsigned b = 0; b < size; b++)
        p[b] = (unsigned char)(bits >> (8 * b));
}

static double double_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

static double quiet(double x)
{
    return isnan(x) ? double_of(bits_of(x) | UINT64_C(1) << 51) : x;
}

static double decode(uint64_t bits, struct layout f)
{
    const uint64_t m = bits & ((UINT64_C(1) << f.mantissa) - 1);
    const int all = (1 << f.exponent) - 1;
    const int e = (int)(bits >> f.mantissa) & all;
    const int bias = all >> 1;
    const uint64_t sign = bits >> (f.mantissa + f.exponent) << 63;
    double x;
    if (e == all)
        return quiet(
            double_of(sign | UINT64_C(0x7ff) << 52 | m << (52 - f.mantissa)));
    if (e == 0)
        x = ldexp((double)m, 1 - bias - f.mantissa);
    else
        x = ldexp((double)(m | UINT64_C(1) << f.mantissa),
                  e - bias - f.mantissa);
    return sign != 0 ? -x : x;
}

static uint64_t encode(double x, struct layout f)
{
    const uint64_t sign = bits_of(x) >> 63 << (f.mantissa + f.exponent);
    const uint64_t all = (UINT64_C(1) << f.exponent) - 1;
    const int least = 2 - (1 << (f.exponent - 1));
    const uint64_t payload = bits_of(x) << 12 >> (64 - f.mantissa);
    int e;
    if (isnan(x))
        return sign | all << f.mantissa | payload |
               UINT64_C(1) << (f.mantissa - 1);
    if (isinf(x))
        return sign | all << f.mantissa;
    (void)frexp(x, &e);
    if (x == 0 || e - 1 < least)
        e = least + 1;
    /* |x| in units of the last place, rounded; a normal number's has the
     * hidden bit, and 2^(mantissa + 1) carries into the exponent. */
    const double units = rint(ldexp(fabs(x), f.mantissa + 1 - e));
    const uint64_t code =
        ((uint64_t)(e - 1 - least) << f.mantissa) + (uint64_t)units;
    const uint64_t infinity = all << f.mantissa;
    return sign | (code < infinity ? code : infinity);
}

static unsigned size_of(enum ttsb_dtype dtype)
{
    switch (dtype) {
    case TTSB_F16:
    case TTSB_BF16:
    case TTSB_U16:
    case TTSB_I16:
        return 2;
    case TTSB_F32:
    case TTSB_U32:
    case TTSB_I32:
        return 4;
    case TTSB_F64:
    case TTSB_C64:
    case TTSB_U64:
    case TTSB_I64:
        return 8;
    default:
        return 1;
    }
}

void reference_load_f64(enum ttsb_dtype dtype, const void *src, uint64_t n,
                        double *dst)
{
    for (uint64_t i = 0; i < n; i++)
        dst[i] = decode(get(src, i, size_of(dtype)), layout_of(dtype));
}

static void complain(struct kernel_range_error *err, uint64_t i, double value)
{
    if (err->count == 0) {
        err->first = i;
        err->value = value;
    }
    err->count++;
}

void reference_store_f64(enum ttsb_dtype dtype, const double *src, uint64_t n,
                         void *dst, struct kernel_range_error *err)
{
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t code = encode(src[i], layout_of(dtype));
        put(dst, i, size_of(dtype), code);
        if (isfinite(src[i]) && isinf(decode(code, layout_of(dtype))))
            complain(err, i, src[i]);
    }
    err->seen += n;
}

/* An integer's value modulo 2^64; with its sign that is the value. */
static uint64_t integer_value(enum ttsb_dtype dtype, uint64_t bits)
{
    switch (dtype) {
    case TTSB_I8:
        return (uint64_t)(int8_t)bits;
    case TTSB_I16:
        return (uint64_t)(int16_t)bits;
    case TTSB_I32:
        return (uint64_t)(int32_t)bits;
    default:
        return bits;
    }
}

static bool integer_negative(enum ttsb_dtype dtype, uint64_t value)
{
    return dtype % 2 != 0 && (int64_t)value < 0;
}

static void cast_integers(struct kernel_cast pair, const void *src, uint64_t n,
                          void *dst, struct kernel_range_error *err)
{
    static_assert(TTSB_I8 % 2 != 0 && TTSB_U8 % 2 == 0, "signed codes are odd");
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t bits = get(src, i, size_of(pair.from));
        const uint64_t value = integer_value(pair.from, bits);
        const bool negative = integer_negative(pair.from, value);
        put(dst, i, size_of(pair.to), value);
        const uint64_t back =
            integer_value(pair.to, get(dst, i, size_of(pair.to)));
        if (back != value || integer_negative(pair.to, back) != negative)
            complain(err, i, negative ? (double)(int64_t)value : (double)value);
    }
    err->seen += n;
}

void reference_cast(struct kernel_cast pair, const void *src, uint64_t n,
                    void *dst, struct kernel_range_error *err)
{
    for (uint64_t i = 0; pair.from == pair.to && i < n; i++)
        put(dst, i, size_of(pair.to), get(src, i, size_of(pair.from)));
    if (pair.from == pair.to) {
        err->seen += n;
        return;
    }
    if (pair.from < TTSB_F16) {
        cast_integers(pair, src, n, dst, err);
        return;
    }
    for (uint64_t i = 0; i < n; i++) {
        struct kernel_range_error one = {0, 0, 0, 0};
        double x;
        reference_load_f64(pair.from,
                           (const unsigned char *)src + i * size_of(pair.from),
                           1, &x);
        reference_store_f64(pair.to, &x, 1,
                            (unsigned char *)dst + i * size_of(pair.to), &one);
        if (one.count > 0)
            complain(err, i, x);
    }
    err->seen += n;
}

static bool is_finite_code(enum ttsb_dtype dtype, uint64_t bits)
{
    if (dtype == TTSB_F8_E4M3)
        return (bits & 0x7f) != 0x7f;
    if (dtype == TTSB_C64)
        return is_finite_code(TTSB_F32, bits & UINT32_MAX) &&
               is_finite_code(TTSB_F32, bits >> 32);
    if ((dtype >= TTSB_F16 && dtype <= TTSB_F64) || dtype == TTSB_F8_E5M2)
        return isfinite(decode(bits, layout_of(dtype)));
    return true;
}

void reference_scan_nonfinite(enum ttsb_dtype dtype, const void *src,
                              uint64_t n, struct kernel_nonfinite *found)
{
    for (uint64_t i = 0; i < n; i++) {
        if (is_finite_code(dtype, get(src, i, size_of(dtype))))
            continue;
        if (found->count == 0)
            found->first = i;
        found->count++;
    }
    found->seen += n;
}

void reference_permute(const struct kernel_permute *p, const void *src,
                       void *dst)
{
    uint64_t count = 1;
    for (uint32_t a = 0; a < p->rank; a++)
        count *= p->out_dims[a];
    for (uint64_t i = 0; i < count; i++) {
        uint64_t rest = i;
        uint64_t from = 0;
        for (uint32_t a = p->rank; a > 0; a--) {
            from += rest % p->out_dims[a - 1] * p->in_strides[a - 1];
            rest /= p->out_dims[a - 1];
        }
        put(dst, i, p->element_size, get(src, from, p->element_size));
    }
}

/* x[0] * y[0] + x[step] * y[step] + ..., n products. */
static double sum_products(const double *x, const double *y, uint64_t n,
                           uint64_t step)
{
    double total = 0.0;
    for (uint64_t block = 0; block < n; block += 4096) {
        double l[8] = {0.0};
        for (uint64_t i = block; i < n && i < block + 4096; i++)
            l[i % 8] += x[i * step] * y[i * step];
        total +=
            ((l[0] + l[1]) + (l[2] + l[3])) + ((l[4] + l[5]) + (l[6] + l[7]));
    }
    return isnan(total) ? double_of(UINT64_C(0x7ff8) << 48) : total;
}

double reference_sumsq(const double *x, uint64_t n, uint64_t step)
{
    return sum_products(x, x, n, step);
}

double reference_dot(const double *x, const double *y, uint64_t n)
{
    return sum_products(x, y, n, 1);
}

/* What the processor may not choose: which NaN a and b make. */
static double which_nan(double a, double b)
{
    if (isnan(a))
        return quiet(a);
    if (isnan(b))
        return quiet(b);
    return double_of(UINT64_C(0x7ff8) << 48);
}

bool reference_weight_norm_scale(double g, double sumsq, double *scale)
{
    const double norm = sqrt(sumsq);
    *scale = 0.0;
    if (norm == 0.0 || isinf(norm))
        return false;
    *scale = g / norm;
    if (isnan(*scale))
        *scale = which_nan(g, norm);
    return true;
}

void reference_scale_keep(double *x, uint64_t outer, uint64_t keep,
                          uint64_t inner, const double *scale)
{
    for (uint64_t i = 0; i < outer * keep * inner; i++) {
        const double s = scale[i / inner % keep];
        const double product = x[i] * s;
        x[i] = isnan(product) ? which_nan(x[i], s) : product;
    }
}

static double exp_of(double x)
{
    if (isnan(x))
        return quiet(x);
    if (x > 710.0)
        return (double)INFINITY;
    if (x < -746.0)
        return 0.0;
    /* The two parts of ln 2 have 42 and 53 bits. */
    const double k = rint(x * (1.0 / 0.693147180559945309417232));
    const double high = x - k * ldexp(3048493539143.0, -42);
    const double low = k * 0x1.ef35793c7673p-45;
    const double r = high - low;
    double factorial = 1.0;
    for (int i = 2; i <= 14; i++)
        factorial *= i;
    double sum = 1.0 / factorial;
    for (int i = 14; i > 2; i--) {
        factorial /= i;
        sum = sum * r + 1.0 / factorial;
    }
    const double head = 1.0 + r;
    const double lost = (r - (head - 1.0)) + ((high - r) - low) * head;
    return ldexp(head + (r * r * sum + lost), (int)k);
}

void reference_exp(const double *src, uint64_t n, double *dst)
{
    for (uint64_t i = 0; i < n; i++)
        dst[i] = exp_of(src[i]);
}

static double combined(enum kernel_binary op, double a, double b)
{
    double r = a / b;
    if (op == KERNEL_ADD)
        r = a + b;
    else if (op == KERNEL_SUB)
        r = a - b;
    else if (op == KERNEL_MUL)
        r = a * b;
    return isnan(r) ? which_nan(a, b) : r;
}

static double larger(double x, double q)
{
    if (isnan(x) || isnan(q))
        return which_nan(x, q);
    if (x == 0 && q == 0)
        return signbit(x) && signbit(q) ? -0.0 : 0.0;
    return fmax(x, q);
}

static double mapped(const struct kernel_map *m, double x)
{
    switch (m->op) {
    case KERNEL_EXP:
        return exp_of(x);
    case KERNEL_RECIPROCAL:
        return combined(KERNEL_DIV, 1.0, x);
    case KERNEL_SQRT:
        return isnan(x) || x < 0 ? which_nan(x, x) : sqrt(x);
    case KERNEL_SCALE:
        return combined(KERNEL_MUL, x, m->q);
    case KERNEL_OFFSET:
        return combined(KERNEL_ADD, x, m->q);
    default:
        return larger(x, m->q);
    }
}

void reference_map(const struct kernel_map *m, const double *src, uint64_t n,
                   double *dst)
{
    for (uint64_t i = 0; i < n; i++)
        dst[i] = mapped(m, src[i]);
}

void reference_combine(enum kernel_binary op, const double *a, const double *b,
                       uint64_t n, double *dst)
{
    for (uint64_t i = 0; i < n; i++)
        dst[i] = combined(op, a[i], b[i]);
}

void reference_combine_keep(enum kernel_binary op, double *x, uint64_t outer,
                            uint64_t keep, uint64_t inner, const double *y)
{
    for (uint64_t i = 0; i < outer * keep * inner; i++)
        x[i] = combined(op, x[i], y[i / inner % keep]);
}
