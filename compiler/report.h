/* SPDX-License-Identifier: MIT
 *
 * report.h - success, on standard output.
 *
 * In: a finished model and what became of it. Out: a few lines for people.
 */
#ifndef TTSW_REPORT_H
#define TTSW_REPORT_H

#include "emit.h"
#include "resolve.h"

/* "MODEL 782/783, 1 missing: NAME" on one line; before it one for each source
 * where there are several. */
void report_coverage(const struct model *m, const struct coverage *c);

/* What was read, made and written. */
void report_compiled(const struct model *m, const struct coverage *c,
                     const char *path, const struct emitted *blob);

/* How many outputs meet `expect:`; nothing without one. */
void report_expected(const struct model *m, size_t expected);

#endif
