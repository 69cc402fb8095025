/* SPDX-License-Identifier: MIT
 *
 * precision.c - three comparisons for each value, without branches.
 *
 * Of normal numbers f16 keeps 11 bits; below 2^-14 it keeps fewer. In matrices
 * of a usual size few values are so small, and their errors drown. Where many
 * are, the tensor itself is of that size: a layer scale, a small bias. What is
 * small and one of f16's values, a power of two perhaps, loses nothing.
 */
#include "precision.h"

#include <inttypes.h>
#include <math.h>

#include "plan.h"

#define SMALL_F32 0x38000000u /* 2^-15 */
#define ZERO_F32 0x33000000u  /* 2^-25: up to here the result is 0 */
#define ONE_IN 100

/* Whether |x| is a multiple of 2^-24, as the small ones of f16 are; of 1 and
 * more it says nothing. */
static inline bool is_multiple(float x)
{
    float y = fabsf(x);
    y = (y < 1 ? y : 1) * 0x1p24F; /* exact; 1 for NaN */
    return (float)(int32_t)y == y;
}

static void see(void *context, uint32_t tensor, uint64_t at, const void *bytes,
                size_t n)
{
    struct precision *p = context;
    const uint8_t *b = bytes;
    uint64_t small = 0, zero = 0;
    (void)at;
    if (p->p == NULL || p->c->tensors[tensor].dtype != TTSB_F32)
        return;
    for (size_t i = 0; i + 4 <= n; i += 4) {
        uint32_t x;
        float value;
        memcpy(&x, b + i, sizeof x);
        memcpy(&value, b + i, sizeof value);
        x = (x & 0x7fffffffu) - 1; /* 0 becomes the largest */
        small += (x < SMALL_F32 - 1) & !is_multiple(value);
        zero += x < ZERO_F32;
    }
    p->p[tensor].small += small;
    p->p[tensor].zero += zero;
}

struct precision precision_of(struct arena *a, const struct model *m,
                              const struct checkpoint *c)
{
    struct precision p = {m, c, NULL};
    bool any = false;
    for (size_t i = 0; i < m->output_count; i++)
        any = any || m->outputs[i].dtype == TTSB_F16;
    if (any)
        p.p = arena_new(a, struct small_values, c->count);
    return p;
}

struct watch precision_watch(struct precision *p)
{
    return (struct watch){.source = see, .context = p};
}

/* Whether an output holds elements of a leaf that are only cast. */
static bool holds(const struct output *o, const struct leaf *leaf)
{
    struct arena scratch = {0};
    struct regions v;
    bool is = false;
    if (o->dtype != TTSB_F16 || o->step == NULL || o->missing || o->absent)
        return false;
    v = plan_value(&scratch, o->step);
    for (size_t i = 0; i < v.n && !is; i++)
        is = v.p[i].leaf == leaf && v.p[i].g == NULL && v.p[i].math == NULL &&
             v.p[i].node == NULL;
    arena_release(&scratch);
    return is;
}

void precision_note(struct diag *d, const struct precision *p)
{
    const struct model *m = p->m;
    for (size_t i = 0; p->p != NULL && i < m->leaf_count; i++) {
        const struct leaf *leaf = m->leaves[i];
        const struct output *o = &m->outputs[leaf->output];
        const struct small_values *n;
        struct diag_item *item;
        uint64_t all;
        if (leaf->dropped || leaf->source == NO_SOURCE ||
            leaf->first_use != leaf || !type_elements(leaf->type, &all))
            continue;
        n = &p->p[leaf->source];
        if (n->small == 0 || n->small < all / ONE_IN || !holds(o, leaf))
            continue;
        item = diag_add(d, "N0704", leaf->where,
                        "`%.*s` loses precision in f16, as `%.*s`",
                        STR_ARG(leaf->name), STR_ARG(o->name));
        diag_note(d, item,
                  "values below 2^-15 that are no multiples of 2^-24, as "
                  "those of f16 are: %" PRIu64 " of %" PRIu64
                  "; held as 0: %" PRIu64,
                  n->small, all, n->zero);
        diag_help(d, item, "`as f32`, or `store:` of its block");
    }
}
