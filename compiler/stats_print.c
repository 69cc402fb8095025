/* SPDX-License-Identifier: MIT
 *
 * stats_print.c - the table and its histograms.
 */
#include "stats_print.h"

#include <inttypes.h>
#include <math.h>

#include "meta.h"
#include "screen.h"
#include "spec.h"

#define OCTAVES (TALLY_BINS / 2)
#define LEAST_OCTAVE (-25)

/* --- sums --- */

struct stats_sum stats_sum_of(const struct stats *s, const struct str *group)
{
    struct stats_sum sum = {0};
    for (size_t i = 0; i < s->n; i++) {
        const struct stats_row *r = &s->rows[i];
        if (group != NULL && !str_eq(*group, r->group))
            continue;
        sum.aliases += r->is_alias;
        sum.empty += !r->has_values;
        if (r->is_alias || !r->has_values)
            continue;
        sum.tensors++;
        sum.elements += r->tally.count;
        sum.bytes += r->size;
        sum.zeros += r->tally.zeros;
        sum.nan += r->tally.nan;
        sum.inf += r->tally.inf;
        sum.denormal += r->tally.denormal;
        sum.classic += suspicion_classic(&r->tally);
    }
    return sum;
}

/* Groups are runs of rows, so that looking one back decides nearly always. */
bool stats_begins_group(const struct stats *s, size_t i)
{
    for (size_t k = i; k-- > 0;)
        if (str_eq(s->rows[k].group, s->rows[i].group))
            return false;
    return true;
}

void stats_put_size(struct text *t, uint64_t bytes)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    double x = (double)bytes;
    int unit = -1;
    while (x >= 999.5 && unit < 5) {
        x /= 1000;
        unit++;
    }
    if (unit < 0)
        text_format(t, "%" PRIu64 " B", bytes);
    else
        text_format(t, "%.*f %s",
                    x < 9.995   ? 2
                    : x < 99.95 ? 1
                                : 0,
                    x, units[unit]);
}

/* --- a row --- */

/* Control characters do not reach a terminal. */
static void put_name(struct text *t, struct str name)
{
    struct text plain = {0};
    meta_string(&plain, name);
    for (size_t i = 0; i < plain.n; i++) {
        size_t n = screen_control(plain.p + i, plain.n - i);
        text_str(t, n > 0 ? str_c("?") : (struct str){plain.p + i, 1});
        i += n > 0 ? n - 1 : 0;
    }
    text_release(&plain);
}

static void put_figures(struct text *t, const struct stats_row *r)
{
    const struct tally *y = &r->tally;
    double figures[] = {y->mean, tally_std(y), y->min, y->max, tally_absmax(y)};
    uint64_t counts[] = {y->zeros, y->nan, y->inf, y->denormal};
    bool counted = r->has_values && y->counted;
    for (size_t i = 0; i < 5; i++)
        if (counted && y->finite > 0)
            text_format(t, " %11.4g", figures[i]);
        else
            text_format(t, " %11s", "-");
    for (size_t i = 0; i < 4; i++)
        if (counted)
            text_format(t, " %7" PRIu64, counts[i]);
        else
            text_format(t, " %7s", "-");
}

static void put_row(struct text *t, const struct stats_row *r)
{
    struct text shape = {0};
    text_sizes(&shape, r->dims, r->rank);
    text_format(t, "%-7s %-18s", spec_dtype_name(r->dtype), shape.p);
    put_figures(t, r);
    text_c(t, "  ");
    put_name(t, r->name);
    if (r->has_values && suspicion_classic(&r->tally))
        text_c(t, "  N0701");
    if (r->is_alias)
        text_c(t, "  (alias)");
    if (!r->has_values)
        text_c(t, "  (no values)");
    text_c(t, "\n");
    text_release(&shape);
}

/* --- histograms --- */

/* Of one sign: the octaves from the least to the largest that is not empty. */
struct side {
    int sign; /* 1 or -1 */
    int first, last;
};

static uint64_t count_at(const struct tally *y, int sign, int octave)
{
    return y->bins[sign > 0 ? TALLY_ZERO_SIDE + octave
                            : TALLY_ZERO_SIDE - 1 - octave];
}

static struct side side_of(const struct tally *y, int sign)
{
    struct side s = {sign, OCTAVES, -1};
    for (int k = 0; k < OCTAVES; k++)
        if (count_at(y, sign, k) > 0) {
            s.first = k < s.first ? k : s.first;
            s.last = k;
        }
    return s;
}

/* The bound of an octave; the outermost octaves have none. */
static void put_bound(struct text *t, int sign, int octave)
{
    const char *minus = sign < 0 ? "-" : "";
    if (octave == 0)
        text_c(t, "0");
    else if (octave == OCTAVES)
        text_format(t, "%sinf", minus);
    else
        text_format(t, "%s2^%d", minus, octave + LEAST_OCTAVE);
}

static void put_bar(struct text *t, uint64_t count, uint64_t most)
{
    static const char *const bars[] = {" ", "▁", "▂", "▃", "▄",
                                       "▅", "▆", "▇", "█"};
    double part = (double)count / (double)most;
    text_c(t, bars[(int)ceil(part * 8)]);
}

static void put_side(struct text *t, const struct tally *y, struct side s,
                     uint64_t most)
{
    bool up = s.sign > 0;
    put_bound(t, s.sign, up ? s.first : s.last + 1);
    text_c(t, " ");
    for (int i = 0; i <= s.last - s.first; i++)
        put_bar(t, count_at(y, s.sign, up ? s.first + i : s.last - i), most);
    text_c(t, " ");
    put_bound(t, s.sign, up ? s.last + 1 : s.first);
}

/* "-2^-3 ... -2^-9 | 2^-9 ... 2^-3", a bar for each octave. */
static void put_histogram(struct text *t, const struct stats_row *r)
{
    struct side below = side_of(&r->tally, -1), above = side_of(&r->tally, 1);
    uint64_t most = 0;
    for (int i = 0; i < TALLY_BINS; i++)
        most = r->tally.bins[i] > most ? r->tally.bins[i] : most;
    if (most == 0 || !r->has_values)
        return;
    text_c(t, "        ");
    if (below.last >= 0)
        put_side(t, &r->tally, below, most);
    text_c(t, below.last >= 0 ? " |" : "|");
    text_c(t, above.last >= 0 ? " " : "");
    if (above.last >= 0)
        put_side(t, &r->tally, above, most);
    text_c(t, "\n");
}

/* --- sums in words --- */

static void put_sum(struct text *t, const struct stats_sum *sum)
{
    text_format(t, "%" PRIu64 " tensor%s, ", sum->tensors,
                sum->tensors == 1 ? "" : "s");
    stats_put_size(t, sum->bytes);
    text_format(t,
                ", %" PRIu64 " elements, %" PRIu64 " zero, %" PRIu64
                " NaN, %" PRIu64 " Inf, %" PRIu64 " denormal",
                sum->elements, sum->zeros, sum->nan, sum->inf, sum->denormal);
    if (sum->classic > 0)
        text_format(t, "; %" PRIu64 " like N0701", sum->classic);
    if (sum->aliases > 0)
        text_format(t, "; %" PRIu64 " alias%s", sum->aliases,
                    sum->aliases == 1 ? "" : "es");
    if (sum->empty > 0)
        text_format(t, "; %" PRIu64 " without values", sum->empty);
    text_c(t, "\n");
}

void stats_put_total(struct text *t, const struct stats *s)
{
    struct stats_sum sum = stats_sum_of(s, NULL);
    text_c(t, "Total weights: ");
    put_sum(t, &sum);
    if (sum.classic > 0)
        text_format(t,
                    "N0701: %" PRIu64
                    " with a standard deviation within 0.005 of 0.02 and a "
                    "mean below 0.001,\n       as after many an "
                    "initialisation; trained weights have that too\n",
                    sum.classic);
}

static bool has_several_groups(const struct stats *s)
{
    for (size_t i = 1; i < s->n; i++)
        if (!str_eq(s->rows[i].group, s->rows[0].group))
            return true;
    return false;
}

static void put_groups(struct text *t, const struct stats *s)
{
    for (size_t i = 0; i < s->n; i++) {
        struct stats_sum sum;
        if (!stats_begins_group(s, i))
            continue;
        sum = stats_sum_of(s, &s->rows[i].group);
        text_c(t, "group ");
        put_name(t, s->rows[i].group);
        text_c(t, ": ");
        put_sum(t, &sum);
    }
}

void stats_put_sums(struct text *t, const char *what, const struct stats *s)
{
    struct stats_sum sum = stats_sum_of(s, NULL);
    text_format(t, "%s: ", what);
    put_sum(t, &sum);
    if (has_several_groups(s))
        put_groups(t, s);
}

void stats_put_table(struct text *t, const struct stats *s, bool hist)
{
    text_format(t, "%-7s %-18s %11s %11s %11s %11s %11s %7s %7s %7s %7s  %s\n",
                "dtype", "shape", "mean", "std", "min", "max", "absmax",
                "zeros", "nan", "inf", "denorm", "name");
    for (size_t i = 0; i < s->n; i++) {
        put_row(t, &s->rows[i]);
        if (hist)
            put_histogram(t, &s->rows[i]);
    }
    if (has_several_groups(s))
        put_groups(t, s);
    stats_put_total(t, s);
}

/* --- findings --- */

void stats_warn(struct diag *d, const struct stats *s,
                const struct suspicions *found)
{
    for (size_t i = 0; i < found->n; i++) {
        const struct suspicion *x = &found->p[i];
        struct str file = s->rows[x->rows[0]].file;
        struct diag_item *item =
            diag_add_file(d, x->id, file.n > 0 ? file : s->path, DIAG_NO_OFFSET,
                          "%.*s", STR_ARG(x->text));
        for (size_t at = 0; at < x->notes.n;) {
            size_t end = at;
            while (end < x->notes.n && x->notes.p[end] != '\n')
                end++;
            diag_note(d, item, "%.*s", STR_ARG(str_cut(x->notes, at, end)));
            at = end + 1;
        }
    }
}
