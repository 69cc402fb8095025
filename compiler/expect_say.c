/* SPDX-License-Identifier: MIT
 *
 * expect_say.c - what is otherwise, in words.
 *
 * Targets whose names differ in indices alone are said at once, with the
 * figures of the first. What a mismatch of a kind usually is stands in a help;
 * what it is, only where the bytes prove it.
 */
#include "expect.h"

#include <inttypes.h>
#include <math.h>

#include "indexset.h"
#include "suggest.h"

#define SETS_SHOWN 8
#define FEW 4 /* targets of a file, none of which say much together */

/* The expectations of one entry that share a verdict. */
struct said {
    const struct expect *x;
    const struct expect_entry *entry;
    enum verdict verdict;
    const struct expected **p;
    size_t n, judged; /* of the entry, in all */
};

static const struct output *output_of(const struct said *s,
                                      const struct expected *e)
{
    return &s->x->m->outputs[e->output];
}

static struct diag_item *open_item(const struct said *s,
                                   const struct expected *e, struct str names,
                                   const char *what)
{
    return diag_add(s->x->d, s->verdict == VERDICT_MISSING ? "W0604" : "E0604",
                    diag_at(e->at), "`%.*s` %s", STR_ARG(names), what);
}

static struct str element_text(struct arena *a, struct type t, uint64_t index)
{
    uint64_t at[TTSB_MAX_RANK];
    struct text out = {0};
    struct str s;
    for (uint32_t i = t.rank; i-- > 0; index /= t.axes[i].size)
        at[i] = index % t.axes[i].size;
    text_sizes(&out, at, t.rank);
    s = arena_str(a, text_view(&out));
    text_release(&out);
    return s;
}

/* --- verdicts of names and types --- */

/* Names that differ in an index alone are no slip of the pen. */
static bool is_sibling(const struct said *s, struct str a, struct str b)
{
    struct str both[] = {a, b};
    struct name_set *sets;
    return indexset_fold_names(s->x->a, both, 2, &sets) == 1;
}

static void say_unknown(const struct said *s, const struct expected *e,
                        struct diag_item *item)
{
    const struct model *m = s->x->m;
    struct str *names = arena_new(s->x->a, struct str, m->output_count), near;
    for (size_t i = 0; i < m->output_count; i++)
        names[i] = m->outputs[i].name;
    near = suggest_nearest(e->target, names, m->output_count);
    if (near.n > 0 && !is_sibling(s, near, e->target))
        diag_help(s->x->d, item, "did you mean `%.*s`?", STR_ARG(near));
    else
        diag_help(s->x->d, item,
                  "a target is written in full, as the blob has it");
}

static void say_shape(const struct said *s, const struct expected *e,
                      struct diag_item *item)
{
    const struct output *o = output_of(s, e);
    struct text t = {0};
    text_sizes(&t, e->probe != NULL ? e->probe->dims : e->golden->dims,
               e->probe != NULL ? e->probe->rank : e->golden->rank);
    diag_label(s->x->d, item, o->where.at, "%.*s",
               STR_ARG(type_text(s->x->a, o->type)));
    diag_note(s->x->d, item, "expected %.*s", STR_ARG(text_view(&t)));
    text_release(&t);
}

static void say_dtype(const struct said *s, const struct expected *e,
                      struct diag_item *item)
{
    const struct output *o = output_of(s, e);
    diag_label(s->x->d, item, o->where.at, "stored as %s",
               spec_dtype_name(o->dtype));
    if (e->probe != NULL)
        diag_help(s->x->d, item,
                  "probes are of f16, bf16, f32 and f64: expect "
                  "its values");
    else
        diag_note(s->x->d, item, "expected as %s",
                  spec_dtype_name((enum ttsb_dtype)e->golden->dtype));
}

/* --- verdicts of bytes --- */

static void say_values(const struct said *s, const struct expected *e,
                       struct diag_item *item)
{
    const struct output *o = output_of(s, e);
    struct str at = element_text(s->x->a, o->type, e->first);
    uint64_t n;
    type_elements(o->type, &n);
    diag_label(s->x->d, item, o->where.at, "made here");
    diag_note(s->x->d, item,
              "`%.*s`: %" PRIu64 " of %" PRIu64 " values differ, first at %.*s",
              STR_ARG(e->target), e->different, n, STR_ARG(at));
    if (spec_dtype_is_float(o->dtype))
        diag_note(s->x->d, item, "there %.9g is expected, and %.9g found",
                  e->wanted, e->found);
}

/* Whether what was found of `e` is what is expected of `other`. */
static bool is_other(const struct said *s, const struct expected *e,
                     const struct expected *other)
{
    struct probe_tolerance t = {PROBES_RTOL, 0};
    const struct probe *p = other->probe;
    const struct projection *found = &e->projection;
    struct probe_bounds b;
    uint64_t n;
    bool same = other != e && p != NULL && p->count == e->probe->count &&
                p->sumsq > 0 && other->projection.seed == found->seed &&
                p->rank == e->probe->rank &&
                memcmp(p->dims, e->probe->dims, p->rank * sizeof *p->dims) == 0;
    type_elements(output_of(s, e)->type, &n);
    b = probe_bounds(p != NULL ? p->sumsq : 0, n, output_of(s, e)->dtype, t);
    same = same && fabs(projection_sumsq(found) - p->sumsq) <= b.sumsq;
    for (uint32_t k = 0; same && k < p->count; k++)
        same = fabs(projection_sum(found, k) - p->sums[k]) <= b.sum;
    return same;
}

static bool say_other(const struct said *s, const struct expected *e,
                      struct diag_item *item)
{
    for (size_t i = 0; i < s->x->n; i++) {
        const struct expected *other = &s->x->p[i];
        if (!is_other(s, e, other))
            continue;
        diag_note(s->x->d, item,
                  "`%.*s` meets the probes that are expected of `%.*s`",
                  STR_ARG(e->target), STR_ARG(other->target));
        diag_help(s->x->d, item,
                  "are the two exchanged, here or where the probes were "
                  "written?");
        return true;
    }
    return false;
}

/* The probe that is furthest off. */
static uint32_t worst_probe(const struct expected *e, uint32_t *beyond,
                            double bound)
{
    double most = -1;
    uint32_t worst = 0;
    *beyond = 0;
    for (uint32_t k = 0; k < e->probe->count; k++) {
        double off =
            fabs(projection_sum(&e->projection, k) - e->probe->sums[k]);
        *beyond += !(off <= bound);
        if (!(off <= most)) {
            most = off;
            worst = k;
        }
    }
    return worst;
}

static void say_probes(const struct said *s, const struct expected *e,
                       struct diag_item *item)
{
    struct probe_bounds b = expect_bounds(s->x, e);
    struct diag *d = s->x->d;
    double sumsq = projection_sumsq(&e->projection);
    bool same_sumsq = fabs(sumsq - e->probe->sumsq) <= b.sumsq;
    uint32_t beyond, k = worst_probe(e, &beyond, b.sum);
    diag_label(d, item, output_of(s, e)->where.at, "made here");
    diag_note(d, item,
              "`%.*s`: %" PRIu32 " of %" PRIu32 " probes differ; of probe "
              "%" PRIu32 " %.6g is expected, and %.6g found (%.2g allowed)",
              STR_ARG(e->target), beyond, e->probe->count, k, e->probe->sums[k],
              projection_sum(&e->projection, k), b.sum);
    if (same_sumsq)
        diag_note(d, item, "its sum of squares is as expected, %.6g", sumsq);
    else
        diag_note(d, item, "its sum of squares is %.6g, and %.6g is expected",
                  sumsq, e->probe->sumsq);
    if (say_other(s, e, item))
        return;
    diag_help(d, item,
              same_sumsq
                  ? "this is what the right values in a wrong order look like: "
                    "a square matrix that is transposed, rows or parts that "
                    "are exchanged, heads read otherwise; or signs"
                  : "this is what other values look like: another source (q "
                    "for k, scale for shift), a constant added twice or not at "
                    "all, a norm folded along another axis; or probes of "
                    "another checkpoint");
}

/* --- sets --- */

static const char *const words[] = {
    [VERDICT_UNKNOWN] = "is expected, but no output is called so",
    [VERDICT_SHAPE] = "has another shape than is expected",
    [VERDICT_DTYPE] = "is stored in another dtype than is expected",
    [VERDICT_ABSENT] = "is ABSENT, and values of it are expected",
    [VERDICT_MISSING] = "is MISSING: what is expected of it is not judged",
    [VERDICT_PROBES] = "does not hold what is expected",
    [VERDICT_VALUES] = "does not hold what is expected",
};

static void say_set(const struct said *s, const struct expected *e,
                    struct str names)
{
    struct diag_item *item = open_item(s, e, names, words[s->verdict]);
    if (s->verdict == VERDICT_UNKNOWN)
        say_unknown(s, e, item);
    else if (s->verdict == VERDICT_SHAPE)
        say_shape(s, e, item);
    else if (s->verdict == VERDICT_DTYPE)
        say_dtype(s, e, item);
    else if (s->verdict == VERDICT_PROBES)
        say_probes(s, e, item);
    else if (s->verdict == VERDICT_VALUES)
        say_values(s, e, item);
}

/* The sets that are left, by their names alone. */
static void say_rest(const struct said *s, const struct name_set *sets,
                     size_t n)
{
    struct diag_item *item;
    size_t targets = 0;
    for (size_t i = 0; i < n; i++)
        targets += sets[i].count;
    item = diag_add(s->x->d, "E0604", diag_at(s->entry->at),
                    "of %zu more the same is to be said", targets);
    for (size_t i = 0; i < n; i++)
        diag_note(s->x->d, item, "`%.*s` %s", STR_ARG(sets[i].text),
                  words[s->verdict]);
}

/* What is MISSING has one cause, and was said before: one finding for all. */
static void say_missing(const struct said *s, const struct name_set *sets,
                        size_t n)
{
    struct diag_item *item = diag_add(
        s->x->d, "W0604", diag_at(s->entry->at),
        "%zu targets are MISSING: what is expected of them is not judged",
        s->n);
    for (size_t i = 0; i < n; i++)
        diag_note(s->x->d, item, "`%.*s`", STR_ARG(sets[i].text));
}

static void say_sets(const struct said *s)
{
    struct str *names = arena_new(s->x->a, struct str, s->n);
    struct name_set *sets;
    size_t n;
    for (size_t i = 0; i < s->n; i++)
        names[i] = s->p[i]->target;
    n = indexset_fold_names(s->x->a, names, s->n, &sets);
    if (s->verdict == VERDICT_MISSING && n > 1) {
        say_missing(s, sets, n);
        return;
    }
    for (size_t i = 0; i < n && i < SETS_SHOWN; i++)
        for (size_t k = 0; k < s->n; k++)
            if (str_eq(names[k], sets[i].first)) {
                say_set(s, s->p[k], sets[i].text);
                break;
            }
    if (n > SETS_SHOWN)
        say_rest(s, sets + SETS_SHOWN, n - SETS_SHOWN);
    if (s->n == s->judged && s->n >= FEW && s->verdict != VERDICT_MISSING)
        diag_note(s->x->d, s->x->d->last,
                  "nothing that `%.*s` expects is met: is it of this "
                  "checkpoint, and of this spec?",
                  STR_ARG(s->entry->path));
}

size_t expect_say(const struct expect *x, const struct expect_entry *entry)
{
    size_t said = 0;
    for (int v = VERDICT_UNKNOWN; v <= VERDICT_VALUES; v++) {
        struct said s = {.x = x, .entry = entry, .verdict = (enum verdict)v};
        s.p = arena_new(x->a, const struct expected *, x->n);
        for (size_t i = 0; i < x->n; i++) {
            s.judged += x->p[i].entry == entry;
            if (x->p[i].entry == entry && x->p[i].verdict == s.verdict)
                s.p[s.n++] = &x->p[i];
        }
        if (s.n > 0)
            say_sets(&s);
        said += s.n;
    }
    return said;
}
