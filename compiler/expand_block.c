/* SPDX-License-Identifier: MIT
 *
 * expand_block.c - walks blocks, bodies and templates, the loops outermost.
 */
#include <inttypes.h>

#include "expansion.h"
#include "sources.h"
#include "suggest.h"

#define MAX_ITERATIONS 4000000
#define MAX_LEAVES 4000000
#define MAX_ERRORS 100000

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
    if (b.kind == BIND_NUMBER) {
        b.expr = def->exprs[0];
        b.expr_scope = s->top;
    }
    scope_define(s, b);
}

struct scope expansion_file_scope(struct expansion *x, struct spec_file *f)
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
        inner->spelling == SPELLING_UNSET && inner->group.n == 0 &&
        inner->source.n == 0)
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
    if (inner->source.n > 0) {
        o->source = inner->source;
        o->source_at = inner->source_at;
    }
    return o;
}

/* --- blocks --- */

static void no_template(struct expansion *x, struct frame *f,
                        const struct block *b)
{
    size_t n = x->spec->template_count;
    struct str *ids = arena_new(x->a, struct str, n), near;
    struct diag_item *item =
        diag_add(x->d, "E0202", scope_where(&f->scope, b->use_at),
                 "no template is called `%.*s`", STR_ARG(b->use));
    for (size_t i = 0; i < n; i++)
        ids[i] = x->spec->templates[i].id;
    near = suggest_nearest(b->use, ids, n);
    if (near.n > 0)
        diag_fix(x->d, item, &(struct diag_edit){b->use_at, near, false},
                 "did you mean `%.*s`?", STR_ARG(near));
}

static struct template *find_template(struct expansion *x, struct frame *f,
                                      const struct block *b)
{
    for (size_t i = 0; i < x->spec->template_count; i++)
        if (str_eq(x->spec->templates[i].id, b->use))
            return &x->spec->templates[i];
    no_template(x, f, b);
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
        v.given_at = def->at;
        v.expr = def->exprs[0];
        v.expr_scope = f->scope.top;
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
    inner.scope = expansion_file_scope(x, t->file);
    inner.scope.loops = f->scope.loops;
    check_with(x, f, b, t);
    for (size_t i = 0; i < t->param_count; i++)
        define_param(x, &inner.scope, f, b, t, i);
    if (x->d->errors != before)
        return;
    use = arena_new(x->a, struct diag_frame, 1);
    *use = (struct diag_frame){f->scope.use, b->use_at, b->use};
    inner.scope.use = use;
    inner.reason = b->drop_use ? &b->reason : f->reason;
    inner.open[inner.depth++] = t;
    t->expanded++;
    for (size_t i = 0; i < t->body_count; i++)
        expansion_block(x, &inner, &t->body[i]);
}

/* One iteration, all loop variables set; `what` is a struct block. */
static void block_once(struct expansion *x, struct frame *f, const void *what)
{
    const struct block *b = what;
    uint64_t before = x->d->errors;
    for (size_t i = 0; i < b->let_count; i++)
        define_one(&f->scope, &b->lets[i]);
    if (x->d->errors != before ||
        !scope_name(&f->scope, f->from, b->from, &f->from) ||
        !scope_name(&f->scope, f->to, b->to, &f->to))
        return;
    if (b->use.n > 0)
        expand_use(x, f, b);
    for (size_t i = 0; i < b->body_count && !x->stopped; i++)
        expansion_block(x, f, &b->body[i]);
    /* From here on only for this block's own lines. */
    f->from = sources_root(x->a, x->spec, f->say, f->from);
    for (size_t i = 0; i < b->entry_count && !x->stopped; i++)
        expansion_entry(x, f, &b->entries[i]);
}

static void bind_loop(struct frame *f, const struct loop *l,
                      const struct loop_run *run, struct loop_item item)
{
    struct binding b = {.name = l->id,
                        .at = l->at,
                        .kind = item.is_word ? BIND_WORD : BIND_NUMBER,
                        .number = item.number,
                        .word = item.word};
    struct diag_binding *shown = arena_new(f->scope.a, struct diag_binding, 1);
    *shown = (struct diag_binding){f->scope.loops, l->id,     item.is_word,
                                   item.number,    item.word, run};
    f->scope.loops = shown;
    scope_define(&f->scope, b);
}

/* Every step of every loop counts, so that expansion ends. */
static bool may_go_on(struct expansion *x, const struct frame *f,
                      struct span at)
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
             (struct diag_where){at, f->scope.use, f->scope.loops}, "%s", what);
    x->stopped = true;
    return false;
}

bool expansion_work(struct expansion *x, const struct frame *f, struct span at,
                    uint64_t terms)
{
    if (x->stopped || x->terms >= TYPING_MAX_WORK) /* said already */
        return false;
    if (terms < TYPING_MAX_WORK - x->terms) {
        x->terms += terms;
        return true;
    }
    diag_add(x->d, "E0216", scope_where(&f->scope, at), "more than %d terms",
             TYPING_MAX_WORK);
    x->stopped = true;
    return false;
}

void expansion_loops(struct expansion *x, const struct frame *outer,
                     const struct looped *loops, size_t depth)
{
    const struct loop *l;
    const struct loop_run *run = NULL;
    struct frame f = *outer;
    uint64_t errors = x->d->errors;
    int64_t lo = 0, hi = 0;
    if (depth == loops->count) {
        loops->once(x, &f, loops->what);
        return;
    }
    l = &loops->loops[depth];
    if (!l->is_range)
        hi = (int64_t)l->count;
    else if (!scope_eval(&f.scope, l->range.lo, &lo) ||
             !scope_eval(&f.scope, l->range.hi, &hi))
        return;
    if (lo >= hi)
        diag_add(x->d, "E0205", scope_where(&f.scope, l->range.at),
                 "the range %" PRId64 "..%" PRId64 " is empty", lo, hi);
    if (l->is_range)
        run = scope_run(&f.scope, &l->range, lo, hi);
    for (int64_t i = lo; i < hi && may_go_on(x, outer, loops->at); i++) {
        f = *outer;
        bind_loop(&f, l, run,
                  l->is_range ? (struct loop_item){.number = i} : l->items[i]);
        if (i == lo && x->d->errors != errors)
            return; /* the variable shadows: said once */
        expansion_loops(x, &f, loops, depth + 1);
    }
}

void expansion_block(struct expansion *x, const struct frame *outer,
                     const struct block *b)
{
    struct frame f = *outer;
    struct looped loops = {b->loops, b->loop_count, b->at, block_once, b};
    f.say = merge(x, f.say, &b->say);
    sources_check_block(&f.scope, x->spec, b, f.say);
    expansion_loops(x, &f, &loops, 0);
}
