/* SPDX-License-Identifier: MIT
 *
 * dlpack.c - a tensor of a blob for DLPack's consumers, on the host.
 *
 * In: an open blob and an index. Out: a managed tensor that is one more user
 * of the handle. Invariant: as ttsb_dlpack.h has it.
 */
#include "ttsb_dlpack.h"

#include "dlpack_export.h"
#include "ttsb_internal.h"

static void release(void *owner)
{
    ttsb_close(owner);
}

int32_t ttsb_dlpack(struct ttsb_blob *blob, uint32_t tensor,
                    struct DLManagedTensorVersioned **out,
                    struct ttsb_error *error)
{
    const struct ttsb__fault no_memory = {
        .status = TTSB_NO_MEMORY, .tensor = tensor, .field = "calloc"};
    struct ttsb_tensor t = {.struct_size = sizeof(t)};
    struct ttsb__shared shared = {
        .device = {kDLCPU, 0}, .owner = blob, .release = release};
    int32_t status;
    if (out == NULL)
        return ttsb__bad_argument(error, "out");
    *out = NULL;
    status = ttsb_tensor_at(blob, tensor, &t, error);
    if (status == TTSB_OK)
        status = ttsb__presence(blob, tensor, error);
    if (status != TTSB_OK)
        return status;
    shared.data = t.data;
    *out = ttsb__dlpack_of(&t, &shared);
    if (*out == NULL)
        return ttsb__fail(error, &no_memory, "%s",
                          ttsb_status_text(TTSB_NO_MEMORY));
    ttsb_retain(blob);
    return TTSB_OK;
}
