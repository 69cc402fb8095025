/* SPDX-License-Identifier: MIT
 *
 * cuda_twin.c - one allocation a side, with a guard before and behind.
 *
 * In: bytes. Out: both sides, and where they differ first. Invariant: a guard
 * keeps the buffer's alignment, and is compared with it.
 */
#include "cuda_twin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUARD 64 /* bytes before and behind a buffer */

static const char *const names[KERNELS] = {"cast",
                                           "scan_nonfinite",
                                           "permute",
                                           "sumsq_keep",
                                           "weight_norm_scale",
                                           "scale_keep",
                                           "exp",
                                           "map",
                                           "combine",
                                           "combine_keep",
                                           "dot_keep",
                                           "check_pieces"};
static const struct kernel_cuda_found nothing = {0, UINT64_MAX};

const char *kernel_name(enum kernel kernel)
{
    return names[kernel];
}

void need(const struct bench *b, cudaError_t rc)
{
    if (rc == cudaSuccess)
        return;
    printf("%s: %s: %s\n", names[b->kernel], b->what, cudaGetErrorString(rc));
    exit(1);
}

void *get(const struct bench *b, size_t size)
{
    void *p = calloc(1, size + 8);
    need(b, p == NULL ? cudaErrorMemoryAllocation : cudaSuccess);
    return p;
}

struct twin twin_make(const struct bench *b, const void *bytes, size_t size,
                      size_t width, size_t shift)
{
    struct twin t = {NULL, NULL, size, width, GUARD + shift};
    const size_t all = t.lead + size + GUARD;
    unsigned char *host = get(b, all);
    void *device;
    memset(host, 0xa5, all);
    if (bytes != NULL)
        memcpy(host + t.lead, bytes, size);
    need(b, cudaMalloc(&device, all));
    need(b, cudaMemcpy(device, host, all, cudaMemcpyHostToDevice));
    t.host = host + t.lead;
    t.device = (unsigned char *)device + t.lead;
    return t;
}

void twin_check(struct bench *b, const struct twin *t)
{
    const size_t all = t->lead + t->size + GUARD;
    unsigned char *host = (unsigned char *)t->host - t->lead;
    void *device = (unsigned char *)t->device - t->lead;
    unsigned char *back = get(b, all);
    unsigned long long here = 0, there = 0;
    size_t i = 0;
    need(b, cudaMemcpy(back, device, all, cudaMemcpyDeviceToHost));
    if (memcmp(back, host, all) != 0 && b->failures[b->kernel]++ == 0) {
        while (back[i] == host[i])
            i++;
        i = i < t->lead ? i : i - (i - t->lead) % t->width;
        memcpy(&here, host + i, t->width);
        memcpy(&there, back + i, t->width);
        printf("%s: %s: byte %lld of %zu: host %llx, device %llx\n",
               names[b->kernel], b->what, (long long)i - (long long)t->lead,
               t->size, here, there);
    }
    need(b, cudaMemcpy(device, host, all, cudaMemcpyHostToDevice));
    b->bytes[b->kernel] += t->size;
    free(back);
}

void twin_end(struct bench *b, struct twin *t)
{
    twin_check(b, t);
    need(b, cudaFree((unsigned char *)t->device - t->lead));
    free((unsigned char *)t->host - t->lead);
}

void forget_found(const struct bench *b)
{
    need(b, cudaMemcpy(b->call.found, &nothing, sizeof nothing,
                       cudaMemcpyHostToDevice));
}

void check_call(struct bench *b, int rc, bool known, uint64_t count,
                uint64_t first)
{
    const struct kernel_cuda_found host = {count, count ? first : UINT64_MAX};
    const int expected = known ? cudaSuccess : cudaErrorInvalidValue;
    struct kernel_cuda_found f;
    (void)cudaGetLastError();
    need(b, cudaDeviceSynchronize());
    need(b, cudaMemcpy(&f, b->call.found, sizeof f, cudaMemcpyDeviceToHost));
    if ((rc != expected || f.count != host.count || f.first != host.first) &&
        b->failures[b->kernel]++ == 0)
        printf("%s: %s: host %d, found %llu from %llu; device %d, %llu, %llu\n",
               names[b->kernel], b->what, expected, host.count, host.first, rc,
               f.count, f.first);
    forget_found(b);
}
