/* SPDX-License-Identifier: MIT
 *
 * fake_cuda.c - a device made of host memory.
 *
 * In: the calls of runtime/cuda.c. Out: host memory that plays the device's,
 * counts, and a failure where the test asked for one. Invariant: a call that
 * is told to fail does nothing else, and leaves a wild pointer behind where
 * CUDA would leave an undefined one.
 */
#include "fake_cuda.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cuda_runtime_api.h"

static struct fake_cuda state;

static int fails(void)
{
    state.calls++;
    return state.calls == state.fail_at;
}

void fake_cuda_reset(int fail_at)
{
    state = (struct fake_cuda){.fail_at = fail_at};
}

struct fake_cuda fake_cuda_state(void)
{
    return state;
}

cudaError_t cudaMalloc(void **pointer, size_t size)
{
    *pointer = (void *)(uintptr_t)1;
    if (fails())
        return cudaErrorMemoryAllocation;
    *pointer = malloc(size);
    if (*pointer == NULL)
        return cudaErrorMemoryAllocation;
    state.mallocs++;
    state.live++;
    return cudaSuccess;
}

cudaError_t cudaFree(void *pointer)
{
    state.live -= pointer != NULL;
    free(pointer);
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t count,
                       enum cudaMemcpyKind kind)
{
    if (fails() || kind != cudaMemcpyHostToDevice)
        return cudaErrorInvalidValue;
    memcpy(to, from, count);
    state.copies++;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    if (fails() || stream != NULL)
        return cudaErrorInvalidValue;
    state.syncs++;
    return cudaSuccess;
}

const char *cudaGetErrorString(cudaError_t error)
{
    return error == cudaErrorMemoryAllocation ? "out of memory"
                                              : "invalid argument";
}
