/* SPDX-License-Identifier: MIT
 *
 * suspicion_family.c - siblings, layers, and the list of what was found.
 *
 * In: the rows' names. Out: for each row the number of its family and of its
 * layer. Invariant: numbers are given in file order, so that a search that
 * walks them finds the same things in the same order.
 */
#include "suspicion.h"

#include <math.h>

#include "indexset.h"
#include "nametab.h"

/* Stands for a number; no UTF-8 text has this byte. */
#define MARK "\xff"

/* The name with its plain numbers as MARK; *last is the end of the last one,
 * 0 if there is none. */
static struct str pattern_of(struct arena *a, struct str name, size_t *last)
{
    struct text t = {0};
    struct str out;
    *last = 0;
    for (size_t i = 0, j; i <= name.n; i = j + 1) {
        uint64_t index;
        struct str part;
        for (j = i; j < name.n && name.p[j] != '.';)
            j++;
        part = str_cut(name, i, j);
        text_c(&t, i > 0 ? "." : "");
        if (str_is_index(part, &index)) {
            text_c(&t, MARK);
            *last = j;
        } else {
            text_str(&t, part);
        }
    }
    out = arena_str(a, text_view(&t));
    text_release(&t);
    return out;
}

/* The number of a key, a new one if it is new. */
static uint32_t number_of(struct arena *a, struct nametab *t, struct str key)
{
    uint32_t number = (uint32_t)t->count;
    nametab_add(a, t, key, &number);
    return number;
}

void finder_init(struct finder *f, struct arena *a, const struct stats *s)
{
    struct arena names = {0};
    struct nametab families = {0}, layers = {0};
    *f = (struct finder){.s = s};
    f->kin = arena_new(a, struct kin, s->n);
    nametab_reserve(&names, &families, s->n);
    nametab_reserve(&names, &layers, s->n);
    for (size_t i = 0; i < s->n; i++) {
        struct kin *k = &f->kin[i];
        struct str name = s->rows[i].name;
        size_t last;
        k->family =
            number_of(&names, &families, pattern_of(&names, name, &last));
        k->layer = number_of(&names, &layers, str_cut(name, 0, last));
        k->numbered = last > 0;
    }
    f->families = (uint32_t)families.count;
    f->layers = (uint32_t)layers.count;
    f->in_family = arena_new(a, uint32_t, f->families);
    for (size_t i = 0; i < s->n; i++)
        f->in_family[f->kin[i].family]++;
    arena_release(&names);
}

uint32_t *finder_order(struct finder *f, bool by_layer)
{
    size_t groups = by_layer ? f->layers : f->families;
    uint32_t *order = arena_new(f->a, uint32_t, f->s->n);
    size_t *from = arena_new(f->a, size_t, groups + 1);
    for (size_t i = 0; i < f->s->n; i++)
        from[1 + (by_layer ? f->kin[i].layer : f->kin[i].family)]++;
    for (size_t g = 0; g < groups; g++)
        from[g + 1] += from[g];
    for (size_t i = 0; i < f->s->n; i++)
        order[from[by_layer ? f->kin[i].layer : f->kin[i].family]++] =
            (uint32_t)i;
    return order;
}

struct row_list finder_list(struct finder *f)
{
    return (struct row_list){arena_new(f->a, uint32_t, f->s->n), 0};
}

bool finder_judges(const struct finder *f, uint32_t row)
{
    const struct stats_row *r = &f->s->rows[row];
    bool floating = r->dtype == TTSB_F16 || r->dtype == TTSB_BF16 ||
                    r->dtype == TTSB_F32 || r->dtype == TTSB_F64;
    return floating && r->has_values && !r->is_alias && r->tally.counted &&
           r->tally.count > 0 && r->tally.finite == r->tally.count;
}

static struct str taken(struct arena *a, struct text *t)
{
    struct str s = arena_str(a, text_view(t));
    text_release(t);
    return s;
}

void finder_add(struct finder *f, const char *id, struct row_list rows,
                struct text *line, struct text *notes)
{
    struct suspicions *list = &f->found;
    struct suspicion *s;
    if (list->n == f->capacity)
        list->p =
            arena_grow(f->out, list->p, sizeof *list->p, list->n, &f->capacity);
    s = &list->p[list->n++];
    *s = (struct suspicion){.id = id, .n = rows.n};
    s->rows = arena_new(f->out, uint32_t, rows.n);
    memcpy(s->rows, rows.p, rows.n * sizeof *rows.p);
    s->text = taken(f->out, line);
    s->notes = taken(f->out, notes);
}

/* A line of a text or of notes is never a name's: diag shows other control
 * characters as `?`, and so is the end of a line here. */
static void put_name(struct text *t, struct str name)
{
    size_t from = 0;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == '\n') {
            text_str(t, str_cut(name, from, i));
            text_c(t, "?");
            from = i + 1;
        }
    text_str(t, str_cut(name, from, name.n));
}

void finder_names(struct finder *f, struct text *t, struct row_list rows)
{
    struct str *names = arena_new(f->a, struct str, rows.n);
    struct name_set *sets;
    size_t n;
    for (size_t i = 0; i < rows.n; i++)
        names[i] = f->s->rows[rows.p[i]].name;
    n = indexset_fold_names(f->a, names, rows.n, &sets);
    for (size_t i = 0; i < n; i++) {
        text_c(t, i > 0 ? ", `" : "`");
        put_name(t, sets[i].text);
        text_c(t, "`");
    }
}

double tally_skewness(const struct tally *t)
{
    double n = (double)t->finite;
    return t->m2 > 0 ? t->m3 / n / pow(t->m2 / n, 1.5) : 0;
}
