/* SPDX-License-Identifier: MIT
 *
 * diff_json.c - a comparison as one line of JSON; keys are only ever added.
 */
#include <inttypes.h>
#include <stdio.h>

#include "diff.h"
#include "meta.h"

static void put_side(struct text *t, const char *key, struct str path,
                     const struct tensors *x)
{
    text_format(t, "\"%s\":{\"format\":\"%s\",\"path\":", key, diff_format(x));
    meta_string(t, path);
    text_format(t, ",\"tensors\":%zu}", x->n);
}

static void put_facts(struct text *t, const struct diff_fact *f)
{
    text_c(t, "\"facts\":[");
    for (const struct diff_fact *p = f; p != NULL; p = p->next) {
        text_format(t, "%s{\"kind\":\"%s\",\"text\":", p != f ? "," : "",
                    p->kind);
        meta_string(t, p->text);
        text_c(t, "}");
    }
    text_c(t, "]");
}

static void put_tensor(struct text *t, const char *key, const struct tensors *v,
                       uint32_t i)
{
    const struct tensor *x;
    text_format(t, "\"%s\":", key);
    if (i == DIFF_NONE) {
        text_c(t, "null");
        return;
    }
    x = &v->p[i];
    text_format(t, "{\"dtype\":\"%s\",\"name\":", spec_dtype_name(x->dtype));
    meta_string(t, x->name);
    text_format(t, ",\"offset\":%" PRIu64 ",\"shape\":", x->offset);
    text_sizes(t, x->dims, x->rank);
    text_format(t, ",\"values\":%s}", x->has_values ? "true" : "false");
}

static void put_item(struct text *t, const struct diff *d,
                     const struct diff_item *x)
{
    uint64_t index[65];
    text_c(t, "{");
    put_tensor(t, "a", &d->a, x->a);
    text_c(t, ",");
    put_tensor(t, "b", &d->b, x->b);
    text_c(t, ",");
    put_facts(t, x->facts);
    text_c(t, ",\"first_over_index\":");
    if (x->compared && x->m.first_over != METRIC_NOWHERE)
        text_sizes(t, index, diff_index(d, x, x->m.first_over, index));
    else
        text_c(t, "null");
    text_c(t, ",\"metrics\":");
    if (x->compared)
        diff_put_metric(t, &x->m);
    else
        text_c(t, "null");
    text_c(t, ",\"name\":");
    meta_string(t, x->name);
    text_format(t, ",\"verdict\":\"%s\",\"worst_index\":",
                diff_verdict_name(diff_verdict(d, x)));
    if (x->compared && x->m.finite > 0 && !x->m.opaque)
        text_sizes(t, index, diff_index(d, x, x->m.at_abs, index));
    else
        text_c(t, "null");
    text_c(t, "}");
}

void diff_print_json(struct diff *d)
{
    struct text t = {0};
    const struct diff_item *first = diff_first_over(d);
    bool bad = false;
    for (size_t i = 0; i < d->n; i++)
        bad = bad || diff_is_bad(diff_verdict(d, &d->items[i]));
    text_c(&t, "{");
    put_side(&t, "a", d->path_a, &d->a);
    text_c(&t, ",");
    put_side(&t, "b", d->path_b, &d->b);
    text_format(&t, ",\"differ\":%s,", bad ? "true" : "false");
    put_facts(&t, d->facts);
    text_c(&t, ",\"first_over\":");
    if (first != NULL)
        meta_string(&t, first->name);
    else
        text_c(&t, "null");
    text_format(&t, ",\"moved\":%zu,\"tensors\":[", d->moved);
    for (size_t i = 0; i < d->n; i++) {
        text_c(&t, i > 0 ? "," : "");
        put_item(&t, d, &d->items[i]);
    }
    text_c(&t, "],\"tolerance\":{\"atol\":");
    diff_put_decimal(&t, d->within.atol);
    text_c(&t, ",\"rtol\":");
    diff_put_decimal(&t, d->within.rtol);
    text_format(&t, ",\"ulp\":%" PRIu64 "}}\n", d->within.ulp);
    fwrite(t.p, 1, t.n, stdout);
    text_release(&t);
}
