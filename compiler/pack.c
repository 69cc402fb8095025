/* SPDX-License-Identifier: MIT
 *
 * pack.c - `ttswc pack`: a blob as a smaller file, to ship or to store.
 *
 * In: a blob. Out: FORMAT.md section 18's file, whole or not at all, and only
 * of a blob in which every byte was proven. Invariant: the bytes are a function
 * of the blob, the level and the version of zstd, whatever the threads.
 *
 * A worker holds three buffers of about a range and zstd's own memory; ranges
 * are compressed as the workers come to them and get their places in turn.
 * Whether planes pay is measured: a sample of the range is compressed both
 * ways, each plane by itself, as zstd sees them in a long range.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <zstd.h>

#include "buffers.h"
#include "commands.h"
#include "hash.h"
#include "outfile.h"
#include "pack_plan.h"
#include "planes.h"
#include "pool.h"
#include "ttsb_internal.h" /* its bytes */
#include "verify.h"

/* On weights higher levels are slower and not smaller: tests/bench/README.md.
 */
#define DEFAULT_LEVEL 1
#define SAMPLE ((size_t)32 << 10)
#define SAMPLE_PARTS 4

struct packer {
    ZSTD_CCtx *context;
    uint8_t *planes, *frame; /* PACKED_RANGE_MAX; what zstd may need for it */
    uint8_t *sample;         /* SAMPLE */
};

struct packing {
    struct run *r;
    const struct args *args;
    const struct ttsb_blob *blob;
    struct pack_plan plan;
    uint8_t *table; /* PACKED_ENTRY bytes for each range */
    struct packer *packers;
    struct outfile file;
    struct progress progress;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t turned;
    size_t turn; /* the range that is placed next */
    uint64_t at; /* where its frame begins */
    size_t in_planes;
    int error; /* an errno, then nothing more is done */
};

/* --- a worker --- */

static size_t frame_room(void)
{
    return ZSTD_compressBound(PACKED_RANGE_MAX);
}

static bool packer_open(struct packer *w, const struct args *args)
{
    int level = args->level == 0 ? DEFAULT_LEVEL : (int)args->level;
    if (w->context != NULL)
        return true;
    w->context = ZSTD_createCCtx();
    if (w->context == NULL)
        return false;
    w->planes = buffers_take(PACKED_RANGE_MAX);
    w->frame = buffers_take(frame_room());
    w->sample = buffers_take(SAMPLE);
    return !ZSTD_isError(ZSTD_CCtx_setParameter(
               w->context, ZSTD_c_compressionLevel, level)) &&
           !ZSTD_isError(
               ZSTD_CCtx_setParameter(w->context, ZSTD_c_checksumFlag, 1));
}

static void packer_close(struct packer *w)
{
    ZSTD_freeCCtx(w->context);
    free(w->planes);
    free(w->frame);
    free(w->sample);
}

/* The frame's size, or 0 where zstd has no memory. */
static size_t compress(struct packer *w, const uint8_t *data, size_t size)
{
    size_t n = ZSTD_compress2(w->context, w->frame, frame_room(), data, size);
    return ZSTD_isError(n) ? 0 : n;
}

/* --- whether planes pay --- */

/* Parts of a range that lie evenly in it. */
static void take_sample(const uint8_t *data, size_t size, uint8_t *out)
{
    const size_t part = SAMPLE / SAMPLE_PARTS;
    for (size_t i = 0; i < SAMPLE_PARTS; i++)
        memcpy(out + i * part, data + i * (size / SAMPLE_PARTS), part);
}

static bool planes_pay(struct packer *w, uint32_t width, const uint8_t *data,
                       size_t size)
{
    const size_t plane = SAMPLE / width;
    size_t plain, sorted = 0;
    take_sample(data, size, w->sample);
    plain = compress(w, w->sample, SAMPLE);
    planes_split(width, w->sample, SAMPLE, w->planes);
    for (uint32_t k = 0; k < width; k++)
        sorted += compress(w, w->planes + k * plane, plane);
    return sorted < plain;
}

/* --- a range --- */

/* Waits until all ranges before it have their places, and takes the next one.
 * They are held by workers that began them earlier, so that it ends. */
static bool take_place(struct packing *p, size_t i, int error,
                       struct packed_range *range)
{
    bool ok;
    pthread_mutex_lock(&p->lock);
    if (error != 0 && p->error == 0)
        p->error = error;
    while (p->error == 0 && p->turn != i)
        pthread_cond_wait(&p->turned, &p->lock);
    ok = p->error == 0;
    if (ok) {
        range->at = p->at;
        p->at += range->size;
        p->in_planes += range->width > 1;
        p->turn++;
    }
    pthread_cond_broadcast(&p->turned);
    pthread_mutex_unlock(&p->lock);
    return ok;
}

static bool has_failed(struct packing *p)
{
    bool failed;
    pthread_mutex_lock(&p->lock);
    failed = p->error != 0;
    pthread_mutex_unlock(&p->lock);
    return failed;
}

static void fail(struct packing *p, int error)
{
    pthread_mutex_lock(&p->lock);
    if (p->error == 0)
        p->error = error;
    pthread_cond_broadcast(&p->turned);
    pthread_mutex_unlock(&p->lock);
}

static void pack_range(void *context, unsigned worker, size_t i)
{
    struct packing *p = context;
    struct packer *w = &p->packers[worker];
    struct packed_range range = p->plan.ranges[i];
    const uint8_t *data = p->blob->bytes + range.offset;
    int error = 0;
    if (has_failed(p))
        return;
    if (!packer_open(w, p->args)) {
        fail(p, ENOMEM);
        return;
    }
    if (range.width > 1 && !planes_pay(w, range.width, data, range.length))
        range.width = 1;
    if (range.width > 1) {
        planes_split(range.width, data, range.length, w->planes);
        data = w->planes;
    }
    range.size = (uint32_t)compress(w, data, range.length);
    range.hash = ttsb__hash64(w->frame, range.size);
    if (!take_place(p, i, range.size == 0 ? ENOMEM : 0, &range))
        return;
    packed_put_range(&range, p->table + i * PACKED_ENTRY);
    error = outfile_write(&p->file, range.at, w->frame, range.size);
    if (error != 0)
        fail(p, error);
    progress_add(&p->progress, 0, range.length);
}

/* --- the file --- */

static struct progress_label label(const void *context, uint32_t item)
{
    const struct packing *p = context;
    (void)item;
    return (struct progress_label){.source = str_c(p->args->positional[0])};
}

static int put_front(struct packing *p)
{
    struct packed_head head = {.size = p->at,
                               .blob_size = p->blob->size,
                               .count = (uint32_t)p->plan.count};
    struct ttsb_info info = {.struct_size = sizeof info};
    uint8_t bytes[PACKED_HEAD];
    int error;
    ttsb_info(p->blob, &info);
    memcpy(head.root, info.root, sizeof head.root);
    memcpy(head.model, info.model, strlen(info.model));
    packed_put_head(&head, p->table, bytes);
    error = outfile_write(&p->file, 0, bytes, sizeof bytes);
    return error != 0 ? error
                      : outfile_write(&p->file, PACKED_HEAD, p->table,
                                      p->plan.count * PACKED_ENTRY);
}

static int pack_all(struct packing *p)
{
    struct progress_plan plan = {p->args->progress, "pack", p->blob->size,
                                 label, p};
    p->packers = arena_new(&p->r->arena, struct packer, p->args->jobs);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->turned, NULL);
    progress_start(&p->progress, &plan);
    pool_run(p->args->jobs, p->plan.count, pack_range, p);
    progress_stop(&p->progress);
    for (unsigned i = 0; i < p->args->jobs; i++)
        packer_close(&p->packers[i]);
    pthread_cond_destroy(&p->turned);
    pthread_mutex_destroy(&p->lock);
    return p->error != 0 ? p->error : put_front(p);
}

static bool refuse(struct packing *p, const char *why)
{
    diag_add_file(&p->r->diag, "E0704", str_c(p->args->output), DIAG_NO_OFFSET,
                  "cannot write: %s", why);
    return false;
}

static bool write_file(struct packing *p)
{
    int error;
    p->plan = pack_plan(&p->r->arena, p->blob);
    if (p->plan.count > PACKED_MAX_RANGES)
        return refuse(p, "the packed form has no more than 67108864 ranges");
    p->at = packed_front((uint32_t)p->plan.count);
    p->table = arena_take(&p->r->arena, PACKED_ENTRY, p->plan.count);
    error = outfile_open(&p->r->arena, str_c(p->args->output), true, &p->file);
    if (error != 0)
        return refuse(p, outfile_error(error));
    error = pack_all(p);
    if (error == 0)
        error = outfile_commit(&p->file);
    else
        outfile_discard(&p->file);
    return error == 0 || refuse(p, outfile_error(error));
}

static void report(const struct packing *p)
{
    struct ttsb_info info = {.struct_size = sizeof info};
    ttsb_info(p->blob, &info);
    printf("wrote %s: %" PRIu64 " bytes, %.1f %% of the blob, planes in %zu of "
           "%zu ranges%s\n",
           p->args->output, p->at, 100 * (double)p->at / (double)p->blob->size,
           p->in_planes, p->plan.count, info.partial ? ", PARTIAL" : "");
}

enum exit_code command_pack(const struct args *args)
{
    struct ttsb_open_options options = {.struct_size = sizeof options,
                                        .flags = TTSB_OPEN_PARTIAL};
    struct ttsb_error error = {.struct_size = sizeof error};
    struct ttsb_blob *blob;
    struct run r;
    struct packing p = {.r = &r, .args = args};
    run_begin(&r, args);
    if (ttsb_open(args->positional[0], &options, &blob, &error) != TTSB_OK) {
        run_blob_error(&r, args->positional[0], &error);
        return run_end(&r);
    }
    p.blob = blob;
    if (run_is_apart(&r, args->output, str_c(args->positional[0])) &&
        verify_blob(&r, args, blob) && write_file(&p) && !args->quiet)
        report(&p);
    ttsb_close(blob);
    return run_end(&r);
}
