/* SPDX-License-Identifier: MIT
 *
 * test_compute.c - computed values below moves, below computed values.
 *
 * In: a seed, TTSW_SEED or the same one each time. Out: each element of random
 * values has the bits that its definition gives, in whatever ranges it is
 * read; where the file became shorter, the leaf that could not be read is
 * named, by a finding or by the assembly.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <unistd.h>

#include "assemble.h"
#include "compute.h"
#include "produce.h"
#include "random_terms.h"

#define ROUNDS 3000
#define LARGE_ROUNDS 40
#define LARGER 9

struct bench {
    struct maker m;
    struct made t;
    double *data[MAX_LEAVES]; /* of leaves and of nodes */
    struct checkpoint c;
    struct stfile file;
    struct tensor_place place[MAX_LEAVES];
    struct st_tensor tensors[MAX_LEAVES];
    struct findings findings;
    struct production p;
    struct norms norms;
    char path[64];
};

/* --- values by definition --- */

/* Numbers that rounding and order show in; none is zero. */
static double *numbers(struct bench *b, int leaf)
{
    uint64_t n = elements(b->m.leaves[leaf]->type);
    if (b->data[leaf] != NULL)
        return b->data[leaf];
    b->data[leaf] = arena_new(&b->m.a, double, n);
    for (uint64_t e = 0; e < n; e++) {
        uint64_t k = (uint64_t)leaf * 7919 + e * 104729;
        b->data[leaf][e] = (float)((double)(k % 2003 + 1) / 7 - 100.03);
    }
    return b->data[leaf];
}

static double *values(struct bench *b, const struct made *t)
{
    uint64_t n = elements(t->s->type);
    double *out = arena_new(&b->m.a, double, n);
    for (uint64_t e = 0; e < n; e++)
        if (t->cells[e].leaf != NO_LEAF)
            out[e] = numbers(b, t->cells[e].leaf)[t->cells[e].element];
    return out;
}

/* A node, whose elements count as those of a leaf. */
static struct made node(struct bench *b, enum op op, struct made arg,
                        double *out)
{
    struct made t = {arena_new(&b->m.a, struct step, 1), NULL};
    uint64_t n = elements(arg.s->type);
    int number = b->m.n;
    new_leaf(&b->m, arg.s->type);
    b->data[number] = out;
    t.s->op = op;
    t.s->arg = arg.s;
    t.s->type = arg.s->type;
    t.s->axis = AXIS_NONE;
    t.cells = arena_new(&b->m.a, struct cell, n);
    for (uint64_t e = 0; e < n; e++)
        t.cells[e] = (struct cell){number, e};
    return t;
}

/* Index along an axis of element e. */
static uint64_t index_along(struct type t, uint32_t axis, uint64_t e)
{
    return e / type_stride(t, axis) % t.axes[axis].size;
}

static struct made combine(struct bench *b, struct made x)
{
    static const enum op ops[] = {OP_ADD, OP_SUB, OP_MUL, OP_DIV};
    static const enum kernel_binary kernels[] = {KERNEL_ADD, KERNEL_SUB,
                                                 KERNEL_MUL, KERNEL_DIV};
    uint64_t k = roll(4), n = elements(x.s->type);
    bool vector = x.s->type.rank > 1 && roll(2) == 0;
    uint32_t axis = vector ? (uint32_t)roll(x.s->type.rank) : AXIS_NONE;
    struct type type = x.s->type;
    struct made y, t;
    double *p = values(b, &x), *q;
    if (vector)
        type = (struct type){1, &x.s->type.axes[axis]};
    y = source(&b->m, type);
    q = values(b, &y);
    for (uint64_t e = 0; e < n; e++)
        kernel_combine(kernels[k], &p[e],
                       &q[vector ? index_along(x.s->type, axis, e) : e], 1,
                       &p[e]);
    t = node(b, ops[k], x, p);
    t.s->other = y.s;
    t.s->axis = axis;
    return t;
}

static struct made normalize(struct bench *b, struct made x)
{
    struct type type = x.s->type;
    uint32_t axis = (uint32_t)roll(type.rank);
    uint64_t n = elements(type), stride = type_stride(type, axis);
    double *p = values(b, &x), *out = arena_new(&b->m.a, double, n);
    struct made t = node(b, OP_L2_NORMALIZE, x, out);
    t.s->axis = axis;
    t.s->number = 0.25;
    for (uint64_t e = 0; e < n; e++) {
        uint64_t first = e - index_along(type, axis, e) * stride;
        struct kernel_sumsq sum;
        double norm;
        kernel_sumsq_init(&sum);
        for (uint64_t i = 0; i < type.axes[axis].size; i++)
            kernel_sumsq_add(&sum, &p[first + i * stride], 1);
        norm = sqrt(kernel_sumsq_done(&sum));
        out[e] = p[e] / (norm < 0.25 ? 0.25 : norm);
    }
    return t;
}

/* u' (M v), M being W with its rows in front. */
static double sigma(struct bench *b, const struct step *const *parts,
                    uint32_t axis)
{
    struct type type = parts[0]->type;
    const double *x[3];
    struct kernel_sumsq sum;
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < b->m.n; k++)
            if (b->m.leaves[k] == parts[i]->leaf)
                x[i] = numbers(b, k);
    kernel_sumsq_init(&sum);
    for (uint64_t r = 0; r < type.axes[axis].size; r++) {
        struct kernel_sumsq row;
        uint64_t column = 0;
        double product;
        kernel_sumsq_init(&row);
        for (uint64_t e = 0; e < elements(type); e++)
            if (index_along(type, axis, e) == r)
                kernel_dot_add(&row, &x[0][e], &x[2][column++], 1);
        product = kernel_sumsq_done(&row);
        kernel_dot_add(&sum, &x[1][r], &product, 1);
    }
    return kernel_sumsq_done(&sum);
}

/* Over a source of its own, of x's type; x goes. */
static struct made spectral(struct bench *b, struct made x)
{
    struct type type = x.s->type;
    uint32_t axis = (uint32_t)roll(type.rank);
    uint64_t n = elements(type);
    struct axis other = {{0}, n / type.axes[axis].size};
    struct axis *axes = arena_new(&b->m.a, struct axis, 1);
    const struct step **parts = arena_new(&b->m.a, const struct step *, 3);
    struct made w = source(&b->m, type), t;
    double *p = values(b, &w), by;
    *axes = other;
    parts[0] = w.s;
    parts[1] = source(&b->m, (struct type){1, &type.axes[axis]}).s;
    parts[2] = source(&b->m, (struct type){1, axes}).s;
    by = sigma(b, parts, axis);
    for (uint64_t e = 0; e < n; e++)
        kernel_combine(KERNEL_DIV, &p[e], &by, 1, &p[e]);
    t = node(b, OP_SPECTRAL_NORM, w, p);
    t.s->arg = NULL;
    t.s->parts = parts;
    t.s->part_count = 3;
    t.s->axis = axis;
    return t;
}

static struct made computed(struct bench *b, struct made x)
{
    uint64_t kind = roll(6);
    if (b->m.n + 8 > MAX_LEAVES || elements(x.s->type) == 0)
        return x;
    if (kind == 0 && x.s->type.rank > 0)
        return normalize(b, x);
    if (kind == 1 && x.s->type.rank > 1)
        return spectral(b, x);
    return combine(b, x);
}

/* A value may have several nodes, side by side. */
static struct made part(struct maker *m, struct type type)
{
    struct bench *b = (struct bench *)(void *)m; /* whose first member it is */
    struct made x = source(m, type);
    return roll(2) == 0 && elements(type) > 0 ? combine(b, x) : x;
}

/* Moves, then a computed value of that, then moves, ... */
static void make_term(struct bench *b)
{
    b->t = random_term(&b->m);
    for (uint64_t n = 1 + roll(4); n > 0; n--) {
        struct made t = computed(b, b->t);
        b->t = b->m.n + 40 > MAX_LEAVES ? t : random_moves(&b->m, t);
    }
}

/* --- the file --- */

static void write_file(struct bench *b)
{
    uint64_t at = 0;
    strcpy(b->path, "compute-XXXXXX");
    b->file.fd = mkstemp(b->path);
    assert_true(b->file.fd >= 0);
    for (int i = 0; i < b->m.n; i++) {
        uint64_t n = elements(b->m.leaves[i]->type);
        const double *x = numbers(b, i);
        float *p = arena_new(&b->m.a, float, n);
        for (uint64_t e = 0; e < n; e++)
            p[e] = (float)x[e];
        b->m.leaves[i]->source = (uint32_t)i;
        b->tensors[i].begin = at;
        b->tensors[i].end = at + n * 4;
        assert_int_equal(write(b->file.fd, p, (size_t)n * 4), (ssize_t)n * 4);
        at += n * 4;
    }
    b->c.files = &b->file;
    b->c.tensors = b->tensors;
    b->c.places = b->place;
    b->c.count = (size_t)b->m.n;
    b->p.checkpoint = &b->c;
    b->p.findings = &b->findings;
    pthread_mutex_init(&b->findings.lock, NULL);
}

static void close_file(struct bench *b)
{
    close(b->file.fd);
    unlink(b->path);
    pthread_mutex_destroy(&b->findings.lock);
    free(b->findings.p);
    arena_release(&b->m.a);
}

/* --- reading --- */

/* All elements in order, in ranges of random lengths. 0, or an errno. */
static int read_all(struct assembly *s, double *out)
{
    uint64_t n = elements(s->type), at = 0;
    int error = 0;
    assemble_begin(s);
    while (at < n && error == 0) {
        uint64_t k = 1 + roll(roll(3) == 0 && s->step > 7 ? 7 : s->step);
        const uint8_t *bytes;
        k = k < n - at ? k : n - at;
        error = assemble_range(s, at, k, &bytes);
        if (error == 0)
            memcpy(out + at, bytes, (size_t)k * sizeof *out);
        at += k;
    }
    return error;
}

/* True if all was read into out; else *unread is the leaf, if one is. */
static bool produce(struct bench *b, double *out, const struct leaf **unread)
{
    struct arena scratch = {0};
    struct assembly s = {.b = buffers_new(&b->c, 8 * (1 + (size_t)roll(4000))),
                         .type = b->t.s->type,
                         .dtype = TTSB_F64,
                         .norms = &b->norms};
    struct computing c = {&scratch, &b->p, &b->norms, NULL};
    bool ok;
    s.regions = plan_value(&scratch, b->t.s);
    ok = computed_open(&c, &s.regions);
    *unread = NULL;
    assert_true(ok == (b->findings.n == 0));
    if (!ok)
        *unread = b->findings.p[0].leaf;
    else if (read_all(&s, out) != 0) {
        *unread = s.unread;
        ok = false;
    }
    computed_close(&s.b->gather, &s.regions);
    computed_end(&c);
    buffers_release(s.b);
    arena_release(&scratch);
    return ok;
}

static void seed(void)
{
    const char *seed = getenv("TTSW_SEED");
    random_seed(seed != NULL ? strtoull(seed, NULL, 10) : 20240607);
}

static void check_values(uint64_t larger)
{
    struct bench b = {.m = {.plain = true, .part = part, .larger = larger}};
    const struct leaf *unread;
    double *want, *got;
    make_term(&b);
    write_file(&b);
    want = values(&b, &b.t);
    got = arena_new(&b.m.a, double, elements(b.t.s->type));
    assert_true(produce(&b, got, &unread));
    assert_memory_equal(got, want, elements(b.t.s->type) * sizeof *got);
    close_file(&b);
}

static void test_values(void **state)
{
    (void)state;
    seed();
    for (int round = 0; round < ROUNDS; round++)
        check_values(0);
}

/* Longer than the nodes' buffers, and than what is staged. */
static void test_large_values(void **state)
{
    (void)state;
    seed();
    for (int round = 0; round < LARGE_ROUNDS; round++)
        check_values(LARGER);
}

static void test_shorter_file(void **state)
{
    int failed = 0;
    (void)state;
    seed();
    for (int round = 0; round < ROUNDS; round++) {
        struct bench b = {.m = {.plain = true, .part = part}};
        const struct leaf *unread;
        uint64_t end;
        double *got;
        make_term(&b);
        write_file(&b);
        end = roll(b.tensors[b.m.n - 1].end + 1);
        got = arena_new(&b.m.a, double, elements(b.t.s->type));
        assert_int_equal(ftruncate(b.file.fd, (off_t)end), 0);
        if (!produce(&b, got, &unread)) {
            failed++;
            assert_non_null(unread);
            assert_true(plan_uses(b.t.s, unread));
            assert_true(b.tensors[unread->source].end > end);
        }
        close_file(&b);
    }
    assert_true(failed > ROUNDS / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_large_values),
        cmocka_unit_test(test_shorter_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
