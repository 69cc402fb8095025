/* SPDX-License-Identifier: MIT
 *
 * fuzz_packed.c - any bytes as a packed blob: head, table, every frame's hash.
 * Seeds: tests/golden/e0712_cut and the like. The hashes of head and table are
 * made right first, where there is room for them, so that what lies behind is
 * reached.
 */
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "pack_format.h"
#include "size.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void seal(uint8_t *p, size_t size)
{
    uint64_t count = load_u32(p + 20);
    if (count <= (size - PACKED_HEAD) / PACKED_ENTRY)
        store_u64(p + 48,
                  ttsb__hash64(p + PACKED_HEAD, (size_t)count * PACKED_ENTRY));
    store_u64(p + 40, 0);
    store_u64(p + 40, ttsb__hash64(p, PACKED_HEAD));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct packed packed;
    struct packed_fault fault;
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL)
        return 0;
    memcpy(copy, data, size);
    if (size >= PACKED_HEAD)
        seal(copy, size);
    if (packed_open(copy, size, &packed, &fault))
        for (uint32_t i = 0; i < packed.head.count; i++)
            packed_is_sound(&packed, i);
    free(copy);
    return 0;
}
