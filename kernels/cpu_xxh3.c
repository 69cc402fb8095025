/* SPDX-License-Identifier: MIT
 *
 * cpu_xxh3.c - a loop over the hash's body.
 *
 * In:  what kernels.h describes. Out: a bit for each piece that is not what its
 * hash says. What the device's kernel is compared with, and what stands for it
 * where a test has no device; the runtime's own check of a blob in memory is
 * vector code and not this.
 */
#include "kernels.h"

#include "body_xxh3.h"

void kernel_check_pieces(const struct kernel_piece *pieces, uint64_t count,
                         uint32_t *bad)
{
    for (uint64_t i = 0; i < count; i++) {
        const struct kernel_piece *p = &pieces[i];
        if (body_xxh3((const uint8_t *)p->bytes, p->size) != p->hash)
            bad[p->number / 32] |= UINT32_C(1) << p->number % 32;
    }
}
