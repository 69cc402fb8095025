/* SPDX-License-Identifier: MIT
 *
 * cuda_runtime_api.h - the few CUDA calls that runtime/cuda.c makes.
 *
 * In: what CUDA takes. Out: what CUDA gives, from fake_cuda.c. It stands in
 * for the toolkit's header where there is no toolkit, so that the upload's
 * logic is tested on every machine.
 *
 * Invariant: names, types and values are CUDA's; nothing that cuda.c does not
 * use is here.
 */
#ifndef CUDA_RUNTIME_API_H
#define CUDA_RUNTIME_API_H

#include <stddef.h>

typedef enum cudaError {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2
} cudaError_t;

enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1 };

typedef struct CUstream_st *cudaStream_t;

cudaError_t cudaMalloc(void **pointer, size_t size);
cudaError_t cudaFree(void *pointer);
cudaError_t cudaMemcpy(void *to, const void *from, size_t count,
                       enum cudaMemcpyKind kind);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
const char *cudaGetErrorString(cudaError_t error);

#endif
