/* SPDX-License-Identifier: MIT
 *
 * progress.h - how far a long run is, on standard error.
 *
 * In: bytes done, from any thread. Out: on a terminal one line that is drawn
 * over and wiped at the end; elsewhere, if asked for, a plain line each tenth.
 * Invariant: a thread that works adds to a counter and does nothing else; one
 * thread draws, ten times a second at most, and has ended when progress_stop
 * returns, so that nothing mixes with what is printed next. It is a courtesy:
 * where no thread or no terminal is to be had, nothing is shown.
 */
#ifndef TTSW_PROGRESS_H
#define TTSW_PROGRESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "str.h"

enum progress_when { PROGRESS_AUTO, PROGRESS_ALWAYS, PROGRESS_NEVER };

/* What is being worked on; either may be empty. */
struct progress_label {
    struct str source, group;
};

struct progress_plan {
    enum progress_when when;
    const char *verb; /* "compile" */
    uint64_t total;   /* bytes */
    /* The label of an item, called from the drawing thread; NULL: none. */
    struct progress_label (*label)(const void *context, uint32_t item);
    const void *context;
};

enum progress_style { PROGRESS_SILENT, PROGRESS_BAR, PROGRESS_LINES };

struct progress {
    struct progress_plan plan;
    atomic_uint_fast64_t done; /* bytes */
    atomic_uint_fast32_t item; /* the latest */
    enum progress_style style;
    struct timespec began;
    unsigned said; /* tenths that have a line */
    bool stopping, threaded;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
};

/* "auto", "always", "never"; false for another word. */
bool progress_parse(const char *word, enum progress_when *out);

/* Decides whether and how to show anything; shows 0 % and starts the drawing
 * thread if so. *p stays where it is until progress_stop. */
void progress_start(struct progress *p, const struct progress_plan *plan);

/* `bytes` more are done, of this item. From any thread; NULL is fine. */
static inline void progress_add(struct progress *p, uint32_t item,
                                uint64_t bytes)
{
    if (p == NULL)
        return;
    atomic_store_explicit(&p->item, item, memory_order_relaxed);
    atomic_fetch_add_explicit(&p->done, bytes, memory_order_relaxed);
}

/* `bytes` are done in all. From any thread. */
static inline void progress_set(struct progress *p, uint64_t bytes)
{
    atomic_store_explicit(&p->done, bytes, memory_order_relaxed);
}

/* Ends the thread and wipes the line; plain lines end with 100 % if all was
 * done. */
void progress_stop(struct progress *p);

/* What is shown after `seconds`, without line ends, of at most `columns`
 * columns (and fewer than `size` bytes, of which 1 or more); only printable
 * ASCII. Returns the length. */
size_t progress_line(const struct progress *p, double seconds, size_t columns,
                     char *out, size_t size);

#endif
