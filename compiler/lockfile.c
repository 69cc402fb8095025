/* SPDX-License-Identifier: MIT
 *
 * lockfile.c - one line, one tensor; what is read is written once more and
 * compared, which leaves a name no second spelling.
 */
#include "lockfile.h"

#include <fcntl.h>
#include <unistd.h>

#include "json.h"
#include "size.h"
#include "spec.h"
#include "ttsb.h"

#define FIRST_LINE LOCK_MAGIC " 1"

/* One reading. `at` is in the text; a line ends at `end`, without its LF. */
struct lock_reader {
    struct arena *a;
    struct diag *d;
    struct source src;
    uint32_t at, end;
    struct st_tensor *p;
    size_t n, capacity;
    uint8_t (*digests)[LOCK_DIGEST_SIZE];
    size_t digest_capacity;
    bool has_digests;  /* as the first tensor says */
    uint32_t last_end; /* of the name of the tensor before */
    struct json json;  /* of a quoted name */
};

static struct diag_item *fail(struct lock_reader *r, uint32_t from, uint32_t to,
                              const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static struct diag_item *fail(struct lock_reader *r, uint32_t from, uint32_t to,
                              const char *format, ...)
{
    va_list args;
    struct str text;
    uint32_t n = (uint32_t)r->src.text.n;
    to = to > n ? n : to;
    va_start(args, format);
    text = arena_vformat(r->a, format, args);
    va_end(args);
    return diag_add(r->d, "E0710", diag_at((struct span){&r->src, from, to}),
                    "%.*s", STR_ARG(text));
}

/* The bytes of the line from `at` up to a space or the end. */
static struct str word(const struct lock_reader *r)
{
    uint32_t to = r->at;
    while (to < r->end && r->src.text.p[to] != ' ')
        to++;
    return str_cut(r->src.text, r->at, to);
}

/* Says what should stand at `at` and does not. */
static bool expected(struct lock_reader *r, const char *what)
{
    struct str found = word(r);
    if (r->at >= r->end) {
        fail(r, r->end > 0 ? r->end - 1 : 0, r->end,
             "expected %s, found the end of the line", what);
    } else {
        found.n = found.n > 60 ? 60 : found.n == 0 ? 1 : found.n;
        while (found.n > 1 && utf8_bad(found) < found.n)
            found.n--;
        fail(r, r->at, r->at + (uint32_t)found.n, "expected %s, found `%.*s`",
             what, STR_ARG(found));
    }
    return false;
}

static bool take(struct lock_reader *r, char byte, const char *what)
{
    if (r->at >= r->end || r->src.text.p[r->at] != byte)
        return expected(r, what);
    r->at++;
    return true;
}

/* --- names --- */

static bool is_plain(struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-'))
            return false;
    }
    return name.n > 0;
}

/* A valid UTF-8 sequence of n bytes. */
static uint32_t code_point(const char *p, size_t n)
{
    static const uint8_t mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = (uint8_t)p[0] & mask[n];
    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((uint8_t)p[i] & 0x3f);
    return c;
}

static void put_escaped(struct text *t, struct str name)
{
    size_t n;
    for (size_t i = 0; i < name.n; i += n) {
        uint32_t c;
        n = utf8_length(name.p + i, name.n - i);
        c = code_point(name.p + i, n);
        if (c == '"' || c == '\\')
            text_format(t, "\\%c", (int)c);
        else if (c >= 0x20 && c < 0x7f)
            text_format(t, "%c", (int)c);
        else if (c < 0x10000)
            text_format(t, "\\u%04x", c);
        else
            text_format(t, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                        0xdc00 + ((c - 0x10000) & 0x3ff));
    }
}

void lockfile_put_name(struct text *t, struct str name)
{
    if (is_plain(name)) {
        text_str(t, name);
        return;
    }
    text_c(t, "\"");
    put_escaped(t, name);
    text_c(t, "\"");
}

/* Where the quoted text that begins at `at` ends, behind its quote; 0 if it
 * does not. */
static uint32_t quoted_end(const struct lock_reader *r)
{
    for (uint32_t i = r->at + 1; i < r->end; i++) {
        if (r->src.text.p[i] == '"')
            return i + 1;
        i += r->src.text.p[i] == '\\';
    }
    return 0;
}

static bool is_spelled(struct str name, struct str as)
{
    struct text t = {0};
    bool same;
    lockfile_put_name(&t, name);
    same = str_eq(text_view(&t), as);
    text_release(&t);
    return same;
}

static bool read_quoted(struct lock_reader *r, struct str *name)
{
    struct json_token token;
    uint32_t to = quoted_end(r);
    struct str as;
    struct diag_item *item;
    if (to == 0) {
        fail(r, r->at, r->at + 1, "the name's quote is not closed");
        return false;
    }
    as = str_cut(r->src.text, r->at, to);
    json_start(&r->json, r->a, as, 0);
    if (!json_next(&r->json, &token)) {
        fail(r, r->at, to, "the name is no JSON string: %s",
             r->json.error.text);
        return false;
    }
    *name = token.text;
    if (!is_spelled(*name, as)) {
        item = fail(r, r->at, to, "the name is spelled in another way");
        diag_help(r->d, item,
                  "quotes are for names with other bytes than "
                  "[A-Za-z0-9_.-]; escapes are \\\", \\\\ and \\u with four "
                  "small hexadecimal digits, for what is not printable ASCII");
        return false;
    }
    r->at = to;
    return true;
}

static bool read_name(struct lock_reader *r, struct str *name)
{
    uint32_t from = r->at;
    if (r->at < r->end && r->src.text.p[r->at] == '"') {
        if (!read_quoted(r, name))
            return false;
    } else {
        *name = word(r);
        if (!is_plain(*name))
            return expected(r, "a tensor's name, in quotes if it has other "
                               "bytes than [A-Za-z0-9_.-]");
        r->at += (uint32_t)name->n;
    }
    if (name->n > ST_MAX_NAME) {
        fail(r, from, from + 60, "a name of %zu bytes; at most %d are possible",
             name->n, ST_MAX_NAME);
        return false;
    }
    if (!str_is(*name, "__metadata__"))
        return true;
    fail(r, from, r->at, "no tensor can be called `__metadata__`");
    return false;
}

/* Names rise. */
static bool check_order(struct lock_reader *r, uint32_t from, struct str name)
{
    const struct st_tensor *last = r->n > 0 ? &r->p[r->n - 1] : NULL;
    int order = last == NULL ? -1 : str_order(last->name, name);
    struct diag_item *item;
    uint32_t at;
    if (order < 0)
        return true;
    item = fail(r, from, r->at,
                order == 0 ? "the tensor stands here twice"
                           : "names do not stand in the order of their bytes");
    at = (uint32_t)last->header_offset;
    diag_label(r->d, item, (struct span){&r->src, at, r->last_end},
               order == 0 ? "the first" : "the one before it");
    if (order > 0)
        diag_help(r->d, item, "`ttswc lock` writes them in order");
    return false;
}

/* --- dtype and shape --- */

static bool read_dtype(struct lock_reader *r, struct st_tensor *x)
{
    struct str id = word(r);
    x->dtype = (uint32_t)spec_dtype(id);
    if (x->dtype == 0)
        return expected(r, "a dtype, as f32 or i64");
    r->at += (uint32_t)id.n;
    return true;
}

static bool read_size(struct lock_reader *r, uint64_t *out)
{
    uint32_t from = r->at;
    const char *p = r->src.text.p;
    *out = 0;
    for (; r->at < r->end && p[r->at] >= '0' && p[r->at] <= '9'; r->at++)
        if (!size_mul(*out, 10, out) ||
            !size_add(*out, (uint64_t)(p[r->at] - '0'), out)) {
            fail(r, from, r->at + 1, "a size of more than 2^63 - 1");
            return false;
        }
    if (r->at == from)
        return expected(r, "a size");
    if (p[from] != '0' || r->at == from + 1)
        return true;
    fail(r, from, r->at, "a size has no leading zero");
    return false;
}

static bool read_shape(struct lock_reader *r, struct st_tensor *x)
{
    uint64_t dims[ST_MAX_RANK], *copy;
    if (!take(r, '[', "a shape, as [4,3]"))
        return false;
    while (r->at < r->end && r->src.text.p[r->at] != ']') {
        if (x->rank > 0 && !take(r, ',', "`,` or `]`"))
            return false;
        if (x->rank == ST_MAX_RANK) {
            fail(r, r->at, r->at + 1, "more than %d sizes", ST_MAX_RANK);
            return false;
        }
        if (!read_size(r, &dims[x->rank]))
            return false;
        x->rank++;
    }
    copy = arena_new(r->a, uint64_t, x->rank);
    if (x->rank > 0)
        memcpy(copy, dims, x->rank * sizeof *dims);
    x->dims = copy;
    return take(r, ']', "`,` or `]`");
}

/* Gives the tensor its bytes, behind those of the tensor before it. */
static bool place(struct lock_reader *r, uint32_t from, struct st_tensor *x)
{
    uint64_t bits = ttsb_dtype_bits(x->dtype);
    for (uint32_t i = 0; i < x->rank; i++)
        if (!size_mul(bits, x->dims[i], &bits)) {
            fail(r, from, r->at, "the tensor has more than 2^63 bits");
            return false;
        }
    if (bits % 8 != 0) {
        fail(r, from, r->at, "the tensor has %ju bits, which is no whole byte",
             (uintmax_t)bits);
        return false;
    }
    x->begin = r->n > 0 ? r->p[r->n - 1].end : 0;
    if (size_add(x->begin, bits / 8, &x->end))
        return true;
    fail(r, from, r->at, "the tensors have more than 2^63 bytes");
    return false;
}

/* --- digests --- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_digest(struct lock_reader *r)
{
    struct str s = word(r);
    uint8_t *out;
    if (r->n == r->digest_capacity)
        r->digests = arena_grow(r->a, r->digests, sizeof *r->digests, r->n,
                                &r->digest_capacity);
    out = r->digests[r->n];
    if (s.n != 2 * LOCK_DIGEST_SIZE)
        return expected(r, "a digest of 32 hexadecimal digits");
    for (size_t i = 0; i < s.n; i++) {
        int digit = hex_digit(s.p[i]);
        if (digit < 0)
            return expected(r, "a digest of 32 small hexadecimal digits");
        out[i / 2] = (uint8_t)(out[i / 2] << 4 | digit);
    }
    r->at += (uint32_t)s.n;
    return true;
}

/* A lock has a digest for each tensor, or none at all. */
static bool is_like_the_first(struct lock_reader *r, bool digest)
{
    struct diag_item *item;
    if (r->n == 0)
        r->has_digests = digest;
    if (r->has_digests == digest)
        return true;
    item = fail(r, digest ? r->at : r->end - 1, r->end,
                digest ? "a digest, which the lines before do not have"
                       : "no digest, which the lines before have");
    diag_help(r->d, item, "a lock has one for each tensor, or none at all");
    return false;
}

static bool read_end(struct lock_reader *r)
{
    bool digest = r->at < r->end;
    if (digest && !take(r, ' ', "a space or the end of the line"))
        return false;
    if (!is_like_the_first(r, digest) || (digest && !read_digest(r)))
        return false;
    return r->at >= r->end || expected(r, "the end of the line");
}

/* --- lines --- */

static bool read_tensor(struct lock_reader *r)
{
    uint32_t from = r->at, shape;
    struct st_tensor x = {.header_offset = from};
    if (!read_name(r, &x.name) || !check_order(r, from, x.name))
        return false;
    r->last_end = r->at;
    if (!take(r, ' ', "a space and a dtype") || !read_dtype(r, &x) ||
        !take(r, ' ', "a space and a shape"))
        return false;
    shape = r->at;
    if (!read_shape(r, &x) || !place(r, shape, &x) || !read_end(r))
        return false;
    if (r->n == r->capacity)
        r->p = arena_grow(r->a, r->p, sizeof *r->p, r->n, &r->capacity);
    r->p[r->n++] = x;
    return true;
}

/* Sets the line's end; it ends in a line feed alone. */
static bool find_end(struct lock_reader *r)
{
    const char *p = r->src.text.p;
    uint32_t n = (uint32_t)r->src.text.n;
    for (r->end = r->at; r->end < n && p[r->end] != '\n'; r->end++)
        if (p[r->end] == '\r') {
            fail(r, r->end > r->at ? r->end - 1 : r->end, r->end,
                 "the line ends in CR LF; a lock has LF alone");
            return false;
        }
    if (r->end < n)
        return true;
    diag_help(r->d,
              fail(r, r->end > 0 ? r->end - 1 : 0, r->end,
                   "the last line has no end"),
              "the file was cut off: write it again");
    return false;
}

static bool read_first(struct lock_reader *r)
{
    struct str line;
    struct diag_item *item;
    if (!find_end(r))
        return false;
    line = str_cut(r->src.text, 0, r->end);
    if (!str_is(line, FIRST_LINE)) {
        item = fail(r, 0, r->end, "the first line is not `" FIRST_LINE "`");
        diag_help(r->d, item,
                  "this ttswc knows version 1 of locks and no other");
        return false;
    }
    r->at = r->end + 1;
    return true;
}

static bool read_lines(struct lock_reader *r)
{
    while (r->at < r->src.text.n) {
        if (!find_end(r))
            return false;
        if (r->src.text.p[r->at] != '#' && !read_tensor(r))
            return false;
        r->at = r->end + 1;
    }
    return true;
}

static bool load(struct lock_reader *r, struct str path, struct str text)
{
    uint32_t at = 0;
    switch (source_from_text(r->a, path, text, &r->src, &at)) {
    case SOURCE_OK:
        return true;
    case SOURCE_TOO_LARGE:
        diag_add_file(r->d, "E0710", path, DIAG_NO_OFFSET,
                      "the lock is larger than 16 MiB");
        return false;
    case SOURCE_NOT_UTF8:
        fail(r, at, at + 1, "a byte that is not UTF-8");
        return false;
    default:
        fail(r, at, at + 1, "a tab or another control character");
        return false;
    }
}

bool lockfile_is(const void *first, size_t n)
{
    return n >= LOCK_MAGIC_SIZE &&
           memcmp(first, LOCK_MAGIC, LOCK_MAGIC_SIZE) == 0;
}

bool lockfile_at(const char *path)
{
    char first[LOCK_MAGIC_SIZE];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool is = fd >= 0 &&
              pread(fd, first, sizeof first, 0) == (ssize_t)sizeof first &&
              lockfile_is(first, sizeof first);
    if (fd >= 0)
        close(fd);
    return is;
}

bool lockfile_parse(struct arena *a, struct diag *d, struct str path,
                    struct str text, struct lock *out)
{
    struct lock_reader *r = arena_new(a, struct lock_reader, 1);
    r->a = a; /* findings point into its source, so it lives in the arena */
    r->d = d;
    if (!load(r, path, text) || !read_first(r) || !read_lines(r))
        return false;
    out->header =
        (struct st_header){.tensors = r->p, .count = r->n, .file_size = text.n};
    out->digests = r->has_digests ? r->digests : NULL;
    return true;
}

/* --- writing --- */

void lockfile_begin(struct text *t)
{
    text_c(t, FIRST_LINE "\n");
}

void lockfile_put(struct text *t, const struct st_tensor *x,
                  const uint8_t *digest)
{
    lockfile_put_name(t, x->name);
    text_format(t, " %s ", spec_dtype_name((enum ttsb_dtype)x->dtype));
    text_sizes(t, x->dims, x->rank);
    if (digest != NULL) {
        text_c(t, " ");
        text_hex(t, digest, LOCK_DIGEST_SIZE);
    }
    text_c(t, "\n");
}
