/* SPDX-License-Identifier: MIT
 *
 * text.h - a text that grows.
 *
 * In: pieces. Out: one contiguous text. Invariant: owns its memory, apart
 * from arenas, so that growing wastes nothing; ends the program like an arena
 * when memory is exhausted.
 */
#ifndef TTSW_TEXT_H
#define TTSW_TEXT_H

#include "str.h"

/* Zero-initialise. */
struct text {
    char *p;
    size_t n, capacity;
};

void text_str(struct text *t, struct str s);
void text_c(struct text *t, const char *s);
void text_format(struct text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "[3,4]" */
void text_sizes(struct text *t, const uint64_t *sizes, uint32_t count);

/* Two hex digits a byte. */
void text_hex(struct text *t, const uint8_t *bytes, size_t n);

/* The text as it is now; valid until it grows. */
struct str text_view(const struct text *t);

void text_release(struct text *t);

#endif
