/* SPDX-License-Identifier: MIT
 *
 * test_contract.c - the canonical text of values.
 *
 * In: lines of `tensors:`, and steps made by hand. Out: the expression that
 * the contract id is made from, with numbers for sources, and the one that the
 * map shows, with names. The texts here are normative (FORMAT.md section 8):
 * one that changes breaks every engine's header.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "compile.h"
#include "contract.h"

struct row {
    const char *name, *canonical, *readable;
};

static const char spec[] =
    "ttsw: 1\nmodel: demo\nrevision: 1\nsource_dtype: f32\nstore: f32\n"
    "layout: [n, out, in, k]\nweight_norm: parametrized\nmap:\n  - tensors:\n"
    "      a: scale(a [c=4], 0.1)\n"
    "      b: offset(b [c=4], -1e-5)\n"
    "      c: max(c [c=4], 0.0)\n"
    "      d: reciprocal(exp(d [c=4])) [c=4]\n"
    "      e: add(e.ih [c=4], e.hh f16[c=4])\n"
    "      f.weight: mul(f.weight [out=2, in=3], f.s [in=3])\n"
    "      g.weight: div(g.weight [out=2, in=3], g.w [out=2, in=3])\n"
    "      h.weight: l2_normalize(h.weight [out=2, in=3], over=in, eps=1e-12)\n"
    "      i.weight: spectral_norm(i.weight, rows=in) [out=2, in=3]\n"
    "      j: batchnorm(j [c=4], eps=1e-5)\n"
    "      k: batchnorm(k [c=4], eps=0.0, affine=no)\n"
    "      l: fold_batchnorm(l.weight [out=2, in=3], ln, eps=1e-5)\n"
    "      m: fold_batchnorm(m.weight [in=3, k=2], m.bias [k=2], mn, "
    "eps=1e-5,\n"
    "                        axis=k, affine=no)\n"
    "      n: fold_batchnorm(n.weight [out=2], n.bias [out=2], nn, eps=1e-5)\n"
    "    split:\n"
    "      - source: mul(q.weight [out=4, in=3], also(f.s [in=3]))\n"
    "        axis: out\n"
    "        into: {q.weight: 0..2, k2.weight: 2..4}\n";

/* sqrt(offset(var, eps)); 1e-5 is 3ee4f8b588e368f1. */
#define ROOT(n, t, eps) "sqrt(offset($" n ":f32 " t "," eps ")" t ")" t
#define EPS "3ee4f8b588e368f1"
#define ZERO "0000000000000000"
#define J ROOT("13", "[c=4]", EPS)
#define K ROOT("16", "[c=4]", ZERO)
#define L ROOT("20", "[out=2]", EPS)
#define M ROOT("24", "[k=2]", EPS)
#define N ROOT("29", "[out=2]", EPS)

static const struct row rows[] = {
    {"a", "scale($0:f32 [c=4],3fb999999999999a)[c=4]",
     "scale(a:f32 [c=4],0.10000000000000001)[c=4]"},
    {"b", "offset($1:f32 [c=4],bee4f8b588e368f1)[c=4]",
     "offset(b:f32 [c=4],-1.0000000000000001e-05)[c=4]"},
    {"c", "max($2:f32 [c=4],0000000000000000)[c=4]", "max(c:f32 [c=4],0)[c=4]"},
    {"d", "reciprocal(exp($3:f32 [c=4])[c=4])[c=4]",
     "reciprocal(exp(d:f32 [c=4])[c=4])[c=4]"},
    {"e", "add($4:f32 [c=4],$5:f16 [c=4])[c=4]",
     "add(e.ih:f32 [c=4],e.hh:f16 [c=4])[c=4]"},
    {"f.weight", "mul($6:f32 [out=2,in=3],$7:f32 [in=3],in)[out=2,in=3]",
     "mul(f.weight:f32 [out=2,in=3],f.s:f32 [in=3],in)[out=2,in=3]"},
    {"g.weight", "div($8:f32 [out=2,in=3],$9:f32 [out=2,in=3])[out=2,in=3]",
     "div(g.weight:f32 [out=2,in=3],g.w:f32 [out=2,in=3])[out=2,in=3]"},
    {"h.weight",
     "l2_normalize($10:f32 [out=2,in=3],over=in,eps=3d719799812dea11)"
     "[out=2,in=3]",
     "l2_normalize(h.weight:f32 [out=2,in=3],over=in,eps="
     "9.9999999999999998e-13)[out=2,in=3]"},
    {"i.weight", "spectral_norm($11:f32 [out=2,in=3],rows=in)[out=2,in=3]",
     "spectral_norm(i.weight:f32 [out=2,in=3],rows=in)[out=2,in=3]"},
    {"j.scale", "div($12:f32 [c=4]," J ")[c=4]", NULL},
    {"j.shift",
     "sub($14:f32 [c=4],mul($15:f32 [c=4],div($12:f32 [c=4]," J
     ")[c=4])[c=4])[c=4]",
     "sub(j.bias:f32 [c=4],mul(j.running_mean:f32 [c=4],div(j.weight:f32 "
     "[c=4],sqrt(offset(j.running_var:f32 "
     "[c=4],1.0000000000000001e-05)[c=4])[c=4])[c=4])[c=4])[c=4]"},
    {"k.scale", "reciprocal(" K ")[c=4]", NULL},
    {"k.shift",
     "mul(scale($17:f32 [c=4],bff0000000000000)[c=4],reciprocal(" K
     ")[c=4])[c=4]",
     NULL},
    {"l.weight",
     "mul($18:f32 [out=2,in=3],div($19:f32 [out=2]," L
     ")[out=2],out)[out=2,in=3]",
     NULL},
    {"l.bias",
     "sub($21:f32 [out=2],mul($22:f32 [out=2],div($19:f32 [out=2]," L
     ")[out=2])[out=2])[out=2]",
     NULL},
    {"m.weight", "mul($23:f32 [in=3,k=2],reciprocal(" M ")[k=2],k)[in=3,k=2]",
     NULL},
    {"m.bias",
     "mul(sub($25:f32 [k=2],$26:f32 [k=2])[k=2],reciprocal(" M ")[k=2])[k=2]",
     NULL},
    {"n.weight",
     "mul($27:f32 [out=2],div($28:f32 [out=2]," N ")[out=2])[out=2]", NULL},
    {"n.bias",
     "add(mul(sub($30:f32 [out=2],$31:f32 [out=2])[out=2],div($28:f32 [out=2]"
     "," N ")[out=2])[out=2],$32:f32 [out=2])[out=2]",
     NULL},
    {"k2.weight",
     "slice(mul($33:f32 [out=4,in=3],$7:f32 [in=3],in)[out=4,in=3],out,2..4)"
     "[out=2,in=3]",
     "slice(mul(q.weight:f32 [out=4,in=3],also(f.s:f32 [in=3]),in)[out=4,in=3],"
     "out,2..4)[out=2,in=3]"},
};

static const struct output *find(const struct model *m, const char *name)
{
    for (size_t i = 0; i < m->output_count; i++)
        if (str_is(m->outputs[i].name, name))
            return &m->outputs[i];
    fail_msg("no output %s", name);
    return NULL;
}

static void expect(const struct model *m, const struct output *o,
                   const struct row *row)
{
    struct arena a = {0};
    struct text readable = {0};
    struct str have = contract_expression(&a, m, o);
    assert_true(have.n < 2000);
    assert_string_equal(arena_format(&a, "%.*s", STR_ARG(have)).p,
                        row->canonical);
    contract_readable(&readable, m, o);
    if (row->readable != NULL)
        assert_string_equal(
            arena_format(&a, "%.*s", STR_ARG(text_view(&readable))).p,
            row->readable);
    text_release(&readable);
    arena_release(&a);
}

static void test_written(void **state)
{
    char path[] = "contract-XXXXXX";
    int fd = mkstemp(path);
    struct run run;
    bool ok;
    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, spec, sizeof spec - 1), sizeof spec - 1);
    close(fd);
    run_begin(&run, NULL);
    ok = run_model(&run, path);
    unlink(path);
    if (!ok)
        diag_print(&run.diag, stdout);
    assert_true(ok);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect(&run.model, find(&run.model, rows[i].name), &rows[i]);
    arena_release(&run.arena);
}

/* --- steps by hand --- */

static struct axis axis(const char *name, uint64_t size)
{
    return (struct axis){str_c(name), size};
}

/* A step and the type of its operand; unused axes have size 0. */
struct by_hand {
    struct step step;
    struct axis arg[4], type[4];
    const char *canonical;
};

static struct type type_of(const struct axis *axes)
{
    struct type t = {0, axes};
    while (t.rank < 4 && axes[t.rank].size > 0)
        t.rank++;
    return t;
}

static void expect_by_hand(const struct by_hand *made)
{
    struct leaf leaf = {.dtype = TTSB_F32};
    struct step source = {.op = OP_LEAF, .dtype = TTSB_F32, .leaf = &leaf};
    struct step step = made->step;
    struct spec s = {0};
    struct model m = {.spec = &s};
    struct output o = {.step = &step, .dtype = TTSB_F32};
    struct row row = {NULL, made->canonical, NULL};
    source.type = leaf.type = type_of(made->arg);
    step.type = type_of(made->type);
    step.arg = &source;
    expect(&m, &o, &row);
}

static void test_by_hand(void **state)
{
    struct axis a = axis("a", 2), b = axis("b", 3), n = axis("n", 5);
    struct axis h = axis("h", 2), d = axis("d", 3), in = axis("in", 4);
    struct axis one = axis("", 1), k = axis("k", 1), out = axis("out", 16);
    struct axis six = axis("out", 6), c = axis("c", 6);
    const struct by_hand made[] = {
        {{.op = OP_UNSQUEEZE, .axis = 1},
         {h, d},
         {h, k, d},
         "unsqueeze($0:f32 [h=2,d=3],1)[h=2,k=1,d=3]"},
        {{.op = OP_MERGE, .axis = 1},
         {n, h, d, in},
         {n, six, in},
         "merge($0:f32 [n=5,h=2,d=3,in=4],h*d->out)[n=5,out=6,in=4]"},
        {{.op = OP_MERGE},
         {a, one, b},
         {c},
         "merge($0:f32 [a=2,1,b=3],a*#1*b->c)[c=6]"},
        {{.op = OP_UNMERGE, .axis = 1},
         {n, six},
         {n, h, d},
         "unmerge($0:f32 [n=5,out=6],out->h*d)[n=5,h=2,d=3]"},
        {{.op = OP_ROPE_HALF, .heads = 2, .keep = 4},
         {out, in},
         {out, in},
         "rope_half($0:f32 [out=16,in=4],out,heads=2,dims=4)[out=16,in=4]"},
        {{.op = OP_ROPE_INTERLEAVE, .axis = 1, .heads = 1, .keep = 16},
         {n, out},
         {n, out},
         "rope_interleave($0:f32 [n=5,out=16],out,heads=1,dims=16)"
         "[n=5,out=16]"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
        expect_by_hand(&made[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written),
        cmocka_unit_test(test_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
