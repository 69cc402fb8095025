/* SPDX-License-Identifier: MIT
 *
 * tally.c - moments and bins.
 */
#include "tally.h"

#include <math.h>

double tally_std(const struct tally *t)
{
    return t->finite == 0 ? 0 : sqrt(t->m2 / (double)t->finite);
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
    return ldexp(1.0, k - 25);
}
