/* SPDX-License-Identifier: MIT
 *
 * gpu_text.h - the texts of a bench's blob: contract, META, safetensors header.
 *
 * In: the plan. Out: bytes in a block that grows; the caller frees `bytes`.
 * Invariant: memory that the system refuses ends the program: this is a tool
 * that writes files of a size known before.
 */
#ifndef GPU_TEXT_H
#define GPU_TEXT_H

#include <stddef.h>

#include "gpu_plan.h"

struct gpu_text {
    char *bytes; /* NUL-terminated */
    size_t size;
    size_t room;
};

/* Appends what printf makes of it. */
void gpu_text_add(struct gpu_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The contract text (FORMAT.md, section 8); offsets[i] is tensor i's, from its
 * group's start. */
void gpu_text_contract(const struct gpu_plan *plan, const uint64_t *offsets,
                       struct gpu_text *text);

/* META (FORMAT.md, section 10); digests has 16 bytes for each tensor. */
void gpu_text_meta(const struct gpu_plan *plan, const uint8_t contract[16],
                   const uint8_t *digests, struct gpu_text *text);

/* The JSON of a safetensors file, with spaces up to a multiple of 8. */
void gpu_text_safetensors(const struct gpu_plan *plan, struct gpu_text *text);

#endif
