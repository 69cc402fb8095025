/* SPDX-License-Identifier: MIT
 *
 * body_weight_norm.h - w = v * (g / ||v||): one row's factor.
 *
 * In:  g and a row's sum of squares. Out: the factor; the product is
 * body_combine's. Salimans and Kingma 2016, as torch.nn.utils.weight_norm
 * stores it. Invariant: square root and quotient are one binary64 rounding
 * each, in this order; a norm without a quotient is reported, never divided by;
 * a NaN's bits are not the processor's choice.
 */
#ifndef TTSW_BODY_WEIGHT_NORM_H
#define TTSW_BODY_WEIGHT_NORM_H

#include "hd.h"

/* g / sqrt(sumsq) and true, or +0.0 and false: the norm is zero (no direction)
 * or infinite (it overflowed, and every weight would become 0). */
TTSW_HD bool body_weight_norm_scale(double g, double sumsq, double *scale)
{
    const double norm = hd_sqrt(sumsq);
    *scale = 0.0;
    if (norm == 0.0 || hd_bits(norm) == HD_INFINITY)
        return false;
    *scale = hd_settle(g / norm, g, sumsq); /* sqrt's own NaN is anyone's */
    return true;
}

#endif
