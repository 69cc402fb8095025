/* SPDX-License-Identifier: MIT
 *
 * mutate.c - `ttswc mutate`: which slips in a spec would be noticed, and how.
 *
 * In: a spec that fits its checkpoint (or a lock of it). Out: for each kind of
 * slip how many the checks find, with --data how many `expect:` finds, how many
 * only change the contract, and how many change nothing but values. Invariant:
 * each slip is made in a fresh copy of the spec in memory and judged by the
 * very stages that `check` runs; nothing is written.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "commands.h"
#include "compile.h"
#include "contract.h"
#include "emit.h"
#include "expand.h"
#include "expect.h"
#include "indexset.h"
#include "inputs.h"
#include "layout.h"
#include "meta.h"
#include "pool.h"
#include "resolve.h"
#include "slips.h"

enum outcome {
    OUTCOME_CHECK,    /* a finding */
    OUTCOME_EXPECT,   /* with --data: a finding once values are made */
    OUTCOME_CONTRACT, /* an engine of the right spec refuses the blob */
    OUTCOME_VALUES,   /* nothing but values: only a probe can tell */
    OUTCOME_NONE,     /* the same outputs of the same sources */
    OUTCOMES
};

#define TARGETS_SHOWN 3 /* sets of names */

/* A slip and what became of it. */
struct trial {
    struct slip_site site;
    enum outcome outcome;
    /* Of a survivor, in `arena`: where, what, and whose values change. */
    struct arena arena;
    struct str place, what, targets;
};

struct mutation {
    const struct args *args;
    const struct model *model; /* of the right spec */
    const struct checkpoint *c;
    struct str *values; /* of its outputs, as contract_readable has them */
    bool *used;         /* templates */
    struct trial *trials;
    size_t n;
};

/* --- one slip --- */

static struct str value_text(struct arena *a, const struct model *m,
                             const struct output *o)
{
    struct text t = {0};
    struct str s;
    contract_readable(&t, m, o);
    s = arena_str(a, text_view(&t));
    text_release(&t);
    return s;
}

/* The outputs whose values are other ones. */
static size_t changed_values(const struct mutation *x, struct run *r,
                             struct str **out)
{
    const struct model *m = &r->model;
    size_t n = 0;
    *out = arena_new(&r->arena, struct str, m->output_count);
    for (size_t i = 0; i < m->output_count; i++) {
        struct str now = value_text(&r->arena, m, &m->outputs[i]);
        uint32_t was = 0;
        if (!nametab_find(&x->model->names, m->outputs[i].name, &was) ||
            !str_eq(x->values[was], now))
            (*out)[n++] = m->outputs[i].name;
    }
    return n;
}

static struct str targets_text(struct arena *a, const struct str *names,
                               size_t n)
{
    struct name_set *sets;
    size_t count = indexset_fold_names(a, names, n, &sets);
    struct str t = {0};
    for (size_t i = 0; i < count && i < TARGETS_SHOWN; i++)
        t = arena_format(a, "%.*s%s%.*s", STR_ARG(t), i > 0 ? "; " : "",
                         STR_ARG(sets[i].text));
    if (count > TARGETS_SHOWN)
        t = arena_format(a, "%.*s; and %zu more", STR_ARG(t),
                         count - TARGETS_SHOWN);
    return t;
}

static void describe(struct trial *t, const struct slip *slip,
                     struct str targets)
{
    uint32_t line, column;
    source_position(slip->at.src, slip->at.begin, &line, &column);
    t->place = arena_format(&t->arena, "%.*s:%" PRIu32 ":%" PRIu32,
                            STR_ARG(slip->at.src->path), line, column);
    t->what = arena_str(&t->arena, slip->text);
    t->targets = arena_str(&t->arena, targets);
}

/* Whether all that `check` does lets the spec pass. */
static bool passes(const struct mutation *x, struct run *r,
                   struct expect *expect)
{
    struct coverage cover;
    if (!expand_spec(&r->arena, &r->spec, &r->diag, &r->model) ||
        !layout_model(&r->diag, &r->model))
        return false;
    contract_seal(&r->model);
    return resolve_model(&r->arena, &r->diag, &r->model, x->c, false, &cover) &&
           expect_open(&r->arena, &r->diag, &r->model, expect) &&
           r->diag.errors == 0;
}

/* Whether the values are as `expect:` says, and fit their dtypes. */
static bool holds(const struct mutation *x, struct run *r,
                  struct expect *expect)
{
    struct watch watch = expect_watch(expect);
    struct emit_target target = {.threads = 1,
                                 .progress = PROGRESS_NEVER,
                                 .watches = &watch,
                                 .watch_count = 1};
    struct emitted none;
    return !x->args->data ||
           emit_blob(&r->arena, &r->diag, &r->model, x->c, &target, &none);
}

static void judge(const struct mutation *x, struct trial *t, struct run *r,
                  const struct slip *slip)
{
    struct expect expect = {0};
    struct str *names;
    size_t n;
    if (passes(x, r, &expect)) {
        n = changed_values(x, r, &names);
        t->outcome =
            !holds(x, r, &expect) ? OUTCOME_EXPECT
            : memcmp(r->model.contract_id, x->model->contract_id, 16) != 0
                ? OUTCOME_CONTRACT
            : n > 0 ? OUTCOME_VALUES
                    : OUTCOME_NONE;
        describe(t, slip, targets_text(&r->arena, names, n));
    }
    expect_close(&expect);
}

static void try_slip(void *context, unsigned worker, size_t i)
{
    const struct mutation *x = context;
    struct trial *t = &x->trials[i];
    struct slip slip;
    struct run r;
    (void)worker;
    run_begin(&r, NULL);
    if (spec_parse(&r.arena, str_c(x->args->positional[0]), &r.diag, &r.spec) &&
        slip_make(&r.arena, &r.spec, &t->site, &slip))
        judge(x, t, &r, &slip);
    arena_release(&r.arena);
}

/* --- all slips --- */

static void enumerate(struct mutation *x, struct run *r)
{
    struct spec copy = {0};
    size_t counts[SLIP_KINDS];
    spec_parse(&r->arena, str_c(x->args->positional[0]), &r->diag, &copy);
    for (int k = 0; k < SLIP_KINDS; k++) {
        counts[k] = slip_count(&r->arena, &copy, x->used, (enum slip_kind)k);
        x->n += counts[k];
    }
    x->trials = arena_new(&r->arena, struct trial, x->n);
    x->n = 0;
    for (int k = 0; k < SLIP_KINDS; k++)
        for (size_t i = 0; i < counts[k]; i++)
            x->trials[x->n++].site =
                (struct slip_site){x->used, (enum slip_kind)k, i};
}

static void prepare(struct mutation *x, struct run *r)
{
    const struct model *m = &r->model;
    x->model = m;
    x->values = arena_new(&r->arena, struct str, m->output_count);
    for (size_t i = 0; i < m->output_count; i++)
        x->values[i] = value_text(&r->arena, m, &m->outputs[i]);
    x->used = arena_new(&r->arena, bool, r->spec.template_count);
    for (size_t i = 0; i < r->spec.template_count; i++)
        x->used[i] = r->spec.templates[i].expanded > 0;
    enumerate(x, r);
}

/* --- the report --- */

struct tallies {
    size_t made[SLIP_KINDS], of[SLIP_KINDS][OUTCOMES];
    size_t all, sum[OUTCOMES];
};

static struct tallies count_all(const struct mutation *x)
{
    struct tallies n = {0};
    for (size_t i = 0; i < x->n; i++) {
        const struct trial *t = &x->trials[i];
        n.made[t->site.kind]++;
        n.of[t->site.kind][t->outcome]++;
        n.all++;
        n.sum[t->outcome]++;
    }
    return n;
}

static void print_row(const struct mutation *x, const char *title, size_t made,
                      const size_t *of)
{
    printf("%-31s %6zu %6zu", title, made, of[OUTCOME_CHECK]);
    if (x->args->data)
        printf(" %7zu", of[OUTCOME_EXPECT]);
    printf(" %9zu %12zu %8zu\n", of[OUTCOME_CONTRACT], of[OUTCOME_VALUES],
           of[OUTCOME_NONE]);
}

static void print_table(const struct mutation *x)
{
    struct tallies n = count_all(x);
    printf("%.*s\n%-31s %6s %6s%s %9s %12s %8s\n",
           STR_ARG(x->model->spec->model), "slip", "made", "check",
           x->args->data ? "  expect" : "", "contract", "only values",
           "nothing");
    for (int k = 0; k < SLIP_KINDS; k++)
        if (n.made[k] > 0)
            print_row(x, slip_title((enum slip_kind)k), n.made[k], n.of[k]);
    print_row(x, "all", n.all, n.sum);
}

static void print_survivors(const struct mutation *x, enum outcome outcome,
                            const char *title)
{
    size_t n = 0;
    for (size_t i = 0; i < x->n; i++) {
        const struct trial *t = &x->trials[i];
        if (t->outcome != outcome)
            continue;
        if (n++ == 0)
            printf("\n%s\n", title);
        printf("%.*s: %s: %.*s\n", STR_ARG(t->place), slip_title(t->site.kind),
               STR_ARG(t->what));
        if (t->targets.n > 0)
            printf("    %.*s\n", STR_ARG(t->targets));
    }
}

static void json_trial(struct text *t, const struct trial *x)
{
    static const char *const verdicts[] = {"check", "expect", "contract",
                                           "values", "nothing"};
    text_format(t, "{\"kind\":\"%s\",\"place\":", slip_title(x->site.kind));
    meta_string(t, x->place);
    text_c(t, ",\"targets\":");
    meta_string(t, x->targets);
    text_format(t, ",\"verdict\":\"%s\",\"what\":", verdicts[x->outcome]);
    meta_string(t, x->what);
    text_c(t, "}");
}

static void json_counts(struct text *t, size_t made, const size_t *of)
{
    text_format(t,
                "{\"check\":%zu,\"contract\":%zu,\"expect\":%zu,"
                "\"made\":%zu,\"nothing\":%zu,\"values\":%zu}",
                of[OUTCOME_CHECK], of[OUTCOME_CONTRACT], of[OUTCOME_EXPECT],
                made, of[OUTCOME_NONE], of[OUTCOME_VALUES]);
}

static void print_json(const struct mutation *x)
{
    struct tallies n = count_all(x);
    struct text t = {0};
    bool first = true;
    text_c(&t, "{\"all\":");
    json_counts(&t, n.all, n.sum);
    text_c(&t, ",\"kinds\":{");
    for (int k = 0; k < SLIP_KINDS; k++) {
        text_format(&t, "%s\"%s\":", k > 0 ? "," : "",
                    slip_title((enum slip_kind)k));
        json_counts(&t, n.made[k], n.of[k]);
    }
    text_c(&t, "},\"model\":");
    meta_string(&t, x->model->spec->model);
    text_c(&t, ",\"survivors\":[");
    for (size_t i = 0; i < x->n; i++) {
        if (x->trials[i].outcome == OUTCOME_CHECK)
            continue;
        text_c(&t, first ? "" : ",");
        json_trial(&t, &x->trials[i]);
        first = false;
    }
    text_c(&t, "]}\n");
    fwrite(t.p, 1, t.n, stdout);
    text_release(&t);
}

static void report(const struct mutation *x)
{
    if (x->args->json) {
        print_json(x);
        return;
    }
    print_table(x);
    if (!x->args->verbose)
        return;
    print_survivors(x, OUTCOME_EXPECT,
                    "Found by values alone: `expect:` tells");
    print_survivors(x, OUTCOME_VALUES,
                    "Only values differ: `expect:` can tell, no check can");
    print_survivors(x, OUTCOME_CONTRACT,
                    "Only the contract differs: an engine of the right spec "
                    "refuses the blob");
    print_survivors(x, OUTCOME_NONE, "Nothing differs");
}

enum exit_code command_mutate(const struct args *args)
{
    struct run r;
    struct checkpoint c = {0};
    struct coverage cover;
    struct mutation x = {.args = args, .c = &c};
    run_begin(&r, args);
    if (run_model(&r, args->positional[0]) &&
        inputs_open(&r.arena, &r.diag, &r.spec, args, &c) &&
        resolve_model(&r.arena, &r.diag, &r.model, &c, false, &cover)) {
        prepare(&x, &r);
        pool_run(args->jobs, x.n, try_slip, &x);
        report(&x);
    }
    for (size_t i = 0; i < x.n; i++)
        arena_release(&x.trials[i].arena);
    checkpoint_close(&c);
    return run_end(&r);
}
