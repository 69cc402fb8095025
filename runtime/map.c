/* SPDX-License-Identifier: MIT
 *
 * map.c - the only file of the runtime that talks to the system.
 *
 * In: a path, a descriptor, or bytes to copy. Out: the bytes in
 * blob->bytes, read-only and at a page's start, and their number; or a status
 * of the system's group with errno.
 *
 * Invariant: on failure nothing stays open or mapped. A copy is an anonymous
 * mapping, so that one call gives back either. Another system is another file
 * of this kind.
 */
#include "ttsb_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The most that one call of pread is asked for. */
#define READ_STEP (UINT64_C(1) << 30)

static int32_t fail_system(struct ttsb_error *error, int32_t status,
                           const char *call, int cause)
{
    const struct ttsb__fault fault = {.status = status,
                                      .system_errno = cause,
                                      .tensor = TTSB_NO_TENSOR,
                                      .field = call};
    char words[128];
    if (cause == 0)
        return ttsb__fail(error, &fault, "%s", ttsb_status_text(status));
    return ttsb__fail(error, &fault, "%s: %s: %s", ttsb_status_text(status),
                      call, strerror_r(cause, words, sizeof(words)));
}

static int32_t map_anonymous(struct ttsb_blob *blob, uint8_t **memory,
                             struct ttsb_error *error)
{
    void *p = mmap(NULL, (size_t)blob->size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return fail_system(error, TTSB_NO_MEMORY, "mmap", errno);
    *memory = p;
    blob->bytes = p;
    blob->mapped = true;
    return TTSB_OK;
}

static int32_t read_all(int fd, uint8_t *memory, uint64_t size,
                        struct ttsb_error *error)
{
    uint64_t done = 0;
    while (done < size) {
        uint64_t step = size - done < READ_STEP ? size - done : READ_STEP;
        ssize_t n = pread(fd, memory + done, (size_t)step, (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_system(error, TTSB_SYSTEM_READ, "pread", errno);
        if (n == 0) /* it became shorter since fstat */
            return fail_system(error, TTSB_SYSTEM_READ, "pread", ENODATA);
        done += (uint64_t)n;
    }
    return TTSB_OK;
}

static int32_t copy_fd(struct ttsb_blob *blob, int fd, struct ttsb_error *error)
{
    uint8_t *memory = NULL;
    int32_t status = map_anonymous(blob, &memory, error);
    if (status != TTSB_OK)
        return status;
    status = read_all(fd, memory, blob->size, error);
    if (status == TTSB_OK && mprotect(memory, (size_t)blob->size, PROT_READ))
        status = fail_system(error, TTSB_SYSTEM_MAP, "mprotect", errno);
    if (status != TTSB_OK)
        ttsb__unmap(blob);
    return status;
}

static int32_t file_size(int fd, uint64_t *size, struct ttsb_error *error)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fail_system(error, TTSB_SYSTEM_STAT, "fstat", errno);
    if (!S_ISREG(st.st_mode))
        return fail_system(error, TTSB_SYSTEM_NOT_A_FILE, "fstat", 0);
    *size = (uint64_t)st.st_size;
    if (*size > SIZE_MAX)
        return fail_system(error, TTSB_SYSTEM_MAP, "fstat", EFBIG);
    return TTSB_OK;
}

int32_t ttsb__map_fd(struct ttsb_blob *blob, int fd, uint32_t flags,
                     struct ttsb_error *error)
{
    void *p;
    int32_t status = file_size(fd, &blob->size, error);
    /* An empty file cannot be mapped; the door refuses it as too short. */
    if (status != TTSB_OK || blob->size == 0)
        return status;
    if (flags & TTSB_OPEN_COPY)
        return copy_fd(blob, fd, error);
    p = mmap(NULL, (size_t)blob->size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return fail_system(error, TTSB_SYSTEM_MAP, "mmap", errno);
    blob->bytes = p;
    blob->mapped = true;
    blob->of_file = true;
    return TTSB_OK;
}

int32_t ttsb__map_path(struct ttsb_blob *blob, const char *path, uint32_t flags,
                       struct ttsb_error *error)
{
    /* O_NONBLOCK: opening a pipe by mistake must fail and not wait. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int32_t status;
    if (fd < 0)
        return fail_system(error, TTSB_SYSTEM_OPEN, "open", errno);
    status = ttsb__map_fd(blob, fd, flags, error);
    if (close(fd) != 0 && status == TTSB_OK) {
        status = fail_system(error, TTSB_SYSTEM_READ, "close", errno);
        ttsb__unmap(blob);
    }
    return status;
}

int32_t ttsb__map_copy(struct ttsb_blob *blob, const void *data, size_t size,
                       struct ttsb_error *error)
{
    uint8_t *memory = NULL;
    int32_t status;
    blob->size = size;
    if (size == 0)
        return TTSB_OK;
    status = map_anonymous(blob, &memory, error);
    if (status != TTSB_OK)
        return status;
    memcpy(memory, data, size);
    if (mprotect(memory, size, PROT_READ) == 0)
        return TTSB_OK;
    status = fail_system(error, TTSB_SYSTEM_MAP, "mprotect", errno);
    ttsb__unmap(blob);
    return status;
}

void ttsb__unmap(struct ttsb_blob *blob)
{
    /* munmap fails only for a range that is none, and this one is. */
    if (blob->mapped)
        munmap((void *)(uintptr_t)blob->bytes, (size_t)blob->size);
    blob->mapped = false;
}

int32_t ttsb__read_ahead(const struct ttsb_blob *blob, uint64_t offset,
                         uint64_t size, struct ttsb_error *error)
{
    if (!blob->of_file || size == 0)
        return TTSB_OK;
    if (madvise((void *)(uintptr_t)(blob->bytes + offset), (size_t)size,
                MADV_WILLNEED) != 0)
        return fail_system(error, TTSB_SYSTEM_READ, "madvise", errno);
    return TTSB_OK;
}
