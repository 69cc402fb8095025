/* SPDX-License-Identifier: MIT
 *
 * unpack.c - `ttswc unpack`: the blob that `pack` was given, to the byte.
 *
 * In: a packed blob. Out: the blob, whole or not at all. Invariant: the file
 * gets its name only after all that `verify` proves was proven of it, and its
 * root is the one that the packed file says; whatever the packed file claims, a
 * worker holds two buffers of PACKED_RANGE_MAX and zstd's own memory.
 *
 * Workers go on behind damage, so that the index is restored that tells which
 * tensors it is in. Then it is looked for once more, in order and by one
 * thread, so that what is said is the same whatever the threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "buffers.h"
#include "commands.h"
#include "outfile.h"
#include "pack_format.h"
#include "planes.h"
#include "pool.h"
#include "size.h"
#include "verify.h"

#define MAX_NAMED 1000

struct unpacker {
    ZSTD_DCtx *context;
    uint8_t *out, *joined; /* PACKED_RANGE_MAX each */
};

struct unpacking {
    struct run *r;
    const struct args *args;
    struct packed packed;
    void *mapping;
    size_t mapped;
    struct unpacker *unpackers;
    struct outfile file;
    struct progress progress;
    atomic_bool damaged;
    atomic_int error; /* an errno of writing, or ENOMEM */
};

/* --- a worker --- */

static bool unpacker_open(struct unpacker *w)
{
    if (w->context != NULL)
        return true;
    w->context = ZSTD_createDCtx();
    if (w->context == NULL)
        return false;
    w->out = buffers_take(PACKED_RANGE_MAX);
    w->joined = buffers_take(PACKED_RANGE_MAX);
    return true;
}

static void unpacker_close(struct unpacker *w)
{
    ZSTD_freeDCtx(w->context);
    free(w->out);
    free(w->joined);
}

/* --- a range --- */

/* What is wrong with a frame, or NULL and its bytes, which are the worker's.
 * Nothing is decompressed before its hash and its sizes have been compared. */
static const char *restore_range(const struct packed *p, uint32_t i,
                                 struct unpacker *w, const uint8_t **out)
{
    const struct packed_range r = packed_range_at(p, i);
    const uint8_t *frame = p->bytes + r.at;
    if (!packed_is_sound(p, i))
        return "its frame has another hash";
    if (r.size < 4 || load_u32(frame) != PACKED_FRAME ||
        ZSTD_findFrameCompressedSize(frame, r.size) != r.size)
        return "its frame is no single zstd frame of this size";
    if (ZSTD_getFrameContentSize(frame, r.size) != r.length)
        return "its frame says another content size";
    if (ZSTD_decompressDCtx(w->context, w->out, PACKED_RANGE_MAX, frame,
                            r.size) != r.length)
        return "zstd cannot decompress its frame";
    *out = w->out;
    if (r.width > 1) {
        planes_join(r.width, w->out, r.length, w->joined);
        *out = w->joined;
    }
    return NULL;
}

static void unpack_range(void *context, unsigned worker, size_t i)
{
    struct unpacking *u = context;
    struct unpacker *w = &u->unpackers[worker];
    const struct packed_range r = packed_range_at(&u->packed, (uint32_t)i);
    const uint8_t *bytes = NULL;
    int error;
    if (u->error != 0)
        return;
    if (!unpacker_open(w)) {
        u->error = ENOMEM;
        return;
    }
    if (restore_range(&u->packed, (uint32_t)i, w, &bytes) != NULL) {
        u->damaged = true;
        return;
    }
    error = outfile_write(&u->file, r.offset, bytes, r.length);
    if (error != 0)
        u->error = error;
    progress_add(&u->progress, 0, r.length);
}

/* --- what is damaged --- */

static struct diag_item *refuse(struct unpacking *u, uint64_t offset,
                                const char *why)
{
    return diag_add_file(&u->r->diag, "E0712", str_c(u->args->positional[0]),
                         offset, "%s", why);
}

static bool cannot_write(struct unpacking *u, int error)
{
    diag_add_file(&u->r->diag, "E0704", str_c(u->args->output), DIAG_NO_OFFSET,
                  "cannot write: %s", outfile_error(error));
    return false;
}

/* Where the search for tensors goes on; ranges come in ascending order. `blob`
 * is NULL if the blob's own tables could not be restored. */
struct naming {
    const struct ttsb_blob *blob;
    uint32_t count,
        next; /* tensors; those before `next` end before the range */
};

/* How many tensors have bytes in [start, end); *first is the first of them. */
static uint32_t tensors_in(struct naming *n, uint64_t start, uint64_t end,
                           struct ttsb_tensor *first)
{
    struct ttsb_tensor x = {.struct_size = sizeof x};
    uint32_t found = 0;
    for (uint32_t i = n->next; i < n->count; i++) {
        ttsb_tensor_at(n->blob, i, &x, NULL);
        if ((x.flags & TTSB_RECORD_ALIAS) != 0 || x.size == 0)
            continue;
        if (x.offset >= end)
            break;
        if (x.offset + x.size <= start)
            n->next = i + 1;
        else if (found++ == 0)
            *first = x;
    }
    return found;
}

static void say_tensors(struct unpacking *u, struct diag_item *item,
                        struct naming *n, const struct packed_range *r)
{
    const uint64_t end = r->offset + r->length;
    struct ttsb_tensor first = {.name = ""};
    uint32_t count = tensors_in(n, r->offset, end, &first);
    char more[40] = "";
    if (count > 1)
        snprintf(more, sizeof more, " and the next %" PRIu32, count - 1);
    if (count > 0)
        diag_note(&u->r->diag, item,
                  "it holds bytes %" PRIu64 " to %" PRIu64
                  " of the blob, in tensor `%s`%s",
                  r->offset, end, first.name, more);
    else
        diag_note(&u->r->diag, item,
                  "it holds bytes %" PRIu64 " to %" PRIu64 " of the blob%s",
                  r->offset, end, r->offset == 0 ? ", where its index is" : "");
}

static struct ttsb_blob *open_restored(const struct unpacking *u,
                                       struct ttsb_error *error)
{
    struct ttsb_open_options options = {.struct_size = sizeof options,
                                        .flags = TTSB_OPEN_PARTIAL};
    struct ttsb_blob *blob = NULL;
    ttsb_open_fd(u->file.fd, &options, &blob, error);
    return blob;
}

static void name_range(struct unpacking *u, struct naming *n, uint32_t i,
                       const char *why)
{
    const struct packed_range r = packed_range_at(&u->packed, i);
    struct diag_item *item =
        diag_add_file(&u->r->diag, "E0712", str_c(u->args->positional[0]), r.at,
                      "range %" PRIu32 " of %" PRIu32 " is damaged: %s", i,
                      u->packed.head.count, why);
    say_tensors(u, item, n, &r);
}

static bool name_damage(struct unpacking *u)
{
    struct ttsb_blob *blob = open_restored(u, NULL);
    struct ttsb_info info = {.struct_size = sizeof info};
    struct naming naming = {.blob = blob};
    const uint8_t *bytes;
    uint32_t found = 0;
    if (!unpacker_open(&u->unpackers[0])) {
        ttsb_close(blob);
        return cannot_write(u, ENOMEM);
    }
    if (ttsb_info(blob, &info) == TTSB_OK)
        naming.count = info.tensor_count;
    for (uint32_t i = 0; i < u->packed.head.count; i++) {
        const char *why =
            restore_range(&u->packed, i, &u->unpackers[0], &bytes);
        if (why != NULL && found++ < MAX_NAMED)
            name_range(u, &naming, i, why);
    }
    ttsb_close(blob);
    if (found > MAX_NAMED)
        diag_add_file(&u->r->diag, "E0712", str_c(u->args->positional[0]),
                      DIAG_NO_OFFSET, "%" PRIu32 " more ranges are damaged",
                      found - MAX_NAMED);
    if (found == 0)
        diag_add_file(&u->r->diag, "E0705", str_c(u->args->positional[0]),
                      DIAG_NO_OFFSET, "the file changed while it was read");
    return false;
}

/* --- the proof --- */

/* All that `verify` proves, and that it is the blob that was packed. */
static bool prove(struct unpacking *u)
{
    struct ttsb_error error = {.struct_size = sizeof error};
    struct ttsb_info info = {.struct_size = sizeof info};
    struct ttsb_blob *blob = open_restored(u, &error);
    const struct packed_head *head = &u->packed.head;
    struct diag_item *item = NULL;
    if (blob == NULL || verify_all(u->args, blob, &error) != TTSB_OK) {
        item = refuse(u, DIAG_NO_OFFSET, "what it holds is no whole blob");
        diag_note(&u->r->diag, item, "%s", error.text);
        ttsb_close(blob);
        return false;
    }
    ttsb_info(blob, &info);
    if (memcmp(info.root, head->root, sizeof head->root) != 0)
        item = refuse(u, DIAG_NO_OFFSET,
                      "it holds another blob than its head says: the root "
                      "differs");
    else if (strcmp(info.model, head->model) != 0)
        item = refuse(u, DIAG_NO_OFFSET,
                      "it holds another blob than its head says: the model's "
                      "name differs");
    ttsb_close(blob);
    return item == NULL;
}

/* --- the files --- */

static struct progress_label label(const void *context, uint32_t item)
{
    const struct unpacking *u = context;
    (void)item;
    return (struct progress_label){.source = str_c(u->args->positional[0])};
}

static bool cannot_read(struct unpacking *u, const char *why)
{
    diag_add_file(&u->r->diag, "E0705", str_c(u->args->positional[0]),
                  DIAG_NO_OFFSET, "cannot read: %s", why);
    return false;
}

static bool map_fd(struct unpacking *u, int fd)
{
    struct packed_fault fault;
    struct stat st;
    struct diag_item *item;
    if (fstat(fd, &st) != 0)
        return cannot_read(u, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return cannot_read(u, "not a regular file");
    if (st.st_size > 0) {
        u->mapping =
            mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (u->mapping == MAP_FAILED)
            return cannot_read(u, strerror(errno));
        u->mapped = (size_t)st.st_size;
    }
    if (packed_open(u->mapping, u->mapped, &u->packed, &fault))
        return true;
    item = refuse(u, fault.offset, fault.text);
    if (fault.help != NULL)
        diag_help(&u->r->diag, item, "%s", fault.help);
    return false;
}

static bool map_file(struct unpacking *u)
{
    int fd = open(u->args->positional[0], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool ok;
    if (fd < 0)
        return cannot_read(u, strerror(errno));
    ok = map_fd(u, fd);
    close(fd);
    return ok;
}

static bool unpack_all(struct unpacking *u)
{
    struct progress_plan plan = {u->args->progress, "unpack",
                                 u->packed.head.blob_size, label, u};
    bool ok = true;
    u->unpackers = arena_new(&u->r->arena, struct unpacker, u->args->jobs);
    progress_start(&u->progress, &plan);
    pool_run(u->args->jobs, u->packed.head.count, unpack_range, u);
    progress_stop(&u->progress);
    if (u->error != 0)
        ok = cannot_write(u, u->error);
    else if (u->damaged)
        ok = name_damage(u);
    for (unsigned i = 0; i < u->args->jobs; i++)
        unpacker_close(&u->unpackers[i]);
    return ok && prove(u);
}

static bool write_file(struct unpacking *u)
{
    int error =
        outfile_open(&u->r->arena, str_c(u->args->output), true, &u->file);
    if (error != 0)
        return cannot_write(u, error);
    error = outfile_resize(&u->file, u->packed.head.blob_size);
    if (error != 0 || !unpack_all(u)) {
        outfile_discard(&u->file);
        return error == 0 ? false : cannot_write(u, error);
    }
    error = outfile_commit(&u->file);
    return error == 0 || cannot_write(u, error);
}

static void report(const struct unpacking *u)
{
    printf("wrote %s: %" PRIu64 " bytes, root ", u->args->output,
           u->packed.head.blob_size);
    for (size_t i = 0; i < sizeof u->packed.head.root; i++)
        printf("%02x", u->packed.head.root[i]);
    printf("\n");
}

enum exit_code command_unpack(const struct args *args)
{
    struct run r;
    struct unpacking u = {.r = &r, .args = args};
    run_begin(&r, args);
    if (map_file(&u) &&
        run_is_apart(&r, args->output, str_c(args->positional[0])) &&
        write_file(&u) && !args->quiet)
        report(&u);
    if (u.mapped > 0)
        munmap(u.mapping, u.mapped);
    return run_end(&r);
}
