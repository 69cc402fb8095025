/* SPDX-License-Identifier: MIT
 *
 * fuzz_safetensors.c - any bytes as the header of a file that ends with it,
 * or with 64 more bytes. Seeds: fixtures/safetensors, without their first 8.
 */
#include "safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (uint64_t more = 0; more <= 64; more += 64) {
        struct arena a = {0};
        struct st_header h = {0};
        struct st_error e = {0};
        safetensors_parse(&a, (const char *)data, size, 8 + size + more, &h,
                          &e);
        arena_release(&a);
    }
    return 0;
}
