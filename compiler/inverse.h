/* SPDX-License-Identifier: MIT
 *
 * inverse.h - where every element of a source lies in the outputs.
 *
 * In: a model whose leaves are bound to a blob's origins. Out: of each origin
 * whether it can be restored, or what stands against it; its regions, whose
 * sources are the outputs. Invariant: an origin is restored out of moves and
 * of casts that lose no bit, and nothing else. A region pairs digits of a
 * value with digits of a source one to one, so that exchanging the two gives
 * a region of the source.
 */
#ifndef TTSW_INVERSE_H
#define TTSW_INVERSE_H

#include "lineage.h"
#include "regions.h"
#include "units.h"

/* What stands against restoring an origin. */
enum loss {
    LOSS_NONE,
    LOSS_DROPPED,
    LOSS_PART, /* some of its elements are dropped */
    LOSS_WEIGHT_NORM,
    LOSS_SPECTRAL_NORM,
    LOSS_COMPUTED,
    LOSS_NARROWED,
    LOSS_NAN, /* widened, and may hold NaN, whose bits a cast changes */
    LOSS_MISSING,
    LOSS_PIECES, /* too many */
};

struct fate {
    enum loss loss;
    bool second;                 /* second readings (`also`) are needed, too */
    const struct leaf *leaf;     /* the use that loses it, or NULL */
    const struct output *output; /* which it feeds, or NULL */
};

/* The regions of an origin, of first uses and of second readings. */
struct inverted {
    uint64_t elements; /* of the first uses */
    struct regions first, second;
};

struct inverse {
    struct arena *a;
    const struct model *m;
    const struct lineage *l;
    struct fate *fates;     /* of each origin */
    struct inverted *parts; /* the same; of one unit at a time */
    struct units units;
    uint32_t *origins; /* of the unit; */
    size_t count;
    bool judged; /* fates stay as they are */
};

/* Decides about all origins. */
void inverse_judge(struct arena *a, const struct model *m,
                   const struct lineage *l, struct inverse *out);

/* Makes the regions of the origins that unit k uses: v->origins, v->count of
 * them. They live in `scratch`. */
void inverse_unit(struct inverse *v, size_t k, struct arena *scratch);

/* Settled regions of an origin of the unit; it can be restored. The leaf of
 * each is made up: its `source` is the number of an output. */
struct regions inverse_regions(const struct inverse *v, uint32_t origin);

/* The type and dtype in which an origin is made: its own, or bytes if its
 * elements are packed. */
struct type inverse_type(struct arena *a, const struct leaf *leaf,
                         enum ttsb_dtype *dtype);

#endif
