/* SPDX-License-Identifier: MIT
 *
 * cuda_memory.c - device memory for the groups: ours, the caller's, or from
 * the caller's allocator.
 *
 * In: the groups. Out: group.memory, and how it is given back. Invariant: what
 * was allocated is in its group before the next call can fail, and is given
 * back once.
 */
#include "cuda_internal.h"

/* What a kernel may count on; cudaMalloc gives it, and promises no more. */
#define DEVICE_ALIGN 256

static void free_ours(struct ttsb_cuda_image *image, uint32_t group)
{
    ttsb__cuda_forget(cudaFree(image->groups[group].owned));
}

static void free_theirs(struct ttsb_cuda_image *image, uint32_t group)
{
    image->allocator.release(image->allocator.user, group,
                             image->groups[group].memory);
}

static uint64_t align_of(const struct ttsb__cuda_group *g)
{
    return g->align > DEVICE_ALIGN ? g->align : DEVICE_ALIGN;
}

static int32_t ask_allocator(struct ttsb_cuda_image *image, uint32_t group,
                             struct ttsb_error *error)
{
    struct ttsb__cuda_group *g = &image->groups[group];
    g->memory = image->allocator.allocate(image->allocator.user, group, g->size,
                                          align_of(g));
    if (g->memory == NULL)
        return ttsb__cuda_fail(error, TTSB_DEVICE_MEMORY,
                               "options->allocator->allocate", "NULL");
    g->give_back = free_theirs;
    if ((uintptr_t)g->memory % align_of(g) != 0)
        return ttsb__cuda_bad(error, "options->allocator->allocate");
    return TTSB_OK;
}

static int32_t ask_cuda(struct ttsb_cuda_image *image, uint32_t group,
                        struct ttsb_error *error)
{
    struct ttsb__cuda_group *g = &image->groups[group];
    const bool unified = image->path == TTSB_CUDA_UNIFIED;
    const uint64_t size = g->size + (align_of(g) - DEVICE_ALIGN);
    void *memory = NULL;
    /* The host's until the group is complete: a device that cannot share
     * managed memory with the host at the same time must not see it before. */
    cudaError_t result =
        unified ? cudaMallocManaged(&memory, (size_t)size, cudaMemAttachHost)
                : cudaMalloc(&memory, (size_t)size);
    if (result != cudaSuccess)
        return ttsb__cuda_check(result, TTSB_DEVICE_MEMORY,
                                unified ? "cudaMallocManaged" : "cudaMalloc",
                                error);
    g->owned = memory;
    g->memory = g->owned +
                (align_of(g) - (uintptr_t)memory % align_of(g)) % align_of(g);
    g->give_back = free_ours;
    return TTSB_OK;
}

static int32_t allocate(struct ttsb_cuda_image *image, uint32_t group,
                        struct ttsb_error *error)
{
    struct ttsb__cuda_group *g = &image->groups[group];
    void *const *memory = image->options.memory;
    if (memory != NULL && memory[group] != NULL) {
        if ((uintptr_t)memory[group] % align_of(g) != 0)
            return ttsb__cuda_bad(error, "options->memory");
        g->memory = memory[group];
        return TTSB_OK;
    }
    if (image->options.allocator != NULL)
        return ask_allocator(image, group, error);
    return ask_cuda(image, group, error);
}

int32_t ttsb__cuda_allocate(struct ttsb_cuda_image *image,
                            struct ttsb_error *error)
{
    for (uint32_t i = 0; i < image->group_count; i++) {
        int32_t status;
        image->bases[i] = image->groups[i].data;
        if (image->groups[i].size == 0)
            continue;
        status = allocate(image, i, error);
        if (status != TTSB_OK)
            return status;
        image->bases[i] = image->groups[i].memory;
    }
    return TTSB_OK;
}

void ttsb__cuda_give_back(struct ttsb_cuda_image *image)
{
    for (uint32_t i = 0; i < image->group_count; i++) {
        if (image->groups[i].give_back != NULL)
            image->groups[i].give_back(image, i);
        image->groups[i].give_back = NULL;
    }
}
