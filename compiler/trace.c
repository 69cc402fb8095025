/* SPDX-License-Identifier: MIT
 *
 * trace.c - finds the name, then lets chain.c or fate.c tell.
 *
 * A checkpoint that does not fit the spec is looked at all the same: that is
 * when somebody asks. How many findings `check` would have stands in a warning
 * line of the text.
 */
#include "trace.h"

#include <inttypes.h>
#include <stdio.h>

#include "compile.h"
#include "emit.h"
#include "fate.h"
#include "inputs.h"
#include "near.h"
#include "resolve.h"
#include "screen.h"
#include "sources.h"
#include "wanted.h"

struct trace {
    struct run *r;
    const struct args *args;
    struct str name;
    struct checkpoint c;
    struct emitted blob;
    struct chain_of of;
    uint64_t findings; /* of spec and checkpoint */
    struct text t;
};

/* The arguments without the name. */
static struct args inputs_of(struct arena *a, const struct args *args)
{
    struct args in = *args;
    in.positional = arena_new(a, const char *, (size_t)args->count);
    in.positional[0] = args->positional[0];
    for (int i = 2; i < args->count; i++)
        in.positional[i - 1] = args->positional[i];
    in.count = args->count - 1;
    return in;
}

/* What the checkpoint lacks is told as missing, and never as a finding. */
static bool bind(struct trace *x, const struct args *in)
{
    struct run *r = x->r;
    struct diag aside = {.arena = &r->arena};
    struct coverage cover;
    if (!inputs_open(&r->arena, &r->diag, &r->spec, in, &x->c))
        return false;
    resolve_model(&r->arena, &aside, &r->model, &x->c, true, &cover);
    x->findings = aside.errors + aside.warnings;
    x->of.c = &x->c;
    if (aside.errors == 0) {
        if (!emit_layout(&r->arena, &r->diag, &r->model, &x->c, &x->blob))
            return false;
        x->of.blob = &x->blob;
    }
    return true;
}

static bool prepare(struct trace *x)
{
    struct args in = inputs_of(&x->r->arena, x->args);
    if (!run_model(x->r, x->args->positional[0]))
        return false;
    x->of.m = &x->r->model;
    if (in.count > 1 || in.source_count > 0)
        return bind(x, &in);
    wanted_make(&x->r->arena, &x->r->model, &x->c);
    return true;
}

/* --- outputs --- */

static void unknown_output(struct trace *x)
{
    struct run *r = x->r;
    const struct model *m = &r->model;
    struct str *names = arena_new(&r->arena, struct str, m->output_count);
    struct diag_item *item = diag_add_file(
        &r->diag, "E0707", str_c(x->args->positional[0]), DIAG_NO_OFFSET,
        "the spec has no output `%.*s`", STR_ARG(x->name));
    struct str near;
    uint32_t leaf;
    for (size_t i = 0; i < m->output_count; i++)
        names[i] = m->outputs[i].name;
    near = near_text(&r->arena, x->name, names, m->output_count);
    if (nametab_find(&m->sources, x->name, &leaf))
        diag_help(&r->diag, item,
                  "it is the name of a source: write `explain --inverse`");
    else if (near.n > 0)
        diag_help(&r->diag, item, "%.*s", STR_ARG(near));
}

static void trace_output(struct trace *x)
{
    struct run *r = x->r;
    uint32_t output;
    if (!nametab_find(&r->model.names, x->name, &output))
        unknown_output(x);
    else if (x->args->json)
        chain_json(&r->arena, &x->t, &x->of, output);
    else
        chain_text(&r->arena, &x->t, &x->of, output);
}

/* --- sources --- */

static size_t add_names(struct trace *x, struct str *names)
{
    const struct model *m = &x->r->model;
    size_t n = 0;
    for (size_t i = 0; i < m->leaf_count; i++)
        if (m->leaves[i]->first_use == m->leaves[i])
            names[n++] = m->leaves[i]->name;
    for (size_t i = 0; x->of.c != NULL && i < x->c.count; i++)
        if (m->roles[i] == ROLE_NONE)
            names[n++] = x->c.tensors[i].name;
    return n;
}

static void unknown_source(struct trace *x)
{
    struct run *r = x->r;
    struct str *names =
        arena_new(&r->arena, struct str, r->model.leaf_count + x->c.count);
    size_t n = add_names(x, names);
    struct str near = near_text(&r->arena, x->name, names, n);
    struct diag_item *item = diag_add_file(
        &r->diag, "E0707", str_c(x->args->positional[0]), DIAG_NO_OFFSET,
        "neither the spec nor a checkpoint has a source tensor `%.*s`",
        STR_ARG(x->name));
    uint32_t output;
    if (nametab_find(&r->model.names, x->name, &output))
        diag_help(&r->diag, item,
                  "it is the name of an output: write `explain` without "
                  "--inverse");
    else if (near.n > 0)
        diag_help(&r->diag, item, "%.*s", STR_ARG(near));
}

/* One source's tensor of that name; "gpt:NAME" is of one, NAME of each. */
static bool show_fate(struct trace *x, uint32_t file, struct str name,
                      bool first)
{
    struct run *r = x->r;
    struct fate f;
    if (!fate_find(&r->arena, &x->of, file, name, &f))
        return false;
    if (x->args->json) {
        text_c(&x->t, first ? "" : ",");
        fate_json(&x->t, &x->of, &f);
    } else {
        text_c(&x->t, first ? "" : "\n");
        fate_text(&x->t, &x->of, &f);
    }
    return true;
}

static struct str after_source(const struct trace *x, uint32_t file)
{
    const struct spec *s = &x->r->spec;
    struct str id = sources_id(s, file);
    if (s->source_count > 0 && x->name.n > id.n && str_begins(x->name, id) &&
        x->name.p[id.n] == ':')
        return str_cut(x->name, id.n + 1, x->name.n);
    return (struct str){0};
}

static void trace_source(struct trace *x)
{
    uint32_t n = sources_count(&x->r->spec);
    bool any = false;
    text_c(&x->t, x->args->json ? "[" : "");
    for (uint32_t i = 0; i < n; i++) {
        struct str rest = after_source(x, i);
        any = show_fate(x, i, x->name, !any) || any;
        if (rest.n > 0)
            any = show_fate(x, i, rest, !any) || any;
    }
    text_c(&x->t, x->args->json ? "]" : "");
    if (!any)
        unknown_source(x);
    if (!any)
        x->t.n = 0;
}

/* --- public --- */

static void show(struct trace *x)
{
    if (x->t.n == 0)
        return;
    if (x->findings > 0 && !x->args->json)
        text_format(&x->t,
                    "%-10sthe checkpoint does not fit the spec: `ttswc check` "
                    "has the findings\n",
                    "but");
    text_c(&x->t, x->args->json ? "\n" : "");
    screen_escape(&x->t);
    fwrite(x->t.p, 1, x->t.n, stdout);
}

enum exit_code trace_explain(const struct args *args)
{
    struct run r;
    struct trace x = {
        .r = &r, .args = args, .name = str_c(args->positional[1])};
    run_begin(&r, args);
    if (prepare(&x)) {
        if (args->backwards)
            trace_source(&x);
        else
            trace_output(&x);
        show(&x);
    }
    text_release(&x.t);
    checkpoint_close(&x.c);
    return run_end(&r);
}
