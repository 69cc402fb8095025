/* SPDX-License-Identifier: MIT
 *
 * cuda_twin.h - buffers that a host and a device have, and their comparison.
 *
 * In: what each kernel's test has made. Out: a count of differences for each
 * kernel, and a line for its first one; a device that fails ends the test with
 * exit 1. Invariant: both sides begin with the same bytes and lie in the same
 * guards, so what a kernel should not have written shows too.
 */
#ifndef CUDA_TWIN_H
#define CUDA_TWIN_H

#include <cuda_runtime_api.h>

#include "kernels_cuda.h"

enum kernel {
    CAST,
    SCAN,
    PERMUTE,
    SUMSQ,
    FACTORS,
    SCALE,
    EXP,
    MAP,
    COMBINE,
    COMBINE_KEEP,
    DOT,
    PIECES,
    KERNELS
};

/* What a kernel is called in the output. */
const char *kernel_name(enum kernel kernel);

struct bench {
    enum kernel kernel; /* under test */
    char what[80];      /* it is given */
    struct kernel_cuda_call call;
    unsigned long long bytes[KERNELS]; /* compared so far */
    unsigned failures[KERNELS];        /* only the first is printed */
};

/* Prints and exits where rc is an error: what follows would mean nothing. */
void need(const struct bench *b, cudaError_t rc);

/* size bytes of zeros, and 8 more; for free. */
void *get(const struct bench *b, size_t size);

/* A buffer on both sides, each in a guard. */
struct twin {
    void *host;
    void *device;
    size_t size;
    size_t width; /* of an element */
    size_t lead;  /* guard before the buffer */
};

/* size bytes at an address that is `shift` past a multiple of 16. `bytes` may
 * be NULL, for a result. */
struct twin twin_make(const struct bench *b, const void *bytes, size_t size,
                      size_t width, size_t shift);

/* Compares both sides, and makes the device's like the host's. */
void twin_check(struct bench *b, const struct twin *t);

/* twin_check, and frees both. */
void twin_end(struct bench *b, struct twin *t);

/* Makes what the next call will find nothing. */
void forget_found(const struct bench *b);

/* Compares what a call returned and found, and forgets it for the next; the
 * host knows such arguments or not, and found `count` from `first` on. */
void check_call(struct bench *b, int rc, bool known, uint64_t count,
                uint64_t first);

#endif
