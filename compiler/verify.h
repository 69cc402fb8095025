/* SPDX-License-Identifier: MIT
 *
 * verify.h - every byte of an open blob against its hashes.
 *
 * In: a blob. Out: whether it is whole. Invariant: what `verify`, `pack` and
 * `unpack` call whole is the same.
 */
#ifndef TTSW_VERIFY_H
#define TTSW_VERIFY_H

#include "compile.h"

/* ttsb_verify with args->jobs threads, and its progress shown; the file is
 * called by its first operand. */
int32_t verify_all(const struct args *args, const struct ttsb_blob *b,
                   struct ttsb_error *error);

/* Verifies the blob that is args' first operand. False after findings (E0706)
 * that name the damaged tensors. */
bool verify_blob(struct run *r, const struct args *args,
                 const struct ttsb_blob *b);

#endif
