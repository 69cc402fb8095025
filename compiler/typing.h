/* SPDX-License-Identifier: MIT
 *
 * typing.h - from a term to a typed chain of steps.
 *
 * In: a term, a scope, the prefix of source names. Out: steps whose types
 * follow by each operation's rule, and the leaves they claim. Invariant:
 * every type that the author wrote behind an operation equals the one that
 * follows; nothing is inferred that the author had to write.
 */
#ifndef TTSW_TYPING_H
#define TTSW_TYPING_H

#include "model.h"
#include "scope.h"

/* What holds around a term. */
struct typing {
    struct model *model;
    struct scope *scope;
    struct str from;
    const struct overrides *say; /* every field set, or never said */
    bool optional;
    const struct str *reason; /* why its sources are dropped; or NULL */
    uint64_t *work; /* counts terms; typing stops at TYPING_MAX_WORK */
    size_t parts;   /* terms in joins of this value so far */
    bool cut; /* set when a value is sliced, or axes are merged or parted */
};

/* So that expansion ends; E0216. */
#define TYPING_MAX_WORK 2000000
/* Terms that the joins of one value may have; E0216. */
#define TYPING_MAX_PARTS 65536

/* NULL after a finding. */
const struct step *typing_step(struct typing *t, const struct term *term);

/* A leaf of its own, for a drop. False after a finding. */
bool typing_leaf(struct typing *t, const struct name *name,
                 const struct type_expr *type, struct leaf **out);

/* The part [lo, lo + n) of an axis of a value, which the caller checked. */
const struct step *typing_slice(struct typing *t, const struct step *arg,
                                uint32_t axis, const struct range_value *r);

/* The value without one axis of size 1. */
const struct step *typing_without(struct typing *t, const struct step *arg,
                                  uint32_t axis);

/* The rope that stands around the range of a split's piece, of all of an axis
 * of the piece; NULL after a finding. */
const struct step *typing_rope(struct typing *t, const struct term *rope,
                               const struct step *arg, uint32_t axis);

/* lo..hi, inside an axis (E0205, E0405); a range without hi is one index. */
bool typing_range(struct typing *t, const struct range *r, struct axis axis,
                  struct range_value *out);

/* --- for the rules of single operations --- */

struct diag_item *typing_report(struct typing *t, const char *id,
                                struct span at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The type that an author wrote; false after a finding. */
bool typing_type(struct typing *t, const struct type_expr *e, struct type *out);

/* The type that follows against the one that was written, if it was. */
bool typing_check_written(struct typing *t, const struct term *term,
                          struct type got);

/* E0412: sub-byte and float8 tensors can only be copied whole. */
bool typing_may_compute(struct typing *t, const struct term *term,
                        const struct step *arg);

/* The argument KEY=VALUE of a call, or NULL. */
const struct arg *typing_arg(const struct term *term, const char *key);

/* A leaf without name and type, which nothing claims yet; `written` says its
 * dtype, and where messages point. */
struct leaf *typing_leaf_new(struct typing *t, struct span at,
                             const struct type_expr *written);

/* Puts a leaf into the model. False after a finding (E0111). */
bool typing_claim(struct typing *t, struct leaf *leaf);

/* E0412 at `at` unless a value is of floats. */
bool typing_need_floats(struct typing *t, const struct term *term,
                        struct span at, enum ttsb_dtype dtype);

/* Steps whose operands the caller checked: `op` on each element, with its
 * number if it has one; two values, `y` of x's type or along an axis of x. */
const struct step *typing_map(struct typing *t, enum op op,
                              const struct step *arg, double number);
const struct step *typing_combine(struct typing *t, enum op op,
                                  const struct step *x, const struct step *y,
                                  uint32_t axis);

/* typing_norm.c: norms by stem. */
bool typing_weight_norm_step(struct typing *t, const struct term *term,
                             struct step *s);
bool typing_spectral_norm_step(struct typing *t, const struct term *term,
                               struct step *s);

/* typing_math.c: exp, scale, offset, reciprocal and max; add, mul and div;
 * l2_normalize. */
bool typing_map_step(struct typing *t, const struct term *term, struct step *s);
bool typing_combine_step(struct typing *t, const struct term *term,
                         struct step *s);
bool typing_l2_normalize_step(struct typing *t, const struct term *term,
                              struct step *s);

/* slice, concat, stack and interleave. */
bool typing_slice_step(struct typing *t, const struct term *term,
                       struct step *s);
bool typing_join_step(struct typing *t, const struct term *term,
                      struct step *s);

/* unsqueeze, merge, unmerge, rope_half and rope_interleave. */
bool typing_unsqueeze_step(struct typing *t, const struct term *term,
                           struct step *s);
bool typing_merge_step(struct typing *t, const struct term *term,
                       struct step *s);
bool typing_unmerge_step(struct typing *t, const struct term *term,
                         struct step *s);
bool typing_rope_step(struct typing *t, const struct term *term,
                      struct step *s);

#endif
