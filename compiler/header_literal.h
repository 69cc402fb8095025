/* SPDX-License-Identifier: MIT
 *
 * header_literal.h - values as C literals, and comments.
 *
 * In: a value of the spec, or words. Out: its literal, at the end of a text.
 * Invariant: the same value in C11 and C++17; integers are of 64 bits.
 */
#ifndef TTSW_HEADER_LITERAL_H
#define TTSW_HEADER_LITERAL_H

#include "text.h"

/* INT64_C(3), (-INT64_C(1)) */
void literal_put_integer(struct text *t, int64_t v);

/* In hex, which is exact. */
void literal_put_decimal(struct text *t, double v);

/* A comment of its own lines, broken at spaces: 80 columns, but for a word that
 * is longer. `words` has no end of a comment in it. */
void literal_put_comment(struct text *t, struct str words);

/* With escapes for all but printable ASCII. */
void literal_put_string(struct text *t, struct str s);

#endif
