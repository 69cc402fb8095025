/* SPDX-License-Identifier: MIT
 *
 * body_exp.h - e to the x, within 1 ulp, the same bits everywhere.
 *
 * In:  any binary64. Out: exp(x). Libraries' exp differ from each other and
 * from version to version; this one is additions, multiplications and selects
 * in one order, so it cannot. x = k ln 2 + r with |r| <= ln 2 / 2; e^r is its
 * Taylor sum to r^14, whose remainder is below 2^-63; e^x = 2^k e^r.
 * Invariant: every step but the small corrections is exact, and they are added
 * to the large part last, by one rounding; the measured worst error is in
 * README.md.
 */
#ifndef TTSW_BODY_EXP_H
#define TTSW_BODY_EXP_H

#include "hd.h"

/* 1.5 * 2^52: adding it rounds to an integer, which is then the low bits. */
#define BODY_EXP_ROUND 0x1.8p52

#define BODY_EXP_INV_LN2 0x1.71547652b82fep+0
/* ln 2 in two parts. The high one has 42 bits, so that its product with a k
 * of 11 bits is exact. */
#define BODY_EXP_LN2_HIGH 0x1.62e42fefa3800p-1
#define BODY_EXP_LN2_LOW 0x1.ef35793c76730p-45

/* e^r = 1 + r + r^2 q(r): the sum q of r^n / (n + 2)!. The factorials are
 * exact in binary64, so each coefficient is rounded once, by the compiler. */
TTSW_HD double body_exp_tail(double r)
{
    double q = 1.0 / 87178291200.0;
    q = q * r + 1.0 / 6227020800.0;
    q = q * r + 1.0 / 479001600.0;
    q = q * r + 1.0 / 39916800.0;
    q = q * r + 1.0 / 3628800.0;
    q = q * r + 1.0 / 362880.0;
    q = q * r + 1.0 / 40320.0;
    q = q * r + 1.0 / 5040.0;
    q = q * r + 1.0 / 720.0;
    q = q * r + 1.0 / 120.0;
    q = q * r + 1.0 / 24.0;
    q = q * r + 1.0 / 6.0;
    return q * r + 1.0 / 2.0;
}

/* y * 2^k, k from -1077 to 1025, as two exact powers: only the second product
 * can round, and only where the result is subnormal or infinite. `k` is the
 * low bits of k + BODY_EXP_ROUND; 2048 makes both halves positive. */
TTSW_HD double body_exp_scale(double y, uint64_t k)
{
    const uint64_t sum = k - hd_bits(BODY_EXP_ROUND) + 2048;
    const uint64_t half = sum >> 1;
    const double first = hd_double((half - 1) << 52);
    const double second = hd_double((sum - half - 1) << 52);
    return y * first * second;
}

TTSW_HD double body_exp(double x)
{
    /* Beyond these the result is 0 or infinite, and comes out as that. */
    const double above = x > -746.0 ? x : -746.0;
    const double a = above < 710.0 ? above : 710.0;
    const double shifted = a * BODY_EXP_INV_LN2 + BODY_EXP_ROUND;
    const double k = shifted - BODY_EXP_ROUND;
    const double high = a - k * BODY_EXP_LN2_HIGH;
    const double low = k * BODY_EXP_LN2_LOW;
    const double r = high - low;
    const double r_error = (high - r) - low;
    const double head = 1.0 + r;
    const double head_error = r - (head - 1.0);
    /* e^(r + r_error) is e^r + r_error * e^r, and head is near enough to e^r
     * for an error below 2^-53 of r. */
    const double correction = head_error + r_error * head;
    const double y = head + (r * r * body_exp_tail(r) + correction);
    const double result = body_exp_scale(y, hd_bits(shifted));
    return x == x ? result : hd_quiet(x);
}

#endif
