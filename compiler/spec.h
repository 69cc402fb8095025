/* SPDX-License-Identifier: MIT
 *
 * spec.h - the spec language as data, before anything is expanded.
 *
 * In: what spec_parse.c read. Out: nothing; these are the structures. Every
 * part keeps the span it was written in. Invariant: a struct spec without
 * errors in its diag has all required fields; names and expressions are still
 * unevaluated, and nothing here knows a checkpoint.
 */
#ifndef TTSW_SPEC_H
#define TTSW_SPEC_H

#include "diag.h"
#include "ops.h"
#include "ttsb_format.h"

/* --- integer expressions --- */

enum expr_kind {
    EXPR_NUMBER,
    EXPR_ID,
    EXPR_INDEX, /* id[a] */
    EXPR_NEGATE,
    EXPR_ADD,
    EXPR_SUB,
    EXPR_MUL,
    EXPR_DIV,   /* exact */
    EXPR_FLOOR, /* rounds down */
    EXPR_MOD,   /* never negative */
    EXPR_POW,
    EXPR_EQ,
    EXPR_NE,
    EXPR_LT,
    EXPR_LE,
    EXPR_GT,
    EXPR_GE,
    EXPR_AND,
};

struct expr {
    enum expr_kind kind;
    struct span at;
    int64_t number;
    struct str id;
    const struct expr *a, *b;
};

struct range {
    struct span at;
    const struct expr *lo, *hi;
};

/* --- names, types, terms --- */

/* Literal bytes, or an expression in braces (which may be one word). */
struct name_part {
    struct str text;
    const struct expr *expr;
};

struct name {
    struct span at;
    struct name_part *parts;
    size_t count;
};

struct axis_expr {
    struct span at;
    struct str id; /* empty: unnamed */
    const struct expr *size;
};

struct type_expr {
    bool given;
    struct span at;
    enum ttsb_dtype dtype; /* 0: not stated */
    struct axis_expr *axes;
    size_t rank;
};

struct arg {
    enum arg_kind kind;
    struct span at;
    struct str key; /* of KEY=VALUE */
    const struct term *term;
    const struct name *name; /* ARG_STEM, ARG_TARGET */
    /* ARG_AXIS, ARG_AXES, ARG_KEEP, ARG_YES_NO; the axis that ARG_MERGE makes
     * and ARG_UNMERGE takes; the text of ARG_DECIMAL */
    struct str id;
    struct span id_at;
    struct axis_expr *axes; /* ARG_MERGE (without sizes), ARG_UNMERGE */
    size_t axis_count;
    const struct expr *expr; /* ARG_INTEGER */
    double decimal;          /* ARG_DECIMAL */
    struct type_expr type;   /* ARG_TYPED_STEM */
    struct range range;      /* ARG_RANGE; `each j lo..hi,` of ARG_TERMS */
    struct str each;         /* j; empty: the term stands once */
    struct span each_at;
};

struct term {
    enum op op;
    struct span at;
    const struct op_signature *signature; /* of a call */
    const struct name *name;              /* of a leaf */
    struct arg *args;
    size_t count;
    struct type_expr type;
    struct span allow_at; /* `allow_nonfinite` behind a leaf; src NULL: none */
};

struct value {
    struct span at;
    const struct term *term;
    enum ttsb_dtype cast; /* 0: none */
    struct span cast_at;
    bool optional;
    struct span optional_at;
};

/* --- blocks --- */

/* What floats become. */
struct store_policy {
    bool set;
    enum ttsb_dtype matrix, vector;
};

enum weight_norm_spelling { SPELLING_UNSET, SPELLING_LEGACY, SPELLING_PARAM };

/* What a block may say for itself and everything inside of it. */
struct overrides {
    struct store_policy store;
    enum ttsb_dtype source_dtype; /* 0: not said */
    struct span source_dtype_at;
    enum weight_norm_spelling spelling;
    struct span spelling_at;
    struct str group; /* empty: not said */
    struct span group_at;
    struct str source; /* empty: not said */
    struct span source_at;
};

struct loop_item {
    struct str word;
    int64_t number;
    bool is_word;
};

struct loop {
    struct str id;
    struct span at;
    bool is_range;
    struct range range;
    struct loop_item *items;
    size_t count;
};

/* id: expression, of `let:`, `with:` and `dims:`; a table has more. */
struct definition {
    struct str id;
    struct span at;
    bool is_table;
    const struct expr **exprs;
    size_t count;
};

/* One part of a split: `name: range as dtype`, or `drop range: reason`. */
struct piece {
    struct span at;
    const struct name *name; /* the target; NULL: dropped */
    struct range range;      /* hi NULL: one index, and the axis goes */
    /* A rope_half or rope_interleave around the range, NULL without; its
     * arguments are `heads=` and `dims=`. */
    const struct term *rope;
    struct value value; /* its term is the split's source */
    struct str reason;  /* of a dropped one */
};

struct split {
    struct span at, into_at;
    struct loop *loops;
    size_t loop_count;
    const struct term *source;
    struct str axis;
    struct span axis_at;
    struct piece *pieces;
    size_t piece_count;
};

/* A line under `drop:`; of a subtree's the axes are tensors= and elements=. */
struct drop {
    struct type_expr type;
    struct str reason;
};

enum entry_kind { ENTRY_TENSOR, ENTRY_SPLIT, ENTRY_DROP, ENTRY_SUBTREE };

struct entry {
    enum entry_kind kind;
    const struct name *name; /* the target, or what is dropped */
    struct value value;      /* of a tensor */
    const struct split *split;
    const struct drop *drop;
};

struct block {
    struct span at;
    struct loop *loops;
    size_t loop_count;
    struct definition *lets;
    size_t let_count;
    const struct name *from, *to; /* NULL: not given */
    struct overrides say;
    struct str use; /* empty: entries instead */
    struct span use_at;
    struct definition *with;
    size_t with_count;
    bool drop_use;     /* `drop: reason` beside `use:` */
    struct str reason; /* of it */
    struct block *body;
    size_t body_count;
    struct entry *entries;
    size_t entry_count;
};

/* --- the whole --- */

struct spec_file;
struct binding;

struct template
{
    struct str id;
    struct span at;
    struct spec_file *file;    /* whose dims it sees */
    struct definition *params; /* names only */
    bool *param_used;          /* filled by expansion */
    size_t param_count;
    uint64_t expanded; /* times */
    struct block *body;
    size_t body_count;
};

struct assertion {
    const struct expr *that;
    struct str say;
};

/* A file of the spec: the root, or an included one. */
struct spec_file {
    struct spec_file *next;
    struct source source;
    bool open; /* being read: including it again would be a cycle */
    struct definition *dims;
    size_t dim_count;
    const struct binding *scope; /* the dims, once expansion evaluated them */
    bool evaluated;
};

enum constant_kind { CONSTANT_INTEGER, CONSTANT_DECIMAL, CONSTANT_STRING };

struct constant_item {
    struct span at;
    enum constant_kind kind;
    const struct expr *expr;
    double decimal;
    struct str text;
};

struct constant {
    struct str name;
    struct span at;
    bool is_list;
    struct constant_item *items;
    size_t count;
};

struct group_spec {
    struct str name;
    struct span at;
    enum ttsb_place place;
};

/* A file of a source, by the SHA-256 of its bytes. */
struct pin {
    struct str file; /* its name; empty: the source's only one */
    struct span at;  /* the digest */
    uint8_t digest[32];
};

/* A checkpoint, of `sources:`. */
struct source_spec {
    struct str id;
    struct span at;
    const struct name *root_as; /* NULL: none */
    struct str root;            /* once expansion evaluated it */
    struct pin *pins;           /* none: any file will do */
    size_t pin_count;
    struct span pins_at;
};

/* What `about:` says; empty: nothing. */
struct about {
    struct str license, source, attribution;
};

/* A name that no output may have any more. */
struct reserved_name {
    struct str name;
    struct span at;
};

struct axis_order {
    struct str id;
    struct span at;
};

/* A target and the key under which a file of expectations has it. */
struct expect_name {
    struct str target, key;
    struct span at; /* the target */
};

/* An item of `expect:`: a file that says what outputs hold. */
struct expect_entry {
    struct span at;  /* the file's name */
    struct str path; /* beside the spec */
    bool is_probes;  /* or values */
    bool has_rtol, has_ulp;
    struct span ulp_at;
    double rtol, atol;
    uint64_t ulp;
    struct expect_name *names; /* NULL: each key is a target */
    size_t name_count;
};

struct spec {
    struct spec_file *files; /* the root first */
    struct str model;
    struct span model_at;
    uint64_t revision;
    struct span revision_at;
    struct about about;
    uint32_t align;
    struct overrides say;
    struct reserved_name *reserved;
    size_t reserved_count;
    struct axis_order *layout;
    size_t layout_count;
    struct span layout_at;
    struct group_spec *groups;
    size_t group_count;
    struct source_spec *sources; /* none: the source is called main */
    size_t source_count;
    struct constant *constants;
    size_t constant_count;
    struct assertion *assertions;
    size_t assertion_count;
    struct expect_entry *expects; /* in no identity */
    size_t expect_count;
    struct template *templates; /* of all files */
    size_t template_count, template_capacity;
    struct block *map;
    size_t map_count;
};

/* Reads a spec and what it includes. False if the result must not be used;
 * findings are in d. E0705 for a file that cannot be read. */
bool spec_parse(struct arena *a, struct str path, struct diag *d,
                struct spec *out);

/* The dtype of a lower-case name ("f32"), or 0. */
enum ttsb_dtype spec_dtype(struct str name);

/* Adds to a finding about a word that is no dtype what was probably meant:
 * a name that PyTorch has, or capitals. */
void spec_dtype_help(struct diag *d, struct diag_item *item, struct str word);

/* The lower-case name of a dtype. */
const char *spec_dtype_name(enum ttsb_dtype dtype);

/* Bits of one element. */
uint32_t spec_dtype_bits(enum ttsb_dtype dtype);

/* F16, BF16, F32 or F64: what `store:` speaks of and arithmetic takes. */
bool spec_dtype_is_float(enum ttsb_dtype dtype);

/* Whether some of its values are NaN or infinite. */
bool spec_dtype_has_nonfinite(enum ttsb_dtype dtype);

/* U8 to I64. */
bool spec_dtype_is_integer(enum ttsb_dtype dtype);

#endif
