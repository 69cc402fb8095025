/* SPDX-License-Identifier: MIT
 *
 * planes.c - one loop for each width, written so that it becomes vector code:
 * `width` is a constant where the loop is inlined, and nothing overlaps.
 */
#include "planes.h"

static inline void split(unsigned width, const uint8_t *restrict in,
                         size_t count, uint8_t *restrict out)
{
    for (size_t i = 0; i < count; i++)
        for (unsigned k = 0; k < width; k++)
            out[k * count + i] = in[width * i + k];
}

static inline void join(unsigned width, const uint8_t *restrict in,
                        size_t count, uint8_t *restrict out)
{
    for (size_t i = 0; i < count; i++)
        for (unsigned k = 0; k < width; k++)
            out[width * i + k] = in[k * count + i];
}

void planes_split(unsigned width, const uint8_t *in, size_t size, uint8_t *out)
{
    if (width == 2)
        split(2, in, size / 2, out);
    else if (width == 4)
        split(4, in, size / 4, out);
    else
        split(8, in, size / 8, out);
}

void planes_join(unsigned width, const uint8_t *in, size_t size, uint8_t *out)
{
    if (width == 2)
        join(2, in, size / 2, out);
    else if (width == 4)
        join(4, in, size / 4, out);
    else
        join(8, in, size / 8, out);
}
