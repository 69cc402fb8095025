/* SPDX-License-Identifier: MIT
 *
 * pack_plan.h - which bytes of a blob are packed together.
 *
 * In: an open blob. Out: ranges that tile it, each with the width of the
 * elements that most of its bytes are. Invariant: a function of the blob's
 * index alone.
 */
#ifndef TTSW_PACK_PLAN_H
#define TTSW_PACK_PLAN_H

#include "arena.h"
#include "pack_format.h"

struct ttsb_blob;

struct pack_plan {
    struct packed_range *ranges; /* offset, length, width */
    size_t count;
};

/* From the arena, 160 bytes at most for each range. */
struct pack_plan pack_plan(struct arena *a, const struct ttsb_blob *blob);

#endif
