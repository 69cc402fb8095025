/* SPDX-License-Identifier: MIT
 *
 * sthead.c - writes compact JSON, padded to 8 bytes.
 */
#include "sthead.h"

#include <inttypes.h>

#include "meta.h"
#include "safetensors.h"
#include "size.h"
#include "ttsb.h"

#define METADATA "__metadata__"

static const char too_large[] = "the file would be larger than 2^63 - 1 bytes";

int sthead_order(uint32_t dtype, uint32_t other)
{
    uint32_t v = ttsb_dtype_bits(dtype), w = ttsb_dtype_bits(other);
    return (v < w) - (v > w);
}

/* Its bytes begin at *end of the data. */
static const char *put_tensor(struct text *t, struct sthead_tensor *x,
                              uint64_t *end)
{
    x->at = *end;
    if (str_is(x->name, METADATA))
        return "a tensor is called " METADATA ", which safetensors reserves";
    if (!size_add(x->at, x->size, end))
        return too_large;
    text_c(t, ",");
    meta_string(t, x->name);
    text_format(t, ":{\"dtype\":\"%s\",\"shape\":", ttsb_dtype_name(x->dtype));
    text_sizes(t, x->dims, x->rank);
    text_format(t, ",\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", x->at, *end);
    return NULL;
}

const char *sthead_put(struct text *t, struct sthead_tensor *tensors, size_t n,
                       uint64_t *size)
{
    uint8_t length[ST_LENGTH_SIZE] = {0};
    uint64_t data = 0;
    text_str(t, (struct str){(char *)length, sizeof length});
    text_c(t, "{\"" METADATA "\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < n; i++) {
        const char *why = put_tensor(t, &tensors[i], &data);
        if (why != NULL)
            return why;
    }
    text_c(t, "}");
    while (t->n % 8 != 0)
        text_c(t, " ");
    if (t->n - sizeof length > ST_MAX_HEADER)
        return "the header would be larger than safetensors allows; export a "
               "part, by patterns";
    store_u64((uint8_t *)t->p, t->n - sizeof length);
    if (!size_add(data, t->n, size))
        return too_large;
    for (size_t i = 0; i < n; i++)
        tensors[i].at += t->n;
    return NULL;
}
