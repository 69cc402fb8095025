/* SPDX-License-Identifier: MIT
 *
 * stats_read.h - the statistics of a file.
 *
 * In: open tensors, which of them. Out: a row for each, in their order.
 * Invariant: each byte is read once, through a buffer for each thread; the
 * number of threads changes no bit. Tensors are cut into units of tally.h
 * among the threads, but halves of weight norms are read by one.
 */
#ifndef TTSW_STATS_READ_H
#define TTSW_STATS_READ_H

#include "progress.h"
#include "stats.h"
#include "tensors.h"

struct stats_request {
    const struct tensors *tensors;
    const uint32_t *index; /* of tensors; NULL: all of them */
    size_t count;          /* of index */
    struct str path;
    unsigned threads;
    enum progress_when progress;
};

/* Reads what is asked for; names and shapes stay the tensors'. An alias is no
 * tensor of its own where what it is an alias of, or another alias of that,
 * has a row. False after E0705 (reading failed, or the file changed
 * meanwhile) or E0706 (bytes of a blob that its hashes do not know). */
bool stats_read(struct arena *a, struct diag *d, const struct stats_request *q,
                struct stats *out);

#endif
