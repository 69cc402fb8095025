/* SPDX-License-Identifier: MIT
 *
 * cuda.c - uploads the groups of a blob to a CUDA device.
 *
 * In: an open blob. Out: one allocation on the device for each device group
 * that has bytes, and a table of bases. It needs the public interface alone.
 *
 * Invariant: what was allocated is in image->owned before the next call can
 * fail, so that releasing the image is the whole of the cleaning up.
 */
#include "ttsb_cuda.h"

#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>

struct ttsb_cuda_image {
    uint32_t count;
    void **owned; /* by group; NULL where the device has nothing */
    const void *bases[];
};

static int32_t fail(struct ttsb_error *error, int32_t status, const char *call,
                    const char *words)
{
    struct ttsb_error value = {.status = status, .tensor = TTSB_NO_TENSOR};
    if (error == NULL || error->struct_size < sizeof(value))
        return status;
    snprintf(value.field, sizeof(value.field), "%s", call);
    snprintf(value.text, sizeof(value.text), "%s: %s said: %s",
             ttsb_status_text(status), call, words);
    value.struct_size = error->struct_size;
    *error = value;
    return status;
}

static int32_t check(cudaError_t result, int32_t status, const char *call,
                     struct ttsb_error *error)
{
    if (result == cudaSuccess)
        return TTSB_OK;
    return fail(error, status, call, cudaGetErrorString(result));
}

static int32_t upload_group(struct ttsb_cuda_image *image,
                            const struct ttsb_group *group,
                            struct ttsb_error *error)
{
    const size_t size = (size_t)group->size;
    void *memory = NULL;
    int32_t status;
    image->bases[group->index] = group->data;
    if (group->place == TTSB_PLACE_HOST || size == 0)
        return TTSB_OK;
    status = check(cudaMalloc(&memory, size), TTSB_DEVICE_MEMORY, "cudaMalloc",
                   error);
    if (status != TTSB_OK)
        return status;
    image->owned[group->index] = memory;
    image->bases[group->index] = memory;
    return check(cudaMemcpy(memory, group->data, size, cudaMemcpyHostToDevice),
                 TTSB_DEVICE_COPY, "cudaMemcpy", error);
}

static int32_t upload_all(const struct ttsb_blob *blob,
                          struct ttsb_cuda_image *image,
                          struct ttsb_error *error)
{
    struct ttsb_group group = {.struct_size = sizeof(group)};
    int32_t status;
    for (uint32_t i = 0; i < image->count; i++) {
        status = ttsb_group_at(blob, i, &group);
        if (status == TTSB_OK)
            status = upload_group(image, &group, error);
        if (status != TTSB_OK)
            return status;
    }
    /* A copy from pageable memory may return before its last bytes arrive. */
    return check(cudaStreamSynchronize(NULL), TTSB_DEVICE_COPY,
                 "cudaStreamSynchronize", error);
}

int32_t ttsb_cuda_upload(const struct ttsb_blob *blob,
                         struct ttsb_cuda_image **image,
                         struct ttsb_error *error)
{
    struct ttsb_info info = {.struct_size = sizeof(info)};
    struct ttsb_cuda_image *made;
    int32_t status;
    if (image != NULL)
        *image = NULL;
    if (image == NULL || ttsb_info(blob, &info) != TTSB_OK)
        return fail(error, TTSB_BAD_ARGUMENT, "blob or image", "it is NULL");
    made = calloc(1, sizeof(*made) +
                         2 * info.group_count * sizeof(made->bases[0]));
    if (made == NULL)
        return fail(error, TTSB_NO_MEMORY, "calloc", "no memory left");
    made->count = info.group_count;
    made->owned = (void **)(made->bases + made->count);
    status = upload_all(blob, made, error);
    if (status == TTSB_OK)
        *image = made;
    else
        ttsb_cuda_release(made);
    return status;
}

const void *const *ttsb_cuda_bases(const struct ttsb_cuda_image *image)
{
    return image != NULL ? image->bases : NULL;
}

void ttsb_cuda_release(struct ttsb_cuda_image *image)
{
    if (image == NULL)
        return;
    for (uint32_t i = 0; i < image->count; i++)
        cudaFree(image->owned[i]);
    free(image);
}
