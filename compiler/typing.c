/* SPDX-License-Identifier: MIT
 *
 * typing.c - one function for each operation's type rule.
 */
#include "typing.h"

#include <inttypes.h>

#include "sources.h"

static struct arena *arena_of(struct typing *t)
{
    return t->scope->a;
}

struct diag_item *typing_report(struct typing *t, const char *id,
                                struct span at, const char *format, ...)
{
    va_list args;
    struct str text;
    va_start(args, format);
    text = arena_vformat(arena_of(t), format, args);
    va_end(args);
    return diag_add(t->scope->d, id, scope_where(t->scope, at), "%.*s",
                    STR_ARG(text));
}

/* --- types --- */

static bool axis_of(struct typing *t, const struct axis_expr *x,
                    struct axis *out)
{
    int64_t size;
    if (!scope_eval(t->scope, x->size, &size))
        return false;
    if (size < 0) {
        typing_report(t, "E0111", x->at, "axis `%.*s` has the size %" PRId64,
                      STR_ARG(x->id), size);
        return false;
    }
    *out = (struct axis){x->id, (uint64_t)size};
    if (x->id.n == 0 && size != 1) {
        typing_report(t, "E0407", x->at,
                      "an axis of size %" PRId64 " needs a name: `name=%" PRId64
                      "`",
                      size, size);
        return false;
    }
    return true;
}

bool typing_type(struct typing *t, const struct type_expr *e, struct type *out)
{
    struct axis *axes = arena_new(arena_of(t), struct axis, e->rank);
    bool ok = true;
    if (e->rank > TTSB_MAX_RANK) {
        typing_report(t, "E0111", e->at, "%zu axes; at most 8 are possible",
                      e->rank);
        return false;
    }
    for (size_t i = 0; i < e->rank; i++) {
        ok = axis_of(t, &e->axes[i], &axes[i]) && ok;
        for (size_t k = 0; k < i && ok; k++) {
            if (axes[i].name.n == 0 || !str_eq(axes[i].name, axes[k].name))
                continue;
            typing_report(t, "E0413", e->axes[i].at, "axis `%.*s` stands twice",
                          STR_ARG(axes[i].name));
            ok = false;
        }
    }
    *out = (struct type){(uint32_t)e->rank, axes};
    return ok;
}

bool typing_check_written(struct typing *t, const struct term *term,
                          struct type got)
{
    struct type want;
    if (!term->type.given)
        return true;
    if (!typing_type(t, &term->type, &want))
        return false;
    if (type_eq(got, want))
        return true;
    typing_report(t, "E0405", term->type.at, "`%s` gives %.*s, not %.*s",
                  term->signature->name, STR_ARG(type_text(arena_of(t), got)),
                  STR_ARG(type_text(arena_of(t), want)));
    return false;
}

/* --- leaves --- */

bool typing_claim(struct typing *t, struct leaf *leaf)
{
    struct model *m = t->model;
    uint64_t bytes;
    if (!type_bytes(leaf->type, leaf->dtype, &bytes)) {
        typing_report(t, "E0111", leaf->written->at,
                      "the tensor's bytes are no whole number below 2^63");
        return false;
    }
    if (m->leaf_count == m->leaf_capacity)
        m->leaves = arena_grow(arena_of(t), m->leaves, sizeof *m->leaves,
                               m->leaf_count, &m->leaf_capacity);
    m->leaves[m->leaf_count++] = leaf;
    return true;
}

struct leaf *typing_leaf_new(struct typing *t, struct span at,
                             const struct type_expr *written)
{
    struct leaf *leaf = arena_new(arena_of(t), struct leaf, 1);
    leaf->where = scope_where(t->scope, at);
    leaf->written = written;
    leaf->say = t->say;
    leaf->scope = t->scope->top;
    leaf->dtype = written->dtype != 0 ? written->dtype : t->say->source_dtype;
    leaf->optional = t->optional;
    leaf->dropped = t->reason != NULL;
    leaf->reason = t->reason;
    leaf->file = sources_find(t->model->spec, t->say->source);
    leaf->prefix = (uint32_t)t->from.n;
    leaf->source = NO_SOURCE;
    leaf->number = NO_NUMBER;
    leaf->first_use = leaf;
    return leaf;
}

const struct arg *typing_arg(const struct term *term, const char *key)
{
    for (size_t i = 0; i < term->count; i++)
        if (str_is(term->args[i].key, key))
            return &term->args[i];
    return NULL;
}

bool typing_leaf(struct typing *t, const struct name *name,
                 const struct type_expr *type, struct leaf **out)
{
    struct leaf *leaf = typing_leaf_new(t, name->at, type);
    if (!scope_name(t->scope, t->from, name, &leaf->name) ||
        !typing_type(t, type, &leaf->type))
        return false;
    *out = leaf;
    return typing_claim(t, leaf);
}

static bool leaf_step(struct typing *t, const struct term *term, struct step *s)
{
    if (!typing_leaf(t, term->name, &term->type, &s->leaf))
        return false;
    s->type = s->leaf->type;
    s->dtype = s->leaf->dtype;
    s->leaf->allow_nonfinite = term->allow_at.src != NULL;
    if (!s->leaf->allow_nonfinite || spec_dtype_has_nonfinite(s->dtype))
        return true;
    typing_report(t, "E0412", term->allow_at,
                  "%s has neither NaN nor Inf: `allow_nonfinite` says nothing",
                  spec_dtype_name(s->dtype));
    return false;
}

/* --- moving axes --- */

bool typing_may_compute(struct typing *t, const struct term *term,
                        const struct step *arg)
{
    if (spec_dtype_bits(arg->dtype) >= 8 &&
        (arg->dtype < TTSB_F8_E4M3 || arg->dtype > TTSB_F8_E5M2FNUZ))
        return true;
    typing_report(t, "E0412", term->at, "%s tensors can only be copied whole",
                  spec_dtype_name(arg->dtype));
    return false;
}

static bool reorder(struct typing *t, const struct term *term, struct step *s)
{
    struct axis *axes = arena_new(arena_of(t), struct axis, s->arg->type.rank);
    for (uint32_t i = 0; i < s->arg->type.rank; i++)
        axes[i] = s->arg->type.axes[s->order[i]];
    s->type = (struct type){s->arg->type.rank, axes};
    s->dtype = s->arg->dtype;
    return typing_check_written(t, term, s->type);
}

static bool transpose_step(struct typing *t, const struct term *term,
                           struct step *s)
{
    if (s->arg->type.rank != 2) {
        typing_report(
            t, "E0405", term->at,
            "`transpose` needs 2 axes; %.*s has %" PRIu32 " (use `permute`)",
            STR_ARG(type_text(arena_of(t), s->arg->type)), s->arg->type.rank);
        return false;
    }
    s->op = OP_PERMUTE;
    s->order[0] = 1;
    s->order[1] = 0;
    return reorder(t, term, s);
}

static bool permute_step(struct typing *t, const struct term *term,
                         struct step *s)
{
    struct str have = type_text(arena_of(t), s->arg->type);
    uint32_t seen = 0;
    if (term->count - 1 != s->arg->type.rank) {
        typing_report(t, "E0406", term->at,
                      "`permute` names %zu axes, %.*s has %" PRIu32,
                      term->count - 1, STR_ARG(have), s->arg->type.rank);
        return false;
    }
    for (size_t i = 1; i < term->count; i++) {
        int axis = type_axis(s->arg->type, term->args[i].id);
        if (axis < 0 || (seen >> axis & 1) != 0) {
            typing_report(t, axis < 0 ? "E0406" : "E0413", term->args[i].at,
                          axis < 0
                              ? "axis `%.*s` is not in %.*s"
                              : "axis `%.*s` stands twice in the order of %.*s",
                          STR_ARG(term->args[i].id), STR_ARG(have));
            return false;
        }
        seen |= 1U << axis;
        s->order[i - 1] = (uint8_t)axis;
    }
    return reorder(t, term, s);
}

static bool find_squeezed(struct typing *t, const struct term *term,
                          struct step *s)
{
    const struct type *have = &s->arg->type;
    for (size_t i = 1; i < term->count; i++) {
        int axis = type_axis(*have, term->args[i].id);
        if (axis < 0) {
            typing_report(t, "E0406", term->args[i].at,
                          "axis `%.*s` is not in %.*s",
                          STR_ARG(term->args[i].id),
                          STR_ARG(type_text(arena_of(t), *have)));
            return false;
        }
        if (have->axes[axis].size != 1) {
            typing_report(
                t, "E0405", term->args[i].at,
                "`squeeze` removes axes of size 1; `%.*s` is %" PRIu64,
                STR_ARG(term->args[i].id), have->axes[axis].size);
            return false;
        }
        if ((s->removed >> axis & 1) != 0) {
            typing_report(t, "E0413", term->args[i].at,
                          "axis `%.*s` stands twice",
                          STR_ARG(term->args[i].id));
            return false;
        }
        s->removed |= (uint8_t)(1U << axis);
    }
    for (uint32_t i = 0; term->count == 1 && i < have->rank; i++)
        if (have->axes[i].name.n == 0)
            s->removed |= (uint8_t)(1U << i);
    if (s->removed == 0)
        typing_report(t, "E0405", term->at,
                      "`squeeze` removes nothing from %.*s",
                      STR_ARG(type_text(arena_of(t), *have)));
    return s->removed != 0;
}

static bool squeeze_step(struct typing *t, const struct term *term,
                         struct step *s)
{
    struct axis *axes = arena_new(arena_of(t), struct axis, s->arg->type.rank);
    if (!find_squeezed(t, term, s))
        return false;
    s->type.axes = axes;
    for (uint32_t i = 0; i < s->arg->type.rank; i++)
        if ((s->removed >> i & 1) == 0)
            axes[s->type.rank++] = s->arg->type.axes[i];
    s->dtype = s->arg->dtype;
    return typing_check_written(t, term, s->type);
}

/* --- second readings --- */

static bool misplaced(struct typing *t, const struct term *term)
{
    if (term->op == OP_ZEROS)
        typing_report(t, "E0212", term->at,
                      "`zeros` stands only inside concat or stack");
    else if (term->op != OP_ALIAS)
        typing_report(t, "E0212", term->at,
                      "`%s` makes two outputs: it stands alone behind a "
                      "target, not inside a value",
                      term->signature->name);
    else
        typing_report(t, "E0504", term->at,
                      "`alias` stands alone, not inside a value");
    return false;
}

static bool needs_sources(struct typing *t, const struct term *term)
{
    for (size_t i = 0; i < term->count; i++) {
        if (term->args[i].term->op == OP_LEAF)
            continue;
        typing_report(t, "E0212", term->args[i].at,
                      "`%s` takes a source with its type, not an operation",
                      term->signature->name);
        return false;
    }
    return true;
}

static bool also_step(struct typing *t, const struct term *term, struct step *s)
{
    if (!needs_sources(t, term) || !typing_may_compute(t, term, s->arg))
        return false;
    *s = *s->arg;
    s->leaf->also = true;
    return true;
}

static bool same_step(struct typing *t, const struct term *term, struct step *s)
{
    const struct step *a = s->arg, *b;
    if (!needs_sources(t, term) || !typing_may_compute(t, term, a))
        return false;
    b = typing_step(t, term->args[1].term);
    if (b == NULL)
        return false;
    if (!type_eq(a->type, b->type) || a->dtype != b->dtype) {
        struct diag_item *item = typing_report(
            t, "E0410", term->args[1].at,
            "`same` needs two sources of one type: %s%.*s and %s%.*s",
            spec_dtype_name(a->dtype), STR_ARG(type_text(arena_of(t), a->type)),
            spec_dtype_name(b->dtype),
            STR_ARG(type_text(arena_of(t), b->type)));
        diag_label(t->scope->d, item, term->args[0].at, "the first");
        return false;
    }
    *s = *a;
    s->leaf->twin = b->leaf;
    b->leaf->is_twin = true;
    return typing_check_written(t, term, s->type);
}

/* What moves elements. */
static bool move_step(struct typing *t, const struct term *term, struct step *s)
{
    if (!typing_may_compute(t, term, s->arg))
        return false;
    switch (term->op) {
    case OP_TRANSPOSE:
        return transpose_step(t, term, s);
    case OP_PERMUTE:
        return permute_step(t, term, s);
    case OP_SQUEEZE:
        return squeeze_step(t, term, s);
    case OP_UNSQUEEZE:
        return typing_unsqueeze_step(t, term, s);
    case OP_SLICE:
        return typing_slice_step(t, term, s);
    case OP_MERGE:
        return typing_merge_step(t, term, s);
    case OP_UNMERGE:
        return typing_unmerge_step(t, term, s);
    default:
        return typing_rope_step(t, term, s);
    }
}

static bool fill_step(struct typing *t, const struct term *term, struct step *s)
{
    switch (term->op) {
    case OP_LEAF:
        return leaf_step(t, term, s);
    case OP_WEIGHT_NORM:
        return typing_weight_norm_step(t, term, s);
    case OP_SPECTRAL_NORM:
        return typing_spectral_norm_step(t, term, s);
    case OP_EXP:
    case OP_SCALE:
    case OP_OFFSET:
    case OP_RECIPROCAL:
    case OP_MAX:
        return typing_map_step(t, term, s);
    case OP_ADD:
    case OP_MUL:
    case OP_DIV:
        return typing_combine_step(t, term, s);
    case OP_L2_NORMALIZE:
        return typing_l2_normalize_step(t, term, s);
    case OP_CONCAT:
    case OP_STACK:
    case OP_INTERLEAVE:
        return typing_join_step(t, term, s);
    case OP_ALSO:
        return also_step(t, term, s);
    case OP_SAME:
        return same_step(t, term, s);
    case OP_ALIAS:
    case OP_ZEROS:
    case OP_BATCHNORM:
    case OP_FOLD_BATCHNORM:
        return misplaced(t, term);
    default:
        return move_step(t, term, s);
    }
}

static bool may_go_on(struct typing *t, const struct term *term)
{
    if (*t->work >= TYPING_MAX_WORK)
        return false;
    if (++*t->work == TYPING_MAX_WORK)
        typing_report(t, "E0216", term->at, "more than %d terms",
                      TYPING_MAX_WORK);
    return *t->work < TYPING_MAX_WORK;
}

const struct step *typing_step(struct typing *t, const struct term *term)
{
    struct step *s;
    if (!may_go_on(t, term))
        return NULL;
    s = arena_new(arena_of(t), struct step, 1);
    s->op = term->op;
    if (term->count > 0 && term->args[0].kind == ARG_TERM) {
        s->arg = typing_step(t, term->args[0].term);
        if (s->arg == NULL)
            return NULL;
    }
    return fill_step(t, term, s) ? s : NULL;
}
