/* SPDX-License-Identifier: MIT
 *
 * cuda_xxh3.cu - the check of pieces on a CUDA device: a warp a piece.
 *
 * In:  what kernels_cuda.h describes. Out: the host's bits. Apart from cuda.cu
 * because the upload needs this kernel and no other. Invariants: which piece a
 * warp has is the same for all its threads, so that they are together at each
 * exchange; no byte beside a piece is read.
 */
#include "kernels_cuda.h"

#include <cuda_runtime.h>

#include "body_xxh3_warp.h"

/* Small, so that a batch of a thousand pieces reaches every multiprocessor. */
#define THREADS 128
#define PIECES (THREADS / XXH3_WARP) /* of a block of threads, at once */

/* More blocks than any device runs at once; a warp strides over the rest. */
#define MOST_BLOCKS 65536

static __global__ void __launch_bounds__(THREADS)
    check_pieces(const struct kernel_piece *pieces, uint64_t count,
                 uint32_t *bad)
{
    const uint64_t first = (uint64_t)blockIdx.x * PIECES;
    const uint64_t step = (uint64_t)gridDim.x * PIECES;
    for (uint64_t i = first + threadIdx.x / XXH3_WARP; i < count; i += step) {
        const struct kernel_piece piece = pieces[i];
        const uint8_t *bytes = (const uint8_t *)piece.bytes;
        const uint64_t hash = piece.size > XXH3_SHORT
                                  ? body_xxh3_by_warp(bytes, piece.size)
                                  : body_xxh3_short(bytes, piece.size);
        if (hash != piece.hash && threadIdx.x % XXH3_WARP == 0)
            atomicOr(&bad[piece.number / 32], 1U << piece.number % 32);
    }
}

/* By cudaLaunchKernel, which returns its own error and not one that the
 * caller's thread has left behind. */
extern "C" int kernel_cuda_check_pieces(const struct kernel_piece *pieces,
                                        uint64_t count, uint32_t *bad,
                                        void *stream)
{
    const uint64_t needed = count / PIECES + (count % PIECES != 0);
    const uint64_t blocks = needed < MOST_BLOCKS ? needed : MOST_BLOCKS;
    void *arguments[] = {&pieces, &count, &bad};
    if (count == 0)
        return cudaSuccess;
    return cudaLaunchKernel((const void *)check_pieces, dim3((unsigned)blocks),
                            dim3(THREADS), arguments, 0, (cudaStream_t)stream);
}
