/* SPDX-License-Identifier: MIT
 *
 * stats_follow.c - begins, adds, ends.
 */
#include "stats_follow.h"

#include <stdlib.h>

#include "audit.h"
#include "buffers.h"
#include "ttsb_format.h"

void stats_row_digest(struct stats_row *r, const uint64_t *pieces)
{
    const struct st_tensor t = {
        .dtype = r->dtype, .rank = r->rank, .dims = r->dims};
    audit_digest(&t, pieces, (r->size + TTSB_PIECE_SIZE - 1) / TTSB_PIECE_SIZE,
                 r->digest);
}

void stats_row_empty(struct stats_row *r)
{
    uint64_t none = 0;
    r->has_values = true;
    r->tally = (struct tally){.counted = tally_is_counted(r->dtype)};
    stats_row_digest(r, &none);
}

static void end(struct stats_follow *f, struct stats_row *r)
{
    r->tally = tally_end(f->maker);
    r->has_values = true;
    stats_row_digest(r, f->pieces);
    free(f->pieces);
    *f = (struct stats_follow){0};
}

void stats_follow_add(struct stats_follow *f, struct stats_row *r, uint64_t at,
                      struct str bytes)
{
    if (f->maker == NULL) {
        f->maker = tally_begin(r->dtype);
        f->pieces = buffers_take_many(r->size / TTSB_PIECE_SIZE + 1, 8);
    }
    tally_add(f->maker, bytes.p, bytes.n);
    audit_hash(bytes.p, bytes.n, f->pieces + at / TTSB_PIECE_SIZE);
    if (at + bytes.n == r->size)
        end(f, r);
}

void stats_follow_stop(struct stats_follow *f)
{
    if (f->maker != NULL)
        tally_end(f->maker);
    free(f->pieces);
    *f = (struct stats_follow){0};
}
