/* SPDX-License-Identifier: MIT
 *
 * arena.c - a chain of blocks; each request is cut from the newest one.
 *
 * A request larger than a block gets a block of its own, put behind the
 * newest, so that the rest of the newest one is not lost.
 */
#include "arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE ((size_t)64 << 10)
#define ALIGNMENT ((size_t)16)

struct arena_block {
    struct arena_block *next;
    size_t used, size; /* of the bytes behind this header */
};
_Static_assert(sizeof(struct arena_block) <= 2 * ALIGNMENT, "header");

_Noreturn void arena_exhausted(void)
{
    fputs("ttswc: error: out of memory\n", stderr);
    exit(3);
}

static char *block_bytes(struct arena_block *b)
{
    return (char *)b + 2 * ALIGNMENT;
}

static struct arena_block *block_new(size_t size)
{
    struct arena_block *b = calloc(1, 2 * ALIGNMENT + size);
    if (b == NULL)
        arena_exhausted();
    b->size = size;
    return b;
}

void *arena_take(struct arena *a, size_t size, size_t count)
{
    struct arena_block *b = a->head;
    size_t n;
    if (size != 0 && count > (SIZE_MAX / 2 - ALIGNMENT) / size)
        arena_exhausted();
    n = (size * count + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    if (b != NULL && n <= b->size - b->used) {
        b->used += n;
        return block_bytes(b) + b->used - n;
    }
    b = block_new(n > BLOCK_SIZE / 4 ? n : BLOCK_SIZE);
    b->used = n;
    if (a->head != NULL && b->size != BLOCK_SIZE) {
        b->next = a->head->next;
        a->head->next = b;
    } else {
        b->next = a->head;
        a->head = b;
    }
    return block_bytes(b);
}

void *arena_grow(struct arena *a, const void *old, size_t size, size_t count,
                 size_t *capacity)
{
    void *fresh;
    if (*capacity > SIZE_MAX / 4)
        arena_exhausted();
    *capacity = *capacity == 0 ? 4 : *capacity * 2;
    fresh = arena_take(a, size, *capacity);
    if (count != 0)
        memcpy(fresh, old, size * count);
    return fresh;
}

struct str arena_str(struct arena *a, struct str s)
{
    char *p = arena_take(a, 1, s.n + 1);
    if (s.n != 0)
        memcpy(p, s.p, s.n);
    return (struct str){p, s.n};
}

struct str arena_vformat(struct arena *a, const char *format, va_list args)
{
    va_list again;
    int n;
    char *p;
    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (n < 0)
        arena_exhausted();
    p = arena_take(a, 1, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, format, args);
    return (struct str){p, (size_t)n};
}

struct str arena_format(struct arena *a, const char *format, ...)
{
    va_list args;
    struct str s;
    va_start(args, format);
    s = arena_vformat(a, format, args);
    va_end(args);
    return s;
}

void arena_release(struct arena *a)
{
    struct arena_block *next, *b;
    for (b = a->head; b != NULL; b = next) {
        next = b->next;
        free(b);
    }
    *a = (struct arena){0};
}
