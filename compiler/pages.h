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

struct page {
    const char *id;
    struct str text;
};

/* The files of pages/, by embed_pages.cmake; the last one's id is NULL. */
extern const struct page pages[];

/* `ttswc explain ID`: prints the page; `explain ids` lists all of them. An id
 * may be in small letters. --json prints {id, text, title}, or a list of id
 * and title. E0707 for an id that there is not, with the nearest ones. */
enum exit_code pages_explain(const struct args *args);

#endif
