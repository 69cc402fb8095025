/* SPDX-License-Identifier: MIT
 *
 * diff_spec.c - two specs, as what they stand for.
 *
 * In: two specs. Out: what became of each target, constant, group and source,
 * folded over loops. Invariant: both are expanded and laid out first, so that
 * comments, order of keys, templates and loops make no difference; a folded
 * line is true of every tensor that it names, with the tensor's own indices
 * in place of {i}, {j} and so on. Exit 0: the same contract id and the same
 * sources, used and dropped.
 */
#include "diff_spec.h"

#include <inttypes.h>

#include "contract.h"
#include "meta.h"
#include "sources.h"

static struct str keep(struct spec_diff *d, struct text *t)
{
    struct str s = arena_str(&d->arena, text_view(t));
    text_release(t);
    return s;
}

/* --- folding --- */

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || c == '_';
}

/* The numbers that stand between the dots of a name. */
static size_t numbers_of(struct str name, uint64_t *out, size_t most)
{
    size_t n = 0;
    for (size_t i = 0, k; i <= name.n && n < most; i = k + 1) {
        for (k = i; k < name.n && name.p[k] != '.';)
            k++;
        n += str_is_index(str_cut(name, i, k), &out[n]);
    }
    return n;
}

/* A text with each number that stands behind a single dot, and is one of the
 * name's, as {i}, {j}, ... of the first that it is. */
static struct str abstract(struct spec_diff *d, struct str s, struct str name,
                           bool all)
{
    uint64_t numbers[16], value;
    size_t count = numbers_of(name, numbers, 16), k;
    struct text t = {0};
    for (size_t i = 0; i < s.n; i = k) {
        bool dot = i == 0 ? all : s.p[i - 1] == '.';
        size_t which = 0;
        for (k = i; k < s.n && is_word(s.p[k]);)
            k++;
        dot = dot && !(i > 1 && s.p[i - 2] == '.') &&
              (!all || k == s.n || s.p[k] == '.');
        if (dot && k > i && str_is_index(str_cut(s, i, k), &value))
            while (which < count && numbers[which] != value)
                which++;
        else
            which = count;
        k = k > i ? k : i + 1;
        if (which < count)
            text_format(&t, "{%c}", (int)('i' + (all ? 0 : which) % 18));
        else
            text_str(&t, str_cut(s, i, k));
    }
    return keep(d, &t);
}

static void add(struct spec_diff *d, const char *what, struct str name,
                struct str a, struct str b)
{
    struct change *c;
    if (str_eq(a, b))
        return;
    if (d->n == d->capacity)
        d->p = arena_grow(&d->arena, d->p, sizeof *d->p, d->n, &d->capacity);
    c = &d->p[d->n++];
    *c = (struct change){.what = what, .name = name, .a = a, .b = b};
    c->pattern = abstract(d, name, name, true);
    c->template_a = abstract(d, a, name, false);
    c->template_b = abstract(d, b, name, false);
}

/* --- targets --- */

static struct str type_of(struct spec_diff *d, const struct output *o)
{
    struct text t = {0};
    text_c(&t, spec_dtype_name(o->dtype));
    type_print(&t, o->type);
    return keep(d, &t);
}

static struct str sizes_of(struct spec_diff *d, const struct output *o)
{
    struct text t = {0};
    type_print(&t, o->type);
    return keep(d, &t);
}

static struct str value_of(struct spec_diff *d, const struct run *r,
                           const struct output *o)
{
    struct text t = {0};
    contract_readable(&t, &r->model, o);
    return keep(d, &t);
}

static void compare_output(struct spec_diff *d, const struct output *x,
                           const struct output *y)
{
    struct str yes = str_c("optional"), no = str_c("required");
    add(d, "dtype", x->name, str_c(spec_dtype_name(x->dtype)),
        str_c(spec_dtype_name(y->dtype)));
    add(d, "type", x->name, sizes_of(d, x), sizes_of(d, y));
    add(d, "value", x->name, value_of(d, d->a, x), value_of(d, d->b, y));
    add(d, "group", x->name, d->a->model.groups[x->group].name,
        d->b->model.groups[y->group].name);
    add(d, "optional", x->name, x->optional ? yes : no, y->optional ? yes : no);
    d->moved += x->offset != y->offset;
}

/* What each target of `r` that the other spec lacks is apart from its name;
 * empty for all else. */
static struct str *lone(struct spec_diff *d, const struct run *r,
                        const struct run *other)
{
    const struct model *m = &r->model;
    struct str *v = arena_new(&d->arena, struct str, m->output_count);
    for (size_t i = 0; i < m->output_count; i++) {
        struct text t = {0};
        uint32_t number;
        if (nametab_find(&other->model.names, m->outputs[i].name, &number))
            continue;
        text_str(&t, type_of(d, &m->outputs[i]));
        contract_readable(&t, m, &m->outputs[i]);
        v[i] = keep(d, &t);
    }
    return v;
}

/* The only one of n that is `is`, or n. */
static size_t find_only(const struct str *v, size_t n, struct str is)
{
    size_t found = n;
    for (size_t i = 0; i < n; i++) {
        if (!str_eq(v[i], is))
            continue;
        if (found < n)
            return n;
        found = i;
    }
    return found;
}

static void compare_outputs(struct spec_diff *d)
{
    const struct model *a = &d->a->model, *b = &d->b->model;
    struct str *in_a = lone(d, d->a, d->b), *in_b = lone(d, d->b, d->a);
    uint32_t k;
    for (size_t i = 0; i < a->output_count; i++) {
        const struct output *x = &a->outputs[i];
        size_t twin;
        if (nametab_find(&b->names, x->name, &k)) {
            compare_output(d, x, &b->outputs[k]);
            continue;
        }
        twin = find_only(in_b, b->output_count, in_a[i]);
        if (twin < b->output_count &&
            find_only(in_a, a->output_count, in_a[i]) == i) {
            add(d, "renamed", x->name, x->name, b->outputs[twin].name);
            in_a[i].n = in_b[twin].n = 0;
        } else {
            add(d, "target", x->name, type_of(d, x), str_c(""));
        }
    }
    for (size_t i = 0; i < b->output_count; i++)
        if (in_b[i].n > 0)
            add(d, "target", b->outputs[i].name, str_c(""),
                type_of(d, &b->outputs[i]));
}

/* --- sources --- */

static struct str source_name(struct spec_diff *d, const struct run *r,
                              const struct leaf *leaf)
{
    return sources_name(&d->arena, &r->spec, leaf->file, leaf->name);
}

static struct str use_of(struct spec_diff *d, const struct leaf *leaf)
{
    struct text t = {0};
    text_c(&t, leaf->dropped ? "dropped, " : "used, ");
    text_c(&t, spec_dtype_name(leaf->dtype));
    type_print(&t, leaf->type);
    return keep(d, &t);
}

static const struct leaf *leaf_of(const struct run *r, struct str name)
{
    uint32_t i;
    return nametab_find(&r->model.sources, name, &i) ? r->model.leaves[i]
                                                     : NULL;
}

static void compare_leaf(struct spec_diff *d, struct str name,
                         const struct leaf *x, const struct leaf *y)
{
    size_t n = d->n;
    add(d, "source", name, x != NULL ? use_of(d, x) : str_c(""),
        y != NULL ? use_of(d, y) : str_c(""));
    d->same_sources = d->same_sources && d->n == n;
    if (x != NULL && y != NULL && x->dropped && y->dropped)
        add(d, "reason", name, *x->reason, *y->reason);
}

static void compare_leaves(struct spec_diff *d)
{
    const struct model *a = &d->a->model, *b = &d->b->model;
    for (size_t i = 0; i < a->leaf_count; i++) {
        const struct leaf *x = a->leaves[i];
        struct str name = source_name(d, d->a, x);
        if (x->first_use == x)
            compare_leaf(d, name, x, leaf_of(d->b, name));
    }
    for (size_t i = 0; i < b->leaf_count; i++) {
        const struct leaf *y = b->leaves[i];
        struct str name = source_name(d, d->b, y);
        if (y->first_use == y && leaf_of(d->a, name) == NULL)
            compare_leaf(d, name, NULL, y);
    }
}

static struct str subtree_name(struct spec_diff *d, const struct run *r,
                               const struct subtree *s)
{
    return arena_format(
        &d->arena, "%.*s*",
        STR_ARG(sources_name(&d->arena, &r->spec, s->file, s->prefix)));
}

static struct str subtree_text(struct spec_diff *d, const struct subtree *s)
{
    return s == NULL ? str_c("")
                     : arena_format(&d->arena,
                                    "dropped, %" PRIu64 " tensors, %" PRIu64
                                    " elements",
                                    s->tensors, s->elements);
}

static const struct subtree *find_subtree(struct spec_diff *d,
                                          const struct run *r, struct str name)
{
    for (size_t i = 0; i < r->model.subtree_count; i++)
        if (str_eq(subtree_name(d, r, &r->model.subtrees[i]), name))
            return &r->model.subtrees[i];
    return NULL;
}

static void compare_subtrees(struct spec_diff *d, const struct run *r,
                             const struct run *other)
{
    for (size_t i = 0; i < r->model.subtree_count; i++) {
        const struct subtree *s = &r->model.subtrees[i];
        struct str name = subtree_name(d, r, s);
        const struct subtree *t = find_subtree(d, other, name);
        size_t n = d->n;
        if (r == d->b && t != NULL)
            continue;
        if (r == d->a)
            add(d, "source", name, subtree_text(d, s), subtree_text(d, t));
        else
            add(d, "source", name, str_c(""), subtree_text(d, s));
        d->same_sources = d->same_sources && d->n == n;
        if (t != NULL)
            add(d, "reason", name, *s->reason, *t->reason);
    }
}

/* --- dropped pieces of splits --- */

/* The first source of a value, or NULL: it is made of zeros. */
static const struct leaf *first_leaf(const struct step *s)
{
    const struct leaf *leaf = s != NULL ? s->leaf : NULL;
    for (size_t i = 0; s != NULL && leaf == NULL && i < s->part_count; i++)
        leaf = first_leaf(s->parts[i]);
    return s == NULL || leaf != NULL ? leaf : first_leaf(s->arg);
}

/* "h.0.qkv.weight[out 0..4]": a piece that a split drops. */
static struct str piece_name(struct spec_diff *d, const struct run *r,
                             const struct trimmed *t, size_t i)
{
    const struct leaf *leaf = first_leaf(t->whole);
    struct str name = leaf != NULL ? source_name(d, r, leaf) : str_c("zeros");
    return arena_format(&d->arena, "%.*s[%.*s %" PRIu64 "..%" PRIu64 "]",
                        STR_ARG(name), STR_ARG(t->split->axis), t->ranges[i].lo,
                        t->ranges[i].lo + t->ranges[i].n);
}

/* The reason of a dropped piece with this name, or "". */
static struct str piece_reason(struct spec_diff *d, const struct run *r,
                               struct str name)
{
    for (size_t i = 0; i < r->model.trimmed_count; i++) {
        const struct trimmed *t = &r->model.trimmed[i];
        for (size_t k = 0; k < t->split->piece_count; k++)
            if (t->split->pieces[k].name == NULL &&
                str_eq(piece_name(d, r, t, k), name))
                return t->split->pieces[k].reason;
    }
    return str_c("");
}

static void compare_pieces(struct spec_diff *d, const struct run *r,
                           const struct run *other)
{
    for (size_t i = 0; i < r->model.trimmed_count; i++) {
        const struct trimmed *t = &r->model.trimmed[i];
        for (size_t k = 0; k < t->split->piece_count; k++) {
            struct str name, theirs, mine = t->split->pieces[k].reason;
            if (t->split->pieces[k].name != NULL)
                continue;
            name = piece_name(d, r, t, k);
            theirs = piece_reason(d, other, name);
            if (r == d->a)
                add(d, "reason", name, mine, theirs);
            else if (theirs.n == 0)
                add(d, "reason", name, theirs, mine);
        }
    }
}

/* --- the rest --- */

static struct str constant_text(struct spec_diff *d,
                                const struct constant_value *v)
{
    const struct constant *c = v->as;
    struct text t = {0};
    for (size_t i = 0; i < c->count; i++) {
        text_c(&t, i > 0 ? ", " : c->is_list ? "[" : "");
        if (c->items[i].kind == CONSTANT_INTEGER)
            text_format(&t, "%" PRId64, v->integers[i]);
        else if (c->items[i].kind == CONSTANT_DECIMAL)
            text_format(&t, "%.17g (f64)", c->items[i].decimal);
        else
            meta_string(&t, c->items[i].text);
    }
    text_c(&t, c->is_list ? "]" : "");
    return keep(d, &t);
}

static struct str constant_named(struct spec_diff *d, const struct run *r,
                                 struct str name)
{
    for (size_t i = 0; i < r->model.constant_count; i++)
        if (str_eq(r->model.constants[i].as->name, name))
            return constant_text(d, &r->model.constants[i]);
    return str_c("");
}

static void compare_constants(struct spec_diff *d)
{
    const struct model *a = &d->a->model, *b = &d->b->model;
    for (size_t i = 0; i < a->constant_count; i++) {
        struct str name = a->constants[i].as->name;
        add(d, "constant", name, constant_text(d, &a->constants[i]),
            constant_named(d, d->b, name));
    }
    for (size_t i = 0; i < b->constant_count; i++) {
        struct str name = b->constants[i].as->name;
        if (constant_named(d, d->a, name).n == 0)
            add(d, "constant", name, str_c(""),
                constant_text(d, &b->constants[i]));
    }
}

static struct str group_named(const struct run *r, struct str name)
{
    for (size_t i = 0; i < r->model.group_count; i++)
        if (str_eq(r->model.groups[i].name, name))
            return str_c(r->model.groups[i].place == TTSB_PLACE_HOST
                             ? "host"
                             : "device");
    return str_c("");
}

static void compare_groups(struct spec_diff *d)
{
    const struct model *a = &d->a->model, *b = &d->b->model;
    for (size_t i = 0; i < a->group_count; i++)
        add(d, "placed", a->groups[i].name,
            group_named(d->a, a->groups[i].name),
            group_named(d->b, a->groups[i].name));
    for (size_t i = 0; i < b->group_count; i++)
        if (group_named(d->a, b->groups[i].name).n == 0)
            add(d, "placed", b->groups[i].name, str_c(""),
                group_named(d->b, b->groups[i].name));
}

static struct str order_text(struct spec_diff *d, const struct run *r)
{
    return r->spec.layout_count > 0 ? spec_layout_text(&d->arena, &r->spec)
                                    : str_c("none");
}

static struct str number(struct spec_diff *d, uint64_t n)
{
    return arena_format(&d->arena, "%" PRIu64, n);
}

static void compare_heads(struct spec_diff *d)
{
    const struct spec *a = &d->a->spec, *b = &d->b->spec;
    add(d, "model", a->model, a->model, b->model);
    add(d, "revision", a->model, number(d, a->revision),
        number(d, b->revision));
    add(d, "align", a->model, number(d, a->align), number(d, b->align));
    add(d, "layout", a->model, order_text(d, d->a), order_text(d, d->b));
}

/* --- all of it --- */

static bool compare_specs(struct spec_diff *d, const struct args *args)
{
    d->same_sources = true;
    compare_heads(d);
    compare_constants(d);
    compare_groups(d);
    compare_outputs(d);
    compare_leaves(d);
    compare_subtrees(d, d->a, d->b);
    compare_subtrees(d, d->b, d->a);
    compare_pieces(d, d->a, d->b);
    compare_pieces(d, d->b, d->a);
    spec_diff_print(d, args);
    return spec_diff_same_contract(d) && d->same_sources;
}

enum exit_code diff_specs(const struct args *args)
{
    struct run a, b;
    struct spec_diff d = {.a = &a, .b = &b};
    enum exit_code code, other;
    bool same = false, good;
    run_begin(&a, args);
    run_begin(&b, args);
    good = run_model(&a, args->positional[0]);
    good = run_model(&b, args->positional[1]) && good;
    if (good)
        same = compare_specs(&d, args);
    arena_release(&d.arena);
    code = run_end(&a);
    other = run_end(&b);
    code = code > other ? code : other;
    return code == EXIT_OK && !same ? EXIT_INPUT : code;
}
