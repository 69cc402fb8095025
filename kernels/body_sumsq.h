/* SPDX-License-Identifier: MIT
 *
 * body_sumsq.h - sums of squares and of products by one fixed tree.
 *
 * In:  a row's elements in order, in any chunks; one row, or two of one length.
 * Out: the sum of its squares, or of the two rows' products.
 * Invariant: which numbers are added to which, and in what order, depends on an
 * element's position in the row alone, never on chunks, threads or vector
 * width; so the sum has one value. Eight lanes, because a lane is a vector
 * register's column; blocks, because errors then grow with the block's length
 * and not the row's.
 */
#ifndef TTSW_BODY_SUMSQ_H
#define TTSW_BODY_SUMSQ_H

#include "hd.h"
#include "kernels.h"

/* The sum of a block's lanes. */
TTSW_HD double body_sumsq_block(const double *l)
{
    return ((l[0] + l[1]) + (l[2] + l[3])) + ((l[4] + l[5]) + (l[6] + l[7]));
}

TTSW_HD void body_sumsq_init(struct kernel_sumsq *acc)
{
    for (int i = 0; i < KERNEL_SUMSQ_LANES; i++)
        acc->lane[i] = 0.0;
    acc->total = 0.0;
    acc->count = 0;
}

/* Closes a block that has just become full. */
TTSW_HD void body_sumsq_close(struct kernel_sumsq *acc)
{
    if (acc->count % KERNEL_SUMSQ_BLOCK != 0)
        return;
    acc->total += body_sumsq_block(acc->lane);
    for (int i = 0; i < KERNEL_SUMSQ_LANES; i++)
        acc->lane[i] = 0.0;
}

/* The row's next product. A block is a multiple of the lanes, so the position
 * in the row tells the lane. */
TTSW_HD void body_dot_add(struct kernel_sumsq *acc, double x, double y)
{
    acc->lane[acc->count % KERNEL_SUMSQ_LANES] += x * y;
    acc->count++;
    body_sumsq_close(acc);
}

/* The row's next 8 * n products, which begin at lane 0 and end in this block.
 */
TTSW_HD void body_dot_add_octets(struct kernel_sumsq *acc, const double *x,
                                 const double *y, uint64_t n)
{
    double lane[KERNEL_SUMSQ_LANES];
    for (int i = 0; i < KERNEL_SUMSQ_LANES; i++)
        lane[i] = acc->lane[i];
    for (uint64_t octet = 0; octet < n; octet++)
        for (int i = 0; i < KERNEL_SUMSQ_LANES; i++)
            lane[i] += x[octet * KERNEL_SUMSQ_LANES + (unsigned)i] *
                       y[octet * KERNEL_SUMSQ_LANES + (unsigned)i];
    for (int i = 0; i < KERNEL_SUMSQ_LANES; i++)
        acc->lane[i] = lane[i];
    acc->count += n * KERNEL_SUMSQ_LANES;
    body_sumsq_close(acc);
}

TTSW_HD double body_sumsq_done(const struct kernel_sumsq *acc)
{
    double sum = acc->total;
    if (acc->count % KERNEL_SUMSQ_BLOCK != 0)
        sum += body_sumsq_block(acc->lane);
    return sum == sum ? sum : hd_double(HD_NAN);
}

#endif
