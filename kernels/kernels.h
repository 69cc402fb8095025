/* SPDX-License-Identifier: MIT
 *
 * kernels.h - what the compiler does to numbers, on buffers in memory.
 *
 * In:  dense buffers, little endian, of a stated dtype and count. Out: dense
 * buffers, the same bits on every machine, compiler, optimisation level and
 * device. Invariants: all arithmetic is binary64 without contraction; a result
 * is rounded once, to nearest even, when it is stored; a NaN keeps its sign and
 * the top of its payload and becomes quiet. Nothing here allocates, keeps
 * state or fails on a value: a count or an index tells what the caller has to
 * judge. A `void` buffer needs no alignment; a `double` one has its own.
 * Buffers do not overlap unless a function says that dst may be src; n may be
 * 0, and then pointers may be NULL. Functions return false, having written
 * nothing, only for a dtype, a shape or an operation that they do not define.
 */
#ifndef TTSW_KERNELS_H
#define TTSW_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

#include "ttsb_types.h"

/* Axes of a gather. More than a tensor's, because a view may cut an axis. */
#define KERNEL_MAX_RANK 16

/* Values that the target dtype cannot hold. Zero-initialise before the first
 * chunk of a tensor; further chunks add to it. `first` and `value` mean
 * something only where count > 0; `first` counts from the first chunk on. */
struct kernel_range_error {
    uint64_t count;
    uint64_t first; /* element index */
    double value;   /* the source's value, rounded to binary64 */
    uint64_t seen;  /* elements so far; the kernels' own */
};

/* NaN and infinite elements. Zero-initialise; further chunks add to it. */
struct kernel_nonfinite {
    uint64_t count;
    uint64_t first; /* element index, where count > 0 */
    uint64_t seen;  /* elements so far; the kernels' own */
};

/* A pair of dtypes. */
struct kernel_cast {
    enum ttsb_dtype from;
    enum ttsb_dtype to;
};

/* Whether kernel_load_f64 and kernel_store_f64 know the dtype: F16, BF16, F32
 * or F64. */
bool kernel_is_float(enum ttsb_dtype dtype);

/* Whether kernel_cast knows the pair: float to float (see kernel_is_float),
 * integer to integer (U8 to I64), and every dtype to itself. */
bool kernel_cast_known(struct kernel_cast pair);

/* dst[i] = src[i], exactly; n elements of F16, BF16, F32 or F64. A NaN's sign
 * and payload move to the top of the wider fields and its quiet bit is set.
 * False for another dtype. */
bool kernel_load_f64(enum ttsb_dtype dtype, const void *src, uint64_t n,
                     double *dst);

/* dst[i] = src[i], rounded once to nearest even, straight from binary64;
 * subnormals are exact, nothing is flushed. A NaN keeps its sign and the top
 * of its payload and its quiet bit is set; an infinity stays one. A finite
 * value that becomes infinite is stored as infinity and reported in *err,
 * which may not be NULL. False for a dtype that is not F16, BF16, F32 or F64.
 */
bool kernel_store_f64(enum ttsb_dtype dtype, const double *src, uint64_t n,
                      void *dst, struct kernel_range_error *err);

/* The n elements of src in another dtype.
 *   a dtype to itself: the bits, unchanged (signalling NaNs too);
 *   float to float:    the bits of kernel_load_f64, then kernel_store_f64;
 *   integer to integer: the value; one that does not fit is stored as its low
 *                      bits and reported in *err.
 * F4 and the F6s are packed: n times their bits is a multiple of 8. False
 * where kernel_cast_known is. */
bool kernel_cast(struct kernel_cast pair, const void *src, uint64_t n,
                 void *dst, struct kernel_range_error *err);

/* Adds the NaN and infinite elements of src to *found: F16, BF16, F32, F64,
 * C64 (n pairs; either half), F8_E4M3 (NaN only), F8_E5M2. Other dtypes have
 * none: only found->seen changes. */
void kernel_scan_nonfinite(enum ttsb_dtype dtype, const void *src, uint64_t n,
                           struct kernel_nonfinite *found);

/* dst[c0][c1]... = src[c0 * in_strides[0] + c1 * in_strides[1] + ...], dst
 * dense and row major. One stride for each axis of the OUTPUT, in elements;
 * strides may repeat or be 0. */
struct kernel_permute {
    uint32_t rank;         /* 0 to KERNEL_MAX_RANK; 0 copies one element */
    uint32_t element_size; /* bytes: 1, 2, 4 or 8 */
    uint64_t out_dims[KERNEL_MAX_RANK];
    uint64_t in_strides[KERNEL_MAX_RANK];
};

/* The strided gather described above; bits are moved, never looked at. A part
 * of the output is a call with smaller out_dims and later pointers. False for
 * a rank or an element size out of range; nothing is written where a dim is
 * 0. */
bool kernel_permute(const struct kernel_permute *p, const void *src, void *dst);

/* Sums of squares by one fixed tree (normative; see README.md). The row is cut
 * into blocks of KERNEL_SUMSQ_BLOCK elements. In a block, element i goes to
 * lane i % KERNEL_SUMSQ_LANES, which adds its squares in order to +0.0; the
 * block's sum is ((l0+l1)+(l2+l3))+((l4+l5)+(l6+l7)). The row's sum starts at
 * +0.0 and adds the blocks' sums in order; the last block may be short. */
#define KERNEL_SUMSQ_LANES 8
#define KERNEL_SUMSQ_BLOCK 4096

struct kernel_sumsq {
    double lane[KERNEL_SUMSQ_LANES]; /* of the open block */
    double total;                    /* of the closed blocks */
    uint64_t count;                  /* elements so far */
};

/* The sum of nothing. */
void kernel_sumsq_init(struct kernel_sumsq *acc);

/* Adds n more elements of the row. Any chunking gives the same bits. */
void kernel_sumsq_add(struct kernel_sumsq *acc, const double *x, uint64_t n);

/* Adds x, dense (outer, keep, inner), to `keep` accumulators: x[o][k][i] goes
 * to acc[k], in row-major order of x. So acc[k] sums over all but the kept
 * axis. Any chunking along outer gives the same bits; outer = inner = 1 adds
 * one element to each. */
void kernel_sumsq_add_keep(struct kernel_sumsq *acc, uint64_t outer,
                           uint64_t keep, uint64_t inner, const double *x);

/* The row's sum so far; acc may go on. A NaN is 0x7ff8000000000000. */
double kernel_sumsq_done(const struct kernel_sumsq *acc);

/* Adds the products x[i] * y[i], i from 0 to n - 1, to the row, each rounded
 * once, by the same tree: kernel_sumsq_add(acc, x, n) is kernel_dot_add(acc, x,
 * x, n), and one row may have both. Any chunking gives the same bits. A sum
 * that is zero is +0.0. A NaN in x or y, 0 * infinity, and infinite products of
 * both signs make the sum 0x7ff8000000000000. x may be y. */
void kernel_dot_add(struct kernel_sumsq *acc, const double *x, const double *y,
                    uint64_t n);

/* Adds x, dense (outer, keep, inner), times y, dense (outer, inner), to `keep`
 * accumulators: x[o][k][i] * y[o][i] goes to acc[k], in row-major order of x,
 * as kernel_dot_add adds it. With outer 1 these are a matrix's rows times a
 * vector; with inner 1, its columns. Any chunking along outer gives the same
 * bits. */
void kernel_dot_add_keep(struct kernel_sumsq *acc, uint64_t outer,
                         uint64_t keep, uint64_t inner, const double *x,
                         const double *y);

/* Weight norm's factors: norm = sqrt(sumsq), scale[k] = g[k] / norm, each one
 * rounding in binary64, k from 0 to n - 1. A norm that is zero or infinite has
 * no factor: scale[k] becomes +0.0 and nothing is divided. *first_bad is the
 * first such k, or n. NaNs as for kernel_scale_keep. scale may be g. */
void kernel_weight_norm_scale(const double *g, const struct kernel_sumsq *acc,
                              uint64_t n, double *scale, uint64_t *first_bad);

/* x[o][k][i] *= scale[k], x dense (outer, keep, inner). A NaN of x passes,
 * made quiet; else one of scale does; 0 * infinity is 0x7ff8000000000000. */
void kernel_scale_keep(double *x, uint64_t outer, uint64_t keep, uint64_t inner,
                       const double *scale);

/* dst[i] = e to the src[i], within 1 ulp, the same bits everywhere. exp(0) is
 * 1, exp(-inf) +0, exp(+inf) +inf; a NaN passes, made quiet; what is too large
 * becomes +inf unreported (scan the result). dst may be src. */
void kernel_exp(const double *src, uint64_t n, double *dst);

/* One operand. `q` means something to the last three only. 0 is none, so that
 * what was never set is refused. */
enum kernel_unary {
    KERNEL_EXP = 1,    /* kernel_exp */
    KERNEL_RECIPROCAL, /* 1 / x: of a zero, the infinity of its sign */
    KERNEL_SQRT,       /* of -0.0, -0.0; of less, invalid */
    KERNEL_SCALE,      /* x * q: 0 * infinity is invalid */
    KERNEL_OFFSET,     /* x + q: infinities of both signs are invalid */
    KERNEL_MAX         /* the larger of x and q: of the two zeros, +0.0 */
};

struct kernel_map {
    enum kernel_unary op;
    double q; /* any number; a NaN or an infinity too */
};

/* dst[i] = op of src[i], one rounding to nearest even, subnormals included
 * (KERNEL_EXP: as kernel_exp says; KERNEL_MAX rounds nothing). A NaN of src
 * passes, made quiet, its sign and payload kept; else, where q means something,
 * one of q does; what is invalid is 0x7ff8000000000000. Overflow is infinite
 * and unreported (scan the result). dst may be src. False for an op that is
 * none of these. */
bool kernel_map(const struct kernel_map *m, const double *src, uint64_t n,
                double *dst);

/* Two operands. 0 is none. */
enum kernel_binary {
    KERNEL_ADD = 1, /* a + b: infinities of both signs are invalid */
    KERNEL_SUB,     /* a - b: equal infinities are invalid */
    KERNEL_MUL,     /* a * b: 0 * infinity is invalid */
    KERNEL_DIV      /* a / b: 0 / 0 and infinity / infinity are invalid */
};

/* dst[i] = a[i] op b[i], one rounding to nearest even, subnormals included. A
 * NaN of a passes, made quiet, its sign and payload kept; else one of b does,
 * its sign kept by KERNEL_SUB too; what is invalid is 0x7ff8000000000000. A sum
 * or difference of numbers that is exactly zero is +0.0, but -0.0 + -0.0 and
 * -0.0 - +0.0 are -0.0; a product or quotient that is no NaN is negative where
 * its operands' signs differ, else positive, zeros included. Overflow, and a
 * division of what is not 0 by a zero, are infinite and unreported (scan the
 * result). dst may be a or b, and a may be b. False for an op that is none of
 * these. */
bool kernel_combine(enum kernel_binary op, const double *a, const double *b,
                    uint64_t n, double *dst);

/* x[o][k][i] = x[o][k][i] op y[k], x dense (outer, keep, inner), as
 * kernel_combine has it, x being a and y b. False for an op that is none of
 * these. */
bool kernel_combine_keep(enum kernel_binary op, double *x, uint64_t outer,
                         uint64_t keep, uint64_t inner, const double *y);

/* A piece of a blob's tensor, and what runtime/FORMAT.md, section 5, says of
 * it. */
struct kernel_piece {
    const void *bytes;
    uint64_t hash;   /* XXH3-64 that it must have */
    uint32_t size;   /* 1 to 65,536 */
    uint32_t number; /* its bit in `bad` */
};

/* Hashes each of the `count` pieces, and sets bit number % 32 of bad[number /
 * 32] where the hash is another; other bits stay. */
void kernel_check_pieces(const struct kernel_piece *pieces, uint64_t count,
                         uint32_t *bad);

#endif
