/* SPDX-License-Identifier: MIT
 *
 * compile.c - the page to read first.
 *
 *     spec_parse      text          -> struct spec      what was written
 *     expand_spec     spec          -> struct model     every name and type
 *     layout_model    model         -> offsets          from the spec alone
 *     contract_seal   model         -> contract id      the engine's view
 *     against_check   model x earlier blob -> the same contract, or later
 *     inputs_open     files         -> struct checkpoint   headers only
 *     pins_check      digests x files -> the ones pinned
 *     resolve_model   model x checkpoint -> bindings    both ways
 *     emit_blob       model         -> file             whole, or not at all
 *
 * A stage returns false if its result must not be used; until then it goes on
 * collecting findings, so that a run shows all of them. The run stops between
 * stages.
 */
#include "compile.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "against.h"
#include "commands.h"
#include "contract.h"
#include "emit.h"
#include "expand.h"
#include "expect.h"
#include "identical.h"
#include "inputs.h"
#include "layout.h"
#include "lockfile.h"
#include "pack_format.h"
#include "pins.h"
#include "precision.h"
#include "report.h"
#include "report_page.h"
#include "resolve.h"
#include "sidecar.h"
#include "stats_compile.h"
#include "tensors.h"
#include "trust.h"

void run_begin(struct run *r, const struct args *args)
{
    *r = (struct run){0};
    r->diag.arena = &r->arena;
    if (args == NULL)
        return;
    r->diag.show =
        (struct diag_show){args->json_findings, args->max_errors, args->color};
}

struct str *run_operands(struct run *r, const struct args *args)
{
    struct str *paths = arena_new(&r->arena, struct str, (size_t)args->count);
    for (int i = 0; i < args->count; i++)
        paths[i] = str_c(args->positional[i]);
    return paths;
}

bool run_model(struct run *r, const char *path)
{
    if (!spec_parse(&r->arena, str_c(path), &r->diag, &r->spec) ||
        !expand_spec(&r->arena, &r->spec, &r->diag, &r->model) ||
        !layout_model(&r->diag, &r->model))
        return false;
    contract_seal(&r->model);
    return true;
}

void run_blob_error(struct run *r, const char *path,
                    const struct ttsb_error *error)
{
    if (!tensors_system_error(error) && lockfile_at(path)) {
        diag_add_file(&r->diag, "E0703", str_c(path), DIAG_NO_OFFSET,
                      "this is a lock: it has names, dtypes and shapes; a blob "
                      "is needed here");
        return;
    }
    if (!tensors_system_error(error) && packed_at(path)) {
        diag_add_file(&r->diag, "E0703", str_c(path), DIAG_NO_OFFSET,
                      "this is a packed blob; `ttswc unpack` restores the blob "
                      "that is needed here");
        return;
    }
    tensors_blob_error(&r->diag, str_c(path), error);
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

bool run_is_apart(struct run *r, const char *output, struct str input)
{
    if (!same_file(output, input.p))
        return true;
    diag_add_file(&r->diag, "E0704", str_c(output), DIAG_NO_OFFSET,
                  "cannot write: it is an input of this run");
    return false;
}

bool run_may_write(struct run *r, const char *output,
                   const struct checkpoint *c)
{
    bool ok = true;
    for (size_t i = 0; ok && c != NULL && i < c->file_count; i++)
        ok = run_is_apart(r, output, c->files[i].path);
    for (size_t i = 0; ok && c != NULL && i < c->index_count; i++)
        ok = run_is_apart(r, output, c->indexes[i]);
    for (const struct spec_file *f = r->spec.files; ok && f != NULL;
         f = f->next)
        ok = run_is_apart(r, output, f->source.path);
    for (size_t i = 0; ok && i < r->spec.expect_count; i++)
        ok = run_is_apart(r, output, r->spec.expects[i].path);
    return ok;
}

/* Standard error writes each piece by itself: with 100,000 findings that is
 * most of the time. */
static void print_findings(struct diag *d)
{
    int fd = dup(STDERR_FILENO);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    diag_print(d, out != NULL ? out : stderr);
    if (out != NULL)
        fclose(out);
    else if (fd >= 0)
        close(fd);
}

enum exit_code run_end(struct run *r)
{
    enum exit_code code = r->diag.system_errors > 0 ? EXIT_SYSTEM
                          : r->diag.errors > 0      ? EXIT_INPUT
                                                    : EXIT_OK;
    fflush(stdout);
    print_findings(&r->diag);
    arena_release(&r->arena);
    return code;
}

/* What sees the values of a run pass. */
struct passing {
    struct expect expect;
    struct precision precision;
    struct stats_compile stats;
    struct watch watches[3];
};

/* The model against the checkpoint and against what is expected; both are
 * always compared. */
static bool meet(struct run *r, const struct checkpoint *c,
                 const struct args *args, struct coverage *cover,
                 struct passing *p)
{
    bool ok =
        resolve_model(&r->arena, &r->diag, &r->model, c, args->partial, cover);
    if (ok && !args->quiet)
        p->precision = precision_of(&r->arena, &r->model, c);
    return expect_open(&r->arena, &r->diag, &r->model, &p->expect) && ok;
}

/* Makes all values, and the blob if `path` is not empty. */
static bool emit(struct run *r, const struct args *args, struct str path,
                 const struct checkpoint *c, struct passing *p,
                 struct emitted *blob)
{
    struct emit_target target = {.path = path,
                                 .threads = args->jobs,
                                 .progress = args->progress,
                                 .watches = p->watches,
                                 .watch_count = 2};
    bool ok;
    p->watches[0] = expect_watch(&p->expect);
    p->watches[1] = precision_watch(&p->precision);
    stats_compile_begin(r, args, c, &p->stats);
    if (p->stats.watch != NULL)
        p->watches[target.watch_count++] = *stats_watch_hook(p->stats.watch);
    ok = emit_blob(&r->arena, &r->diag, &r->model, c, &target, blob);
    stats_compile_end(r, args, ok, &p->stats);
    return ok;
}

/* What `-q` hides. */
static void remark(struct run *r, const struct emitted *blob,
                   const struct passing *p)
{
    identical_note(&r->arena, &r->diag, &r->model, blob);
    precision_note(&r->diag, &p->precision);
    report_expected(&r->model, expect_count(&p->expect));
}

/* The page of --report. */
static void put_page(struct run *r, const struct args *args,
                     const struct report_of *found, struct text *out)
{
    struct report_of of = *found;
    of.path = str_c(args->output);
    of.allowed = args->allowed;
    of.allowed_count = args->allowed_count;
    if (args->report != NULL)
        report_page(&r->arena, out, &of);
}

static void finish(struct run *r, const struct args *args,
                   const struct coverage *cover, const struct emitted *blob,
                   const struct passing *p)
{
    if (args->quiet)
        return;
    report_compiled(&r->model, cover, args->output, blob);
    stats_compile_print(&p->stats, args);
    remark(r, blob, p);
}

enum exit_code command_compile(const struct args *args)
{
    struct run r;
    struct checkpoint c = {0};
    struct coverage cover;
    struct passing passing = {0};
    struct emitted blob;
    struct sidecar side;
    run_begin(&r, args);
    if (sidecar_begin(&r, args, &side))
        return run_end(&r);
    if (run_model(&r, args->positional[0]) &&
        against_check(&r, args->against) &&
        inputs_open(&r.arena, &r.diag, &r.spec, args, &c) &&
        checkpoint_has_values(&r.diag, &c) &&
        pins_check(&r.arena, &r.diag, &r.spec, &c, args) &&
        meet(&r, &c, args, &cover, &passing) &&
        run_may_write(&r, args->output, &c) && sidecar_prepare(&r, &c, &side) &&
        emit(&r, args, str_c(args->output), &c, &passing, &blob)) {
        const struct stats_compile *x = &passing.stats;
        stats_compile_put(x, args, &side.texts[STAMP_STATS]);
        put_page(&r, args,
                 &(struct report_of){.m = &r.model,
                                     .c = &c,
                                     .blob = &blob,
                                     .cover = &cover,
                                     .outputs = &x->outputs,
                                     .of_outputs = &x->of_outputs,
                                     .sources = &x->sources,
                                     .of_sources = &x->of_sources},
                 &side.texts[STAMP_REPORT]);
        if (sidecar_write(&r, &blob, &side))
            finish(&r, args, &cover, &blob, &passing);
    }
    expect_close(&passing.expect);
    checkpoint_close(&c);
    return run_end(&r);
}

enum exit_code command_check(const struct args *args)
{
    struct run r;
    struct checkpoint c = {0};
    struct coverage cover;
    struct passing passing = {0};
    struct emitted blob;
    run_begin(&r, args);
    if (run_model(&r, args->positional[0]) &&
        against_check(&r, args->against) &&
        inputs_open(&r.arena, &r.diag, &r.spec, args, &c) &&
        pins_check(&r.arena, &r.diag, &r.spec, &c, args)) {
        bool ok = meet(&r, &c, args, &cover, &passing);
        if (!args->quiet)
            report_coverage(&r.model, &cover);
        if (args->verbose)
            trust_say(&r.arena, &r.diag, &r.model);
        if (ok && args->data &&
            emit(&r, args, (struct str){0}, &c, &passing, &blob) &&
            !args->quiet)
            remark(&r, &blob, &passing);
    }
    expect_close(&passing.expect);
    checkpoint_close(&c);
    return run_end(&r);
}
