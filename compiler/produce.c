/* SPDX-License-Identifier: MIT
 *
 * produce.c - first the sources of a unit are audited, each in its own order,
 * then its outputs are made, each in its own.
 *
 * A source that feeds one output in its own order needs no audit pass: it is
 * audited while it is copied or cast.
 */
#include "produce.h"

#include <stdlib.h>

#include "assemble.h"
#include "audit.h"
#include "compute.h"

/* One unit in the making. */
struct making {
    const struct production *p;
    struct buffers *b;
    struct arena arena;
    const uint32_t *outputs;
    size_t count;
    struct norms norms;
};

bool produce_fail(const struct production *p, struct finding f)
{
    struct findings *v = p->findings;
    pthread_mutex_lock(&v->lock);
    if (v->n == v->capacity) {
        v->capacity = v->capacity == 0 ? 16 : v->capacity * 2;
        v->p = realloc(v->p, v->capacity * sizeof *v->p);
        if (v->p == NULL)
            arena_exhausted();
    }
    v->p[v->n++] = f;
    pthread_mutex_unlock(&v->lock);
    return false;
}

/* --- watches --- */

void produce_show_source(const struct production *p, uint32_t tensor,
                         uint64_t at, const void *bytes, size_t n)
{
    for (size_t i = 0; i < p->watch_count; i++)
        if (p->watches[i].source != NULL)
            p->watches[i].source(p->watches[i].context, tensor, at, bytes, n);
}

static void show_output(const struct production *p, uint32_t output,
                        uint64_t at, struct str data)
{
    const struct output *o = &p->model->outputs[output];
    for (size_t i = 0; i < p->watch_count; i++)
        if (p->watches[i].output != NULL && !o->absent && !o->missing)
            p->watches[i].output(p->watches[i].context, output, at, data.p,
                                 data.n);
}

/* --- writing --- */

static bool fail(const struct making *m, uint32_t index, struct finding f)
{
    f.output = index;
    return produce_fail(m->p, f);
}

/* Writes bytes [at, at + size) of an output and hashes its pieces; `at` is a
 * multiple of the piece size. */
static bool put(const struct making *m, uint32_t index, uint64_t at,
                struct str data)
{
    uint64_t *pieces = m->p->pieces + m->p->first_piece[index];
    int error = 0;
    if (m->p->file != NULL)
        error =
            outfile_write(m->p->file, m->p->offset[index] + at, data.p, data.n);
    show_output(m->p, index, at, data);
    audit_hash(data.p, data.n, pieces + at / TTSB_PIECE_SIZE);
    progress_add(m->p->progress, index, data.n);
    return error == 0 ||
           fail(m, index,
                (struct finding){.kind = FINDING_WRITE, .error = error});
}

/* An absent output is zero, a missing one 0xFF. */
static void fill(const struct making *m, uint32_t index, int byte)
{
    const struct output *o = &m->p->model->outputs[index];
    uint64_t at = 0;
    memset(m->b->out, byte, PRODUCE_SLAB);
    while (at < o->size) {
        uint64_t n = o->size - at < PRODUCE_SLAB ? o->size - at : PRODUCE_SLAB;
        if (!put(m, index, at, (struct str){(char *)m->b->out, (size_t)n}))
            return;
        at += n;
    }
}

static void say_misfits(const struct making *m, uint32_t index,
                        const struct misfits *bad)
{
    struct finding f = {.kind = FINDING_RANGE};
    f.count = assemble_first_misfit(bad, &f.first, &f.value);
    if (f.count > 0)
        fail(m, index, f);
}

/* --- a source in its own order, audited on the way --- */

struct passage {
    uint32_t index;
    const struct region *r;
    struct view v;
    uint64_t *pieces; /* of the source */
    struct kernel_nonfinite bad;
    struct misfits misfits;
};

/* Elements [at, at + n): read, looked at, converted, written. */
static bool pass_slab(const struct making *m, struct passage *s, uint64_t at,
                      uint64_t n)
{
    const struct output *o = &m->p->model->outputs[s->index];
    const struct leaf *leaf = s->r->leaf;
    struct conversion c = {s->r, &s->v, NULL, o->dtype, m->b->wide};
    size_t in = s->v.element_size, out = spec_dtype_bits(o->dtype) / 8;
    bool copy = assemble_is_copy(s->r, o->dtype);
    int error = checkpoint_read(m->p->checkpoint, leaf->source, at * in,
                                m->b->raw, (size_t)n * in);
    if (error != 0)
        return fail(m, s->index,
                    (struct finding){
                        .kind = FINDING_READ, .error = error, .leaf = leaf});
    kernel_scan_nonfinite(leaf->dtype, m->b->raw, n, &s->bad);
    produce_show_source(m->p, leaf->source, at * in, m->b->raw, (size_t)n * in);
    if (copy)
        return put(m, s->index, at * in,
                   (struct str){(char *)m->b->raw, (size_t)n * in});
    audit_hash(m->b->raw, (size_t)n * in,
               s->pieces + at * in / TTSB_PIECE_SIZE);
    assemble_convert(&c, at, n, m->b->raw, m->b->out, &s->misfits);
    return put(m, s->index, at * out,
               (struct str){(char *)m->b->out, (size_t)n * out});
}

static void pass_all(const struct making *m, struct passage *s)
{
    const struct output *o = &m->p->model->outputs[s->index];
    struct audit audit = {m->p, m->b};
    size_t most = spec_dtype_bits(o->dtype) / 8;
    bool copy = assemble_is_copy(s->r, o->dtype);
    uint64_t step, at = 0;
    most = most > s->v.element_size ? most : s->v.element_size;
    step = PRODUCE_SLAB / most;
    while (at < s->v.elements) {
        uint64_t n = s->v.elements - at < step ? s->v.elements - at : step;
        if (!pass_slab(m, s, at, n))
            return;
        at += n;
    }
    if (audit_done(&audit, s->r->leaf,
                   copy ? m->p->pieces + m->p->first_piece[s->index]
                        : s->pieces,
                   &s->bad))
        say_misfits(m, s->index, &s->misfits);
}

/* The only use of a tensor, whole and in its own order. */
static bool is_straight(const struct making *m, const struct output *o,
                        const struct regions *v)
{
    const struct region *r = v->n == 1 ? &v->p[0] : NULL;
    return m->count == 1 && o->leaf_count == 1 && r != NULL &&
           region_is_whole(r) && view_whole(r).straight;
}

static bool make_straight(struct making *m)
{
    struct passage s = {.index = m->outputs[0]};
    const struct output *o = &m->p->model->outputs[s.index];
    struct regions v;
    if (m->count != 1 || o->leaf_count != 1 || o->absent || o->missing)
        return false;
    v = plan_value(&m->arena, o->step);
    if (!is_straight(m, o, &v))
        return false;
    s.r = &v.p[0];
    s.v = view_whole(s.r);
    s.pieces = buffers_take(
        (size_t)(s.v.elements * s.v.element_size / TTSB_PIECE_SIZE + 1) * 8);
    pass_all(m, &s);
    free(s.pieces);
    return true;
}

/* --- any other output --- */

static void make_slabs(const struct making *m, uint32_t index,
                       struct assembly *s)
{
    uint64_t at = 0, elements;
    size_t size = spec_dtype_bits(s->dtype) / 8;
    type_elements(s->type, &elements);
    if (elements == 0)
        return;
    assemble_begin(s);
    while (at < elements) {
        uint64_t n = elements - at < s->step ? elements - at : s->step;
        const uint8_t *bytes;
        int error = assemble_range(s, at, n, &bytes);
        if (error != 0) {
            fail(m, index,
                 (struct finding){
                     .kind = FINDING_READ, .error = error, .leaf = s->unread});
            return;
        }
        if (!put(m, index, at * size,
                 (struct str){(const char *)bytes, (size_t)n * size}))
            return;
        at += n;
    }
    if (s->bad > 0)
        fail(m, index,
             (struct finding){.kind = FINDING_RANGE,
                              .count = s->bad,
                              .first = s->first_bad,
                              .value = s->bad_value});
}

static void make_output(const struct making *m, uint32_t index)
{
    struct arena scratch = {0}; /* regions */
    const struct output *o = &m->p->model->outputs[index];
    struct assembly s = {
        .b = m->b, .type = o->type, .dtype = o->dtype, .norms = &m->norms};
    struct computing c = {&scratch, m->p, &m->norms, NULL};
    if (o->absent || o->missing) {
        fill(m, index, o->absent ? 0 : 0xff);
        return;
    }
    s.regions = plan_value(&scratch, o->step);
    if (computed_open(&c, &s.regions))
        make_slabs(m, index, &s);
    computed_close(&m->b->gather, &s.regions);
    computed_end(&c);
    arena_release(&scratch);
}

/* --- sources --- */

static bool audit_value(struct making *m, const struct leaf *leaf)
{
    struct audit audit = {m->p, m->b};
    struct norm n = {.v = leaf};
    if (leaf->pair == NULL)
        return audit_leaf(&audit, leaf);
    if (leaf->is_g)
        return true; /* with its direction */
    for (size_t i = 0; i < m->norms.n; i++)
        if (m->norms.p[i].v == leaf)
            return true;
    n.scale = audit_norm(&audit, leaf, leaf->pair);
    if (n.scale == NULL)
        return false;
    if (m->norms.n == m->norms.capacity)
        m->norms.p = arena_grow(&m->arena, m->norms.p, sizeof *m->norms.p,
                                m->norms.n, &m->norms.capacity);
    m->norms.p[m->norms.n++] = n;
    return true;
}

/* All sources of the unit that are read at all. */
static bool audit_unit(struct making *m)
{
    const struct output *before = NULL;
    bool ok = true;
    for (size_t i = 0; i < m->count; i++) {
        const struct output *o = &m->p->model->outputs[m->outputs[i]];
        if (o->absent || o->missing)
            continue;
        if (before != NULL && before->first_leaf == o->first_leaf)
            continue; /* pieces of one split */
        for (uint32_t k = 0; k < o->leaf_count; k++)
            ok = audit_value(m, output_leaf(m->p->model, o, k)) && ok;
        before = o;
    }
    return ok;
}

void produce_unit(const struct production *p, struct buffers *b,
                  const uint32_t *outputs, size_t n)
{
    struct making m = {.p = p, .b = b, .outputs = outputs, .count = n};
    if (!make_straight(&m) && audit_unit(&m))
        for (size_t i = 0; i < n; i++)
            make_output(&m, outputs[i]);
    for (size_t i = 0; i < m.norms.n; i++)
        free(m.norms.p[i].scale);
    arena_release(&m.arena);
}
