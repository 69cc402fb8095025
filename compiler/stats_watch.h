/* SPDX-License-Identifier: MIT
 *
 * stats_watch.h - the statistics of a compile, while its bytes pass.
 *
 * In: a model, its checkpoint, then what emit_blob reads and makes. Out: the
 * statistics of the sources and of the outputs. Invariant: nothing is read a
 * second time, nothing of the blob changes, and the figures are bit for bit
 * those of stats_read on the checkpoint and on the blob.
 *
 *     struct stats_watch *w = stats_watch_begin(arena, model, checkpoint);
 *     target.watches = stats_watch_hook(w);
 *     target.watch_count = 1;
 *     emit_blob(...);
 *     stats_watch_end(w, &sources, &outputs);
 */
#ifndef TTSW_STATS_WATCH_H
#define TTSW_STATS_WATCH_H

#include "produce.h"
#include "stats.h"

struct stats_watch;

/* The model is resolved. Rows are in the arena: some 800 bytes for each tensor
 * of the checkpoint and each output. */
struct stats_watch *stats_watch_begin(struct arena *a, const struct model *m,
                                      const struct checkpoint *c);

/* What emit_target.watches takes. */
const struct watch *stats_watch_hook(const struct stats_watch *w);

/* Once, whether the compile went well or not. A source row that nothing read
 * has no values, so has an absent or missing output; the row of an alias has
 * what it is an alias of. The paths are the caller's to set. */
void stats_watch_end(struct stats_watch *w, struct stats *sources,
                     struct stats *outputs);

#endif
