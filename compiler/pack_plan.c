/* SPDX-License-Identifier: MIT
 *
 * pack_plan.c - the blob in cells of 64 KiB, which are its pieces' size, and
 * neighbours of one width put together.
 *
 * A tensor begins anywhere on 256 bytes, so that a cell may hold several
 * dtypes: the one with most bytes counts. What few bytes are in wrong planes
 * cost a little space and nothing else.
 */
#include "pack_plan.h"

#include "ttsb_internal.h"

struct cells {
    const struct ttsb_blob *blob;
    uint32_t next; /* records before it end before the cell */
};

static uint32_t element_width(uint8_t dtype)
{
    switch (dtype) {
    case TTSB_U16:
    case TTSB_I16:
    case TTSB_F16:
    case TTSB_BF16:
        return 2;
    case TTSB_U32:
    case TTSB_I32:
    case TTSB_F32:
    case TTSB_C64:
        return 4;
    case TTSB_U64:
    case TTSB_I64:
    case TTSB_F64:
        return 8;
    default:
        return 1;
    }
}

static uint64_t overlap(const struct ttsb_disk_record *r, uint64_t start)
{
    uint64_t first = r->offset > start ? r->offset : start;
    uint64_t last = r->offset + r->size;
    if (last > start + PACKED_CELL)
        last = start + PACKED_CELL;
    return last > first ? last - first : 0;
}

/* Of most bytes of the cell; 1 where it has no tensor. Aliases and empty
 * tensors have no bytes of their own. */
static uint32_t cell_width(struct cells *c, uint64_t start)
{
    uint64_t bytes[9] = {0};
    uint32_t best = 1;
    for (; c->next < c->blob->tensor_count; c->next++) {
        struct ttsb_disk_record r = ttsb__record(c->blob, c->next);
        if ((r.flags & TTSB_RECORD_ALIAS) != 0 || r.size == 0)
            continue;
        if (r.offset >= start + PACKED_CELL)
            break;
        bytes[element_width(r.dtype)] += overlap(&r, start);
        if (r.offset + r.size > start + PACKED_CELL)
            break;
    }
    for (uint32_t width = 1; width <= 8; width *= 2)
        if (bytes[width] > bytes[best])
            best = width;
    return best;
}

struct pack_plan pack_plan(struct arena *a, const struct ttsb_blob *blob)
{
    struct pack_plan plan = {0};
    struct packed_range *last = NULL;
    struct cells cells = {.blob = blob};
    size_t capacity = 0;
    for (uint64_t at = 0; at < blob->size; at += PACKED_CELL) {
        uint32_t width = cell_width(&cells, at);
        if (last != NULL && last->width == width &&
            last->length < PACKED_RANGE_MAX) {
            last->length += PACKED_CELL;
            continue;
        }
        if (plan.count == capacity)
            plan.ranges = arena_grow(a, plan.ranges, sizeof *plan.ranges,
                                     plan.count, &capacity);
        last = &plan.ranges[plan.count++];
        *last = (struct packed_range){
            .offset = at, .length = PACKED_CELL, .width = width};
    }
    return plan;
}
