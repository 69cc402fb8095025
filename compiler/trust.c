/* SPDX-License-Identifier: MIT
 *
 * trust.c - looks for what only a person, or a probe, can know.
 */
#include "trust.h"

#include "indexset.h"

static const struct trust titles[TRUST_KINDS] = {
    [TRUST_SQUARE] = {"square matrices",
                      "their axes are told apart by names only", NULL, 0},
    [TRUST_PARTS] = {"targets joined of equal parts",
                     "the order of the parts is as written", NULL, 0},
    [TRUST_RANGES] = {"pieces of equal size", "which is which is as written",
                      NULL, 0},
    [TRUST_CUT] = {"targets cut off from what is dropped",
                   "where the cut lies is as written", NULL, 0},
    [TRUST_HEADS] = {"rotary orders", "their heads and dims are as written",
                     NULL, 0},
    [TRUST_FACTORS] = {"merged or unmerged axes",
                       "the order of the factors is as written", NULL, 0},
    [TRUST_NUMBERS] = {"targets made with a number", "the number is as written",
                       NULL, 0},
};

/* What stands somewhere in a value, by kind. */
struct seen {
    bool of[TRUST_KINDS];
    bool cut; /* a slice */
};

static bool is_square(struct type t)
{
    for (uint32_t i = 0; i < t.rank; i++)
        for (uint32_t k = i + 1; k < t.rank; k++)
            if (t.axes[i].size > 1 && t.axes[i].size == t.axes[k].size)
                return true;
    return false;
}

static bool has_equal_parts(const struct step *s)
{
    for (size_t i = 1; i < s->part_count; i++)
        if (type_eq(s->parts[i - 1]->type, s->parts[i]->type))
            return true;
    return false;
}

static void look_at(const struct step *s, struct seen *seen)
{
    switch (s->op) {
    case OP_LEAF:
    case OP_WEIGHT_NORM:
        seen->of[TRUST_SQUARE] |= is_square(s->type);
        break;
    case OP_CONCAT:
    case OP_STACK:
    case OP_INTERLEAVE:
        seen->of[TRUST_PARTS] |= has_equal_parts(s);
        break;
    case OP_SLICE:
        seen->cut = true;
        break;
    case OP_ROPE_HALF:
    case OP_ROPE_INTERLEAVE:
        seen->of[TRUST_HEADS] = true;
        break;
    case OP_MERGE:
    case OP_UNMERGE:
        seen->of[TRUST_FACTORS] = true;
        break;
    case OP_SCALE:
    case OP_OFFSET:
    case OP_MAX:
    case OP_L2_NORMALIZE:
        seen->of[TRUST_NUMBERS] = true;
        break;
    default:
        break;
    }
}

static void look(const struct step *s, struct seen *seen)
{
    for (; s != NULL; s = s->arg) {
        look_at(s, seen);
        if (s->op == OP_ADD || s->op == OP_SUB || s->op == OP_MUL ||
            s->op == OP_DIV)
            look(s->other, seen);
        for (size_t i = 0; i < s->part_count; i++)
            look(s->parts[i], seen);
    }
}

/* A neighbour is a piece of the same source, and has the same type. */
static bool is_alike(const struct output *o, const struct output *other)
{
    return o->first_leaf == other->first_leaf &&
           o->leaf_count == other->leaf_count && o->leaf_count > 0 &&
           type_eq(o->type, other->type);
}

static bool has_twin(const struct model *m, size_t i)
{
    const struct output *o = &m->outputs[i];
    return (i > 0 && is_alike(o, o - 1)) ||
           (i + 1 < m->output_count && is_alike(o, o + 1));
}

static bool is_beside_dropped(const struct model *m, const struct output *o)
{
    for (size_t i = 0; i < m->trimmed_count; i++)
        for (size_t k = 0; k < m->trimmed[i].split->piece_count; k++)
            if (&m->trimmed[i].split->pieces[k].value == o->value)
                return true;
    return false;
}

void trust_find(struct arena *a, const struct model *m,
                struct trust out[TRUST_KINDS])
{
    for (int k = 0; k < TRUST_KINDS; k++) {
        out[k] = titles[k];
        out[k].targets = arena_new(a, struct str, m->output_count);
    }
    for (size_t i = 0; i < m->output_count; i++) {
        const struct output *o = &m->outputs[i];
        struct seen seen = {0};
        look(o->step, &seen);
        seen.of[TRUST_RANGES] = seen.cut && has_twin(m, i);
        seen.of[TRUST_CUT] = seen.cut && is_beside_dropped(m, o);
        for (int k = 0; k < TRUST_KINDS; k++)
            if (seen.of[k])
                out[k].targets[out[k].n++] = o->name;
    }
}

void trust_say(struct arena *a, struct diag *d, const struct model *m)
{
    struct trust all[TRUST_KINDS];
    trust_find(a, m, all);
    for (int k = 0; k < TRUST_KINDS; k++) {
        struct name_set *sets;
        struct diag_item *item;
        size_t n;
        if (all[k].n == 0)
            continue;
        n = indexset_fold_names(a, all[k].targets, all[k].n, &sets);
        item = diag_add(d, "N0702", diag_at(m->spec->model_at),
                        "no shape can prove %zu %s: %s", all[k].n, all[k].what,
                        all[k].why);
        for (size_t i = 0; i < n; i++)
            diag_note(d, item, "%.*s", STR_ARG(sets[i].text));
    }
}
