/* SPDX-License-Identifier: MIT
 *
 * split_parse.c - one source term, and the parts it is cut into.
 */
#include "split_parse.h"

#include "loop_parse.h"
#include "term_parse.h"

void reason_check(struct parser *p, const struct node *key,
                  const struct node *reason)
{
    size_t blanks = 0;
    if (!field_is_text(p, reason))
        return;
    while (blanks < reason->text.n && reason->text.p[blanks] == ' ')
        blanks++;
    if (blanks < reason->text.n)
        field_is_uncut(p, reason, "reason");
    else
        diag_add(p->d, "E0108", diag_at(key->at),
                 "a drop needs a reason behind its colon");
}

static void read_for(struct parser *p, const struct node *n, void *into)
{
    struct split *s = into;
    s->loops = loop_parse(p, n, &s->loop_count);
}

static void read_source(struct parser *p, const struct node *n, void *into)
{
    ((struct split *)into)->source = term_parse_source(p->a, p->d, n);
}

static void read_axis(struct parser *p, const struct node *n, void *into)
{
    struct split *s = into;
    uint64_t digits;
    if (!field_is_identifier(p, n)) {
        if (n->kind == NODE_SCALAR && str_is_index(n->text, &digits))
            diag_help(p->d, p->d->last,
                      "the axis's name, such as `out`, as the source's type "
                      "has it");
        return;
    }
    s->axis = n->text;
    s->axis_at = n->raw;
}

static void read_into(struct parser *p, const struct node *n, void *into)
{
    struct split *s = into;
    s->into_at = n->at;
    if (!field_is_map(p, n))
        return;
    s->pieces = arena_new(p->a, struct piece, n->count);
    for (size_t i = 0; i < n->count; i++) {
        struct piece *piece = &s->pieces[s->piece_count];
        if (!field_is_text(p, n->items[i]) ||
            !term_parse_piece(p->a, p->d, n->keys[i], n->items[i], piece))
            continue;
        if (piece->name == NULL) {
            reason_check(p, n->keys[i], n->items[i]);
            piece->reason = n->items[i]->text;
        }
        s->piece_count++;
    }
}

static const struct field split_fields[] = {
    {"for", false, read_for},
    {"source", true, read_source},
    {"axis", true, read_axis},
    {"into", true, read_into},
};

/* E0203: a variable that no target tells apart. */
static void check_loops(struct parser *p, const struct split *s)
{
    for (size_t i = 0; i < s->loop_count; i++) {
        struct diag_item *item;
        bool used = false;
        for (size_t k = 0; k < s->piece_count; k++)
            used = used || loop_in_name(s->pieces[k].name, s->loops[i].id);
        if (used)
            continue;
        item = diag_add(p->d, "E0203", diag_at(s->loops[i].at),
                        "loop variable `%.*s` is never used in a target name",
                        STR_ARG(s->loops[i].id));
        diag_note(p->d, item, "two iterations would define the same names");
    }
}

static struct split *read_split(struct parser *p, const struct node *n)
{
    struct split *s = arena_new(p->a, struct split, 1);
    uint64_t errors = p->d->errors;
    bool targets = false;
    s->at = n->kind == NODE_MAP && n->count > 0 ? n->keys[0]->at : n->at;
    fields_read(p, n, "a split", split_fields, FIELD_COUNT(split_fields), s);
    if (p->d->errors != errors)
        return NULL;
    check_loops(p, s);
    for (size_t i = 0; i < s->piece_count; i++) {
        s->pieces[i].value.term = s->source;
        targets = targets || s->pieces[i].name != NULL;
    }
    if (!targets)
        diag_add(p->d, "E0104", diag_at(s->into_at),
                 "`into:` needs a target; what is not used at all stands under "
                 "`drop:` of a block");
    return targets ? s : NULL;
}

struct split **split_parse_list(struct parser *p, const struct node *n,
                                size_t *count)
{
    struct split **splits;
    *count = 0;
    if (!field_is_list(p, n))
        return NULL;
    splits = arena_new(p->a, struct split *, n->count);
    for (size_t i = 0; i < n->count; i++) {
        splits[*count] = read_split(p, n->items[i]);
        *count += splits[*count] != NULL;
    }
    return splits;
}
