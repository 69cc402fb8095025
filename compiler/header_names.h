/* SPDX-License-Identifier: MIT
 *
 * header_names.h - what the generated header calls things.
 *
 * In: the tree of members. Out: the names that macros, enumerators and struct
 * tags are made of, and findings (E0503) where two things would have one name.
 *
 * Invariant: a header defines no name twice, for these are all it defines,
 * MODEL_ in front (model_ for tags and functions):
 *
 *     MODEL, REVISION, CONTRACT_ID, TENSOR_COUNT, GROUP_COUNT, H
 *     CONSTANT, CONSTANT_COUNT of a list
 *     GROUP_NAME, GROUP_NAME_SIZE, GROUP_NAME_PLACE
 *     PATH_COUNT, PATH_COUNT1, ... of arrays; PATH_WORD, PATH_AXIS_NAME of
 *     tensors, where WORD is DTYPE, RANK, GROUP, SIZE, INDEX, OFFSET, DIMn or
 *     STRIDEn and has no `_` in it
 *
 * PATH is a target's name without indices of arrays, `_` between components.
 * No two tensors have the same PATH, nor two arrays. As a WORD has no `_`,
 * PATH_WORD then is unique; the first three rows and PATH_AXIS_NAME are held to
 * all others. A tensor takes DIM0 to DIM7 whatever its rank, so that a rank can
 * grow. Structs that share a PATH have no tag.
 */
#ifndef TTSW_HEADER_NAMES_H
#define TTSW_HEADER_NAMES_H

#include "members.h"

/* The model's name as an identifier: `.` and `-` are `_`. */
struct str header_identifier(struct arena *a, struct str model, bool upper);

/* In upper case. */
struct str header_upper(struct arena *a, struct str s);

/* A member's name in C: its component, or `_2`. */
struct str header_member(struct arena *a, const struct member *m);

/* PATH of a child of what has PATH `parent`, in the case it is written in. */
struct str header_join(struct arena *a, struct str parent,
                       const struct member *m);

/* Finds names that stand for two things; `root` has no findings. */
void header_names_check(struct arena *a, struct diag *d, const struct model *m,
                        const struct member *root);

#endif
