/* SPDX-License-Identifier: MIT
 *
 * stats_watch.c - a row for each tensor; a maker for what is on its way.
 *
 * A tensor passes through one worker, in order, so that nothing here is
 * locked.
 */
#include "stats_watch.h"

#include "spec.h"
#include "stats_follow.h"
#include "stats_pairs.h"

struct stats_watch {
    const struct model *model;
    struct watch hook;
    struct stats sources, outputs;
    struct stats_follow *of_source, *of_output;
    struct stats_pairs source_pairs, output_pairs;
};

/* --- what passes --- */

static void see_source(void *context, uint32_t tensor, uint64_t at,
                       const void *bytes, size_t n)
{
    struct stats_watch *w = context;
    struct str slab = {bytes, n};
    stats_follow_add(&w->of_source[tensor], &w->sources.rows[tensor], at, slab);
    stats_pairs_add(&w->source_pairs, &w->sources, tensor, at, slab);
}

static void see_output(void *context, uint32_t output, uint64_t at,
                       const void *bytes, size_t n)
{
    struct stats_watch *w = context;
    struct str slab = {bytes, n};
    stats_follow_add(&w->of_output[output], &w->outputs.rows[output], at, slab);
    stats_pairs_add(&w->output_pairs, &w->outputs, output, at, slab);
}

/* --- rows --- */

static void list_sources(struct arena *a, struct stats_watch *w,
                         const struct checkpoint *c)
{
    uint32_t *scopes = arena_new(a, uint32_t, c->count);
    w->sources.rows = arena_new(a, struct stats_row, c->count);
    w->sources.n = c->count;
    for (uint32_t i = 0; i < c->count; i++) {
        const struct st_tensor *t = &c->tensors[i];
        w->sources.rows[i] =
            (struct stats_row){.name = t->name,
                               .dtype = (enum ttsb_dtype)t->dtype,
                               .rank = t->rank,
                               .dims = t->dims,
                               .size = t->end - t->begin,
                               .file = checkpoint_path(c, i),
                               .group = c->sources[c->places[i].source].id};
        scopes[i] = c->places[i].source;
    }
    stats_pairs_find(a, &w->sources, scopes, &w->source_pairs);
}

static const uint64_t *sizes_of(struct arena *a, struct type type)
{
    uint64_t *sizes = arena_new(a, uint64_t, type.rank);
    for (uint32_t i = 0; i < type.rank; i++)
        sizes[i] = type.axes[i].size;
    return sizes;
}

static void list_outputs(struct arena *a, struct stats_watch *w)
{
    const struct model *m = w->model;
    w->outputs.rows = arena_new(a, struct stats_row, m->output_count);
    w->outputs.n = m->output_count;
    for (size_t i = 0; i < m->output_count; i++) {
        const struct output *o = &m->outputs[i];
        w->outputs.rows[i] =
            (struct stats_row){.name = o->name,
                               .dtype = o->dtype,
                               .rank = o->type.rank,
                               .dims = sizes_of(a, o->type),
                               .size = o->size,
                               .group = m->groups[o->group].name,
                               .is_alias = o->alias_of != TTSB_NO_TENSOR};
    }
    stats_pairs_find(a, &w->outputs, NULL, &w->output_pairs);
}

struct stats_watch *stats_watch_begin(struct arena *a, const struct model *m,
                                      const struct checkpoint *c)
{
    struct stats_watch *w = arena_new(a, struct stats_watch, 1);
    w->model = m;
    w->hook = (struct watch){
        .source = see_source, .output = see_output, .context = w};
    w->of_source = arena_new(a, struct stats_follow, c->count);
    w->of_output = arena_new(a, struct stats_follow, m->output_count);
    list_sources(a, w, c);
    list_outputs(a, w);
    return w;
}

const struct watch *stats_watch_hook(const struct stats_watch *w)
{
    return &w->hook;
}

/* --- the end --- */

/* What has no bytes does not pass. */
static void end_sources(struct stats_watch *w)
{
    for (size_t i = 0; i < w->sources.n; i++) {
        struct stats_row *r = &w->sources.rows[i];
        stats_follow_stop(&w->of_source[i]);
        if (r->size == 0 && w->model->roles[i] == ROLE_READ)
            stats_row_empty(r);
    }
    stats_pairs_judge(&w->source_pairs, &w->sources);
}

static void end_outputs(struct stats_watch *w)
{
    const struct output *outputs = w->model->outputs;
    for (size_t i = 0; i < w->outputs.n; i++) {
        struct stats_row *r = &w->outputs.rows[i];
        stats_follow_stop(&w->of_output[i]);
        if (r->size == 0 && !r->is_alias && !outputs[i].absent &&
            !outputs[i].missing)
            stats_row_empty(r);
    }
    stats_pairs_judge(&w->output_pairs, &w->outputs);
    for (size_t i = 0; i < w->outputs.n; i++) {
        struct stats_row *r = &w->outputs.rows[i];
        const struct stats_row *of;
        if (!r->is_alias)
            continue;
        of = &w->outputs.rows[outputs[i].alias_of];
        r->tally = of->tally;
        r->has_values = of->has_values;
        r->untrained_norm = of->untrained_norm;
        memcpy(r->digest, of->digest, sizeof r->digest);
    }
}

void stats_watch_end(struct stats_watch *w, struct stats *sources,
                     struct stats *outputs)
{
    end_sources(w);
    end_outputs(w);
    *sources = w->sources;
    *outputs = w->outputs;
}
