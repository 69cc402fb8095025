/* SPDX-License-Identifier: MIT
 *
 * block_parse.c - loops, overrides, tensors and drops of one block.
 */
#include "block_parse.h"

#include "cursor.h"
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
    diag_add(p->d, "E0111", diag_at(n->at),
             "`store:` speaks of f16, bf16, f32 and f64 only");
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
        diag_add(p->d, "E0111", diag_at(n->at), "`%.*s` is no dtype",
                 STR_ARG(n->text));
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

/* --- loops --- */

static bool is_word(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_name_byte(s.p[i]))
            return false;
    return true;
}

/* -?[0-9]+ that fits in 64 bits. */
static bool as_integer(struct str s, int64_t *out)
{
    size_t i = s.n > 0 && s.p[0] == '-';
    bool negative = i == 1;
    int64_t v = 0;
    if (i == s.n)
        return false;
    for (; i < s.n; i++) {
        int digit = s.p[i] - '0';
        if (digit < 0 || digit > 9 || v > (INT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *out = negative ? -v : v;
    return true;
}

/* Digits that as_integer found too many. */
static bool is_long_number(struct str s)
{
    size_t i = s.n > 0 && s.p[0] == '-';
    if (i == s.n)
        return false;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    return i == s.n;
}

static void loop_list(struct parser *p, const struct node *n, struct loop *l)
{
    l->items = arena_new(p->a, struct loop_item, n->count);
    l->count = n->count;
    for (size_t i = 0; i < n->count; i++) {
        const struct node *x = n->items[i];
        if (!field_is_text(p, x))
            continue;
        l->items[i].word = x->text;
        l->items[i].is_word = !as_integer(x->text, &l->items[i].number);
        if (l->items[i].is_word && is_long_number(x->text))
            diag_add(p->d, "E0213", diag_at(x->at),
                     "the number does not fit in 64 bits");
        if (l->items[i].is_word && !is_word(x->text))
            diag_add(p->d, "E0201", diag_at(x->at),
                     "a list holds integers or words of [A-Za-z0-9_.-]");
    }
    if (n->count == 0)
        diag_add(p->d, "E0205", diag_at(n->at), "the list is empty");
}

static void read_for(struct parser *p, const struct node *n, void *into)
{
    struct block *b = into;
    if (!field_is_map(p, n))
        return;
    b->loops = arena_new(p->a, struct loop, n->count);
    for (size_t i = 0; i < n->count; i++) {
        struct loop *l = &b->loops[b->loop_count];
        if (!field_is_identifier(p, n->keys[i]))
            continue;
        l->id = n->keys[i]->text;
        l->at = n->keys[i]->raw;
        b->loop_count++;
        if (n->items[i]->kind == NODE_LIST) {
            loop_list(p, n->items[i], l);
        } else {
            struct cursor c = cursor_open(p->a, p->d, n->items[i]);
            l->is_range = true;
            l->range = cursor_range(&c);
            cursor_finish(&c);
        }
    }
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

static void check_reason(struct parser *p, const struct node *key,
                         const struct node *reason)
{
    const struct source *src = reason->at.src;
    struct str line;
    uint32_t number, column, from;
    struct diag_item *item;
    if (!field_is_text(p, reason))
        return;
    for (from = 0; from < reason->text.n && reason->text.p[from] == ' ';)
        from++;
    if (from == reason->text.n) {
        diag_add(p->d, "E0108", diag_at(key->at),
                 "a drop needs a reason behind its colon");
        return;
    }
    source_position(src, reason->at.end, &number, &column);
    line = source_line(src, number);
    from = reason->at.end - (uint32_t)(line.p - src->text.p);
    if (reason->style != STYLE_PLAIN || from > line.n)
        return;
    line = str_cut(line, from, line.n);
    while (line.n > 0 && line.p[0] == ' ')
        line = str_cut(line, 1, line.n);
    if (line.n == 0 || line.p[0] != '#')
        return;
    item = diag_add(p->d, "E0109", diag_at(reason->at),
                    "YAML cuts this reason at ` #`");
    diag_help(p->d, item,
              "put the reason in quotes, or the comment on a line "
              "of its own");
}

static void read_drop(struct parser *p, const struct node *n, void *into)
{
    struct block *b = into;
    if (!field_is_map(p, n))
        return;
    reserve(p, b, n->count);
    for (size_t i = 0; i < n->count; i++) {
        struct entry e = {.kind = ENTRY_DROP};
        check_reason(p, n->keys[i], n->items[i]);
        if (term_parse_drop(p->a, p->d, n->keys[i], &e.name, &e.type))
            b->entries[b->entry_count++] = e;
    }
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
    {"use", false, read_use},
    {"with", false, read_with},
    {"tensors", false, read_tensors},
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

static bool expr_uses(const struct expr *e, struct str id)
{
    if (e == NULL)
        return false;
    return ((e->kind == EXPR_ID || e->kind == EXPR_INDEX) &&
            str_eq(e->id, id)) ||
           expr_uses(e->a, id) || expr_uses(e->b, id);
}

/* Which lets depend on a variable; a let may use only earlier ones. */
static bool *dependent_lets(struct parser *p, const struct block *b,
                            struct str id)
{
    bool *depends = arena_new(p->a, bool, b->let_count);
    for (size_t i = 0; i < b->let_count; i++) {
        depends[i] = expr_uses(b->lets[i].exprs[0], id);
        for (size_t k = 0; k < i && !depends[i]; k++)
            depends[i] =
                depends[k] && expr_uses(b->lets[i].exprs[0], b->lets[k].id);
    }
    return depends;
}

/* Whether a name depends on a variable, by itself or through `let:`. */
static bool name_uses(const struct block *b, const bool *depends,
                      const struct name *n, struct str id)
{
    for (size_t i = 0; n != NULL && i < n->count; i++) {
        const struct expr *e = n->parts[i].expr;
        if (expr_uses(e, id))
            return true;
        for (size_t k = 0; k < b->let_count; k++)
            if (depends[k] && expr_uses(e, b->lets[k].id))
                return true;
    }
    return false;
}

/* E0203: a loop variable must tell the outputs, or else the drops, apart. */
static void check_loops(struct parser *p, const struct block *b)
{
    for (size_t i = 0; i < b->loop_count; i++) {
        struct str id = b->loops[i].id;
        bool *lets = dependent_lets(p, b, id);
        bool outputs = b->use.n > 0, used = name_uses(b, lets, b->to, id);
        struct diag_item *item;
        for (size_t k = 0; k < b->entry_count; k++)
            outputs = outputs || b->entries[k].kind == ENTRY_TENSOR;
        for (size_t k = 0; k < b->entry_count; k++)
            used = used || (name_uses(b, lets, b->entries[k].name, id) &&
                            (b->entries[k].kind == ENTRY_TENSOR || !outputs));
        used = used || (!outputs && name_uses(b, lets, b->from, id));
        if (used || (b->entry_count == 0 && b->use.n == 0))
            continue;
        item = diag_add(p->d, "E0203", diag_at(b->loops[i].at),
                        "loop variable `%.*s` is never used in a %s name",
                        STR_ARG(id), outputs ? "target" : "dropped");
        diag_note(p->d, item, "two iterations would %s the same names",
                  outputs ? "define" : "drop");
    }
}

static void check_block(struct parser *p, const struct node *n, struct block *b)
{
    bool use = has_key(n, "use");
    bool entries = has_key(n, "tensors") || has_key(n, "drop");
    if (n->kind != NODE_MAP)
        return;
    if (use && entries)
        diag_add(p->d, "E0107", diag_at(b->use_at),
                 "a block has `use:` or `tensors:` and `drop:`, not both");
    if (!use && !entries)
        diag_add(p->d, "E0104", diag_at(b->at),
                 "a block needs `tensors:`, `drop:` or `use:`");
    if (has_key(n, "with") && !use)
        diag_add(p->d, "E0107", diag_at(b->at), "`with:` belongs to `use:`");
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
