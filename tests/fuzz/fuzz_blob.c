/* SPDX-License-Identifier: MIT
 *
 * fuzz_blob.c - any bytes as a blob: opened, verified, every tensor, group and
 * constant asked for. Seeds: fixtures/blobs. Hashes keep most mutations at the
 * door; tests/test_runtime_lies.c seals its lies again.
 */
#include "ttsb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const struct ttsb_blob *b)
{
    struct ttsb_info info = {.struct_size = sizeof info};
    ttsb_info(b, &info);
    for (uint32_t i = 0; i < info.tensor_count; i++) {
        struct ttsb_tensor t = {.struct_size = sizeof t};
        ttsb_tensor_at(b, i, &t, NULL);
        ttsb_find(b, t.name, &t, NULL);
    }
    for (uint32_t i = 0; i < info.constant_count; i++) {
        struct ttsb_constant c = {.struct_size = sizeof c};
        struct ttsb_string s;
        ttsb_constant_at(b, i, &c);
        ttsb_constant_string(b, &c, c.items - 1, &s);
    }
    ttsb_verify(b, 1, NULL, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ttsb_open_options options = {.struct_size = sizeof options,
                                        .flags = TTSB_OPEN_PARTIAL};
    struct ttsb_blob *b;
    if (ttsb_open_memory(data, size, &options, &b, NULL) == TTSB_OK)
        look(b);
    ttsb_close(b);
    return 0;
}
