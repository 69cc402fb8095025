/* SPDX-License-Identifier: MIT
 *
 * report_rows.h - the tensors of a report, and their figures.
 *
 * In: a report. Out: JSON. Invariant: an output's number is that of its row of
 * the statistics, a source's too.
 */
#ifndef TTSW_REPORT_ROWS_H
#define TTSW_REPORT_ROWS_H

#include "report_data.h"

/* [{...}] of all outputs, with the chain of each where there is a model. */
void report_outputs(struct text *t, const struct report_of *of);

/* [{...}] of all tensors of the checkpoint, or null without a model. */
void report_sources(struct text *t, const struct report_of *of);

/* [{...}] of what the spec drops, or null without a model. */
void report_dropped(struct arena *a, struct text *t,
                    const struct report_of *of);

#endif
