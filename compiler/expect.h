/* SPDX-License-Identifier: MIT
 *
 * expect.h - what a spec expects its outputs to hold, and whether they do.
 *
 * In: `expect:` of a spec, its model, the files that it names; later the
 * outputs' bytes, as they pass. Out: E0604 for each that is otherwise.
 * Invariant: every target of every file is compared or named as not compared;
 * nothing of it changes a byte of the blob; memory is what a file of probes
 * says, and for values nothing but a chunk.
 */
#ifndef TTSW_EXPECT_H
#define TTSW_EXPECT_H

#include "model.h"
#include "probes.h"
#include "produce.h"
#include "stfile.h"

#define NO_EXPECTED UINT32_MAX

enum verdict {
    VERDICT_MET, /* or not judged yet */
    VERDICT_UNKNOWN,
    VERDICT_SHAPE,
    VERDICT_DTYPE,
    VERDICT_ABSENT,
    VERDICT_MISSING,
    VERDICT_PROBES,
    VERDICT_VALUES,
};

/* What is known of one target of one file. */
struct expected {
    const struct expect_entry *entry;
    struct span at;
    struct str target;
    uint32_t output; /* whose bytes they are: of an alias its target's */
    uint32_t next;   /* the next one of the same output */
    enum verdict verdict;
    /* Of probes: */
    const struct probe *probe;
    struct projection projection;
    /* Of values: */
    const struct stfile *file;
    const struct st_tensor *golden;
    uint64_t different, first; /* elements */
    double wanted, found;      /* the first */
    uint64_t seen;             /* bytes */
    int error;
};

/* All expectations of a run. Zero-initialised: none. */
struct expect {
    struct arena *a;
    struct diag *d;
    const struct model *m;
    struct expected *p;
    size_t n, capacity;
    uint32_t *first;      /* of each output, or NO_EXPECTED */
    struct stfile *files; /* of each entry; closed or never open if probes */
    size_t file_count;
};

/* Reads the files of probes and the headers of values, and compares names,
 * shapes and dtypes. False after findings: E0604, E0607, E0701, E0703, E0705.
 * The files stay open; expect_close also after an error. */
bool expect_open(struct arena *a, struct diag *d, const struct model *m,
                 struct expect *out);

/* What sees the outputs pass, and judges them at the end: E0604, E0705, and
 * W0604 for outputs that are MISSING. `x` outlives it. */
struct watch expect_watch(struct expect *x);

/* How far the sums of an expectation by probes may lie apart. */
struct probe_bounds expect_bounds(const struct expect *x,
                                  const struct expected *e);

/* How many outputs have expectations, and were found to meet them. */
size_t expect_count(const struct expect *x);

void expect_close(struct expect *x);

/* Says those of `entry` that have a verdict, names of one pattern at once.
 * Returns how many. */
size_t expect_say(const struct expect *x, const struct expect_entry *entry);

#endif
