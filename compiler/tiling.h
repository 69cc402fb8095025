/* SPDX-License-Identifier: MIT
 *
 * tiling.h - how parts cover a whole: ranges of a line, boxes of a tensor.
 *
 * In: parts and whose they are. Out: where two meet and what is left over.
 * Invariant: pure and exact, in elements; the order of the parts changes
 * nothing but which of several meetings is found first.
 */
#ifndef TTSW_TILING_H
#define TTSW_TILING_H

#include "model.h"

/* --- a line --- */

/* A range of an axis, and whose it is. */
struct part {
    uint64_t lo, hi;
    size_t owner;
};

/* Two owners whose parts meet, first in [lo, hi); `second` comes later. */
struct overlap {
    size_t first, second;
    uint64_t lo, hi;
    struct str ranges; /* "4..8, 10..12", the first 20 */
};

struct tiling {
    struct str gaps; /* "4..8, 10..12", empty without any; the first 20 */
    uint64_t gap_lo, gap_hi; /* the first */
    struct overlap *overlaps;
    size_t overlap_count, capacity;
};

/* How parts tile [0, size); sorts them. Where a part meets earlier ones, it is
 * told with the one that reaches furthest. */
struct tiling tiling_line(struct arena *a, struct part *parts, size_t n,
                          uint64_t size);

/* --- boxes --- */

struct claim {
    struct box box; /* not empty: some element is in it */
    size_t owner;
};

struct claims {
    struct claim *p;
    size_t n;
    struct type type; /* of the whole */
    uint64_t *pairs;  /* looked at so far, by all that share it */
};

enum meeting {
    MEETING_NONE,
    MEETING_FOUND,
    MEETING_UNKNOWN, /* too many pairs to look at */
};

/* Two boxes that meet, and where; sorts the claims. */
enum meeting tiling_meeting(struct arena *a, const struct claims *v,
                            struct claim *first, struct claim *second,
                            struct box *both);

/* Of claims that meet nowhere: a box that none of them touches, the first
 * one in row-major order; false if there is none. */
bool tiling_gap(struct arena *a, const struct claims *v, struct box *gap);

enum covering {
    COVERS_NOT,
    COVERS_ALL,
    COVERS_UNKNOWN, /* too much to look at */
};

/* Whether boxes, which may meet, have every element together. */
enum covering tiling_covers(struct arena *a, const struct claims *v);

/* Elements of a box of this rank. */
uint64_t box_elements(const struct box *b, uint32_t rank);

#endif
