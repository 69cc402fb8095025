/* SPDX-License-Identifier: MIT
 *
 * checkpoint.c - reads the header into memory, hands it to the parser, keeps
 * the file open.
 */
#include "checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text.h"

static int read_whole(int fd, uint64_t offset, void *out, size_t size)
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

static void format_error(struct diag *d, struct str path,
                         const struct st_error *e)
{
    struct diag_item *item =
        diag_add_file(d, "E0701", path, e->offset, "%s: %s", e->field, e->text);
    diag_help(d, item,
              "the file is damaged, cut off or no safetensors file; compare "
              "its size and checksum with the publisher's");
}

/* Says what a file is that is no safetensors file; false if it may be one. */
static bool is_something_else(struct diag *d, const struct checkpoint *c,
                              const uint8_t *first, size_t n)
{
    static const struct {
        const char *begins, *what, *help;
    } kinds[] = {
        {"PK\003\004", "a zip archive, as torch.save writes it",
         "convert it with safetensors.torch.save_file in Python"},
        {"\200\002", "a pickle, as torch.save wrote it before zip",
         "convert it with safetensors.torch.save_file in Python"},
        {"GGUF", "a GGUF file", "take the checkpoint it was made from"},
        {"version ", "a Git LFS pointer", "fetch it with `git lfs pull`"},
        {"<", "an HTML or XML page, probably an error page",
         "download the file again"},
        {"\211TTSB\r\n\032", "a .ttsb blob", "it is compiled already"},
    };
    struct diag_item *item;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t k = strlen(kinds[i].begins);
        if (n < k || memcmp(first, kinds[i].begins, k) != 0)
            continue;
        item =
            diag_add_file(d, "E0703", c->path, DIAG_NO_OFFSET,
                          "this is %s, not a safetensors file", kinds[i].what);
        diag_help(d, item, "%s", kinds[i].help);
        return true;
    }
    return false;
}

static bool read_header(struct arena *a, struct diag *d, struct checkpoint *c)
{
    uint8_t first[ST_LENGTH_SIZE] = {0};
    struct st_error e = {0};
    uint64_t length;
    char *text;
    int error = 0;
    if (c->file_size >= sizeof first)
        error = read_whole(c->fd, 0, first, sizeof first);
    if (error == 0 &&
        !safetensors_check_length(first, c->file_size, &length, &e)) {
        if (!is_something_else(d, c, first, sizeof first))
            format_error(d, c->path, &e);
        return false;
    }
    text = error == 0 ? arena_take(a, 1, (size_t)length + 1) : NULL;
    if (error == 0)
        error = read_whole(c->fd, sizeof first, text, (size_t)length);
    if (error != 0) {
        system_error(d, c->path, error);
        return false;
    }
    if (safetensors_parse(a, text, length, c->file_size, &c->header, &e))
        return true;
    format_error(d, c->path, &e);
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

bool checkpoint_changed(const struct checkpoint *c)
{
    struct stat st;
    return fstat(c->fd, &st) != 0 || st.st_size != c->stamp.size ||
           !same_time(st.st_mtim, c->stamp.modified) ||
           !same_time(st.st_ctim, c->stamp.changed);
}

bool checkpoint_open(struct arena *a, struct diag *d, struct str path,
                     struct checkpoint *out)
{
    struct stat st;
    *out = (struct checkpoint){.path = arena_str(a, path)};
    out->fd = open(out->path.p, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (out->fd < 0 || fstat(out->fd, &st) != 0) {
        system_error(d, path, errno);
        checkpoint_close(out);
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        diag_add_file(d, "E0705", path, DIAG_NO_OFFSET,
                      "cannot read: not a regular file");
        checkpoint_close(out);
        return false;
    }
    out->file_size = (uint64_t)st.st_size;
    out->stamp = stamp_of(&st);
    if (!read_header(a, d, out)) {
        checkpoint_close(out);
        return false;
    }
    nametab_reserve(a, &out->names, out->header.count);
    for (uint32_t i = 0; i < out->header.count; i++) {
        uint32_t index = i;
        nametab_add(a, &out->names, out->header.tensors[i].name, &index);
    }
    return true;
}

void checkpoint_close(struct checkpoint *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

int checkpoint_read(const struct checkpoint *c, uint32_t index, uint64_t offset,
                    void *out, size_t size)
{
    const struct st_tensor *t = &c->header.tensors[index];
    return read_whole(c->fd, c->header.data_start + t->begin + offset, out,
                      size);
}

struct str checkpoint_shape(struct arena *a, const struct st_tensor *tensor)
{
    struct text t = {0};
    struct str s;
    text_sizes(&t, tensor->dims, tensor->rank);
    s = arena_str(a, text_view(&t));
    text_release(&t);
    return s;
}
