/* SPDX-License-Identifier: MIT
 *
 * produce.h - the bytes of outputs that share sources.
 *
 * In: a unit of outputs, the checkpoint. Out: their bytes in the file, the
 * XXH3-64 of their pieces, the digests of their sources; or what is wrong
 * with the values. Invariant: the same bytes whatever thread, order or
 * buffer; a source is audited once, however many outputs it feeds; memory is
 * a worker's fixed buffers, the regions of one output, for weight norms some
 * 90 bytes for each kept channel, and for computed values what compute.h says.
 */
#ifndef TTSW_PRODUCE_H
#define TTSW_PRODUCE_H

#include <pthread.h>

#include "checkpoint.h"
#include "buffers.h"
#include "kernels.h"
#include "outfile.h"
#include "plan.h"
#include "progress.h"

/* What went wrong with one output or one source. */
struct finding {
    enum finding_kind {
        FINDING_READ,       /* leaf; error: errno */
        FINDING_WRITE,      /* output; error: errno */
        FINDING_NONFINITE,  /* leaf; count, first: source elements */
        FINDING_ZERO_NORM,  /* leaf; first: kept index */
        FINDING_ZERO_SIGMA, /* leaf: W of a spectral norm; value */
        FINDING_UNEQUAL,    /* leaf and its twin; first: source element */
        FINDING_RANGE,      /* output; count, first: its elements; value */
    } kind;
    int error;
    const struct leaf *leaf; /* NULL: about an output */
    uint32_t output;
    uint64_t count, first;
    double value;
};

/* All that was found, by any worker. */
struct findings {
    pthread_mutex_t lock;
    struct finding *p;
    size_t n, capacity;
};

enum audit_state { AUDIT_OPEN, AUDIT_GOOD, AUDIT_BAD };

/* Who wants to see values pass. Each function may be NULL; any worker calls
 * it, for different tensors at the same time, but for one tensor in the order
 * of its bytes, each byte once, by one worker; `at` is a multiple of
 * TTSB_PIECE_SIZE. A tensor with a read error ends early. Absent, missing and
 * alias outputs do not pass, nor do sources that nothing reads. */
struct watch {
    void (*source)(void *context, uint32_t tensor, uint64_t at,
                   const void *bytes, size_t n);
    void (*output)(void *context, uint32_t output, uint64_t at,
                   const void *bytes, size_t n);
    void *context;
    /* Once, by one thread, when all has passed and before anything is final;
     * false, after a finding, and no blob is written. May be NULL. */
    bool (*done)(void *context);
};

/* What all workers share; read only but for the tables' own entries and the
 * findings. */
struct production {
    const struct model *model;
    const struct checkpoint *checkpoint;
    const struct outfile *file;  /* NULL: nothing is written */
    const uint64_t *offset;      /* of each output, in the file */
    const uint64_t *first_piece; /* of each output */
    uint64_t *pieces;            /* XXH3-64 of each piece */
    struct findings *findings;
    /* Of each tensor of the checkpoint. */
    uint8_t (*digests)[16];
    uint8_t *audited;          /* enum audit_state */
    struct progress *progress; /* may be NULL */
    const struct watch *watches;
    size_t watch_count;
};

/* Shows bytes [at, at + n) of a source to all watches. */
void produce_show_source(const struct production *p, uint32_t tensor,
                         uint64_t at, const void *bytes, size_t n);

/* Adds a finding; always false. */
bool produce_fail(const struct production *p, struct finding f);

/* Makes outputs[0..n), which share sources with no other output. */
void produce_unit(const struct production *p, struct buffers *b,
                  const uint32_t *outputs, size_t n);

#endif
