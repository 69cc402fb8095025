/* SPDX-License-Identifier: MIT
 *
 * arena.h - memory that is given back all at once.
 *
 * In: sizes. Out: zeroed, 16-byte aligned memory that lives until
 * arena_release. Invariant: no function returns NULL; when the system has no
 * memory left the program says so once and ends with exit code 3, so that no
 * caller tests for it. Weights never enter an arena.
 */
#ifndef TTSW_ARENA_H
#define TTSW_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "str.h"

struct arena_block;

/* Zero-initialise, arena_release empties it again. */
struct arena {
    struct arena_block *head;
};

/* n zeroed objects of T. */
#define arena_new(a, T, n) ((T *)arena_take((a), sizeof(T), (n)))

/* count * size zeroed bytes; the product is checked. */
void *arena_take(struct arena *a, size_t size, size_t count);

/* Doubles *capacity (at least 4) and copies `count` objects of `size` bytes
 * behind `old`; the old copy stays until the arena goes. */
void *arena_grow(struct arena *a, const void *old, size_t size, size_t count,
                 size_t *capacity);

/* A NUL-terminated copy; the NUL is not counted. */
struct str arena_str(struct arena *a, struct str s);

/* printf into the arena; NUL-terminated. */
struct str arena_format(struct arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct str arena_vformat(struct arena *a, const char *format, va_list args);

/* Gives everything back. */
void arena_release(struct arena *a);

/* Says that memory is exhausted and ends the program with exit code 3. */
_Noreturn void arena_exhausted(void);

#endif
