/* SPDX-License-Identifier: MIT
 *
 * draft_map.c - walks the tree; a run of indices becomes a loop.
 *
 * A scope is what one block covers: the root's children of one name, or the
 * body of a loop. Its tensors become lines, its runs become blocks of their
 * own behind them. Names are relative to the block, which has `from:` and
 * `to:`.
 */
#include "draft_map.h"

#include <inttypes.h>

#include "lockfile.h"
#include "spec.h"

#define NO_MEMBER "    # the source's name cannot be a member"

/* A scope while it is written. */
struct scope_text {
    struct text lines, blocks;
    size_t count; /* of lines that are no comments */
    int indent;   /* of the lines */
    size_t depth;
};

/* Where in a scope: source and target, relative to the block, and the whole
 * source with loops in braces, for comments. */
struct place {
    struct draft_name source, target;
    struct str whole;
};

static void indent(struct text *t, int n)
{
    text_format(t, "%*s", n, "");
}

static struct str variable(struct arena *a, size_t depth)
{
    static const char letters[] = "ijklmn";
    if (depth < sizeof letters - 1)
        return str_cut(str_c(letters), depth, depth + 1);
    return arena_format(a, "v%zu", depth);
}

void draft_put_whole(struct text *t, struct str whole)
{
    if (strspn(whole.p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789_.-{}") >= whole.n)
        text_str(t, whole);
    else
        lockfile_put_name(t, whole);
}

/* --- what cannot be written --- */

static void leave_out(struct drafting *d, struct scope_text *s,
                      const struct name_node *n, struct str whole,
                      const char *why)
{
    d->left_out += n->tensors;
    indent(&s->lines, s->indent);
    text_c(&s->lines, "# left out: ");
    draft_put_whole(&s->lines, whole);
    text_format(&s->lines, " (%" PRIu64 " tensor%s): %s\n", n->tensors,
                n->tensors == 1 ? "" : "s", why);
}

/* --- lines --- */

static void put_type(struct drafting *d, struct text *t, const struct tensor *x)
{
    text_c(t, " ");
    if (x->dtype != d->source_dtype)
        text_c(t, spec_dtype_name(x->dtype));
    text_c(t, "[");
    for (uint32_t i = 0; i < x->rank; i++)
        text_format(t, "%s?=%" PRIu64, i > 0 ? ", " : "", x->dims[i]);
    text_c(t, "]");
}

static void put_line(struct drafting *d, struct scope_text *s,
                     const struct tensor *x, const struct place *at)
{
    struct text type = {0};
    put_type(d, &type, x);
    indent(&s->lines, s->indent);
    draft_scalar(&s->lines, at->target, (struct str){0});
    text_c(&s->lines, ": ");
    draft_scalar(&s->lines, at->source, text_view(&type));
    if (!str_eq(at->source.text, at->target.text))
        text_c(&s->lines, NO_MEMBER);
    text_c(&s->lines, "\n");
    text_release(&type);
    d->lines++;
    s->count++;
}

static void put_tensor(struct drafting *d, struct scope_text *s,
                       const struct name_node *n, const struct place *at)
{
    const struct tensor *x = &d->p[n->tensor];
    struct name_node alone = {.tensors = 1};
    if (x->rank > TTSB_MAX_RANK)
        leave_out(d, s, &alone, at->whole,
                  "it has more axes than this language has");
    else
        put_line(d, s, x, at);
}

/* --- hints, which are words --- */

static const struct name_node *find(const struct name_node *n, const char *name)
{
    for (size_t i = 0; n != NULL && i < n->count; i++)
        if (str_is(n->children[i]->component, name))
            return n->children[i];
    return NULL;
}

static void hint(struct scope_text *s, struct str whole, const char *text)
{
    indent(&s->lines, s->indent);
    text_c(&s->lines, "# ");
    if (whole.n > 0) {
        draft_put_whole(&s->lines, whole);
        text_c(&s->lines, ": ");
    }
    text_format(&s->lines, "%s\n", text);
}

static void put_hints(struct scope_text *s, const struct name_node *n,
                      struct str whole)
{
    const struct name_node *p = find(n, "parametrizations");
    if (find(n, "weight_g") != NULL && find(n, "weight_v") != NULL)
        hint(
            s, whole,
            "weight_g and weight_v look like a weight norm: see weight_norm()");
    if (find(find(p, "weight"), "original0") != NULL &&
        find(find(p, "weight"), "original1") != NULL)
        hint(s, whole,
             "original0 and original1 look like a weight norm: see "
             "weight_norm()");
    if (find(n, "weight_orig") != NULL && find(n, "weight_u") != NULL)
        hint(s, whole,
             "weight_orig, weight_u, weight_v look like a spectral norm: see "
             "spectral_norm()");
    if (find(n, "running_mean") != NULL && find(n, "running_var") != NULL)
        hint(s, whole,
             "running_mean and running_var look like a BatchNorm: see "
             "batchnorm() and fold_batchnorm()");
}

/* --- walking --- */

static void put_children(struct drafting *d, struct scope_text *s,
                         const struct name_node *n, const struct place *at);

static struct str whole_of(struct arena *a, struct str whole, struct str part)
{
    struct text t = {0};
    struct str s;
    text_str(&t, whole);
    text_str(&t, part);
    s = arena_str(a, text_view(&t));
    text_release(&t);
    return s;
}

static void add_dot(struct arena *a, struct place *at)
{
    at->source = draft_join(a, at->source, str_c("."));
    at->target = draft_join(a, at->target, str_c("."));
    at->whole = whole_of(a, at->whole, str_c("."));
}

/* A node and all below it. A tensor that is a prefix, too, gets a member of
 * its own beneath it. */
static void put_node(struct drafting *d, struct scope_text *s,
                     const struct name_node *n, struct place at)
{
    struct draft_targets targets;
    struct place own = at;
    if (n->count == 0) {
        put_tensor(d, s, n, &at);
        return;
    }
    put_hints(s, n, at.whole);
    if (n->tensor != NAMETREE_NO_TENSOR) {
        draft_targets_make(d->a, n, false, &targets);
        own.target = draft_join(d->a, own.target, str_c("."));
        own.target = draft_join(d->a, own.target, targets.own);
        put_tensor(d, s, n, &own);
    }
    add_dot(d->a, &at);
    put_children(d, s, n, &at);
}

static bool has_loops(const struct name_node *n)
{
    size_t k;
    for (size_t i = 0; i < n->count; i += k) {
        k = nametree_run(n, i);
        if (k > 1 || has_loops(n->children[i]))
            return true;
    }
    return false;
}

/* "for: {i: 0..N0}" */
static void put_for(struct drafting *d, struct text *t, struct str name,
                    const struct name_node *first, uint64_t count)
{
    text_format(t, "for: {%.*s: %" PRIu64 "..", STR_ARG(name), first->index);
    if (first->index > 0) {
        text_format(t, "%" PRIu64 "}\n", first->index + count);
        return;
    }
    text_format(t, "N%zu}\n", d->dim_count);
    if (d->dim_count == d->dim_capacity)
        d->dims = arena_grow(d->a, d->dims, sizeof *d->dims, d->dim_count,
                             &d->dim_capacity);
    d->dims[d->dim_count++] = (struct draft_dim){.size = count};
}

/* One key with a name. */
static void put_prefix(struct text *t, int by, const char *key,
                       struct draft_name name)
{
    indent(t, by);
    text_c(t, key);
    draft_scalar(t, name, (struct str){0});
}

static void put_prefixes(struct text *t, int by, const struct place *at)
{
    put_prefix(t, by, "from: ", at->source);
    text_c(t, "\n");
    put_prefix(t, by, "to: ", at->target);
    text_c(t, str_eq(at->source.text, at->target.text) ? "\n" : NO_MEMBER "\n");
}

/* `- tensors:` with its lines, then the blocks; comments without any line
 * stand alone. */
static void put_scope(struct text *out, struct scope_text *s)
{
    if (s->count > 0) {
        indent(out, s->indent - 4);
        text_c(out, "- tensors:\n");
    }
    text_str(out, text_view(&s->lines));
    text_str(out, text_view(&s->blocks));
    text_release(&s->lines);
    text_release(&s->blocks);
}

/* What is inside of a loop, whose place is `at`, up to its index. True if it
 * stands behind `from:` and `to:`, and is not written in full. */
static bool put_inside(struct drafting *d, struct scope_text *s,
                       const struct name_node *first, struct place *at)
{
    struct place inside = {0};
    if (first->tensor != NAMETREE_NO_TENSOR) {
        put_node(d, s, first, *at);
        return false;
    }
    put_hints(s, first, at->whole);
    add_dot(d->a, at);
    inside.whole = at->whole;
    put_children(d, s, first, &inside);
    return true;
}

/* A run of `count` children as a block. `at` ends before the index. */
static void put_loop(struct drafting *d, struct scope_text *outer,
                     const struct name_node *first, uint64_t count,
                     struct place at)
{
    int by = outer->indent - 4;
    bool deep = has_loops(first), prefixed;
    struct str name = variable(d->a, outer->depth);
    struct scope_text s = {.indent = deep ? by + 8 : by + 4,
                           .depth = outer->depth + 1};
    struct text *t = &outer->blocks, head = {0};
    size_t lines = d->lines, dim = d->dim_count;
    at.source = draft_join_variable(d->a, at.source, name);
    at.target = draft_join_variable(d->a, at.target, name);
    at.whole =
        arena_format(d->a, "%.*s{%.*s}", STR_ARG(at.whole), STR_ARG(name));
    put_for(d, &head, name, first, count);
    if (d->dim_count > dim)
        d->dims[dim].of = at.whole;
    prefixed = put_inside(d, &s, first, &at);
    if (d->lines == lines) { /* nothing of it can be written */
        d->dim_count = dim;
        s.count = 0;
        put_scope(t, &s);
    } else {
        d->loops++;
        indent(t, by);
        text_c(t, "- ");
        text_str(t, text_view(&head));
        if (prefixed)
            put_prefixes(t, by + 2, &at);
        indent(t, by + 2);
        text_c(t, deep ? "body:\n" : "tensors:\n");
        s.count = deep ? s.count : 0; /* the key stands already */
        put_scope(t, &s);
    }
    text_release(&head);
}

/* A node whose children are written, and what their targets are. */
struct family {
    const struct name_node *node;
    struct draft_targets targets;
};

/* Children i to i + k - 1, which are a run. */
static void put_run(struct drafting *d, struct scope_text *s,
                    const struct family *f, size_t i, struct place at)
{
    const struct name_node *c = f->node->children[i];
    size_t k = nametree_run(f->node, i);
    at.target = draft_join(d->a, at.target, f->targets.of[i]);
    if (k > 1) {
        put_loop(d, s, c, k, at);
        return;
    }
    at.whole = whole_of(d->a, at.whole, c->component);
    if (!draft_can_write(c->component)) {
        leave_out(d, s, c, at.whole,
                  "a byte of its name cannot stand in a spec");
        return;
    }
    at.source = draft_join(d->a, at.source, c->component);
    if (c->is_index)
        at.target = draft_join(d->a, at.target, c->component);
    put_node(d, s, c, at);
}

static void put_children(struct drafting *d, struct scope_text *s,
                         const struct name_node *n, const struct place *at)
{
    struct family f = {.node = n};
    draft_targets_make(d->a, n, false, &f.targets);
    for (size_t i = 0; i < n->count; i += nametree_run(n, i))
        put_run(d, s, &f, i, *at);
}

/* Whether a child has no loop, itself or below it. */
static bool is_literal(const struct name_node *root, size_t i)
{
    return nametree_run(root, i) == 1 && !has_loops(root->children[i]);
}

/* What has no loop shares a block; another prefix has blocks of its own. */
void draft_map(struct drafting *d, const struct name_node *root,
               struct text *out)
{
    struct family f = {.node = root};
    struct scope_text first = {.indent = 6};
    draft_targets_make(d->a, root, true, &f.targets);
    for (size_t i = 0; i < root->count; i += nametree_run(root, i))
        if (is_literal(root, i))
            put_run(d, &first, &f, i, (struct place){0});
    put_scope(out, &first);
    for (size_t i = 0; i < root->count; i += nametree_run(root, i)) {
        struct scope_text s = {.indent = 6};
        if (is_literal(root, i))
            continue;
        put_run(d, &s, &f, i, (struct place){0});
        put_scope(out, &s);
    }
}
