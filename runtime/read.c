/* SPDX-License-Identifier: MIT
 *
 * read.c - tensors and groups of an open blob.
 *
 * In: an index or a name. Out: the record or the group as the caller's struct,
 * with pointers into the blob. Invariant: no check of open is repeated;
 * `data` is never the bytes of a tensor that the checkpoint lacked.
 */
#include "ttsb_internal.h"

static bool lacks_data(uint32_t flags)
{
    return (flags & (TTSB_RECORD_ABSENT | TTSB_RECORD_MISSING)) != 0;
}

static bool fill_tensor(const struct ttsb_blob *blob, uint32_t index,
                        struct ttsb_tensor *out)
{
    const struct ttsb_disk_record r = ttsb__record(blob, index);
    struct ttsb_tensor t = {
        .index = index,
        .name = ttsb__name(blob, r.name_offset),
        .name_length = r.name_length,
        .dtype = r.dtype,
        .rank = r.rank,
        .flags = r.flags,
        .group = r.group,
        .alias_of = r.alias_of,
        .offset = r.offset,
        .group_offset = r.offset - ttsb__group(blob, r.group).offset,
        .size = r.size,
        .first_piece = r.first_piece,
        .piece_count = ttsb__pieces(r.size),
        .data = lacks_data(r.flags) ? NULL : blob->bytes + r.offset};
    memcpy(t.dims, r.dims, sizeof(t.dims));
    return ttsb__fill(out, &t, sizeof(t));
}

/* The record with this name, or TTSB_NO_TENSOR. */
static uint32_t search_name(const struct ttsb_blob *blob, const char *name)
{
    const uint8_t *order = blob->section[TTSB_SECTION_NAMEORD].bytes;
    const size_t length = strlen(name);
    uint32_t low = 0;
    uint32_t high = blob->tensor_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t index = load_u32(order + (size_t)middle * 4);
        struct ttsb_disk_record r = ttsb__record(blob, index);
        int c = ttsb__compare(name, length, ttsb__name(blob, r.name_offset),
                              r.name_length);
        if (c == 0)
            return index;
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return TTSB_NO_TENSOR;
}

static int32_t not_found(const struct ttsb_blob *blob, const char *name,
                         struct ttsb_error *error)
{
    const struct ttsb__fault fault = {
        .status = TTSB_NOT_FOUND, .tensor = TTSB_NO_TENSOR, .field = "name"};
    return ttsb__fail(error, &fault,
                      "the blob of '%.60s' has no tensor '%.120s'",
                      ttsb__model(blob), name);
}

int32_t ttsb__presence(const struct ttsb_blob *blob, uint32_t index,
                       struct ttsb_error *error)
{
    const struct ttsb_disk_record r = ttsb__record(blob, index);
    struct ttsb__fault fault = {.status = TTSB_ABSENT,
                                .tensor = index,
                                .offset = r.offset,
                                .field = "flags"};
    const char *name = ttsb__name(blob, r.name_offset);
    if (!lacks_data(r.flags))
        return TTSB_OK;
    if (r.flags & TTSB_RECORD_ABSENT)
        return ttsb__fail(error, &fault,
                          "the tensor '%.120s' is optional and the checkpoint "
                          "lacked it",
                          name);
    fault.status = TTSB_MISSING;
    return ttsb__fail(error, &fault,
                      "the blob is partial and lacks '%.120s'; " TTSB__REBUILD,
                      name);
}

/* The group's bytes, NULL if it has none. */
static const void *group_data(const struct ttsb_blob *blob,
                              const struct ttsb_disk_group *g)
{
    return g->size != 0 ? blob->bytes + g->offset : NULL;
}

int32_t ttsb_tensor_at(const struct ttsb_blob *blob, uint32_t index,
                       struct ttsb_tensor *tensor, struct ttsb_error *error)
{
    struct ttsb__fault fault = {.status = TTSB_OUT_OF_RANGE,
                                .tensor = TTSB_NO_TENSOR,
                                .found = index,
                                .field = "index"};
    if (blob == NULL)
        return ttsb__bad_argument(error, "blob");
    if (tensor == NULL)
        return ttsb__bad_argument(error, "tensor");
    fault.expected = blob->tensor_count - 1;
    if (index >= blob->tensor_count)
        return ttsb__fail(error, &fault,
                          "there is no tensor %u: the blob has %u", index,
                          blob->tensor_count);
    if (!fill_tensor(blob, index, tensor))
        return ttsb__bad_argument(error, "tensor->struct_size");
    return TTSB_OK;
}

int32_t ttsb_find(const struct ttsb_blob *blob, const char *name,
                  struct ttsb_tensor *tensor, struct ttsb_error *error)
{
    uint32_t index;
    if (blob == NULL)
        return ttsb__bad_argument(error, "blob");
    if (name == NULL)
        return ttsb__bad_argument(error, "name");
    if (tensor == NULL)
        return ttsb__bad_argument(error, "tensor");
    index = search_name(blob, name);
    if (index == TTSB_NO_TENSOR)
        return not_found(blob, name, error);
    if (!fill_tensor(blob, index, tensor))
        return ttsb__bad_argument(error, "tensor->struct_size");
    if (blob->used != NULL)
        ttsb_mark_used(blob->used, index);
    return ttsb__presence(blob, index, error);
}

int32_t ttsb_unused(const struct ttsb_blob *blob, uint32_t first,
                    struct ttsb_tensor *tensor)
{
    if (blob == NULL || tensor == NULL || blob->used == NULL)
        return TTSB_BAD_ARGUMENT;
    for (uint32_t i = first; i < blob->tensor_count; i++)
        if (!ttsb_is_used(blob->used, i))
            return fill_tensor(blob, i, tensor) ? TTSB_OK : TTSB_BAD_ARGUMENT;
    return TTSB_NOT_FOUND;
}

int32_t ttsb_group_at(const struct ttsb_blob *blob, uint32_t index,
                      struct ttsb_group *group)
{
    struct ttsb_disk_group g;
    struct ttsb_group value;
    if (blob == NULL || group == NULL)
        return TTSB_BAD_ARGUMENT;
    if (index >= blob->group_count)
        return TTSB_OUT_OF_RANGE;
    g = ttsb__group(blob, index);
    value = (struct ttsb_group){.index = index,
                                .name = ttsb__name(blob, g.name_offset),
                                .name_length = g.name_length,
                                .place = g.place,
                                .align = g.align,
                                .first_tensor = g.first_tensor,
                                .tensor_count = g.tensor_count,
                                .offset = g.offset,
                                .size = g.size,
                                .data = group_data(blob, &g)};
    return ttsb__fill(group, &value, sizeof(value)) ? TTSB_OK
                                                    : TTSB_BAD_ARGUMENT;
}

int32_t ttsb_host_bases(const struct ttsb_blob *blob, const void **bases,
                        uint32_t count)
{
    if (blob == NULL || bases == NULL || count != blob->group_count)
        return TTSB_BAD_ARGUMENT;
    for (uint32_t i = 0; i < count; i++) {
        struct ttsb_disk_group g = ttsb__group(blob, i);
        bases[i] = group_data(blob, &g);
    }
    return TTSB_OK;
}

int32_t ttsb_prefetch(const struct ttsb_blob *blob, uint32_t group,
                      struct ttsb_error *error)
{
    struct ttsb__fault fault = {.status = TTSB_OUT_OF_RANGE,
                                .tensor = TTSB_NO_TENSOR,
                                .found = group,
                                .field = "group"};
    struct ttsb_disk_group g;
    if (blob == NULL)
        return ttsb__bad_argument(error, "blob");
    fault.expected = blob->group_count - 1;
    if (group >= blob->group_count)
        return ttsb__fail(error, &fault,
                          "there is no group %u: the blob has %u", group,
                          blob->group_count);
    /* Groups start on 64 KiB, which no page of our systems passes. */
    g = ttsb__group(blob, group);
    return ttsb__read_ahead(blob, g.offset, g.size, error);
}

const void *ttsb_pointer(const struct ttsb_blob *blob, const void *base,
                         uint32_t tensor, uint64_t group_offset)
{
    struct ttsb__spot spot;
    if (blob == NULL || base == NULL || tensor >= blob->tensor_count)
        return NULL;
    spot = ttsb__spot(blob, tensor);
    if (lacks_data(spot.flags) || spot.group_offset != group_offset)
        return NULL;
    return (const uint8_t *)base + group_offset;
}
