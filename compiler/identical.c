/* SPDX-License-Identifier: MIT
 *
 * identical.c - outputs are sorted by what they hold, so that equal ones are
 * neighbours.
 */
#include "identical.h"

#include <inttypes.h>
#include <stdlib.h>

#include "indexset.h"

#define SETS_SHOWN 3
#define NAMES_SHOWN 3

/* An output with bytes of its own. */
struct holder {
    const struct output *o;
    const uint64_t *pieces;
    size_t piece_count;
};

/* Neighbours among the holders that hold the same. */
struct same_set {
    const struct holder *p;
    size_t n;
    uint64_t saved;
};

static int by_bytes(const struct holder *a, const struct holder *b)
{
    int c = (a->o->size > b->o->size) - (a->o->size < b->o->size);
    if (c == 0)
        c = (a->o->group > b->o->group) - (a->o->group < b->o->group);
    if (c == 0)
        c = (int)a->o->dtype - (int)b->o->dtype;
    if (c == 0)
        c = memcmp(a->pieces, b->pieces, a->piece_count * sizeof *a->pieces);
    return c;
}

static int compare_holders(const void *x, const void *y)
{
    const struct holder *a = x, *b = y;
    int c = by_bytes(a, b);
    return c != 0 ? c : (a->o > b->o) - (a->o < b->o);
}

/* Those that save most first. */
static int compare_sets(const void *x, const void *y)
{
    const struct same_set *a = x, *b = y;
    int c = (a->saved < b->saved) - (a->saved > b->saved);
    return c != 0 ? c : (a->p->o > b->p->o) - (a->p->o < b->p->o);
}

static size_t list_holders(const struct model *m, const struct emitted *blob,
                           struct holder *out)
{
    size_t n = 0;
    for (size_t i = 0; i < m->output_count; i++) {
        const struct output *o = &m->outputs[i];
        if (o->step == NULL || o->absent || o->missing || o->size == 0)
            continue;
        out[n++] = (struct holder){
            o, blob->pieces + blob->first_piece[i],
            (size_t)((o->size + TTSB_PIECE_SIZE - 1) / TTSB_PIECE_SIZE)};
    }
    return n;
}

static size_t list_sets(const struct holder *p, size_t n, struct same_set *out)
{
    size_t count = 0, end;
    for (size_t i = 0; i < n; i = end) {
        for (end = i + 1; end < n && by_bytes(&p[i], &p[end]) == 0 &&
                          type_eq(p[i].o->type, p[end].o->type);)
            end++;
        if (end - i > 1)
            out[count++] =
                (struct same_set){p + i, end - i, (end - i - 1) * p[i].o->size};
    }
    return count;
}

static void say_set(struct arena *a, struct diag *d, struct diag_item *item,
                    const struct same_set *set)
{
    struct str *names = arena_new(a, struct str, set->n), all = {0};
    struct name_set *folded;
    size_t n;
    for (size_t i = 0; i < set->n; i++)
        names[i] = set->p[i].o->name;
    n = indexset_fold_names(a, names, set->n, &folded);
    for (size_t i = 0; i < n && i < NAMES_SHOWN; i++)
        all = arena_format(a, "%.*s%s`%.*s`", STR_ARG(all), i > 0 ? ", " : "",
                           STR_ARG(folded[i].text));
    diag_note(d, item, "%zu outputs of %" PRIu64 " bytes: %.*s%s", set->n,
              set->p->o->size, STR_ARG(all), n > NAMES_SHOWN ? ", ..." : "");
}

void identical_note(struct arena *a, struct diag *d, const struct model *m,
                    const struct emitted *blob)
{
    struct holder *p = arena_new(a, struct holder, m->output_count);
    struct same_set *sets = arena_new(a, struct same_set, m->output_count);
    size_t n = list_holders(m, blob, p), count, outputs = 0;
    struct diag_item *item;
    uint64_t saved = 0;
    if (n > 0)
        qsort(p, n, sizeof *p, compare_holders);
    count = list_sets(p, n, sets);
    for (size_t i = 0; i < count; i++) {
        saved += sets[i].saved;
        outputs += sets[i].n - 1;
    }
    if (saved < TTSB_GROUP_ALIGN)
        return;
    qsort(sets, count, sizeof *sets, compare_sets);
    item = diag_add(d, "N0703", diag_at(sets[0].p[1].o->where.at),
                    "%zu output%s hold%s the bytes of another one", outputs,
                    outputs == 1 ? "" : "s", outputs == 1 ? "s" : "");
    for (size_t i = 0; i < count && i < SETS_SHOWN; i++)
        say_set(a, d, item, &sets[i]);
    if (count > SETS_SHOWN)
        diag_note(d, item, "and %zu more sets", count - SETS_SHOWN);
    diag_help(d, item, "`alias(...)` would save %" PRIu64 " bytes", saved);
}
