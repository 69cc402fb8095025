/* SPDX-License-Identifier: MIT
 *
 * constant_parse.h - `constants:`.
 *
 * In: a YAML map. Out: constants as written; integers still expressions.
 * Invariant: a decimal is the binary64 nearest to its text, in every locale;
 * a string stands in double quotes.
 */
#ifndef TTSW_CONSTANT_PARSE_H
#define TTSW_CONSTANT_PARSE_H

#include "fields.h"

/* A field reader for `constants:`. */
void constants_read(struct parser *p, const struct node *n, void *into);

/* A decimal number with a point or an exponent: [-]digits[.digits][e[+-]digits]
 * to the nearest binary64, ties to even. False for other text, for what becomes
 * infinite, or 0 without being 0, and for more than 768 bytes. */
bool decimal_parse(struct str text, double *out);

/* Whether a text is written as one. */
bool decimal_is(struct str text);

#endif
