/* SPDX-License-Identifier: MIT
 *
 * cuda_dlpack.c - a tensor of an image for DLPack's consumers.
 *
 * In: an image and an index. Out: a managed tensor that is one more user of
 * the image. Invariant: as ttsb_cuda.h has it; its bytes are there when it is
 * handed out, so that no stream has to wait for another.
 */
#include "cuda_internal.h"
#include "dlpack_export.h"
#include "ttsb_dlpack.h"

static void release(void *owner)
{
    ttsb__cuda_drop(owner);
}

int32_t ttsb_cuda_dlpack(struct ttsb_cuda_image *image, uint32_t tensor,
                         struct DLManagedTensorVersioned **out,
                         struct ttsb_error *error)
{
    struct ttsb_tensor t = {.struct_size = sizeof(t)};
    struct ttsb_group g = {.struct_size = sizeof(g)};
    struct ttsb__shared shared = {
        .device = {kDLCUDA, 0}, .owner = image, .release = release};
    int32_t status;
    if (out == NULL)
        return ttsb__cuda_bad(error, "out");
    *out = NULL;
    if (image == NULL)
        return ttsb__cuda_bad(error, "image");
    status = ttsb_tensor_at(image->blob, tensor, &t, error);
    if (status != TTSB_OK)
        return status;
    /* On the host, too, what is absent or missing is refused. */
    ttsb_group_at(image->blob, t.group, &g);
    if (t.data == NULL || g.place == TTSB_PLACE_HOST)
        return ttsb_dlpack(image->blob, tensor, out, error);
    status = ttsb_cuda_wait_group(image, t.group, error);
    if (status != TTSB_OK)
        return status;
    if (g.size != 0)
        shared.data = image->groups[t.group].memory + t.group_offset;
    shared.device.device_id = image->device;
    *out = ttsb__dlpack_of(&t, &shared);
    if (*out == NULL)
        return ttsb__cuda_fail(error, TTSB_NO_MEMORY, "calloc",
                               "no memory left");
    __atomic_fetch_add(&image->users, 1, __ATOMIC_RELAXED);
    return TTSB_OK;
}
