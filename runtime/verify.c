/* SPDX-License-Identifier: MIT
 *
 * verify.c - proves the bytes that open did not read.
 *
 * In: an open blob and a range of pieces. Out: TTSB_OK, or the first damage in
 * file order with the tensor's name. Pieces lie in PIECES in record order and
 * in the file in the same order, so a range of pieces is a run of records.
 *
 * Invariant: each byte of the file belongs to exactly one of open, one piece,
 * the padding behind one piece, and ttsb_verify_rest. Nothing is written or
 * allocated: any number of threads may verify one blob.
 */
#include "ttsb_internal.h"

#include <inttypes.h>

#include "hash.h"

/* Whether the record has pieces of its own. */
static bool owns_pieces(const struct ttsb_disk_record *r)
{
    return r->size != 0 && (r->flags & TTSB_RECORD_ALIAS) == 0;
}

/* The last record at or below `record` and not below `low` that has pieces,
 * or `low` if there is none. */
static uint32_t owner_below(const struct ttsb_blob *blob, uint32_t record,
                            uint32_t low)
{
    for (; record > low; record--) {
        struct ttsb_disk_record r = ttsb__record(blob, record);
        if (owns_pieces(&r))
            break;
    }
    return record;
}

/* A record that is not behind that of `piece`, near it. Halves the records;
 * those without pieces have no place in the order and are stepped over. */
static uint32_t search_piece(const struct ttsb_blob *blob, uint64_t piece)
{
    uint32_t low = 0;
    uint32_t high = blob->tensor_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t owner = owner_below(blob, middle, low);
        if (owner == low || ttsb__record(blob, owner).first_piece <= piece)
            low = middle;
        else
            high = owner;
    }
    return owner_below(blob, low, 0);
}

static int32_t damaged_piece(const struct ttsb_blob *blob, uint32_t tensor,
                             struct ttsb__fault *fault,
                             struct ttsb_error *error)
{
    const struct ttsb_disk_record r = ttsb__record(blob, tensor);
    fault->status = TTSB_DAMAGED_PIECE;
    fault->tensor = tensor;
    fault->field = "piece";
    return ttsb__fail(error, fault,
                      "the tensor '%.120s' is damaged: the piece at byte "
                      "%" PRIu64 " has another hash",
                      ttsb__name(blob, r.name_offset), fault->offset);
}

/* The pieces of record `tensor` that are in [first, last). */
static int32_t verify_tensor(const struct ttsb_blob *blob, uint32_t tensor,
                             uint64_t first, uint64_t last,
                             struct ttsb_error *error)
{
    const uint8_t *hashes = blob->section[TTSB_SECTION_PIECES].bytes;
    const struct ttsb_disk_record r = ttsb__record(blob, tensor);
    for (uint64_t piece = first; piece < last; piece++) {
        uint64_t start = (piece - r.first_piece) * TTSB_PIECE_SIZE;
        uint64_t size =
            r.size - start < TTSB_PIECE_SIZE ? r.size - start : TTSB_PIECE_SIZE;
        struct ttsb__fault fault = {.offset = r.offset + start};
        fault.found = ttsb__hash64(blob->bytes + fault.offset, (size_t)size);
        fault.expected = load_u64(hashes + (size_t)piece * 8);
        if (fault.found != fault.expected)
            return damaged_piece(blob, tensor, &fault, error);
    }
    return TTSB_OK;
}

/* Zeros in [start, end), which lies behind record `tensor` if it is one. */
static int32_t verify_zeros(const struct ttsb_blob *blob, uint32_t tensor,
                            uint64_t start, uint64_t end,
                            struct ttsb_error *error)
{
    const uint64_t at =
        start + ttsb__first_nonzero(blob->bytes + start, end - start);
    struct ttsb__fault fault = {.status = TTSB_DAMAGED_PADDING,
                                .tensor = tensor,
                                .offset = at,
                                .field = "padding"};
    if (at == end)
        return TTSB_OK;
    fault.found = blob->bytes[at];
    if (tensor == TTSB_NO_TENSOR)
        return ttsb__fail(error, &fault,
                          "the padding byte %" PRIu64 " is not zero", at);
    return ttsb__fail(
        error, &fault,
        "the padding byte %" PRIu64 " behind the tensor '%.120s' is not zero",
        at, ttsb__name(blob, ttsb__record(blob, tensor).name_offset));
}

/* Where the padding behind record `tensor` ends. */
static uint64_t next_stored(const struct ttsb_blob *blob, uint32_t tensor)
{
    const uint32_t group = ttsb__record(blob, tensor).group;
    const struct ttsb_disk_group g = ttsb__group(blob, group);
    for (uint32_t i = tensor + 1; i < g.first_tensor + g.tensor_count; i++) {
        struct ttsb_disk_record r = ttsb__record(blob, i);
        if (owns_pieces(&r))
            return r.offset;
    }
    return g.offset + g.size;
}

/* META or a section that is unknown here. */
static int32_t verify_section(const struct ttsb_blob *blob,
                              const struct ttsb_disk_section *s,
                              struct ttsb_error *error)
{
    struct ttsb__fault fault = {
        .status = s->type == TTSB_SECTION_META ? TTSB_DAMAGED_META
                                               : TTSB_DAMAGED_SECTION,
        .tensor = TTSB_NO_TENSOR,
        .offset = s->offset,
        .field = s->type == TTSB_SECTION_META ? "META" : "section"};
    uint8_t hash[16];
    ttsb__hash128(blob->bytes + s->offset, (size_t)s->size, hash);
    if (memcmp(hash, s->hash, 16) == 0)
        return TTSB_OK;
    fault.found = ttsb__hash_head(hash);
    fault.expected = ttsb__hash_head(s->hash);
    return ttsb__fail(error, &fault,
                      "%s of type %u at byte %" PRIu64 " is damaged: it has "
                      "another hash",
                      s->type == TTSB_SECTION_META ? "the section META"
                                                   : "a section",
                      s->type, s->offset);
}

uint32_t ttsb__record_of(const struct ttsb_blob *blob, uint32_t record,
                         uint64_t piece)
{
    for (;; record++) {
        struct ttsb_disk_record r = ttsb__record(blob, record);
        if (owns_pieces(&r) && piece < r.first_piece + ttsb__pieces(r.size))
            return record;
    }
}

int32_t ttsb__verify_pieces(const struct ttsb_blob *blob, uint32_t record,
                            uint64_t first, uint64_t last,
                            struct ttsb_error *error)
{
    int32_t status = TTSB_OK;
    for (; status == TTSB_OK && first < last; record++) {
        struct ttsb_disk_record r;
        uint64_t end;
        record = ttsb__record_of(blob, record, first);
        r = ttsb__record(blob, record);
        end = r.first_piece + ttsb__pieces(r.size);
        status =
            verify_tensor(blob, record, first, end < last ? end : last, error);
        if (status == TTSB_OK && end <= last)
            status = verify_zeros(blob, record, r.offset + r.size,
                                  next_stored(blob, record), error);
        first = end;
    }
    return status;
}

int32_t ttsb_verify_range(const struct ttsb_blob *blob, uint64_t first,
                          uint64_t last, struct ttsb_error *error)
{
    struct ttsb__fault fault = {.status = TTSB_OUT_OF_RANGE,
                                .tensor = TTSB_NO_TENSOR,
                                .found = last,
                                .field = "last"};
    if (blob == NULL)
        return ttsb__bad_argument(error, "blob");
    if (first > last)
        return ttsb__bad_argument(error, "first");
    fault.expected = blob->piece_count;
    if (last > blob->piece_count)
        return ttsb__fail(error, &fault,
                          "there is no piece range up to %" PRIu64
                          ": the blob has %" PRIu64 " pieces",
                          last, blob->piece_count);
    if (first == last)
        return TTSB_OK;
    return ttsb__verify_pieces(blob, search_piece(blob, first), first, last,
                               error);
}

int32_t ttsb_verify_rest(const struct ttsb_blob *blob, struct ttsb_error *error)
{
    uint64_t end = TTSB_SUPERBLOCK_SIZE;
    int32_t status = TTSB_OK;
    if (blob == NULL)
        return ttsb__bad_argument(error, "blob");
    for (uint32_t i = 0; status == TTSB_OK && i < TTSB_MAX_SECTIONS; i++) {
        struct ttsb_disk_section s = ttsb__section_entry(blob, i);
        if (s.type == TTSB_SECTION_END)
            break;
        status = verify_zeros(blob, TTSB_NO_TENSOR, end, s.offset, error);
        if (status == TTSB_OK && s.type >= TTSB_SECTION_META)
            status = verify_section(blob, &s, error);
        end = s.offset + s.size;
    }
    if (status != TTSB_OK)
        return status;
    return verify_zeros(blob, TTSB_NO_TENSOR, end, ttsb__group(blob, 0).offset,
                        error);
}

int32_t ttsb_tensor_digest(const struct ttsb_blob *blob, uint32_t index,
                           uint8_t digest[16])
{
    uint8_t shape[8 + 8 * TTSB_MAX_RANK];
    struct ttsb_disk_record r;
    struct ttsb__bytes parts[2] = {{.data = shape}};
    if (blob == NULL || digest == NULL)
        return TTSB_BAD_ARGUMENT;
    if (index >= blob->tensor_count)
        return TTSB_OUT_OF_RANGE;
    r = ttsb__record(blob, index);
    store_u32(shape, r.dtype);
    store_u32(shape + 4, r.rank);
    for (uint32_t d = 0; d < r.rank; d++)
        store_u64(shape + 8 + 8 * d, r.dims[d]);
    parts[0].size = 8 + 8 * (size_t)r.rank;
    parts[1].data =
        blob->section[TTSB_SECTION_PIECES].bytes + (size_t)r.first_piece * 8;
    parts[1].size = (size_t)ttsb__pieces(r.size) * 8;
    ttsb__hash128_joined(parts, 2, digest);
    return TTSB_OK;
}

int32_t ttsb_piece_hash(const struct ttsb_blob *blob, uint64_t piece,
                        uint64_t *hash)
{
    if (blob == NULL || hash == NULL)
        return TTSB_BAD_ARGUMENT;
    if (piece >= blob->piece_count)
        return TTSB_OUT_OF_RANGE;
    *hash =
        load_u64(blob->section[TTSB_SECTION_PIECES].bytes + (size_t)piece * 8);
    return TTSB_OK;
}
