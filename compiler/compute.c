/* SPDX-License-Identifier: MIT
 *
 * compute.c - operands are assembled range by range and combined.
 *
 * A vector that runs along an axis is a table; so are the norms, each computed
 * in one pass over the operand in its own order, by the tree of kernels/.
 */
#include "compute.h"

#include <math.h>
#include <stdlib.h>

#include "assemble.h"
#include "produce.h"
#include "taint.h"

#define NODE_SLAB ((size_t)128 << 10)
#define NODE_CHUNK (NODE_SLAB / sizeof(double)) /* elements at a time */

/* One operand, made in binary64. */
struct operand {
    struct assembly s;
    uint64_t elements;
};

/* Buffers that are free between two calls of any node that has them: what
 * gather.c remembers is told apart by leaves and nodes. */
struct slot {
    struct buffers *arg, *other;
    double *chunk; /* NODE_CHUNK; the other operand's elements */
};

struct level {
    struct slot slots[COMPUTE_SLOTS];
    struct level *below;
};

struct computed {
    const struct step *step;
    struct operand arg, other; /* other.s.b NULL: a table, or none */
    double *table;             /* vector, norms, or one sigma */
    /* Element e has table[e / inner % keep]; of norms over an axis of this
     * size, table[e / (keep * inner) * inner + e % inner]. */
    uint64_t keep, inner;
    struct slot *slot;
    const struct leaf *unread;
    const struct checkpoint *allowed; /* NULL: no source may */
};

/* --- operands --- */

/* With the buffers *b, taken if there are none yet. */
static bool operand_open(const struct computing *x, const struct step *s,
                         struct buffers **b, struct operand *out)
{
    struct computing below = *x;
    if (*b == NULL)
        *b = buffers_new(x->p->checkpoint, NODE_SLAB);
    if (x->level->below == NULL)
        x->level->below = arena_new(x->a, struct level, 1);
    below.level = x->level->below;
    type_elements(s->type, &out->elements);
    out->s = (struct assembly){
        .type = s->type, .dtype = TTSB_F64, .norms = x->norms, .b = *b};
    out->s.regions = plan_value(x->a, s);
    assemble_begin(&out->s);
    return computed_open(&below, &out->s.regions);
}

static void operand_close(struct operand *o)
{
    if (o->s.b != NULL)
        computed_close(&o->s.b->gather, &o->s.regions);
    o->s.b = NULL;
}

/* Elements [at, at + n), n at most NODE_CHUNK. */
static int operand_read(struct computed *c, struct operand *o, uint64_t at,
                        uint64_t n, double *out)
{
    uint64_t done = 0;
    int error = 0;
    while (done < n && error == 0) {
        uint64_t k = n - done < o->s.step ? n - done : o->s.step;
        const uint8_t *bytes;
        error = assemble_range(&o->s, at + done, k, &bytes);
        if (error == 0)
            memcpy(out + done, bytes, (size_t)k * sizeof *out);
        done += k;
    }
    if (error != 0)
        c->unread = o->s.unread;
    return error;
}

static bool fail_read(const struct computing *x, const struct computed *c,
                      int error)
{
    return error == 0 ||
           produce_fail(x->p, (struct finding){.kind = FINDING_READ,
                                               .error = error,
                                               .leaf = c->unread});
}

/* All of a small operand. */
static double *read_table(const struct computing *x, struct computed *c,
                          const struct step *s)
{
    struct operand o;
    double *table = NULL;
    int error = 0;
    bool ok = operand_open(x, s, &c->slot->other, &o);
    if (ok)
        table = buffers_take_many(o.elements, sizeof *table);
    for (uint64_t at = 0; ok && at < o.elements && error == 0;
         at += NODE_CHUNK) {
        uint64_t n =
            o.elements - at < NODE_CHUNK ? o.elements - at : NODE_CHUNK;
        error = operand_read(c, &o, at, n, table + at);
    }
    operand_close(&o);
    if (ok && fail_read(x, c, error))
        return table;
    free(table);
    return NULL;
}

/* All elements of the first operand in order, n at a time. */
static bool for_each(const struct computing *x, struct computed *c,
                     void (*add)(void *to, const double *x, uint64_t at,
                                 uint64_t n),
                     void *to)
{
    int error = 0;
    for (uint64_t at = 0; at < c->arg.elements && error == 0;
         at += NODE_CHUNK) {
        uint64_t rest = c->arg.elements - at;
        uint64_t n = rest < NODE_CHUNK ? rest : NODE_CHUNK;
        error = operand_read(c, &c->arg, at, n, c->slot->chunk);
        if (error == 0)
            add(to, c->slot->chunk, at, n);
    }
    return fail_read(x, c, error);
}

/* --- norms over an axis --- */

struct norm_sums {
    struct computed *c;
    struct kernel_sumsq *acc; /* inner */
};

static void close_row(const struct norm_sums *s, uint64_t row)
{
    const struct computed *c = s->c;
    for (uint64_t i = 0; i < c->inner; i++) {
        double norm = sqrt(kernel_sumsq_done(&s->acc[i]));
        double least = c->step->number;
        c->table[row * c->inner + i] = norm < least ? least : norm;
        kernel_sumsq_init(&s->acc[i]);
    }
}

static void add_squares(void *to, const double *x, uint64_t at, uint64_t n)
{
    const struct norm_sums *s = to;
    uint64_t inner = s->c->inner, row = s->c->keep * inner, done = 0;
    while (done < n) {
        uint64_t from = (at + done) % row, rest = row - from;
        uint64_t i = from % inner, k;
        rest = rest < n - done ? rest : n - done;
        if (inner == 1) {
            kernel_sumsq_add(s->acc, x + done, rest);
            done += rest;
        } else if (i == 0 && rest >= inner) {
            k = rest / inner;
            kernel_sumsq_add_keep(s->acc, k, inner, 1, x + done);
            done += k * inner;
        } else {
            kernel_sumsq_add(&s->acc[i], x + done, 1);
            done++;
        }
        if ((at + done) % row == 0)
            close_row(s, (at + done) / row - 1);
    }
}

static bool open_l2(const struct computing *x, struct computed *c)
{
    struct norm_sums s = {c, NULL};
    bool ok;
    c->keep = c->step->type.axes[c->step->axis].size;
    c->inner = type_stride(c->step->type, c->step->axis);
    if (c->arg.elements == 0)
        return true;
    c->table = buffers_take_many(c->arg.elements / c->keep, sizeof *c->table);
    s.acc = buffers_take_many(c->inner, sizeof *s.acc);
    for (uint64_t i = 0; i < c->inner; i++)
        kernel_sumsq_init(&s.acc[i]);
    ok = for_each(x, c, add_squares, &s);
    free(s.acc);
    return ok;
}

/* --- spectral norm --- */

struct products {
    const struct computed *c;
    const double *v;
    struct kernel_sumsq *acc; /* rows */
};

/* Row k of M is the elements with index k on the axis, in their order. */
static void add_products(void *to, const double *x, uint64_t at, uint64_t n)
{
    const struct products *s = to;
    uint64_t keep = s->c->keep, inner = s->c->inner, done = 0;
    while (done < n) {
        uint64_t e = at + done, i = e % inner, k = e / inner % keep;
        uint64_t rest = n - done < inner - i ? n - done : inner - i;
        kernel_dot_add(&s->acc[k], x + done,
                       s->v + e / (inner * keep) * inner + i, rest);
        done += rest;
    }
}

/* u' (M v) */
static double sigma_of(const struct products *s, const double *u)
{
    struct kernel_sumsq sum;
    kernel_sumsq_init(&sum);
    for (uint64_t k = 0; k < s->c->keep; k++) {
        double row = kernel_sumsq_done(&s->acc[k]);
        kernel_dot_add(&sum, &u[k], &row, 1);
    }
    return kernel_sumsq_done(&sum);
}

static bool open_spectral(const struct computing *x, struct computed *c)
{
    const struct step *s = c->step;
    double *u = read_table(x, c, s->parts[1]);
    double *v = read_table(x, c, s->parts[2]);
    struct products m = {c, v, NULL};
    bool ok = u != NULL && v != NULL;
    c->keep = s->type.axes[s->axis].size;
    c->inner = type_stride(s->type, s->axis);
    c->table = buffers_take(sizeof *c->table);
    m.acc = buffers_take_many(c->keep, sizeof *m.acc);
    for (uint64_t k = 0; k < c->keep; k++)
        kernel_sumsq_init(&m.acc[k]);
    ok = ok && for_each(x, c, add_products, &m);
    if (ok)
        c->table[0] = sigma_of(&m, u);
    free(m.acc);
    free(u);
    free(v);
    c->keep = 1;
    c->inner = c->arg.elements + (c->arg.elements == 0);
    if (!ok || c->arg.elements == 0 ||
        (isfinite(c->table[0]) && c->table[0] != 0))
        return ok;
    return produce_fail(x->p, (struct finding){.kind = FINDING_ZERO_SIGMA,
                                               .leaf = s->parts[0]->leaf,
                                               .value = c->table[0]});
}

/* --- two operands --- */

static bool open_other(const struct computing *x, struct computed *c)
{
    const struct step *s = c->step;
    if (s->axis == AXIS_NONE)
        return operand_open(x, s->other, &c->slot->other, &c->other);
    c->table = read_table(x, c, s->other);
    c->keep = s->type.axes[s->axis].size;
    c->inner = type_stride(s->type, s->axis);
    return c->table != NULL;
}

static enum kernel_binary kernel_op(enum op op)
{
    return op == OP_ADD   ? KERNEL_ADD
           : op == OP_SUB ? KERNEL_SUB
           : op == OP_MUL ? KERNEL_MUL
                          : KERNEL_DIV;
}

/* --- nodes --- */

static bool open_node(const struct computing *x, struct computed *c)
{
    const struct step *s = c->step;
    bool spectral = s->op == OP_SPECTRAL_NORM;
    if (c->slot->chunk == NULL)
        c->slot->chunk = buffers_take(NODE_SLAB);
    c->allowed = taint_possible(s) ? x->p->checkpoint : NULL;
    if (!operand_open(x, spectral ? s->parts[0] : s->arg, &c->slot->arg,
                      &c->arg))
        return false;
    return spectral                   ? open_spectral(x, c)
           : s->op == OP_L2_NORMALIZE ? open_l2(x, c)
                                      : open_other(x, c);
}

/* A node of a value, with all its regions. */
struct node {
    const struct step *step;
    size_t region; /* the first */
    struct computed *computed;
};

static int compare_nodes(const void *x, const void *y)
{
    const struct node *a = x, *b = y;
    if (a->step != b->step)
        return a->step < b->step ? -1 : 1;
    return (a->region > b->region) - (a->region < b->region);
}

static int compare_regions(const void *x, const void *y)
{
    const struct node *a = x, *b = y;
    return (a->region > b->region) - (a->region < b->region);
}

/* One computed for each node, closed; how many there are. */
static size_t make_nodes(const struct computing *x, struct regions *v,
                         struct node **out)
{
    struct node *p = *out = arena_new(x->a, struct node, v->n);
    size_t n = 0, count = 0;
    for (size_t i = 0; i < v->n; i++)
        if (v->p[i].node != NULL)
            p[n++] = (struct node){v->p[i].node, i, NULL};
    qsort(p, n, sizeof *p, compare_nodes);
    for (size_t i = 0; i < n; i++) {
        size_t region = p[i].region;
        if (count == 0 || p[i].step != p[count - 1].step) {
            p[count] = p[i];
            p[count].computed = arena_new(x->a, struct computed, 1);
            p[count++].computed->step = p[i].step;
        }
        v->p[region].computed = p[count - 1].computed;
    }
    return count;
}

bool computed_open(struct computing *x, struct regions *v)
{
    struct node *p;
    size_t n = make_nodes(x, v, &p);
    bool ok = true;
    if (n > 0 && x->level == NULL)
        x->level = arena_new(x->a, struct level, 1);
    qsort(p, n, sizeof *p, compare_regions);
    for (size_t i = 0; i < n; i++) {
        p[i].computed->slot = &x->level->slots[i % COMPUTE_SLOTS];
        ok = open_node(x, p[i].computed) && ok;
    }
    return ok;
}

static void close_node(struct computed *c)
{
    operand_close(&c->arg);
    operand_close(&c->other);
    free(c->table);
    c->table = NULL;
}

void computed_close(struct gather *g, struct regions *v)
{
    for (size_t i = 0; i < v->n; i++) {
        if (v->p[i].computed == NULL)
            continue;
        close_node(v->p[i].computed);
        v->p[i].computed = NULL;
        g->count = 0;
    }
}

void computed_end(struct computing *x)
{
    for (struct level *l = x->level; l != NULL; l = l->below)
        for (int i = 0; i < COMPUTE_SLOTS; i++) {
            if (l->slots[i].arg != NULL)
                buffers_release(l->slots[i].arg);
            if (l->slots[i].other != NULL)
                buffers_release(l->slots[i].other);
            free(l->slots[i].chunk);
        }
    x->level = NULL;
}

/* The divisor of each element. */
static void norm_of(const struct computed *c, uint64_t at, uint64_t n,
                    double *out)
{
    for (uint64_t i = 0; i < n; i++) {
        uint64_t e = at + i;
        out[i] = c->table[e / (c->keep * c->inner) * c->inner + e % c->inner];
    }
}

/* At most NODE_CHUNK elements; out holds the first operand. */
static int combine(struct computed *c, uint64_t at, uint64_t n, double *x)
{
    enum op op = c->step->op;
    struct rows rows = {op == OP_SPECTRAL_NORM ? KERNEL_DIV : kernel_op(op),
                        c->keep, c->inner, c->table};
    int error = 0;
    if (op == OP_L2_NORMALIZE) {
        norm_of(c, at, n, c->slot->chunk);
    } else if (c->table != NULL) {
        assemble_rows(&rows, x, at, n);
        return 0;
    } else {
        error = operand_read(c, &c->other, at, n, c->slot->chunk);
    }
    if (error == 0)
        kernel_combine(rows.op, x, c->slot->chunk, n, x);
    return error;
}

int computed_read(struct computed *c, uint64_t at, uint64_t n, uint8_t *out)
{
    double *x = (double *)(void *)out;
    int error = 0;
    for (uint64_t i = 0; i < n && error == 0; i += NODE_CHUNK) {
        uint64_t k = n - i < NODE_CHUNK ? n - i : NODE_CHUNK;
        error = operand_read(c, &c->arg, at + i, k, x + i);
        if (error == 0)
            error = combine(c, at + i, k, x + i);
    }
    return error;
}

bool computed_allows(const struct computed *c, uint64_t at)
{
    return c->allowed != NULL && taint_at(c->allowed, c->step, at);
}

const struct leaf *computed_unread(const struct computed *c)
{
    return c->unread;
}
