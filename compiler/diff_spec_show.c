/* SPDX-License-Identifier: MIT
 *
 * diff_spec_show.c - folds the changes of two specs and prints them.
 */
#include <inttypes.h>

#include "diff_spec.h"
#include "indexset.h"
#include "meta.h"

#define SHORT 60 /* what fits on one line */

static bool same_line(const struct change *x, const struct change *y)
{
    return x->what == y->what && str_eq(x->pattern, y->pattern) &&
           str_eq(x->template_a, y->template_a) &&
           str_eq(x->template_b, y->template_b);
}

/* The names of all changes that are the same as number i, folded. */
static struct name_set fold(struct spec_diff *d, size_t i)
{
    struct str *names = arena_new(&d->arena, struct str, d->n - i);
    struct name_set *sets;
    size_t n = 0;
    for (size_t k = i; k < d->n; k++) {
        if (d->p[k].said || !same_line(&d->p[k], &d->p[i]))
            continue;
        names[n++] = d->p[k].name;
        d->p[k].said = true;
    }
    indexset_fold_names(&d->arena, names, n, &sets);
    sets[0].count = n;
    if (n == 1)
        sets[0].text = names[0];
    return sets[0];
}

static void put_change(struct text *t, const struct change *c,
                       struct name_set s)
{
    struct str a = s.count > 1 ? c->template_a : c->a;
    struct str b = s.count > 1 ? c->template_b : c->b;
    bool is_short = a.n + b.n <= SHORT;
    text_format(t, "%-8s  ", c->what);
    diff_put_name(t, s.text);
    if (a.n == 0 || b.n == 0) {
        text_format(t, "  only in %c: ", a.n == 0 ? 'B' : 'A');
        diff_put_name(t, a.n == 0 ? b : a);
    } else {
        text_c(t, is_short ? "  " : "\n    A  ");
        diff_put_name(t, a);
        text_c(t, is_short ? " -> " : "\n    B  ");
        diff_put_name(t, b);
    }
    text_c(t, "\n");
}

static void put_side(struct text *t, const char *key, const char *path,
                     const struct run *r)
{
    text_format(t, "\"%s\":{\"contract_id\":\"", key);
    text_hex(t, r->model.contract_id, 16);
    text_c(t, "\",\"model\":");
    meta_string(t, r->spec.model);
    text_c(t, ",\"path\":");
    meta_string(t, str_c(path));
    text_format(t, ",\"revision\":%" PRIu64 "}", r->spec.revision);
}

static void put_json_change(struct text *t, const struct change *c,
                            struct name_set s)
{
    text_c(t, "{\"a\":");
    meta_string(t, s.count > 1 ? c->template_a : c->a);
    text_c(t, ",\"b\":");
    meta_string(t, s.count > 1 ? c->template_b : c->b);
    text_format(t, ",\"count\":%zu,\"names\":", s.count);
    meta_string(t, s.text);
    text_format(t, ",\"what\":\"%s\"}", c->what);
}

bool spec_diff_same_contract(const struct spec_diff *d)
{
    return memcmp(d->a->model.contract_id, d->b->model.contract_id, 16) == 0;
}

static void print_json(struct spec_diff *d, const struct args *args)
{
    struct text t = {0};
    const char *separator = "";
    text_c(&t, "{");
    put_side(&t, "a", args->positional[0], d->a);
    text_c(&t, ",");
    put_side(&t, "b", args->positional[1], d->b);
    text_c(&t, ",\"changes\":[");
    for (size_t i = 0; i < d->n; i++) {
        if (d->p[i].said)
            continue;
        text_c(&t, separator);
        put_json_change(&t, &d->p[i], fold(d, i));
        separator = ",";
    }
    text_format(&t,
                "],\"moved\":%zu,\"same_contract\":%s,\"same_sources\":%s}\n",
                d->moved, spec_diff_same_contract(d) ? "true" : "false",
                d->same_sources ? "true" : "false");
    fwrite(t.p, 1, t.n, stdout);
    text_release(&t);
}

static void print_text(struct spec_diff *d)
{
    struct text t = {0};
    for (size_t i = 0; i < d->n; i++)
        if (!d->p[i].said)
            put_change(&t, &d->p[i], fold(d, i));
    if (d->moved > 0)
        text_format(&t, "(%zu targets lie at other offsets)\n", d->moved);
    if (spec_diff_same_contract(d)) {
        text_c(&t, "the same contract id ");
        text_hex(&t, d->a->model.contract_id, 16);
    } else {
        text_c(&t, "contract id ");
        text_hex(&t, d->a->model.contract_id, 16);
        text_c(&t, " -> ");
        text_hex(&t, d->b->model.contract_id, 16);
    }
    text_format(&t, ", %s sources\n", d->same_sources ? "the same" : "other");
    fwrite(t.p, 1, t.n, stdout);
    text_release(&t);
}

void spec_diff_print(struct spec_diff *d, const struct args *args)
{
    if (args->json)
        print_json(d, args);
    else
        print_text(d);
}
