/* SPDX-License-Identifier: MIT
 *
 * cuda_options.c - what the caller of an upload wants.
 *
 * In: the caller's options, or none. Out: options without a default left, all
 * in their ranges. Invariant: nothing is corrected; what is out of its range is
 * a TTSB_BAD_ARGUMENT that names the member.
 */
#include "cuda_internal.h"

#include <sched.h>
#include <string.h>

/* Pinning is paid for before the first byte moves, about 0.6 ms a MiB: 10 ms
 * for this ring, half of what copying 1 GB takes on PCIe 5. A slot is 40 us of
 * such a bus, some times what a copy's call and its end's telling take. */
#define SLOTS 8
#define SLOT_SIZE (UINT64_C(2) << 20)
#define MAX_SLOT_SIZE (UINT64_C(1) << 30)
#define GRAIN 65536

/* Some threads saturate a bus; the rest of the slots is in flight meanwhile. */
#define MOST_READERS 6

static uint32_t processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    return (uint32_t)CPU_COUNT(&set);
}

/* A later version's members must be 0, so that nothing asked for is missed. */
static bool takes(struct ttsb_cuda_options *o,
                  const struct ttsb_cuda_options *options)
{
    const uint8_t *bytes = (const uint8_t *)options;
    if (options->struct_size < sizeof(*o) ||
        options->struct_size > TTSB__CUDA_STRUCT)
        return false;
    memcpy(o, options, sizeof(*o));
    for (uint32_t i = sizeof(*o); i < o->struct_size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static const char *out_of_range(const struct ttsb_cuda_options *o)
{
    if (o->flags & ~(TTSB_CUDA_ASYNC | TTSB_CUDA_VERIFY))
        return "options->flags";
    if (o->path > TTSB_CUDA_UNIFIED)
        return "options->path";
    if (o->slots == 1 || o->slots > TTSB__CUDA_SLOTS)
        return "options->slots";
    if (o->slot_size % GRAIN != 0 || o->slot_size > MAX_SLOT_SIZE)
        return "options->slot_size";
    if (o->threads > TTSB__CUDA_THREADS)
        return "options->threads";
    if (o->reserved != 0)
        return "options->reserved";
    if (o->stream == cudaStreamPerThread) /* each reader would have its own */
        return "options->stream";
    if (o->file == NULL &&
        (o->path == TTSB_CUDA_READ || o->path == TTSB_CUDA_DIRECT))
        return "options->file";
    if (o->allocator != NULL &&
        (o->allocator->allocate == NULL || o->allocator->release == NULL))
        return "options->allocator";
    return NULL;
}

int32_t ttsb__cuda_options(const struct ttsb_cuda_options *options,
                           struct ttsb_cuda_options *o,
                           struct ttsb_error *error)
{
    const char *wrong;
    uint32_t cpus = processors();
    memset(o, 0, sizeof(*o));
    if (options != NULL && !takes(o, options))
        return ttsb__cuda_bad(error, "options->struct_size");
    wrong = out_of_range(o);
    if (wrong != NULL)
        return ttsb__cuda_bad(error, wrong);
    if (o->slots == 0)
        o->slots = SLOTS;
    if (o->slot_size == 0)
        o->slot_size = SLOT_SIZE;
    if (o->threads == 0)
        o->threads = cpus < MOST_READERS ? cpus : MOST_READERS;
    return TTSB_OK;
}
