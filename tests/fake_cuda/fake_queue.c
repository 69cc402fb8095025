/* SPDX-License-Identifier: MIT
 *
 * fake_queue.c - the fake device's streams and events.
 *
 * In: copies, fills, checks, marks and waits. Out: each done by the stream's
 * own thread, in the order of the calls, after a delay out of the seed.
 *
 * Invariant: what is copied is what was there when the copy was asked for:
 * pinned bytes that change in between end the program, as a slot that is
 * filled too early would. A copy of pageable memory is over when its call
 * returns, as CUDA's is.
 */
#include "fake_internal.h"

#include <string.h>
#include <unistd.h>

#include "body_xxh3.h"
#include "kernels_cuda.h"

static _Thread_local bool inside;

bool fake_cuda_is_inside(void)
{
    return inside;
}

static bool overlap(const uint8_t *a, size_t an, const void *b, size_t bn)
{
    const uint8_t *p = b;
    return a != NULL && p != NULL && a < p + bn && p < a + an;
}

bool fake_in_flight(const void *address, size_t size)
{
    for (uint32_t s = 0; s < FAKE_STREAMS; s++) {
        const struct CUstream_st *q = &fake.streams[s];
        for (uint64_t i = q->done; q->alive && i < q->asked; i++) {
            const struct fake_work *w = &q->works[i % FAKE_QUEUE];
            if (overlap(w->to, w->size, address, size) ||
                overlap(w->from, w->size, address, size))
                return true;
        }
    }
    return false;
}

/* --- a stream's thread --- */

static uint32_t draw(struct CUstream_st *q)
{
    q->random = q->random * 1664525u + 1013904223u;
    return q->random >> 8;
}

/* One delay in eight is long. */
static void delay(struct CUstream_st *q, uint32_t most)
{
    const uint32_t how = draw(q);
    if (most != 0 && how % 4 != 0)
        usleep(draw(q) % (how % 8 == 1 ? most : most / 16 + 1));
}

/* Memory of another device is not within reach. */
static const uint8_t *reach(const struct kernel_piece *p, int device)
{
    const struct fake_range *r = fake_find(p->bytes, p->size);
    if (r != NULL && r->memory == FAKE_ON_DEVICE && r->device != device)
        fake_misuse("a piece on another device", p->bytes);
    return fake_on_device(p->bytes, p->size);
}

static void check_pieces(const struct fake_work *w)
{
    for (uint64_t i = 0; i < w->turn; i++) {
        struct kernel_piece p;
        const uint8_t *bytes;
        uint32_t *word;
        memcpy(&p, w->from_bytes + i * sizeof(p), sizeof(p));
        if (p.size == 0 || p.size > 65536 || (uintptr_t)p.bytes % 8 != 0)
            fake_misuse("a piece that is none", p.bytes);
        pthread_mutex_lock(&fake.lock);
        bytes = reach(&p, w->value);
        (void)fake_on_device(w->to + p.number / 32 * 4, 4);
        pthread_mutex_unlock(&fake.lock);
        word = (uint32_t *)(void *)w->to_bytes + p.number / 32;
        if (body_xxh3(bytes, p.size) != p.hash)
            *word |= UINT32_C(1) << p.number % 32;
    }
}

static void copy(const struct fake_work *w, const uint8_t *flip)
{
    if (w->value == 0 && body_xxh3(w->from_bytes, (uint32_t)w->size) != w->hash)
        fake_misuse("bytes changed before they were copied", w->from);
    memcpy(w->to_bytes, w->from_bytes, w->size);
    if (overlap(w->to, w->size, flip, 1))
        w->to_bytes[flip - w->to] ^= 1;
}

/* Without the lock, but for marks and waits. */
static void perform(const struct fake_work *w)
{
    switch (w->what) {
    case FAKE_DO_COPY:
        copy(w, fake.plan.flip);
        break;
    case FAKE_DO_FILL:
        memset(w->to_bytes, w->value, w->size);
        break;
    case FAKE_DO_CHECK:
        check_pieces(w);
        break;
    case FAKE_DO_ATTACH:
    case FAKE_DO_RECORD:
    case FAKE_DO_WAIT:
        break;
    }
}

/* Under the lock. */
static void mark(const struct fake_work *w)
{
    if (w->what == FAKE_DO_RECORD && w->event->done < w->turn)
        w->event->done = w->turn;
    while (w->what == FAKE_DO_WAIT && w->event->done < w->turn && !fake.lost)
        pthread_cond_wait(&fake.changed, &fake.lock);
}

static void next_work(struct CUstream_st *q)
{
    const struct fake_work w = q->works[q->done % FAKE_QUEUE];
    const uint32_t most = fake.plan.delay_us;
    bool lost;
    if (fake.allowed != UINT32_MAX && w.what != FAKE_DO_WAIT)
        fake.allowed--;
    if (++fake.counts.works == fake.plan.lose_at)
        fake.lost = true;
    lost = fake.lost;
    pthread_mutex_unlock(&fake.lock);
    if (!lost) {
        delay(q, most);
        perform(&w);
    }
    pthread_mutex_lock(&fake.lock);
    mark(&w);
    q->done++;
    pthread_cond_broadcast(&fake.changed);
}

static void *run(void *user)
{
    struct CUstream_st *q = user;
    pthread_mutex_lock(&fake.lock);
    while (!q->ending || q->done < q->asked) {
        if (q->done < q->asked && (fake.allowed != 0 || fake.lost))
            next_work(q);
        else
            pthread_cond_wait(&fake.changed, &fake.lock);
    }
    pthread_mutex_unlock(&fake.lock);
    return NULL;
}

/* --- works --- */

static void need_stream(const struct CUstream_st *q)
{
    if (q < fake.streams || q >= fake.streams + FAKE_STREAMS || !q->alive)
        fake_misuse("this is no stream", q);
}

static void need_event(const struct CUevent_st *e)
{
    if (e < fake.events || e >= fake.events + FAKE_EVENTS || !e->alive)
        fake_misuse("this is no event", e);
}

void fake_push(struct CUstream_st *q, const struct fake_work *work)
{
    fake.counts.elsewhere += q->device != fake_device();
    while (q->asked - q->done == FAKE_QUEUE)
        pthread_cond_wait(&fake.changed, &fake.lock);
    q->works[q->asked++ % FAKE_QUEUE] = *work;
    pthread_cond_broadcast(&fake.changed);
}

void fake_drain(struct CUstream_st *q)
{
    const uint64_t asked = q->asked;
    while (q->done < asked)
        pthread_cond_wait(&fake.changed, &fake.lock);
}

/* What the host's side of a copy is: pinned, or pageable. */
static bool is_pageable(const void *address, size_t size)
{
    const struct fake_range *r = fake_find(address, size);
    if (r != NULL && r->memory == FAKE_ON_DEVICE)
        fake_misuse("device memory where the host's must be", address);
    return r == NULL;
}

static void need_device(const void *address, size_t size)
{
    const struct fake_range *r = fake_find(address, size);
    if (r == NULL || r->memory == FAKE_IS_REGISTERED)
        fake_misuse("host memory where the device's must be", address);
}

/* The work that a copy is, and whether it is of pageable memory. */
static bool copy_work(struct fake_work *w, enum cudaMemcpyKind kind)
{
    bool pageable;
    if (kind != cudaMemcpyHostToDevice && kind != cudaMemcpyDeviceToHost)
        fake_misuse("a copy of this kind", w->to);
    if (kind == cudaMemcpyHostToDevice) {
        need_device(w->to, w->size);
        pageable = is_pageable(w->from, w->size);
        w->to_bytes = fake_on_device(w->to, w->size);
        w->from_bytes = w->from;
    } else {
        need_device(w->from, w->size);
        pageable = is_pageable(w->to, w->size);
        w->from_bytes = fake_on_device(w->from, w->size);
        w->to_bytes = (uint8_t *)(uintptr_t)w->to;
    }
    fake.counts.pageable += pageable;
    return pageable;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t count,
                            enum cudaMemcpyKind kind, cudaStream_t stream)
{
    struct fake_work w = {
        .what = FAKE_DO_COPY, .to = to, .from = from, .size = count};
    const cudaError_t result = fake_enter(FAKE_COPY);
    bool pageable;
    if (result != cudaSuccess)
        return fake_leave(result);
    need_stream(stream);
    pageable = copy_work(&w, kind);
    /* What comes from the device is made by the works before. */
    if (kind == cudaMemcpyHostToDevice)
        w.hash = body_xxh3(w.from_bytes, (uint32_t)count);
    else
        w.value = 1;
    fake_push(stream, &w);
    if (pageable)
        fake_drain(stream);
    return fake_leave(cudaSuccess);
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t count,
                       enum cudaMemcpyKind kind)
{
    struct fake_work w = {
        .what = FAKE_DO_COPY, .to = to, .from = from, .size = count};
    const cudaError_t result = fake_enter(FAKE_COPY_NOW);
    if (result != cudaSuccess)
        return fake_leave(result);
    copy_work(&w, kind);
    if (fake_in_flight(kind == cudaMemcpyHostToDevice ? to : from, count))
        fake_misuse("a copy across one that is not done", to);
    memcpy(w.to_bytes, w.from_bytes, count);
    return fake_leave(cudaSuccess);
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t count,
                            cudaStream_t stream)
{
    struct fake_work w = {
        .what = FAKE_DO_FILL, .to = to, .size = count, .value = value};
    const cudaError_t result = fake_enter(FAKE_FILL);
    if (result != cudaSuccess)
        return fake_leave(result);
    need_stream(stream);
    need_device(to, count);
    w.to_bytes = fake_on_device(to, count);
    fake_push(stream, &w);
    return fake_leave(cudaSuccess);
}

cudaError_t cudaStreamAttachMemAsync(cudaStream_t stream, void *pointer,
                                     size_t size, unsigned int flags)
{
    struct fake_work w = {.what = FAKE_DO_ATTACH, .to = pointer, .size = size};
    const cudaError_t result = fake_enter(FAKE_ATTACH);
    const struct fake_range *r;
    if (result != cudaSuccess)
        return fake_leave(result);
    need_stream(stream);
    r = fake_find(pointer, 1);
    if (r == NULL || r->memory != FAKE_IS_MANAGED || r->address != pointer ||
        (size != 0 && size != r->size) || flags != cudaMemAttachGlobal)
        fake_misuse("cudaStreamAttachMemAsync: arguments", pointer);
    fake_push(stream, &w);
    return fake_leave(cudaSuccess);
}

int kernel_cuda_check_pieces(const struct kernel_piece *pieces, uint64_t count,
                             uint32_t *bad, void *stream)
{
    struct fake_work w = {.what = FAKE_DO_CHECK,
                          .to = (const uint8_t *)bad,
                          .from = (const uint8_t *)pieces,
                          .size = (size_t)count * sizeof(*pieces),
                          .turn = count};
    const cudaError_t result = fake_enter(FAKE_LAUNCH);
    if (result != cudaSuccess)
        return (int)fake_leave(result);
    need_stream(stream);
    if (((struct CUstream_st *)stream)->device != fake_device())
        fake_misuse("a launch with another device current", stream);
    w.value = ((struct CUstream_st *)stream)->device;
    w.from_bytes = fake_on_device(pieces, w.size);
    w.to_bytes = fake_on_device(bad, 4);
    if (count == 0)
        return (int)fake_leave(cudaSuccess);
    fake_push(stream, &w);
    return (int)fake_leave(cudaSuccess);
}

/* --- streams --- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned int flags)
{
    const cudaError_t result = fake_enter(FAKE_STREAM_CREATE);
    uint32_t i = 0;
    *stream = (cudaStream_t)(uintptr_t)1;
    if (result != cudaSuccess)
        return fake_leave(result);
    if (flags != cudaStreamNonBlocking)
        fake_misuse("a stream that waits for the default one", NULL);
    while (i < FAKE_STREAMS && fake.streams[i].alive)
        i++;
    if (i == FAKE_STREAMS)
        fake_misuse("more streams than the fake has room for", NULL);
    *stream = &fake.streams[i];
    **stream = (struct CUstream_st){
        .alive = true,
        .device = fake_device(),
        .random = fake.plan.seed * 2654435761u + i * 40503u +
                  fake.counts.calls[FAKE_STREAM_CREATE]};
    inside = true;
    if (pthread_create(&(*stream)->thread, NULL, run, *stream) != 0)
        fake_misuse("the host has no threads", NULL);
    inside = false;
    fake.counts.streams++;
    return fake_leave(cudaSuccess);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    const cudaError_t result = fake_enter(FAKE_STREAM_DESTROY);
    pthread_t thread;
    need_stream(stream);
    if (stream->done < stream->asked)
        fake_misuse("a stream is destroyed with work in it", stream);
    stream->ending = true;
    thread = stream->thread;
    pthread_cond_broadcast(&fake.changed);
    pthread_mutex_unlock(&fake.lock);
    pthread_join(thread, NULL);
    pthread_mutex_lock(&fake.lock);
    stream->alive = false;
    fake.counts.streams--;
    return fake_leave(result);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    cudaError_t result = fake_enter(FAKE_STREAM_SYNC);
    need_stream(stream);
    fake_drain(stream);
    if (result == cudaSuccess && fake.lost)
        result = cudaErrorIllegalAddress;
    return fake_leave(result);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event,
                                unsigned int flags)
{
    const cudaError_t result = fake_enter(FAKE_STREAM_WAIT);
    if (result != cudaSuccess)
        return fake_leave(result);
    need_stream(stream);
    need_event(event);
    if (flags != 0)
        fake_misuse("cudaStreamWaitEvent: flags", stream);
    if (event->recorded != 0)
        fake_push(stream, &(struct fake_work){.what = FAKE_DO_WAIT,
                                              .event = event,
                                              .turn = event->recorded});
    return fake_leave(cudaSuccess);
}

/* --- events --- */

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned int flags)
{
    const cudaError_t result = fake_enter(FAKE_EVENT_CREATE);
    uint32_t tries = 0;
    (void)flags;
    *event = (cudaEvent_t)(uintptr_t)1;
    if (result != cudaSuccess)
        return fake_leave(result);
    do
        *event = &fake.events[fake.next_event++ % FAKE_EVENTS];
    while ((*event)->alive && ++tries < FAKE_EVENTS);
    if ((*event)->alive)
        fake_misuse("more events than the fake has room for", NULL);
    **event = (struct CUevent_st){.alive = true, .device = fake_device()};
    fake.counts.events++;
    return fake_leave(cudaSuccess);
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    const cudaError_t result = fake_enter(FAKE_EVENT_RECORD);
    if (result != cudaSuccess)
        return fake_leave(result);
    need_event(event);
    need_stream(stream);
    if (event->device != stream->device)
        fake_misuse("an event and a stream of two devices", event);
    event->recorded++;
    fake_push(stream, &(struct fake_work){.what = FAKE_DO_RECORD,
                                          .event = event,
                                          .turn = event->recorded});
    return fake_leave(cudaSuccess);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    cudaError_t result = fake_enter(FAKE_EVENT_SYNC);
    uint64_t turn;
    need_event(event);
    turn = event->recorded;
    while (event->done < turn && !fake.lost)
        pthread_cond_wait(&fake.changed, &fake.lock);
    if (result == cudaSuccess && fake.lost)
        result = cudaErrorIllegalAddress;
    return fake_leave(result);
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
    cudaError_t result = fake_enter(FAKE_EVENT_QUERY);
    need_event(event);
    if (result == cudaSuccess && event->done < event->recorded)
        result = cudaErrorNotReady;
    return fake_leave(result);
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    const cudaError_t result = fake_enter(FAKE_EVENT_DESTROY);
    need_event(event);
    event->alive = false;
    fake.counts.events--;
    return fake_leave(result);
}
