/* SPDX-License-Identifier: MIT
 *
 * fuzz_json.c - any bytes as JSON: read to the end or to the first error.
 */
#include "json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    struct json *j = arena_new(&a, struct json, 1);
    struct json_token t;
    json_start(j, &a, (struct str){(const char *)data, size}, 8);
    while (json_next(j, &t) && t.kind != JSON_END)
        continue;
    arena_release(&a);
    return 0;
}
