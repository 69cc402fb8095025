/* SPDX-License-Identifier: MIT
 *
 * ops.h - the operations of the spec language, as one table.
 *
 * In: a name. Out: its signature: the kind of every argument, whether a
 * result type must be written, and one line of explanation. The parser reads
 * arguments by it, and the manual and the editors' schema are made from it.
 * Invariant: the kind of an argument, never its spelling, decides whether
 * `0.5`, `1` or `k` is a name.
 */
#ifndef TTSW_OPS_H
#define TTSW_OPS_H

#include "str.h"

enum op {
    OP_LEAF, /* a source name with its type: no call */
    OP_ALIAS,
    OP_PERMUTE,
    OP_TRANSPOSE,
    OP_SQUEEZE,
    OP_WEIGHT_NORM,
    OP_EXP,
    OP_SLICE,
    OP_CONCAT,
    OP_STACK,
    OP_INTERLEAVE,
    OP_ZEROS,
    OP_ALSO,
    OP_SAME,
    OP_UNSQUEEZE,
    OP_MERGE,
    OP_UNMERGE,
    OP_ROPE_HALF,
    OP_ROPE_INTERLEAVE,
    OP_SPECTRAL_NORM,
    OP_BATCHNORM,
    OP_FOLD_BATCHNORM,
    OP_SCALE,
    OP_OFFSET,
    OP_RECIPROCAL,
    OP_MAX,
    OP_ADD,
    OP_MUL,
    OP_DIV,
    OP_L2_NORMALIZE,
    /* Steps that no spec can write: parts of a BatchNorm. */
    OP_SUB,
    OP_SQRT,
};

enum arg_kind {
    ARG_NONE,
    ARG_TERM,        /* a value with a type of its own */
    ARG_TERM_OR_NOT, /* the same, or left out */
    ARG_TERMS,       /* one or more terms; `each j lo..hi, TERM` repeats one */
    ARG_AXIS,        /* the name of an axis */
    ARG_AXES,        /* zero or more of them */
    ARG_RANGE,       /* lo..hi, half open */
    ARG_DECIMAL,     /* a number with a point or an exponent: binary64 */
    ARG_INTEGER,     /* an integer expression */
    ARG_STEM,        /* the name of a module or parameter, without a type */
    ARG_TYPED_STEM,  /* the same, with the type of its vectors */
    ARG_TARGET,      /* the name of an output */
    ARG_MERGE,       /* a * b -> c */
    ARG_UNMERGE,     /* c -> a=n * b=m */
    ARG_KEEP,        /* the name of an axis, or `none` */
    ARG_YES_NO,
};

enum op_result {
    RESULT_OPTIONAL, /* a type behind the call is checked if given */
    RESULT_REQUIRED,
    RESULT_NONE, /* a type must not be given */
};

struct op_key {
    const char *name;
    enum arg_kind kind;
    bool required;
};

#define OP_MAX_POSITIONAL 4
#define OP_MAX_KEYS 4

struct op_signature {
    const char *name;
    enum op op;
    enum op_result result;
    /* Up to ARG_NONE. A trailing kind in `optional` may be left out. */
    enum arg_kind positional[OP_MAX_POSITIONAL];
    unsigned optional; /* how many of the last positionals may be missing */
    struct op_key keys[OP_MAX_KEYS];
    const char *summary;
};

/* The signature called `name`, or NULL. */
const struct op_signature *op_find(struct str name);

/* What an operation is called; "" for OP_LEAF. */
const char *op_name(enum op op);

/* Entry i of the table, or NULL behind the last. */
const struct op_signature *op_at(size_t i);

/* What an argument of this kind is called in messages. */
const char *arg_kind_name(enum arg_kind kind);

#endif
