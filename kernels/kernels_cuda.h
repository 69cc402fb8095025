/* SPDX-License-Identifier: MIT
 *
 * kernels_cuda.h - the kernels on a CUDA device.
 *
 * In:  what kernels.h describes, in device memory. Out: the same bits, in
 * device memory. Invariants: every function only launches on the call's stream
 * and returns the launch's cudaError_t, 0 for success, cudaErrorInvalidValue
 * where the host's kernel returns false; what fails while it runs is the next
 * synchronisation's error. Nothing is allocated. Pointers are device pointers,
 * structures of parameters are host ones, and what they mean is said in
 * kernels.h. Built only where a toolkit is.
 */
#ifndef TTSW_KERNELS_CUDA_H
#define TTSW_KERNELS_CUDA_H

#include "kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a launch found, in device memory; the caller sets it to {0, UINT64_MAX}
 * before the first launch of a tensor. */
struct kernel_cuda_found {
    unsigned long long count;
    unsigned long long first; /* element index in this call's buffer */
};

/* Where a launch goes and reports. */
struct kernel_cuda_call {
    void *stream; /* a cudaStream_t; NULL is the default one */
    struct kernel_cuda_found *found; /* NULL where nothing can be found */
};

/* kernel_cast; the loads and stores of F64 are casts from and to it.
 * *call.found is what kernel_range_error is on the host; the value is
 * src[first]. */
int kernel_cuda_cast(struct kernel_cast pair, const void *src, uint64_t n,
                     void *dst, struct kernel_cuda_call call);

/* kernel_scan_nonfinite. */
int kernel_cuda_scan_nonfinite(enum ttsb_dtype dtype, const void *src,
                               uint64_t n, struct kernel_cuda_call call);

/* kernel_permute; p is read before the function returns. */
int kernel_cuda_permute(const struct kernel_permute *p, const void *src,
                        void *dst, struct kernel_cuda_call call);

/* A dense tensor of (outer, keep, inner) elements. */
struct kernel_cuda_shape {
    uint64_t outer;
    uint64_t keep;
    uint64_t inner;
};

/* sums[k] = kernel_sumsq_done of all x[o][k][i] in row-major order. */
int kernel_cuda_sumsq_keep(struct kernel_cuda_shape shape, const double *x,
                           double *sums, struct kernel_cuda_call call);

/* kernel_weight_norm_scale, from finished sums. *call.found counts the norms
 * that have no factor. */
int kernel_cuda_weight_norm_scale(const double *g, const double *sums,
                                  uint64_t n, double *scale,
                                  struct kernel_cuda_call call);

/* kernel_scale_keep. */
int kernel_cuda_scale_keep(struct kernel_cuda_shape shape, double *x,
                           const double *scale, struct kernel_cuda_call call);

/* kernel_exp. */
int kernel_cuda_exp(const double *src, uint64_t n, double *dst,
                    struct kernel_cuda_call call);

/* kernel_map; m is read before the function returns. */
int kernel_cuda_map(const struct kernel_map *m, const double *src, uint64_t n,
                    double *dst, struct kernel_cuda_call call);

/* Two buffers of one length. */
struct kernel_cuda_pair {
    const double *a;
    const double *b;
};

/* kernel_combine. */
int kernel_cuda_combine(enum kernel_binary op, struct kernel_cuda_pair from,
                        uint64_t n, double *dst, struct kernel_cuda_call call);

/* kernel_combine_keep. */
int kernel_cuda_combine_keep(enum kernel_binary op,
                             struct kernel_cuda_shape shape, double *x,
                             const double *y, struct kernel_cuda_call call);

/* sums[k] = kernel_sumsq_done of all x[o][k][i] * y[o][i] in row-major order.
 */
int kernel_cuda_dot_keep(struct kernel_cuda_shape shape, const double *x,
                         const double *y, double *sums,
                         struct kernel_cuda_call call);

/* kernel_check_pieces: `pieces`, `bad` and the pieces' bytes are in device
 * memory, and each piece's are aligned to 8. The bits are set one by one, so
 * that launches that run side by side may share a word. */
int kernel_cuda_check_pieces(const struct kernel_piece *pieces, uint64_t count,
                             uint32_t *bad, void *stream);

#ifdef __cplusplus
}
#endif

#endif
