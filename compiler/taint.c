/* SPDX-License-Identifier: MIT
 *
 * taint.c - walks down the steps with the indices of one element.
 */
#include "taint.h"

#include <math.h>

#include "kernels.h"
#include "plan.h"

struct place {
    uint64_t at[TTSB_MAX_RANK];
};

static bool walk(const struct checkpoint *c, const struct step *s,
                 const struct place *p);

static bool read_leaf(const struct checkpoint *c, const struct leaf *leaf,
                      const struct place *p)
{
    size_t size = spec_dtype_bits(leaf->dtype) / 8;
    uint64_t element = 0;
    uint8_t raw[8];
    double x = 0;
    if (!leaf->allow_nonfinite)
        return false;
    for (uint32_t i = 0; i < leaf->type.rank; i++)
        element += p->at[i] * type_stride(leaf->type, i);
    if (checkpoint_read(c, leaf->source, element * size, raw, size) != 0)
        return true;
    return kernel_load_f64(leaf->dtype, raw, 1, &x) && !isfinite(x);
}

/* Where a row of a head was before it was turned. */
static uint64_t rope_source(const struct step *s, uint64_t at)
{
    uint64_t rows = s->type.axes[s->axis].size / s->heads, turn = s->keep;
    uint64_t head = at / rows, row = at % rows;
    if (row >= turn)
        return at;
    if (s->op == OP_ROPE_HALF)
        row = row < turn / 2 ? 2 * row : 2 * (row - turn / 2) + 1;
    else
        row = row / 2 + row % 2 * (turn / 2);
    return head * rows + row;
}

/* One axis from several, and back. */
static void merge(const struct step *s, const struct place *p,
                  struct place *out)
{
    uint32_t k = s->arg->type.rank - s->type.rank + 1, n = 0;
    uint64_t rest = p->at[s->axis];
    for (uint32_t i = 0; i < s->type.rank; i++) {
        out->at[n] = p->at[i];
        n += i == s->axis ? k : 1;
    }
    for (uint32_t i = s->axis + k; i-- > s->axis;) {
        out->at[i] = rest % s->arg->type.axes[i].size;
        rest /= s->arg->type.axes[i].size;
    }
}

static void unmerge(const struct step *s, const struct place *p,
                    struct place *out)
{
    uint32_t k = s->type.rank - s->arg->type.rank + 1, n = 0;
    uint64_t at = 0;
    for (uint32_t i = s->axis; i < s->axis + k; i++)
        at = at * s->type.axes[i].size + p->at[i];
    for (uint32_t i = 0; i < s->arg->type.rank; i++) {
        out->at[i] = i == s->axis ? at : p->at[n];
        n += i == s->axis ? k : 1;
    }
}

static struct place before(const struct step *s, const struct place *p)
{
    struct place out = *p;
    uint32_t n = 0;
    switch (s->op) {
    case OP_PERMUTE:
        for (uint32_t i = 0; i < s->type.rank; i++)
            out.at[s->order[i]] = p->at[i];
        break;
    case OP_SQUEEZE:
        for (uint32_t i = 0; i < s->arg->type.rank; i++)
            out.at[i] = (s->removed >> i & 1) != 0 ? 0 : p->at[n++];
        break;
    case OP_UNSQUEEZE:
        for (uint32_t i = 0; i < s->type.rank; i++)
            if (i != s->axis)
                out.at[n++] = p->at[i];
        break;
    case OP_SLICE:
        out.at[s->axis] += s->lo;
        break;
    case OP_MERGE:
        merge(s, p, &out);
        break;
    case OP_UNMERGE:
        unmerge(s, p, &out);
        break;
    case OP_ROPE_HALF:
    case OP_ROPE_INTERLEAVE:
        out.at[s->axis] = rope_source(s, p->at[s->axis]);
        break;
    default:
        break;
    }
    return out;
}

static bool walk_parts(const struct checkpoint *c, const struct step *s,
                       const struct place *p)
{
    struct place q = *p;
    uint64_t *at = &q.at[s->axis];
    size_t k = 0;
    if (s->op == OP_STACK) {
        k = (size_t)p->at[0];
        memmove(&q.at[0], &p->at[1], (s->type.rank - 1) * sizeof q.at[0]);
    } else if (s->op == OP_INTERLEAVE) {
        k = (size_t)(*at % s->part_count);
        *at /= s->part_count;
    } else {
        while (*at >= s->parts[k]->type.axes[s->axis].size)
            *at -= s->parts[k++]->type.axes[s->axis].size;
    }
    return walk(c, s->parts[k], &q);
}

static bool walk_node(const struct checkpoint *c, const struct step *s,
                      const struct place *p)
{
    struct place q = *p;
    bool is = false;
    if (s->op == OP_L2_NORMALIZE) {
        uint64_t size = s->type.axes[s->axis].size;
        for (q.at[s->axis] = 0; q.at[s->axis] < size && !is; q.at[s->axis]++)
            is = walk(c, s->arg, &q);
        return is;
    }
    if (walk(c, s->arg, p))
        return true;
    if (s->axis != AXIS_NONE)
        q.at[0] = p->at[s->axis];
    return walk(c, s->other, &q);
}

static bool walk(const struct checkpoint *c, const struct step *s,
                 const struct place *p)
{
    struct place q;
    if (s->op == OP_LEAF)
        return read_leaf(c, s->leaf, p);
    if (s->op == OP_WEIGHT_NORM || s->op == OP_SPECTRAL_NORM ||
        s->op == OP_ZEROS)
        return false; /* made of stems: nothing is allowed there */
    if (s->part_count > 0)
        return walk_parts(c, s, p);
    if (plan_is_node(s))
        return walk_node(c, s, p);
    q = before(s, p);
    return walk(c, s->arg, &q);
}

bool taint_possible(const struct step *s)
{
    bool is = s->op == OP_LEAF && s->leaf->allow_nonfinite;
    for (size_t i = 0; i < s->part_count && !is; i++)
        is = taint_possible(s->parts[i]);
    if (is || s->arg == NULL)
        return is;
    return taint_possible(s->arg) ||
           (s->part_count == 0 && plan_is_node(s) && s->op != OP_L2_NORMALIZE &&
            taint_possible(s->other));
}

bool taint_at(const struct checkpoint *c, const struct step *s,
              uint64_t element)
{
    struct place p = {{0}};
    for (uint32_t i = s->type.rank; i-- > 0;) {
        p.at[i] = element % s->type.axes[i].size;
        element /= s->type.axes[i].size;
    }
    return walk(c, s, &p);
}
