/* SPDX-License-Identifier: MIT
 *
 * block_parse.c - loops, overrides, tensors and drops of one block.
 */
#include "block_parse.h"

#include "cursor.h"
#include "loop_parse.h"
#include "split_parse.h"
#include "term_parse.h"

/* --- what a block may override --- */

static enum ttsb_dtype float_dtype(struct parser *p, const struct node *n)
{
    enum ttsb_dtype dtype;
    if (!field_is_text(p, n))
        return (enum ttsb_dtype)0;
    dtype = spec_dtype(n->text);
    if (spec_dtype_is_float(dtype))
        return dtype;
    spec_dtype_help(p->d,
                    diag_add(p->d, "E0111", diag_at(n->at),
                             "`store:` speaks of f16, bf16, f32 and f64 only"),
                    n->text);
    return (enum ttsb_dtype)0;
}

static void store_matrix(struct parser *p, const struct node *n, void *into)
{
    ((struct store_policy *)into)->matrix = float_dtype(p, n);
}

static void store_vector(struct parser *p, const struct node *n, void *into)
{
    ((struct store_policy *)into)->vector = float_dtype(p, n);
}

static const struct field store_fields[] = {
    {"matrix", true, store_matrix},
    {"vector", true, store_vector},
};

void block_read_store(struct parser *p, const struct node *n, void *into)
{
    struct store_policy *s = &((struct overrides *)into)->store;
    s->set = true;
    if (n->kind == NODE_MAP)
        fields_read(p, n, "`store:`", store_fields, FIELD_COUNT(store_fields),
                    s);
    else
        s->matrix = s->vector = float_dtype(p, n);
}

void block_read_source_dtype(struct parser *p, const struct node *n, void *into)
{
    struct overrides *o = into;
    if (!field_is_text(p, n))
        return;
    o->source_dtype = spec_dtype(n->text);
    o->source_dtype_at = n->raw;
    if (o->source_dtype == 0)
        spec_dtype_help(p->d,
                        diag_add(p->d, "E0111", diag_at(n->at),
                                 "`%.*s` is no dtype", STR_ARG(n->text)),
                        n->text);
}

void block_read_weight_norm(struct parser *p, const struct node *n, void *into)
{
    struct overrides *o = into;
    o->spelling_at = n->raw;
    if (!field_is_text(p, n))
        return;
    if (str_is(n->text, "legacy"))
        o->spelling = SPELLING_LEGACY;
    else if (str_is(n->text, "parametrized"))
        o->spelling = SPELLING_PARAM;
    else
        diag_add(p->d, "E0111", diag_at(n->at),
                 "`weight_norm:` is `legacy` (weight_g, weight_v) or "
                 "`parametrized` (parametrizations.weight.original0, 1)");
}

static void read_group(struct parser *p, const struct node *n, void *into)
{
    struct block *b = into;
    if (!field_is_identifier(p, n))
        return;
    b->say.group = n->text;
    b->say.group_at = n->raw;
}

static void read_source(struct parser *p, const struct node *n, void *into)
{
    struct block *b = into;
    if (!field_is_identifier(p, n))
        return;
    b->say.source = n->text;
    b->say.source_at = n->raw;
}

static void read_store(struct parser *p, const struct node *n, void *into)
{
    block_read_store(p, n, &((struct block *)into)->say);
}

static void read_source_dtype(struct parser *p, const struct node *n,
                              void *into)
{
    block_read_source_dtype(p, n, &((struct block *)into)->say);
}

static void read_weight_norm(struct parser *p, const struct node *n, void *into)
{
    block_read_weight_norm(p, n, &((struct block *)into)->say);
}

static void read_for(struct parser *p, const struct node *n, void *into)
{
    struct block *b = into;
    b->loops = loop_parse(p, n, &b->loop_count);
}

static void read_let(struct parser *p, const struct node *n, void *into)
{
    struct block *b = into;
    b->lets = field_definitions(p, n, false, &b->let_count);
}

static void read_from(struct parser *p, const struct node *n, void *into)
{
    ((struct block *)into)->from = cursor_whole_name(p->a, p->d, n);
}

static void read_to(struct parser *p, const struct node *n, void *into)
{
    ((struct block *)into)->to = cursor_whole_name(p->a, p->d, n);
}

static void read_use(struct parser *p, const struct node *n, void *into)
{
    struct block *b = into;
    b->use_at = n->raw;
    if (field_is_identifier(p, n))
        b->use = n->text;
}

static void read_with(struct parser *p, const struct node *n, void *into)
{
    struct block *b = into;
    b->with = field_definitions(p, n, false, &b->with_count);
}

/* --- entries --- */

static void reserve(struct parser *p, struct block *b, size_t more)
{
    struct entry *old = b->entries;
    b->entries = arena_new(p->a, struct entry, b->entry_count + more);
    if (b->entry_count > 0)
        memcpy(b->entries, old, b->entry_count * sizeof *old);
}

static void read_tensors(struct parser *p, const struct node *n, void *into)
{
    struct block *b = into;
    if (!field_is_map(p, n))
        return;
    reserve(p, b, n->count);
    for (size_t i = 0; i < n->count; i++) {
        struct entry e = {.kind = ENTRY_TENSOR};
        bool ok = term_parse_value(p->a, p->d, n->items[i], &e.value);
        e.name = cursor_whole_name(p->a, p->d, n->keys[i]);
        if (ok && e.name != NULL)
            b->entries[b->entry_count++] = e;
    }
}

static void read_split(struct parser *p, const struct node *n, void *into)
{
    struct block *b = into;
    size_t count;
    struct split **splits = split_parse_list(p, n, &count);
    reserve(p, b, count);
    for (size_t i = 0; i < count; i++)
        b->entries[b->entry_count++] =
            (struct entry){.kind = ENTRY_SPLIT, .split = splits[i]};
}

/* `prefix. [tensors=N, elements=M]`: a name that ends in a dot. */
static bool is_subtree(const struct name *n)
{
    const struct name_part *last = &n->parts[n->count - 1];
    return last->expr == NULL && str_ends(last->text, ".");
}

static bool check_subtree(struct parser *p, const struct entry *e)
{
    struct diag_item *item;
    const struct type_expr *type = &e->drop->type;
    if (type->rank == 2 && type->dtype == 0 &&
        str_is(type->axes[0].id, "tensors") &&
        str_is(type->axes[1].id, "elements"))
        return true;
    item = diag_add(p->d, "E0201", diag_at(type->at),
                    "a name that ends in a dot drops a subtree: expected its "
                    "exact size");
    diag_help(p->d, item, "write `%.*s [tensors=N, elements=M]: reason`",
              STR_ARG(span_text(e->name->at)));
    return false;
}

static void drop_one(struct parser *p, const struct node *key,
                     const struct node *reason, struct block *b)
{
    struct entry e = {.kind = ENTRY_DROP};
    struct drop *drop = arena_new(p->a, struct drop, 1);
    e.drop = drop;
    drop->reason = reason->text;
    if (!term_parse_drop(p->a, p->d, key, &e.name, &drop->type))
        return;
    if (is_subtree(e.name))
        e.kind = ENTRY_SUBTREE;
    if (e.kind == ENTRY_DROP || check_subtree(p, &e))
        b->entries[b->entry_count++] = e;
}

static void read_drop(struct parser *p, const struct node *n, void *into)
{
    struct block *b = into;
    if (n->kind == NODE_SCALAR) { /* a whole `use:` */
        b->drop_use = true;
        b->reason = n->text;
        reason_check(p, n, n);
        return;
    }
    if (!field_is_map(p, n))
        return;
    reserve(p, b, n->count);
    for (size_t i = 0; i < n->count; i++) {
        reason_check(p, n->keys[i], n->items[i]);
        drop_one(p, n->keys[i], n->items[i], b);
    }
}

static void read_body(struct parser *p, const struct node *n, void *into)
{
    struct block *b = into;
    b->body = block_parse_list(p, n, &b->body_count);
}

static const struct field block_fields[] = {
    {"for", false, read_for},
    {"let", false, read_let},
    {"from", false, read_from},
    {"to", false, read_to},
    {"store", false, read_store},
    {"source_dtype", false, read_source_dtype},
    {"weight_norm", false, read_weight_norm},
    {"group", false, read_group},
    {"source", false, read_source},
    {"use", false, read_use},
    {"with", false, read_with},
    {"body", false, read_body},
    {"tensors", false, read_tensors},
    {"split", false, read_split},
    {"drop", false, read_drop},
};

static bool has_key(const struct node *n, const char *key)
{
    for (size_t i = 0; n->kind == NODE_MAP && i < n->count; i++)
        if (str_is(n->keys[i]->text, key))
            return true;
    return false;
}

/* --- whole blocks --- */

/* A loop variable and the lets that depend on it. */
struct words {
    struct str *p;
    size_t n, capacity;
};

static void word_add(struct parser *p, struct words *w, struct str id)
{
    if (w->n == w->capacity)
        w->p = arena_grow(p->a, w->p, sizeof *w->p, w->n, &w->capacity);
    w->p[w->n++] = id;
}

static bool expr_uses(const struct expr *e, const struct words *w)
{
    bool uses = false;
    for (size_t i = 0; i < w->n && !uses; i++)
        uses = loop_in_expr(e, w->p[i]);
    return uses;
}

static bool name_uses(const struct name *n, const struct words *w)
{
    bool uses = false;
    for (size_t i = 0; i < w->n && !uses; i++)
        uses = loop_in_name(n, w->p[i]);
    return uses;
}

static bool has_outputs(const struct block *b)
{
    bool outputs = b->use.n > 0 && !b->drop_use;
    for (size_t i = 0; i < b->entry_count && !outputs; i++)
        outputs = b->entries[i].kind == ENTRY_TENSOR ||
                  b->entries[i].kind == ENTRY_SPLIT;
    for (size_t i = 0; i < b->body_count && !outputs; i++)
        outputs = has_outputs(&b->body[i]);
    return outputs;
}

static bool entry_uses(const struct entry *e, const struct words *w,
                       bool outputs)
{
    bool uses = false;
    if (e->kind != ENTRY_SPLIT)
        return (e->kind == ENTRY_TENSOR) == outputs && name_uses(e->name, w);
    for (size_t i = 0; i < e->split->piece_count && !uses; i++)
        uses = name_uses(e->split->pieces[i].name, w);
    return uses;
}

/* Whether a word of w stands in a name that tells iterations apart. */
static bool tells_apart(struct parser *p, const struct block *b,
                        const struct words *outer, bool outputs)
{
    struct words w = {0};
    bool uses = false;
    for (size_t i = 0; i < outer->n; i++)
        word_add(p, &w, outer->p[i]);
    for (size_t i = 0; i < b->let_count; i++)
        if (expr_uses(b->lets[i].exprs[0], &w))
            word_add(p, &w, b->lets[i].id);
    uses = name_uses(b->to, &w) || (!outputs && name_uses(b->from, &w));
    for (size_t i = 0; i < b->entry_count && !uses; i++)
        uses = entry_uses(&b->entries[i], &w, outputs);
    for (size_t i = 0; i < b->body_count && !uses; i++)
        uses = tells_apart(p, &b->body[i], &w, outputs);
    return uses;
}

/* E0203: a loop variable must tell the outputs, or else the drops, apart. */
static void check_loops(struct parser *p, const struct block *b)
{
    bool outputs = has_outputs(b);
    for (size_t i = 0; i < b->loop_count; i++) {
        struct words w = {0};
        struct diag_item *item;
        word_add(p, &w, b->loops[i].id);
        if (tells_apart(p, b, &w, outputs) ||
            (b->entry_count == 0 && b->use.n == 0 && b->body_count == 0))
            continue;
        item =
            diag_add(p->d, "E0203", diag_at(b->loops[i].at),
                     "loop variable `%.*s` is never used in a %s name",
                     STR_ARG(b->loops[i].id), outputs ? "target" : "dropped");
        diag_note(p->d, item, "two iterations would %s the same names",
                  outputs ? "define" : "drop");
    }
}

/* Where the first of some keys stands that a block has. */
static struct span key_at(const struct node *n, const char *const *keys,
                          size_t count)
{
    for (size_t i = 0; i < n->count; i++)
        for (size_t k = 0; k < count; k++)
            if (str_is(n->keys[i]->text, keys[k]))
                return n->keys[i]->at;
    return n->at;
}

static void excludes(struct parser *p, struct span at, const char *text)
{
    diag_add(p->d, "E0107", diag_at(at), "%s", text);
}

static void check_block(struct parser *p, const struct node *n, struct block *b)
{
    static const char *const rest[] = {"use", "tensors", "split", "drop"};
    bool use = has_key(n, "use"), body = has_key(n, "body");
    bool entries = has_key(n, "tensors") || has_key(n, "split") ||
                   (has_key(n, "drop") && !b->drop_use);
    if (n->kind != NODE_MAP)
        return;
    if (use && entries)
        excludes(p, b->use_at,
                 "a block has `use:` or `tensors:`, `split:` and `drop:`, not "
                 "both");
    if (body && (use || entries))
        excludes(p, key_at(n, rest, 4),
                 "a block with `body:` has no `use:`, `tensors:`, `split:` or "
                 "`drop:`");
    if (b->drop_use && !use)
        excludes(p, key_at(n, &rest[3], 1),
                 "`drop: reason` belongs to `use:`; else `drop:` is a map");
    if (b->drop_use && b->to != NULL)
        excludes(p, b->to->at, "what is dropped has no target: no `to:`");
    if (!use && !entries && !body && !b->drop_use)
        diag_add(p->d, "E0104", diag_at(b->at),
                 "a block needs `tensors:`, `split:`, `drop:`, `use:` or "
                 "`body:`");
    if (has_key(n, "with") && !use)
        excludes(p, b->at, "`with:` belongs to `use:`");
    check_loops(p, b);
}

struct block *block_parse_list(struct parser *p, const struct node *n,
                               size_t *count)
{
    struct block *blocks;
    uint64_t errors;
    *count = 0;
    if (!field_is_list(p, n))
        return NULL;
    blocks = arena_new(p->a, struct block, n->count);
    for (size_t i = 0; i < n->count; i++) {
        const struct node *x = n->items[i];
        struct block *b = &blocks[(*count)++];
        b->at = x->kind == NODE_MAP && x->count > 0 ? x->keys[0]->at : x->at;
        errors = p->d->errors;
        fields_read(p, x, "a block", block_fields, FIELD_COUNT(block_fields),
                    b);
        if (p->d->errors == errors)
            check_block(p, x, b);
    }
    return blocks;
}
