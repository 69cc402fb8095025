/* SPDX-License-Identifier: MIT
 *
 * zip.c - finds the end record, reads the directory behind it, and holds every
 * local header to it; unpacks with zlib.
 *
 * The bytes are an adversary's: all sums go through size.h, and whatever two
 * places say twice must be the same.
 */
#include "zip.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "nametab.h"
#include "size.h"
#include "stfile.h"

#define END_SIZE 22
#define END64_SIZE 56
#define LOCATOR_SIZE 20
#define ENTRY_SIZE 46
#define LOCAL_SIZE 30
#define MAX_COMMENT 65535
#define MAX_DIRECTORY (UINT64_C(1) << 27)
#define CHUNK 65536
#define REWIND                                                                 \
    (2 * CHUNK) /* up to here a stored member is read from its start           \
                 */

enum { FLAG_ENCRYPTED = 1, FLAG_SIZES_BEHIND = 8 };

struct zip_stream {
    pthread_mutex_t lock;
    bool open;
    z_stream z;
    uint8_t *packed; /* CHUNK bytes of it */
    uint64_t taken;  /* packed bytes that were read */
    uint64_t at;     /* unpacked bytes that were given */
    uLong crc;
};

struct opening {
    struct arena *a;
    struct zip *z;
    struct zip_error *error;
    uint8_t *directory;
    uint64_t directory_at, directory_size, count, directory_end;
};

static bool refuse(struct opening *o, uint64_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool refuse(struct opening *o, uint64_t at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(o->error->text, sizeof o->error->text, format, args);
    va_end(args);
    o->error->offset = at;
    return false;
}

/* Bytes of the file, which has them. */
static bool fetch(struct opening *o, uint64_t at, void *out, size_t n)
{
    if (!size_inside(at, n, o->z->size))
        return refuse(o, at,
                      "a part of the archive lies beyond the file's end");
    o->error->error = read_exactly(o->z->fd, at, out, n);
    return o->error->error == 0 || refuse(o, at, "cannot read");
}

/* --- the end record --- */

/* The 64-bit record, where a locator stands before the end record. */
static bool read_end64(struct opening *o, uint64_t end)
{
    uint8_t locator[LOCATOR_SIZE], b[END64_SIZE];
    uint64_t at;
    if (end < LOCATOR_SIZE)
        return true;
    if (!fetch(o, end - LOCATOR_SIZE, locator, sizeof locator))
        return false;
    if (load_u32(locator) != 0x07064b50)
        return true;
    at = load_u64(locator + 8);
    if (load_u32(locator + 4) != 0 || load_u32(locator + 16) > 1)
        return refuse(o, end - LOCATOR_SIZE, "an archive of several disks");
    if (!size_inside(at, END64_SIZE, end - LOCATOR_SIZE))
        return refuse(o, end - LOCATOR_SIZE,
                      "the 64-bit end record is not where it is said to be");
    if (!fetch(o, at, b, sizeof b))
        return false;
    if (load_u32(b) != 0x06064b50)
        return refuse(o, at, "the 64-bit end record is none");
    if (load_u32(b + 16) != 0 || load_u32(b + 20) != 0 ||
        load_u64(b + 24) != load_u64(b + 32))
        return refuse(o, at, "an archive of several disks");
    o->count = load_u64(b + 32);
    o->directory_size = load_u64(b + 40);
    o->directory_at = load_u64(b + 48);
    o->directory_end = at;
    return true;
}

/* The last signature whose comment ends with the file. */
static bool find_end(struct opening *o, uint64_t *out)
{
    uint64_t size = o->z->size;
    size_t n =
        size < END_SIZE + MAX_COMMENT ? (size_t)size : END_SIZE + MAX_COMMENT;
    uint8_t *tail = arena_take(o->a, 1, n);
    if (n < END_SIZE)
        return refuse(o, size, "the archive is cut off: it has no end record");
    if (!fetch(o, size - n, tail, n))
        return false;
    for (size_t i = n - END_SIZE + 1; i-- > 0;) {
        if (load_u32(tail + i) != 0x06054b50 ||
            load_u16(tail + i + 20) != n - END_SIZE - i)
            continue;
        *out = size - n + i;
        return true;
    }
    return refuse(o, size, "the archive is cut off: it has no end record");
}

static bool read_end(struct opening *o)
{
    uint8_t b[END_SIZE];
    uint64_t at = 0;
    if (!find_end(o, &at) || !fetch(o, at, b, sizeof b))
        return false;
    if (load_u16(b + 4) != 0 || load_u16(b + 6) != 0 ||
        load_u16(b + 8) != load_u16(b + 10))
        return refuse(o, at, "an archive of several disks");
    o->count = load_u16(b + 10);
    o->directory_size = load_u32(b + 12);
    o->directory_at = load_u32(b + 16);
    o->directory_end = at;
    if (!read_end64(o, at))
        return false;
    if (!size_inside(o->directory_at, o->directory_size, o->directory_end) ||
        o->directory_at + o->directory_size != o->directory_end)
        return refuse(o, at, "the directory is not where the end record says");
    if (o->directory_size > MAX_DIRECTORY)
        return refuse(o, at, "a directory of more than 128 MiB");
    if (o->count > o->directory_size / ENTRY_SIZE)
        return refuse(o, at, "the directory cannot hold %" PRIu64 " members",
                      o->count);
    return true;
}

/* --- members --- */

/* The fields of 64 bits that stand for those of 32 that are full. `wanted` are
 * the ones that do, in order; false if the extra field lacks them. */
static bool widen(const uint8_t *extra, size_t n, uint64_t **wanted,
                  size_t count)
{
    size_t at = 0;
    while (count > 0 && n - at >= 4) {
        size_t size = load_u16(extra + at + 2);
        if (size > n - at - 4)
            return false;
        if (load_u16(extra + at) == 1) {
            if (size < count * 8)
                return false;
            for (size_t i = 0; i < count; i++)
                *wanted[i] = load_u64(extra + at + 4 + i * 8);
            return true;
        }
        at += 4 + size;
    }
    return count == 0;
}

static bool check_name(struct opening *o, uint64_t at, struct str name)
{
    if (name.n == 0 || utf8_bad(name) < name.n ||
        memchr(name.p, 0, name.n) != NULL)
        return refuse(o, at, "a member's name that is no UTF-8 text");
    return true;
}

/* What the directory's entry at `p` says; *next is the one behind it. */
static bool read_entry(struct opening *o, uint64_t p, struct zip_member *m,
                       uint64_t *next)
{
    const uint8_t *b = o->directory + p;
    uint64_t at = o->directory_at + p, left = o->directory_size - p;
    uint64_t *wanted[3];
    size_t name, extra, n = 0;
    if (left < ENTRY_SIZE || load_u32(b) != 0x02014b50)
        return refuse(o, at, "the directory has no entry here");
    name = load_u16(b + 28);
    extra = load_u16(b + 30);
    *next = p + ENTRY_SIZE + name + extra + load_u16(b + 32);
    if (*next > o->directory_size)
        return refuse(o, at, "an entry leads out of the directory");
    m->name = (struct str){(const char *)b + ENTRY_SIZE, name};
    m->method = load_u16(b + 10);
    m->crc = load_u32(b + 16);
    m->size = load_u32(b + 20);
    m->plain_size = load_u32(b + 24);
    m->header = load_u32(b + 42);
    if (m->plain_size == UINT32_MAX)
        wanted[n++] = &m->plain_size;
    if (m->size == UINT32_MAX)
        wanted[n++] = &m->size;
    if (m->header == UINT32_MAX)
        wanted[n++] = &m->header;
    if (!widen(b + ENTRY_SIZE + name, extra, wanted, n))
        return refuse(o, at, "an entry lacks its sizes of 64 bits");
    if (!size_inside(m->header, LOCAL_SIZE, o->directory_at))
        return refuse(o, at, "a member lies beyond the directory");
    if ((load_u16(b + 8) & FLAG_ENCRYPTED) != 0)
        return refuse(o, at, "a member is encrypted");
    if (m->method != 0 && m->method != 8)
        return refuse(o, at,
                      "a member is packed by method %" PRIu32
                      "; only stored (0) and deflate (8) are read",
                      m->method);
    if (m->method == 0 && m->size != m->plain_size)
        return refuse(o, at, "a stored member of two sizes");
    return check_name(o, at, m->name);
}

/* Whether a local header repeats what the directory says. */
static bool agrees(const struct zip_member *m, const uint8_t *b,
                   const uint8_t *behind, size_t name, size_t extra)
{
    uint64_t packed = load_u32(b + 18), plain = load_u32(b + 22);
    uint64_t *wanted[2];
    size_t n = 0;
    if (load_u16(b + 8) != m->method || name != m->name.n ||
        memcmp(behind, m->name.p, name) != 0)
        return false;
    if ((load_u16(b + 6) & FLAG_SIZES_BEHIND) != 0)
        return true; /* they were not known yet */
    if (plain == UINT32_MAX)
        wanted[n++] = &plain;
    if (packed == UINT32_MAX)
        wanted[n++] = &packed;
    return widen(behind + name, extra, wanted, n) && packed == m->size &&
           plain == m->plain_size && load_u32(b + 14) == m->crc;
}

static bool read_local(struct opening *o, struct zip_member *m)
{
    uint8_t b[LOCAL_SIZE];
    uint8_t *behind;
    size_t name, extra;
    if (!fetch(o, m->header, b, sizeof b))
        return false;
    if (load_u32(b) != 0x04034b50)
        return refuse(o, m->header,
                      "no member begins where the directory says");
    name = load_u16(b + 26);
    extra = load_u16(b + 28);
    m->data = m->header + LOCAL_SIZE + name + extra;
    if (!size_inside(m->data, m->size, o->directory_at))
        return refuse(o, m->header, "a member runs into the directory");
    behind = arena_take(o->a, 1, name + extra + 1);
    if (!fetch(o, m->header + LOCAL_SIZE, behind, name + extra))
        return false;
    return agrees(m, b, behind, name, extra) ||
           refuse(o, m->header,
                  "a member's own header says something else than the "
                  "directory");
}

static int by_place(const void *x, const void *y)
{
    const struct zip_member *const *a = x, *const *b = y;
    return ((*a)->header > (*b)->header) - ((*a)->header < (*b)->header);
}

static bool check_overlap(struct opening *o)
{
    size_t n = o->z->count;
    const struct zip_member **v = arena_new(o->a, const struct zip_member *, n);
    for (size_t i = 0; i < n; i++)
        v[i] = &o->z->members[i];
    qsort(v, n, sizeof *v, by_place);
    for (size_t i = 1; i < n; i++)
        if (v[i]->header < v[i - 1]->data + v[i - 1]->size)
            return refuse(o, v[i]->header, "two members overlap");
    return true;
}

static bool read_members(struct opening *o)
{
    struct zip *z = o->z;
    struct nametab names = {0};
    uint64_t p = 0;
    z->count = (size_t)o->count;
    z->members = arena_new(o->a, struct zip_member, z->count);
    for (size_t i = 0; i < z->count; i++) {
        struct zip_member *m = &z->members[i];
        uint64_t at = o->directory_at + p;
        uint32_t number = (uint32_t)i;
        if (!read_entry(o, p, m, &p) || !read_local(o, m))
            return false;
        if (!nametab_add(o->a, &names, m->name, &number))
            return refuse(o, at, "a name stands twice in the directory");
    }
    if (p != o->directory_size)
        return refuse(o, o->directory_at + p,
                      "more bytes behind the directory's last entry");
    return check_overlap(o);
}

bool zip_open(struct arena *a, int fd, uint64_t size, struct zip *out,
              struct zip_error *error)
{
    struct opening o = {.a = a, .z = out, .error = error};
    *out = (struct zip){.fd = fd, .size = size};
    *error = (struct zip_error){0};
    if (!read_end(&o))
        return false;
    o.directory = arena_take(a, 1, (size_t)o.directory_size + 1);
    if (!fetch(&o, o.directory_at, o.directory, (size_t)o.directory_size) ||
        !read_members(&o))
        return false;
    for (size_t i = 0; i < out->count; i++) {
        out->members[i].stream = arena_new(a, struct zip_stream, 1);
        pthread_mutex_init(&out->members[i].stream->lock, NULL);
    }
    return true;
}

/* --- unpacking --- */

static void stream_end(struct zip_stream *s)
{
    if (s->open) {
        inflateEnd(&s->z);
        free(s->packed);
    }
    s->open = false;
}

static int stream_begin(struct zip_stream *s)
{
    stream_end(s);
    s->z = (z_stream){0};
    s->taken = s->at = 0;
    s->crc = crc32(0, NULL, 0);
    s->packed = malloc(CHUNK);
    if (s->packed == NULL)
        return ENOMEM;
    if (inflateInit2(&s->z, -MAX_WBITS) != Z_OK) {
        free(s->packed);
        return ENOMEM;
    }
    s->open = true;
    return 0;
}

/* More packed bytes, where all were used. */
static int refill(const struct zip *z, const struct zip_member *m)
{
    struct zip_stream *s = m->stream;
    uint64_t left = m->size - s->taken;
    size_t n = left < CHUNK ? (size_t)left : CHUNK;
    int error;
    if (s->z.avail_in > 0 || n == 0)
        return 0;
    error = read_exactly(z->fd, m->data + s->taken, s->packed, n);
    if (error != 0)
        return error;
    s->taken += n;
    s->z.next_in = s->packed;
    s->z.avail_in = (uInt)n;
    return 0;
}

/* The next n bytes; *n at most CHUNK. */
static int unpack(const struct zip *z, const struct zip_member *m, uint8_t *out,
                  size_t n)
{
    struct zip_stream *s = m->stream;
    int error = 0, state = Z_OK;
    s->z.next_out = out;
    s->z.avail_out = (uInt)n;
    while (error == 0 && s->z.avail_out > 0) {
        error = refill(z, m);
        if (error != 0)
            break;
        state = inflate(&s->z, Z_NO_FLUSH);
        if (state == Z_MEM_ERROR)
            error = ENOMEM;
        else if ((state != Z_OK && state != Z_STREAM_END) ||
                 (state == Z_STREAM_END && s->z.avail_out > 0))
            error = EBADMSG;
    }
    return error;
}

static int copy(const struct zip *z, const struct zip_member *m, uint8_t *out,
                size_t n)
{
    return read_exactly(z->fd, m->data + m->stream->at, out, n);
}

/* Behind the last byte: the packed data ends, too, and the CRC is right. */
static int finish(const struct zip *z, const struct zip_member *m)
{
    struct zip_stream *s = m->stream;
    uint8_t none;
    int error = 0, state = Z_STREAM_END;
    if (m->method == 8) {
        s->z.next_out = &none;
        s->z.avail_out = 1;
        error = refill(z, m);
        state = error == 0 ? inflate(&s->z, Z_NO_FLUSH) : Z_OK;
        if (error == 0 && (state != Z_STREAM_END || s->z.avail_out != 1 ||
                           s->z.avail_in > 0 || s->taken != m->size))
            error = EBADMSG;
    }
    if (error == 0 && s->crc != m->crc)
        error = EBADMSG;
    stream_end(s);
    return error;
}

/* Goes on by n bytes, into `out` or, if that is NULL, nowhere. */
static int advance(const struct zip *z, const struct zip_member *m,
                   uint8_t *out, uint64_t n)
{
    struct zip_stream *s = m->stream;
    uint8_t *lost = out == NULL ? malloc(CHUNK) : NULL;
    int error = out == NULL && lost == NULL ? ENOMEM : 0;
    while (n > 0 && error == 0) {
        size_t part = n < CHUNK ? (size_t)n : CHUNK;
        uint8_t *to = out != NULL ? out : lost;
        error = m->method == 8 ? unpack(z, m, to, part) : copy(z, m, to, part);
        if (error != 0)
            break;
        s->crc = crc32(s->crc, to, (uInt)part);
        s->at += part;
        out = out != NULL ? out + part : NULL;
        n -= part;
    }
    free(lost);
    return error;
}

int zip_read(const struct zip *z, size_t i, uint64_t offset, void *out,
             size_t size)
{
    const struct zip_member *m = &z->members[i];
    struct zip_stream *s = m->stream;
    int error = 0;
    if (size == 0)
        return 0;
    pthread_mutex_lock(&s->lock);
    if (m->method == 0 && offset > REWIND && (!s->open || offset != s->at)) {
        error = read_exactly(z->fd, m->data + offset, out, size);
        pthread_mutex_unlock(&s->lock);
        return error;
    }
    if (!s->open || offset < s->at)
        error = stream_begin(s);
    if (error == 0)
        error = advance(z, m, NULL, offset - s->at);
    if (error == 0)
        error = advance(z, m, out, size);
    if (error == 0 && s->at == m->plain_size)
        error = finish(z, m);
    if (error != 0)
        stream_end(s);
    pthread_mutex_unlock(&s->lock);
    return error;
}

void zip_rest(const struct zip *z, size_t i)
{
    struct zip_stream *s = z->members[i].stream;
    pthread_mutex_lock(&s->lock);
    stream_end(s);
    pthread_mutex_unlock(&s->lock);
}

void zip_close(struct zip *z)
{
    for (size_t i = 0; i < z->count; i++) {
        if (z->members[i].stream == NULL)
            continue;
        stream_end(z->members[i].stream);
        pthread_mutex_destroy(&z->members[i].stream->lock);
    }
    z->count = 0;
}
