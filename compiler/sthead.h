/* SPDX-License-Identifier: MIT
 *
 * sthead.h - the head of a safetensors file that is to be written.
 *
 * In: names, dtypes, shapes. Out: the length, the header and its padding, and
 * where each tensor's bytes go. Invariant: the tensors tile the data in the
 * given order; __metadata__ is {"format":"pt"}, which some readers insist on,
 * and nothing else.
 */
#ifndef TTSW_STHEAD_H
#define TTSW_STHEAD_H

#include "text.h"

struct sthead_tensor {
    struct str name; /* UTF-8 */
    uint32_t dtype, rank;
    const uint64_t *dims;
    uint64_t size; /* bytes */
    uint64_t at;   /* in the file; set by sthead_put */
};

/* Wider elements first, so that each tensor is aligned to its elements, which
 * readers that map the file need: the format knows no gaps. */
int sthead_order(uint32_t dtype, uint32_t other);

/* Appends the head to an empty text and sets `at` of each tensor; *size is the
 * whole file's. NULL, or why there can be no such file. */
const char *sthead_put(struct text *t, struct sthead_tensor *tensors, size_t n,
                       uint64_t *size);

#endif
