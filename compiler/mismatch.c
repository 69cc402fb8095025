/* SPDX-License-Identifier: MIT
 *
 * mismatch.c - says which of dtype, rank, order and size is wrong.
 */
#include "mismatch.h"

#include <inttypes.h>
#include <stdlib.h>

#include "origin.h"
#include "suggest.h"
#include "ttsb.h"

static struct diag_where type_where(const struct leaf *leaf)
{
    struct diag_where w = leaf->where;
    w.at = leaf->written->at;
    return w;
}

/* Folds only with others of the same types. */
static void type_fact(struct arena *a, struct diag_item *item,
                      const struct leaf *leaf, const struct st_tensor *t)
{
    diag_fact(item,
              arena_format(a, "%s %.*s %.*s %.*s", ttsb_dtype_name(t->dtype),
                           STR_ARG(checkpoint_shape(a, t)),
                           STR_ARG(type_text(a, leaf->type)),
                           STR_ARG(leaf_tail(a, leaf))));
}

static void file_note(struct arena *a, struct diag *d, struct diag_item *item,
                      const struct checkpoint *c, uint32_t index)
{
    diag_note(d, item, "%.*s", STR_ARG(checkpoint_tensor_text(a, c, index)));
}

/* Folds with others that differ in the same way: sizes that agree may be others
 * in every iteration. */
static void size_fact(struct arena *a, struct diag_item *item,
                      const struct leaf *leaf, const struct st_tensor *t)
{
    struct str fact = leaf_tail(a, leaf);
    for (uint32_t i = 0; i < t->rank; i++)
        if (leaf->type.axes[i].size != t->dims[i])
            fact = arena_format(a, "%.*s %" PRIu32 ":%" PRIu64 ":%" PRIu64,
                                STR_ARG(fact), i, t->dims[i],
                                leaf->type.axes[i].size);
    diag_fact(item, fact);
}

static bool check_dtype(struct arena *a, struct diag *d,
                        const struct leaf *leaf, const struct checkpoint *c,
                        const struct st_tensor *t)
{
    struct diag_item *item;
    if ((uint32_t)leaf->dtype == t->dtype || leaf->retyped)
        return !leaf->retyped;
    item = diag_add(d, "E0411", leaf->where,
                    "`%.*s` is %s in the checkpoint, %s in the spec",
                    STR_ARG(leaf->name), ttsb_dtype_name(t->dtype),
                    ttsb_dtype_name((uint32_t)leaf->dtype));
    diag_fact(item, arena_format(a, "%s %.*s", ttsb_dtype_name(t->dtype),
                                 STR_ARG(leaf_tail(a, leaf))));
    file_note(a, d, item, c, leaf->source);
    if (leaf->counter)
        diag_note(d, item,
                  "a BatchNorm counts its training steps in an i64[]; nothing "
                  "else is dropped with it");
    else if (leaf->stem.n > 0)
        diag_help(d, item,
                  "if the checkpoint is right, change `source_dtype:` "
                  "of the spec or block");
    else
        diag_help(d, item,
                  "if the checkpoint is right, change `source_dtype:` of the "
                  "spec or block, or write `%.*s %s[...]`",
                  STR_ARG(span_text(leaf->where.at)),
                  spec_dtype_name((enum ttsb_dtype)t->dtype));
    return false;
}

static int compare_sizes(const void *x, const void *y)
{
    const uint64_t *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

/* The same sizes in another order. */
bool mismatch_is_reordered(const struct leaf *leaf, const struct st_tensor *t)
{
    uint64_t a[TTSB_MAX_RANK], b[TTSB_MAX_RANK];
    for (uint32_t i = 0; i < t->rank; i++) {
        a[i] = leaf->type.axes[i].size;
        b[i] = t->dims[i];
    }
    qsort(a, t->rank, sizeof *a, compare_sizes);
    qsort(b, t->rank, sizeof *b, compare_sizes);
    return memcmp(a, b, t->rank * sizeof *a) == 0;
}

static bool say_rank(struct arena *a, struct diag *d, const struct leaf *leaf,
                     const struct checkpoint *c, const struct st_tensor *t)
{
    struct diag_item *item =
        diag_add(d, "E0402", type_where(leaf),
                 "`%.*s` has rank %" PRIu32 " in the checkpoint, %.*s, and "
                 "rank %" PRIu32 " in the spec, %.*s",
                 STR_ARG(leaf->name), t->rank, STR_ARG(checkpoint_shape(a, t)),
                 leaf->type.rank, STR_ARG(type_text(a, leaf->type)));
    origin_label_type(d, item, leaf->scope, &leaf->where, leaf->written);
    type_fact(a, item, leaf, t);
    file_note(a, d, item, c, leaf->source);
    if (leaf->stem.n == 0 && t->rank == leaf->type.rank + 1 &&
        t->dims[t->rank - 1] == 1)
        diag_help(d, item,
                  "declare the axis of size 1 and write "
                  "squeeze(..., name)");
    return false;
}

static bool say_reordered(struct arena *a, struct diag *d,
                          const struct leaf *leaf, const struct checkpoint *c,
                          const struct st_tensor *t)
{
    struct diag_item *item =
        diag_add(d, "E0403", type_where(leaf),
                 "sizes of `%.*s` are right in another order: checkpoint %.*s, "
                 "spec %.*s",
                 STR_ARG(leaf->name), STR_ARG(checkpoint_shape(a, t)),
                 STR_ARG(type_text(a, leaf->type)));
    origin_label_type(d, item, leaf->scope, &leaf->where, leaf->written);
    type_fact(a, item, leaf, t);
    file_note(a, d, item, c, leaf->source);
    diag_help(d, item,
              "declare the order that is stored, and write %s; nothing is "
              "transposed by itself",
              t->rank == 2 ? "transpose(...)" : "permute(...)");
    return false;
}

/* A magnitude whose size sits on another axis than the kept one. */
static bool say_keep(struct arena *a, struct diag *d, const struct leaf *leaf,
                     const struct checkpoint *c, const struct st_tensor *t)
{
    struct diag_where w = leaf->where;
    struct diag_item *item;
    w.at = leaf->keep_at;
    item = diag_add(d, "E0409", w,
                    "`keep=` does not match g: `%.*s` is %.*s in the "
                    "checkpoint, %.*s by the spec",
                    STR_ARG(leaf->name), STR_ARG(checkpoint_shape(a, t)),
                    STR_ARG(type_text(a, leaf->type)));
    diag_fact(item, leaf_tail(a, leaf));
    file_note(a, d, item, c, leaf->source);
    diag_note(d, item,
              "PyTorch keeps dim 0 unless told otherwise; "
              "ConvTranspose stores [in, out, k], so `keep=in` there");
    return false;
}

static struct str axis_label(struct arena *a, struct type t, uint32_t i)
{
    if (t.axes[i].name.n > 0)
        return arena_format(a, "`%.*s`", STR_ARG(t.axes[i].name));
    return arena_format(a, "%" PRIu32 " (unnamed)", i);
}

struct diag_item *mismatch_say_size(struct arena *a, struct diag *d,
                                    const struct leaf *leaf,
                                    const struct checkpoint *c, uint32_t axis,
                                    const struct diag_where *where)
{
    const struct st_tensor *t = &c->tensors[leaf->source];
    struct diag_item *item =
        diag_add(d, "E0401", *where,
                 "axis %.*s of `%.*s` is %" PRIu64
                 " in the checkpoint, %" PRIu64 " in the spec",
                 STR_ARG(axis_label(a, leaf->type, axis)), STR_ARG(leaf->name),
                 t->dims[axis], leaf->type.axes[axis].size);
    if (axis < leaf->written->rank)
        origin_label(d, item, leaf->scope, &leaf->where,
                     leaf->written->axes[axis].size);
    size_fact(a, item, leaf, t);
    diag_note(d, item, "%.*s; the spec says %.*s",
              STR_ARG(checkpoint_tensor_text(a, c, leaf->source)),
              STR_ARG(type_text(a, leaf->type)));
    return item;
}

static bool say_size(struct arena *a, struct diag *d, const struct leaf *leaf,
                     const struct checkpoint *c, const struct st_tensor *t)
{
    struct diag_where w = type_where(leaf);
    struct diag_item *item;
    const struct expr *e = NULL;
    uint32_t i = 0, different = 0;
    for (uint32_t k = 0; k < t->rank; k++)
        different += leaf->type.axes[k].size != t->dims[k];
    while (leaf->type.axes[i].size == t->dims[i])
        i++;
    if (!leaf->is_g && leaf->spectral <= SPECTRAL_W &&
        i < leaf->written->rank) {
        w.at = leaf->written->axes[i].at;
        e = leaf->written->axes[i].size;
    }
    item = mismatch_say_size(a, d, leaf, c, i, &w);
    if (str_is(leaf->type.axes[i].name, "in") && t->dims[i] == 1 &&
        (t->rank == 3 || t->rank == 4))
        diag_note(d, item,
                  "in = 1: a depthwise convolution (groups = channels)? then "
                  "write `in=1`");
    else if (different > 1)
        diag_help(d, item, "if the checkpoint is right, the sizes are %.*s",
                  STR_ARG(checkpoint_shape(a, t)));
    else if (e != NULL && e->kind == EXPR_NUMBER && w.loops == NULL &&
             leaf->type.axes[i].name.n > 0)
        diag_fix(d, item,
                 &(struct diag_edit){
                     e->at, arena_format(a, "%" PRIu64, t->dims[i]), false},
                 "if the checkpoint is right, write `%.*s=%" PRIu64 "`",
                 STR_ARG(leaf->type.axes[i].name), t->dims[i]);
    return false;
}

static bool same_sizes(const struct leaf *leaf, const struct st_tensor *t)
{
    for (uint32_t i = 0; i < t->rank; i++)
        if (leaf->type.axes[i].size != t->dims[i])
            return false;
    return true;
}

bool mismatch_check(struct arena *a, struct diag *d, const struct leaf *leaf,
                    const struct checkpoint *c)
{
    const struct st_tensor *t = &c->tensors[leaf->source];
    bool ok = check_dtype(a, d, leaf, c, t);
    if (t->rank != leaf->type.rank)
        return say_rank(a, d, leaf, c, t);
    if (same_sizes(leaf, t))
        return ok;
    if (leaf->resized)
        return false;
    if (leaf->is_g && leaf->keep != KEEP_NONE)
        return t->dims[leaf->keep] == 1 ? say_keep(a, d, leaf, c, t)
                                        : say_size(a, d, leaf, c, t);
    if (mismatch_is_reordered(leaf, t))
        return say_reordered(a, d, leaf, c, t);
    return say_size(a, d, leaf, c, t);
}

/* --- missing --- */

static size_t parent_length(struct str name)
{
    size_t n = name.n;
    while (n > 0 && name.p[n - 1] != '.')
        n--;
    return n;
}

static bool same_shape(const struct leaf *leaf, const struct st_tensor *t)
{
    return leaf->type.rank == t->rank && same_sizes(leaf, t);
}

/* What a missing name may have been meant to be. */
struct hints {
    struct str near[3];  /* of the same module */
    struct str slip;     /* elsewhere: at most two letters differ */
    struct str other[3]; /* of another module, the rest being equal */
    size_t other_count, other_last;
    size_t near_count, slip_count, slip_distance;
    size_t near_last, slip_first; /* their tensors */
};

static bool is_beside(struct str prefix, struct str name)
{
    return str_begins(name, prefix) && parent_length(name) == prefix.n;
}

/* The component at *at, and *at behind it. */
static struct str next_part(struct str name, size_t *at)
{
    const char *dot = memchr(name.p + *at, '.', name.n - *at);
    size_t end = dot == NULL ? name.n : (size_t)(dot - name.p);
    struct str part = str_cut(name, *at, end);
    *at = end + 1;
    return part;
}

/* The same module of another layer is no spelling of this one. */
static bool has_other_index(struct str a, struct str b)
{
    size_t i = 0, j = 0;
    uint64_t x, y;
    while (i <= a.n && j <= b.n) {
        bool first = str_is_index(next_part(a, &i), &x);
        if (str_is_index(next_part(b, &j), &y) && first && x != y)
            return true;
    }
    return false;
}

/* All components but one are equal. */
static bool is_renamed(struct str a, struct str b)
{
    size_t i = 0, j = 0, different = 0;
    while (i <= a.n && j <= b.n)
        different += !str_eq(next_part(a, &i), next_part(b, &j));
    return i > a.n && j > b.n && different == 1;
}

static void hint_add(struct hints *h, const struct leaf *leaf, struct str name,
                     size_t index)
{
    struct str wanted = leaf->name;
    size_t longer = wanted.n > name.n ? wanted.n : name.n;
    size_t shorter = wanted.n > name.n ? name.n : wanted.n, distance;
    if (is_beside(str_cut(wanted, 0, parent_length(wanted)), name)) {
        h->near[h->near_count++] = name;
        h->near_last = index;
        return;
    }
    if (h->other_count < 3 && is_renamed(wanted, name)) {
        h->other_last = index;
        h->other[h->other_count++] = name;
    }
    distance = longer - shorter > 2 ? 3 : suggest_distance(name, wanted, 2);
    if (distance > 2 || (h->slip_count > 0 && distance > h->slip_distance))
        return;
    if (h->slip_count > 0 && distance == h->slip_distance) {
        h->slip_count++;
        return;
    }
    h->slip_count = 1;
    h->slip = name;
    h->slip_distance = distance;
    h->slip_first = index;
}

/* Where nothing is nearer. */
static void take_others(struct hints *h, bool *claimed)
{
    memcpy(h->near, h->other, sizeof h->near);
    h->near_count = h->other_count;
    if (h->near_count == 1)
        claimed[h->other_last] = true;
}

/* Where a tensor is surely meant as a vector of a BatchNorm, the counter beside
 * it is, too: nobody is to hear of it as unclaimed. */
static void claim_counter(struct arena *a, const struct leaf *leaf,
                          const struct checkpoint *c, bool *claimed,
                          struct str meant)
{
    struct str tail = leaf_tail(a, leaf);
    size_t n = meant.n > tail.n ? meant.n - tail.n : 0;
    uint32_t index;
    if (leaf->stem.n == 0 || leaf->spelled || leaf->pair != NULL ||
        !str_eq(str_cut(meant, n, meant.n), tail) ||
        !checkpoint_find(c, leaf->file, meant, &index) || !claimed[index])
        return;
    if (checkpoint_find(
            c, leaf->file,
            arena_format(a, "%.*s.num_batches_tracked", (int)n, meant.p),
            &index))
        claimed[index] = true;
}

struct str mismatch_hint_missing(struct arena *a, struct diag *d,
                                 struct diag_item *item,
                                 const struct leaf *leaf,
                                 const struct checkpoint *c, bool *claimed)
{
    const struct checkpoint_source *of = &c->sources[leaf->file];
    struct hints h = {0};
    for (size_t i = of->first; i < of->first + of->count && h.near_count < 3;
         i++)
        if (!claimed[i] && same_shape(leaf, &c->tensors[i]) &&
            !has_other_index(c->tensors[i].name, leaf->name))
            hint_add(&h, leaf, c->tensors[i].name, i);
    /* one slip, one finding: it is not said as unclaimed again */
    if (h.near_count == 1)
        claimed[h.near_last] = true;
    if (h.near_count == 0 && h.slip_count == 1)
        claimed[h.slip_first] = true;
    if (h.near_count == 0 && h.slip_count > 0)
        h.near[h.near_count++] = h.slip;
    else if (h.near_count == 0)
        take_others(&h, claimed);
    if (h.near_count == 1)
        claim_counter(a, leaf, c, claimed, h.near[0]);
    for (size_t i = 0; i < h.near_count; i++)
        diag_note(d, item,
                  "the checkpoint has `%.*s`, of the same shape and neither "
                  "used nor dropped",
                  STR_ARG(h.near[i]));
    return h.near_count == 1 ? h.near[0] : (struct str){0};
}
