/* SPDX-License-Identifier: MIT
 *
 * cuda_fill.c - where an upload's bytes come from, and which way they take.
 *
 * In: the options, the device, the pages that are in memory. Out: the path,
 * and each chunk's bytes in its slot. Invariant: every path gives the same
 * bytes; a file that is read again is the blob's.
 */
#include "cuda_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Pages whose presence is asked for, of all device groups. */
#define SAMPLES 256

/* ---- The file, again ---- */

/* Whether the open file has the blob's root, which changes with every byte. */
static int32_t compare_root(struct ttsb_cuda_image *image,
                            struct ttsb_error *error)
{
    const struct ttsb_open_options options = {.struct_size = sizeof(options),
                                              .flags = TTSB_OPEN_PARTIAL};
    struct ttsb_info ours = {.struct_size = sizeof(ours)};
    struct ttsb_info theirs = {.struct_size = sizeof(theirs)};
    struct ttsb_blob *again;
    int32_t status = ttsb_open_fd(image->fd, &options, &again, error);
    if (status >= TTSB_SYSTEM_OPEN)
        return status;
    if (status != TTSB_OK)
        return ttsb__cuda_fail(error, TTSB_WRONG_FILE, "ttsb_open_fd",
                               ttsb_status_text(status));
    ttsb_info(image->blob, &ours);
    ttsb_info(again, &theirs);
    ttsb_close(again);
    if (memcmp(ours.root, theirs.root, sizeof(ours.root)) == 0)
        return TTSB_OK;
    return ttsb__cuda_fail(error, TTSB_WRONG_FILE, "options->file",
                           "its root is another");
}

int32_t ttsb__cuda_open_file(struct ttsb_cuda_image *image,
                             struct ttsb_error *error)
{
    const char *file = image->options.file;
    if (file == NULL)
        return TTSB_OK;
    image->fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (image->fd < 0)
        return ttsb__cuda_system(error, TTSB_SYSTEM_OPEN, "open", errno);
    return compare_root(image, error);
}

/* ---- The choice ---- */

/* Whether most pages of what will be copied are in memory. Where the system
 * does not tell, they count as such. */
static bool is_warm(const struct ttsb_cuda_image *image)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uint64_t step = image->bytes / SAMPLES + 1;
    uint64_t at = 0; /* in the group, may lie behind it */
    uint32_t asked = 0;
    uint32_t cold = 0;
    for (uint32_t i = 0; i < image->group_count; i++) {
        const struct ttsb__cuda_group *g = &image->groups[i];
        for (; at < g->size; at += step) {
            uintptr_t address = (uintptr_t)(g->data + at) & ~(page - 1);
            unsigned char in_memory = 1;
            if (mincore((void *)address, page, &in_memory) == 0)
                cold += (in_memory & 1) == 0;
            asked++;
        }
        at -= g->size;
    }
    return cold <= asked / 2;
}

/* A device on the host's own memory. Not one that only reads it (a page table
 * that is shared): its own memory is faster, and a ring fills that. */
static int32_t ask_integrated(const struct ttsb_cuda_image *image,
                              bool *integrated, struct ttsb_error *error)
{
    int value = 0;
    int32_t status = ttsb__cuda_check(
        cudaDeviceGetAttribute(&value, cudaDevAttrIntegrated, image->device),
        TTSB_DEVICE_CALL, "cudaDeviceGetAttribute", error);
    *integrated = value != 0;
    return status;
}

static bool is_page_aligned(const struct ttsb_cuda_image *image)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (uint32_t i = 0; i < image->group_count; i++)
        if ((uintptr_t)image->groups[i].data % page != 0 &&
            image->groups[i].size != 0)
            return false;
    return true;
}

/* Reading around the page cache, or, where the file's system refuses that,
 * through it. */
static uint32_t read_directly(const struct ttsb_cuda_image *image)
{
    const int flags = fcntl(image->fd, F_GETFL);
    if (fcntl(image->fd, F_SETFL, flags | O_DIRECT) == 0)
        return TTSB_CUDA_DIRECT;
    return TTSB_CUDA_READ;
}

/* Of a warm file pread is faster than a copy out of the mapping, which takes
 * faults, whether one by one or by MADV_POPULATE_READ: GB/s of tests/bench/
 * fill_warm.c, `fill_warm FILE THREADS`, 512 MiB on ext4, an EPYC with 2 cores,
 * Linux 6.18, host memory for pinned:
 *
 *                 1 thread   2 threads
 *     mapped          7.3        12.6
 *     populated       7.4        12.4
 *     read           10.5        15.7
 */
static uint32_t choose_fill(const struct ttsb_cuda_image *image)
{
    if (image->fd < 0)
        return TTSB_CUDA_MAPPED;
    return is_warm(image) ? TTSB_CUDA_READ : TTSB_CUDA_DIRECT;
}

int32_t ttsb__cuda_choose(struct ttsb_cuda_image *image,
                          struct ttsb_error *error)
{
    const struct ttsb_cuda_options *o = &image->options;
    bool integrated = false;
    int32_t status = TTSB_OK;
    image->path = o->path;
    if (o->path == TTSB_CUDA_AUTO && o->memory == NULL && o->allocator == NULL)
        status = ask_integrated(image, &integrated, error);
    if (status != TTSB_OK)
        return status;
    if (integrated)
        image->path = TTSB_CUDA_UNIFIED;
    else if (o->path == TTSB_CUDA_AUTO)
        image->path = choose_fill(image);
    if (image->path == TTSB_CUDA_REGISTER && !is_page_aligned(image))
        return ttsb__cuda_bad(error, "options->path");
    if (image->path == TTSB_CUDA_DIRECT)
        image->path = read_directly(image);
    image->report.path = image->path;
    return TTSB_OK;
}

/* ---- The bytes ---- */

/* What the system refuses when it comes to reading (a block's size that we do
 * not keep to) it refuses for the whole file. */
static void stop_direct(struct ttsb_cuda_image *image)
{
    const int flags = fcntl(image->fd, F_GETFL);
    fcntl(image->fd, F_SETFL, flags & ~O_DIRECT);
    pthread_mutex_lock(&image->lock);
    image->report.path = TTSB_CUDA_READ;
    pthread_mutex_unlock(&image->lock);
}

static int32_t read_file(struct ttsb_cuda_image *image, uint64_t offset,
                         uint8_t *to, uint64_t size, struct ttsb_error *error)
{
    bool refused = image->path != TTSB_CUDA_DIRECT;
    uint64_t done = 0;
    while (done < size) {
        ssize_t n = pread(image->fd, to + done, (size_t)(size - done),
                          (off_t)(offset + done));
        if (n > 0) {
            done += (uint64_t)n;
        } else if (n == 0) {
            return ttsb__cuda_system(error, TTSB_SYSTEM_READ, "pread", ENODATA);
        } else if (errno == EINVAL && !refused) {
            refused = true;
            stop_direct(image);
        } else if (errno != EINTR) {
            return ttsb__cuda_system(error, TTSB_SYSTEM_READ, "pread", errno);
        }
    }
    return TTSB_OK;
}

static int32_t pin_window(struct ttsb__cuda_slot *slot, const uint8_t *data,
                          uint64_t size, struct ttsb_error *error)
{
    void *window = (void *)(uintptr_t)data;
    int32_t status = ttsb__cuda_check(
        cudaHostRegister(window, (size_t)size, cudaHostRegisterReadOnly),
        TTSB_DEVICE_CALL, "cudaHostRegister", error);
    if (status == TTSB_OK)
        slot->window = window;
    return status;
}

int32_t ttsb__cuda_fill(struct ttsb_cuda_image *image,
                        const struct ttsb__cuda_chunk *chunk,
                        struct ttsb_error *error)
{
    const struct ttsb__cuda_group *g = &image->groups[chunk->group];
    struct ttsb__cuda_slot *slot = ttsb__cuda_slot(image, chunk->number);
    const uint8_t *from = g->data + chunk->start;
    uint8_t *to = slot->bytes;
    int32_t status = TTSB_OK;
    if (image->path == TTSB_CUDA_UNIFIED)
        to = g->memory + chunk->start;
    if (image->path == TTSB_CUDA_REGISTER)
        status = pin_window(slot, from, chunk->size, error);
    else if (image->fd >= 0 && image->path != TTSB_CUDA_MAPPED)
        status =
            read_file(image, g->offset + chunk->start, to, chunk->size, error);
    else
        memcpy(to, from, (size_t)chunk->size);
    if (status != TTSB_OK || image->proof == NULL)
        return status;
    return ttsb__cuda_check_padding(image, chunk,
                                    slot->window != NULL ? from : to, error);
}
