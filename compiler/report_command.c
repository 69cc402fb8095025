/* SPDX-License-Identifier: MIT
 *
 * report_command.c - `ttswc report`: a page about a blob, from the blob alone.
 *
 * In: a blob. Out: an HTML file. Invariant: each byte of the blob is read
 * once and proved by its hashes; what only a spec knows is not made up.
 */
#include "commands.h"
#include "compile.h"
#include "json.h"
#include "outfile.h"
#include "report_page.h"
#include "stats_print.h"
#include "stats_read.h"
#include "ttsb_internal.h" /* META */

/* META, if it is sound and JSON; what is in it is the page's to look for. */
static bool load_meta(struct run *r, const char *path,
                      const struct ttsb_blob *blob, struct str *out)
{
    const struct ttsb__section *s = &blob->section[TTSB_SECTION_META];
    struct ttsb_error error = {.struct_size = sizeof error};
    struct json *j = arena_new(&r->arena, struct json, 1);
    struct json_token t = {0};
    *out = str_c("null");
    if (ttsb_verify_rest(blob, &error) != TTSB_OK) {
        run_blob_error(r, path, &error);
        return false;
    }
    if (s->size == 0)
        return true;
    *out = (struct str){(const char *)s->bytes, (size_t)s->size};
    json_start(j, &r->arena, *out, s->offset);
    while (json_next(j, &t) && t.kind != JSON_END)
        ;
    if (t.kind == JSON_END)
        return true;
    diag_add_file(&r->diag, "E0706", str_c(path), DIAG_NO_OFFSET,
                  "META: not as FORMAT.md has it");
    return false;
}

static bool write_page(struct run *r, const struct args *args,
                       const struct report_of *of)
{
    struct text t = {0};
    struct str path = str_c(args->output);
    int error;
    report_page(&r->arena, &t, of);
    error = outfile_write_text(&r->arena, path, text_view(&t));
    text_release(&t);
    if (error != 0)
        diag_add_file(&r->diag, "E0704", path, DIAG_NO_OFFSET,
                      "cannot write: %s", outfile_error(error));
    return error == 0;
}

static void report_blob(struct run *r, const struct args *args,
                        const struct tensors *file)
{
    struct str path = str_c(args->positional[0]);
    struct stats_request q = {.tensors = file,
                              .path = path,
                              .threads = args->jobs,
                              .progress = args->progress};
    struct stats s;
    struct suspicions found;
    struct report_of of = {.path = path,
                           .outputs = &s,
                           .of_outputs = &found,
                           .allowed = args->allowed,
                           .allowed_count = args->allowed_count,
                           .file = file};
    if (!load_meta(r, path.p, file->blob, &of.meta) ||
        !stats_read(&r->arena, &r->diag, &q, &s))
        return;
    found = suspicions_find(&r->arena, &s, args->allowed, args->allowed_count);
    stats_warn(&r->diag, &s, &found);
    if (write_page(r, args, &of) && !args->quiet)
        printf("wrote %s: %zu tensor%s, %zu suspicion%s\n", args->output, s.n,
               s.n == 1 ? "" : "s", found.n, found.n == 1 ? "" : "s");
}

enum exit_code command_report(const struct args *args)
{
    struct run r;
    struct tensors file;
    struct str path = str_c(args->positional[0]);
    run_begin(&r, args);
    if (!run_is_apart(&r, args->output, path))
        return run_end(&r);
    if (!tensors_open(&r.arena, &r.diag, &path, 1, &file))
        return run_end(&r);
    if (file.kind == TENSORS_BLOB)
        report_blob(&r, args, &file);
    else
        diag_add_file(&r.diag, "E0706", path, DIAG_NO_OFFSET,
                      "it is a checkpoint, and this is about blobs: see "
                      "`ttswc stats` and `ttswc inspect`");
    tensors_close(&file);
    return run_end(&r);
}
