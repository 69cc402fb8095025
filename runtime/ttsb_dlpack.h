/* SPDX-License-Identifier: MIT
 *
 * ttsb_dlpack.h - hands tensors of a blob to other libraries, by DLPack.
 *
 *     DLManagedTensorVersioned *shared;
 *     if (ttsb_dlpack(blob, tensor.index, &shared, &error) == TTSB_OK)
 *         take(shared);            // which calls shared->deleter(shared)
 *
 * In: an open blob. Out: what DLPack calls a versioned managed tensor; for its
 * members include any dlpack.h of version 1.0 or later, before or behind this
 * header. Invariant: the bytes are not copied, and stay where they are until
 * the last tensor that was handed out is deleted, also if the blob is closed
 * first.
 */
#ifndef TTSB_DLPACK_H
#define TTSB_DLPACK_H

#include "ttsb.h"

#ifdef __cplusplus
extern "C" {
#endif

struct DLManagedTensorVersioned;

/* Describes the tensor with this index on the host, for DLPack 1.x: version
 * 1.1, READ_ONLY set, byte_offset 0, compact strides in elements (never NULL),
 * data NULL if a size is 0. Elements below 8 bits are packed, as in the file.
 * *out is the caller's and must be given back by its deleter, from any thread,
 * once; it may outlive ttsb_close. Of a blob in the caller's memory
 * (ttsb_open_memory without TTSB_OPEN_COPY) that memory must stay until then,
 * too.
 *
 * This is the one call after open that allocates: some 200 bytes. Fails with
 * TTSB_BAD_ARGUMENT (a NULL), TTSB_OUT_OF_RANGE, TTSB_ABSENT and TTSB_MISSING
 * (there are no bytes), and TTSB_NO_MEMORY; *out is then NULL.
 * Source: dmlc/dlpack, "DLManagedTensorVersioned". */
TTSB_API int32_t ttsb_dlpack(struct ttsb_blob *blob, uint32_t tensor,
                             struct DLManagedTensorVersioned **out,
                             struct ttsb_error *error);

#ifdef __cplusplus
}
#endif

#endif
