/* SPDX-License-Identifier: MIT
 *
 * stats_compile.c - a watch, then words.
 */
#include "stats_compile.h"

#include <stdio.h>

#include "stats_print.h"

void stats_compile_begin(struct run *r, const struct args *args,
                         const struct checkpoint *c, struct stats_compile *s)
{
    *s = (struct stats_compile){0};
    if (args->stats || args->report != NULL)
        s->watch = stats_watch_begin(&r->arena, &r->model, c);
}

/* What no source is suspected of already: an output is made of sources. */
static struct suspicions only_new(struct arena *a,
                                  const struct suspicions *outputs,
                                  const struct suspicions *sources)
{
    struct suspicions v = {.p = arena_new(a, struct suspicion, outputs->n)};
    for (size_t i = 0; i < outputs->n; i++) {
        bool known = false;
        for (size_t k = 0; k < sources->n; k++)
            known = known || strcmp(outputs->p[i].id, sources->p[k].id) == 0;
        if (!known)
            v.p[v.n++] = outputs->p[i];
    }
    return v;
}

void stats_compile_end(struct run *r, const struct args *args, bool ok,
                       struct stats_compile *s)
{
    struct suspicions more;
    if (s->watch == NULL)
        return;
    stats_watch_end(s->watch, &s->sources, &s->outputs);
    if (!ok)
        return;
    s->sources.path = str_c(args->count > 1          ? args->positional[1]
                            : args->source_count > 0 ? args->sources[0]
                                                     : args->positional[0]);
    s->outputs.path = str_c(args->output);
    s->of_sources = suspicions_find(&r->arena, &s->sources, args->allowed,
                                    args->allowed_count);
    s->of_outputs = suspicions_find(&r->arena, &s->outputs, args->allowed,
                                    args->allowed_count);
    more = only_new(&r->arena, &s->of_outputs, &s->of_sources);
    stats_warn(&r->diag, &s->sources, &s->of_sources);
    stats_warn(&r->diag, &s->outputs, &more);
}

void stats_compile_put(const struct stats_compile *s, const struct args *args,
                       struct text *out)
{
    if (args->stats_name == NULL)
        return;
    text_c(out, "{\"outputs\":");
    stats_put_json(out, &s->outputs, &s->of_outputs);
    text_c(out, ",\"sources\":");
    stats_put_json(out, &s->sources, &s->of_sources);
    text_c(out, "}\n");
}

void stats_compile_print(const struct stats_compile *s, const struct args *args)
{
    struct text t = {0};
    if (!args->stats || args->stats_name != NULL)
        return;
    stats_put_sums(&t, "sources", &s->sources);
    stats_put_sums(&t, "outputs", &s->outputs);
    text_format(&t, "suspicions: %zu of sources, %zu of outputs\n",
                s->of_sources.n, s->of_outputs.n);
    fwrite(t.p, 1, t.n, stdout);
    text_release(&t);
}
