/* SPDX-License-Identifier: MIT
 *
 * cuda.cu - the kernels on a CUDA device: grids over the bodies.
 *
 * In:  what kernels_cuda.h describes. Out: the host's bits. One thread takes an
 * element, or, in the reduction, a row, whose tree is then the host's without
 * further thought. Invariant: this file launches and reports; the arithmetic is
 * in the bodies, which the host's tests check. It is compiled with
 * --fmad=false, or the promise is void.
 */
#include "kernels_cuda.h"

#include <cuda_runtime.h>

#include "body_cast.h"
#include "body_math.h"
#include "body_permute.h"
#include "body_sumsq.h"
#include "body_weight_norm.h"

static_assert(sizeof(unsigned long long) == sizeof(uint64_t), "atomics' type");

#define THREADS 256

/* More blocks than any device runs at once; a thread strides over the rest. */
#define MOST_BLOCKS 65536

static unsigned blocks_for(uint64_t n)
{
    const uint64_t blocks = n / THREADS + (n % THREADS != 0);
    return blocks < MOST_BLOCKS ? (unsigned)blocks : MOST_BLOCKS;
}

static __device__ uint64_t first_index()
{
    return (uint64_t)blockIdx.x * blockDim.x + threadIdx.x;
}

static __device__ uint64_t index_step()
{
    return (uint64_t)gridDim.x * blockDim.x;
}

static __device__ void note(struct kernel_cuda_found *found, uint64_t i)
{
    atomicAdd(&found->count, 1ULL);
    atomicMin(&found->first, (unsigned long long)i);
}

static __global__ void cast_floats(struct kernel_cast pair, const void *src,
                                   uint64_t n, void *dst,
                                   struct kernel_cuda_found *found)
{
    for (uint64_t i = first_index(); i < n; i += index_step()) {
        const double x = body_load(pair.from, src, i);
        body_store(pair.to, x, dst, i);
        if (pair.to != TTSB_F64 && body_overflows(x, body_format_of(pair.to)))
            note(found, i);
    }
}

static __global__ void cast_integers(struct kernel_cast pair, const void *src,
                                     uint64_t n, void *dst,
                                     struct kernel_cuda_found *found)
{
    for (uint64_t i = first_index(); i < n; i += index_step()) {
        const struct body_integer v = body_load_integer(pair.from, src, i);
        body_store_integer(pair.to, v, dst, i);
        if (!body_integer_fits(pair.to, v))
            note(found, i);
    }
}

extern "C" int kernel_cuda_cast(struct kernel_cast pair, const void *src,
                                uint64_t n, void *dst,
                                struct kernel_cuda_call call)
{
    const cudaStream_t s = (cudaStream_t)call.stream;
    const uint64_t bits = body_dtype_bits(pair.from);
    if (pair.from == pair.to && bits != 0)
        return cudaMemcpyAsync(dst, src, n / 8 * bits + n % 8 * bits / 8,
                               cudaMemcpyDeviceToDevice, s);
    const bool floats = body_is_float(pair.from) && body_is_float(pair.to);
    if (!floats && !(body_is_integer(pair.from) && body_is_integer(pair.to)))
        return cudaErrorInvalidValue;
    if (n == 0)
        return cudaSuccess;
    if (floats)
        cast_floats<<<blocks_for(n), THREADS, 0, s>>>(pair, src, n, dst,
                                                      call.found);
    else
        cast_integers<<<blocks_for(n), THREADS, 0, s>>>(pair, src, n, dst,
                                                        call.found);
    return cudaGetLastError();
}

static __global__ void scan_nonfinite(enum ttsb_dtype dtype, const void *src,
                                      uint64_t n,
                                      struct kernel_cuda_found *found)
{
    for (uint64_t i = first_index(); i < n; i += index_step())
        if (body_nonfinite(dtype, src, i))
            note(found, i);
}

extern "C" int kernel_cuda_scan_nonfinite(enum ttsb_dtype dtype,
                                          const void *src, uint64_t n,
                                          struct kernel_cuda_call call)
{
    if (n == 0 || body_nonfinite_mask(dtype) == 0)
        return cudaSuccess;
    scan_nonfinite<<<blocks_for(n), THREADS, 0, (cudaStream_t)call.stream>>>(
        dtype, src, n, call.found);
    return cudaGetLastError();
}

static __global__ void permute(struct kernel_permute p, const void *src,
                               uint64_t n, void *dst)
{
    for (uint64_t i = first_index(); i < n; i += index_step())
        body_move(dst, i, src, body_permute_source(&p, i), p.element_size);
}

extern "C" int kernel_cuda_permute(const struct kernel_permute *p,
                                   const void *src, void *dst,
                                   struct kernel_cuda_call call)
{
    const uint32_t size = p->element_size;
    if (p->rank > KERNEL_MAX_RANK ||
        (size != 1 && size != 2 && size != 4 && size != 8))
        return cudaErrorInvalidValue;
    const uint64_t n = body_permute_count(p);
    if (n == 0)
        return cudaSuccess;
    permute<<<blocks_for(n), THREADS, 0, (cudaStream_t)call.stream>>>(
        body_permute_simplify(*p), src, n, dst);
    return cudaGetLastError();
}

static __global__ void sumsq_keep(struct kernel_cuda_shape shape,
                                  const double *x, double *sums)
{
    for (uint64_t k = first_index(); k < shape.keep; k += index_step()) {
        struct kernel_sumsq acc;
        body_sumsq_init(&acc);
        for (uint64_t o = 0; o < shape.outer; o++)
            for (uint64_t i = 0; i < shape.inner; i++) {
                const double v = x[(o * shape.keep + k) * shape.inner + i];
                body_dot_add(&acc, v, v);
            }
        sums[k] = body_sumsq_done(&acc);
    }
}

extern "C" int kernel_cuda_sumsq_keep(struct kernel_cuda_shape shape,
                                      const double *x, double *sums,
                                      struct kernel_cuda_call call)
{
    if (shape.keep == 0)
        return cudaSuccess;
    sumsq_keep<<<blocks_for(shape.keep), THREADS, 0,
                 (cudaStream_t)call.stream>>>(shape, x, sums);
    return cudaGetLastError();
}

static __global__ void dot_keep(struct kernel_cuda_shape shape, const double *x,
                                const double *y, double *sums)
{
    for (uint64_t k = first_index(); k < shape.keep; k += index_step()) {
        struct kernel_sumsq acc;
        body_sumsq_init(&acc);
        for (uint64_t o = 0; o < shape.outer; o++)
            for (uint64_t i = 0; i < shape.inner; i++)
                body_dot_add(&acc, x[(o * shape.keep + k) * shape.inner + i],
                             y[o * shape.inner + i]);
        sums[k] = body_sumsq_done(&acc);
    }
}

extern "C" int kernel_cuda_dot_keep(struct kernel_cuda_shape shape,
                                    const double *x, const double *y,
                                    double *sums, struct kernel_cuda_call call)
{
    if (shape.keep == 0)
        return cudaSuccess;
    dot_keep<<<blocks_for(shape.keep), THREADS, 0, (cudaStream_t)call.stream>>>(
        shape, x, y, sums);
    return cudaGetLastError();
}

static __global__ void weight_norm_scale(const double *g, const double *sums,
                                         uint64_t n, double *scale,
                                         struct kernel_cuda_found *found)
{
    for (uint64_t k = first_index(); k < n; k += index_step())
        if (!body_weight_norm_scale(g[k], sums[k], &scale[k]))
            note(found, k);
}

extern "C" int kernel_cuda_weight_norm_scale(const double *g,
                                             const double *sums, uint64_t n,
                                             double *scale,
                                             struct kernel_cuda_call call)
{
    if (n == 0)
        return cudaSuccess;
    weight_norm_scale<<<blocks_for(n), THREADS, 0, (cudaStream_t)call.stream>>>(
        g, sums, n, scale, call.found);
    return cudaGetLastError();
}

static __global__ void map_each(struct kernel_map m, const double *src,
                                uint64_t n, double *dst)
{
    for (uint64_t i = first_index(); i < n; i += index_step())
        dst[i] = body_map(m.op, src[i], m.q);
}

extern "C" int kernel_cuda_map(const struct kernel_map *m, const double *src,
                               uint64_t n, double *dst,
                               struct kernel_cuda_call call)
{
    if (!body_map_known(m->op))
        return cudaErrorInvalidValue;
    if (n == 0)
        return cudaSuccess;
    map_each<<<blocks_for(n), THREADS, 0, (cudaStream_t)call.stream>>>(*m, src,
                                                                       n, dst);
    return cudaGetLastError();
}

static __global__ void combine_each(enum kernel_binary op,
                                    struct kernel_cuda_pair from, uint64_t n,
                                    double *dst)
{
    for (uint64_t i = first_index(); i < n; i += index_step())
        dst[i] = body_combine(op, from.a[i], from.b[i]);
}

extern "C" int kernel_cuda_combine(enum kernel_binary op,
                                   struct kernel_cuda_pair from, uint64_t n,
                                   double *dst, struct kernel_cuda_call call)
{
    if (!body_combine_known(op))
        return cudaErrorInvalidValue;
    if (n == 0)
        return cudaSuccess;
    combine_each<<<blocks_for(n), THREADS, 0, (cudaStream_t)call.stream>>>(
        op, from, n, dst);
    return cudaGetLastError();
}

static __global__ void combine_keep(enum kernel_binary op,
                                    struct kernel_cuda_shape shape, double *x,
                                    uint64_t n, const double *y)
{
    for (uint64_t i = first_index(); i < n; i += index_step())
        x[i] = body_combine(op, x[i], y[i / shape.inner % shape.keep]);
}

extern "C" int kernel_cuda_combine_keep(enum kernel_binary op,
                                        struct kernel_cuda_shape shape,
                                        double *x, const double *y,
                                        struct kernel_cuda_call call)
{
    const uint64_t n = shape.outer * shape.keep * shape.inner;
    if (!body_combine_known(op))
        return cudaErrorInvalidValue;
    if (n == 0)
        return cudaSuccess;
    combine_keep<<<blocks_for(n), THREADS, 0, (cudaStream_t)call.stream>>>(
        op, shape, x, n, y);
    return cudaGetLastError();
}

extern "C" int kernel_cuda_scale_keep(struct kernel_cuda_shape shape, double *x,
                                      const double *scale,
                                      struct kernel_cuda_call call)
{
    return kernel_cuda_combine_keep(KERNEL_MUL, shape, x, scale, call);
}

extern "C" int kernel_cuda_exp(const double *src, uint64_t n, double *dst,
                               struct kernel_cuda_call call)
{
    const struct kernel_map m = {KERNEL_EXP, 0};
    return kernel_cuda_map(&m, src, n, dst, call);
}
