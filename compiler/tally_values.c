/* SPDX-License-Identifier: MIT
 *
 * tally_values.c - one loop for each dtype.
 */
#include "tally_values.h"

#include <math.h>
#include <string.h>

#include "body_cast.h"
#include "kernels.h"

/* An 8-bit float: sign, exponent, mantissa. */
struct f8 {
    int mantissa; /* bits */
    int bias;
    bool ieee; /* the last exponent has Inf and NaN */
    bool fnuz; /* 0x80 is the only NaN; else, if not ieee, 0x7F and 0xFF are */
};

static bool is_f8(enum ttsb_dtype dtype)
{
    return dtype >= TTSB_F8_E4M3 && dtype <= TTSB_F8_E5M2FNUZ;
}

static struct f8 f8_of(enum ttsb_dtype dtype)
{
    switch (dtype) {
    case TTSB_F8_E4M3:
        return (struct f8){3, 7, false, false};
    case TTSB_F8_E5M2:
        return (struct f8){2, 15, true, false};
    case TTSB_F8_E4M3FNUZ:
        return (struct f8){3, 8, false, true};
    default:
        return (struct f8){2, 16, false, true};
    }
}

static double f8_value(struct f8 f, unsigned bits)
{
    unsigned one = 1U << f.mantissa, low = bits & (one - 1);
    unsigned exponent = (bits & 0x7f) >> f.mantissa;
    unsigned last = 0x7fU >> f.mantissa;
    double sign = bits >= 0x80 ? -1 : 1;
    if (f.fnuz ? bits == 0x80 : !f.ieee && (bits & 0x7f) == 0x7f)
        return NAN;
    if (f.ieee && exponent == last)
        return low == 0 ? sign * INFINITY : NAN;
    if (exponent == 0)
        return sign * ldexp(low, 1 - f.bias - f.mantissa);
    return sign * ldexp(low + one, (int)exponent - f.bias - f.mantissa);
}

static void load_f8(enum ttsb_dtype dtype, const uint8_t *src, size_t n,
                    double *dst)
{
    double table[256];
    for (unsigned i = 0; i < 256; i++)
        table[i] = dtype != TTSB_F8_E8M0 ? f8_value(f8_of(dtype), i)
                   : i == 255            ? NAN
                                         : ldexp(1, (int)i - 127);
    for (size_t i = 0; i < n; i++)
        dst[i] = table[src[i]];
}

static void load_bytes(enum ttsb_dtype dtype, const uint8_t *src, size_t n,
                       double *dst)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = dtype == TTSB_BOOL ? src[i] != 0
                 : dtype == TTSB_U8 ? src[i]
                                    : (int8_t)src[i];
}

/* Whether a NaN keeps its payload does not matter here, which is what makes
 * these faster than kernel_load_f64. */
static void load_f32(const uint8_t *src, size_t n, double *dst)
{
    for (size_t i = 0; i < n; i++) {
        float v;
        memcpy(&v, src + 4 * i, sizeof v);
        dst[i] = (double)v;
    }
}

static void load_f16(const uint8_t *src, size_t n, double *dst)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = body_widen_f16(body_u16(src, i));
        float v;
        memcpy(&v, &bits, sizeof v);
        dst[i] = (double)v;
    }
}

static void load_bf16(const uint8_t *src, size_t n, double *dst)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)body_u16(src, i) << 16;
        float v;
        memcpy(&v, &bits, sizeof v);
        dst[i] = (double)v;
    }
}

static void load_16(bool is_signed, const uint8_t *src, size_t n, double *dst)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t v;
        memcpy(&v, src + 2 * i, sizeof v);
        dst[i] = is_signed ? (int16_t)v : v;
    }
}

static void load_32(bool is_signed, const uint8_t *src, size_t n, double *dst)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t v;
        memcpy(&v, src + 4 * i, sizeof v);
        dst[i] = is_signed ? (double)(int32_t)v : (double)v;
    }
}

static void load_64(bool is_signed, const uint8_t *src, size_t n, double *dst)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t v;
        memcpy(&v, src + 8 * i, sizeof v);
        dst[i] = is_signed ? (double)(int64_t)v : (double)v;
    }
}

bool values_known(enum ttsb_dtype dtype)
{
    return (dtype >= TTSB_BOOL && dtype <= TTSB_F64) || is_f8(dtype);
}

bool values_load(enum ttsb_dtype dtype, const void *src, size_t n, double *dst)
{
    if (dtype == TTSB_F64)
        return kernel_load_f64(dtype, src, n, dst);
    if (dtype == TTSB_F32)
        load_f32(src, n, dst);
    else if (dtype == TTSB_F16)
        load_f16(src, n, dst);
    else if (dtype == TTSB_BF16)
        load_bf16(src, n, dst);
    else if (is_f8(dtype))
        load_f8(dtype, src, n, dst);
    else if (dtype >= TTSB_BOOL && dtype <= TTSB_I8)
        load_bytes(dtype, src, n, dst);
    else if (dtype == TTSB_U16 || dtype == TTSB_I16)
        load_16(dtype == TTSB_I16, src, n, dst);
    else if (dtype == TTSB_U32 || dtype == TTSB_I32)
        load_32(dtype == TTSB_I32, src, n, dst);
    else if (dtype == TTSB_U64 || dtype == TTSB_I64)
        load_64(dtype == TTSB_I64, src, n, dst);
    else
        return false;
    return true;
}

double values_least_normal(enum ttsb_dtype dtype)
{
    switch (dtype) {
    case TTSB_F16:
        return 0x1p-14;
    case TTSB_BF16:
    case TTSB_F32:
        return 0x1p-126;
    case TTSB_F64:
        return 0x1p-1022;
    case TTSB_F8_E8M0:
        return 0x1p-127; /* it has no other */
    default:
        return is_f8(dtype) ? ldexp(1, 1 - f8_of(dtype).bias) : 1;
    }
}
