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

/* One call of `say` for each family that has rows of that kind. */
static void by_family(struct finder *f, bool (*is)(const struct stats_row *),
                      void (*say)(struct finder *, struct row_list))
{
    const uint32_t *order = finder_order(f, false);
    struct row_list rows = finder_list(f);
    for (size_t i = 0; i < f->s->n; i++) {
        uint32_t family = f->kin[order[i]].family;
        if (is(&f->s->rows[order[i]]))
            rows.p[rows.n++] = order[i];
        if (i + 1 < f->s->n && f->kin[order[i + 1]].family == family)
            continue;
        if (rows.n > 0)
            say(f, rows);
        rows.n = 0;
    }
}

static bool is_broken(const struct stats_row *r)
{
    return r->has_values && !r->is_alias && r->tally.nan + r->tally.inf > 0;
}

static void say_broken(struct finder *f, struct row_list rows)
{
    uint64_t nan = 0, inf = 0, all = 0;
    struct text line = {0}, notes = {0};
    for (size_t i = 0; i < rows.n; i++) {
        const struct tally *t = &f->s->rows[rows.p[i]].tally;
        nan += t->nan;
        inf += t->inf;
        all += t->count;
    }
    finder_names(f, &line, rows);
    text_format(&line,
                ": %" PRIu64 " NaN and %" PRIu64 " Inf of %" PRIu64 " elements",
                nan, inf, all);
    finder_add(f, "W0612", rows, &line, &notes);
}

void suspicion_broken(struct finder *f)
{
    by_family(f, is_broken, say_broken);
}

/* Both halves of a pair have the flag; the magnitude speaks for both. */
static bool is_untrained_g(const struct stats_row *r)
{
    return r->untrained_norm && !str_ends(r->name, ".weight_v") &&
           !str_ends(r->name, ".original1");
}

static void say_norm(struct finder *f, struct row_list rows)
{
    struct text line = {0}, notes = {0};
    finder_names(f, &line, rows);
    if (rows.n == 1)
        text_c(&line, " is the norm of its v at every index");
    else
        text_format(&line,
                    " are the norms of their v at every index: %zu weight "
                    "norms",
                    rows.n);
    text_c(&notes, "so it is when a weight norm is made, for a fresh weight or "
                   "for one that was fused before; training parts g and ||v||");
    finder_add(f, "W0615", rows, &line, &notes);
}

void suspicion_norm(struct finder *f)
{
    by_family(f, is_untrained_g, say_norm);
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
    struct arena shared = {0};
    struct finder f;
    finder_init(&f, &shared, s);
    f.out = a;
    for (size_t i = 0; i < sizeof searches / sizeof *searches; i++) {
        struct arena scratch = {0};
        f.a = &scratch;
        if (!is_allowed(searches[i].id, allowed, count))
            searches[i].find(&f);
        arena_release(&scratch);
    }
    arena_release(&shared);
    return f.found;
}
