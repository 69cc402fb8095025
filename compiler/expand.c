/* SPDX-License-Identifier: MIT
 *
 * expand.c - walks the blocks of a spec, the loops outermost.
 *
 * The walk goes down with a frame (scope, prefixes, overrides, templates that
 * are open) and leaves outputs and leaves behind in the model. What concerns
 * one output alone is judged in output.c, what concerns names together in
 * members.c.
 */
#include "expand.h"

#include <inttypes.h>
#include <stdlib.h>

#include "output.h"
#include "typing.h"

#define MAX_ITERATIONS 4000000
#define MAX_LEAVES 4000000
#define MAX_ERRORS 100000

struct expansion {
    struct arena *a;
    struct diag *d;
    struct spec *spec;
    struct model *model;
    uint64_t iterations;
    bool stopped; /* over a limit: said once */
};

struct frame {
    struct scope scope;
    struct str from, to;
    const struct overrides *say;
    const struct template *open[16];
    size_t depth;
};

/* --- definitions --- */

static void define_one(struct scope *s, const struct definition *def)
{
    struct binding b = {.name = def->id, .at = def->at};
    int64_t *table = arena_new(s->a, int64_t, def->count);
    bool ok = true;
    for (size_t i = 0; i < def->count; i++)
        ok = scope_eval(s, def->exprs[i], &table[i]) && ok;
    b.kind = !ok ? BIND_BROKEN : def->is_table ? BIND_TABLE : BIND_NUMBER;
    b.number = def->count > 0 ? table[0] : 0;
    b.table = table;
    b.count = def->count;
    scope_define(s, b);
}

/* The dims of a file, evaluated once. */
static struct scope file_scope(struct expansion *x, struct spec_file *f)
{
    struct scope s = {.a = x->a, .d = x->d, .top = f->scope};
    if (f->evaluated)
        return s;
    for (size_t i = 0; i < f->dim_count; i++)
        define_one(&s, &f->dims[i]);
    f->scope = s.top;
    f->evaluated = true;
    return s;
}

/* --- overrides --- */

static const struct overrides *merge(struct expansion *x,
                                     const struct overrides *outer,
                                     const struct overrides *inner)
{
    struct overrides *o;
    if (!inner->store.set && inner->source_dtype == 0 &&
        inner->spelling == SPELLING_UNSET && inner->group.n == 0)
        return outer;
    o = arena_new(x->a, struct overrides, 1);
    *o = *outer;
    if (inner->store.set)
        o->store = inner->store;
    if (inner->source_dtype != 0) {
        o->source_dtype = inner->source_dtype;
        o->source_dtype_at = inner->source_dtype_at;
    }
    if (inner->spelling != SPELLING_UNSET) {
        o->spelling = inner->spelling;
        o->spelling_at = inner->spelling_at;
    }
    if (inner->group.n > 0) {
        o->group = inner->group;
        o->group_at = inner->group_at;
    }
    return o;
}

/* --- entries --- */

/* On the heap while it grows; output_order moves it into the arena. */
static void grow_outputs(struct model *m)
{
    m->output_capacity = m->output_capacity == 0 ? 64 : m->output_capacity * 2;
    m->outputs = realloc(m->outputs, m->output_capacity * sizeof *m->outputs);
    if (m->outputs == NULL)
        arena_exhausted();
}

static struct output *output_new(struct expansion *x, struct frame *f,
                                 const struct entry *e)
{
    struct model *m = x->model;
    struct output *o;
    if (m->output_count == TTSB_MAX_TENSORS) {
        if (!x->stopped)
            diag_add(x->d, "E0216", scope_where(&f->scope, e->name->at),
                     "more than %d outputs", TTSB_MAX_TENSORS);
        x->stopped = true;
        return NULL;
    }
    if (m->output_count == m->output_capacity)
        grow_outputs(m);
    o = &m->outputs[m->output_count++];
    *o = (struct output){.where = scope_where(&f->scope, e->name->at),
                         .value = &e->value,
                         .optional = e->value.optional,
                         .alias_of = TTSB_NO_TENSOR};
    return o;
}

static void expand_tensor(struct expansion *x, struct frame *f,
                          const struct entry *e)
{
    struct output *o = output_new(x, f, e);
    struct typing t = {.model = x->model,
                       .scope = &f->scope,
                       .from = f->from,
                       .say = f->say,
                       .optional = e->value.optional};
    bool ok;
    if (o == NULL)
        return;
    t.output = (uint32_t)(x->model->output_count - 1);
    ok = scope_name(&f->scope, f->to, e->name, &o->name);
    if (e->value.term->op == OP_ALIAS)
        ok = scope_name(&f->scope, f->to, e->value.term->args[0].name,
                        &o->alias_target) &&
             ok;
    else
        ok = (o->step = typing_step(&t, e->value.term)) != NULL && ok;
    if (!ok) {
        x->model->output_count--;
        return;
    }
    output_finish(x->a, x->d, x->model, o, f->say);
}

static void expand_drop(struct expansion *x, struct frame *f,
                        const struct entry *e)
{
    struct leaf *leaf;
    struct typing t = {.model = x->model,
                       .scope = &f->scope,
                       .from = f->from,
                       .say = f->say,
                       .output = TTSB_NO_TENSOR,
                       .dropped = true};
    typing_leaf(&t, e->name, &e->type, &leaf);
}

/* --- blocks --- */

static void expand_block(struct expansion *x, const struct frame *outer,
                         const struct block *b);

static struct template *find_template(struct expansion *x, struct frame *f,
                                      const struct block *b)
{
    for (size_t i = 0; i < x->spec->template_count; i++)
        if (str_eq(x->spec->templates[i].id, b->use))
            return &x->spec->templates[i];
    diag_add(x->d, "E0202", scope_where(&f->scope, b->use_at),
             "no template is called `%.*s`", STR_ARG(b->use));
    return NULL;
}

static bool may_open(struct expansion *x, struct frame *f,
                     const struct block *b, const struct template *t)
{
    bool open = f->depth == sizeof f->open / sizeof f->open[0];
    for (size_t i = 0; i < f->depth; i++)
        open = open || f->open[i] == t;
    if (open)
        diag_add(x->d, "E0207", scope_where(&f->scope, b->use_at),
                 "template `%.*s` uses itself, or uses nest deeper than 16",
                 STR_ARG(t->id));
    return !open;
}

static const struct definition *find_definition(const struct definition *defs,
                                                size_t n, struct str id)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(defs[i].id, id))
            return &defs[i];
    return NULL;
}

static void define_param(struct expansion *x, struct scope *inner,
                         const struct frame *f, const struct block *b,
                         const struct template *t, size_t i)
{
    const struct definition *def =
        find_definition(b->with, b->with_count, t->params[i].id);
    struct binding v = {.name = t->params[i].id,
                        .at = t->params[i].at,
                        .used = &t->param_used[i]};
    if (def == NULL) {
        struct diag_item *item =
            diag_add(x->d, "E0206", scope_where(&f->scope, b->use_at),
                     "template `%.*s` needs the parameter `%.*s`",
                     STR_ARG(t->id), STR_ARG(t->params[i].id));
        diag_label(x->d, item, t->params[i].at, "declared here");
    } else {
        scope_eval(&f->scope, def->exprs[0], &v.number);
    }
    scope_define(inner, v);
}

static void check_with(struct expansion *x, const struct frame *f,
                       const struct block *b, const struct template *t)
{
    for (size_t i = 0; i < b->with_count; i++)
        if (find_definition(t->params, t->param_count, b->with[i].id) == NULL)
            diag_add(x->d, "E0206", scope_where(&f->scope, b->with[i].at),
                     "template `%.*s` has no parameter `%.*s`", STR_ARG(t->id),
                     STR_ARG(b->with[i].id));
}

static void expand_use(struct expansion *x, struct frame *f,
                       const struct block *b)
{
    struct template *t = find_template(x, f, b);
    struct frame inner = *f;
    struct diag_frame *use;
    uint64_t before = x->d->errors;
    if (t == NULL || !may_open(x, f, b, t))
        return;
    inner.scope = file_scope(x, t->file);
    inner.scope.loops = f->scope.loops;
    check_with(x, f, b, t);
    for (size_t i = 0; i < t->param_count; i++)
        define_param(x, &inner.scope, f, b, t, i);
    if (x->d->errors != before)
        return;
    use = arena_new(x->a, struct diag_frame, 1);
    *use = (struct diag_frame){f->scope.use, b->use_at, b->use};
    inner.scope.use = use;
    inner.open[inner.depth++] = t;
    t->expanded++;
    for (size_t i = 0; i < t->body_count; i++)
        expand_block(x, &inner, &t->body[i]);
}

/* One iteration, all loop variables set. */
static void expand_once(struct expansion *x, struct frame *f,
                        const struct block *b)
{
    uint64_t before = x->d->errors;
    for (size_t i = 0; i < b->let_count; i++)
        define_one(&f->scope, &b->lets[i]);
    if (x->d->errors != before ||
        !scope_name(&f->scope, f->from, b->from, &f->from) ||
        !scope_name(&f->scope, f->to, b->to, &f->to))
        return;
    if (b->use.n > 0)
        expand_use(x, f, b);
    for (size_t i = 0; i < b->entry_count && !x->stopped; i++) {
        if (b->entries[i].kind == ENTRY_TENSOR)
            expand_tensor(x, f, &b->entries[i]);
        else
            expand_drop(x, f, &b->entries[i]);
    }
}

static void bind_loop(struct frame *f, const struct loop *l,
                      struct loop_item item)
{
    struct binding b = {.name = l->id,
                        .at = l->at,
                        .kind = item.is_word ? BIND_WORD : BIND_NUMBER,
                        .number = item.number,
                        .word = item.word};
    struct diag_binding *shown = arena_new(f->scope.a, struct diag_binding, 1);
    *shown = (struct diag_binding){f->scope.loops, l->id, item.is_word,
                                   item.number, item.word};
    f->scope.loops = shown;
    scope_define(&f->scope, b);
}

/* Every step of every loop counts, so that expansion ends. */
static bool may_go_on(struct expansion *x, const struct frame *f,
                      const struct block *b)
{
    const char *what = NULL;
    if (x->stopped)
        return false;
    if (++x->iterations > MAX_ITERATIONS)
        what = "more than 4000000 iterations";
    else if (x->model->leaf_count > MAX_LEAVES)
        what = "more than 4000000 source tensors";
    else if (x->d->errors > MAX_ERRORS)
        what = "more than 100000 errors";
    if (what == NULL)
        return true;
    diag_add(x->d, "E0216",
             (struct diag_where){b->at, f->scope.use, f->scope.loops}, "%s",
             what);
    x->stopped = true;
    return false;
}

static void expand_loops(struct expansion *x, const struct frame *outer,
                         const struct block *b, size_t depth)
{
    const struct loop *l;
    struct frame f = *outer;
    uint64_t errors = x->d->errors;
    int64_t lo = 0, hi = 0;
    if (depth == b->loop_count) {
        expand_once(x, &f, b);
        return;
    }
    l = &b->loops[depth];
    if (!l->is_range)
        hi = (int64_t)l->count;
    else if (!scope_eval(&f.scope, l->range.lo, &lo) ||
             !scope_eval(&f.scope, l->range.hi, &hi))
        return;
    if (lo >= hi)
        diag_add(x->d, "E0205", scope_where(&f.scope, l->range.at),
                 "the range %" PRId64 "..%" PRId64 " is empty", lo, hi);
    for (int64_t i = lo; i < hi && may_go_on(x, outer, b); i++) {
        f = *outer;
        bind_loop(&f, l,
                  l->is_range ? (struct loop_item){.number = i} : l->items[i]);
        if (i == lo && x->d->errors != errors)
            return; /* the variable shadows: said once */
        expand_loops(x, &f, b, depth + 1);
    }
}

static void expand_block(struct expansion *x, const struct frame *outer,
                         const struct block *b)
{
    struct frame f = *outer;
    f.say = merge(x, f.say, &b->say);
    expand_loops(x, &f, b, 0);
}

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
                scope_eval(s, c->items[k].expr, &m->constants[i].integers[k]);
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
    f.scope = file_scope(&x, spec->files);
    check_assertions(&x, &f.scope);
    evaluate_constants(&x, &f.scope);
    if (d->errors != before)
        return false;
    for (size_t i = 0; i < spec->map_count && !x.stopped; i++)
        expand_block(&x, &f, &spec->map[i]);
    if (d->errors == before)
        check_params(&x);
    output_order(a, d, out, d->errors == before);
    return d->errors == before;
}
