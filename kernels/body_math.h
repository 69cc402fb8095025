/* SPDX-License-Identifier: MIT
 *
 * body_math.h - one element of what has one or two operands.
 *
 * In:  binary64 numbers and the operation. Out: its result. Invariant: an
 * operation is one binary64 rounding (exp: body_exp.h); where its result is a
 * NaN, the operands decide which, in their order, and never the processor.
 * Once the operation is known everything is selects, so that loops become
 * vector code.
 */
#ifndef TTSW_BODY_MATH_H
#define TTSW_BODY_MATH_H

#include "body_exp.h"
#include "hd.h"
#include "kernels.h"

TTSW_HD bool body_combine_known(enum kernel_binary op)
{
    return op >= KERNEL_ADD && op <= KERNEL_DIV;
}

TTSW_HD bool body_map_known(enum kernel_unary op)
{
    return op >= KERNEL_EXP && op <= KERNEL_MAX;
}

/* a op b; `op` is one of the four. */
TTSW_HD double body_combine(enum kernel_binary op, double a, double b)
{
    switch (op) {
    case KERNEL_ADD:
        return hd_settle(a + b, a, b);
    case KERNEL_SUB:
        return hd_settle(a - b, a, b);
    case KERNEL_MUL:
        return hd_settle(a * b, a, b);
    default:
        return hd_settle(a / b, a, b);
    }
}

/* The larger. Equal numbers have equal bits, but for the two zeros, whose
 * common bits are those of +0.0 unless both are -0.0. A NaN of x compares as
 * nothing and stays; one of q is put back. */
TTSW_HD double body_max(double x, double q)
{
    const double both = hd_double(hd_bits(x) & hd_bits(q));
    const double first = x == q ? both : x;
    const double larger = x < q ? q : first;
    return hd_settle(q == q ? larger : q, x, q);
}

/* op of x; `op` is one of the six, q the operand of those that have one. */
TTSW_HD double body_map(enum kernel_unary op, double x, double q)
{
    switch (op) {
    case KERNEL_EXP:
        return body_exp(x);
    case KERNEL_RECIPROCAL:
        return body_combine(KERNEL_DIV, 1.0, x);
    case KERNEL_SQRT:
        return hd_settle(hd_sqrt(x), x, x);
    case KERNEL_SCALE:
        return body_combine(KERNEL_MUL, x, q);
    case KERNEL_OFFSET:
        return body_combine(KERNEL_ADD, x, q);
    default:
        return body_max(x, q);
    }
}

#endif
