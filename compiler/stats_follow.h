/* SPDX-License-Identifier: MIT
 *
 * stats_follow.h - one tensor that passes in order.
 *
 * In: its bytes, slab by slab. Out: its row's tally and digest. Invariant:
 * while it passes it holds a maker and 8 bytes for each piece, before and
 * after it nothing.
 */
#ifndef TTSW_STATS_FOLLOW_H
#define TTSW_STATS_FOLLOW_H

#include "stats.h"

/* Zero-initialise. */
struct stats_follow {
    struct tally_maker *maker;
    uint64_t *pieces;
};

/* Bytes [at, at + n) of the row's tensor; `at` is a multiple of
 * TTSB_PIECE_SIZE. The last ones fill the row. */
void stats_follow_add(struct stats_follow *f, struct stats_row *r, uint64_t at,
                      struct str bytes);

/* Gives back what a tensor that did not pass whole holds. */
void stats_follow_stop(struct stats_follow *f);

/* The digest and the tally of a row without elements. */
void stats_row_empty(struct stats_row *r);

/* The digest of a row with these pieces, as audit_digest has it. */
void stats_row_digest(struct stats_row *r, const uint64_t *pieces);

#endif
