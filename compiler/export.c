/* SPDX-License-Identifier: MIT
 *
 * export.c - `ttswc export`: the tensors of a blob as a safetensors file.
 *
 * In: a blob, patterns. Out: one safetensors file, whole or not at all, with
 * the tensors under their names in the blob and the bytes that they have there.
 * Invariant: every piece is hashed in the buffer from which it is written, so
 * that a damaged byte is never exported; the bytes of the file are a function
 * of the blob and the choice.
 *
 * safetensors knows no sharing: an alias becomes a tensor of its own, with a
 * copy of the bytes. ABSENT and MISSING tensors have no values and are left
 * out. Wider elements stand before narrower ones, each kind in file order.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "commands.h"
#include "compile.h"
#include "hash.h"
#include "outfile.h"
#include "restore.h"
#include "size.h"
#include "sthead.h"
#include "ttsb_internal.h" /* PIECES */

#define SLAB (16 * (uint64_t)TTSB_PIECE_SIZE)

struct export
{
    struct run *r;
    const struct args *args;
    const struct ttsb_blob *blob;
    struct ttsb_tensor *tensors; /* in the order of the file */
    size_t count, aliases;
    struct sthead_tensor *places; /* of each */
    struct text head;             /* the length, the header, spaces */
    uint64_t size;                /* of the file */
    struct outfile file;
    struct progress progress;
};

/* --- what goes in --- */

static bool is_left_out(struct export *e, const struct ttsb_tensor *x)
{
    bool missing = (x->flags & TTSB_RECORD_MISSING) != 0;
    if (!missing && (x->flags & TTSB_RECORD_ABSENT) == 0)
        return false;
    diag_add_file(&e->r->diag, missing ? "W0301" : "W0311",
                  str_c(e->args->positional[0]), DIAG_NO_OFFSET,
                  "`%s` is %s and is left out of the export", x->name,
                  missing ? "MISSING" : "ABSENT");
    return true;
}

static int by_width(const void *x, const void *y)
{
    const struct ttsb_tensor *a = x, *b = y;
    int order = sthead_order(a->dtype, b->dtype);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

static bool choose(struct export *e)
{
    struct selection_request q = {str_c(e->args->positional[0]),
                                  e->args->positional + 1, e->args->count - 1,
                                  SORT_FILE};
    struct selection s;
    if (!selection_of_blob(&e->r->arena, &e->r->diag, e->blob, &q, &s))
        return false;
    e->tensors = arena_new(&e->r->arena, struct ttsb_tensor, s.count);
    for (size_t i = 0; i < s.count; i++) {
        struct ttsb_tensor *x = &e->tensors[e->count];
        *x = (struct ttsb_tensor){.struct_size = sizeof *x};
        ttsb_tensor_at(e->blob, s.index[i], x, NULL);
        if (is_left_out(e, x))
            continue;
        e->aliases += (x->flags & TTSB_RECORD_ALIAS) != 0;
        e->count++;
    }
    if (e->count == 0)
        diag_add_file(&e->r->diag, "E0707", str_c(e->args->positional[0]),
                      DIAG_NO_OFFSET, "no tensor is left to export");
    qsort(e->tensors, e->count, sizeof *e->tensors, by_width);
    return e->count > 0;
}

/* --- the header --- */

static bool refuse(struct export *e, const char *why)
{
    diag_add_file(&e->r->diag, "E0704", str_c(e->args->output), DIAG_NO_OFFSET,
                  "cannot write: %s", why);
    return false;
}

static bool make_head(struct export *e)
{
    const char *why;
    e->places = arena_new(&e->r->arena, struct sthead_tensor, e->count);
    for (size_t i = 0; i < e->count; i++) {
        const struct ttsb_tensor *x = &e->tensors[i];
        e->places[i] = (struct sthead_tensor){
            .name = str_c(x->name), x->dtype, x->rank, x->dims, x->size};
    }
    why = sthead_put(&e->head, e->places, e->count, &e->size);
    return why == NULL || refuse(e, why);
}

/* --- the data --- */

/* Compares what is about to be written with PIECES. */
static bool is_sound(const struct export *e, uint64_t piece,
                     const uint8_t *data, size_t size)
{
    const uint8_t *hashes = e->blob->section[TTSB_SECTION_PIECES].bytes;
    for (size_t i = 0; i < size; i += TTSB_PIECE_SIZE, piece++) {
        size_t n = size - i < TTSB_PIECE_SIZE ? size - i : TTSB_PIECE_SIZE;
        if (ttsb__hash64(data + i, n) != load_u64(hashes + (size_t)piece * 8))
            return false;
    }
    return true;
}

/* Names the damage; a second look may find none where the file is changing. */
static bool say_damage(struct export *e, const struct ttsb_tensor *x)
{
    struct ttsb_error error = {.struct_size = sizeof error};
    if (ttsb_verify_range(e->blob, x->first_piece,
                          x->first_piece + x->piece_count, &error) != TTSB_OK)
        run_blob_error(e->r, e->args->positional[0], &error);
    else
        diag_add_file(&e->r->diag, "E0705", str_c(e->args->positional[0]),
                      DIAG_NO_OFFSET, "the file changed while it was read");
    return false;
}

static bool copy_tensor(struct export *e, const struct ttsb_tensor *x,
                        uint64_t to, uint8_t *slab)
{
    const uint8_t *from = x->data;
    uint64_t n;
    for (uint64_t at = 0; at < x->size; at += n) {
        int error;
        n = x->size - at < SLAB ? x->size - at : SLAB;
        memcpy(slab, from + at, (size_t)n);
        if (!is_sound(e, x->first_piece + at / TTSB_PIECE_SIZE, slab,
                      (size_t)n))
            return say_damage(e, x);
        error = outfile_write(&e->file, to + at, slab, (size_t)n);
        if (error != 0)
            return refuse(e, outfile_error(error));
        progress_add(&e->progress, x->index, n);
    }
    return true;
}

static bool copy_all(struct export *e)
{
    uint8_t *slab = arena_take(&e->r->arena, 1, SLAB);
    int error = outfile_resize(&e->file, e->size);
    if (error == 0)
        error = outfile_write(&e->file, 0, e->head.p, e->head.n);
    if (error != 0)
        return refuse(e, outfile_error(error));
    for (size_t i = 0; i < e->count; i++)
        if (!copy_tensor(e, &e->tensors[i], e->places[i].at, slab))
            return false;
    return true;
}

static struct progress_label label(const void *context, uint32_t item)
{
    const struct export *e = context;
    struct ttsb_tensor x = {.struct_size = sizeof x};
    struct ttsb_group g = {.struct_size = sizeof g};
    ttsb_tensor_at(e->blob, item, &x, NULL);
    ttsb_group_at(e->blob, x.group, &g);
    return (struct progress_label){str_c(e->args->positional[0]),
                                   str_c(g.name)};
}

/* --- all of it --- */

static bool write_file(struct export *e)
{
    struct progress_plan plan = {e->args->progress, "export",
                                 e->size - e->head.n, label, e};
    int error =
        outfile_open(&e->r->arena, str_c(e->args->output), true, &e->file);
    bool ok;
    if (error != 0)
        return refuse(e, outfile_error(error));
    progress_start(&e->progress, &plan);
    ok = copy_all(e);
    progress_stop(&e->progress);
    if (!ok) {
        outfile_discard(&e->file);
        return false;
    }
    error = outfile_commit(&e->file);
    return error == 0 || refuse(e, outfile_error(error));
}

static void report(const struct export *e)
{
    printf("wrote %s: %zu tensors, %" PRIu64 " bytes", e->args->output,
           e->count, e->size);
    if (e->aliases > 0)
        printf(", %zu aliases as copies", e->aliases);
    printf("\n");
}

enum exit_code command_export(const struct args *args)
{
    struct ttsb_open_options options = {
        .struct_size = sizeof options,
        .flags = args->partial ? TTSB_OPEN_PARTIAL : 0};
    struct ttsb_error error = {.struct_size = sizeof error};
    struct ttsb_blob *blob;
    struct run r;
    struct export e = {.r = &r, .args = args};
    if (args->inverse != NULL)
        return restore_sources(args);
    run_begin(&r, args);
    if (ttsb_open(args->positional[0], &options, &blob, &error) != TTSB_OK) {
        run_blob_error(&r, args->positional[0], &error);
        return run_end(&r);
    }
    e.blob = blob;
    if (run_is_apart(&r, args->output, str_c(args->positional[0])) &&
        choose(&e) && make_head(&e) && write_file(&e) && !args->quiet)
        report(&e);
    text_release(&e.head);
    ttsb_close(blob);
    return run_end(&r);
}
