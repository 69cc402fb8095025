/* SPDX-License-Identifier: MIT
 *
 * verify.c - `ttswc verify`: every byte of a blob against its hashes.
 *
 * In: a blob. Out: one line if it is whole; findings that name the damaged
 * tensors if it is not. Goes on after the first damaged piece, so that all
 * damaged tensors are named in one run.
 */
#include "verify.h"

#include <inttypes.h>

#include "commands.h"
#include "pool.h"
#include "ttsb_internal.h" /* its size */

#define MAX_NAMED 1000

struct check {
    const struct ttsb_blob *blob;
    uint32_t count;
    struct ttsb_error *errors; /* of each tensor */
};

static void check_tensor(void *context, unsigned worker, size_t i)
{
    struct check *c = context;
    struct ttsb_tensor x = {.struct_size = sizeof x};
    (void)worker;
    c->errors[i].struct_size = sizeof c->errors[i];
    ttsb_tensor_at(c->blob, (uint32_t)i, &x, NULL);
    if ((x.flags & TTSB_RECORD_ALIAS) == 0)
        ttsb_verify_range(c->blob, x.first_piece, x.first_piece + x.piece_count,
                          &c->errors[i]);
}

/* The file's bytes stand for its pieces. */
static void advance(void *user, uint64_t done, uint64_t count)
{
    struct progress *p = user;
    double part = count == 0 ? 1 : (double)done / (double)count;
    progress_set(p, done == count ? p->plan.total
                                  : (uint64_t)(part * (double)p->plan.total));
}

static struct progress_label label(const void *context, uint32_t item)
{
    const char *path = context;
    (void)item;
    return (struct progress_label){.source = str_c(path)};
}

int32_t verify_all(const struct args *args, const struct ttsb_blob *b,
                   struct ttsb_error *error)
{
    struct progress progress;
    struct progress_plan plan = {args->progress, "verify", b->size, label,
                                 args->positional[0]};
    struct ttsb_progress told = {advance, &progress};
    int32_t status;
    progress_start(&progress, &plan);
    status = ttsb_verify(b, args->jobs, &told, error);
    progress_stop(&progress);
    return status;
}

bool verify_blob(struct run *r, const struct args *args,
                 const struct ttsb_blob *b)
{
    uint32_t count = b->tensor_count;
    struct check c = {.blob = b, .count = count};
    struct ttsb_error rest = {.struct_size = sizeof rest};
    uint32_t named = 0;
    if (verify_all(args, b, NULL) == TTSB_OK)
        return true;
    c.errors = arena_new(&r->arena, struct ttsb_error, count);
    pool_run(args->jobs, count, check_tensor, &c);
    for (uint32_t i = 0; i < count && named < MAX_NAMED; i++) {
        if (c.errors[i].status == TTSB_OK)
            continue;
        run_blob_error(r, args->positional[0], &c.errors[i]);
        named++;
    }
    if (ttsb_verify_rest(b, &rest) != TTSB_OK)
        run_blob_error(r, args->positional[0], &rest);
    return false;
}

enum exit_code command_verify(const struct args *args)
{
    struct ttsb_open_options options = {.struct_size = sizeof options,
                                        .flags = TTSB_OPEN_PARTIAL};
    struct ttsb_error e = {.struct_size = sizeof e};
    struct ttsb_info info = {.struct_size = sizeof info};
    struct ttsb_blob *b;
    struct run r;
    run_begin(&r, args);
    if (ttsb_open(args->positional[0], &options, &b, &e) != TTSB_OK) {
        run_blob_error(&r, args->positional[0], &e);
        return run_end(&r);
    }
    ttsb_info(b, &info);
    if (verify_blob(&r, args, b) && !args->quiet) {
        printf("%s: ok, %" PRIu32 " tensors, %" PRIu64 " pieces%s, root ",
               args->positional[0], info.tensor_count, info.piece_count,
               info.partial ? ", PARTIAL" : "");
        for (int i = 0; i < 16; i++)
            printf("%02x", info.root[i]);
        printf("\n");
    }
    ttsb_close(b);
    return run_end(&r);
}
