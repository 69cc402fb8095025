/* SPDX-License-Identifier: MIT
 *
 * test_suspicion.c - each suspicion, and what only looks like it.
 *
 * In: a small model of random values, from a generator of this file, that is
 * spoilt in one way. Out: which ids are found, and how many tensors they name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arena.h"
#include "stats.h"

#define ROWS 64

struct model {
    struct arena a;
    struct stats s;
    struct stats_row rows[ROWS];
    uint64_t dims[ROWS][3];
    uint64_t seed;
};

enum draw { ZERO, ONE, NORMAL, CUT, UNIFORM, HEAVY, LUMPS, SINES };

static double uniform(uint64_t *seed)
{
    uint64_t x = *seed += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return (double)((x ^ (x >> 31)) >> 11) * 0x1p-53;
}

static double normal(uint64_t *seed)
{
    double r = sqrt(-2 * log(1 - uniform(seed)));
    return r * cos(6.283185307179586 * uniform(seed));
}

/* A value at scale 1: std 1, or within -1 and 1. */
static double draw_one(enum draw draw, uint64_t *seed, uint64_t i)
{
    double x;
    switch (draw) {
    case ZERO:
        return 0;
    case ONE:
        return 1;
    case UNIFORM:
        return 2 * uniform(seed) - 1;
    case SINES:
        return cos((double)i / 7);
    case HEAVY: /* a mixture, kurtosis 3.3 */
        return normal(seed) * (uniform(seed) < 0.5 ? 1.15 : 0.82);
    case LUMPS: /* a normal one's moments, but other octaves */
        if (uniform(seed) < 0.3)
            return normal(seed);
        x = uniform(seed) < 0.8 ? 0.54119610 : 1.95656;
        return uniform(seed) < 0.5 ? x : -x;
    case CUT:
        do
            x = normal(seed);
        while (fabs(x) > 2);
        return x;
    default:
        return normal(seed);
    }
}

static struct stats_row *add(struct model *m, const char *name, uint64_t rows,
                             uint64_t columns, enum draw draw, double scale)
{
    struct stats_row *r = &m->rows[m->s.n];
    uint64_t n = rows * (columns == 0 ? 1 : columns), hash = 1469598103u;
    struct tally_maker *maker = tally_begin(TTSB_F32);
    float *values = calloc(n, sizeof *values);
    assert_true(m->s.n < ROWS);
    assert_non_null(values);
    for (uint64_t i = 0; i < n; i++)
        values[i] = (float)(scale * draw_one(draw, &m->seed, i));
    tally_add(maker, values, n * sizeof *values);
    for (uint64_t i = 0; i < n * 4; i++)
        hash = (hash ^ ((unsigned char *)values)[i]) * 1099511628211u;
    free(values);
    *r = (struct stats_row){.dtype = TTSB_F32, .has_values = true};
    r->name = arena_str(&m->a, str_c(name));
    m->dims[m->s.n][0] = rows;
    m->dims[m->s.n][1] = columns;
    r->dims = m->dims[m->s.n];
    r->rank = columns == 0 ? 1 : 2;
    r->size = n * 4;
    memcpy(r->digest, &hash, sizeof hash);
    r->tally = tally_end(maker);
    m->s.n++;
    return r;
}

/* `layer.I.ROLE` for I from 0 on. */
static void add_layers(struct model *m, int count, const char *role,
                       const uint64_t size[2], enum draw draw, double scale)
{
    for (int i = 0; i < count; i++) {
        char name[80];
        snprintf(name, sizeof name, "layer.%d.%s", i, role);
        add(m, name, size[0], size[1], draw, scale);
    }
}

static void begin(struct model *m)
{
    *m = (struct model){.seed = 7};
    m->s.rows = m->rows;
}

/* How many rows the findings of an id name. */
static size_t named(struct model *m, const char *id, const char *allowed)
{
    const char *const list[] = {allowed};
    struct suspicions v =
        suspicions_find(&m->a, &m->s, list, allowed == NULL ? 0 : 1);
    size_t n = 0;
    for (size_t i = 0; i < v.n; i++) {
        assert_non_null(strchr(v.p[i].text.p, '`'));
        assert_null(strchr(v.p[i].text.p, '\n'));
        n += strcmp(v.p[i].id, id) == 0 ? v.p[i].n : 0;
    }
    return n;
}

/* Only `id` is found, in `rows` rows, and not where it is allowed. */
static void only(struct model *m, const char *id, size_t rows)
{
    static const char *const ids[] = {"W0610", "W0611", "W0612",
                                      "W0613", "W0614", "W0615"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        assert_int_equal(named(m, ids[i], NULL),
                         strcmp(ids[i], id) == 0 ? rows : 0);
    assert_int_equal(named(m, id, id), 0);
    arena_release(&m->a);
}

static void none(struct model *m)
{
    only(m, "W0610", 0);
}

static const uint64_t square[2] = {128, 128}, small[2] = {32, 32},
                      vector[2] = {32, 0};

static void test_laws(void **state)
{
    static const struct {
        enum draw draw;
        double scale;
    } fresh[] = {
        {NORMAL, 0.02},
        {NORMAL, 0.01},
        {NORMAL, 0.0231}, /* within the classic rule */
        {NORMAL, 1},
        {NORMAL, 0.088388347},      /* LeCun: 1 / sqrt(128), Xavier's too */
        {NORMAL, 0.125},            /* He */
        {NORMAL, 0.02 / 2.8284271}, /* GPT-2's projections of four layers */
        {UNIFORM, 0.088388347},     /* torch */
        {UNIFORM, 0.153093109},     /* Xavier */
        {UNIFORM, 0.216506351},     /* He */
        {UNIFORM, 1.0 / 128},       /* a codebook */
        {CUT, 0.02},
        {CUT, 0.125},
        {CUT, 0.125 / 0.87962566},
    };
    (void)state;
    for (size_t i = 0; i < sizeof fresh / sizeof *fresh; i++) {
        struct model m;
        begin(&m);
        add_layers(&m, 4, "q.weight", square, fresh[i].draw, fresh[i].scale);
        only(&m, "W0610", 4);
    }
}

static void test_no_law(void **state)
{
    static const struct {
        enum draw draw;
        double scale;
    } trained[] = {
        {HEAVY, 0.02},     {LUMPS, 0.02},
        {HEAVY, 0.125},   /* a fit of the scale, not the shape */
        {NORMAL, 0.0262}, /* of the shape only */
        {UNIFORM, 0.0875}, {CUT, 0.128},
    };
    (void)state;
    for (size_t i = 0; i < sizeof trained / sizeof *trained; i++) {
        struct model m;
        begin(&m);
        add_layers(&m, 4, "q.weight", square, trained[i].draw,
                   trained[i].scale);
        none(&m);
    }
}

/* One tensor, or two siblings, are not enough; three matrices of a layer, or
 * a third sibling, are. */
static void test_agreement(void **state)
{
    struct model m;
    (void)state;
    begin(&m);
    add_layers(&m, 2, "q.weight", square, NORMAL, 0.02);
    none(&m);
    begin(&m);
    add_layers(&m, 2, "q.weight", square, NORMAL, 0.02);
    add_layers(&m, 1, "k.weight", square, UNIFORM, 0.088388347);
    add_layers(&m, 1, "v.weight", square, HEAVY, 0.02);
    none(&m);
    begin(&m);
    add_layers(&m, 1, "q.weight", square, NORMAL, 0.02);
    add_layers(&m, 1, "k.weight", square, UNIFORM, 0.088388347);
    add_layers(&m, 1, "v.weight", square, NORMAL, 0.125);
    only(&m, "W0610", 3);
    begin(&m); /* a lone matrix of the law that siblings follow */
    add_layers(&m, 3, "q.weight", square, NORMAL, 0.02);
    add(&m, "head.weight", 128, 128, NORMAL, 0.02);
    only(&m, "W0610", 4);
}

/* Small normal matrices: all siblings must agree, and five of them. */
static void test_small(void **state)
{
    static const uint64_t size[2] = {64, 80};
    struct model m;
    (void)state;
    begin(&m);
    add_layers(&m, 4, "q.weight", size, NORMAL, 0.02);
    none(&m);
    begin(&m);
    add_layers(&m, 5, "q.weight", size, NORMAL, 0.02);
    only(&m, "W0610", 5);
    begin(&m);
    add_layers(&m, 5, "q.weight", size, NORMAL, 0.02);
    add(&m, "layer.5.q.weight", 64, 80, HEAVY, 0.021);
    none(&m);
    begin(&m); /* uniform ones tell more */
    add_layers(&m, 3, "q.weight", small, UNIFORM, 0.1767767);
    only(&m, "W0610", 3);
}

/* Of the scales only that of the tensor's own fan-in counts. */
static void test_fan_in(void **state)
{
    static const uint64_t wide[2] = {64, 256};
    struct model m;
    (void)state;
    begin(&m);
    add_layers(&m, 3, "q.weight", wide, UNIFORM, 1.0 / 16);
    only(&m, "W0610", 3);
    begin(&m);
    add_layers(&m, 3, "q.weight", wide, UNIFORM, 1.0 / 15);
    none(&m);
    begin(&m); /* biases beside them */
    add_layers(&m, 3, "q.weight", wide, UNIFORM, 1.0 / 16);
    add_layers(&m, 3, "q.bias", (uint64_t[]){64, 0}, UNIFORM, 1.0 / 16);
    only(&m, "W0610", 6);
}

static void test_flat(void **state)
{
    struct model m;
    (void)state;
    begin(&m);
    add(&m, "speed.weight", 4, 8, ZERO, 1);
    only(&m, "W0611", 1);
    begin(&m);
    add(&m, "scale.weight", 4, 8, ONE, 0.5);
    only(&m, "W0611", 1);
    begin(&m); /* a filter, and biases */
    add(&m, "filter", 1, 12, ONE, 0.25);
    add_layers(&m, 4, "q.bias", vector, ZERO, 1);
    none(&m);
}

static void test_norms(void **state)
{
    struct model m;
    (void)state;
    begin(&m);
    add_layers(&m, 3, "norm.weight", vector, ONE, 1);
    add_layers(&m, 3, "norm.bias", vector, ZERO, 1);
    only(&m, "W0611", 3);
    begin(&m); /* two are too few */
    add_layers(&m, 2, "norm.weight", vector, ONE, 1);
    add_layers(&m, 2, "norm.bias", vector, ZERO, 1);
    none(&m);
    begin(&m); /* a bias that moved */
    add_layers(&m, 3, "norm.weight", vector, ONE, 1);
    add_layers(&m, 3, "norm.bias", vector, HEAVY, 1);
    none(&m);
}

static void test_broken(void **state)
{
    struct model m;
    (void)state;
    begin(&m);
    add(&m, "a.weight", 4, 8, HEAVY, 1)->tally.nan = 1;
    add(&m, "b.weight", 4, 8, HEAVY, 1)->tally.inf = 2;
    only(&m, "W0612", 2);
    begin(&m);
    add(&m, "a.weight", 4, 8, HEAVY, 1)->tally.nan = 1;
    m.rows[0].is_alias = true;
    none(&m);
}

/* Draws the same values again. */
static void twice(struct model *m, const char *first, const char *second,
                  enum draw draw)
{
    uint64_t seed;
    begin(m);
    seed = m->seed;
    add(m, first, 16, 16, draw, 0.3);
    m->seed = seed;
    add(m, second, 16, 16, draw, 0.3);
}

/* Layer 5 is layer 0 once more: one finding, whatever is in it. */
static void equal_layers(struct model *m)
{
    static const char *const roles[] = {"q.weight", "k\nweight", "v.weight"};
    struct suspicions v;
    begin(m);
    for (int layer = 0; layer < 6; layer += 5) {
        m->seed = 7;
        for (size_t i = 0; i < 3; i++) {
            char name[80];
            snprintf(name, sizeof name, "layer.%d.%s", layer, roles[i]);
            add(m, name, 16, 16, HEAVY, 0.3);
        }
    }
    v = suspicions_find(&m->a, &m->s, NULL, 0);
    assert_int_equal(v.n, 1);
    assert_string_equal(v.p[0].text.p,
                        "`layer.{0, 5}.q.weight` and 2 more: in 2 layers they "
                        "have the same dtype, shape and bytes");
    assert_non_null(strstr(v.p[0].notes.p, "`layer.{0, 5}.k?weight`\n"
                                           "`layer.{0, 5}.v.weight`\n"));
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(v.p[0].rows[i], i);
    only(m, "W0613", 6);
}

static void test_equal(void **state)
{
    struct model m;
    (void)state;
    twice(&m, "layer.0.q.weight", "layer.5.q.weight", HEAVY);
    only(&m, "W0613", 2);
    twice(&m, "layer.0.q.weight", "layer.0.k.weight", HEAVY);
    only(&m, "W0613", 2);
    twice(&m, "layer.0.q.weight", "layer.5.k.weight", HEAVY);
    none(&m);
    twice(&m, "embed.weight", "head.weight", HEAVY); /* tied */
    none(&m);
    twice(&m, "layer.0.q.weight", "layer.5.q.weight", HEAVY);
    m.rows[1].is_alias = true;
    none(&m);
    equal_layers(&m);
    begin(&m); /* tables of positions */
    add_layers(&m, 3, "positions", small, SINES, 1);
    none(&m);
}

static void test_apart(void **state)
{
    static const struct {
        int layers, roles, off;
        double factor;
        size_t found;
    } cases[] = {
        {6, 2, 3, 2.5, 2}, {6, 2, 3, 1.8, 0}, /* a factor of 2 */
        {6, 2, 3, 0.4, 2}, {6, 2, 0, 3, 0},   /* an end may be further off */
        {6, 2, 0, 5, 2},   {6, 1, 3, 3, 0},   /* one matrix alone, too */
        {6, 1, 3, 5, 1},   {4, 2, 2, 9, 0},   /* few siblings say nothing */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model m;
        begin(&m);
        for (int k = 0; k < cases[i].layers * cases[i].roles; k++) {
            char name[40];
            int layer = k / cases[i].roles;
            snprintf(name, sizeof name, "layer.%d.%c.weight", layer,
                     'a' + k % cases[i].roles);
            add(&m, name, 32, 32, HEAVY,
                0.1 * (layer == cases[i].off ? cases[i].factor : 1));
        }
        only(&m, "W0614", cases[i].found);
    }
}

/* The magnitudes of a norm speak for both halves. */
static void test_norm(void **state)
{
    struct model m;
    (void)state;
    begin(&m);
    add(&m, "a.weight_g", 16, 0, HEAVY, 1)->untrained_norm = true;
    add(&m, "a.weight_v", 16, 16, HEAVY, 1)->untrained_norm = true;
    add(&m, "b.weight_g", 16, 0, HEAVY, 1);
    add(&m, "b.weight_v", 16, 16, HEAVY, 1);
    only(&m, "W0615", 1);
}

/* What was not read, and what has no numbers, is judged by nothing. */
static void test_unread(void **state)
{
    struct model m;
    (void)state;
    begin(&m);
    add(&m, "a.weight", 4, 8, ZERO, 1)->has_values = false;
    add(&m, "b.weight", 4, 8, ZERO, 1)->dtype = TTSB_I32;
    none(&m);
    begin(&m);
    none(&m);
}

static void test_text(void **state)
{
    struct model m;
    struct suspicions v;
    (void)state;
    begin(&m);
    add_layers(&m, 3, "q.weight", square, ONE, 0.5);
    v = suspicions_find(&m.a, &m.s, NULL, 0);
    assert_int_equal(v.n, 1);
    assert_string_equal(v.p[0].text.p, "`layer.{0..2}.q.weight` are constant: "
                                       "49152 elements, each 0.5");
    arena_release(&m.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_laws),      cmocka_unit_test(test_no_law),
        cmocka_unit_test(test_agreement), cmocka_unit_test(test_small),
        cmocka_unit_test(test_fan_in),    cmocka_unit_test(test_flat),
        cmocka_unit_test(test_norms),     cmocka_unit_test(test_broken),
        cmocka_unit_test(test_equal),     cmocka_unit_test(test_apart),
        cmocka_unit_test(test_norm),      cmocka_unit_test(test_unread),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
