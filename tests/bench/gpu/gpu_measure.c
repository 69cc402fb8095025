/* SPDX-License-Identifier: MIT
 *
 * gpu_measure.c - the copies that the bench times.
 *
 * In: requests. Out: seconds. What is timed begins when the file is opened and
 * ends when its bytes are on the device; giving memory back is not timed, nor
 * is pinning the limit's buffer.
 */
#include "gpu_measure.h"

#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double gpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

const char *gpu_failed(struct gpu_worker *w, const char *call, int cuda_error)
{
    snprintf(w->text, sizeof(w->text), "%s: %s", call,
             cudaGetErrorString((cudaError_t)cuda_error));
    (void)cudaGetLastError(); /* so that the next request does not see it */
    return w->text;
}

const char *gpu_refused(struct gpu_worker *w, const char *call)
{
    snprintf(w->text, sizeof(w->text), "%s: %s: %s", call,
             ttsb_status_name(w->error.status), w->error.text);
    return w->text;
}

const char *gpu_options(struct gpu_worker *w, const struct gpu_request *request,
                        struct ttsb_cuda_options *options)
{
    static const char *const paths[] = {"auto",   "mapped",   "read",
                                        "direct", "register", "unified"};
    const char *path = gpu_request_text(request, "path");
    const char *verify = gpu_request_text(request, "verify");
    uint32_t i = 0;
    while (path != NULL && i < 6 && strcmp(path, paths[i]) != 0)
        i++;
    if (i == 6) {
        snprintf(w->text, sizeof(w->text), "no path is called %s", path);
        return w->text;
    }
    *options = (struct ttsb_cuda_options){.struct_size = sizeof(*options)};
    options->path = i;
    options->threads = (uint32_t)gpu_request_number(request, "threads");
    options->slots = (uint32_t)gpu_request_number(request, "slots");
    options->slot_size = gpu_request_number(request, "slot_size");
    options->file = gpu_request_text(request, "file");
    if (verify != NULL && strcmp(verify, "device") == 0)
        options->flags = TTSB_CUDA_VERIFY;
    return NULL;
}

static const char *prepare_limit(struct gpu_worker *w, void **device)
{
    cudaError_t e;
    if (w->pinned == NULL) {
        e = cudaHostAlloc(&w->pinned, GPU_LIMIT_SIZE, cudaHostAllocDefault);
        if (e != cudaSuccess) {
            w->pinned = NULL;
            return gpu_failed(w, "cudaHostAlloc", (int)e);
        }
        memset(w->pinned, 0x5a, GPU_LIMIT_SIZE);
    }
    e = cudaMalloc(device, GPU_LIMIT_SIZE);
    return e == cudaSuccess ? NULL : gpu_failed(w, "cudaMalloc", (int)e);
}

const char *gpu_limit(struct gpu_worker *w, const struct gpu_request *request)
{
    const uint64_t bytes = gpu_request_number(request, "bytes");
    uint64_t left = bytes;
    cudaError_t e = cudaSuccess;
    void *device;
    double start;
    if (prepare_limit(w, &device) != NULL)
        return w->text;
    start = gpu_now();
    while (left != 0 && e == cudaSuccess) {
        const uint64_t n = left < GPU_LIMIT_SIZE ? left : GPU_LIMIT_SIZE;
        e = cudaMemcpy(device, w->pinned, (size_t)n, cudaMemcpyHostToDevice);
        left -= n;
    }
    gpu_reply_seconds("seconds", gpu_now() - start);
    gpu_reply_number("bytes", bytes);
    cudaFree(device);
    return e == cudaSuccess ? NULL : gpu_failed(w, "cudaMemcpy", (int)e);
}

/* Allocates for the group, copies it, and leaves it to the caller to free. */
static const char *copy_group(struct gpu_worker *w, const struct ttsb_group *g,
                              void **device)
{
    cudaError_t e;
    if (g->size == 0 || g->place == TTSB_PLACE_HOST)
        return NULL;
    e = cudaMalloc(device, (size_t)g->size);
    if (e != cudaSuccess) {
        *device = NULL;
        return gpu_failed(w, "cudaMalloc", (int)e);
    }
    e = cudaMemcpy(*device, g->data, (size_t)g->size, cudaMemcpyHostToDevice);
    return e == cudaSuccess ? NULL : gpu_failed(w, "cudaMemcpy", (int)e);
}

/* A pageable copy may return before the device has the bytes; a byte that is
 * read back of the last one cannot. */
static const char *await_copies(struct gpu_worker *w, void *const *device,
                                uint32_t count)
{
    char byte;
    cudaError_t e = cudaSuccess;
    while (count != 0 && device[count - 1] == NULL)
        count--;
    if (count != 0)
        e = cudaMemcpy(&byte, device[count - 1], 1, cudaMemcpyDeviceToHost);
    return e == cudaSuccess ? NULL : gpu_failed(w, "cudaMemcpy", (int)e);
}

const char *gpu_pageable(struct gpu_worker *w,
                         const struct gpu_request *request)
{
    struct ttsb_info info = {.struct_size = sizeof(info)};
    const double start = gpu_now();
    const char *failure = NULL;
    struct ttsb_blob *blob;
    uint64_t bytes = 0;
    void **device;
    if (ttsb_open(gpu_request_text(request, "file"), NULL, &blob, &w->error) !=
        TTSB_OK)
        return gpu_refused(w, "ttsb_open");
    ttsb_info(blob, &info);
    device = calloc(info.group_count, sizeof(*device));
    if (device == NULL)
        abort();
    for (uint32_t i = 0; i < info.group_count && failure == NULL; i++) {
        struct ttsb_group g = {.struct_size = sizeof(g)};
        ttsb_group_at(blob, i, &g);
        failure = copy_group(w, &g, &device[i]);
        bytes += g.size;
    }
    if (failure == NULL)
        failure = await_copies(w, device, info.group_count);
    gpu_reply_seconds("seconds", gpu_now() - start);
    gpu_reply_number("bytes", bytes);
    for (uint32_t i = 0; i < info.group_count; i++)
        cudaFree(device[i]);
    free(device);
    ttsb_close(blob);
    return failure;
}

static void reply_report(const struct ttsb_cuda_image *image)
{
    static const char *const paths[] = {"auto",   "mapped",   "read",
                                        "direct", "register", "unified"};
    struct ttsb_cuda_report r = {.struct_size = sizeof(r)};
    ttsb_cuda_report(image, &r);
    gpu_reply_text("path", r.path < 6 ? paths[r.path] : "?");
    gpu_reply_number("bytes", r.bytes);
    gpu_reply_number("pinned_bytes", r.pinned_bytes);
    gpu_reply_number("threads", r.threads);
    gpu_reply_number("slots", r.slots);
    gpu_reply_number("setup_ns", r.setup_ns);
    gpu_reply_number("fill_ns", r.fill_ns);
    gpu_reply_number("wait_ns", r.wait_ns);
    gpu_reply_number("first_group_ns", r.first_group_ns);
    gpu_reply_number("copy_ns", r.copy_ns);
    gpu_reply_number("verify_ns", r.verify_ns);
    gpu_reply_number("total_ns", r.total_ns);
    gpu_reply_number("pieces", r.pieces);
}

static uint32_t processors(void)
{
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > TTSB_MAX_THREADS ? TTSB_MAX_THREADS : (uint32_t)n;
}

const char *gpu_upload(struct gpu_worker *w, const struct gpu_request *request)
{
    const char *verify = gpu_request_text(request, "verify");
    const double start = gpu_now();
    double opened, verified;
    struct ttsb_cuda_options options;
    struct ttsb_cuda_image *image;
    struct ttsb_blob *blob;
    if (gpu_options(w, request, &options) != NULL)
        return w->text;
    if (ttsb_open(options.file, NULL, &blob, &w->error) != TTSB_OK)
        return gpu_refused(w, "ttsb_open");
    opened = gpu_now();
    if (verify != NULL && strcmp(verify, "host") == 0 &&
        ttsb_verify(blob, processors(), NULL, &w->error) != TTSB_OK) {
        ttsb_close(blob);
        return gpu_refused(w, "ttsb_verify");
    }
    verified = gpu_now();
    if (ttsb_cuda_upload(blob, &options, &image, &w->error) != TTSB_OK) {
        ttsb_close(blob);
        return gpu_refused(w, "ttsb_cuda_upload");
    }
    gpu_reply_seconds("seconds", gpu_now() - start);
    gpu_reply_seconds("open_seconds", opened - start);
    gpu_reply_seconds("verify_seconds", verified - opened);
    reply_report(image);
    ttsb_cuda_release(image);
    ttsb_close(blob);
    return NULL;
}
