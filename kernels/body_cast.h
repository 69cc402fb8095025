/* SPDX-License-Identifier: MIT
 *
 * body_cast.h - one element from one dtype to another.
 *
 * In:  a buffer, a dtype, an index; or a value. Out: a value; or an element and
 * whether the value fitted. Floats travel as binary64, which holds every F16,
 * BF16 and F32 exactly, so that only the store rounds; from F32 to F16 and BF16
 * there is a shorter way to the same bits. Invariant: a store is one rounding
 * to nearest even of the binary64 value, subnormals included, and no NaN's
 * bits are left to the processor. Everything is selects and no
 * branches once the dtype is known, so that loops over it become vector code.
 * Elements are read and written bytewise: a checkpoint aligns nothing.
 */
#ifndef TTSW_BODY_CAST_H
#define TTSW_BODY_CAST_H

#include "hd.h"
#include "ttsb_types.h"

TTSW_HD bool body_is_float(enum ttsb_dtype dtype)
{
    return dtype >= TTSB_F16 && dtype <= TTSB_F64;
}

TTSW_HD bool body_is_integer(enum ttsb_dtype dtype)
{
    return dtype >= TTSB_U8 && dtype <= TTSB_I64;
}

/* Bits of an element; 0 for what is no dtype. */
TTSW_HD unsigned body_dtype_bits(enum ttsb_dtype dtype)
{
    switch (dtype) {
    case TTSB_U64:
    case TTSB_I64:
    case TTSB_F64:
    case TTSB_C64:
        return 64;
    case TTSB_U32:
    case TTSB_I32:
    case TTSB_F32:
        return 32;
    case TTSB_U16:
    case TTSB_I16:
    case TTSB_F16:
    case TTSB_BF16:
        return 16;
    case TTSB_F6_E2M3:
    case TTSB_F6_E3M2:
        return 6;
    case TTSB_F4:
        return 4;
    default:
        return dtype >= TTSB_BOOL && dtype < TTSB_DTYPE_COUNT ? 8 : 0;
    }
}

TTSW_HD uint16_t body_u16(const void *src, uint64_t i)
{
    uint16_t v;
    memcpy(&v, (const unsigned char *)src + 2 * i, sizeof(v));
    return v;
}

TTSW_HD uint32_t body_u32(const void *src, uint64_t i)
{
    uint32_t v;
    memcpy(&v, (const unsigned char *)src + 4 * i, sizeof(v));
    return v;
}

TTSW_HD uint64_t body_u64(const void *src, uint64_t i)
{
    uint64_t v;
    memcpy(&v, (const unsigned char *)src + 8 * i, sizeof(v));
    return v;
}

/* An F32's bits to its value. */
TTSW_HD double body_widen_f32(uint32_t bits)
{
    const uint64_t sign = (uint64_t)(bits >> 31) << 63;
    const uint64_t payload = (uint64_t)(bits & 0x7fffff) << 29;
    float f;
    memcpy(&f, &bits, sizeof(f));
    return f == f ? (double)f : hd_double(sign | HD_NAN | payload);
}

/* An F16's bits to the F32 of the same value; a NaN's payload moves up. */
TTSW_HD uint32_t body_widen_f16(uint16_t bits)
{
    const uint32_t sign = (uint32_t)(bits >> 15) << 31;
    const uint32_t magnitude = bits & 0x7fff;
    const uint32_t normal = (magnitude << 13) + ((127U - 15U) << 23);
    const uint32_t special = (magnitude << 13) | 0x7f800000;
    const float tiny = (float)(int32_t)magnitude * 0x1p-24F;
    uint32_t subnormal;
    memcpy(&subnormal, &tiny, sizeof(subnormal));
    const uint32_t finite = magnitude < 0x400 ? subnormal : normal;
    return sign | (magnitude < 0x7c00 ? finite : special);
}

/* Element i of a float buffer. */
TTSW_HD double body_load(enum ttsb_dtype dtype, const void *src, uint64_t i)
{
    switch (dtype) {
    case TTSB_F16:
        return body_widen_f32(body_widen_f16(body_u16(src, i)));
    case TTSB_BF16:
        return body_widen_f32((uint32_t)body_u16(src, i) << 16);
    case TTSB_F32:
        return body_widen_f32(body_u32(src, i));
    default:
        return hd_quiet(hd_double(body_u64(src, i)));
    }
}

/* A binary format below binary64: the bits of its mantissa, without the hidden
 * one, and the exponent of its least normal number, which gives all others. */
struct body_format {
    unsigned mantissa;
    int least;
};

TTSW_HD struct body_format body_format_of(enum ttsb_dtype dtype)
{
    struct body_format f = {23, -126};
    if (dtype == TTSB_F16) {
        f.mantissa = 10;
        f.least = -14;
    } else if (dtype == TTSB_BF16) {
        f.mantissa = 7;
    }
    return f;
}

/* Whether a finite x rounds to infinity: it is not below the middle between
 * the largest number and the next power of two, which is even. */
TTSW_HD bool body_overflows(double x, struct body_format f)
{
    const double a = hd_double(hd_bits(x) & ~HD_SIGN);
    const double half = hd_power(-f.least - (int)f.mantissa);
    const double limit = hd_power(2 - f.least) - half;
    return (a >= limit) & (a < hd_double(HD_INFINITY));
}

/* x rounded once. Let p be the power of two at or below |x|, not below the
 * least normal and not above the first power that is out of range. The
 * format's numbers near |x| are the multiples of q = p / 2^mantissa. Adding
 * c = q * 2^52 makes q the unit in the last place of the sum: the addition
 * itself rounds |x| to a multiple of q, to nearest even, and the sum's low
 * bits count the q's. The count's hidden bit and its carry step the exponent;
 * out of range, p alone yields infinity's code. */
TTSW_HD uint32_t body_narrow(double x, struct body_format f)
{
    const unsigned drop = 52 - f.mantissa;
    const uint64_t one = UINT64_C(1) << f.mantissa;
    const uint64_t infinity = (uint64_t)(3 - 2 * f.least) << f.mantissa;
    const uint64_t bits = hd_bits(x);
    const uint64_t sign = (0 - (bits >> 63)) & (infinity + one);
    const double least = hd_power(f.least);
    const double top = hd_power(2 - f.least);
    const double magnitude = hd_double(bits & ~HD_SIGN);
    const double a = magnitude < top ? magnitude : top;
    const double power = hd_double(hd_bits(a) & HD_INFINITY);
    const double p = power > least ? power : least;
    const double c = p * hd_power((int)drop);
    const uint64_t steps = (hd_bits(p) - hd_bits(least)) >> drop;
    const uint64_t number = steps + (hd_bits(a + c) - hd_bits(c));
    const uint64_t nan = infinity | one >> 1 | ((bits >> drop) & (one - 1));
    return (uint32_t)(sign | (x == x ? number : nan));
}

/* body_narrow of an F32's value to F16, from its bits. The same sum: binary32
 * holds every c that it needs. Signed, since SSE2 compares no other integers,
 * and the sum is in no branch of a select, so that it stays vector code. */
TTSW_HD uint32_t body_narrow_f32_to_f16(uint32_t bits)
{
    const int32_t least = (127 - 14) << 23;
    const int32_t top = (127 + 16) << 23;
    const int32_t magnitude = (int32_t)(bits & 0x7fffffff);
    const int32_t a = magnitude < top ? magnitude : top;
    const int32_t power = a & 0x7f800000;
    const int32_t p = power > least ? power : least;
    const int32_t c = p + (13 << 23);
    const float sum = hd_float((uint32_t)a) + hd_float((uint32_t)c);
    const int32_t number = ((p - least) >> 13) + ((int32_t)hd_word(sum) - c);
    const int32_t nan = 0x200 | (magnitude >> 13 & 0x3ff);
    const int32_t more = magnitude > 0x7f800000 ? nan : 0;
    return (bits >> 16 & 0x8000) | (uint32_t)(number | more);
}

/* The same to BF16, whose numbers are the upper halves of F32's: a carry out
 * of the mantissa steps the exponent, past the last one it makes infinity. */
TTSW_HD uint32_t body_narrow_f32_to_bf16(uint32_t bits)
{
    const uint32_t number = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    const uint32_t nan = bits >> 16 | 0x40;
    return (int32_t)(bits & 0x7fffffff) > 0x7f800000 ? nan : number;
}

/* An F32's code in F16 or BF16. */
TTSW_HD uint32_t body_narrow_f32(enum ttsb_dtype dtype, uint32_t bits)
{
    return dtype == TTSB_F16 ? body_narrow_f32_to_f16(bits)
                             : body_narrow_f32_to_bf16(bits);
}

/* Whether an F32 has no finite number in F16 or BF16: its magnitude is 65520,
 * or 2^128 - 2^119, or above, or it is no finite number itself. */
TTSW_HD bool body_beyond_f32(enum ttsb_dtype dtype, uint32_t bits)
{
    const int32_t limit = dtype == TTSB_F16 ? 0x477ff000 : 0x7f7f8000;
    return (int32_t)(bits & 0x7fffffff) >= limit;
}

/* body_narrow to F32: a conversion is that rounding, in one instruction. */
TTSW_HD uint32_t body_narrow_to_f32(double x)
{
    const bool number = x == x;
    const uint64_t bits = hd_bits(x);
    const double y = hd_double(number ? bits : 0);
    const uint32_t nan = (uint32_t)(bits >> 32 & 0x80000000) | 0x7fc00000 |
                         (uint32_t)(bits >> 29 & 0x3fffff);
    return hd_word((float)y) | (number ? 0 : nan);
}

/* Writes x to element i of a float buffer. */
TTSW_HD void body_store(enum ttsb_dtype dtype, double x, void *dst, uint64_t i)
{
    unsigned char *bytes = (unsigned char *)dst;
    if (dtype == TTSB_F64) {
        const uint64_t wide = hd_bits(hd_quiet(x));
        memcpy(bytes + 8 * i, &wide, sizeof(wide));
    } else if (dtype == TTSB_F32) {
        const uint32_t word = body_narrow_to_f32(x);
        memcpy(bytes + 4 * i, &word, sizeof(word));
    } else {
        const uint16_t half = (uint16_t)body_narrow(x, body_format_of(dtype));
        memcpy(bytes + 2 * i, &half, sizeof(half));
    }
}

/* An integer of any dtype: two's complement in 64 bits, and which half of the
 * values those bits mean. */
struct body_integer {
    uint64_t bits;
    bool negative;
};

TTSW_HD bool body_is_signed(enum ttsb_dtype dtype)
{
    return dtype == TTSB_I8 || dtype == TTSB_I16 || dtype == TTSB_I32 ||
           dtype == TTSB_I64;
}

/* Element i of an integer buffer. */
TTSW_HD struct body_integer body_load_integer(enum ttsb_dtype dtype,
                                              const void *src, uint64_t i)
{
    const unsigned width = body_dtype_bits(dtype);
    const unsigned char *bytes = (const unsigned char *)src + width / 8 * i;
    struct body_integer v = {0, false};
    for (unsigned b = 0; b < width; b += 8)
        v.bits |= (uint64_t)bytes[b / 8] << b;
    v.negative = body_is_signed(dtype) && (v.bits >> (width - 1) & 1) != 0;
    if (v.negative && width < 64)
        v.bits |= ~UINT64_C(0) << width;
    return v;
}

TTSW_HD double body_integer_value(struct body_integer v)
{
    return v.negative ? -(double)(0 - v.bits) : (double)v.bits;
}

TTSW_HD bool body_integer_fits(enum ttsb_dtype dtype, struct body_integer v)
{
    const unsigned width = body_dtype_bits(dtype);
    const bool is_signed = body_is_signed(dtype);
    const uint64_t max = ~UINT64_C(0) >> (64 - width) >> (is_signed ? 1 : 0);
    return v.negative ? is_signed && ~v.bits <= max : v.bits <= max;
}

TTSW_HD void body_store_integer(enum ttsb_dtype dtype, struct body_integer v,
                                void *dst, uint64_t i)
{
    const unsigned width = body_dtype_bits(dtype);
    unsigned char *bytes = (unsigned char *)dst + width / 8 * i;
    for (unsigned b = 0; b < width; b += 8)
        bytes[b / 8] = (unsigned char)(v.bits >> b);
}

/* The exponent's bits, which a NaN or an infinity has all set; E4M3 has no
 * infinity, and its NaN is all ones. 0 for a dtype with neither. C64's mask is
 * that of one half. */
TTSW_HD uint64_t body_nonfinite_mask(enum ttsb_dtype dtype)
{
    switch (dtype) {
    case TTSB_F16:
        return 0x7c00;
    case TTSB_BF16:
        return 0x7f80;
    case TTSB_F32:
    case TTSB_C64:
        return 0x7f800000;
    case TTSB_F64:
        return HD_INFINITY;
    case TTSB_F8_E4M3:
        return 0x7f;
    case TTSB_F8_E5M2:
        return 0x7c;
    default:
        return 0;
    }
}

/* Whether element i is NaN or infinite; the dtype has a mask. */
TTSW_HD bool body_nonfinite(enum ttsb_dtype dtype, const void *src, uint64_t i)
{
    const uint64_t mask = body_nonfinite_mask(dtype);
    uint64_t bits = 0;
    if (dtype == TTSB_C64) {
        bits = body_u64(src, i);
        return ((bits & mask) == mask) | ((bits >> 32 & mask) == mask);
    }
    if (dtype == TTSB_F64)
        bits = body_u64(src, i);
    else if (dtype == TTSB_F32)
        bits = body_u32(src, i);
    else if (dtype == TTSB_F16 || dtype == TTSB_BF16)
        bits = body_u16(src, i);
    else
        bits = ((const unsigned char *)src)[i];
    return (bits & mask) == mask;
}

#endif
