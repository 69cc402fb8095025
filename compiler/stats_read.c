/* SPDX-License-Identifier: MIT
 *
 * stats_read.c - units for the threads, joined in order.
 */
#include "stats_read.h"

#include <errno.h>
#include <stdlib.h>

#include "audit.h"
#include "buffers.h"
#include "pool.h"
#include "stats_follow.h"
#include "stats_pairs.h"

#define MAX_WORKERS 256

/* A part of a row that one thread reads. */
struct part {
    uint32_t row;
    bool whole; /* all of the row */
    uint64_t begin, end;
    struct tally *tally; /* of a part; the row's if whole */
    int error;
};

struct reading {
    struct arena *a;
    const struct stats_request *q;
    struct stats *s;
    struct stats_pairs pairs;
    uint32_t *tensor;   /* of each row */
    uint64_t **pieces;  /* of each row */
    struct part *parts; /* by row, then by place */
    size_t part_count;
    uint8_t *slabs[MAX_WORKERS];
    struct progress progress;
};

/* --- rows --- */

static struct str group_of(struct arena *a, const struct tensors *t,
                           const struct tensor *x)
{
    struct ttsb_group g = {.struct_size = sizeof g};
    if (t->kind != TENSORS_BLOB)
        return x->file;
    ttsb_group_at(t->blob, x->group, &g);
    return arena_str(a, str_c(g.name));
}

static void fill_row(struct reading *r, uint32_t i)
{
    const struct tensors *t = r->q->tensors;
    const struct tensor *x = &t->p[i];
    struct stats_row *row = &r->s->rows[r->s->n];
    *row = (struct stats_row){.name = x->name,
                              .dtype = x->dtype,
                              .rank = x->rank,
                              .dims = x->dims,
                              .size = x->size,
                              .file = x->file};
    if (r->s->n > 0 && t->p[r->tensor[r->s->n - 1]].group == x->group &&
        t->kind == TENSORS_BLOB)
        row->group = row[-1].group;
    else
        row->group = group_of(r->a, t, x);
    r->tensor[r->s->n++] = i;
}

/* The tensor whose bytes these are. */
static uint32_t origin(const struct tensors *t, uint32_t i)
{
    return t->p[i].alias_of == TTSB_NO_TENSOR ? i : t->p[i].alias_of;
}

/* Of each tensor the row that reads it, one above; 0: none. What is no alias
 * comes before any alias of it. */
static uint32_t *find_readers(const struct reading *r)
{
    const struct tensors *t = r->q->tensors;
    uint32_t *reader = arena_new(r->a, uint32_t, t->n);
    for (int aliases = 0; aliases <= 1; aliases++)
        for (uint32_t k = 0; k < r->s->n; k++) {
            uint32_t i = r->tensor[k], from = origin(t, i);
            if ((i != from) == (aliases == 1) && reader[from] == 0)
                reader[from] = k + 1;
        }
    return reader;
}

/* --- parts --- */

static void add_part(struct reading *r, size_t *capacity, struct part part)
{
    if (r->part_count == *capacity)
        r->parts = arena_grow(r->a, r->parts, sizeof *r->parts, r->part_count,
                              capacity);
    r->parts[r->part_count++] = part;
}

static uint64_t unit_bytes(const struct stats_row *r)
{
    return TALLY_UNIT * (spec_dtype_bits(r->dtype) / 8);
}

static void cut_row(struct reading *r, uint32_t row, size_t *capacity)
{
    struct stats_row *x = &r->s->rows[row];
    uint64_t unit = tally_is_counted(x->dtype) ? unit_bytes(x) : x->size;
    uint64_t pieces = (x->size + TTSB_PIECE_SIZE - 1) / TTSB_PIECE_SIZE;
    struct tally *tallies;
    size_t n = 0;
    r->pieces[row] = arena_new(r->a, uint64_t, (size_t)pieces);
    if (r->pairs.of[row] != STATS_NO_PAIR || x->size <= unit) {
        add_part(r, capacity,
                 (struct part){row, true, 0, x->size, &x->tally, 0});
        return;
    }
    tallies = arena_new(r->a, struct tally, (size_t)((x->size - 1) / unit + 1));
    for (uint64_t at = 0; at < x->size; at += unit)
        add_part(r, capacity,
                 (struct part){row, false, at,
                               x->size - at < unit ? x->size : at + unit,
                               &tallies[n++], 0});
}

/* What has values and is no alias is read; aliases are marked. */
static void cut_rows(struct reading *r, const uint32_t *reader)
{
    const struct tensors *t = r->q->tensors;
    size_t capacity = 0;
    for (uint32_t k = 0; k < r->s->n; k++) {
        struct stats_row *x = &r->s->rows[k];
        uint32_t from = origin(t, r->tensor[k]);
        x->has_values = t->p[from].has_values;
        x->is_alias = reader[from] != k + 1;
        if (x->has_values && !x->is_alias && x->size == 0)
            stats_row_empty(x);
        else if (x->has_values && !x->is_alias)
            cut_row(r, k, &capacity);
    }
}

/* --- reading --- */

static int read_part(struct reading *r, const struct part *p, uint8_t *slab)
{
    const struct stats_row *x = &r->s->rows[p->row];
    struct tally_maker *m = tally_begin(x->dtype);
    int error = 0;
    for (uint64_t at = p->begin; at < p->end && error == 0;
         at += PRODUCE_SLAB) {
        size_t n =
            p->end - at < PRODUCE_SLAB ? (size_t)(p->end - at) : PRODUCE_SLAB;
        error = tensors_read(r->q->tensors, r->tensor[p->row], at, slab, n);
        if (error != 0)
            break;
        tally_add(m, slab, n);
        audit_hash(slab, n, r->pieces[p->row] + at / TTSB_PIECE_SIZE);
        if (p->whole)
            stats_pairs_add(&r->pairs, r->s, p->row, at,
                            (struct str){(const char *)slab, n});
        progress_add(&r->progress, p->row, n);
    }
    *p->tally = tally_end(m);
    return error;
}

static void job(void *context, unsigned worker, size_t i)
{
    struct reading *r = context;
    r->parts[i].error = read_part(r, &r->parts[i], r->slabs[worker]);
}

static struct progress_label label(const void *context, uint32_t row)
{
    const struct stats *s = context;
    return (struct progress_label){.source = s->path,
                                   .group = s->rows[row].group};
}

static void read_parts(struct reading *r)
{
    struct progress_plan plan = {.when = r->q->progress,
                                 .verb = "stats",
                                 .label = label,
                                 .context = r->s};
    unsigned threads = r->q->threads < 1             ? 1
                       : r->q->threads > MAX_WORKERS ? MAX_WORKERS
                                                     : r->q->threads;
    for (size_t i = 0; i < r->part_count; i++)
        plan.total += r->parts[i].end - r->parts[i].begin;
    if (threads > r->part_count)
        threads = (unsigned)r->part_count;
    for (unsigned i = 0; i < threads; i++)
        r->slabs[i] = buffers_take(PRODUCE_SLAB);
    progress_start(&r->progress, &plan);
    if (threads > 0)
        pool_run(threads, r->part_count, job, r);
    progress_stop(&r->progress);
    for (unsigned i = 0; i < threads; i++)
        free(r->slabs[i]);
}

/* --- after it --- */

static bool say(struct diag *d, const char *id, struct str path,
                const char *what)
{
    diag_add_file(d, id, path, DIAG_NO_OFFSET, "%s", what);
    return false;
}

static bool judge_errors(struct reading *r, struct diag *d)
{
    const struct tensors *t = r->q->tensors;
    struct str changed;
    for (size_t i = 0; i < r->part_count; i++) {
        const struct part *p = &r->parts[i];
        if (p->error == 0)
            continue;
        diag_add_file(d, "E0705", t->p[r->tensor[p->row]].file, DIAG_NO_OFFSET,
                      "cannot read: %s",
                      p->error == ENODATA ? "the file became shorter"
                                          : strerror(p->error));
        return false;
    }
    if (t->kind == TENSORS_SAFETENSORS &&
        checkpoint_changed(&t->checkpoint, &changed))
        return say(d, "E0705", changed, "the file changed while it was read");
    return true;
}

/* A blob says what its bytes should be. */
static bool judge_digest(struct reading *r, struct diag *d, uint32_t row)
{
    const struct tensors *t = r->q->tensors;
    const struct stats_row *x = &r->s->rows[row];
    uint8_t digest[16];
    if (t->kind != TENSORS_BLOB)
        return true;
    ttsb_tensor_digest(t->blob, t->p[r->tensor[row]].number, digest);
    if (memcmp(digest, x->digest, 16) == 0)
        return true;
    diag_add_file(d, "E0706", r->s->path, DIAG_NO_OFFSET,
                  "`%.*s` is damaged: see ttswc verify", STR_ARG(x->name));
    return false;
}

static bool finish_rows(struct reading *r, struct diag *d)
{
    bool ok = true;
    for (size_t i = 0; i < r->part_count; i++) {
        const struct part *p = &r->parts[i];
        struct stats_row *x = &r->s->rows[p->row];
        if (!p->whole)
            tally_join(&x->tally, p->tally);
        if (p->end != x->size)
            continue;
        stats_row_digest(x, r->pieces[p->row]);
        ok = judge_digest(r, d, p->row) && ok;
    }
    return ok;
}

static void fill_aliases(struct reading *r, const uint32_t *reader)
{
    for (uint32_t k = 0; k < r->s->n; k++) {
        struct stats_row *x = &r->s->rows[k];
        const struct stats_row *from =
            &r->s->rows[reader[origin(r->q->tensors, r->tensor[k])] - 1];
        if (!x->is_alias)
            continue;
        x->tally = from->tally;
        x->untrained_norm = from->untrained_norm;
        memcpy(x->digest, from->digest, 16);
    }
}

bool stats_read(struct arena *a, struct diag *d, const struct stats_request *q,
                struct stats *out)
{
    size_t n = q->index != NULL ? q->count : q->tensors->n;
    struct reading r = {.a = a, .q = q, .s = out};
    const uint32_t *reader;
    bool ok;
    *out = (struct stats){.rows = arena_new(a, struct stats_row, n),
                          .path = q->path};
    r.tensor = arena_new(a, uint32_t, n);
    r.pieces = arena_new(a, uint64_t *, n);
    for (size_t i = 0; i < n; i++)
        fill_row(&r, q->index != NULL ? q->index[i] : (uint32_t)i);
    reader = find_readers(&r);
    stats_pairs_find(a, out, NULL, &r.pairs);
    cut_rows(&r, reader);
    read_parts(&r);
    ok = judge_errors(&r, d) && finish_rows(&r, d);
    stats_pairs_judge(&r.pairs, out);
    if (ok)
        fill_aliases(&r, reader);
    return ok;
}
