/* SPDX-License-Identifier: MIT
 *
 * gpu_cache.h - a file in the page cache or out of it, and the worker's memory.
 *
 * In: a path. Out: the file's pages are read or dropped, and how many of them
 * are resident. Invariant: no file is changed.
 */
#ifndef GPU_CACHE_H
#define GPU_CACHE_H

#include <stdbool.h>
#include <stdint.h>

/* Reads the file, or, where `cold`, writes it back and asks the system to drop
 * its pages, which it may refuse (tmpfs): *resident, 0 to 1, is how much is in
 * memory afterwards. False if the file cannot be read; errno says why. */
bool gpu_cache(const char *path, bool cold, double *resident);

/* Forgets the highest resident set so far; false where /proc does not allow
 * it. */
bool gpu_memory_reset(void);

/* A line of /proc/self/status in bytes, such as VmHWM; 0 if there is none. */
uint64_t gpu_memory(const char *field);

#endif
