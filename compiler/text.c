/* SPDX-License-Identifier: MIT
 *
 * text.c - doubling on the heap.
 */
#include "text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "arena.h"

static void reserve(struct text *t, size_t more)
{
    size_t need = t->n + more + 1, capacity = t->capacity;
    char *p;
    if (more > SIZE_MAX / 4 || t->n > SIZE_MAX / 4)
        arena_exhausted();
    if (need <= capacity)
        return;
    capacity = capacity == 0 ? 256 : capacity;
    while (capacity < need)
        capacity *= 2;
    p = realloc(t->p, capacity);
    if (p == NULL)
        arena_exhausted();
    t->p = p;
    t->capacity = capacity;
}

void text_str(struct text *t, struct str s)
{
    reserve(t, s.n);
    if (s.n > 0)
        memcpy(t->p + t->n, s.p, s.n);
    t->n += s.n;
    t->p[t->n] = '\0';
}

void text_c(struct text *t, const char *s)
{
    text_str(t, str_c(s));
}

void text_format(struct text *t, const char *format, ...)
{
    va_list args;
    int n;
    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        arena_exhausted();
    reserve(t, (size_t)n);
    va_start(args, format);
    vsnprintf(t->p + t->n, (size_t)n + 1, format, args);
    va_end(args);
    t->n += (size_t)n;
}

void text_sizes(struct text *t, const uint64_t *sizes, uint32_t count)
{
    text_c(t, "[");
    for (uint32_t i = 0; i < count; i++)
        text_format(t, "%s%" PRIu64, i > 0 ? "," : "", sizes[i]);
    text_c(t, "]");
}

void text_hex(struct text *t, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        text_format(t, "%02x", bytes[i]);
}

struct str text_view(const struct text *t)
{
    return (struct str){t->p, t->n};
}

void text_release(struct text *t)
{
    free(t->p);
    *t = (struct text){0};
}
