/* SPDX-License-Identifier: MIT
 *
 * expand.c - the root: assertions, constants, then the blocks in order.
 *
 * Blocks are walked in expand_block.c, their lines in expand_entry.c. What
 * concerns one output alone is judged in output.c, what concerns names
 * together in members.c, what concerns sources together in cover.c.
 */
#include "expand.h"

#include <stdlib.h>

#include "expansion.h"
#include "output.h"
#include "sources.h"

/* --- the root --- */

static void check_assertions(struct expansion *x, struct scope *s)
{
    for (size_t i = 0; i < x->spec->assertion_count; i++) {
        const struct assertion *a = &x->spec->assertions[i];
        struct diag_item *item;
        int64_t v;
        if (!scope_eval(s, a->that, &v) || v != 0)
            continue;
        item = diag_add(x->d, "E0220", diag_at(a->that->at),
                        "assertion failed: %.*s", STR_ARG(a->say));
        diag_note(x->d, item, "%.*s", STR_ARG(scope_values(s, a->that)));
    }
}

static int compare_constants(const void *a, const void *b)
{
    const struct constant_value *x = a, *y = b;
    return str_order(x->as->name, y->as->name);
}

/* The limits of FORMAT.md section 13; sizes as sections.c writes them. */
static void check_constant_limits(struct expansion *x)
{
    const struct spec *s = x->spec;
    uint64_t size = sizeof(struct ttsb_disk_const_head);
    for (size_t i = 0; i < s->constant_count; i++) {
        const struct constant *c = &s->constants[i];
        size += sizeof(struct ttsb_disk_const) + ((c->name.n + 8) & ~7U);
        for (size_t k = 0; k < c->count; k++)
            size += c->items[k].kind == CONSTANT_STRING
                        ? (c->items[k].text.n + 12) & ~(uint64_t)7
                        : 8;
    }
    if (s->constant_count > TTSB_MAX_CONSTANTS || size > TTSB_MAX_CONST_SECTION)
        diag_add(x->d, "E0218", diag_at(s->constants[0].at),
                 "constants: at most 65535, and 16 MiB in the blob");
}

/* A bare word where a constant stands is mostly meant as a string. */
static void evaluate_constant(struct expansion *x, struct scope *s,
                              const struct constant_item *item, int64_t *out)
{
    struct str word;
    if (scope_eval(s, item->expr, out) || item->expr == NULL ||
        item->expr->kind != EXPR_ID || scope_find(s, item->expr->id) != NULL)
        return;
    word = item->expr->id;
    if (str_is(word, "true") || str_is(word, "false"))
        diag_help(x->d, x->d->last, "there are no truth values: write 1 or 0");
    else
        diag_help(x->d, x->d->last,
                  "a string stands in double quotes: `\"%.*s\"`",
                  STR_ARG(word));
}

static void evaluate_constants(struct expansion *x, struct scope *s)
{
    struct model *m = x->model;
    m->constant_count = x->spec->constant_count;
    m->constants = arena_new(x->a, struct constant_value, m->constant_count);
    for (size_t i = 0; i < m->constant_count; i++) {
        const struct constant *c = &x->spec->constants[i];
        m->constants[i].as = c;
        m->constants[i].integers = arena_new(x->a, int64_t, c->count);
        for (size_t k = 0; k < c->count; k++)
            if (c->items[k].kind == CONSTANT_INTEGER)
                evaluate_constant(x, s, &c->items[k],
                                  &m->constants[i].integers[k]);
    }
    qsort(m->constants, m->constant_count, sizeof *m->constants,
          compare_constants);
    check_constant_limits(x);
}

static void check_params(struct expansion *x)
{
    for (size_t i = 0; i < x->spec->template_count; i++) {
        const struct template *t = &x->spec->templates[i];
        for (size_t k = 0; t->expanded > 0 && k < t->param_count; k++)
            if (!t->param_used[k])
                diag_add(x->d, "E0206", diag_at(t->params[k].at),
                         "template `%.*s` never uses its parameter `%.*s`",
                         STR_ARG(t->id), STR_ARG(t->params[k].id));
    }
}

bool expand_spec(struct arena *a, struct spec *spec, struct diag *d,
                 struct model *out)
{
    struct expansion x = {.a = a, .d = d, .spec = spec, .model = out};
    struct frame f = {.say = &spec->say};
    uint64_t before = d->errors;
    *out = (struct model){.spec = spec};
    output_groups(a, out);
    f.scope = expansion_file_scope(&x, spec->files);
    sources_evaluate(&f.scope, spec);
    check_assertions(&x, &f.scope);
    evaluate_constants(&x, &f.scope);
    if (d->errors != before)
        return false;
    for (size_t i = 0; i < spec->map_count && !x.stopped; i++)
        expansion_block(&x, &f, &spec->map[i]);
    if (d->errors == before)
        check_params(&x);
    if (d->errors == before)
        sources_check_used(a, d, out);
    output_order(a, d, out, d->errors == before);
    return d->errors == before;
}
