/* SPDX-License-Identifier: MIT
 *
 * configuration.c - solves sizes for the words that they are made of.
 *
 * A size is solved for one word at a time, as a multiple or linearly, and the
 * solution is put in and evaluated: what does not come out exactly is none.
 */
#include "configuration.h"

#include <inttypes.h>

#include "mismatch.h"
#include "origin.h"
#include "ttsb.h"

#define MAX_WORDS 8
#define MAX_DEPTH 8
#define MAX_CAUSES 64

/* A definition, and the value that the checkpoint speaks for. */
struct cause {
    const struct binding *of;
    uint32_t file;
    int64_t value;
    const struct leaf *leaf; /* the first */
    uint32_t axis;
    size_t tensors;
};

struct search {
    struct resolution *r;
    struct diag none; /* what is tried and fails is not said */
    struct nametab agreed;
    struct cause causes[MAX_CAUSES];
    size_t n;
};

struct words {
    struct str p[MAX_WORDS];
    size_t n;
};

static void find_words(const struct expr *e, struct words *w)
{
    if (e == NULL)
        return;
    if (e->kind == EXPR_ID && w->n < MAX_WORDS)
        w->p[w->n++] = e->id;
    find_words(e->a, w);
    find_words(e->b, w);
}

/* Definitions that are made of no others. */
struct roots {
    const struct binding *p[MAX_WORDS];
    size_t n;
};

/* Those that an expression is made of, through all definitions between. */
static void find_roots(const struct binding *scope, const struct expr *e,
                       unsigned depth, struct roots *out)
{
    struct words w = {0};
    find_words(e, &w);
    for (size_t i = 0; i < w.n && depth < MAX_DEPTH; i++) {
        const struct binding *b = origin_find(scope, w.p[i]);
        struct words of = {0};
        bool known = false;
        if (b == NULL || b->kind != BIND_NUMBER || b->expr == NULL)
            continue; /* a loop variable, a table */
        find_words(b->expr, &of);
        if (of.n > 0)
            find_roots(b->expr_scope, b->expr, depth + 1, out);
        for (size_t k = 0; k < out->n; k++)
            known = known || out->p[k] == b;
        if (of.n == 0 && !known && out->n < MAX_WORDS)
            out->p[out->n++] = b;
    }
}

/* --- solving --- */

/* A definition that is tried with another value. */
struct trial {
    const struct binding *of;
    int64_t value;
};

/* The value that `e` has then. */
static bool try_value(struct search *s, const struct binding *scope,
                      const struct expr *e, const struct trial *t, int64_t *out)
{
    struct words w = {0};
    struct binding with[MAX_WORDS];
    struct scope inner = {.a = s->r->a, .d = &s->none, .top = scope};
    find_words(e, &w);
    for (size_t i = 0; i < w.n; i++) {
        const struct binding *b = origin_find(scope, w.p[i]);
        int64_t value;
        if (b == NULL || b->kind != BIND_NUMBER)
            continue;
        value = b == t->of ? t->value : b->number;
        if (b != t->of && b->expr != NULL && b->expr->kind != EXPR_NUMBER &&
            !try_value(s, b->expr_scope, b->expr, t, &value))
            return false;
        with[i] = (struct binding){.outer = inner.top,
                                   .name = w.p[i],
                                   .kind = BIND_NUMBER,
                                   .number = value};
        inner.top = &with[i];
    }
    return scope_eval(&inner, e, out);
}

static bool fits(struct search *s, const struct leaf *leaf,
                 const struct expr *e, const struct cause *c, int64_t size)
{
    struct trial t = {c->of, c->value};
    int64_t got;
    return c->value > 0 && try_value(s, leaf->scope, e, &t, &got) &&
           got == size;
}

/* The value of a definition that makes `e` this size. */
static bool solve(struct search *s, const struct leaf *leaf,
                  const struct expr *e, int64_t size, struct cause *c)
{
    int64_t now = c->of->number, is, twice, product;
    struct trial t = {c->of, now};
    if (now <= 0 || !try_value(s, leaf->scope, e, &t, &is) || is <= 0)
        return false;
    if (!__builtin_mul_overflow(now, size, &product) && product % is == 0) {
        c->value = product / is;
        if (fits(s, leaf, e, c, size))
            return true;
    }
    t.value = 2 * now;
    if (!try_value(s, leaf->scope, e, &t, &twice))
        return false;
    if (twice == is || __builtin_mul_overflow(size - is, now, &product) ||
        product % (twice - is) != 0)
        return false;
    c->value = now + product / (twice - is);
    return fits(s, leaf, e, c, size);
}

/* --- causes --- */

static struct str key_of(const struct binding *const *b)
{
    return (struct str){(const char *)b, sizeof *b};
}

static void agree(struct search *s, const struct leaf *leaf,
                  const struct expr *e)
{
    struct roots roots = {0};
    find_roots(leaf->scope, e, 0, &roots);
    for (size_t i = 0; i < roots.n; i++) {
        uint32_t one = 1;
        if (!nametab_find(&s->agreed, key_of(&roots.p[i]), &one))
            nametab_add(s->r->a, &s->agreed,
                        arena_str(s->r->a, key_of(&roots.p[i])), &one);
    }
}

static bool has_agreed(const struct search *s, const struct binding *b)
{
    uint32_t one;
    return nametab_find(&s->agreed, key_of(&b), &one);
}

static struct cause *known(struct search *s, const struct cause *c)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->causes[i].of == c->of && s->causes[i].value == c->value &&
            s->causes[i].file == c->file)
            return &s->causes[i];
    return NULL;
}

/* A known cause with the same definition that explains this size, too: what
 * another size was solved for may be a divisor here. */
static struct cause *known_fits(struct search *s, const struct leaf *leaf,
                                const struct expr *e, const struct cause *c,
                                int64_t size)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->causes[i].of == c->of && s->causes[i].file == c->file &&
            fits(s, leaf, e, &s->causes[i], size))
            return &s->causes[i];
    return NULL;
}

/* The cause of one size: one that is known before a new one. NULL if no word
 * of it explains it. */
static struct cause *cause_of(struct search *s, const struct leaf *leaf,
                              uint32_t axis, int64_t size)
{
    const struct expr *e = leaf->written->axes[axis].size;
    struct cause found = {.file = leaf->file, .leaf = leaf, .axis = axis};
    struct roots roots = {0};
    bool any = false;
    find_roots(leaf->scope, e, 0, &roots);
    for (size_t i = 0; i < roots.n; i++) {
        struct cause c = found;
        c.of = roots.p[i];
        if (has_agreed(s, c.of))
            continue;
        if (known_fits(s, leaf, e, &c, size) != NULL)
            return known_fits(s, leaf, e, &c, size);
        if (!solve(s, leaf, e, size, &c))
            continue;
        if (known(s, &c) != NULL)
            return known(s, &c);
        if (!any)
            found = c;
        any = true;
    }
    if (!any || s->n == MAX_CAUSES)
        return NULL;
    s->causes[s->n] = found;
    return &s->causes[s->n++];
}

/* --- leaves --- */

static const struct st_tensor *tensor_of(const struct search *s,
                                         const struct leaf *leaf)
{
    return &s->r->c->tensors[leaf->source];
}

/* Whether a leaf's sizes are as they are written, axis for axis. */
static bool is_plain(const struct search *s, const struct leaf *leaf)
{
    return leaf->file != NO_SOURCE && leaf->source != NO_SOURCE &&
           leaf->first_use == leaf && !leaf->reported && !leaf->is_g &&
           leaf->spectral <= SPECTRAL_W &&
           leaf->type.rank == leaf->written->rank &&
           leaf->type.rank == tensor_of(s, leaf)->rank;
}

static bool differs(const struct search *s, const struct leaf *leaf,
                    uint32_t axis)
{
    return leaf->type.axes[axis].size != tensor_of(s, leaf)->dims[axis];
}

static bool all_agree(const struct search *s, const struct leaf *leaf)
{
    for (uint32_t i = 0; i < leaf->type.rank; i++)
        if (differs(s, leaf, i))
            return false;
    return true;
}

/* Whether each size that differs has a cause; counts the leaf for them. */
static bool explain(struct search *s, struct leaf *leaf)
{
    struct cause *causes[TTSB_MAX_RANK];
    uint32_t n = 0;
    for (uint32_t i = 0; i < leaf->type.rank; i++) {
        uint64_t size = tensor_of(s, leaf)->dims[i];
        struct cause *c;
        if (!differs(s, leaf, i))
            continue;
        c = size > INT32_MAX ? NULL : cause_of(s, leaf, i, (int64_t)size);
        if (c == NULL)
            return false;
        causes[n++] = c;
    }
    for (uint32_t i = 0; i < n; i++)
        if (i == 0 || causes[i] != causes[i - 1])
            causes[i]->tensors++;
    return n > 0;
}

/* Whether a size names a definition itself, so that it is labelled already. */
static bool is_said(const struct leaf *leaf, const struct expr *e,
                    const struct binding *b)
{
    struct words w = {0};
    find_words(e, &w);
    for (size_t i = 0; i < w.n; i++)
        if (origin_of(leaf->scope, leaf->where.loops, w.p[i]) == b)
            return true;
    return false;
}

static void say(struct search *s, const struct cause *c)
{
    const struct leaf *leaf = c->leaf;
    const struct axis_expr *axis = &leaf->written->axes[c->axis];
    struct diag *d = s->r->d;
    struct diag_where w = {axis->at, leaf->where.use, NULL};
    struct diag_item *item =
        mismatch_say_size(s->r->a, d, leaf, s->r->c, c->axis, &w);
    if (!is_said(leaf, axis->size, c->of))
        diag_label(d, item, origin_at(c->of), "%.*s = %" PRId64,
                   STR_ARG(c->of->name), c->of->number);
    diag_note(d, item,
              "no tensor agrees with `%.*s`, %zu differ%s in sizes that are "
              "made of it",
              STR_ARG(c->of->name), c->tensors, c->tensors == 1 ? "s" : "");
    diag_help(d, item,
              "%.*s = %" PRId64 " would fit%s: the checkpoint is probably of "
              "another configuration (%" PRId64 " vs %" PRId64 ")",
              STR_ARG(c->of->name), c->value, c->tensors > 1 ? " them all" : "",
              c->value, c->of->number);
}

/* What is made of the sizes of another source: a magnitude, the vectors of a
 * norm. They differ where that one does. */
static void take_made(struct search *s)
{
    struct model *m = s->r->m;
    bool *touched = arena_new(s->r->a, bool, m->output_count);
    for (size_t i = 0; i < 2 * m->leaf_count; i++) {
        struct leaf *leaf = m->leaves[i % m->leaf_count];
        bool any = leaf->resized;
        if (leaf->source == NO_SOURCE || leaf->output_count == 0)
            continue;
        for (uint32_t k = 0; k < leaf->output_count; k++)
            any = any || touched[leaf->output + k];
        if (!any || (!leaf->resized && is_plain(s, leaf)) ||
            leaf->type.rank != tensor_of(s, leaf)->rank || all_agree(s, leaf))
            continue;
        leaf->resized = true;
        for (uint32_t k = 0; k < leaf->output_count; k++)
            touched[leaf->output + k] = true;
    }
}

static bool any_differs(const struct search *s)
{
    for (size_t i = 0; i < s->r->m->leaf_count; i++)
        if (is_plain(s, s->r->m->leaves[i]) &&
            !all_agree(s, s->r->m->leaves[i]))
            return true;
    return false;
}

void configuration_check(struct resolution *r)
{
    struct search s = {.r = r, .none = {.arena = r->a}};
    if (!any_differs(&s))
        return;
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        const struct leaf *leaf = r->m->leaves[i];
        for (uint32_t k = 0; is_plain(&s, leaf) && k < leaf->type.rank; k++)
            if (!differs(&s, leaf, k))
                agree(&s, leaf, leaf->written->axes[k].size);
    }
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        struct leaf *leaf = r->m->leaves[i];
        if (is_plain(&s, leaf) && !all_agree(&s, leaf) &&
            !mismatch_is_reordered(leaf, tensor_of(&s, leaf)))
            leaf->resized = explain(&s, leaf);
    }
    take_made(&s);
    for (size_t i = 0; i < s.n; i++)
        if (s.causes[i].tensors > 0)
            say(&s, &s.causes[i]);
}
