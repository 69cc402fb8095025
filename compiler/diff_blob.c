/* SPDX-License-Identifier: MIT
 *
 * diff_blob.c - a blob against what its spec makes of a checkpoint now.
 *
 * In: a blob, its spec, the checkpoint. Out: the same figures as for two
 * files, target by target. Invariant: the values to compare with are made by
 * the code that compiles, with no file in between; nothing is written.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "diff.h"
#include "emit.h"
#include "inputs.h"
#include "lineage.h"
#include "pins.h"
#include "produce.h"
#include "resolve.h"

struct checking {
    struct diff *d;
    uint32_t *item_of; /* of each output, or DIFF_NONE */
};

/* What was made passes; the same bytes of the blob are read beside it. */
static void on_output(void *context, uint32_t output, uint64_t at,
                      const void *bytes, size_t n)
{
    struct checking *c = context;
    uint32_t i = c->item_of[output];
    struct diff_item *x = i != DIFF_NONE ? &c->d->items[i] : NULL;
    const uint8_t *made = bytes;
    uint8_t *stored;
    size_t size, step;
    if (x == NULL || x->error != 0 || !c->d->a.p[output].has_values)
        return;
    stored = malloc(n + 1);
    if (stored == NULL)
        arena_exhausted();
    x->error = tensors_read(&c->d->a, output, at, stored, n);
    size = x->m.opaque ? 1 : spec_dtype_bits(x->m.a) / 8;
    for (size_t k = 0; k < n && x->error == 0; k += step) {
        step = n - k < METRIC_BLOCK * size ? n - k : METRIC_BLOCK * size;
        metric_add(&x->m, stored + k, made + k, step / size);
    }
    free(stored);
}

/* The outputs as the other side: what the compiler would write. */
static void make_items(struct checking *c, const struct model *m)
{
    struct diff *d = c->d;
    struct arena *a = &d->r->arena;
    d->b = (struct tensors){.kind = TENSORS_SAFETENSORS, .n = d->a.n, .fd = -1};
    d->b.p = arena_new(a, struct tensor, d->a.n);
    d->items = arena_new(a, struct diff_item, d->a.n);
    memcpy(d->b.p, d->a.p, d->a.n * sizeof *d->b.p);
    for (uint32_t i = 0; i < d->a.n; i++) {
        const struct output *o = &m->outputs[i];
        d->b.p[i].has_values = !o->absent && !o->missing;
        if (o->alias_of == TTSB_NO_TENSOR) /* has its target's bytes */
            d->items[d->n++] =
                (struct diff_item){.name = d->a.p[i].name, .a = i, .b = i};
    }
}

static void number_items(struct checking *c)
{
    struct diff *d = c->d;
    c->item_of = arena_new(&d->r->arena, uint32_t, d->a.n);
    for (size_t i = 0; i < d->a.n; i++)
        c->item_of[i] = DIFF_NONE;
    for (uint32_t i = 0; i < d->n; i++) {
        struct diff_item *x = &d->items[i];
        enum ttsb_dtype dtype = d->a.p[x->a].dtype;
        if (dtype == TTSB_C64)
            dtype = TTSB_F32;
        c->item_of[x->a] = i;
        metric_begin(&x->m, dtype, dtype, &d->within);
        x->compared = d->a.p[x->a].has_values && d->b.p[x->b].has_values;
    }
}

static bool check_errors(struct diff *d)
{
    for (size_t i = 0; i < d->n; i++) {
        int error = d->items[i].error;
        if (error == 0)
            continue;
        diag_add_file(
            &d->r->diag, "E0705", d->path_a, DIAG_NO_OFFSET, "cannot read: %s",
            error == ENODATA ? "the file became shorter" : strerror(error));
        return false;
    }
    return true;
}

static bool make_and_compare(struct diff *d, struct checkpoint *c)
{
    struct run *r = d->r;
    struct checking k = {d, NULL};
    struct watch watch = {.output = on_output, .context = &k};
    struct emit_target target = {.threads = d->args->jobs,
                                 .progress = d->args->progress,
                                 .watches = &watch,
                                 .watch_count = 1};
    struct coverage cover;
    struct emitted none;
    if (!inputs_open(&r->arena, &r->diag, &r->spec, d->args, c) ||
        !pins_check(&r->arena, &r->diag, &r->spec, c, d->args) ||
        !resolve_model(&r->arena, &r->diag, &r->model, c, false, &cover))
        return false;
    make_items(&k, &r->model);
    if (!diff_choose(d))
        return false;
    number_items(&k);
    return emit_blob(&r->arena, &r->diag, &r->model, c, &target, &none) &&
           check_errors(d);
}

static bool open_blob(struct diff *d)
{
    struct run *r = d->r;
    if (access(d->path_a.p, R_OK) == 0 && !tensors_is_blob(d->path_a.p)) {
        diag_add_file(&r->diag, "E0706", d->path_a, DIAG_NO_OFFSET,
                      "with --spec, A should be a blob, and it is none");
        return false;
    }
    return tensors_open(&r->arena, &r->diag, &d->path_a, 1, &d->a);
}

enum exit_code diff_with_source(const struct args *args)
{
    struct run r;
    struct diff d = {.r = &r, .args = args};
    struct checkpoint c = {0};
    enum exit_code code;
    bool bad = false;
    run_begin(&r, args);
    d.path_a = str_c(args->positional[0]);
    d.path_b = str_c(args->count > 1 ? args->positional[1] : args->spec);
    d.within = (struct tolerance){args->rtol, args->atol, args->ulp};
    if (open_blob(&d)) {
        bad = run_model(&r, args->spec) &&
              lineage_check(&r, d.path_a.p, d.a.blob) &&
              make_and_compare(&d, &c) && diff_print(&d);
        tensors_close(&d.a);
    }
    checkpoint_close(&c);
    code = run_end(&r);
    return code == EXIT_OK && bad ? EXIT_INPUT : code;
}
