/* SPDX-License-Identifier: MIT
 *
 * cuda.c - an image's life, from ttsb_cuda_upload to the last of its users.
 *
 * In: an open blob and what the caller wants. Out: an image, whose upload runs
 * in the conductor (cuda_ring.c): the calling thread, or with ASYNC one of its
 * own. Invariant: what was made is in the image before the next step can fail,
 * so that releasing it is the whole of the cleaning up; the device that is
 * current when a call begins is so when it ends.
 */
#include "cuda_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- The end ---- */

int ttsb__cuda_enter(const struct ttsb_cuda_image *image)
{
    int before = image->device;
    ttsb__cuda_forget(cudaGetDevice(&before));
    if (before != image->device)
        ttsb__cuda_forget(cudaSetDevice(image->device));
    return before;
}

void ttsb__cuda_leave(const struct ttsb_cuda_image *image, int before)
{
    if (before != image->device)
        ttsb__cuda_forget(cudaSetDevice(before));
}

void ttsb__cuda_drop(struct ttsb_cuda_image *image)
{
    int before;
    if (__atomic_fetch_sub(&image->users, 1, __ATOMIC_ACQ_REL) != 1)
        return;
    before = ttsb__cuda_enter(image);
    ttsb__cuda_ring_close(image);
    ttsb__cuda_proof_close(image->proof);
    ttsb__cuda_give_back(image);
    ttsb__cuda_leave(image, before);
    if (image->fd >= 0)
        close(image->fd);
    ttsb_close(image->blob);
    pthread_cond_destroy(&image->told);
    pthread_cond_destroy(&image->moved);
    pthread_mutex_destroy(&image->lock);
    free(image->bases);
    free(image->groups);
    free(image);
}

/* ---- The beginning ---- */

/* Cuts the device groups into chunks. */
static void describe(struct ttsb_cuda_image *image)
{
    struct ttsb_cuda_options *o = &image->options;
    uint64_t most = 0;
    for (uint32_t i = 0; i < image->group_count; i++) {
        struct ttsb_group group = {.struct_size = sizeof(group)};
        struct ttsb__cuda_group *g = &image->groups[i];
        ttsb_group_at(image->blob, i, &group);
        g->data = group.data;
        g->offset = group.offset;
        g->align = group.align;
        g->size = group.place == TTSB_PLACE_HOST ? 0 : group.size;
        image->bytes += g->size;
        most = g->size > most ? g->size : most;
    }
    if (most != 0 && most < o->slot_size)
        o->slot_size = most;
    for (uint32_t i = 0; i < image->group_count; i++) {
        struct ttsb__cuda_group *g = &image->groups[i];
        image->chunks += (g->size + o->slot_size - 1) / o->slot_size;
        g->end_chunk = image->chunks;
    }
    if (image->chunks < o->slots)
        o->slots = (uint32_t)image->chunks;
}

static struct ttsb_cuda_image *image_of(struct ttsb_blob *blob,
                                        const struct ttsb_cuda_options *o)
{
    struct ttsb_info info = {.struct_size = sizeof(info)};
    struct ttsb_cuda_image *image = calloc(1, sizeof(*image));
    if (image == NULL)
        return NULL;
    ttsb_info(blob, &info);
    image->group_count = info.group_count;
    image->groups = calloc(info.group_count, sizeof(*image->groups));
    image->bases = calloc(info.group_count, sizeof(*image->bases));
    if (image->groups == NULL || image->bases == NULL) {
        free(image->bases);
        free(image->groups);
        free(image);
        return NULL;
    }
    ttsb_retain(blob);
    image->blob = blob;
    image->options = *o;
    if (o->allocator != NULL)
        image->allocator = *o->allocator;
    image->begun_ns = ttsb__cuda_now();
    image->fd = -1;
    image->users = 1;
    image->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    image->moved = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    image->told = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    describe(image);
    return image;
}

static int32_t prepare(struct ttsb_cuda_image *image, struct ttsb_error *error)
{
    int32_t status = ttsb__cuda_check(cudaGetDevice(&image->device),
                                      TTSB_DEVICE_CALL, "cudaGetDevice", error);
    if (status == TTSB_OK)
        status = ttsb__cuda_open_file(image, error);
    if (status == TTSB_OK)
        status = ttsb__cuda_choose(image, error);
    if (status == TTSB_OK)
        status = ttsb__cuda_allocate(image, error);
    if (status != TTSB_OK || image->chunks == 0)
        return status;
    status = ttsb__cuda_ring_open(image, error);
    if (status == TTSB_OK && (image->options.flags & TTSB_CUDA_VERIFY))
        status = ttsb__cuda_proof_open(image, NULL, &image->proof, error);
    if (image->proof != NULL)
        image->report.pinned_bytes += ttsb__cuda_proof_pinned(image->proof);
    image->report.slots = image->options.slots;
    image->report.setup_ns = ttsb__cuda_now() - image->begun_ns;
    return status;
}

static void *conduct(void *argument)
{
    ttsb__cuda_conduct(argument);
    return NULL;
}

/* Where there is no thread for an ASYNC upload, this one has done it all when
 * the call returns. */
static int32_t run(struct ttsb_cuda_image *image, struct ttsb_error *error)
{
    const bool async = (image->options.flags & TTSB_CUDA_ASYNC) != 0;
    if (image->chunks == 0)
        return TTSB_OK;
    image->conducted =
        async && pthread_create(&image->conductor, NULL, conduct, image) == 0;
    if (!image->conducted)
        ttsb__cuda_conduct(image);
    return async ? TTSB_OK : ttsb_cuda_wait(image, error);
}

int32_t ttsb_cuda_upload(struct ttsb_blob *blob,
                         const struct ttsb_cuda_options *options,
                         struct ttsb_cuda_image **image,
                         struct ttsb_error *error)
{
    struct ttsb_cuda_options o;
    struct ttsb_cuda_image *made;
    int32_t status;
    if (image == NULL)
        return ttsb__cuda_bad(error, "image");
    *image = NULL;
    if (blob == NULL)
        return ttsb__cuda_bad(error, "blob");
    status = ttsb__cuda_options(options, &o, error);
    if (status != TTSB_OK)
        return status;
    made = image_of(blob, &o);
    if (made == NULL)
        return ttsb__cuda_fail(error, TTSB_NO_MEMORY, "calloc",
                               "no memory left");
    status = prepare(made, error);
    if (status == TTSB_OK)
        status = run(made, error);
    if (status == TTSB_OK)
        *image = made;
    else
        ttsb__cuda_drop(made);
    return status;
}

/* ---- What a caller may ask ---- */

/* Until `chunks` of them are the caller's. */
static int32_t wait_for(struct ttsb_cuda_image *image, uint64_t chunks,
                        struct ttsb_error *error)
{
    int32_t status;
    pthread_mutex_lock(&image->lock);
    while (image->status == TTSB_OK && image->proven < chunks)
        pthread_cond_wait(&image->told, &image->lock);
    status = image->status;
    if (status != TTSB_OK)
        ttsb__cuda_tell(error, &image->error);
    pthread_mutex_unlock(&image->lock);
    return status;
}

int32_t ttsb_cuda_wait_group(struct ttsb_cuda_image *image, uint32_t group,
                             struct ttsb_error *error)
{
    if (image == NULL)
        return ttsb__cuda_bad(error, "image");
    if (group >= image->group_count)
        return ttsb__cuda_fail(error, TTSB_OUT_OF_RANGE, "group",
                               "the blob has fewer groups");
    return wait_for(image, image->groups[group].end_chunk, error);
}

int32_t ttsb_cuda_wait(struct ttsb_cuda_image *image, struct ttsb_error *error)
{
    if (image == NULL)
        return ttsb__cuda_bad(error, "image");
    return wait_for(image, image->chunks, error);
}

void ttsb_cuda_cancel(struct ttsb_cuda_image *image)
{
    struct ttsb_error error = {.struct_size = sizeof(error)};
    if (image == NULL)
        return;
    ttsb__cuda_fail(&error, TTSB_CANCELLED, "ttsb_cuda_cancel", NULL);
    ttsb__cuda_stop(image, &error);
}

int32_t ttsb_cuda_report(const struct ttsb_cuda_image *image,
                         struct ttsb_cuda_report *report)
{
    struct ttsb_cuda_image *i = (struct ttsb_cuda_image *)(uintptr_t)image;
    uint32_t room;
    if (image == NULL || report == NULL ||
        report->struct_size < sizeof(*report) ||
        report->struct_size > TTSB__CUDA_STRUCT)
        return TTSB_BAD_ARGUMENT;
    room = report->struct_size;
    memset(report, 0, room);
    pthread_mutex_lock(&i->lock);
    *report = i->report;
    pthread_mutex_unlock(&i->lock);
    report->struct_size = room;
    return TTSB_OK;
}

const void *const *ttsb_cuda_bases(const struct ttsb_cuda_image *image)
{
    return image != NULL ? image->bases : NULL;
}

void ttsb_cuda_release(struct ttsb_cuda_image *image)
{
    if (image == NULL)
        return;
    ttsb_cuda_cancel(image);
    if (image->conducted)
        pthread_join(image->conductor, NULL);
    ttsb__cuda_drop(image);
}
