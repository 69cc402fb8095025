/* SPDX-License-Identifier: MIT
 *
 * body_permute.h - where an element of a permuted tensor comes from, and the
 * move of one element or one plane.
 *
 * In:  a strided gather as kernels.h describes it. Out: the same gather with
 * the fewest axes; a source index; moved elements. Invariant: bits are moved
 * and never looked at; no index passes what the caller's dims and strides
 * span. A plane is cut into tiles of 16 by 16, so that both its sides stay in
 * cache while one is read along and the other across.
 */
#ifndef TTSW_BODY_PERMUTE_H
#define TTSW_BODY_PERMUTE_H

#include "hd.h"
#include "kernels.h"

#define BODY_TILE 16

/* dst[i] = src[j], of `size` bytes: 1, 2, 4 or 8. */
TTSW_HD void body_move(void *dst, uint64_t i, const void *src, uint64_t j,
                       uint32_t size)
{
    unsigned char *to = (unsigned char *)dst + i * size;
    const unsigned char *from = (const unsigned char *)src + j * size;
    if (size == 4)
        memcpy(to, from, 4);
    else if (size == 2)
        memcpy(to, from, 2);
    else if (size == 8)
        memcpy(to, from, 8);
    else
        *to = *from;
}

/* The same gather without axes of size 1, and with neighbours that are one run
 * in both tensors as one axis. No dim is 0. */
TTSW_HD struct kernel_permute body_permute_simplify(struct kernel_permute p)
{
    struct kernel_permute q = p;
    q.rank = 0;
    for (uint32_t a = 0; a < p.rank; a++) {
        const uint64_t dim = p.out_dims[a];
        const uint64_t stride = p.in_strides[a];
        if (dim == 1)
            continue;
        if (q.rank > 0 && q.in_strides[q.rank - 1] == stride * dim) {
            q.out_dims[q.rank - 1] *= dim;
            q.in_strides[q.rank - 1] = stride;
            continue;
        }
        q.out_dims[q.rank] = dim;
        q.in_strides[q.rank] = stride;
        q.rank++;
    }
    return q;
}

/* Elements of the output. */
TTSW_HD uint64_t body_permute_count(const struct kernel_permute *p)
{
    uint64_t n = 1;
    for (uint32_t a = 0; a < p->rank; a++)
        n *= p->out_dims[a];
    return n;
}

/* The source index of output element i. */
TTSW_HD uint64_t body_permute_source(const struct kernel_permute *p, uint64_t i)
{
    uint64_t at = 0;
    for (uint32_t a = p->rank; a-- > 0;) {
        at += i % p->out_dims[a] * p->in_strides[a];
        i /= p->out_dims[a];
    }
    return at;
}

/* Two axes of a gather: dst[r * dst_row + c] = src[r * src_row + c * src_col].
 */
struct body_plane {
    void *dst;
    const void *src;
    uint64_t rows;
    uint64_t cols;
    uint64_t dst_row;
    uint64_t src_row;
    uint64_t src_col;
};

/* The tile whose first element is (r0, c0). The strides are copied: for all
 * the compiler knows, storing an element may change *p. */
TTSW_HD void body_permute_tile(const struct body_plane *p, uint64_t r0,
                               uint64_t c0, uint32_t size)
{
    const uint64_t rows = p->rows - r0 < BODY_TILE ? p->rows - r0 : BODY_TILE;
    const uint64_t cols = p->cols - c0 < BODY_TILE ? p->cols - c0 : BODY_TILE;
    const uint64_t dst_row = p->dst_row;
    const uint64_t src_row = p->src_row;
    const uint64_t src_col = p->src_col;
    unsigned char *to = (unsigned char *)p->dst + (r0 * dst_row + c0) * size;
    const unsigned char *from =
        (const unsigned char *)p->src + (r0 * src_row + c0 * src_col) * size;
    for (uint64_t r = 0; r < rows; r++)
        for (uint64_t c = 0; c < cols; c++)
            body_move(to, r * dst_row + c, from, r * src_row + c * src_col,
                      size);
}

#endif
