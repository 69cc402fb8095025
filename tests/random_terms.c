/* SPDX-License-Identifier: MIT
 *
 * random_terms.c - each move twice: as a step, and by definition.
 */
#include "random_terms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MOST 720 /* elements of a value */

static uint64_t random_state;

void random_seed(uint64_t seed)
{
    random_state = seed != 0 ? seed : 1;
}

uint64_t roll(uint64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}

uint64_t elements(struct type t)
{
    uint64_t n;
    assert_true(type_elements(t, &n));
    return n;
}

/* --- indices by definition --- */

struct index index_of(struct type t, uint64_t e)
{
    struct index x = {{0}};
    for (uint32_t i = t.rank; i-- > 0;) {
        x.at[i] = e % t.axes[i].size;
        e /= t.axes[i].size;
    }
    return x;
}

uint64_t element_at(struct type t, const uint64_t *at)
{
    uint64_t e = 0;
    for (uint32_t i = 0; i < t.rank; i++)
        e = e * t.axes[i].size + at[i];
    return e;
}

/* --- terms --- */

static struct axis *new_axes(struct maker *m, struct type t)
{
    struct axis *axes = arena_new(&m->a, struct axis, TTSB_MAX_RANK + 1);
    if (t.rank > 0)
        memcpy(axes, t.axes, t.rank * sizeof *axes);
    return axes;
}

/* A step over a term, of its type; the cells are still to be made. */
static struct made over(struct maker *m, enum op op, struct made arg)
{
    struct made t = {arena_new(&m->a, struct step, 1), NULL};
    t.s->op = op;
    t.s->arg = arg.s;
    t.s->type = (struct type){arg.s->type.rank, new_axes(m, arg.s->type)};
    t.s->axis = AXIS_NONE;
    return t;
}

static struct axis *axes_of(const struct made *t)
{
    return (struct axis *)(uintptr_t)t->s->type.axes;
}

static void make_cells(struct maker *m, struct made *t)
{
    t->cells = arena_new(&m->a, struct cell, elements(t->s->type));
}

struct leaf *new_leaf(struct maker *m, struct type type)
{
    struct leaf *leaf = arena_new(&m->a, struct leaf, 1);
    assert_true(m->n < MAX_LEAVES);
    leaf->type = type;
    leaf->dtype = TTSB_F32;
    m->leaves[m->n++] = leaf;
    return leaf;
}

/* Half of them weight norms, which keep an axis or none. */
struct made source(struct maker *m, struct type type)
{
    struct made t = {arena_new(&m->a, struct step, 1), NULL};
    int number = m->n;
    struct axis *ones;
    t.s->op = OP_LEAF;
    t.s->type = type;
    t.s->leaf = new_leaf(m, type);
    make_cells(m, &t);
    for (uint64_t e = 0; e < elements(type); e++)
        t.cells[e] = (struct cell){number, e};
    if (m->plain)
        return t;
    if (roll(4) == 0)
        t.s->leaf->twin = new_leaf(m, type);
    if (roll(2) == 0)
        return t;
    t.s->op = OP_WEIGHT_NORM;
    t.s->keep =
        type.rank == 0 || roll(5) == 0 ? KEEP_NONE : (uint32_t)roll(type.rank);
    ones = arena_new(&m->a, struct axis, TTSB_MAX_RANK);
    for (uint32_t i = 0; i < type.rank; i++)
        ones[i].size = i == t.s->keep ? type.axes[i].size : 1;
    t.s->g = new_leaf(
        m, (struct type){t.s->keep == KEEP_NONE ? 0 : type.rank, ones});
    t.s->g->keep = t.s->keep;
    t.s->g->is_g = true;
    t.s->g->pair = t.s->leaf;
    t.s->leaf->pair = t.s->g;
    return t;
}

static struct made zeros(struct maker *m, struct type type)
{
    struct made t = {arena_new(&m->a, struct step, 1), NULL};
    t.s->op = OP_ZEROS;
    t.s->type = type;
    make_cells(m, &t);
    for (uint64_t e = 0; e < elements(type); e++)
        t.cells[e] = (struct cell){NO_LEAF, 0};
    return t;
}

static uint64_t most(const struct maker *m)
{
    return m->larger > 0 ? MOST * m->larger * m->larger : MOST;
}

static struct type random_type(struct maker *m)
{
    static const uint64_t sizes[] = {1, 1, 2, 2, 3, 4, 4, 5, 6, 8, 12};
    struct type t = {(uint32_t)roll(5), NULL};
    struct axis *axes = arena_new(&m->a, struct axis, TTSB_MAX_RANK + 1);
    uint64_t n = 1;
    for (uint32_t i = 0; i < t.rank; i++) {
        axes[i].size = sizes[roll(sizeof sizes / sizeof sizes[0])];
        if (m->larger > 0)
            axes[i].size *= 1 + roll(m->larger);
        axes[i].size = n * axes[i].size > most(m) / 3 ? 1 : axes[i].size;
        axes[i].size = roll(150) == 0 ? 0 : axes[i].size;
        n *= axes[i].size;
    }
    t.axes = axes;
    return t;
}

/* --- moves --- */

static struct made permute(struct maker *m, struct made x)
{
    struct made t = over(m, OP_PERMUTE, x);
    uint32_t rank = t.s->type.rank;
    for (uint32_t i = 0; i < rank; i++)
        t.s->order[i] = (uint8_t)i;
    for (uint32_t i = rank; i > 1; i--) {
        uint64_t k = roll(i);
        uint8_t swap = t.s->order[i - 1];
        t.s->order[i - 1] = t.s->order[k];
        t.s->order[k] = swap;
    }
    for (uint32_t i = 0; i < rank; i++)
        axes_of(&t)[i] = x.s->type.axes[t.s->order[i]];
    make_cells(m, &t);
    for (uint64_t e = 0; e < elements(t.s->type); e++) {
        struct index at = index_of(t.s->type, e), from = {{0}};
        for (uint32_t i = 0; i < rank; i++)
            from.at[t.s->order[i]] = at.at[i];
        t.cells[e] = x.cells[element_at(x.s->type, from.at)];
    }
    return t;
}

static struct made squeeze(struct maker *m, struct made x)
{
    struct made t = over(m, OP_SQUEEZE, x);
    t.s->type.rank = 0;
    for (uint32_t i = 0; i < x.s->type.rank; i++) {
        if (x.s->type.axes[i].size == 1 && roll(3) > 0)
            t.s->removed |= (uint8_t)(1U << i);
        else
            axes_of(&t)[t.s->type.rank++] = x.s->type.axes[i];
    }
    t.cells = x.cells;
    return t;
}

static struct made unsqueeze(struct maker *m, struct made x)
{
    struct made t = over(m, OP_UNSQUEEZE, x);
    if (x.s->type.rank == TTSB_MAX_RANK)
        return x;
    t.s->axis = (uint32_t)roll(x.s->type.rank + 1);
    for (uint32_t i = t.s->type.rank++; i > t.s->axis; i--)
        axes_of(&t)[i] = axes_of(&t)[i - 1];
    axes_of(&t)[t.s->axis].size = 1;
    t.cells = x.cells;
    return t;
}

/* An axis of more than one index, or rank. */
static uint32_t long_axis(struct type t)
{
    uint32_t first = t.rank > 0 ? (uint32_t)roll(t.rank) : 0;
    for (uint32_t i = 0; i < t.rank; i++)
        if (t.axes[(first + i) % t.rank].size > 1)
            return (first + i) % t.rank;
    return t.rank;
}

static struct made slice(struct maker *m, struct made x)
{
    struct made t = over(m, OP_SLICE, x);
    uint32_t axis = long_axis(x.s->type);
    uint64_t size;
    if (axis == x.s->type.rank)
        return x;
    size = x.s->type.axes[axis].size;
    t.s->axis = axis;
    t.s->lo = roll(size);
    axes_of(&t)[axis].size = 1 + roll(size - t.s->lo);
    make_cells(m, &t);
    for (uint64_t e = 0; e < elements(t.s->type); e++) {
        struct index at = index_of(t.s->type, e);
        at.at[axis] += t.s->lo;
        t.cells[e] = x.cells[element_at(x.s->type, at.at)];
    }
    return t;
}

static struct made merge(struct maker *m, struct made x)
{
    struct made t = over(m, OP_MERGE, x);
    uint32_t rank = x.s->type.rank, k;
    if (rank < 2)
        return x;
    t.s->axis = (uint32_t)roll(rank - 1);
    k = 2 + (uint32_t)roll(rank - t.s->axis - 1);
    for (uint32_t i = 1; i < k; i++)
        axes_of(&t)[t.s->axis].size *= x.s->type.axes[t.s->axis + i].size;
    for (uint32_t i = t.s->axis + k; i < rank; i++)
        axes_of(&t)[i - k + 1] = x.s->type.axes[i];
    t.s->type.rank = rank - k + 1;
    t.cells = x.cells;
    return t;
}

static uint64_t divisor(uint64_t n)
{
    uint64_t d = 1 + roll(n);
    while (n % d != 0)
        d--;
    return d;
}

static struct made unmerge(struct maker *m, struct made x)
{
    struct made t = over(m, OP_UNMERGE, x);
    uint32_t rank = x.s->type.rank, axis = long_axis(x.s->type);
    uint32_t k = 2 + (uint32_t)roll(2);
    uint64_t rest;
    if (axis == rank || rank + k - 1 > TTSB_MAX_RANK)
        return x;
    rest = x.s->type.axes[axis].size;
    for (uint32_t i = rank; i-- > axis + 1;)
        axes_of(&t)[i + k - 1] = x.s->type.axes[i];
    for (uint32_t i = 0; i < k; i++) {
        uint64_t size = i + 1 < k ? divisor(rest) : rest;
        axes_of(&t)[axis + i].size = size;
        rest /= size;
    }
    t.s->axis = axis;
    t.s->type.rank = rank + k - 1;
    t.cells = x.cells;
    return t;
}

/* Row `row` of a head comes from there. */
static uint64_t turned(const struct step *s, uint64_t row)
{
    uint64_t half = s->keep / 2;
    if (row >= s->keep)
        return row;
    if (s->op == OP_ROPE_HALF)
        return row < half ? 2 * row : 2 * (row - half) + 1;
    return row % 2 == 0 ? row / 2 : half + row / 2;
}

static struct made rope(struct maker *m, struct made x)
{
    struct made t =
        over(m, roll(2) == 0 ? OP_ROPE_HALF : OP_ROPE_INTERLEAVE, x);
    uint32_t axis = long_axis(x.s->type);
    uint64_t rows;
    if (axis == x.s->type.rank)
        return x;
    t.s->axis = axis;
    t.s->heads = divisor(x.s->type.axes[axis].size);
    rows = x.s->type.axes[axis].size / t.s->heads;
    if (rows < 2)
        return x;
    t.s->keep = 2 * (1 + (uint32_t)roll(rows / 2));
    make_cells(m, &t);
    for (uint64_t e = 0; e < elements(t.s->type); e++) {
        struct index at = index_of(t.s->type, e);
        uint64_t *i = &at.at[axis];
        *i = *i / rows * rows + turned(t.s, *i % rows);
        t.cells[e] = x.cells[element_at(x.s->type, at.at)];
    }
    return t;
}

/* --- joins --- */

static struct type with_size(struct maker *m, struct type t, uint32_t axis,
                             uint64_t size)
{
    struct axis *axes = new_axes(m, t);
    axes[axis].size = size;
    return (struct type){t.rank, axes};
}

/* A part beside a term: a source or zeros, of another size along `axis`. */
static struct made beside(struct maker *m, struct made x, enum op op,
                          uint32_t axis)
{
    struct type type = x.s->type;
    if (op == OP_CONCAT && roll(2) == 0)
        type = with_size(m, type, axis, 1 + roll(5));
    if (op != OP_INTERLEAVE && roll(3) == 0)
        return zeros(m, type);
    return m->part != NULL ? m->part(m, type) : source(m, type);
}

/* Which element of which part an index of a join is. */
static struct cell joined_cell(const struct step *s, const struct made *parts,
                               struct index at)
{
    uint64_t *i = &at.at[s->axis];
    size_t k = 0;
    if (s->op == OP_STACK)
        return parts[at.at[0]].cells[element_at(parts[0].s->type, at.at + 1)];
    if (s->op == OP_INTERLEAVE) {
        k = *i % s->part_count;
        *i /= s->part_count;
    }
    for (; s->op == OP_CONCAT && *i >= s->parts[k]->type.axes[s->axis].size;
         k++)
        *i -= s->parts[k]->type.axes[s->axis].size;
    return parts[k].cells[element_at(parts[k].s->type, at.at)];
}

static struct made join(struct maker *m, struct made x)
{
    static const enum op ops[] = {OP_CONCAT, OP_STACK, OP_INTERLEAVE};
    struct made t = over(m, ops[roll(3)], x), parts[4];
    uint32_t rank = x.s->type.rank, first = (uint32_t)roll(2);
    size_t n = 2 + roll(3);
    if (m->n + 3 * (int)n > MAX_LEAVES ||
        (t.s->op == OP_STACK ? rank == TTSB_MAX_RANK : rank == 0))
        return x;
    t.s->arg = NULL;
    t.s->axis = t.s->op == OP_STACK ? 0 : (uint32_t)roll(rank);
    t.s->parts = arena_new(&m->a, const struct step *, n);
    t.s->part_count = n;
    for (size_t k = 0; k < n; k++) {
        parts[k] = k == first ? x : beside(m, x, t.s->op, t.s->axis);
        t.s->parts[k] = parts[k].s;
        if (t.s->op != OP_STACK && k > 0)
            axes_of(&t)[t.s->axis].size +=
                parts[k].s->type.axes[t.s->axis].size;
        else if (t.s->op != OP_STACK)
            axes_of(&t)[t.s->axis].size = parts[k].s->type.axes[t.s->axis].size;
    }
    if (t.s->op == OP_STACK) {
        for (uint32_t i = t.s->type.rank++; i > 0; i--)
            axes_of(&t)[i] = axes_of(&t)[i - 1];
        axes_of(&t)[0].size = n;
    }
    make_cells(m, &t);
    for (uint64_t e = 0; e < elements(t.s->type); e++)
        t.cells[e] = joined_cell(t.s, parts, index_of(t.s->type, e));
    return t;
}

struct made random_moves(struct maker *m, struct made x)
{
    static struct made (*const moves[])(struct maker *, struct made) = {
        permute, squeeze, unsqueeze, slice, slice, merge,
        merge,   unmerge, unmerge,   rope,  rope,  join};
    for (uint64_t n = roll(9); n > 0; n--) {
        struct made next = moves[roll(sizeof moves / sizeof moves[0])](m, x);
        if (elements(next.s->type) <= most(m))
            x = next;
    }
    return x;
}

struct made random_term(struct maker *m)
{
    return random_moves(m, source(m, random_type(m)));
}
