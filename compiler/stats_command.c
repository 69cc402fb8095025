/* SPDX-License-Identifier: MIT
 *
 * stats_command.c - `ttswc stats`: reads a blob or a checkpoint whole and
 * prints what its numbers are like.
 *
 * Suspicions are warnings; they change no exit status.
 */
#include <stdio.h>

#include "commands.h"
#include "compile.h"
#include "stats_print.h"
#include "stats_read.h"

/* Chooses by --glob; false after E0707. */
static bool choose(struct run *r, const struct args *args,
                   const struct tensors *t, struct selection *out)
{
    struct candidate *all = arena_new(&r->arena, struct candidate, t->n);
    struct selection_request q = {str_c(args->positional[0]), args->globs,
                                  args->glob_count, SORT_FILE};
    for (size_t i = 0; i < t->n; i++)
        all[i] = (struct candidate){t->p[i].name, t->p[i].size,
                                    (uint32_t)t->p[i].dtype};
    return selection_make(&r->arena, &r->diag, all, t->n, &q, out);
}

static void print(struct run *r, const struct args *args, const struct stats *s)
{
    struct text t = {0};
    struct suspicions found =
        suspicions_find(&r->arena, s, args->allowed, args->allowed_count);
    if (args->json) {
        stats_put_json(&t, s, &found);
        text_c(&t, "\n");
    } else {
        stats_put_table(&t, s, args->hist);
    }
    fwrite(t.p, 1, t.n, stdout);
    text_release(&t);
    stats_warn(&r->diag, s, &found);
}

enum exit_code command_stats(const struct args *args)
{
    struct run r;
    struct tensors t;
    struct selection chosen;
    struct stats s;
    struct str *paths;
    run_begin(&r, args);
    paths = run_operands(&r, args);
    if (!tensors_open(&r.arena, &r.diag, paths, (size_t)args->count, &t))
        return run_end(&r);
    if (tensors_have_values(&r.diag, &t) && choose(&r, args, &t, &chosen)) {
        struct stats_request q = {&t,       chosen.index, chosen.count,
                                  paths[0], args->jobs,   args->progress};
        if (stats_read(&r.arena, &r.diag, &q, &s))
            print(&r, args, &s);
    }
    tensors_close(&t);
    return run_end(&r);
}
