/* SPDX-License-Identifier: MIT
 *
 * expect_parse.c - one item of the list is one file.
 */
#include "expect_parse.h"

#include "constant_parse.h"

#define MAX_ULP ((uint64_t)1 << 53)

static void read_file(struct parser *p, const struct node *n,
                      struct expect_entry *e)
{
    if (!field_is_text(p, n))
        return;
    if (e->at.src != NULL)
        diag_add(p->d, "E0107", diag_at(n->at),
                 "an expectation has `probes:` or `values:`, not both");
    e->at = n->raw;
    e->path = field_path(p, n,
                         "a file of expectations lies in the folder of the "
                         "spec");
}

static void expect_probes(struct parser *p, const struct node *n, void *into)
{
    struct expect_entry *e = into;
    read_file(p, n, e);
    e->is_probes = true;
}

static void expect_values(struct parser *p, const struct node *n, void *into)
{
    read_file(p, n, into);
}

/* `0`, or a decimal that is not negative. */
static double tolerance(struct parser *p, const struct node *n)
{
    double x = 0;
    if (!field_is_text(p, n))
        return 0;
    if (str_is(n->text, "0") || (decimal_parse(n->text, &x) && x >= 0))
        return x;
    diag_add(p->d, "E0111", diag_at(n->at),
             "a tolerance is 0 or a decimal above it, like 1e-6");
    return 0;
}

static void expect_rtol(struct parser *p, const struct node *n, void *into)
{
    struct expect_entry *e = into;
    e->has_rtol = true;
    e->rtol = tolerance(p, n);
}

static void expect_atol(struct parser *p, const struct node *n, void *into)
{
    ((struct expect_entry *)into)->atol = tolerance(p, n);
}

static void expect_ulp(struct parser *p, const struct node *n, void *into)
{
    struct expect_entry *e = into;
    e->has_ulp = true;
    e->ulp_at = n->at;
    e->ulp = field_number(p, n, 0, MAX_ULP);
}

static void expect_tensors(struct parser *p, const struct node *n, void *into)
{
    struct expect_entry *e = into;
    if (!field_is_map(p, n))
        return;
    if (n->count == 0)
        diag_add(p->d, "E0104", diag_at(n->at),
                 "`tensors:` of an expectation names one target or more");
    e->names = arena_new(p->a, struct expect_name, n->count + 1);
    for (size_t i = 0; i < n->count; i++)
        if (field_is_text(p, n->items[i]))
            e->names[e->name_count++] = (struct expect_name){
                n->keys[i]->text, n->items[i]->text, n->keys[i]->raw};
}

static const struct field expect_fields[] = {
    {"probes", false, expect_probes}, {"values", false, expect_values},
    {"rtol", false, expect_rtol},     {"atol", false, expect_atol},
    {"ulp", false, expect_ulp},       {"tensors", false, expect_tensors},
};

void expects_read(struct parser *p, const struct node *n, void *into)
{
    struct spec *s = p->spec;
    (void)into;
    if (!field_is_list(p, n))
        return;
    s->expects = arena_new(p->a, struct expect_entry, n->count);
    for (size_t i = 0; i < n->count; i++) {
        struct expect_entry *e = &s->expects[s->expect_count++];
        uint64_t before = p->d->errors;
        fields_read(p, n->items[i], "an expectation", expect_fields,
                    FIELD_COUNT(expect_fields), e);
        if (e->at.src == NULL && p->d->errors == before)
            diag_add(p->d, "E0104", diag_at(n->items[i]->at),
                     "an expectation needs `probes:` or `values:`");
        if (e->is_probes && e->has_ulp)
            diag_add(p->d, "E0107", diag_at(e->ulp_at),
                     "`ulp:` is of values; beside `probes:` there are `rtol:` "
                     "and `atol:`");
    }
}
