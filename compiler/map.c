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

/* A line of DISCARDED. */
struct dropped {
    const struct leaf *leaf;       /* NULL: a subtree */
    const struct subtree *subtree; /* NULL: a leaf */
    const struct box *box;         /* of the leaf; NULL: all of it */
    const struct str *reason;
    struct span at;
};

struct mapping {
    const struct map_of *of;
    const struct model *m;
    struct arena arena;
    struct text t; /* what is not in the file yet */
    struct outfile file;
    uint64_t written;
    int error;
    struct dropped *dropped;
    size_t dropped_count, dropped_capacity;
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

/* A magnitude's part: it has its one size on the kept axis. */
static struct box magnitude_box(const struct region *r)
{
    struct box b = {.n = {1, 1, 1, 1, 1, 1, 1, 1}};
    if (r->keep == KEEP_NONE)
        return b;
    b.lo[r->keep] = r->box.lo[r->keep];
    b.n[r->keep] = r->box.n[r->keep];
    return b;
}

/* --- outputs --- */

static bool is_of(const struct leaf *leaf, const struct region *r)
{
    return leaf == r->leaf || leaf == r->g || leaf == r->leaf->twin;
}

static void put_use(struct mapping *w, const struct leaf *leaf,
                    const struct region *r)
{
    struct box b;
    sources_put(&w->t, w->m->spec, leaf->file, leaf->name);
    if (r != NULL) {
        b = leaf == r->g ? magnitude_box(r) : r->box;
        put_range(&w->t, leaf->type, &b);
    }
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

/* The sources of a value in order of use, which is also the order of its
 * regions. Without a region are tensors without elements, and sources of a
 * split that another piece has. */
static void put_uses(struct mapping *w, const struct output *o,
                     const struct regions *v)
{
    const char *separator = "";
    size_t k = 0;
    for (uint32_t i = 0; i < o->leaf_count; i++) {
        const struct leaf *leaf = output_leaf(w->m, o, i);
        const struct region *r = NULL;
        while (k < v->n && v->p[k].leaf == NULL)
            k++;
        if (k < v->n && is_of(leaf, &v->p[k]))
            r = &v->p[k];
        if (r == NULL && !is_empty(leaf))
            continue;
        text_c(&w->t, separator);
        put_use(w, leaf, r);
        separator = ", ";
        /* The last of a region: behind a magnitude its direction follows. */
        k += r != NULL && leaf != r->g && leaf->twin == NULL;
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
    put_uses(w, made, &v);
    text_c(&w->t, "  = ");
    contract_readable(&w->t, w->m, o);
    put_place(&w->t, o->where.at);
    count_output(w, o, &v);
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

static uint64_t box_elements(const struct dropped *d)
{
    uint64_t n = 1;
    if (d->box == NULL)
        type_elements(d->leaf->type, &n);
    for (uint32_t i = 0; d->box != NULL && i < d->leaf->type.rank; i++)
        n *= d->box->n[i];
    return d->box != NULL && d->box->empty ? 0 : n;
}

static void drop_add(struct mapping *w, struct dropped d)
{
    if (w->dropped_count == w->dropped_capacity)
        w->dropped = arena_grow(&w->arena, w->dropped, sizeof *w->dropped,
                                w->dropped_count, &w->dropped_capacity);
    w->dropped[w->dropped_count++] = d;
}

static void drop_part(struct mapping *w, const struct leaf *leaf,
                      const struct box *b, const struct piece *p)
{
    struct box *box = arena_new(&w->arena, struct box, 1);
    *box = *b;
    if (leaf->source != NO_SOURCE)
        drop_add(w, (struct dropped){leaf, NULL, box, &p->reason, p->at});
}

/* A region of a split's value, while its pieces are gone through. */
struct trimming {
    struct mapping *w;
    const struct trimmed *t;
    const struct region *whole;
    bool said_magnitude;
};

static struct region in_piece(const struct trimming *x, size_t i)
{
    struct region part = *x->whole;
    region_slice(&part, x->t->axis, x->t->ranges[i].lo, x->t->ranges[i].n);
    return part;
}

static bool is_kept(const struct trimming *x)
{
    bool kept = false;
    for (size_t i = 0; i < x->t->split->piece_count && !kept; i++) {
        struct region part = in_piece(x, i);
        kept =
            x->t->split->pieces[i].name != NULL && region_elements(&part) > 0;
    }
    return kept;
}

/* A magnitude is cut with its direction if that is cut along the kept axis;
 * else all pieces use all of it, and it is dropped with the first of them if
 * none is kept. */
static void drop_magnitude(struct trimming *x, const struct region *part,
                           const struct piece *p)
{
    bool along = part->keep != KEEP_NONE &&
                 x->whole->axes[x->t->axis].from == part->keep;
    struct box b = magnitude_box(part);
    if (along || (!x->said_magnitude && !is_kept(x)))
        drop_part(x->w, part->g, &b, p);
    x->said_magnitude = true;
}

static void drop_region(struct trimming *x)
{
    const struct leaf *leaf = x->whole->leaf;
    for (size_t i = 0; i < x->t->split->piece_count; i++) {
        const struct piece *p = &x->t->split->pieces[i];
        struct region part = in_piece(x, i);
        if (p->name != NULL || region_elements(&part) == 0)
            continue;
        drop_part(x->w, leaf, &part.box, p);
        if (leaf->twin != NULL)
            drop_part(x->w, leaf->twin, &part.box, p);
        if (part.g != NULL)
            drop_magnitude(x, &part, p);
    }
}

static void list_trimmed(struct mapping *w, const struct trimmed *t)
{
    struct arena scratch = {0};
    struct regions v = plan_value(&scratch, t->whole);
    for (size_t i = 0; i < v.n; i++) {
        struct trimming x = {w, t, &v.p[i], false};
        if (v.p[i].leaf != NULL && !v.p[i].leaf->also)
            drop_region(&x);
    }
    arena_release(&scratch);
}

static void list_dropped(struct mapping *w)
{
    const struct model *m = w->m;
    for (size_t i = 0; i < m->leaf_count; i++) {
        const struct leaf *leaf = m->leaves[i];
        struct dropped d = {leaf, NULL, leaf->box, leaf->reason,
                            leaf->where.at};
        /* A second reading claims nothing, an empty part neither. */
        if (leaf->dropped && leaf->source != NO_SOURCE && !leaf->also &&
            (leaf->box == NULL || box_elements(&d) > 0))
            drop_add(w, d);
    }
    for (size_t i = 0; i < m->subtree_count; i++) {
        const struct subtree *s = &m->subtrees[i];
        drop_add(w, (struct dropped){NULL, s, NULL, s->reason, s->where.at});
    }
    for (size_t i = 0; i < m->trimmed_count; i++)
        list_trimmed(w, &m->trimmed[i]);
}

/* By source and name; parts of a tensor by where they begin. */
static int compare_dropped(const void *x, const void *y)
{
    const struct dropped *a = x, *b = y;
    uint32_t i = a->leaf != NULL ? a->leaf->file : a->subtree->file;
    uint32_t k = b->leaf != NULL ? b->leaf->file : b->subtree->file;
    int order = str_order(a->leaf != NULL ? a->leaf->name : a->subtree->prefix,
                          b->leaf != NULL ? b->leaf->name : b->subtree->prefix);
    if (i != k)
        return i < k ? -1 : 1;
    for (uint32_t n = 0; order == 0 && a->box != NULL && b->box != NULL &&
                         n < a->leaf->type.rank;
         n++)
        order =
            (a->box->lo[n] > b->box->lo[n]) - (a->box->lo[n] < b->box->lo[n]);
    return order;
}

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
    uint64_t elements = box_elements(d);
    uint64_t bytes = elements * spec_dtype_bits(leaf->dtype) / 8;
    size_t from;
    text_format(&w->t, "%12" PRIu64 "  ", bytes);
    put_type(&w->t, leaf->dtype, leaf->type);
    from = w->t.n;
    sources_put(&w->t, w->m->spec, leaf->file, leaf->name);
    if (d->box != NULL)
        put_range(&w->t, leaf->type, d->box);
    end_column(&w->t, from, NAME_WIDTH);
    sum_add(&w->parts[w->m->roles[leaf->source]], elements, bytes);
    w->out.elements += elements;
    w->out.bytes += bytes;
}

static void put_dropped(struct mapping *w)
{
    list_dropped(w);
    if (w->dropped_count > 0)
        qsort(w->dropped, w->dropped_count, sizeof *w->dropped,
              compare_dropped);
    text_c(&w->t, "\nDISCARDED\n");
    for (size_t i = 0; i < w->dropped_count; i++) {
        const struct dropped *d = &w->dropped[i];
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
