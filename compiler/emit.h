/* SPDX-License-Identifier: MIT
 *
 * emit.h - a resolved model as a blob in a file.
 *
 * In: a model bound to a checkpoint, a path. Out: the blob, whole and synced,
 * or findings and the old file untouched. Invariant: decides nothing; the
 * bytes do not depend on the number of threads.
 */
#ifndef TTSW_EMIT_H
#define TTSW_EMIT_H

#include "checkpoint.h"
#include "model.h"
#include "progress.h"

struct watch;

struct emit_target {
    struct str path; /* empty: all is made and judged, nothing is written */
    unsigned threads;
    enum progress_when progress;
    const struct watch *watches; /* of produce.h */
    size_t watch_count;
};

struct emitted {
    uint64_t size; /* of the file */
    uint8_t root[16];
    const uint64_t *offsets; /* of each output, in the file; in the arena */
    const uint64_t *groups;  /* of each group */
    /* XXH3-64 of all pieces, and of each output the first that is its. */
    const uint64_t *pieces, *first_piece;
};

/* Where a blob would have what, without reading a weight: all but the root.
 * False after E0111: it would be too large. */
bool emit_layout(struct arena *a, struct diag *d, const struct model *m,
                 const struct checkpoint *c, struct emitted *out);

/* Where nothing is written, all of *out but the root is filled. False after a
 * finding (E06xx for values, E0704 and E0705 for the system). */
bool emit_blob(struct arena *a, struct diag *d, const struct model *m,
               const struct checkpoint *c, const struct emit_target *target,
               struct emitted *out);

#endif
