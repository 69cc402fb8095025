/* SPDX-License-Identifier: MIT
 *
 * gpu_measure.h - what the bench's worker does on request.
 *
 * In: a request. Out: members of the reply. Each returns NULL, or what went
 * wrong, a text that stays until the next call; the reply then has nothing of
 * use but that. Invariant: nothing of one request is left for the next but the
 * pinned buffer of the limit, which would take longer to pin than to copy.
 */
#ifndef GPU_MEASURE_H
#define GPU_MEASURE_H

#include <stdint.h>

#include "gpu_request.h"
#include "ttsb_cuda.h"

/* What lives as long as the worker; all zero at first. */
struct gpu_worker {
    void *pinned; /* of GPU_LIMIT_SIZE bytes, once the limit was asked for */
    struct ttsb_error error;
    char text[512];
};

#define GPU_LIMIT_SIZE (UINT64_C(1) << 30)

/* A clock that only runs forward, in seconds. */
double gpu_now(void);

/* The worker's text, made of the call that failed. */
const char *gpu_failed(struct gpu_worker *w, const char *call, int cuda_error);
const char *gpu_refused(struct gpu_worker *w, const char *call);

/* Fills *options from path, threads, slots, slot_size, verify, file; the
 * file's name stays the request's. */
const char *gpu_options(struct gpu_worker *w, const struct gpu_request *request,
                        struct ttsb_cuda_options *options);

/* bytes: copied from pinned memory by plain cudaMemcpy, in runs of at most
 * GPU_LIMIT_SIZE; `seconds`, without any allocation. */
const char *gpu_limit(struct gpu_worker *w, const struct gpu_request *request);

/* file: opened, and each group copied from the mapping by one cudaMemcpy. */
const char *gpu_pageable(struct gpu_worker *w,
                         const struct gpu_request *request);

/* file and options: opened, verified on the host where verify=host, uploaded;
 * `seconds` is all of it, then its parts and the upload's report. */
const char *gpu_upload(struct gpu_worker *w, const struct gpu_request *request);

/* file, kind, bytes and options: uploaded, every tensor read back and held to
 * the plan's bytes; a byte flipped on the device and found by ttsb_cuda_verify
 * as the one piece that it is in, and nothing once it is back. */
const char *gpu_check(struct gpu_worker *w, const struct gpu_request *request);

#endif
