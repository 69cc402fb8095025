/* SPDX-License-Identifier: MIT
 *
 * stamp.c - writes the text, and writes it again to compare.
 *
 * Only the list of files, `partial` and `opened` are taken from a stored
 * stamp; everything else is found anew. So an unknown line, a damaged one or
 * one too many shows like any other difference.
 */
#include "stamp.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hash.h"
#include "ttsb_format.h"
#include "version.h"

#define MAX_STAMP ((size_t)16 << 20)
#define MAX_PROGRAM ((size_t)1 << 30)
#define RACY_SECONDS 2
#define PROGRAM "/proc/self/exe"

struct str stamp_path(struct arena *a, struct str output)
{
    return arena_format(a, "%.*s.stamp", STR_ARG(output));
}

/* --- files --- */

static void take_stat(const struct stat *st, struct stamp_file *out)
{
    out->size = (uint64_t)st->st_size;
    out->device = (uint64_t)st->st_dev;
    out->inode = (uint64_t)st->st_ino;
    out->modified = st->st_mtim;
    out->changed = st->st_ctim;
}

int stamp_fd(int fd, struct stamp_file *out)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return errno;
    take_stat(&st, out);
    return 0;
}

int stamp_stat(struct stamp_file *out)
{
    struct stat st;
    if (stat(out->path.p, &st) != 0)
        return errno;
    take_stat(&st, out);
    return 0;
}

/* A descriptor of a regular file, or -1: a pipe must not be read twice. */
static int open_regular(const char *path, uint64_t *size)
{
    struct stat st;
    int fd = -1;
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        close(fd);
        fd = -1;
    }
    *size = fd >= 0 ? (uint64_t)st.st_size : 0;
    return fd;
}

static bool read_small(struct arena *a, const char *path, size_t most,
                       struct str *out)
{
    uint64_t size;
    int fd = open_regular(path, &size);
    bool ok = fd >= 0 && size <= most;
    if (ok) {
        char *p = arena_take(a, 1, (size_t)size + 1);
        ok = read_exactly(fd, 0, p, (size_t)size) == 0;
        *out = (struct str){p, (size_t)size};
    }
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool hash_file(struct arena *a, const char *path, size_t most,
                      uint8_t out[16])
{
    struct str s;
    if (!read_small(a, path, most, &s))
        return false;
    ttsb__hash128(s.p, s.n, out);
    return true;
}

static bool read_root(const char *path, uint8_t out[16])
{
    uint64_t size;
    int fd = open_regular(path, &size);
    bool ok =
        fd >= 0 && read_exactly(fd, offsetof(struct ttsb_disk_superblock, root),
                                out, 16) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* --- the text --- */

/* Spaces, `%` and what is not printable as %XX, so that a path is one word. */
static void put_path(struct text *t, struct str path)
{
    for (size_t i = 0; i < path.n; i++) {
        unsigned char c = (unsigned char)path.p[i];
        if (c <= 0x20 || c == '%' || c >= 0x7f)
            text_format(t, "%%%02x", c);
        else
            text_str(t, str_cut(path, i, i + 1));
    }
    text_c(t, "\n");
}

static void put_time(struct text *t, struct timespec x)
{
    text_format(t, " %lld.%09ld", (long long)x.tv_sec, x.tv_nsec);
}

static void put_state(struct text *t, const struct stamp_file *f)
{
    text_format(t, " %" PRIu64, f->size);
    put_time(t, f->modified);
    put_time(t, f->changed);
    text_format(t, " %" PRIu64 " %" PRIu64 " ", f->device, f->inode);
}

static void put_hash(struct text *t, const char *word, const uint8_t hash[16])
{
    text_format(t, "%s ", word);
    text_hex(t, hash, 16);
}

bool stamp_program(struct arena *a, struct stamp *s)
{
    return hash_file(a, PROGRAM, MAX_PROGRAM, s->program);
}

void stamp_write(const struct stamp *s, struct text *t)
{
    static const char *const words[STAMP_SIDES] = {"map", "stats", "report"};
    size_t from = t->n;
    uint8_t hash[16];
    text_format(t, "ttswc stamp 1\ncompiler %s\n", TTSW_VERSION);
    put_hash(t, "program", s->program);
    text_format(t, "\noption allow-partial-weights %d\n", s->allow_partial);
    for (size_t i = 0; i < s->given_count; i++) {
        text_format(t, "given %.*s ", STR_ARG(s->given[i].role));
        put_path(t, s->given[i].path);
    }
    for (size_t i = 0; i < s->text_count; i++) {
        put_hash(t, "text", s->texts[i].hash);
        text_c(t, " ");
        put_path(t, s->texts[i].path);
    }
    for (size_t i = 0; i < s->file_count; i++) {
        text_c(t, "file");
        put_state(t, &s->files[i]);
        put_path(t, s->files[i].path);
    }
    for (size_t i = 0; i < s->folder_count; i++) {
        put_hash(t, "folder", s->folders[i].names);
        text_c(t, " ");
        put_path(t, s->folders[i].path);
    }
    put_hash(t, "output", s->root);
    put_state(t, &s->output);
    put_path(t, s->output.path);
    for (int i = 0; i < STAMP_SIDES; i++) {
        if (s->sides[i].path.n == 0)
            continue;
        text_c(t, words[i]);
        put_state(t, &s->sides[i]);
        put_path(t, s->sides[i].path);
    }
    text_format(t, "partial %d\nopened", s->partial);
    put_time(t, s->opened);
    text_c(t, "\n");
    ttsb__hash128(t->p + from, t->n - from, hash);
    put_hash(t, "check", hash);
    text_c(t, "\n");
}

/* --- believing it --- */

/* The line at *at without its LF; false at the end. */
static bool next_line(struct str s, size_t *at, struct str *line)
{
    size_t end = *at;
    while (end < s.n && s.p[end] != '\n')
        end++;
    *line = str_cut(s, *at, end);
    if (end >= s.n)
        return false;
    *at = end + 1;
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* The last word of a line as a path. A bad escape stays as it is, and shows
 * when the stamp is written again. */
static struct str last_word(struct arena *a, struct str line)
{
    size_t from = line.n, n = 0;
    char *p = arena_take(a, 1, line.n + 1);
    while (from > 0 && line.p[from - 1] != ' ')
        from--;
    for (size_t i = from; i < line.n; i++) {
        int high = i + 2 < line.n ? hex_digit(line.p[i + 1]) : -1;
        int low = i + 2 < line.n ? hex_digit(line.p[i + 2]) : -1;
        p[n] = line.p[i];
        if (line.p[i] == '%' && high >= 0 && low >= 0) {
            p[n] = (char)(high * 16 + low);
            i += 2;
        }
        n++;
    }
    return (struct str){p, n};
}

/* Adds the path of a line to the list that its first word names. */
static void take_path(struct arena *a, struct str line, struct stamp *s,
                      size_t capacity[3])
{
    struct str path = last_word(a, line);
    if (str_begins(line, str_c("text "))) {
        if (s->text_count == capacity[0])
            s->texts = arena_grow(a, s->texts, sizeof *s->texts, s->text_count,
                                  &capacity[0]);
        s->texts[s->text_count++].path = path;
    } else if (str_begins(line, str_c("file "))) {
        if (s->file_count == capacity[1])
            s->files = arena_grow(a, s->files, sizeof *s->files, s->file_count,
                                  &capacity[1]);
        s->files[s->file_count++].path = path;
    } else if (str_begins(line, str_c("folder "))) {
        if (s->folder_count == capacity[2])
            s->folders = arena_grow(a, s->folders, sizeof *s->folders,
                                    s->folder_count, &capacity[2]);
        s->folders[s->folder_count++].path = path;
    }
}

/* Takes from a stored stamp what the disk cannot say. */
static void take_stored(struct arena *a, struct str stored, struct stamp *s)
{
    size_t at = 0, capacity[3] = {0};
    struct str line;
    s->text_count = s->file_count = s->folder_count = 0;
    while (next_line(stored, &at, &line)) {
        take_path(a, line, s, capacity);
        if (str_begins(line, str_c("partial "))) {
            s->partial = str_is(last_word(a, line), "1");
        } else if (str_begins(line, str_c("opened "))) {
            char *end;
            s->opened.tv_sec = (time_t)strtoll(last_word(a, line).p, &end, 10);
            s->opened.tv_nsec = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
        }
    }
}

static bool is_before(struct timespec x, struct timespec y)
{
    return x.tv_sec != y.tv_sec ? x.tv_sec < y.tv_sec : x.tv_nsec < y.tv_nsec;
}

/* Whether it changed too shortly before the run for a second change to show,
 * or later than the run by the file system's clock. */
static bool is_racy(const struct stamp_file *f, struct timespec opened)
{
    if (opened.tv_sec < RACY_SECONDS)
        return true; /* a damaged stamp may say anything */
    opened.tv_sec -= RACY_SECONDS;
    return !is_before(f->modified, opened) || !is_before(f->changed, opened);
}

/* Each file beside the output that is asked for is there. */
static bool has_sides(struct stamp *s)
{
    for (int i = 0; i < STAMP_SIDES; i++)
        if (s->sides[i].path.n > 0 && stamp_stat(&s->sides[i]) != 0)
            return false;
    return true;
}

bool stamp_is_current(struct arena *a, struct str path, struct stamp *s)
{
    struct text now = {0};
    struct str stored;
    bool ok = read_small(a, path.p, MAX_STAMP, &stored);
    if (!ok)
        return false;
    take_stored(a, stored, s);
    for (size_t i = 0; i < s->text_count && ok; i++)
        ok = hash_file(a, s->texts[i].path.p, MAX_STAMP, s->texts[i].hash);
    for (size_t i = 0; i < s->file_count && ok; i++)
        ok = stamp_stat(&s->files[i]) == 0 && !is_racy(&s->files[i], s->opened);
    for (size_t i = 0; i < s->folder_count && ok; i++)
        ok = shards_list(a, &s->folders[i]);
    ok = ok && stamp_stat(&s->output) == 0 &&
         read_root(s->output.path.p, s->root) && has_sides(s) &&
         (s->allow_partial || !s->partial);
    if (ok)
        stamp_write(s, &now);
    ok = ok && str_eq(text_view(&now), stored);
    text_release(&now);
    return ok;
}
