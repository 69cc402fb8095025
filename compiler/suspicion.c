/* SPDX-License-Identifier: MIT
 *
 * suspicion.c - the searches in turn, and the simple ones.
 *
 * In: rows with tallies, ids that are allowed. Out: suspicions by id, within
 * one in file order. Invariant: what an allowed id stands for is not looked
 * for; a suspicion is no error and changes nothing.
 */
#include "suspicion.h"

#include <inttypes.h>
#include <math.h>

bool suspicion_classic(const struct tally *t)
{
    return t->finite > 1 && fabs(tally_std(t) - 0.02) < 0.005 &&
           fabs(t->mean) < 0.001;
}

void suspicion_broken(struct finder *f)
{
    for (uint32_t row = 0; row < f->s->n; row++) {
        const struct stats_row *r = &f->s->rows[row];
        const struct tally *t = &r->tally;
        struct text line = {0}, notes = {0};
        if (!r->has_values || r->is_alias || t->nan + t->inf == 0)
            continue;
        finder_names(f, &line, (struct row_list){&row, 1});
        text_format(&line,
                    ": %" PRIu64 " NaN and %" PRIu64 " Inf of %" PRIu64
                    " elements",
                    t->nan, t->inf, t->count);
        finder_add(f, "W0612", (struct row_list){&row, 1}, &line, &notes);
    }
}

void suspicion_norm(struct finder *f)
{
    const uint32_t *order = finder_order(f, false);
    struct row_list rows = finder_list(f);
    for (size_t i = 0; i < f->s->n; i++) {
        uint32_t family = f->kin[order[i]].family;
        struct text line = {0}, notes = {0};
        if (f->s->rows[order[i]].untrained_norm)
            rows.p[rows.n++] = order[i];
        if (i + 1 < f->s->n && f->kin[order[i + 1]].family == family)
            continue;
        if (rows.n > 0) {
            finder_names(f, &line, rows);
            text_format(&line,
                        ": in %zu weight norm%s g is exactly the norm "
                        "of v",
                        rows.n, rows.n == 1 ? "" : "s");
            text_c(&notes, "so it is set when the norm is made; training "
                           "moves g and v apart");
            finder_add(f, "W0615", rows, &line, &notes);
        }
        rows.n = 0;
    }
}

static bool is_allowed(const char *id, const char *const *allowed, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(allowed[i], id) == 0)
            return true;
    return false;
}

struct suspicions suspicions_find(struct arena *a, const struct stats *s,
                                  const char *const *allowed, int count)
{
    static const struct {
        const char *id;
        void (*find)(struct finder *);
    } searches[] = {
        {"W0610", suspicion_fresh},  {"W0611", suspicion_flat},
        {"W0612", suspicion_broken}, {"W0613", suspicion_equal},
        {"W0614", suspicion_apart},  {"W0615", suspicion_norm},
    };
    struct finder f;
    finder_init(&f, a, s);
    for (size_t i = 0; i < sizeof searches / sizeof *searches; i++)
        if (!is_allowed(searches[i].id, allowed, count))
            searches[i].find(&f);
    return f.found;
}
