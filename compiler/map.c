/* SPDX-License-Identifier: MIT
 *
 * map.c - prints the outputs, then what is dropped by source and name, then
 * the sums.
 *
 * Columns have fixed widths, which a longer entry exceeds, so that no line
 * depends on another one; two blanks stand between them. The text goes to the
 * file in chunks, since a map may be larger than all else that is in memory.
 */
#include "map.h"

#include <inttypes.h>
#include <stdlib.h>

#include "contract.h"
#include "dropped.h"
#include "meta.h"
#include "outfile.h"
#include "plan.h"
#include "sources.h"

#define CHUNK ((size_t)64 << 10)
#define TYPE_WIDTH 28
#define NAME_WIDTH 40
#define OFFSETS_WIDTH 24 /* of the two columns that a dropped thing lacks */

struct sums {
    uint64_t tensors, elements, bytes;
};

struct mapping {
    const struct map_of *of;
    const struct model *m;
    struct arena arena;
    struct text t; /* what is not in the file yet */
    struct outfile file;
    uint64_t written;
    int error;
    struct sums outputs, aliases, absent, missing, zeros, out;
    /* By the role of a tensor: all of it, and what is dropped of it. */
    struct sums all[ROLE_DROPPED + 1], parts[ROLE_DROPPED + 1];
};

static void sum_add(struct sums *s, uint64_t elements, uint64_t bytes)
{
    s->tensors++;
    s->elements += elements;
    s->bytes += bytes;
}

/* --- the file --- */

/* Once there is a chunk, or what there is. */
static void flush(struct mapping *w, bool all)
{
    if (w->error != 0 || (!all && w->t.n < CHUNK))
        return;
    w->error = outfile_write(&w->file, w->written, w->t.p, w->t.n);
    w->written += w->t.n;
    w->t.n = 0;
}

/* --- pieces of lines --- */

/* Ends the column that began at byte `from`. */
static void end_column(struct text *t, size_t from, size_t width)
{
    size_t n = t->n - from;
    text_format(t, "%*s", (int)(n < width ? width - n : 0) + 2, "");
}

static void put_type(struct text *t, enum ttsb_dtype dtype, struct type type)
{
    size_t from = t->n;
    text_c(t, spec_dtype_name(dtype));
    type_print(t, type);
    end_column(t, from, TYPE_WIDTH);
}

/* "[out 4..8,in 0..2]": the axes along which a box is a part; else nothing. */
static void put_range(struct text *t, struct type type, const struct box *b)
{
    const char *before = "[";
    for (uint32_t i = 0; i < type.rank; i++) {
        if (b->n[i] == type.axes[i].size)
            continue;
        text_format(t, "%s%.*s %" PRIu64 "..%" PRIu64, before,
                    STR_ARG(type.axes[i].name), b->lo[i], b->lo[i] + b->n[i]);
        before = ",";
    }
    text_c(t, before[0] == ',' ? "]" : "");
}

/* "FILE:LINE", the end of a line. */
static void put_place(struct text *t, struct span at)
{
    uint32_t line, column;
    source_position(at.src, at.begin, &line, &column);
    text_c(t, "  ");
    meta_word(t, at.src->path);
    text_format(t, ":%" PRIu32 "\n", line);
}

/* Of several boxes the first. */
static void put_claimed(struct mapping *w, struct type type,
                        const struct claimed *c)
{
    uint64_t n = c == NULL ? 0 : claimed_box_count(c, type);
    struct box first = {0};
    size_t from = w->t.n;
    uint64_t all;
    if (n == 0 || (type_elements(type, &all) && claimed_elements(c) == all))
        return;
    claimed_first_box(c, type, &first);
    put_range(&w->t, type, &first);
    if (n > 1 && w->t.n > from) {
        w->t.n--;
        text_format(&w->t, " and %" PRIu64 " more]", n - 1);
    }
}

/* --- outputs --- */

static void put_use(struct mapping *w, const struct leaf *leaf,
                    const struct claimed *c)
{
    sources_put(&w->t, w->m->spec, leaf->file, leaf->name);
    put_claimed(w, leaf->type, c);
    text_c(&w->t, leaf->also ? " (also)" : "");
    text_c(&w->t, leaf->source == NO_SOURCE ? " (lacking)" : "");
}

/* Whether a source has no elements; of a weight norm its direction counts. */
static bool is_empty(const struct leaf *leaf)
{
    uint64_t elements;
    type_elements(leaf->is_g ? leaf->pair->type : leaf->type, &elements);
    return elements == 0;
}

/* The sources of a value in order of use. Without a region are tensors without
 * elements, and sources of a split that another piece has, which are left
 * out. */
static void put_uses(struct mapping *w, const struct output *o,
                     const struct regions *v)
{
    const char *separator = "";
    struct leaf_claims claims = claims_of(v->a, v);
    for (uint32_t i = 0; i < o->leaf_count; i++) {
        const struct leaf *leaf = output_leaf(w->m, o, i);
        const struct claimed *c = claims_find(&claims, leaf);
        if ((c == NULL || c->n == 0) && !is_empty(leaf))
            continue;
        text_c(&w->t, separator);
        put_use(w, leaf, c != NULL ? c : leaf->claimed);
        separator = ", ";
    }
}

static void count_zeros(struct mapping *w, const struct output *o,
                        const struct regions *v)
{
    uint64_t n = regions_zeros(v);
    if (n > 0)
        sum_add(&w->zeros, n, n * spec_dtype_bits(o->dtype) / 8);
}

static void count_output(struct mapping *w, const struct output *o,
                         const struct regions *v)
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
    else if (!o->missing)
        count_zeros(w, o, v);
}

static void put_output(struct mapping *w, uint32_t i)
{
    const struct output *o = &w->m->outputs[i];
    bool alias = o->alias_of != TTSB_NO_TENSOR;
    const struct output *made = alias ? &w->m->outputs[o->alias_of] : o;
    struct arena scratch = {0};
    struct regions v = plan_value(&scratch, made->step);
    size_t from;
    text_format(&w->t, "0x%08" PRIx64 "  0x%08" PRIx64 "  %12" PRIu64 "  ",
                w->of->blob->offsets[i], o->offset, o->size);
    put_type(&w->t, o->dtype, o->type);
    from = w->t.n;
    text_str(&w->t, o->name);
    end_column(&w->t, from, NAME_WIDTH);
    text_format(&w->t, "%s%s%s<- ", alias ? "ALIAS " : "",
                o->absent ? "ABSENT " : "", o->missing ? "MISSING " : "");
    count_output(w, o, &v);
    plan_sources(&v);
    put_uses(w, made, &v);
    text_c(&w->t, "  = ");
    contract_readable(&w->t, w->m, o);
    put_place(&w->t, o->where.at);
    arena_release(&scratch);
}

static void put_group(struct mapping *w, size_t i)
{
    const struct group *g = &w->m->groups[i];
    text_format(&w->t,
                "\nGROUP %.*s  %s  offset 0x%08" PRIx64 "  size %" PRIu64
                "  outputs %" PRIu32 "\n",
                STR_ARG(g->name),
                g->place == TTSB_PLACE_HOST ? "host" : "device",
                w->of->blob->groups[i], g->size, g->count);
    text_format(&w->t, "%-10s  %-10s  %12s  %-*s  %-*s  %s\n", "offset",
                "in group", "bytes", TYPE_WIDTH, "type", NAME_WIDTH, "output",
                "<- sources  = value  place");
    for (uint32_t k = 0; k < g->count; k++) {
        put_output(w, g->first + k);
        flush(w, false);
    }
}

/* --- what is dropped --- */

static void put_subtree(struct mapping *w, const struct subtree *s)
{
    size_t from;
    text_format(&w->t, "%12" PRIu64 "  ", s->found_bytes);
    from = w->t.n;
    text_format(&w->t, "%" PRIu64 " tensors, %" PRIu64 " elements",
                s->found_tensors, s->found_elements);
    end_column(&w->t, from, TYPE_WIDTH);
    from = w->t.n;
    sources_put(&w->t, w->m->spec, s->file, s->prefix);
    end_column(&w->t, from, NAME_WIDTH);
    w->out.elements += s->found_elements;
    w->out.bytes += s->found_bytes;
}

static void put_leaf(struct mapping *w, const struct dropped *d)
{
    const struct leaf *leaf = d->leaf;
    uint64_t elements = dropped_elements(d);
    uint64_t bytes = elements * spec_dtype_bits(leaf->dtype) / 8;
    size_t from;
    text_format(&w->t, "%12" PRIu64 "  ", bytes);
    put_type(&w->t, leaf->dtype, leaf->type);
    from = w->t.n;
    sources_put(&w->t, w->m->spec, leaf->file, leaf->name);
    put_claimed(w, leaf->type, d->claimed);
    end_column(&w->t, from, NAME_WIDTH);
    sum_add(&w->parts[w->m->roles[leaf->source]], elements, bytes);
    w->out.elements += elements;
    w->out.bytes += bytes;
}

static void put_dropped(struct mapping *w)
{
    struct dropped_list v = dropped_list(&w->arena, w->m);
    text_c(&w->t, "\nDISCARDED\n");
    for (size_t i = 0; i < v.n; i++) {
        const struct dropped *d = &v.p[i];
        text_format(&w->t, "%*s", OFFSETS_WIDTH, "");
        if (d->leaf != NULL)
            put_leaf(w, d);
        else
            put_subtree(w, d->subtree);
        meta_string(&w->t, *d->reason);
        put_place(&w->t, d->at);
        flush(w, false);
    }
}

/* --- sums --- */

static void put_sum(struct text *t, const char *what, struct sums s)
{
    text_format(t, "%-8s  %12" PRIu64 "  %20" PRIu64 "  %20" PRIu64 "\n", what,
                s.tensors, s.elements, s.bytes);
}

static struct sums less(struct sums s, struct sums part)
{
    return (struct sums){s.tensors, s.elements - part.elements,
                         s.bytes - part.bytes};
}

static void put_totals(struct mapping *w)
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
    w->out.tensors = w->all[ROLE_DROPPED].tensors;
    text_format(&w->t, "\n%-8s  %12s  %20s  %20s\n", "TOTALS", "tensors",
                "elements", "bytes");
    put_sum(&w->t, "outputs", w->outputs);
    put_sum(&w->t, "aliases", w->aliases);
    put_sum(&w->t, "absent", w->absent);
    put_sum(&w->t, "missing", w->missing);
    put_sum(&w->t, "zeros", w->zeros);
    put_sum(&w->t, "sources", sources);
    put_sum(&w->t, "used", less(w->all[ROLE_READ], w->parts[ROLE_READ]));
    put_sum(&w->t, "dropped", w->out);
    put_sum(&w->t, "unread", less(w->all[ROLE_NONE], w->parts[ROLE_NONE]));
}

/* --- public --- */

static void put_head(struct mapping *w)
{
    const struct spec *s = w->m->spec;
    text_format(
        &w->t, "ttswc map 1\nmodel     %.*s\nrevision  %" PRIu64 "\ncontract  ",
        STR_ARG(s->model), s->revision);
    text_hex(&w->t, w->m->contract_id, 16);
    text_c(&w->t, "\nroot      ");
    text_hex(&w->t, w->of->blob->root, 16);
    text_format(&w->t, "\nsize      %" PRIu64 "\n", w->of->blob->size);
}

int map_write(const struct map_of *of, struct arena *a, struct str path,
              uint64_t *size)
{
    struct mapping w = {.of = of, .m = of->m};
    w.error = outfile_open(a, path, true, &w.file);
    if (w.error != 0)
        return w.error;
    put_head(&w);
    for (size_t i = 0; i < of->m->group_count; i++)
        put_group(&w, i);
    put_dropped(&w);
    put_totals(&w);
    flush(&w, true);
    if (w.error != 0)
        outfile_discard(&w.file);
    else
        w.error = outfile_commit(&w.file);
    *size = w.written;
    text_release(&w.t);
    arena_release(&w.arena);
    return w.error;
}
