/* SPDX-License-Identifier: MIT
 *
 * report_page.h - a report as one HTML file.
 *
 * In: a report. Out: report_page.html with the report's data in it. Invariant:
 * the page loads nothing; its policy lets run only the script and style that
 * it was built with, by their hashes; the data are JSON without `<`, `>` and
 * `&`, so that no name can end their element.
 */
#ifndef TTSW_REPORT_PAGE_H
#define TTSW_REPORT_PAGE_H

#include "report_data.h"

/* Appends the page; scratch memory is the arena's. */
void report_page(struct arena *a, struct text *t, const struct report_of *of);

#endif
