/* SPDX-License-Identifier: MIT
 *
 * suggest.h - "did you mean", for messages only.
 *
 * In: a word and the words that would have been right. Out: the nearest one,
 * or nothing. Invariant: a suggestion is text; nothing is ever applied.
 */
#ifndef TTSW_SUGGEST_H
#define TTSW_SUGGEST_H

#include "str.h"

/* Edits (insert, delete, replace, swap of neighbours) from a to b; more than
 * `limit` returns limit + 1. Words over 64 bytes are as far as can be. */
size_t suggest_distance(struct str a, struct str b, size_t limit);

/* The nearest of n words within a third of the word's length (at least 1),
 * the first of equals; {0} if none is. */
struct str suggest_nearest(struct str word, const struct str *words, size_t n);

/* Whether two words are names of the same parameter of a norm in different
 * libraries: `weight` and `gamma`, `bias` and `beta`. */
bool suggest_is_twin(struct str a, struct str b);

#endif
