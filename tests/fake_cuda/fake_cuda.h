/* SPDX-License-Identifier: MIT
 *
 * fake_cuda.h - what a test may ask of the fake device, and tell it.
 *
 * In: which call shall fail. Out: counts of calls and of live allocations.
 * Invariant: the device's memory is the host's, so that a test can compare its
 * bytes; the state is one struct that fake_cuda_reset empties, as CUDA's own
 * interface leaves no other place for it.
 */
#ifndef FAKE_CUDA_H
#define FAKE_CUDA_H

struct fake_cuda {
    int fail_at; /* this call fails, counted from 1; 0: none */
    int calls;   /* of cudaMalloc, cudaMemcpy and cudaStreamSynchronize */
    int mallocs;
    int copies;
    int syncs;
    int live; /* allocations that were not freed */
};

/* Forgets all counts; the fail_at-th call from now on fails. */
void fake_cuda_reset(int fail_at);

/* The counts since the reset. */
struct fake_cuda fake_cuda_state(void);

#endif
