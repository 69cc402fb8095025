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
 * `threads`. The caller is one of the threads; if the system gives fewer, those
 * do all the jobs. */
void pool_run(unsigned threads, size_t count,
              void (*job)(void *context, unsigned worker, size_t i),
              void *context);

#endif
