/* SPDX-License-Identifier: MIT
 *
 * produce.h - the bytes of one output.
 *
 * In: an output, its plan, the checkpoint. Out: its bytes in the file, the
 * XXH3-64 of its pieces, the digests of its sources; or what is wrong with
 * the values. Invariant: the same bytes whatever thread, order or buffer;
 * memory is a worker's fixed buffers and, for a weight norm, some 90 bytes
 * for each kept channel.
 */
#ifndef TTSW_PRODUCE_H
#define TTSW_PRODUCE_H

#include "checkpoint.h"
#include "kernels.h"
#include "outfile.h"
#include "plan.h"

/* What went wrong with one output; at most one of these. */
struct finding {
    enum finding_kind {
        FINDING_NONE,
        FINDING_READ,      /* leaf; error: errno */
        FINDING_WRITE,     /* error: errno */
        FINDING_NONFINITE, /* leaf; count, first: source elements */
        FINDING_ZERO_NORM, /* leaf; first: kept index */
        FINDING_RANGE,     /* count, first: output elements; value */
    } kind;
    int error;
    const struct leaf *leaf;
    uint64_t count, first;
    double value;
};

/* What all workers share; read only but for the tables' own entries. */
struct production {
    const struct model *model;
    const struct checkpoint *checkpoint;
    const struct outfile *file;
    const uint64_t *offset;      /* of each output, in the file */
    const uint64_t *first_piece; /* of each output */
    uint64_t *pieces;            /* XXH3-64 of each piece */
    uint8_t (*digests)[16];      /* of each tensor of the checkpoint */
    struct finding *findings;    /* of each output */
};

struct worker_buffers;

/* Fixed buffers for one worker; never NULL. */
struct worker_buffers *produce_buffers(const struct checkpoint *c);
void produce_release(struct worker_buffers *b);

/* Makes output `index`. */
void produce_output(const struct production *p, struct worker_buffers *b,
                    uint32_t index);

#endif
