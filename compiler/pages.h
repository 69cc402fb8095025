/* SPDX-License-Identifier: MIT
 *
 * pages.h - what each diagnostic id means, at length.
 *
 * In: an id. Out: its page. Invariant: every id of diag_ids.c has one, and the
 * examples in it are run by a test.
 */
#ifndef TTSW_PAGES_H
#define TTSW_PAGES_H

#include "cli.h"

/* `ttswc explain ID`: prints the page, or the nearest ids (E0707). */
enum exit_code pages_explain(const struct args *args);

#endif
