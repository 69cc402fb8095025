/* SPDX-License-Identifier: MIT
 *
 * cpu_math.c - the kernels that compute, on the host: loops over the bodies.
 *
 * In:  what kernels.h describes. Out: the same bits as reference.c, faster.
 * Invariant: a loop here never decides a number; it only walks. Speed comes
 * from the operation being a constant inside a loop, so that a body is selects
 * and the compiler makes vector code of it, and from sums that take eight
 * lanes at a time.
 */
#include "kernels.h"

#include "body_exp.h"
#include "body_math.h"
#include "body_sumsq.h"
#include "body_weight_norm.h"

void kernel_sumsq_init(struct kernel_sumsq *acc)
{
    body_sumsq_init(acc);
}

/* Adds products to a row; y is x for squares, which, inline, load it once. */
static inline void add_products(struct kernel_sumsq *acc, const double *x,
                                const double *y, uint64_t n)
{
    uint64_t i = 0;
    for (; i < n && acc->count % KERNEL_SUMSQ_LANES != 0; i++)
        body_dot_add(acc, x[i], y[i]);
    while (n - i >= KERNEL_SUMSQ_LANES) {
        const uint64_t room =
            KERNEL_SUMSQ_BLOCK - acc->count % KERNEL_SUMSQ_BLOCK;
        const uint64_t most = n - i < room ? n - i : room;
        const uint64_t octets = most / KERNEL_SUMSQ_LANES;
        body_dot_add_octets(acc, x + i, y + i, octets);
        i += octets * KERNEL_SUMSQ_LANES;
    }
    for (; i < n; i++)
        body_dot_add(acc, x[i], y[i]);
}

void kernel_sumsq_add(struct kernel_sumsq *acc, const double *x, uint64_t n)
{
    add_products(acc, x, x, n);
}

void kernel_sumsq_add_keep(struct kernel_sumsq *acc, uint64_t outer,
                           uint64_t keep, uint64_t inner, const double *x)
{
    for (uint64_t o = 0; inner > 0 && o < outer; o++)
        for (uint64_t k = 0; k < keep; k++, x += inner)
            add_products(&acc[k], x, x, inner);
}

void kernel_dot_add(struct kernel_sumsq *acc, const double *x, const double *y,
                    uint64_t n)
{
    add_products(acc, x, y, n);
}

void kernel_dot_add_keep(struct kernel_sumsq *acc, uint64_t outer,
                         uint64_t keep, uint64_t inner, const double *x,
                         const double *y)
{
    for (uint64_t o = 0; inner > 0 && o < outer; o++, y += inner)
        for (uint64_t k = 0; k < keep; k++, x += inner)
            add_products(&acc[k], x, y, inner);
}

double kernel_sumsq_done(const struct kernel_sumsq *acc)
{
    return body_sumsq_done(acc);
}

void kernel_weight_norm_scale(const double *g, const struct kernel_sumsq *acc,
                              uint64_t n, double *scale, uint64_t *first_bad)
{
    *first_bad = n;
    for (uint64_t k = 0; k < n; k++) {
        const double sum = body_sumsq_done(&acc[k]);
        if (!body_weight_norm_scale(g[k], sum, &scale[k]) && *first_bad == n)
            *first_bad = k;
    }
}

void kernel_exp(const double *src, uint64_t n, double *dst)
{
    for (uint64_t i = 0; i < n; i++)
        dst[i] = body_exp(src[i]);
}

static void map_each(enum kernel_unary op, double q, const double *src,
                     uint64_t n, double *dst)
{
    for (uint64_t i = 0; i < n; i++)
        dst[i] = body_map(op, src[i], q);
}

/* `op` becomes a constant. */
bool kernel_map(const struct kernel_map *m, const double *src, uint64_t n,
                double *dst)
{
    const double q = m->q;
    switch (m->op) {
    case KERNEL_EXP:
        kernel_exp(src, n, dst);
        return true;
    case KERNEL_RECIPROCAL:
        map_each(KERNEL_RECIPROCAL, q, src, n, dst);
        return true;
    case KERNEL_SQRT:
        map_each(KERNEL_SQRT, q, src, n, dst);
        return true;
    case KERNEL_SCALE:
        map_each(KERNEL_SCALE, q, src, n, dst);
        return true;
    case KERNEL_OFFSET:
        map_each(KERNEL_OFFSET, q, src, n, dst);
        return true;
    case KERNEL_MAX:
        map_each(KERNEL_MAX, q, src, n, dst);
        return true;
    default:
        return false;
    }
}

static void combine_each(enum kernel_binary op, const double *a,
                         const double *b, uint64_t n, double *dst)
{
    for (uint64_t i = 0; i < n; i++)
        dst[i] = body_combine(op, a[i], b[i]);
}

/* `op` becomes a constant. */
bool kernel_combine(enum kernel_binary op, const double *a, const double *b,
                    uint64_t n, double *dst)
{
    switch (op) {
    case KERNEL_ADD:
        combine_each(KERNEL_ADD, a, b, n, dst);
        return true;
    case KERNEL_SUB:
        combine_each(KERNEL_SUB, a, b, n, dst);
        return true;
    case KERNEL_MUL:
        combine_each(KERNEL_MUL, a, b, n, dst);
        return true;
    case KERNEL_DIV:
        combine_each(KERNEL_DIV, a, b, n, dst);
        return true;
    default:
        return false;
    }
}

static void combine_all(enum kernel_binary op, double *x, uint64_t n, double y)
{
    for (uint64_t i = 0; i < n; i++)
        x[i] = body_combine(op, x[i], y);
}

/* `op` becomes a constant. */
static void combine_run(enum kernel_binary op, double *x, uint64_t n, double y)
{
    if (op == KERNEL_ADD)
        combine_all(KERNEL_ADD, x, n, y);
    else if (op == KERNEL_SUB)
        combine_all(KERNEL_SUB, x, n, y);
    else if (op == KERNEL_MUL)
        combine_all(KERNEL_MUL, x, n, y);
    else
        combine_all(KERNEL_DIV, x, n, y);
}

bool kernel_combine_keep(enum kernel_binary op, double *x, uint64_t outer,
                         uint64_t keep, uint64_t inner, const double *y)
{
    if (!body_combine_known(op))
        return false;
    if (keep == 0 || inner == 0)
        return true;
    for (uint64_t o = 0; inner == 1 && o < outer; o++, x += keep)
        (void)kernel_combine(op, x, y, keep, x);
    for (uint64_t o = 0; inner > 1 && o < outer; o++)
        for (uint64_t k = 0; k < keep; k++, x += inner)
            combine_run(op, x, inner, y[k]);
    return true;
}

void kernel_scale_keep(double *x, uint64_t outer, uint64_t keep, uint64_t inner,
                       const double *scale)
{
    (void)kernel_combine_keep(KERNEL_MUL, x, outer, keep, inner, scale);
}
