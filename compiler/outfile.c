/* SPDX-License-Identifier: MIT
 *
 * outfile.c - O_TMPFILE and linkat where the file system has them, a locked
 * temporary beside the target elsewhere.
 *
 * linkat cannot replace a file, so that the unnamed temporary is first given
 * the temporary's name and then renamed over the target. The lock tells a
 * temporary that a killed run left behind from one that is being written.
 */
#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE 0666
#define LONG_NAME 240
#define MAX_LINKS 40

static void split_path(struct arena *a, struct str path, struct outfile *o)
{
    size_t n = str_folder(path).n;
    struct str name = str_cut(path, n, path.n);
    o->path = path;
    o->directory =
        n == 0 ? arena_str(a, str_c(".")) : arena_str(a, str_cut(path, 0, n));
    o->temporary =
        arena_format(a, "%.*s.%.*s.ttswc-tmp", (int)n, path.p, STR_ARG(name));
    if (name.n > LONG_NAME) /* no room for more: its hash instead */
        o->temporary = arena_format(a, "%.*s.%016" PRIx64 ".ttswc-tmp", (int)n,
                                    path.p, str_hash(name));
}

/* Whether a name still stands for the file that fd is. Whoever holds a file's
 * lock and sees its name on it may rename or remove it: no other run will. */
static bool has_name(int fd, const char *name)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && lstat(name, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* A leftover that nobody holds is removed. 0, or EWOULDBLOCK. */
static int remove_leftover(const struct outfile *o)
{
    int fd = open(o->temporary.p, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int error = 0;
    if (fd < 0)
        return errno == ENOENT ? 0 : errno;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        error = errno;
    else if (has_name(fd, o->temporary.p) && unlink(o->temporary.p) != 0)
        error = errno;
    close(fd);
    return error;
}

static int open_named(struct outfile *o)
{
    o->fd = open(o->temporary.p, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, MODE);
    o->named = o->fd >= 0;
    return o->fd >= 0 ? 0 : errno;
}

static bool is_unsupported(int error)
{
    return error == EOPNOTSUPP || error == EISDIR || error == ENOENT ||
           error == EINVAL;
}

const char *outfile_error(int error)
{
    return error == EWOULDBLOCK ? "another ttswc is writing this file"
           : error == EISDIR    ? "not a regular file"
                                : strerror(error);
}

/* By hand, since realpath knows no file that is not there yet. */
int outfile_target(struct arena *a, struct str path, struct str *out)
{
    char link[PATH_MAX];
    *out = arena_str(a, path);
    for (int i = 0; i < MAX_LINKS; i++) {
        ssize_t n = readlink(out->p, link, sizeof link);
        size_t folder = n > 0 && link[0] == '/' ? 0 : str_folder(*out).n;
        if (n < 0) /* no link, or what comes next says why */
            return 0;
        if ((size_t)n == sizeof link)
            return ENAMETOOLONG;
        *out = arena_format(a, "%.*s%.*s", (int)folder, out->p, (int)n, link);
    }
    return ELOOP;
}

int outfile_open(struct arena *a, struct str path, bool unnamed,
                 struct outfile *out)
{
    struct stat st;
    int error;
    *out = (struct outfile){.fd = -1, .directory_fd = -1};
    error = outfile_target(a, path, &path);
    if (error != 0)
        return error;
    split_path(a, path, out);
    if (stat(out->path.p, &st) == 0 && !S_ISREG(st.st_mode))
        return EISDIR;
    out->directory_fd =
        open(out->directory.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    error = out->directory_fd < 0 ? errno : remove_leftover(out);
    if (error != 0) {
        outfile_discard(out);
        return error;
    }
    error = EOPNOTSUPP;
    if (unnamed) {
        out->fd = open(out->directory.p, O_RDWR | O_TMPFILE | O_CLOEXEC, MODE);
        error = out->fd >= 0 ? 0 : errno;
    }
    if (error != 0 && is_unsupported(error))
        error = open_named(out);
    if (error == 0 && flock(out->fd, LOCK_EX | LOCK_NB) != 0)
        error = errno;
    if (error == 0 && out->named && !has_name(out->fd, out->temporary.p))
        error = EWOULDBLOCK; /* another run took it for a leftover */
    if (error == EWOULDBLOCK || error == EEXIST) {
        out->named = false; /* what stands there is the other run's */
        error = EWOULDBLOCK;
    }
    if (error != 0)
        outfile_discard(out);
    return error;
}

int outfile_resize(struct outfile *o, uint64_t size)
{
    int error = posix_fallocate(o->fd, 0, (off_t)size);
    if (error == 0 || (error != EOPNOTSUPP && error != EINVAL))
        return error;
    return ftruncate(o->fd, (off_t)size) == 0 ? 0 : errno;
}

int outfile_write(const struct outfile *o, uint64_t offset, const void *data,
                  size_t size)
{
    const char *p = data;
    while (size > 0) {
        ssize_t n = pwrite(o->fd, p, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        p += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

/* Gives the unnamed temporary its name. */
static int give_name(struct outfile *o)
{
    char self[64];
    if (o->named)
        return 0;
    snprintf(self, sizeof self, "/proc/self/fd/%d", o->fd);
    if (linkat(AT_FDCWD, self, AT_FDCWD, o->temporary.p, AT_SYMLINK_FOLLOW) !=
        0)
        return errno == EEXIST ? EWOULDBLOCK : errno;
    o->named = true;
    return 0;
}

int outfile_commit(struct outfile *o)
{
    int error = fsync(o->fd) == 0 ? give_name(o) : errno;
    if (error == 0 && !has_name(o->fd, o->temporary.p))
        error = EWOULDBLOCK;
    if (error == 0 && rename(o->temporary.p, o->path.p) != 0)
        error = errno;
    if (error != 0) {
        outfile_discard(o);
        return error;
    }
    o->named = false;
    if (close(o->fd) != 0)
        error = errno;
    o->fd = -1;
    if (fsync(o->directory_fd) != 0 && errno != EINVAL && error == 0)
        error = errno;
    outfile_discard(o);
    return error;
}

void outfile_discard(struct outfile *o)
{
    if (o->named && has_name(o->fd, o->temporary.p))
        unlink(o->temporary.p);
    if (o->fd >= 0)
        close(o->fd);
    if (o->directory_fd >= 0)
        close(o->directory_fd);
    o->named = false;
    o->fd = o->directory_fd = -1;
}

int outfile_write_text(struct arena *a, struct str path, struct str text)
{
    struct outfile o;
    int error = outfile_open(a, path, true, &o);
    if (error != 0)
        return error;
    error = outfile_write(&o, 0, text.p, text.n);
    if (error == 0)
        return outfile_commit(&o);
    outfile_discard(&o);
    return error;
}
