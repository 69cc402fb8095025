/* SPDX-License-Identifier: MIT
 *
 * expect.c - each target of each file finds its output; then bytes pass.
 */
#include "expect.h"

#include <math.h>
#include <stdlib.h>

#include "kernels.h"

#define CHUNK 1024 /* elements */

/* --- names, shapes, dtypes --- */

static const struct output *output_of(const struct expect *x,
                                      const struct expected *e)
{
    return &x->m->outputs[e->output];
}

static bool same_shape(struct type t, uint32_t rank, const uint64_t *dims)
{
    bool same = t.rank == rank;
    for (uint32_t i = 0; same && i < rank; i++)
        same = t.axes[i].size == dims[i];
    return same;
}

/* Values are rounded to what is stored, or are its very bits, in whole bytes.
 */
static bool same_kind(const struct output *o, const struct expected *e)
{
    bool is_float = spec_dtype_is_float(o->dtype);
    if (spec_dtype_bits(o->dtype) < 8)
        return false;
    if (e->probe != NULL)
        return is_float;
    return is_float ? spec_dtype_is_float((enum ttsb_dtype)e->golden->dtype)
                    : o->dtype == (enum ttsb_dtype)e->golden->dtype;
}

/* What the spec alone says of it. */
static enum verdict judge_type(const struct expect *x, struct expected *e)
{
    uint32_t index;
    const struct output *o;
    if (!nametab_find(&x->m->names, e->target, &index))
        return VERDICT_UNKNOWN;
    o = &x->m->outputs[index];
    e->output = o->alias_of == TTSB_NO_TENSOR ? index : o->alias_of;
    o = output_of(x, e);
    if (e->probe != NULL
            ? !same_shape(o->type, e->probe->rank, e->probe->dims)
            : !same_shape(o->type, e->golden->rank, e->golden->dims))
        return VERDICT_SHAPE;
    return same_kind(o, e) ? VERDICT_MET : VERDICT_DTYPE;
}

static void add(struct expect *x, struct expected e)
{
    e.output = NO_EXPECTED;
    e.next = NO_EXPECTED;
    e.verdict = judge_type(x, &e);
    if (e.probe != NULL)
        e.projection.sums =
            arena_take(x->a, sizeof *e.projection.sums, e.projection.count);
    if (x->n == x->capacity)
        x->p = arena_grow(x->a, x->p, sizeof *x->p, x->n, &x->capacity);
    if (e.verdict == VERDICT_MET) {
        e.next = x->first[e.output];
        x->first[e.output] = (uint32_t)x->n;
    }
    x->p[x->n++] = e;
}

/* --- files --- */

/* An entry and what its file holds. */
struct opening {
    struct expect *x;
    const struct expect_entry *entry;
    struct probe_file probes;
    struct stfile *file;
};

static void add_probe(const struct opening *o, struct expected e, uint32_t i)
{
    e.probe = &o->probes.p[i];
    e.projection =
        (struct projection){.seed = o->probes.seed, .count = e.probe->count};
    add(o->x, e);
}

static void add_golden(const struct opening *o, struct expected e, uint32_t i)
{
    e.file = o->file;
    e.golden = &o->file->header.tensors[i];
    add(o->x, e);
}

static void add_one(const struct opening *o, struct expected e, uint32_t i)
{
    e.entry = o->entry;
    if (o->entry->is_probes)
        add_probe(o, e, i);
    else
        add_golden(o, e, i);
}

static struct str key_at(const struct opening *o, size_t i)
{
    return o->entry->is_probes ? o->probes.p[i].name
                               : o->file->header.tensors[i].name;
}

static bool add_named(const struct opening *o, const struct nametab *keys)
{
    bool ok = true;
    for (size_t i = 0; i < o->entry->name_count; i++) {
        const struct expect_name *n = &o->entry->names[i];
        struct expected e = {.at = n->at, .target = n->target};
        uint32_t index;
        if (nametab_find(keys, n->key, &index)) {
            add_one(o, e, index);
            continue;
        }
        diag_add(o->x->d, "E0604", diag_at(n->at),
                 "`%.*s` has no `%.*s`, which `%.*s` is expected to be",
                 STR_ARG(o->entry->path), STR_ARG(n->key), STR_ARG(n->target));
        ok = false;
    }
    return ok;
}

static bool add_all(const struct opening *o, size_t n)
{
    for (uint32_t i = 0; i < n; i++)
        add_one(o,
                (struct expected){.at = o->entry->at, .target = key_at(o, i)},
                i);
    if (n == 0)
        diag_add(o->x->d, "E0604", diag_at(o->entry->at),
                 "`%.*s` holds no tensor, so that nothing is expected",
                 STR_ARG(o->entry->path));
    return n > 0;
}

static bool open_entry(struct opening *o)
{
    struct expect *x = o->x;
    const struct expect_entry *e = o->entry;
    struct nametab keys = {0};
    size_t n;
    if (e->is_probes ? !probes_read(x->a, x->d, e->path, e->at, &o->probes)
                     : !stfile_open(x->a, x->d, e->path, o->file))
        return false;
    n = e->is_probes ? o->probes.n : o->file->header.count;
    if (e->names == NULL)
        return add_all(o, n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t index = i;
        nametab_add(x->a, &keys, key_at(o, i), &index);
    }
    return add_named(o, &keys);
}

bool expect_open(struct arena *a, struct diag *d, const struct model *m,
                 struct expect *out)
{
    const struct spec *s = m->spec;
    bool ok = true;
    *out = (struct expect){.a = a, .d = d, .m = m};
    if (s->expect_count == 0)
        return true;
    out->files = arena_new(a, struct stfile, s->expect_count);
    out->file_count = s->expect_count;
    out->first = arena_new(a, uint32_t, m->output_count);
    for (size_t i = 0; i < m->output_count; i++)
        out->first[i] = NO_EXPECTED;
    for (size_t i = 0; i < s->expect_count; i++)
        out->files[i].fd = -1;
    for (size_t i = 0; i < s->expect_count; i++) {
        struct opening o = {out, &s->expects[i], {0}, &out->files[i]};
        ok = open_entry(&o) && ok;
        ok = expect_say(out, &s->expects[i]) == 0 && ok;
    }
    return ok;
}

void expect_close(struct expect *x)
{
    for (size_t i = 0; i < x->file_count; i++)
        if (x->files[i].fd >= 0)
            stfile_close(&x->files[i]);
    x->file_count = 0;
}

/* Whether an output has an expectation, and meets all that it has. */
static bool is_met(const struct expect *x, size_t output)
{
    uint32_t i = x->first[output];
    bool met = i != NO_EXPECTED;
    for (; i != NO_EXPECTED; i = x->p[i].next)
        met = met && x->p[i].verdict == VERDICT_MET;
    return met;
}

size_t expect_count(const struct expect *x)
{
    size_t n = 0;
    for (size_t i = 0; x->first != NULL && i < x->m->output_count; i++)
        n += is_met(x, i);
    return n;
}

/* --- values --- */

/* n elements of an output: their bytes, and those that are expected, rounded
 * to its dtype. */
struct pair {
    enum ttsb_dtype dtype;
    size_t size; /* of an element */
    uint64_t at; /* element */
    size_t n;
    const uint8_t *found;
    const uint8_t *wanted;
};

/* A float's place among all of its dtype, so that neighbours differ by 1. */
static int64_t place_of(const uint8_t *p, size_t size)
{
    uint64_t bits = 0, sign = (uint64_t)1 << (size * 8 - 1);
    memcpy(&bits, p, size);
    return bits & sign ? -(int64_t)(bits & (sign - 1)) : (int64_t)bits;
}

static bool is_close(const struct expect_entry *e, const struct pair *p,
                     size_t i, const double *wanted_found)
{
    double wanted = wanted_found[0], found = wanted_found[1];
    int64_t a, b;
    if (isnan(wanted) || isnan(found))
        return isnan(wanted) && isnan(found);
    if (wanted == found)
        return true;
    if (isinf(wanted) || isinf(found))
        return false;
    if (fabs(found - wanted) <= e->atol + e->rtol * fabs(wanted))
        return true;
    a = place_of(p->wanted + i * p->size, p->size);
    b = place_of(p->found + i * p->size, p->size);
    return (a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a) <=
           e->ulp;
}

static void count_one(struct expected *e, const struct pair *p, size_t i)
{
    double both[2] = {0, 0};
    bool is_float = spec_dtype_is_float(p->dtype);
    if (is_float) {
        kernel_load_f64(p->dtype, p->wanted + i * p->size, 1, &both[0]);
        kernel_load_f64(p->dtype, p->found + i * p->size, 1, &both[1]);
    }
    if (is_float ? is_close(e->entry, p, i, both)
                 : memcmp(p->found + i * p->size, p->wanted + i * p->size,
                          p->size) == 0)
        return;
    if (e->different++ > 0)
        return;
    e->first = p->at + i;
    e->wanted = both[0];
    e->found = both[1];
}

/* Elements [at, at + n), n at most CHUNK. */
static void compare(const struct expect *x, struct expected *e, uint64_t at,
                    const uint8_t *found, size_t n)
{
    enum ttsb_dtype to = output_of(x, e)->dtype;
    enum ttsb_dtype from = (enum ttsb_dtype)e->golden->dtype;
    size_t in = spec_dtype_bits(from) / 8, size = spec_dtype_bits(to) / 8;
    uint8_t raw[CHUNK * 8], rounded[CHUNK * 8];
    struct kernel_range_error range = {0};
    struct pair p = {to, size, at, n, found, raw};
    e->error = stfile_read(e->file, e->golden, at * in, raw, n * in);
    if (e->error != 0)
        return;
    if (from != to) {
        kernel_cast((struct kernel_cast){from, to}, raw, n, rounded, &range);
        p.wanted = rounded;
    }
    if (memcmp(p.wanted, found, n * size) == 0)
        return;
    for (size_t i = 0; i < n; i++)
        count_one(e, &p, i);
}

/* --- what passes --- */

static void project(const struct expect *x, struct expected *e,
                    const uint8_t *bytes, size_t n)
{
    double wide[CHUNK];
    kernel_load_f64(output_of(x, e)->dtype, bytes, n, wide);
    projection_add(&e->projection, wide, n);
}

static void see(void *context, uint32_t output, uint64_t at, const void *bytes,
                size_t n)
{
    struct expect *x = context;
    uint32_t bits = spec_dtype_bits(x->m->outputs[output].dtype);
    size_t unit = bits < 8 ? 1 : bits / 8, count = n / unit;
    uint32_t i = x->first != NULL ? x->first[output] : NO_EXPECTED;
    for (; i != NO_EXPECTED; i = x->p[i].next) {
        struct expected *e = &x->p[i];
        for (size_t k = 0; k < count && e->error == 0; k += CHUNK) {
            size_t some = count - k < CHUNK ? count - k : CHUNK;
            const uint8_t *p = (const uint8_t *)bytes + k * unit;
            if (e->probe != NULL)
                project(x, e, p, some);
            else
                compare(x, e, at / unit + k, p, some);
        }
        e->seen += n;
    }
}

/* --- judging --- */

struct probe_bounds expect_bounds(const struct expect *x,
                                  const struct expected *e)
{
    struct probe_tolerance t = {PROBES_RTOL, e->entry->atol};
    uint64_t n;
    if (e->entry->has_rtol)
        t.rtol = e->entry->rtol;
    type_elements(output_of(x, e)->type, &n);
    return probe_bounds(e->probe->sumsq, n, output_of(x, e)->dtype, t);
}

static bool meets_probes(const struct expect *x, const struct expected *e)
{
    const struct probe *p = e->probe;
    struct probe_bounds b = expect_bounds(x, e);
    bool met = fabs(projection_sumsq(&e->projection) - p->sumsq) <= b.sumsq;
    for (uint32_t k = 0; k < p->count; k++)
        met = met &&
              fabs(projection_sum(&e->projection, k) - p->sums[k]) <= b.sum;
    return met;
}

/* An output that did not pass whole has a finding: without one it is a bug. */
static bool was_explained(const struct expect *x)
{
    if (x->d->errors == 0)
        abort();
    return false;
}

static bool judge(const struct expect *x, struct expected *e)
{
    const struct output *o;
    if (e->verdict != VERDICT_MET)
        return false;
    o = output_of(x, e);
    if (e->error != 0) {
        diag_add_file(x->d, "E0705", e->file->path, DIAG_NO_OFFSET,
                      "cannot read: %s", strerror(e->error));
        return false;
    }
    if (o->absent)
        e->verdict = VERDICT_ABSENT;
    else if (o->missing)
        e->verdict = VERDICT_MISSING;
    else if (e->seen != o->size)
        return was_explained(x);
    else if (e->probe != NULL && !meets_probes(x, e))
        e->verdict = VERDICT_PROBES;
    else if (e->different > 0)
        e->verdict = VERDICT_VALUES;
    return true;
}

static bool judge_all(void *context)
{
    struct expect *x = context;
    const struct spec *s = x->m->spec;
    uint64_t before = x->d->errors;
    bool ok = true;
    for (size_t i = 0; i < x->n; i++)
        ok = judge(x, &x->p[i]) && ok;
    for (size_t i = 0; i < x->file_count; i++)
        if (x->files[i].fd >= 0 && stfile_changed(&x->files[i])) {
            diag_add_file(x->d, "E0705", x->files[i].path, DIAG_NO_OFFSET,
                          "the file changed while it was read");
            return false;
        }
    for (size_t i = 0; i < s->expect_count; i++)
        expect_say(x, &s->expects[i]);
    return ok && x->d->errors == before;
}

struct watch expect_watch(struct expect *x)
{
    return (struct watch){.output = see, .context = x, .done = judge_all};
}
