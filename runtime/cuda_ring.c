/* SPDX-License-Identifier: MIT
 *
 * cuda_ring.c - moves the chunks, in their order, through the slots.
 *
 * In: an image whose memory is allocated. Out: its groups on the device, ready
 * one after the other, or a status that sticks. Readers fill slots side by
 * side and submit in turn; the conductor, which is the caller or one thread,
 * waits for copies and alone tells of the advance. Without readers the
 * conductor does their work between its own.
 *
 * Invariant: who waits waits for a smaller chunk number or for an end, so that
 * no wait is for ever: chunk n waits for a slot until n - slots is finished,
 * for its turn until n - 1 is submitted, and a failure ends every wait. Slots
 * and streams are given back behind the last thread and the last copy.
 */
#include "cuda_internal.h"

#include <string.h>

struct readers {
    pthread_t threads[TTSB__CUDA_THREADS];
    uint32_t count;
};

struct ttsb__cuda_slot *ttsb__cuda_slot(struct ttsb_cuda_image *image,
                                        uint64_t chunk)
{
    return &image->slots[chunk % image->options.slots];
}

/* Halves the groups: the first that ends behind chunk `n`. */
static struct ttsb__cuda_chunk chunk_at(const struct ttsb_cuda_image *image,
                                        uint64_t n)
{
    const uint64_t step = image->options.slot_size;
    struct ttsb__cuda_chunk chunk = {.number = n};
    const struct ttsb__cuda_group *g;
    uint32_t low = 0;
    uint32_t high = image->group_count - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (image->groups[middle].end_chunk > n)
            high = middle;
        else
            low = middle + 1;
    }
    g = &image->groups[low];
    chunk.group = low;
    chunk.start = (n - (low == 0 ? 0 : g[-1].end_chunk)) * step;
    chunk.size = g->size - chunk.start < step ? g->size - chunk.start : step;
    chunk.last = chunk.start + chunk.size == g->size;
    return chunk;
}

void ttsb__cuda_stop(struct ttsb_cuda_image *image,
                     const struct ttsb_error *error)
{
    pthread_mutex_lock(&image->lock);
    if (image->status == TTSB_OK && image->proven < image->chunks) {
        image->status = error->status;
        image->error = *error;
    }
    pthread_cond_broadcast(&image->moved);
    pthread_cond_broadcast(&image->told);
    pthread_mutex_unlock(&image->lock);
}

/* ---- A reader's part ---- */

/* The next chunk, once its slot is free; false if there is none to do. */
static bool take(struct ttsb_cuda_image *image, struct ttsb__cuda_chunk *chunk)
{
    const uint64_t begun = ttsb__cuda_now();
    bool taken = false;
    pthread_mutex_lock(&image->lock);
    if (image->status == TTSB_OK && image->next < image->chunks) {
        uint64_t n = image->next++;
        while (image->status == TTSB_OK &&
               n - image->finished >= image->options.slots)
            pthread_cond_wait(&image->moved, &image->lock);
        taken = image->status == TTSB_OK;
        *chunk = chunk_at(image, n);
        image->report.wait_ns += ttsb__cuda_now() - begun;
    }
    pthread_mutex_unlock(&image->lock);
    return taken;
}

static bool wait_turn(struct ttsb_cuda_image *image, uint64_t n, uint64_t took)
{
    bool ours;
    pthread_mutex_lock(&image->lock);
    image->report.fill_ns += took;
    while (image->status == TTSB_OK && image->submitted != n)
        pthread_cond_wait(&image->moved, &image->lock);
    ours = image->status == TTSB_OK;
    pthread_mutex_unlock(&image->lock);
    return ours;
}

/* Puts the copy, and the event behind it, on the stream. */
static int32_t submit(struct ttsb_cuda_image *image,
                      const struct ttsb__cuda_chunk *chunk,
                      struct ttsb_error *error)
{
    const struct ttsb__cuda_group *g = &image->groups[chunk->group];
    const struct ttsb__cuda_slot *slot = ttsb__cuda_slot(image, chunk->number);
    int32_t status = TTSB_OK;
    if (image->path != TTSB_CUDA_UNIFIED)
        status = ttsb__cuda_check(
            cudaMemcpyAsync(g->memory + chunk->start,
                            slot->window != NULL ? slot->window : slot->bytes,
                            (size_t)chunk->size, cudaMemcpyHostToDevice,
                            image->stream),
            TTSB_DEVICE_COPY, "cudaMemcpyAsync", error);
    else if (chunk->last && g->owned != NULL)
        status = ttsb__cuda_check(
            cudaStreamAttachMemAsync(image->stream, g->owned, 0,
                                     cudaMemAttachGlobal),
            TTSB_DEVICE_CALL, "cudaStreamAttachMemAsync", error);
    if (status != TTSB_OK)
        return status;
    return ttsb__cuda_check(cudaEventRecord(slot->done, image->stream),
                            TTSB_DEVICE_CALL, "cudaEventRecord", error);
}

/* Moves one chunk onto the stream; false if this was no longer wanted. */
static bool fill_next(struct ttsb_cuda_image *image)
{
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct ttsb__cuda_chunk chunk;
    uint64_t begun;
    int32_t status;
    if (!take(image, &chunk))
        return false;
    begun = ttsb__cuda_now();
    status = ttsb__cuda_fill(image, &chunk, &error);
    if (status == TTSB_OK) {
        if (!wait_turn(image, chunk.number, ttsb__cuda_now() - begun))
            return false;
        status = submit(image, &chunk, &error);
    }
    if (status != TTSB_OK) {
        ttsb__cuda_stop(image, &error);
        return false;
    }
    pthread_mutex_lock(&image->lock);
    image->submitted++;
    pthread_cond_broadcast(&image->moved);
    pthread_mutex_unlock(&image->lock);
    return true;
}

static bool use_device(struct ttsb_cuda_image *image)
{
    struct ttsb_error error = {.struct_size = sizeof(error)};
    if (ttsb__cuda_check(cudaSetDevice(image->device), TTSB_DEVICE_CALL,
                         "cudaSetDevice", &error) == TTSB_OK)
        return true;
    ttsb__cuda_stop(image, &error);
    return false;
}

static void *read_chunks(void *argument)
{
    struct ttsb_cuda_image *image = argument;
    if (use_device(image))
        while (fill_next(image))
            ;
    return NULL;
}

/* ---- The conductor's part ---- */

static int32_t unpin(struct ttsb__cuda_slot *slot, struct ttsb_error *error)
{
    void *window = slot->window;
    if (window == NULL)
        return TTSB_OK;
    slot->window = NULL;
    return ttsb__cuda_check(cudaHostUnregister(window), TTSB_DEVICE_CALL,
                            "cudaHostUnregister", error);
}

/* Waits until the oldest copy is done, and gives its slot free. */
static int32_t finish(struct ttsb_cuda_image *image,
                      const struct ttsb__cuda_chunk *chunk,
                      struct ttsb_error *error)
{
    struct ttsb__cuda_slot *slot = ttsb__cuda_slot(image, chunk->number);
    int32_t status =
        ttsb__cuda_check(cudaEventSynchronize(slot->done), TTSB_DEVICE_COPY,
                         "cudaEventSynchronize", error);
    if (status == TTSB_OK)
        status = unpin(slot, error);
    if (status != TTSB_OK)
        return status;
    pthread_mutex_lock(&image->lock);
    image->finished++;
    if (image->finished == image->chunks)
        image->report.copy_ns = ttsb__cuda_now() - image->begun_ns;
    pthread_cond_broadcast(&image->moved);
    pthread_mutex_unlock(&image->lock);
    return TTSB_OK;
}

/* The chunk is the caller's, unless the upload has ended before. */
static void hand_over(struct ttsb_cuda_image *image,
                      const struct ttsb__cuda_chunk *chunk)
{
    struct ttsb_cuda_report *r = &image->report;
    const uint64_t now = ttsb__cuda_now() - image->begun_ns;
    pthread_mutex_lock(&image->lock);
    r->bytes += chunk->size;
    if (image->proof != NULL)
        r->pieces = ttsb__cuda_proof_pieces(image->proof);
    if (image->status == TTSB_OK) {
        image->proven++;
        if (chunk->last && r->first_group_ns == 0)
            r->first_group_ns = now;
        if (image->proven == image->chunks) {
            r->total_ns = now;
            r->verify_ns = image->proof != NULL ? now - r->copy_ns : 0;
        }
    }
    pthread_cond_broadcast(&image->told);
    pthread_mutex_unlock(&image->lock);
}

/* Told before the chunk is the caller's, so that a cancel is always in time. */
static int32_t advance(struct ttsb_cuda_image *image,
                       const struct ttsb__cuda_chunk *chunk,
                       struct ttsb_error *error)
{
    const struct ttsb_cuda_options *o = &image->options;
    /* Only this thread writes report.bytes. */
    const uint64_t done = image->report.bytes + chunk->size;
    if (o->progress == NULL || o->progress(o->user, done, image->bytes) == 0)
        return TTSB_OK;
    return ttsb__cuda_fail(error, TTSB_CANCELLED, "options->progress", NULL);
}

/* Sees the oldest copy through; false if there will be no more. */
static bool finish_next(struct ttsb_cuda_image *image)
{
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct ttsb__cuda_chunk chunk;
    int32_t status;
    bool more;
    pthread_mutex_lock(&image->lock);
    while (image->status == TTSB_OK && image->finished < image->chunks &&
           image->submitted == image->finished)
        pthread_cond_wait(&image->moved, &image->lock);
    more = image->status == TTSB_OK && image->finished < image->chunks;
    if (more)
        chunk = chunk_at(image, image->finished);
    pthread_mutex_unlock(&image->lock);
    if (!more)
        return false;
    status = finish(image, &chunk, &error);
    if (status == TTSB_OK && image->proof != NULL)
        status = ttsb__cuda_prove(image, &chunk, &error);
    if (status == TTSB_OK)
        status = advance(image, &chunk, &error);
    if (status != TTSB_OK) {
        ttsb__cuda_stop(image, &error);
        return false;
    }
    hand_over(image, &chunk);
    return true;
}

/* As many as there are to be had. */
static void start_readers(struct ttsb_cuda_image *image, struct readers *r)
{
    r->count = 0;
    while (r->count < image->options.threads && r->count < image->chunks &&
           pthread_create(&r->threads[r->count], NULL, read_chunks, image) == 0)
        r->count++;
    pthread_mutex_lock(&image->lock);
    image->report.threads = r->count == 0 ? 1 : r->count;
    pthread_mutex_unlock(&image->lock);
}

/* Both parts in one thread, which never waits for itself. */
static void work_alone(struct ttsb_cuda_image *image)
{
    bool more = true;
    while (more) {
        uint64_t in_flight;
        bool filled;
        pthread_mutex_lock(&image->lock);
        in_flight = image->submitted - image->finished;
        filled = image->submitted == image->chunks;
        pthread_mutex_unlock(&image->lock);
        more = filled || in_flight == image->options.slots ? finish_next(image)
                                                           : fill_next(image);
    }
}

void ttsb__cuda_conduct(struct ttsb_cuda_image *image)
{
    struct readers readers = {.count = 0};
    if (use_device(image)) {
        start_readers(image, &readers);
        if (readers.count == 0)
            work_alone(image);
        else
            while (finish_next(image))
                ;
    }
    for (uint32_t i = 0; i < readers.count; i++)
        pthread_join(readers.threads[i], NULL);
    ttsb__cuda_ring_close(image);
    ttsb__cuda_proof_close(image->proof);
    image->proof = NULL;
}

/* ---- What the upload takes and gives back ---- */

static int32_t make_slots(struct ttsb_cuda_image *image,
                          struct ttsb_error *error)
{
    const unsigned flags = cudaEventBlockingSync | cudaEventDisableTiming;
    for (uint32_t i = 0; i < image->options.slots; i++) {
        struct ttsb__cuda_slot *slot = &image->slots[i];
        cudaEvent_t event;
        int32_t status = ttsb__cuda_check(
            cudaEventCreateWithFlags(&event, flags), TTSB_DEVICE_CALL,
            "cudaEventCreateWithFlags", error);
        if (status != TTSB_OK)
            return status;
        slot->done = event;
        if (image->pinned != NULL)
            slot->bytes = image->pinned + i * image->options.slot_size;
    }
    return TTSB_OK;
}

static int32_t pin_ring(struct ttsb_cuda_image *image, struct ttsb_error *error)
{
    const uint64_t size = image->options.slots * image->options.slot_size;
    void *pinned = NULL;
    int32_t status;
    if (image->path == TTSB_CUDA_UNIFIED)
        return TTSB_OK;
    image->report.pinned_bytes = size;
    if (image->path == TTSB_CUDA_REGISTER)
        return TTSB_OK;
    status = ttsb__cuda_check(
        cudaHostAlloc(&pinned, (size_t)size, cudaHostAllocDefault),
        TTSB_NO_MEMORY, "cudaHostAlloc", error);
    if (status == TTSB_OK)
        image->pinned = pinned;
    return status;
}

int32_t ttsb__cuda_ring_open(struct ttsb_cuda_image *image,
                             struct ttsb_error *error)
{
    cudaStream_t stream = image->options.stream;
    int32_t status = TTSB_OK;
    if (stream == NULL)
        status = ttsb__cuda_check(
            cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking),
            TTSB_DEVICE_CALL, "cudaStreamCreateWithFlags", error);
    if (status != TTSB_OK)
        return status;
    image->own_stream = image->options.stream == NULL;
    image->stream = stream;
    status = pin_ring(image, error);
    return status == TTSB_OK ? make_slots(image, error) : status;
}

void ttsb__cuda_ring_close(struct ttsb_cuda_image *image)
{
    /* Behind the last chunk the stream has nothing of ours, and the caller, who
     * knows, may have destroyed it. */
    if (image->stream != NULL && image->finished < image->chunks)
        ttsb__cuda_forget(cudaStreamSynchronize(image->stream));
    for (uint32_t i = 0; i < image->options.slots; i++) {
        struct ttsb__cuda_slot *slot = &image->slots[i];
        unpin(slot, NULL);
        if (slot->done != NULL)
            ttsb__cuda_forget(cudaEventDestroy(slot->done));
        slot->done = NULL;
    }
    if (image->pinned != NULL)
        ttsb__cuda_forget(cudaFreeHost(image->pinned));
    image->pinned = NULL;
    if (image->own_stream)
        ttsb__cuda_forget(cudaStreamDestroy(image->stream));
    image->own_stream = false;
    image->stream = NULL;
}
