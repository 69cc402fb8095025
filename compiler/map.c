/* SPDX-License-Identifier: MIT
 *
 * map.c - goes through the outputs, then through what is dropped by source and
 * name, and adds up.
 *
 * The text goes out in chunks, since a map may be larger than all else that is
 * in memory.
 */
#include "map.h"

#include <stdio.h>

#include "map_form.h"
#include "meta.h"
#include "outfile.h"
#include "screen.h"

#define CHUNK ((size_t)64 << 10)
#define TOTALS 9

struct mapping {
    const struct map_of *of;
    const struct model *m;
    struct arena arena;
    struct text t;        /* what is not in the file yet */
    struct outfile *file; /* NULL: standard output */
    uint64_t written;
    int error;
    struct sums outputs, aliases, absent, missing, zeros, out;
    bool bytes_known; /* of all that is dropped */
    /* By the role of a tensor: all of it, and what is dropped of it. */
    struct sums all[ROLE_DROPPED + 1], parts[ROLE_DROPPED + 1];
};

static void sum_add(struct sums *s, uint64_t elements, uint64_t bytes)
{
    s->tensors++;
    s->elements += elements;
    s->bytes += bytes;
}

/* Once there is a chunk, or what there is. */
static void flush(struct mapping *w, bool all)
{
    if (w->error != 0 || (!all && w->t.n < CHUNK))
        return;
    screen_escape(&w->t);
    if (w->file != NULL)
        w->error = outfile_write(w->file, w->written, w->t.p, w->t.n);
    else
        fwrite(w->t.p, 1, w->t.n, stdout);
    w->written += w->t.n;
    w->t.n = 0;
}

/* --- outputs --- */

static void count_output(struct mapping *w, const struct output *o,
                         uint64_t zeros)
{
    uint64_t elements;
    type_elements(o->type, &elements);
    w->outputs.tensors++;
    if (o->missing)
        sum_add(&w->missing, elements, o->size);
    if (o->alias_of != TTSB_NO_TENSOR) {
        sum_add(&w->aliases, elements, o->size);
        return;
    }
    w->outputs.elements += elements;
    w->outputs.bytes += o->size;
    if (o->absent)
        sum_add(&w->absent, elements, o->size);
    else if (!o->missing && zeros > 0)
        sum_add(&w->zeros, zeros, zeros * spec_dtype_bits(o->dtype) / 8);
}

static void put_output(struct mapping *w, uint32_t i)
{
    const struct output *o = &w->m->outputs[i];
    bool alias = o->alias_of != TTSB_NO_TENSOR;
    struct arena scratch = {0};
    struct uses uses =
        uses_of(&scratch, w->m, alias ? &w->m->outputs[o->alias_of] : o);
    count_output(w, o, uses.zeros);
    if (w->of->json)
        map_json_output(&w->t, w->of, i, &uses);
    else
        map_text_output(&w->t, w->of, i, &uses);
    arena_release(&scratch);
    flush(w, false);
}

static void put_group(struct mapping *w, size_t i)
{
    const struct group *g = &w->m->groups[i];
    if (w->of->json)
        map_json_group(&w->t, w->of, i);
    else
        map_text_group(&w->t, w->of, i);
    for (uint32_t k = 0; k < g->count; k++) {
        if (w->of->json && k > 0)
            text_c(&w->t, ",");
        put_output(w, g->first + k);
    }
    if (w->of->json)
        text_format(&w->t, "],\"place\":\"%s\",\"size\":%llu}",
                    g->place == TTSB_PLACE_HOST ? "host" : "device",
                    (unsigned long long)g->size);
}

/* --- what is dropped --- */

static struct map_dropped weigh(struct mapping *w, const struct dropped *d)
{
    struct map_dropped x = {d, 0, 0, true};
    if (d->leaf == NULL) {
        x.elements = d->subtree->found_elements;
        x.bytes = d->subtree->found_bytes;
        x.bytes_known = w->of->blob != NULL;
    } else {
        x.elements = dropped_elements(d);
        x.bytes = x.elements * spec_dtype_bits(d->leaf->dtype) / 8;
        sum_add(&w->parts[w->m->roles[d->leaf->source]], x.elements, x.bytes);
    }
    w->bytes_known = w->bytes_known && x.bytes_known;
    w->out.elements += x.elements;
    w->out.bytes += x.bytes;
    return x;
}

static void put_dropped(struct mapping *w)
{
    struct dropped_list v = dropped_list(&w->arena, w->m);
    for (size_t i = 0; i < v.n; i++) {
        struct map_dropped d = weigh(w, &v.p[i]);
        if (w->of->json) {
            text_c(&w->t, i > 0 ? "," : "");
            map_json_dropped(&w->t, w->of, &d);
        } else {
            map_text_dropped(&w->t, w->of, &d);
        }
        flush(w, false);
    }
}

/* --- sums --- */

static struct sums less(struct sums s, struct sums part)
{
    return (struct sums){s.tensors, s.elements - part.elements,
                         s.bytes - part.bytes};
}

/* What a prefix drops has no tensors in a checkpoint that is only wanted. */
static void count_subtrees(struct mapping *w, struct sums *sources)
{
    for (size_t i = 0; w->of->blob == NULL && i < w->m->subtree_count; i++) {
        const struct subtree *s = &w->m->subtrees[i];
        struct sums *dropped = &w->all[ROLE_DROPPED];
        sources->tensors += s->tensors;
        sources->elements += s->elements;
        dropped->tensors += s->tensors;
        dropped->elements += s->elements;
    }
}

/* After all of it was put. */
static void add_up(struct mapping *w, struct map_total out[TOTALS])
{
    const struct checkpoint *c = w->of->c;
    struct sums sources = {0};
    for (size_t i = 0; i < c->count; i++) {
        const struct st_tensor *t = &c->tensors[i];
        uint64_t elements = 1;
        for (uint32_t k = 0; k < t->rank; k++)
            elements *= t->dims[k]; /* checked by the header's parser */
        sum_add(&w->all[w->m->roles[i]], elements, t->end - t->begin);
        sum_add(&sources, elements, t->end - t->begin);
    }
    count_subtrees(w, &sources);
    w->out.tensors = w->all[ROLE_DROPPED].tensors;
    out[0] = (struct map_total){"outputs", w->outputs, true};
    out[1] = (struct map_total){"aliases", w->aliases, true};
    out[2] = (struct map_total){"absent", w->absent, true};
    out[3] = (struct map_total){"missing", w->missing, true};
    out[4] = (struct map_total){"zeros", w->zeros, true};
    out[5] = (struct map_total){"sources", sources, w->bytes_known};
    out[6] = (struct map_total){
        "used", less(w->all[ROLE_READ], w->parts[ROLE_READ]), true};
    out[7] = (struct map_total){"dropped", w->out, w->bytes_known};
    out[8] = (struct map_total){
        "unread", less(w->all[ROLE_NONE], w->parts[ROLE_NONE]), true};
}

/* --- the whole --- */

static void put_text(struct mapping *w)
{
    struct map_total totals[TOTALS];
    map_text_head(&w->t, w->of);
    for (size_t i = 0; i < w->m->group_count; i++)
        put_group(w, i);
    text_c(&w->t, "\nDISCARDED\n");
    put_dropped(w);
    add_up(w, totals);
    map_text_totals(&w->t, totals, TOTALS);
}

static void put_json(struct mapping *w)
{
    struct map_total totals[TOTALS];
    text_c(&w->t, "{\"contract\":\"");
    text_hex(&w->t, w->m->contract_id, 16);
    text_c(&w->t, "\",\"discarded\":[");
    put_dropped(w);
    text_c(&w->t, "],\"format\":\"ttswc map 1\",\"groups\":[");
    for (size_t i = 0; i < w->m->group_count; i++) {
        text_c(&w->t, i > 0 ? "," : "");
        put_group(w, i);
    }
    add_up(w, totals);
    map_json_tail(&w->t, w->of, totals, TOTALS);
}

static void put_all(struct mapping *w)
{
    if (w->of->json)
        put_json(w);
    else
        put_text(w);
    flush(w, true);
    text_release(&w->t);
    arena_release(&w->arena);
}

/* --- public --- */

bool map_is_json(struct str path)
{
    return str_ends(path, ".json");
}

int map_write(const struct map_of *of, struct arena *a, struct str path,
              uint64_t *size)
{
    struct outfile file;
    struct mapping w = {
        .of = of, .m = of->m, .file = &file, .bytes_known = true};
    w.error = outfile_open(a, path, true, &file);
    if (w.error != 0)
        return w.error;
    put_all(&w);
    if (w.error != 0)
        outfile_discard(&file);
    else
        w.error = outfile_commit(&file);
    *size = w.written;
    return w.error;
}

void map_print(const struct map_of *of)
{
    struct mapping w = {.of = of, .m = of->m, .bytes_known = true};
    put_all(&w);
}
