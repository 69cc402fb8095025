/* SPDX-License-Identifier: MIT
 *
 * stfile.c - reads the header into memory, hands it to the parser, keeps the
 * file open.
 */
#include "stfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lockfile.h"
#include "sniff.h"

int read_exactly(int fd, uint64_t offset, void *out, size_t size)
{
    char *p = out;
    while (size > 0) {
        ssize_t n = pread(fd, p, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? ENODATA : errno;
        p += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

static void system_error(struct diag *d, struct str path, int error)
{
    diag_add_file(d, "E0705", path, DIAG_NO_OFFSET, "cannot read: %s",
                  error == ENODATA ? "the file became shorter"
                                   : strerror(error));
}

/* Of a file that is meant to be a safetensors file. */
static void format_error(struct diag *d, const struct stfile *f,
                         const struct st_error *e)
{
    struct diag_item *item = diag_add_file(d, "E0701", f->path, e->offset,
                                           "%s: %s", e->field, e->text);
    if (f->size == 0)
        diag_help(d, item, "the file is empty: download it again");
    else if (e->header_missing != 0)
        diag_help(d, item,
                  "the download was cut off, %" PRIu64 " byte%s before the "
                  "header's end: download it again",
                  e->header_missing, e->header_missing == 1 ? "" : "s");
    else if (e->data_missing != 0)
        diag_help(d, item,
                  "the download was cut off, %" PRIu64 " byte%s before the "
                  "file's end: download it again",
                  e->data_missing, e->data_missing == 1 ? "" : "s");
    else
        diag_help(d, item,
                  "the file is damaged, cut off or no safetensors file; "
                  "compare its size and checksum with the publisher's");
}

/* Says what is wrong with a file that is no good safetensors file. */
static void refuse(struct diag *d, const struct stfile *f, struct st_error *e)
{
    uint8_t first[SNIFF_SIZE];
    size_t n = f->size < SNIFF_SIZE ? (size_t)f->size : SNIFF_SIZE;
    int error = read_exactly(f->fd, 0, first, n);
    struct diag_item *item;
    struct sniffed kind;
    if (error != 0) {
        system_error(d, f->path, error);
    } else if (sniff(first, n, &kind)) {
        item = diag_add_file(d, "E0703", f->path, DIAG_NO_OFFSET,
                             "this is %s, not a safetensors file", kind.what);
        diag_help(d, item, "%s", kind.help);
    } else {
        if (!sniff_is_safetensors(first, n))
            e->header_missing = 0; /* the length is none */
        format_error(d, f, e);
    }
}

/* True if the file is a lock; then *ok says whether it is a good one. */
static bool read_lock(struct arena *a, struct diag *d, struct stfile *f,
                      bool *ok)
{
    uint8_t first[LOCK_MAGIC_SIZE] = {0};
    /* One byte more than a lock may have is enough to be refused. */
    size_t n = f->size <= SOURCE_MAX ? (size_t)f->size : SOURCE_MAX + 1;
    struct lock lock = {0};
    char *text;
    int error;
    if (f->size < sizeof first || read_exactly(f->fd, 0, first, sizeof first) ||
        !lockfile_is(first, sizeof first))
        return false;
    f->is_lock = true;
    text = arena_take(a, 1, n + 1);
    error = read_exactly(f->fd, 0, text, n);
    if (error != 0)
        system_error(d, f->path, error);
    *ok = error == 0 &&
          lockfile_parse(a, d, f->path, (struct str){text, n}, &lock);
    f->header = lock.header;
    f->digests = lock.digests;
    return true;
}

static bool read_header(struct arena *a, struct diag *d, struct stfile *f)
{
    uint8_t first[ST_LENGTH_SIZE] = {0};
    struct st_error e = {0};
    uint64_t length;
    char *text;
    int error = 0;
    if (f->size >= sizeof first)
        error = read_exactly(f->fd, 0, first, sizeof first);
    if (error == 0 && !safetensors_check_length(first, f->size, &length, &e)) {
        refuse(d, f, &e);
        return false;
    }
    text = error == 0 ? arena_take(a, 1, (size_t)length + 1) : NULL;
    if (error == 0)
        error = read_exactly(f->fd, sizeof first, text, (size_t)length);
    if (error != 0) {
        system_error(d, f->path, error);
        return false;
    }
    if (safetensors_parse(a, text, length, f->size, &f->header, &e))
        return true;
    refuse(d, f, &e);
    return false;
}

static struct file_stamp stamp_of(const struct stat *st)
{
    return (struct file_stamp){st->st_size, st->st_mtim, st->st_ctim};
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool stfile_open(struct arena *a, struct diag *d, struct str path,
                 struct stfile *out)
{
    struct stat st;
    bool ok;
    *out = (struct stfile){.path = arena_str(a, path)};
    out->fd = open(out->path.p, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (out->fd < 0 || fstat(out->fd, &st) != 0) {
        system_error(d, path, errno);
        stfile_close(out);
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        diag_add_file(d, "E0705", path, DIAG_NO_OFFSET,
                      "cannot read: not a regular file");
        stfile_close(out);
        return false;
    }
    out->size = (uint64_t)st.st_size;
    out->stamp = stamp_of(&st);
    if (!read_lock(a, d, out, &ok))
        ok = read_header(a, d, out);
    if (!ok)
        stfile_close(out);
    return ok;
}

void stfile_close(struct stfile *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

int stfile_read(const struct stfile *f, const struct st_tensor *tensor,
                uint64_t offset, void *out, size_t size)
{
    if (f->is_lock)
        return ENOTSUP;
    return read_exactly(f->fd, f->header.data_start + tensor->begin + offset,
                        out, size);
}

bool stfile_changed(const struct stfile *f)
{
    struct stat st;
    return fstat(f->fd, &st) != 0 || st.st_size != f->stamp.size ||
           !same_time(st.st_mtim, f->stamp.modified) ||
           !same_time(st.st_ctim, f->stamp.changed);
}
