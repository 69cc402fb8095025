/* SPDX-License-Identifier: MIT
 *
 * stats_pairs.c - pairs by name, sums of squares on the way, codes compared.
 */
#include "stats_pairs.h"

#include <math.h>
#include <stdlib.h>

#include "buffers.h"
#include "spec.h"

#define CHUNK 1024
#define NO_AXIS UINT32_MAX

/* --- names --- */

/* Rows ordered by scope and name. */
struct name_order {
    const struct stats *s;
    const uint32_t *scopes;
    uint32_t *rows;
};

static int order_names(const struct name_order *o, uint32_t scope,
                       struct str name, uint32_t row)
{
    uint32_t other = o->scopes == NULL ? 0 : o->scopes[row];
    if (scope != other)
        return scope < other ? -1 : 1;
    return str_order(name, o->s->rows[row].name);
}

static int compare_rows(const void *x, const void *y, void *context)
{
    const struct name_order *o = context;
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    int c = order_names(o, o->scopes == NULL ? 0 : o->scopes[a],
                        o->s->rows[a].name, b);
    return c != 0 ? c : (a > b) - (a < b);
}

/* The row of this name in this scope, or STATS_NO_PAIR. */
static uint32_t find_row(const struct name_order *o, uint32_t scope,
                         struct str name)
{
    size_t low = 0, high = o->s->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int c = order_names(o, scope, name, o->rows[middle]);
        if (c == 0)
            return o->rows[middle];
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return STATS_NO_PAIR;
}

/* The name of v if this is the name of a g; else an empty one. */
static struct str other_name(struct arena *a, struct str g)
{
    static const struct {
        const char *g;
        char v;
    } ends[] = {{"weight_g", 'v'}, {"parametrizations.weight.original0", '1'}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t n = strlen(ends[i].g);
        if (str_ends(g, ends[i].g) && (g.n == n || g.p[g.n - n - 1] == '.'))
            return arena_format(a, "%.*s%c", (int)g.n - 1, g.p, ends[i].v);
    }
    return (struct str){0};
}

/* --- shapes --- */

static uint64_t elements_of(const struct stats_row *r)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < r->rank; i++)
        n *= r->dims[i];
    return n;
}

/* Fills keep and inner; false if g is no magnitude of v. */
static bool fill_rows(const struct stats_row *g, const struct stats_row *v,
                      struct rows *out)
{
    uint64_t size = elements_of(g);
    uint32_t axis = NO_AXIS;
    for (uint32_t i = 0; i < g->rank && size > 1; i++)
        if (g->dims[i] != 1) {
            if (axis != NO_AXIS)
                return false;
            axis = i;
        }
    *out = (struct rows){.keep = 1, .inner = elements_of(v)};
    if (out->inner == 0 || size == 0)
        return false;
    if (axis == NO_AXIS)
        return true;
    if (g->rank != v->rank || v->dims[axis] != size)
        return false;
    out->keep = size;
    out->inner = 1;
    for (uint32_t i = axis + 1; i < v->rank; i++)
        out->inner *= v->dims[i];
    return true;
}

static void add_pair(const struct stats *s, uint32_t g, uint32_t v,
                     struct stats_pairs *out)
{
    struct stats_pair pair = {.g = g, .v = v};
    if (!kernel_is_float(s->rows[g].dtype) ||
        !kernel_is_float(s->rows[v].dtype) || out->of[g] != STATS_NO_PAIR ||
        out->of[v] != STATS_NO_PAIR ||
        !fill_rows(&s->rows[g], &s->rows[v], &pair.rows))
        return;
    out->of[g] = out->of[v] = (uint32_t)out->n;
    out->p[out->n++] = pair;
}

void stats_pairs_find(struct arena *a, const struct stats *s,
                      const uint32_t *scopes, struct stats_pairs *out)
{
    struct arena scratch = {0};
    struct name_order o = {s, scopes, arena_new(&scratch, uint32_t, s->n)};
    size_t most = 0;
    *out = (struct stats_pairs){.of = arena_new(a, uint32_t, s->n)};
    for (uint32_t i = 0; i < s->n; i++) {
        o.rows[i] = i;
        out->of[i] = STATS_NO_PAIR;
        most += other_name(&scratch, s->rows[i].name).n > 0;
    }
    out->p = arena_new(a, struct stats_pair, most);
    if (most > 0)
        qsort_r(o.rows, s->n, sizeof *o.rows, compare_rows, &o);
    for (uint32_t i = 0; i < s->n && most > 0; i++) {
        struct str name = other_name(&scratch, s->rows[i].name);
        uint32_t v = name.n == 0
                         ? STATS_NO_PAIR
                         : find_row(&o, scopes == NULL ? 0 : scopes[i], name);
        if (v != STATS_NO_PAIR)
            add_pair(s, i, v, out);
    }
    arena_release(&scratch);
}

/* --- values --- */

static void begin_v(struct stats_pair *p)
{
    p->rows.acc = buffers_take_many(p->rows.keep, sizeof *p->rows.acc);
    for (uint64_t k = 0; k < p->rows.keep; k++)
        kernel_sumsq_init(&p->rows.acc[k]);
}

static void end_v(struct stats_pair *p)
{
    p->norms = buffers_take_many(p->rows.keep, sizeof *p->norms);
    for (uint64_t k = 0; k < p->rows.keep; k++)
        p->norms[k] = sqrt(kernel_sumsq_done(&p->rows.acc[k]));
    free(p->rows.acc);
    p->rows.acc = NULL;
}

static void add_v(struct stats_pair *p, const struct stats_row *r, uint64_t at,
                  struct str bytes)
{
    size_t size = spec_dtype_bits(r->dtype) / 8;
    double wide[CHUNK];
    if (at == 0)
        begin_v(p);
    for (size_t i = 0; i < bytes.n / size; i += CHUNK) {
        size_t n = bytes.n / size - i < CHUNK ? bytes.n / size - i : CHUNK;
        kernel_load_f64(r->dtype, bytes.p + i * size, n, wide);
        rows_add(&p->rows, wide, at / size + i, n);
    }
    if (at + bytes.n == r->size)
        end_v(p);
}

static void add_g(struct stats_pair *p, const struct stats_row *r, uint64_t at,
                  struct str bytes)
{
    size_t size = spec_dtype_bits(r->dtype) / 8;
    if (at == 0)
        p->magnitudes = buffers_take_many(p->rows.keep, sizeof(double));
    kernel_load_f64(r->dtype, bytes.p, bytes.n / size,
                    p->magnitudes + at / size);
    p->whole_g = at + bytes.n == r->size;
}

void stats_pairs_add(const struct stats_pairs *p, const struct stats *s,
                     size_t row, uint64_t at, struct str bytes)
{
    struct stats_pair *pair;
    if (p->of[row] == STATS_NO_PAIR)
        return;
    pair = &p->p[p->of[row]];
    if (pair->v == row)
        add_v(pair, &s->rows[row], at, bytes);
    else
        add_g(pair, &s->rows[row], at, bytes);
}

/* --- the verdict --- */

/* The code of a number that the dtype holds, or was rounded to it. */
static int64_t code_of(enum ttsb_dtype dtype, double x)
{
    struct kernel_range_error ignored = {0};
    int64_t code = 0;
    kernel_store_f64(dtype, &x, 1, &code, &ignored);
    return code;
}

static bool is_norm(enum ttsb_dtype dtype, double g, double norm)
{
    bool narrow = dtype == TTSB_F16 || dtype == TTSB_BF16;
    int64_t apart;
    if (!(g > 0) || !(norm > 0) || isinf(g) || isinf(norm))
        return false;
    apart = code_of(dtype, g) - code_of(dtype, norm);
    return llabs(apart) <= (narrow ? 1 : 4);
}

static bool is_untrained(const struct stats_pair *p, enum ttsb_dtype dtype)
{
    bool is = p->norms != NULL && p->whole_g;
    for (uint64_t k = 0; k < p->rows.keep && is; k++)
        is = is_norm(dtype, p->magnitudes[k], p->norms[k]);
    return is;
}

void stats_pairs_judge(struct stats_pairs *p, struct stats *s)
{
    for (size_t i = 0; i < p->n; i++) {
        struct stats_pair *pair = &p->p[i];
        bool is = is_untrained(pair, s->rows[pair->g].dtype);
        s->rows[pair->g].untrained_norm = is;
        s->rows[pair->v].untrained_norm = is;
        free(pair->rows.acc);
        free(pair->norms);
        free(pair->magnitudes);
        *pair = (struct stats_pair){.g = pair->g, .v = pair->v};
    }
    p->n = 0;
}
