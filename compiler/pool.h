/* SPDX-License-Identifier: MIT
 *
 * pool.h - n jobs on k threads.
 *
 * In: a function and a count. Out: every job was run once. Invariant: jobs
 * are handed out in order; which thread runs which job is not defined, so a
 * job writes only to places of its own.
 */
#ifndef TTSW_POOL_H
#define TTSW_POOL_H

#include <stddef.h>

/* Runs job(context, worker, i) for i in 0..count; `worker` is below
 * `threads`. With one thread everything runs in the caller. 0, or an errno if
 * a thread could not be started (the others still finish all jobs). */
int pool_run(unsigned threads, size_t count,
             void (*job)(void *context, unsigned worker, size_t i),
             void *context);

#endif
