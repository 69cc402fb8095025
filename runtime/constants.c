/* SPDX-License-Identifier: MIT
 *
 * constants.c - the spec's constants in an open blob.
 *
 * In: an index or a name, and an item. Out: the constant's description or the
 * item's value; strings are the blob's own bytes. Invariant: a value is read
 * only as the type that it has; the caller's description is believed for its
 * index alone.
 */
#include "ttsb_internal.h"

static const uint8_t *section_bytes(const struct ttsb_blob *blob)
{
    return blob->section[TTSB_SECTION_CONST].bytes;
}

/* The value of the constant that `constant` names, which must hold items of
 * `type`, of which `item` must be one. */
static int32_t value_of(const struct ttsb_blob *blob,
                        const struct ttsb_constant *constant, uint32_t type,
                        uint32_t item, const uint8_t **value)
{
    struct ttsb_disk_const c;
    if (blob == NULL || constant == NULL)
        return TTSB_BAD_ARGUMENT;
    if (constant->index >= blob->constant_count)
        return TTSB_OUT_OF_RANGE;
    c = ttsb__const(blob, constant->index);
    if ((c.type & ~(uint32_t)TTSB_CONST_LIST) != type)
        return TTSB_WRONG_TYPE;
    if (item >= c.items)
        return TTSB_OUT_OF_RANGE;
    *value = section_bytes(blob) + c.value_offset;
    return TTSB_OK;
}

int32_t ttsb_constant_at(const struct ttsb_blob *blob, uint32_t index,
                         struct ttsb_constant *constant)
{
    struct ttsb_disk_const c;
    struct ttsb_constant value;
    if (blob == NULL || constant == NULL)
        return TTSB_BAD_ARGUMENT;
    if (index >= blob->constant_count)
        return TTSB_OUT_OF_RANGE;
    c = ttsb__const(blob, index);
    value = (struct ttsb_constant){
        .index = index,
        .name = (const char *)section_bytes(blob) + c.name_offset,
        .name_length = c.name_length,
        .type = c.type,
        .items = c.items,
        .value_size = c.value_size,
        .offset = blob->section[TTSB_SECTION_CONST].offset + c.value_offset};
    return ttsb__fill(constant, &value, sizeof(value)) ? TTSB_OK
                                                       : TTSB_BAD_ARGUMENT;
}

int32_t ttsb_constant_find(const struct ttsb_blob *blob, const char *name,
                           struct ttsb_constant *constant)
{
    uint32_t low = 0;
    uint32_t high;
    if (blob == NULL || name == NULL || constant == NULL)
        return TTSB_BAD_ARGUMENT;
    high = blob->constant_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct ttsb_disk_const c = ttsb__const(blob, middle);
        const char *other = (const char *)section_bytes(blob) + c.name_offset;
        int order = ttsb__compare(name, strlen(name), other, c.name_length);
        if (order == 0)
            return ttsb_constant_at(blob, middle, constant);
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return TTSB_NOT_FOUND;
}

/* Copies the 8 bytes of an integer or a decimal. */
static int32_t number_of(const struct ttsb_blob *blob,
                         const struct ttsb_constant *constant, uint32_t type,
                         uint32_t item, void *value)
{
    const uint8_t *bytes;
    uint64_t bits;
    int32_t status = value == NULL
                         ? TTSB_BAD_ARGUMENT
                         : value_of(blob, constant, type, item, &bytes);
    if (status != TTSB_OK)
        return status;
    bits = load_u64(bytes + (size_t)item * 8);
    memcpy(value, &bits, sizeof(bits));
    return TTSB_OK;
}

int32_t ttsb_constant_i64(const struct ttsb_blob *blob,
                          const struct ttsb_constant *constant, uint32_t item,
                          int64_t *value)
{
    return number_of(blob, constant, TTSB_CONST_I64, item, value);
}

int32_t ttsb_constant_f64(const struct ttsb_blob *blob,
                          const struct ttsb_constant *constant, uint32_t item,
                          double *value)
{
    return number_of(blob, constant, TTSB_CONST_F64, item, value);
}

int32_t ttsb_constant_string(const struct ttsb_blob *blob,
                             const struct ttsb_constant *constant,
                             uint32_t item, struct ttsb_string *value)
{
    const uint8_t *bytes;
    int32_t status = value == NULL ? TTSB_BAD_ARGUMENT
                                   : value_of(blob, constant, TTSB_CONST_STRING,
                                              item, &bytes);
    if (status != TTSB_OK)
        return status;
    /* Before it: u32 length, bytes and NUL, to a multiple of 8 each. */
    for (uint32_t i = 0; i < item; i++)
        bytes += ((size_t)load_u32(bytes) + 5 + 7) & ~(size_t)7;
    value->length = load_u32(bytes);
    value->bytes = (const char *)bytes + 4;
    return TTSB_OK;
}
