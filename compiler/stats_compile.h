/* SPDX-License-Identifier: MIT
 *
 * stats_compile.h - `compile --stats` and what `--report` shows.
 *
 * In: a run that is about to emit. Out: statistics of sources and outputs,
 * what is suspicious of them, a few lines or JSON. Invariant: a run that asks
 * for neither pays nothing; the blob is the same.
 */
#ifndef TTSW_STATS_COMPILE_H
#define TTSW_STATS_COMPILE_H

#include "compile.h"
#include "stats_watch.h"
#include "text.h"

struct stats_compile {
    struct stats_watch *watch; /* NULL: nobody asked */
    struct stats sources, outputs;
    struct suspicions of_sources, of_outputs;
};

/* The model is resolved. */
void stats_compile_begin(struct run *r, const struct args *args,
                         const struct checkpoint *c, struct stats_compile *s);

/* After emit_blob, `ok` being what it returned. If it was true, fills the rest
 * of *s and warns: of all suspicions of sources, and of those of outputs whose
 * id no source has. */
void stats_compile_end(struct run *r, const struct args *args, bool ok,
                       struct stats_compile *s);

/* Appends the JSON if --stats=NAME was given. */
void stats_compile_put(const struct stats_compile *s, const struct args *args,
                       struct text *out);

/* Prints sums if --stats was given without a name. */
void stats_compile_print(const struct stats_compile *s,
                         const struct args *args);

#endif
