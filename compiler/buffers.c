/* SPDX-License-Identifier: MIT
 *
 * buffers.c - takes and gives back memory.
 */
#include "buffers.h"

#include <stdlib.h>

void *buffers_take(size_t n)
{
    void *p = malloc(n + (n == 0));
    if (p == NULL)
        arena_exhausted();
    return p;
}

void *buffers_take_many(uint64_t n, size_t size)
{
    if (n > SIZE_MAX / size)
        arena_exhausted();
    return buffers_take((size_t)n * size);
}

struct buffers *buffers_new(const struct checkpoint *c, size_t slab)
{
    struct buffers *b = buffers_take(sizeof *b);
    *b = (struct buffers){.gather.c = c, .slab = slab};
    b->raw = buffers_take(slab);
    b->out = buffers_take(slab);
    b->wide = buffers_take(PRODUCE_CHUNK * sizeof(double));
    return b;
}

void buffers_release(struct buffers *b)
{
    gather_release(&b->gather);
    free(b->raw);
    free(b->out);
    free(b->wide);
    free(b);
}
