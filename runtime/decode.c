/* SPDX-License-Identifier: MIT
 *
 * decode.c - entries of the sections as structures.
 *
 * In: a blob whose sections are known to have whole entries, and an index
 * below their count. Out: a copy of the entry in the machine's byte order.
 * Invariant: bytes of the file are loaded, never cast, so that neither their
 * alignment nor the machine's byte order matters.
 */
#include "ttsb_internal.h"

struct ttsb_disk_record ttsb__record(const struct ttsb_blob *blob,
                                     uint32_t index)
{
    const uint8_t *p = blob->section[TTSB_SECTION_INDEX].bytes +
                       (size_t)index * sizeof(struct ttsb_disk_record);
    struct ttsb_disk_record r = {
        .name_offset =
            load_u32(p + offsetof(struct ttsb_disk_record, name_offset)),
        .name_length =
            load_u16(p + offsetof(struct ttsb_disk_record, name_length)),
        .dtype = p[offsetof(struct ttsb_disk_record, dtype)],
        .rank = p[offsetof(struct ttsb_disk_record, rank)],
        .flags = load_u32(p + offsetof(struct ttsb_disk_record, flags)),
        .group = load_u32(p + offsetof(struct ttsb_disk_record, group)),
        .alias_of = load_u32(p + offsetof(struct ttsb_disk_record, alias_of)),
        .zero = load_u32(p + offsetof(struct ttsb_disk_record, zero)),
        .offset = load_u64(p + offsetof(struct ttsb_disk_record, offset)),
        .size = load_u64(p + offsetof(struct ttsb_disk_record, size)),
        .first_piece =
            load_u64(p + offsetof(struct ttsb_disk_record, first_piece))};
    p += offsetof(struct ttsb_disk_record, dims);
    for (uint32_t d = 0; d < TTSB_MAX_RANK; d++)
        r.dims[d] = load_u64(p + 8 * d);
    return r;
}

struct ttsb__spot ttsb__spot(const struct ttsb_blob *blob, uint32_t index)
{
    const uint8_t *p = blob->section[TTSB_SECTION_INDEX].bytes +
                       (size_t)index * sizeof(struct ttsb_disk_record);
    const uint32_t group =
        load_u32(p + offsetof(struct ttsb_disk_record, group));
    const uint8_t *g = blob->section[TTSB_SECTION_GROUPS].bytes +
                       (size_t)group * sizeof(struct ttsb_disk_group);
    return (struct ttsb__spot){
        .flags = load_u32(p + offsetof(struct ttsb_disk_record, flags)),
        .group_offset =
            load_u64(p + offsetof(struct ttsb_disk_record, offset)) -
            load_u64(g + offsetof(struct ttsb_disk_group, offset))};
}

struct ttsb_disk_group ttsb__group(const struct ttsb_blob *blob, uint32_t index)
{
    const uint8_t *p = blob->section[TTSB_SECTION_GROUPS].bytes +
                       (size_t)index * sizeof(struct ttsb_disk_group);
    return (struct ttsb_disk_group){
        .name_offset =
            load_u32(p + offsetof(struct ttsb_disk_group, name_offset)),
        .name_length =
            load_u16(p + offsetof(struct ttsb_disk_group, name_length)),
        .place = load_u16(p + offsetof(struct ttsb_disk_group, place)),
        .align = load_u32(p + offsetof(struct ttsb_disk_group, align)),
        .first_tensor =
            load_u32(p + offsetof(struct ttsb_disk_group, first_tensor)),
        .tensor_count =
            load_u32(p + offsetof(struct ttsb_disk_group, tensor_count)),
        .zero = load_u32(p + offsetof(struct ttsb_disk_group, zero)),
        .offset = load_u64(p + offsetof(struct ttsb_disk_group, offset)),
        .size = load_u64(p + offsetof(struct ttsb_disk_group, size))};
}

struct ttsb_disk_const ttsb__const(const struct ttsb_blob *blob, uint32_t index)
{
    const uint8_t *p = blob->section[TTSB_SECTION_CONST].bytes +
                       sizeof(struct ttsb_disk_const_head) +
                       (size_t)index * sizeof(struct ttsb_disk_const);
    return (struct ttsb_disk_const){
        .name_offset =
            load_u32(p + offsetof(struct ttsb_disk_const, name_offset)),
        .name_length =
            load_u32(p + offsetof(struct ttsb_disk_const, name_length)),
        .type = load_u32(p + offsetof(struct ttsb_disk_const, type)),
        .items = load_u32(p + offsetof(struct ttsb_disk_const, items)),
        .value_offset =
            load_u32(p + offsetof(struct ttsb_disk_const, value_offset)),
        .value_size =
            load_u32(p + offsetof(struct ttsb_disk_const, value_size))};
}

struct ttsb_disk_section ttsb__section_entry(const struct ttsb_blob *blob,
                                             uint32_t index)
{
    const uint8_t *p = blob->bytes +
                       offsetof(struct ttsb_disk_superblock, sections) +
                       index * sizeof(struct ttsb_disk_section);
    struct ttsb_disk_section s = {
        .type = load_u32(p + offsetof(struct ttsb_disk_section, type)),
        .flags = load_u32(p + offsetof(struct ttsb_disk_section, flags)),
        .offset = load_u64(p + offsetof(struct ttsb_disk_section, offset)),
        .size = load_u64(p + offsetof(struct ttsb_disk_section, size))};
    memcpy(s.hash, p + offsetof(struct ttsb_disk_section, hash), 16);
    return s;
}

const char *ttsb__name(const struct ttsb_blob *blob, uint32_t offset)
{
    return (const char *)blob->section[TTSB_SECTION_NAMES].bytes + offset;
}

const char *ttsb__model(const struct ttsb_blob *blob)
{
    return (const char *)blob->bytes +
           offsetof(struct ttsb_disk_superblock, model);
}

uint64_t ttsb__pieces(uint64_t size)
{
    return size / TTSB_PIECE_SIZE + (size % TTSB_PIECE_SIZE != 0);
}

int ttsb__compare(const char *a, size_t a_size, const char *b, size_t b_size)
{
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
    return order != 0 ? order : (a_size > b_size) - (a_size < b_size);
}

uint64_t ttsb__first_nonzero(const uint8_t *bytes, uint64_t size)
{
    uint64_t i = 0;
    /* One byte is zero and each equals the next: libc's fastest loop. */
    if (size == 0 ||
        (bytes[0] == 0 && memcmp(bytes, bytes + 1, (size_t)size - 1) == 0))
        return size;
    while (bytes[i] == 0)
        i++;
    return i;
}
