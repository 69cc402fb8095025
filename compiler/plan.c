/* SPDX-License-Identifier: MIT
 *
 * plan.c - composes the steps from the leaves outwards.
 */
#include "plan.h"

#include <stdlib.h>

#include "claims.h"

bool plan_is_node(const struct step *s)
{
    switch (s->op) {
    case OP_ADD:
    case OP_SUB:
    case OP_MUL:
    case OP_DIV:
    case OP_L2_NORMALIZE:
    case OP_SPECTRAL_NORM:
        return true;
    default:
        return false;
    }
}

static bool is_math(enum op op)
{
    switch (op) {
    case OP_EXP:
    case OP_SCALE:
    case OP_OFFSET:
    case OP_RECIPROCAL:
    case OP_MAX:
    case OP_SQRT:
        return true;
    default:
        return false;
    }
}

static void add_value(struct regions *v, const struct step *s);

static void add_parts(struct regions *v, const struct step *s)
{
    uint64_t at = 0;
    for (size_t k = 0; k < s->part_count && !v->failed; k++) {
        size_t first = v->n;
        add_value(v, s->parts[k]);
        if (s->op == OP_STACK) {
            regions_stack(v, first, k);
        } else if (s->op == OP_INTERLEAVE) {
            regions_spread(v, first, s->axis, k, s->part_count);
        } else {
            regions_shift(v, first, s->axis, at);
            at += s->parts[k]->type.axes[s->axis].size;
        }
    }
}

static void add_math(struct regions *v, size_t first, const struct step *s)
{
    for (size_t i = first; i < v->n; i++) {
        struct math *m = arena_new(v->a, struct math, 1);
        *m = (struct math){s, v->p[i].math};
        v->p[i].math = m;
    }
}

static void unmerge(struct regions *v, size_t first, const struct step *s)
{
    uint32_t k = s->type.rank - s->arg->type.rank + 1;
    for (uint32_t i = 0; i + 1 < k; i++) {
        uint64_t inner = 1;
        for (uint32_t j = i + 1; j < k; j++)
            inner *= s->type.axes[s->axis + j].size;
        regions_part(v, first, s->axis + i, inner);
    }
}

/* The rows of the heads that do not turn; they leave `v`. */
static struct regions still_rows(struct regions *v, size_t first,
                                 const struct step *s, uint64_t rows)
{
    struct regions still = {.a = v->a, .failed = v->failed};
    uint32_t axis = s->axis + 1;
    for (size_t i = first; i < v->n; i++) {
        struct region r = v->p[i];
        r.digits = arena_new(v->a, struct digit, r.digit_count + 1);
        memcpy(r.digits, v->p[i].digits, r.digit_count * sizeof *r.digits);
        if (still.n == still.capacity)
            still.p = arena_grow(v->a, still.p, sizeof *still.p, still.n,
                                 &still.capacity);
        still.p[still.n++] = r;
    }
    regions_slice(&still, 0, axis, s->keep, rows - s->keep);
    regions_shift(&still, 0, axis, s->keep);
    regions_slice(v, first, axis, 0, s->keep);
    v->failed = v->failed || still.failed;
    return still;
}

static void append_all(struct regions *v, const struct regions *more)
{
    for (size_t i = 0; i < more->n; i++) {
        if (v->n == v->capacity)
            v->p = arena_grow(v->a, v->p, sizeof *v->p, v->n, &v->capacity);
        v->p[v->n++] = more->p[i];
    }
    v->failed = v->failed || v->n > REGIONS_MAX;
}

/* Rows of each head are pairs: [pair, two] becomes [two, pair], or back. */
static void rope(struct regions *v, size_t first, const struct step *s)
{
    uint8_t order[REGION_MAX_RANK];
    uint64_t rows = s->type.axes[s->axis].size / s->heads, turn = s->keep;
    uint64_t inner = s->op == OP_ROPE_HALF ? 2 : turn / 2;
    struct axis pair[2] = {{{0}, inner}, {{0}, turn / inner}};
    struct axis head[2] = {{{0}, s->heads}, {{0}, rows}};
    struct regions still = {0};
    regions_part(v, first, s->axis, rows);
    if (turn < rows)
        still = still_rows(v, first, s, rows);
    regions_part(v, first, s->axis + 1, inner);
    for (uint8_t i = 0; i < REGION_MAX_RANK; i++)
        order[i] = i;
    order[s->axis + 1] = (uint8_t)(s->axis + 2);
    order[s->axis + 2] = (uint8_t)(s->axis + 1);
    regions_permute(v, first, order);
    regions_merge(v, first, s->axis + 1, pair, 2);
    append_all(v, &still);
    regions_merge(v, first, s->axis, head, 2);
}

/* Of a tensor without elements, too, a part is no whole. */
static void mark_empty(struct regions *v, size_t first, const struct step *s)
{
    uint64_t all = s->arg->type.axes[s->axis].size;
    for (size_t i = first; i < v->n; i++)
        if (v->p[i].empty && s->type.axes[s->axis].size < all)
            v->p[i].cut = true;
}

static void move(struct regions *v, size_t first, const struct step *s)
{
    switch (s->op) {
    case OP_PERMUTE:
        regions_permute(v, first, s->order);
        break;
    case OP_SQUEEZE:
        regions_squeeze(v, first, s->removed);
        break;
    case OP_UNSQUEEZE:
        regions_unsqueeze(v, first, s->axis);
        break;
    case OP_SLICE:
        mark_empty(v, first, s);
        regions_slice(v, first, s->axis, s->lo, s->type.axes[s->axis].size);
        break;
    case OP_MERGE:
        regions_merge(v, first, s->axis, &s->arg->type.axes[s->axis],
                      s->arg->type.rank - s->type.rank + 1);
        break;
    case OP_UNMERGE:
        unmerge(v, first, s);
        break;
    case OP_ROPE_HALF:
    case OP_ROPE_INTERLEAVE:
        rope(v, first, s);
        break;
    default:
        break;
    }
}

static void add_value(struct regions *v, const struct step *s)
{
    size_t first = v->n;
    if (s->leaf != NULL || s->op == OP_ZEROS || plan_is_node(s)) {
        regions_add(v, s);
    } else if (s->part_count > 0) {
        add_parts(v, s);
    } else {
        add_value(v, s->arg);
        if (is_math(s->op))
            add_math(v, first, s);
        else if (!v->failed)
            move(v, first, s);
    }
}

/* --- nodes --- */

/* Operand number k of a node; NULL if it has no more. */
static const struct step *operand(const struct step *node, size_t k)
{
    if (node->part_count > 0)
        return k < node->part_count ? node->parts[k] : NULL;
    if (k == 1 && node->op != OP_L2_NORMALIZE)
        return node->other;
    return k == 0 ? node->arg : NULL;
}

static int compare_nodes(const void *x, const void *y)
{
    const struct step *a = *(const struct step *const *)x;
    const struct step *b = *(const struct step *const *)y;
    return (a > b) - (a < b);
}

/* The nodes of the regions from `first` on, each once. */
static const struct step **nodes_of(const struct regions *v, size_t first,
                                    size_t *count)
{
    const struct step **p = arena_new(v->a, const struct step *, v->n - first);
    size_t n = 0;
    for (size_t i = first; i < v->n; i++)
        if (v->p[i].node != NULL)
            p[n++] = v->p[i].node;
    qsort(p, n, sizeof *p, compare_nodes);
    *count = 0;
    for (size_t i = 0; i < n; i++)
        if (i == 0 || p[i] != p[i - 1])
            p[(*count)++] = p[i];
    return p;
}

/* A value among others; it fails if it could not be settled. */
static void add_checked(struct regions *v, const struct step *s)
{
    size_t first = v->n;
    uint64_t n;
    add_value(v, s);
    n = v->failed ? 0 : regions_settled(v, first);
    v->work += n > v->n - first ? n : v->n - first;
    v->failed = v->failed || n > REGIONS_MAX;
}

/* --- public --- */

bool plan_uses(const struct step *s, const struct leaf *leaf)
{
    bool uses = s->leaf != NULL &&
                (s->leaf == leaf || s->g == leaf || s->leaf->twin == leaf);
    if (plan_is_node(s)) {
        for (size_t k = 0; operand(s, k) != NULL && !uses; k++)
            uses = plan_uses(operand(s, k), leaf);
        return uses;
    }
    for (size_t i = 0; i < s->part_count && !uses; i++)
        uses = plan_uses(s->parts[i], leaf);
    return uses || (s->arg != NULL && plan_uses(s->arg, leaf));
}

struct regions plan_value(struct arena *a, const struct step *s)
{
    struct regions v = {.a = a};
    add_value(&v, s);
    regions_settle(&v);
    return v;
}

struct regions plan_part(struct arena *a, const struct step *s, uint32_t axis,
                         uint64_t lo, uint64_t n)
{
    struct regions v = {.a = a};
    add_value(&v, s);
    regions_slice(&v, 0, axis, lo, n);
    regions_settle(&v);
    return v;
}

void plan_sources(struct regions *v)
{
    for (size_t first = 0, end; first < v->n && !v->failed; first = end) {
        size_t count;
        const struct step **nodes = nodes_of(v, first, &count);
        end = v->n;
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; operand(nodes[i], k) != NULL; k++)
                add_checked(v, operand(nodes[i], k));
    }
}

bool plan_claims(struct arena *a, const struct step *s, uint64_t *work)
{
    struct arena scratch = {0};
    struct regions v = {.a = &scratch};
    bool ok;
    add_checked(&v, s);
    plan_sources(&v);
    ok = !v.failed && claims_write(a, &v);
    *work = v.work;
    arena_release(&scratch);
    return ok;
}
