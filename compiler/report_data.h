/* SPDX-License-Identifier: MIT
 *
 * report_data.h - what a page about a blob is made of, as JSON.
 *
 * In: statistics of a blob's tensors; and either the model that it was
 * compiled by or what its own META says. Out: one JSON document, for
 * report_page.html. Invariant: holds what its parts hold, and nothing that
 * depends on the machine but the paths that were given.
 */
#ifndef TTSW_REPORT_DATA_H
#define TTSW_REPORT_DATA_H

#include "chain.h"
#include "resolve.h"
#include "stats.h"
#include "tensors.h"

struct report_of {
    struct str path; /* of the blob */
    const struct stats *outputs;
    const struct suspicions *of_outputs;
    const char *const *allowed; /* suspicions that were not looked for */
    int allowed_count;
    /* After a compile; else NULL. */
    const struct model *m;
    const struct checkpoint *c;
    const struct emitted *blob;
    const struct coverage *cover;
    const struct stats *sources; /* or NULL */
    const struct suspicions *of_sources;
    /* Of a blob alone; else NULL and empty. */
    const struct tensors *file;
    struct str meta; /* JSON */
};

void report_data(struct arena *a, struct text *t, const struct report_of *of);

#endif
