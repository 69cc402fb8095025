/* SPDX-License-Identifier: MIT
 *
 * buffers.h - the memory in which values are made.
 *
 * In: how much is made at a time. Out: buffers of that size. Invariant: fixed,
 * whatever the tensors; what only some values need is taken when they do.
 */
#ifndef TTSW_BUFFERS_H
#define TTSW_BUFFERS_H

#include "gather.h"

/* Bytes that a worker makes at a time: eight pieces, so that a slab of the
 * widest dtype is still a whole number of pieces of the narrowest. */
#define PRODUCE_SLAB ((size_t)512 << 10)
#define PRODUCE_CHUNK 4096 /* elements in binary64 at a time */

struct buffers {
    struct gather gather;
    size_t slab;
    uint8_t *raw; /* slab: source dtype */
    uint8_t *out; /* slab: as stored */
    double *wide; /* PRODUCE_CHUNK */
};

/* Never NULL; slab is PRODUCE_SLAB at most. */
struct buffers *buffers_new(const struct checkpoint *c, size_t slab);
void buffers_release(struct buffers *b);

/* malloc; never NULL. The second one takes n objects of a size. */
void *buffers_take(size_t n);
void *buffers_take_many(uint64_t n, size_t size);

#endif
