/* SPDX-License-Identifier: MIT
 *
 * fake_cuda.c - a device made of host memory: its memory, its failures.
 *
 * In: the calls that are no stream's. Out: memory that plays the device's,
 * counts, and a failure where the test asked for one. Device memory has an
 * address where nothing can be read, and its bytes elsewhere; it is full of
 * 0xA5 at first, and no more than 256-aligned, as CUDA promises no more.
 *
 * Invariant: a call that is told to fail does nothing else, and leaves a wild
 * pointer behind where CUDA would leave an undefined one; but what gives back
 * gives back.
 */
#include "fake_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { OFFSET = 256, FILLING = 0xa5 };

struct fake fake = {.lock = PTHREAD_MUTEX_INITIALIZER,
                    .changed = PTHREAD_COND_INITIALIZER,
                    .allowed = UINT32_MAX};

static _Thread_local int current_device;
static _Thread_local cudaError_t last_error;

static const struct {
    const char *name;
    cudaError_t error;
} calls[FAKE_CALLS] = {
    [FAKE_ANY] = {"any", cudaErrorUnknown},
    [FAKE_GET_DEVICE] = {"cudaGetDevice", cudaErrorInvalidDevice},
    [FAKE_SET_DEVICE] = {"cudaSetDevice", cudaErrorInvalidDevice},
    [FAKE_ATTRIBUTE] = {"cudaDeviceGetAttribute", cudaErrorInvalidValue},
    [FAKE_MALLOC] = {"cudaMalloc", cudaErrorMemoryAllocation},
    [FAKE_FREE] = {"cudaFree", cudaErrorLaunchFailure},
    [FAKE_MANAGED] = {"cudaMallocManaged", cudaErrorMemoryAllocation},
    [FAKE_HOST_ALLOC] = {"cudaHostAlloc", cudaErrorMemoryAllocation},
    [FAKE_FREE_HOST] = {"cudaFreeHost", cudaErrorLaunchFailure},
    [FAKE_REGISTER] = {"cudaHostRegister", cudaErrorMemoryAllocation},
    [FAKE_UNREGISTER] = {"cudaHostUnregister", cudaErrorLaunchFailure},
    [FAKE_DEVICE_POINTER] = {"cudaHostGetDevicePointer", cudaErrorInvalidValue},
    [FAKE_STREAM_CREATE] = {"cudaStreamCreateWithFlags",
                            cudaErrorMemoryAllocation},
    [FAKE_STREAM_DESTROY] = {"cudaStreamDestroy", cudaErrorLaunchFailure},
    [FAKE_STREAM_SYNC] = {"cudaStreamSynchronize", cudaErrorLaunchFailure},
    [FAKE_STREAM_WAIT] = {"cudaStreamWaitEvent",
                          cudaErrorInvalidResourceHandle},
    [FAKE_EVENT_CREATE] = {"cudaEventCreateWithFlags",
                           cudaErrorMemoryAllocation},
    [FAKE_EVENT_RECORD] = {"cudaEventRecord", cudaErrorInvalidResourceHandle},
    [FAKE_EVENT_SYNC] = {"cudaEventSynchronize", cudaErrorLaunchFailure},
    [FAKE_EVENT_QUERY] = {"cudaEventQuery", cudaErrorLaunchFailure},
    [FAKE_EVENT_DESTROY] = {"cudaEventDestroy", cudaErrorLaunchFailure},
    [FAKE_COPY_NOW] = {"cudaMemcpy", cudaErrorInvalidValue},
    [FAKE_COPY] = {"cudaMemcpyAsync", cudaErrorInvalidValue},
    [FAKE_FILL] = {"cudaMemsetAsync", cudaErrorInvalidValue},
    [FAKE_ATTACH] = {"cudaStreamAttachMemAsync", cudaErrorInvalidValue},
    [FAKE_LAUNCH] = {"kernel_cuda_check_pieces", cudaErrorLaunchFailure},
};

_Noreturn void fake_misuse(const char *text, const void *address)
{
    fprintf(stderr, "fake CUDA: %s (%p)\n", text, address);
    abort();
}

/* --- failures and counts --- */

static void settle(void)
{
    pthread_cond_broadcast(&fake.changed);
    for (uint32_t i = 0; i < FAKE_STREAMS; i++)
        if (fake.streams[i].alive)
            fake_drain(&fake.streams[i]);
}

cudaError_t fake_enter(enum fake_call call)
{
    struct fake_counts *c = &fake.counts;
    cudaError_t result = cudaSuccess;
    enum fake_call kind;
    pthread_mutex_lock(&fake.lock);
    kind = fake.plan.fail;
    c->calls[call]++;
    c->calls[FAKE_ANY]++;
    if (fake.lost)
        result = cudaErrorIllegalAddress;
    else if ((kind == FAKE_ANY || kind == call) && fake.plan.fail_at != 0 &&
             c->calls[kind] == fake.plan.fail_at)
        result = calls[call].error;
    if (result != cudaSuccess && c->failed == FAKE_ANY) {
        c->failed = call;
        c->error = (int)result;
    }
    if (result != cudaSuccess && fake.plan.lost)
        fake.lost = true;
    if (fake.lost)
        settle();
    return result;
}

cudaError_t fake_leave(cudaError_t result)
{
    pthread_mutex_unlock(&fake.lock);
    if (result != cudaSuccess && result != cudaErrorNotReady)
        last_error = result;
    return result;
}

int fake_device(void)
{
    return current_device;
}

const char *fake_cuda_name(enum fake_call call)
{
    return calls[call].name;
}

void fake_cuda_reset(const struct fake_plan *plan)
{
    const struct fake_counts c = fake_cuda_counts();
    if (fake_cuda_alive() != 0) {
        fprintf(stderr,
                "fake CUDA: alive: %u device, %u managed, %u pinned, "
                "%u registered, %u streams, %u events\n",
                c.device, c.managed, c.pinned, c.registered, c.streams,
                c.events);
        abort();
    }
    pthread_mutex_lock(&fake.lock);
    fake.plan = plan != NULL ? *plan : (struct fake_plan){.seed = 0};
    fake.counts = (struct fake_counts){.error = 0};
    fake.lost = false;
    fake.allowed = UINT32_MAX;
    pthread_mutex_unlock(&fake.lock);
    last_error = cudaSuccess;
    current_device = 0;
}

void fake_cuda_plan(const struct fake_plan *plan)
{
    struct fake_counts *c = &fake.counts;
    pthread_mutex_lock(&fake.lock);
    fake.plan = *plan;
    memset(c->calls, 0, sizeof(c->calls));
    c->failed = FAKE_ANY;
    c->works = 0;
    fake.lost = false;
    pthread_mutex_unlock(&fake.lock);
}

struct fake_counts fake_cuda_counts(void)
{
    struct fake_counts c;
    pthread_mutex_lock(&fake.lock);
    c = fake.counts;
    pthread_mutex_unlock(&fake.lock);
    return c;
}

uint32_t fake_cuda_alive(void)
{
    const struct fake_counts c = fake_cuda_counts();
    return c.device + c.managed + c.pinned + c.registered + c.streams +
           c.events;
}

void fake_cuda_allow(uint32_t works)
{
    pthread_mutex_lock(&fake.lock);
    fake.allowed = works;
    pthread_cond_broadcast(&fake.changed);
    pthread_mutex_unlock(&fake.lock);
}

/* --- memory --- */

static void *map(size_t size, int protection)
{
    void *p = mmap(NULL, size, protection,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        fake_misuse("the host has no memory", NULL);
    return p;
}

struct fake_range *fake_find(const void *address, size_t size)
{
    const uint8_t *p = address;
    for (uint32_t i = 0; i < fake.range_count; i++) {
        struct fake_range *r = &fake.ranges[i];
        if (p + size <= r->address || p >= r->address + r->size)
            continue;
        if (p < r->address || p + size > r->address + r->size)
            fake_misuse("bytes within and without a range", address);
        return r;
    }
    return NULL;
}

uint8_t *fake_on_device(const void *address, size_t size)
{
    const struct fake_range *r = fake_find(address, size);
    if (r == NULL && fake.plan.attributes[cudaDevAttrPageableMemoryAccess])
        return (uint8_t *)(uintptr_t)address;
    if (r == NULL)
        fake_misuse("this is no device memory", address);
    return r->bytes + ((const uint8_t *)address - r->address);
}

uint8_t *fake_cuda_bytes(const void *device)
{
    uint8_t *bytes;
    pthread_mutex_lock(&fake.lock);
    bytes = fake_on_device(device, 1);
    pthread_mutex_unlock(&fake.lock);
    return bytes;
}

uint32_t fake_cuda_of_device(int device)
{
    uint32_t n = 0;
    pthread_mutex_lock(&fake.lock);
    for (uint32_t i = 0; i < fake.range_count; i++)
        n += fake.ranges[i].device == device &&
             fake.ranges[i].memory <= FAKE_IS_MANAGED;
    pthread_mutex_unlock(&fake.lock);
    return n;
}

static uint32_t *count_of(enum fake_memory memory)
{
    switch (memory) {
    case FAKE_ON_DEVICE:
        return &fake.counts.device;
    case FAKE_IS_MANAGED:
        return &fake.counts.managed;
    case FAKE_IS_PINNED:
        return &fake.counts.pinned;
    default:
        return &fake.counts.registered;
    }
}

static void add_range(struct fake_range range)
{
    struct fake_counts *c = &fake.counts;
    if (fake.range_count == FAKE_RANGES)
        fake_misuse("more ranges than the fake has room for", range.address);
    range.device = current_device;
    fake.ranges[fake.range_count++] = range;
    (*count_of(range.memory))++;
    if (range.memory != FAKE_IS_PINNED && range.memory != FAKE_IS_REGISTERED)
        return;
    c->pinned_bytes += range.size;
    if (c->pinned_bytes > c->pinned_most)
        c->pinned_most = c->pinned_bytes;
}

static void unmap(const struct fake_range *r)
{
    munmap(r->bytes, r->size);
    if (r->memory == FAKE_ON_DEVICE)
        munmap(r->address - OFFSET, r->size + OFFSET);
}

/* What begins at this address, of this kind, is no more. */
static void remove_range(void *address, enum fake_memory memory)
{
    for (uint32_t i = 0; i < fake.range_count; i++) {
        const struct fake_range r = fake.ranges[i];
        if (r.address != address || r.memory != memory)
            continue;
        if (fake_in_flight(r.address, r.size))
            fake_misuse("memory is given back while in use", address);
        fake.ranges[i] = fake.ranges[--fake.range_count];
        (*count_of(memory))--;
        if (memory == FAKE_IS_PINNED || memory == FAKE_IS_REGISTERED)
            fake.counts.pinned_bytes -= r.size;
        if (memory != FAKE_IS_REGISTERED)
            unmap(&r);
        return;
    }
    fake_misuse("memory is given back that is not there", address);
}

static cudaError_t allocate(enum fake_call call, void **pointer,
                            struct fake_range range)
{
    cudaError_t result = fake_enter(call);
    *pointer = (void *)(uintptr_t)1;
    if (result == cudaSuccess && range.size == 0)
        result = cudaErrorInvalidValue;
    if (result != cudaSuccess)
        return fake_leave(result);
    range.bytes = map(range.size, PROT_READ | PROT_WRITE);
    range.address = range.bytes;
    if (range.memory == FAKE_ON_DEVICE) {
        range.address = map(range.size + OFFSET, PROT_NONE);
        range.address += OFFSET;
    }
    memset(range.bytes, FILLING, range.size);
    add_range(range);
    *pointer = range.address;
    return fake_leave(cudaSuccess);
}

static cudaError_t give_back(enum fake_call call, void *pointer,
                             enum fake_memory memory)
{
    const cudaError_t result = fake_enter(call);
    if (pointer != NULL)
        remove_range(pointer, memory);
    return fake_leave(result);
}

cudaError_t cudaMalloc(void **pointer, size_t size)
{
    return allocate(
        FAKE_MALLOC, pointer,
        (struct fake_range){.size = size, .memory = FAKE_ON_DEVICE});
}

cudaError_t cudaFree(void *pointer)
{
    const struct fake_range *r;
    bool managed;
    pthread_mutex_lock(&fake.lock);
    r = pointer != NULL ? fake_find(pointer, 1) : NULL;
    managed = r != NULL && r->memory == FAKE_IS_MANAGED;
    pthread_mutex_unlock(&fake.lock);
    return give_back(FAKE_FREE, pointer,
                     managed ? FAKE_IS_MANAGED : FAKE_ON_DEVICE);
}

cudaError_t cudaMallocManaged(void **pointer, size_t size, unsigned int flags)
{
    if (flags != cudaMemAttachGlobal && flags != cudaMemAttachHost)
        fake_misuse("cudaMallocManaged: flags", NULL);
    return allocate(
        FAKE_MANAGED, pointer,
        (struct fake_range){.size = size, .memory = FAKE_IS_MANAGED});
}

cudaError_t cudaHostAlloc(void **pointer, size_t size, unsigned int flags)
{
    (void)flags;
    return allocate(
        FAKE_HOST_ALLOC, pointer,
        (struct fake_range){.size = size, .memory = FAKE_IS_PINNED});
}

cudaError_t cudaFreeHost(void *pointer)
{
    return give_back(FAKE_FREE_HOST, pointer, FAKE_IS_PINNED);
}

/* All that an upload registers is a blob's mapping, which cannot be written. */
cudaError_t cudaHostRegister(void *pointer, size_t size, unsigned int flags)
{
    cudaError_t result = fake_enter(FAKE_REGISTER);
    if (result == cudaSuccess && (flags & cudaHostRegisterReadOnly) == 0)
        result = cudaErrorInvalidValue;
    if (result == cudaSuccess && fake_find(pointer, size) != NULL)
        result = cudaErrorHostMemoryAlreadyRegistered;
    if (result == cudaSuccess)
        add_range((struct fake_range){.address = pointer,
                                      .bytes = pointer,
                                      .size = size,
                                      .memory = FAKE_IS_REGISTERED});
    return fake_leave(result);
}

cudaError_t cudaHostUnregister(void *pointer)
{
    return give_back(FAKE_UNREGISTER, pointer, FAKE_IS_REGISTERED);
}

cudaError_t cudaHostGetDevicePointer(void **device, void *host,
                                     unsigned int flags)
{
    cudaError_t result = fake_enter(FAKE_DEVICE_POINTER);
    *device = (void *)(uintptr_t)1;
    if (result == cudaSuccess && (flags != 0 || fake_find(host, 1) == NULL))
        result = cudaErrorInvalidValue;
    if (result == cudaSuccess)
        *device = host;
    return fake_leave(result);
}

/* --- the device --- */

cudaError_t cudaGetDevice(int *device)
{
    const cudaError_t result = fake_enter(FAKE_GET_DEVICE);
    *device = result == cudaSuccess ? current_device : -1;
    return fake_leave(result);
}

cudaError_t cudaSetDevice(int device)
{
    cudaError_t result = fake_enter(FAKE_SET_DEVICE);
    if (result == cudaSuccess && (device < 0 || device >= FAKE_DEVICES))
        result = cudaErrorInvalidDevice;
    if (result == cudaSuccess)
        current_device = device;
    return fake_leave(result);
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute,
                                   int device)
{
    const cudaError_t result = fake_enter(FAKE_ATTRIBUTE);
    if (device < 0 || device >= FAKE_DEVICES)
        fake_misuse("cudaDeviceGetAttribute: device", NULL);
    *value =
        result == cudaSuccess ? fake.plan.attributes[attribute] : INT32_MIN;
    return fake_leave(result);
}

cudaError_t cudaGetLastError(void)
{
    const cudaError_t result = last_error;
    last_error = cudaSuccess;
    return result;
}

const char *cudaGetErrorString(cudaError_t error)
{
    switch (error) {
    case cudaSuccess:
        return "no error";
    case cudaErrorInvalidValue:
        return "invalid argument";
    case cudaErrorMemoryAllocation:
        return "out of memory";
    case cudaErrorInvalidDevice:
        return "invalid device ordinal";
    case cudaErrorInvalidResourceHandle:
        return "invalid resource handle";
    case cudaErrorNotReady:
        return "device not ready";
    case cudaErrorIllegalAddress:
        return "an illegal memory access was encountered";
    case cudaErrorLaunchFailure:
        return "unspecified launch failure";
    case cudaErrorNotSupported:
        return "operation not supported";
    case cudaErrorHostMemoryAlreadyRegistered:
        return "part or all of the requested memory range is already mapped";
    default:
        return "unknown error";
    }
}
