/* SPDX-License-Identifier: MIT
 *
 * model.h - a spec, expanded: every output and every source by name.
 *
 * In: what expand.c, members.c, layout.c and contract.c find. Out: nothing;
 * these are the structures. Invariant: a model without findings is complete
 * and typed, and is a function of the spec alone; a checkpoint only fills in
 * `source` of a leaf and `absent` and `missing` of an output.
 */
#ifndef TTSW_MODEL_H
#define TTSW_MODEL_H

#include "nametab.h"
#include "spec.h"
#include "text.h"

#define NO_SOURCE UINT32_MAX
#define NO_NUMBER UINT32_MAX
#define KEEP_NONE UINT32_MAX
#define AXIS_NONE UINT32_MAX

struct axis {
    struct str name; /* empty: unnamed */
    uint64_t size;
};

struct type {
    uint32_t rank;
    const struct axis *axes;
};

/* A part of a tensor: a range of each axis. */
struct box {
    uint64_t lo[TTSB_MAX_RANK], n[TTSB_MAX_RANK];
};

/* A range of an axis, evaluated. */
struct range_value {
    uint64_t lo, n;
};

/* What a source is to a spectral norm: the matrix, or a vector. */
enum spectral_part { SPECTRAL_NONE, SPECTRAL_W, SPECTRAL_U, SPECTRAL_V };

/* One use of a source tensor, as the spec wants it. */
struct leaf {
    struct str name;
    struct type type;
    struct diag_where where;         /* the name in the spec */
    const struct type_expr *written; /* its type in the spec */
    const struct overrides *say;     /* of the block around it */
    const struct binding *scope;     /* what the words of its type stand for */
    enum ttsb_dtype dtype;
    bool optional, dropped;
    bool counter;             /* of a BatchNorm: dropped, and may be absent */
    uint8_t spectral;         /* enum spectral_part */
    const struct str *reason; /* why it is dropped */
    bool broken;              /* its value has a finding */
    bool also;                /* reads what another use claims */
    bool allow_nonfinite;     /* may hold NaN and infinities */
    bool is_twin;             /* of another leaf: only compared */
    const struct claimed *claimed; /* claims.h; NULL: all of it */
    struct leaf *pair;             /* of a weight norm: the other half */
    struct leaf *twin;             /* of same(): must hold the same bytes */
    struct leaf *first_use;        /* of the same tensor; itself, mostly */
    bool retyped;        /* a finding has said already that its dtype differs */
    bool resized;        /* or that sizes differ */
    bool reported;       /* a finding has said already why it is not bound */
    bool is_g;           /* of a weight norm: the magnitude */
    bool spelled;        /* name made from a norm's stem */
    struct span keep_at; /* of a weight norm: `keep=` in the spec */
    uint32_t keep;       /* of a magnitude: its axis of size > 1 */
    uint32_t prefix;     /* bytes of `root:` and `from:` before its name */
    struct str stem;     /* of a norm */
    uint32_t number;     /* n of `$n`, first use in file order */
    uint32_t output;     /* the first that it feeds, if not dropped */
    uint32_t output_count;
    uint32_t file;   /* its source's number; NO_SOURCE after E0316 */
    uint32_t source; /* index in the checkpoint, or NO_SOURCE */
};

/* A value on its way from a source to an output.
 *
 * What moves elements has one operand `arg`, or `parts`; so has what computes
 * on each of them. OP_ADD, OP_SUB, OP_MUL and OP_DIV have `arg` and `other`,
 * which has arg's type, or is a vector that runs along `axis` of arg.
 * OP_L2_NORMALIZE divides by the larger of `number` and the norm over `axis`.
 * The parts of OP_SPECTRAL_NORM are the leaves W, u, v; `axis` are the rows.
 * batchnorm and fold_batchnorm are no steps: they are made of OP_DIV, OP_SQRT
 * and others. */
struct step {
    enum op op;
    struct type type;
    enum ttsb_dtype dtype; /* of a leaf; F64 once there was arithmetic */
    const struct step *arg;
    union {
        const struct step **parts; /* joins, OP_SPECTRAL_NORM */
        const struct step *other;
    };
    size_t part_count; /* of parts, 0 for all other operations */
    struct leaf *leaf; /* OP_LEAF; the direction v of OP_WEIGHT_NORM */
    struct leaf *g;    /* the magnitude of OP_WEIGHT_NORM */
    /* Axis of OP_WEIGHT_NORM, or KEEP_NONE; ropes: rows of a head that turn */
    uint32_t keep;
    /* Of OP_SLICE, joins and ropes; OP_UNSQUEEZE: the new one; OP_MERGE: the
     * first of arg's that become one; OP_UNMERGE: arg's that becomes several;
     * see above; or AXIS_NONE. */
    uint32_t axis;
    union {
        uint64_t lo;    /* OP_SLICE: where the range begins in arg */
        uint64_t heads; /* ropes */
        double number;  /* OP_SCALE, OP_OFFSET, OP_MAX, OP_L2_NORMALIZE */
    };
    uint8_t order[TTSB_MAX_RANK]; /* OP_PERMUTE: axes of arg; also TRANSPOSE */
    uint8_t removed;              /* OP_SQUEEZE: bit set of arg's axes */
};

struct output {
    struct str name;
    struct diag_where where;         /* the target in the spec */
    const struct value *value;       /* as written */
    const struct step *step;         /* NULL for an alias */
    uint32_t first_leaf, leaf_count; /* in the model's, in order of use */
    struct type type;
    enum ttsb_dtype dtype; /* as stored */
    bool optional, absent, missing;
    uint32_t group;
    uint32_t alias_of;       /* an output, or TTSB_NO_TENSOR */
    struct str alias_target; /* before it is resolved */
    uint64_t offset, size;   /* in the group; bytes */
};

struct group {
    struct str name;
    enum ttsb_place place;
    uint32_t first, count; /* outputs */
    uint64_t size;         /* multiple of TTSB_GROUP_ALIGN */
};

/* A constant with its integers evaluated. */
struct constant_value {
    const struct constant *as;
    int64_t *integers; /* of CONSTANT_INTEGER */
};

/* Everything under a prefix, dropped. */
struct subtree {
    struct str prefix;
    struct diag_where where;
    struct span size_at; /* [tensors=N, elements=M] */
    const struct overrides *say;
    const struct str *reason;
    uint32_t file; /* as of a leaf */
    uint64_t tensors, elements;
    /* What the checkpoint has there; fewer than the spec says only in partial
     * mode. */
    uint64_t found_tensors, found_elements, found_bytes;
};

/* A split that leaves pieces out. */
struct trimmed {
    const struct split *split;
    const struct range_value *ranges; /* of its pieces */
    const struct step *whole;
    uint32_t axis; /* of the whole */
};

/* What becomes of a tensor of the checkpoint. */
enum role { ROLE_NONE, ROLE_READ, ROLE_DROPPED };

struct model {
    const struct spec *spec;
    struct output *outputs;
    size_t output_count, output_capacity;
    struct leaf **leaves; /* in order of the spec; drops among them */
    size_t leaf_count, leaf_capacity;
    uint8_t *roles; /* of the checkpoint's tensors, once it was resolved */
    struct subtree *subtrees;
    size_t subtree_count, subtree_capacity;
    struct trimmed *trimmed;
    size_t trimmed_count, trimmed_capacity;
    struct group *groups;
    size_t group_count;
    struct nametab group_names;
    struct constant_value *constants; /* ordered by name */
    size_t constant_count;
    struct nametab names;   /* outputs */
    struct nametab sources; /* first uses of leaves, by sources_name */
    uint8_t contract_id[16];
};

/* Elements of a type; false if they do not fit in 63 bits. */
bool type_elements(struct type t, uint64_t *out);

/* Bytes of a type's elements; false if they do not fit in 63 bits or are no
 * whole number. */
bool type_bytes(struct type t, enum ttsb_dtype dtype, uint64_t *out);

/* Elements from one index of an axis to the next, row major. */
uint64_t type_stride(struct type t, uint32_t axis);

/* "[out=3,in=4,1]", without spaces. */
void type_print(struct text *t, struct type type);

struct str type_text(struct arena *a, struct type t);

/* Leaf i of an output, in order of use. */
struct leaf *output_leaf(const struct model *m, const struct output *o,
                         uint32_t i);

/* The only source of a value: of a weight norm its direction, of a spectral
 * norm its matrix, of `same` the first; NULL if it has several or none. */
struct leaf *output_only_leaf(const struct model *m, const struct output *o);

/* The name of a source of a weight norm or a spectral norm, made from its
 * stem: "a.weight" gives "a.weight_g" or "a.parametrizations.weight.original0"
 * to a magnitude, "a.weight_u" or "a.parametrizations.weight.0._u" to a u. */
struct str leaf_spelled(struct arena *a, const struct leaf *leaf,
                        enum weight_norm_spelling spelling);

/* The same for any part of the spectral norm that a leaf belongs to. */
struct str spectral_name(struct arena *a, struct str stem,
                         enum weight_norm_spelling spelling,
                         enum spectral_part part);

/* What a leaf's name has behind its stem, the same in both spellings: "_g",
 * ".running_var". Empty for a tensor that is called by its own name. Findings
 * about one stem do not fold together where it differs. */
struct str leaf_tail(struct arena *a, const struct leaf *leaf);

/* Index of the axis called `name`, or -1. */
int type_axis(struct type t, struct str name);

/* Where an axis stands in `layout:`, or -1. */
int spec_layout_rank(const struct spec *s, struct str axis);

/* "[out, in, k]" */
struct str spec_layout_text(struct arena *a, const struct spec *s);

/* Same names and sizes, in order. */
bool type_eq(struct type a, struct type b);

#endif
