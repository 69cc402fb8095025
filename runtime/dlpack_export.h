/* SPDX-License-Identifier: MIT
 *
 * dlpack_export.h - a managed tensor over memory that somebody owns.
 *
 * In: a tensor's description, where its bytes are, and how their owner is told
 * that they are no longer needed. Out: DLPack's struct. Invariant: one
 * allocation, which the deleter frees after it has told the owner. On which
 * device the memory is and what owns it is the caller's affair.
 */
#ifndef TTSB_DLPACK_EXPORT_H
#define TTSB_DLPACK_EXPORT_H

#include "dlpack_abi.h"
#include "ttsb.h"

struct ttsb__shared {
    const void *data; /* on `device` */
    DLDevice device;
    void *owner;
    void (*release)(void *owner); /* by the deleter, from any thread */
};

/* NULL if there is no memory; `release` is then not called. */
DLManagedTensorVersioned *ttsb__dlpack_of(const struct ttsb_tensor *tensor,
                                          const struct ttsb__shared *shared);

#endif
