/* SPDX-License-Identifier: MIT
 *
 * gpu_bench.c - the worker of the bench: one process, one CUDA context.
 *
 * In: requests on stdin, a line each (gpu_request.h):
 *
 *     device                     what there is; the context is made
 *     warm file=F, cold file=F   the page cache; `resident`
 *     limit, pageable, upload, check: gpu_measure.h
 *
 * Out: a line of JSON for each, with `error` where it failed. Ends with the
 * input. Exit 77 and a line on stderr if there is no device.
 *
 * Invariant: what is timed is timed in here, so that neither the pipe nor the
 * caller is in it; making the context is in no figure.
 */
#include <cuda_runtime_api.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_cache.h"
#include "gpu_measure.h"

#define SKIPPED 77

/* The first call that needs the context makes it. */
static const char *device(struct gpu_worker *w, const struct gpu_request *r)
{
    int number = 0;
    cudaError_t e = cudaGetDevice(&number);
    (void)r;
    if (e == cudaSuccess)
        e = cudaFree(NULL);
    if (e != cudaSuccess)
        return gpu_failed(w, "device", (int)e);
    gpu_reply_number("device", (uint64_t)number);
    return NULL;
}

static const char *cache(struct gpu_worker *w, const struct gpu_request *r)
{
    const char *file = gpu_request_text(r, "file");
    double resident = 0;
    if (file == NULL)
        return "no file";
    if (!gpu_cache(file, strcmp(r->command, "cold") == 0, &resident)) {
        snprintf(w->text, sizeof(w->text), "%s: %s", r->command,
                 strerror(errno));
        return w->text;
    }
    gpu_reply_seconds("resident", resident);
    return NULL;
}

static const struct {
    const char *name;
    const char *(*run)(struct gpu_worker *w, const struct gpu_request *r);
} commands[] = {
    {"device", device},
    {"warm", cache},
    {"cold", cache},
    {"limit", gpu_limit},
    {"pageable", gpu_pageable},
    {"upload", gpu_upload},
    {"check", gpu_check},
};

static void serve(struct gpu_worker *w, const struct gpu_request *r)
{
    const char *failure = "no such command";
    const uint64_t before = gpu_memory("VmRSS");
    const bool reset = gpu_memory_reset();
    gpu_reply_begin();
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, r->command) == 0)
            failure = commands[i].run(w, r);
    if (failure != NULL)
        gpu_reply_text("error", failure);
    gpu_reply_number("rss_before", before);
    if (reset)
        gpu_reply_number("rss_peak", gpu_memory("VmHWM"));
    gpu_reply_end();
}

int main(void)
{
    struct gpu_worker worker = {
        .error = {.struct_size = sizeof(struct ttsb_error)}};
    struct gpu_request request;
    char *line = NULL;
    size_t room = 0;
    int device_number = 0;
    const cudaError_t e = cudaGetDevice(&device_number);
    if (e != cudaSuccess) {
        fprintf(stderr, "gpu_bench: no CUDA device: %s\n",
                cudaGetErrorString(e));
        return SKIPPED;
    }
    while (getline(&line, &room, stdin) > 0) {
        if (gpu_request_parse(line, &request)) {
            serve(&worker, &request);
            continue;
        }
        gpu_reply_begin();
        gpu_reply_text("error", "not a request");
        gpu_reply_end();
    }
    free(line);
    cudaFreeHost(worker.pinned);
    return 0;
}
