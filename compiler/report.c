/* SPDX-License-Identifier: MIT
 *
 * report.c - counts, in words.
 */
#include "report.h"

#include <inttypes.h>

#include "plan.h"
#include "sources.h"

static void print_coverage(struct str name, const struct coverage *c)
{
    printf("%.*s %zu/%zu", STR_ARG(name), c->wanted - c->missing - c->different,
           c->wanted);
    if (c->missing > 0)
        printf(", %zu missing: %.*s%s", c->missing, STR_ARG(c->first_missing),
               c->missing > 1 ? ", ..." : "");
    if (c->different > 0)
        printf(", %zu different", c->different);
    if (c->unclaimed > 0)
        printf(", %zu unclaimed", c->unclaimed);
    if (c->absent > 0)
        printf(", %zu optional absent", c->absent);
    printf("\n");
}

void report_coverage(const struct model *m, const struct coverage *c)
{
    for (uint32_t i = 0; c->sources != NULL && i < sources_count(m->spec); i++)
        print_coverage(sources_id(m->spec, i), &c->sources[i]);
    print_coverage(m->spec->model, c);
}

/* What stands somewhere in a value. */
struct made {
    bool norm, spectral, computed, exp, joined, cut, moved, zeros;
};

/* Arithmetic other than what has a count of its own. */
static bool is_computed(enum op op)
{
    switch (op) {
    case OP_SCALE:
    case OP_OFFSET:
    case OP_RECIPROCAL:
    case OP_MAX:
    case OP_ADD:
    case OP_MUL:
    case OP_DIV:
    case OP_L2_NORMALIZE:
        return true;
    default:
        return false; /* subtraction and roots are of batch norms */
    }
}

static bool has_other(enum op op)
{
    return op == OP_ADD || op == OP_SUB || op == OP_MUL || op == OP_DIV;
}

static void look(const struct step *s, struct made *m)
{
    for (; s != NULL; s = s->arg) {
        m->norm = m->norm || s->op == OP_WEIGHT_NORM;
        m->spectral = m->spectral || s->op == OP_SPECTRAL_NORM;
        m->computed = m->computed || is_computed(s->op);
        m->exp = m->exp || s->op == OP_EXP;
        m->joined = m->joined || s->op == OP_CONCAT || s->op == OP_STACK ||
                    s->op == OP_INTERLEAVE;
        m->cut = m->cut || s->op == OP_SLICE;
        m->moved = m->moved || s->op == OP_PERMUTE || s->op == OP_ROPE_HALF ||
                   s->op == OP_ROPE_INTERLEAVE;
        m->zeros = m->zeros || s->op == OP_ZEROS;
        if (has_other(s->op))
            look(s->other, m);
        for (size_t i = 0; i < s->part_count; i++)
            look(s->parts[i], m);
    }
}

/* How many outputs have each kind of value. */
struct kinds {
    size_t aliases, batchnorms, norms, spectral, computed, exps, joined, cut,
        moved, copies, absent, missing;
    uint64_t bytes, zeros;
};

/* An output counts once: what is computed before what is joined, cut, moved. */
static size_t *kind_of(struct kinds *k, const struct output *o,
                       const struct made *m)
{
    enum op op = o->value->term->op;
    bool is_batchnorm = op == OP_BATCHNORM || op == OP_FOLD_BATCHNORM;
    return o->step == NULL ? &k->aliases
           : o->absent     ? &k->absent
           : o->missing    ? &k->missing
           : is_batchnorm  ? &k->batchnorms
           : m->norm       ? &k->norms
           : m->spectral   ? &k->spectral
           : m->computed   ? &k->computed
           : m->exp        ? &k->exps
           : m->joined     ? &k->joined
           : m->cut        ? &k->cut
           : m->moved      ? &k->moved
                           : &k->copies;
}

static uint64_t count_zeros(const struct output *o)
{
    struct arena scratch = {0};
    struct regions v = plan_value(&scratch, o->step);
    uint64_t n = regions_zeros(&v);
    arena_release(&scratch);
    return n;
}

static struct kinds count_kinds(const struct model *m)
{
    struct kinds k = {0};
    for (size_t i = 0; i < m->output_count; i++) {
        const struct output *o = &m->outputs[i];
        struct made made = {0};
        look(o->step, &made);
        ++*kind_of(&k, o, &made);
        k.bytes += o->step != NULL ? o->size : 0;
        if (made.zeros && !o->absent && !o->missing)
            k.zeros += count_zeros(o);
    }
    return k;
}

static void print_hex(const char *name, const uint8_t *p)
{
    printf("  %-9s ", name);
    for (int i = 0; i < 16; i++)
        printf("%02x", p[i]);
    printf("\n");
}

static void print_kind(uint64_t n, const char *what, const char **separator)
{
    if (n > 0)
        printf("%s%" PRIu64 " %s", *separator, n, what);
    if (n > 0)
        *separator = ", ";
}

static void print_sources(const struct model *m, const struct coverage *c)
{
    printf("  sources   %zu tensors: %zu used, %zu dropped, %zu unclaimed\n",
           c->used + c->dropped, c->used, c->dropped, c->unclaimed);
    for (uint32_t i = 0; c->sources != NULL && i < sources_count(m->spec);
         i++) {
        const struct coverage *x = &c->sources[i];
        printf("    %.*s: %zu tensors: %zu used, %zu dropped, %zu unclaimed\n",
               STR_ARG(sources_id(m->spec, i)), x->used + x->dropped, x->used,
               x->dropped, x->unclaimed);
    }
}

void report_compiled(const struct model *m, const struct coverage *c,
                     const char *path, const struct emitted *blob)
{
    struct kinds k = count_kinds(m);
    const char *separator = ": ";
    printf("%.*s  revision %" PRIu64 "\n", STR_ARG(m->spec->model),
           m->spec->revision);
    print_sources(m, c);
    printf("  outputs   %zu tensors, %" PRIu64 " bytes", m->output_count,
           k.bytes);
    print_kind(k.batchnorms, "of batch norms", &separator);
    print_kind(k.norms, "weight norms folded", &separator);
    print_kind(k.spectral, "spectral norms folded", &separator);
    print_kind(k.computed, "computed", &separator);
    print_kind(k.exps, "exp", &separator);
    print_kind(k.joined, "joined", &separator);
    print_kind(k.cut, "cut", &separator);
    print_kind(k.moved, "permuted", &separator);
    print_kind(k.copies, "copied or cast", &separator);
    print_kind(k.aliases, "aliases", &separator);
    print_kind(k.absent, "absent", &separator);
    print_kind(k.missing, "MISSING", &separator);
    print_kind(k.zeros, "zeros put in", &separator);
    printf("\n");
    print_hex("contract", m->contract_id);
    print_hex("root", blob->root);
    printf("  wrote     %s, %" PRIu64 " bytes\n", path, blob->size);
}

void report_expected(const struct model *m, size_t expected)
{
    size_t all = 0;
    for (size_t i = 0; i < m->output_count; i++)
        all += m->outputs[i].step != NULL;
    if (m->spec->expect_count > 0)
        printf("  expected  %zu of %zu outputs hold what `expect:` says\n",
               expected, all);
}
