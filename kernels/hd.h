/* SPDX-License-Identifier: MIT
 *
 * hd.h - what lets one body serve the host and a device.
 *
 * In:  nothing. Out: TTSW_HD, which every body function begins with; the bits
 * of a number and back; sqrt, the only library call a body makes, which
 * IEEE 754 rounds correctly on both sides. Invariant: a binary64 expression is
 * computed in binary64, not wider, and, by the build's flags
 * (-ffp-contract=off,
 * --fmad=false), not contracted.
 */
#ifndef TTSW_HD_H
#define TTSW_HD_H

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#define TTSW_HD static __host__ __device__ inline
#else
#define TTSW_HD static inline
static_assert(FLT_EVAL_METHOD == 0, "binary64 must be computed as binary64");
#endif

#define HD_SIGN UINT64_C(0x8000000000000000)
#define HD_INFINITY UINT64_C(0x7ff0000000000000)
#define HD_QUIET UINT64_C(0x0008000000000000)
#define HD_NAN UINT64_C(0x7ff8000000000000)

TTSW_HD uint64_t hd_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

TTSW_HD double hd_double(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

TTSW_HD uint32_t hd_word(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

TTSW_HD float hd_float(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* 2 to the e, e from -1022 to 1023. */
TTSW_HD double hd_power(int e)
{
    return hd_double((uint64_t)(e + 1023) << 52);
}

/* x, and a NaN made quiet: on bits, because processors disagree. */
TTSW_HD double hd_quiet(double x)
{
    return x == x ? x : hd_double(hd_bits(x) | HD_QUIET);
}

/* r, the result of an operation on a and b. Which NaN comes out of an
 * operation is the processor's choice, so it is made here: a's, then b's, then
 * the one without sign and payload. */
TTSW_HD double hd_settle(double r, double a, double b)
{
    const double fresh = b == b ? hd_double(HD_NAN) : hd_quiet(b);
    const double nan = a == a ? fresh : hd_quiet(a);
    return r == r ? r : nan;
}

TTSW_HD double hd_sqrt(double x)
{
    return sqrt(x);
}

#endif
