/* SPDX-License-Identifier: MIT
 *
 * indexset.h - exact sets of loop values, as text.
 *
 * In: tuples of values. Out: `i = {0..4, 6..11}` where one component varies
 * or the tuples are a full product, `(i, j) = (0, 1), (2, {3..5})` otherwise.
 * Invariant: the text names every tuple and no other; never an ellipsis.
 */
#ifndef TTSW_INDEXSET_H
#define TTSW_INDEXSET_H

#include "arena.h"
#include "str.h"

/* A value of a loop variable: a number, or a word. */
struct index_value {
    bool is_word;
    int64_t number;
    struct str word;
};

/* `width` names; `count` tuples of `width` values, one behind the other.
 * Sorts the tuples in place and drops repeats. */
struct str indexset_text(struct arena *a, const struct str *names,
                         struct index_value *tuples, size_t width,
                         size_t count);

/* Names that differ only in components that are plain numbers. */
struct name_set {
    struct str text;  /* `a.{0..1}.w`, or `a.{i}.w, i = ...` */
    struct str first; /* the first of them */
    size_t count;
};

/* Folds names into sets; returns how many, and in *out the sets in order. */
size_t indexset_fold_names(struct arena *a, const struct str *names,
                           size_t count, struct name_set **out);

#endif
