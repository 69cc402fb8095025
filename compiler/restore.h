/* SPDX-License-Identifier: MIT
 *
 * restore.h - `ttswc export --inverse`: a blob's sources, as they were.
 *
 * In: a blob, the spec that made it. Out: a safetensors file for each source
 * of the spec, whole or not at all. Invariant: a tensor is written only if its
 * bytes have the digest that META holds of the tensor in the checkpoint.
 */
#ifndef TTSW_RESTORE_H
#define TTSW_RESTORE_H

#include "cli.h"

/* Runs the command. */
enum exit_code restore_sources(const struct args *args);

#endif
