/* SPDX-License-Identifier: MIT
 *
 * pack_format.h - the bytes of a packed blob (FORMAT.md section 18).
 *
 * In: bytes. Out: the head and the table of ranges, each number checked; or the
 * head's and the table's bytes. Invariant: a table that passed tiles the blob
 * and the file exactly, no range is longer than PACKED_RANGE_MAX, and nothing
 * was allocated to find that out.
 */
#ifndef TTSW_PACK_FORMAT_H
#define TTSW_PACK_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "ttsb_format.h"

/* A blob's size and its ranges are multiples of it. */
#define PACKED_CELL 65536
#define PACKED_RANGE_MAX ((uint32_t)1 << 20)
#define PACKED_MAX_RANGES ((uint32_t)1 << 26)
#define PACKED_HEAD 256
#define PACKED_ENTRY 40

/* zstd's own number for bytes that it skips. */
#define PACKED_SKIP UINT32_C(0x184d2a54)
/* How its frames begin; those of its versions before 0.8 begin otherwise. */
#define PACKED_FRAME UINT32_C(0xfd2fb528)

struct packed_head {
    uint64_t size;      /* of the packed file, bytes */
    uint64_t blob_size; /* bytes */
    uint32_t count;     /* of ranges */
    uint8_t root[16];   /* the blob's */
    char model[TTSB_MAX_MODEL_NAME + 1];
};

/* Consecutive bytes of the blob and the zstd frame that holds them. */
struct packed_range {
    uint64_t offset; /* in the blob */
    uint64_t at;     /* of the frame, in the packed file */
    uint32_t length; /* bytes of the blob */
    uint32_t size;   /* bytes of the frame */
    uint32_t width;  /* of the planes: 2, 4, 8; 1 for none */
    uint64_t hash;   /* XXH3-64 of the frame */
};

/* A packed file in memory whose head and table were checked. */
struct packed {
    const uint8_t *bytes;
    struct packed_head head;
};

/* Why a file is refused. */
struct packed_fault {
    uint64_t offset;  /* in the packed file */
    const char *help; /* one step, or NULL */
    char text[256];
};

/* Where the first frame begins: behind the head and `count` entries. */
uint64_t packed_front(uint32_t count);

/* Checks the head and the table of `size` bytes, which stay the caller's and
 * are looked at as long as *out is. False with *fault. */
bool packed_open(const uint8_t *bytes, uint64_t size, struct packed *out,
                 struct packed_fault *fault);

/* Whether the file begins as a packed blob; false where it cannot be read. */
bool packed_at(const char *path);

/* Range i of an open file, i below head.count. */
struct packed_range packed_range_at(const struct packed *p, uint32_t i);

/* Whether the frame of range i has its hash. */
bool packed_is_sound(const struct packed *p, uint32_t i);

/* Writes the PACKED_ENTRY bytes of a range. */
void packed_put_range(const struct packed_range *r, uint8_t *out);

/* Writes the PACKED_HEAD bytes of a head, whose table stands at `table`. */
void packed_put_head(const struct packed_head *h, const uint8_t *table,
                     uint8_t *out);

#endif
