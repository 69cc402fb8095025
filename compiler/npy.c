/* SPDX-License-Identifier: MIT
 *
 * npy.c - reads the literal `{'descr': '<f4', 'fortran_order': False,
 * 'shape': (12, 12), }` and nothing more of Python.
 */
#include "npy.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "size.h"
#include "str.h"
#include "ttsb.h"

static const uint8_t magic[] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

struct reader {
    const uint8_t *p;
    size_t at, end; /* of the header's text */
    struct npy_header *out;
    struct npy_error *error;
};

static bool refuse(struct reader *r, size_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool refuse(struct reader *r, size_t at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->error->text, sizeof r->error->text, format, args);
    va_end(args);
    r->error->offset = at;
    return false;
}

/* --- tokens --- */

static void skip_blanks(struct reader *r)
{
    while (r->at < r->end && r->p[r->at] == ' ')
        r->at++;
}

/* The next byte behind blanks, or 0 at the end. */
static uint8_t peek(struct reader *r)
{
    skip_blanks(r);
    return r->at < r->end ? r->p[r->at] : 0;
}

static bool take(struct reader *r, char c)
{
    if (peek(r) != (uint8_t)c)
        return false;
    r->at++;
    return true;
}

static bool expect(struct reader *r, char c)
{
    return take(r, c) ||
           refuse(r, r->at, "the header should have `%c` here", c);
}

static bool take_word(struct reader *r, const char *word)
{
    size_t n = strlen(word);
    skip_blanks(r);
    if (r->end - r->at < n || memcmp(r->p + r->at, word, n) != 0)
        return false;
    r->at += n;
    return true;
}

/* A string in either quotes, of printable ASCII without escapes. */
static bool read_string(struct reader *r, struct str *out)
{
    uint8_t quote = peek(r);
    size_t from;
    if (quote != '\'' && quote != '"')
        return refuse(r, r->at, "the header should have a string here");
    from = ++r->at;
    while (r->at < r->end && r->p[r->at] != quote) {
        uint8_t c = r->p[r->at];
        if (c < 0x20 || c > 0x7e || c == '\\')
            return refuse(r, r->at,
                          "a string of the header may hold only printable "
                          "ASCII, and no escape");
        r->at++;
    }
    if (r->at == r->end)
        return refuse(r, from - 1, "a string of the header does not end");
    *out = (struct str){(const char *)r->p + from, r->at - from};
    r->at++;
    return true;
}

static bool read_size(struct reader *r, uint64_t *out)
{
    size_t from;
    skip_blanks(r);
    from = r->at;
    *out = 0;
    for (; r->at < r->end && r->p[r->at] >= '0' && r->p[r->at] <= '9'; r->at++)
        if (!size_mul(*out, 10, out) ||
            !size_add(*out, (uint64_t)(r->p[r->at] - '0'), out))
            return refuse(r, from, "a size above 2^63 - 1");
    if (r->at == from)
        return refuse(r, from, "the header should have a size here");
    if (r->at - from > 1 && r->p[from] == '0')
        return refuse(r, from, "a size with a leading zero");
    return true;
}

/* --- the three values --- */

static const struct {
    const char *name;
    enum ttsb_dtype dtype;
} dtypes[] = {
    {"b1", TTSB_BOOL}, {"i1", TTSB_I8},  {"u1", TTSB_U8},  {"i2", TTSB_I16},
    {"u2", TTSB_U16},  {"i4", TTSB_I32}, {"u4", TTSB_U32}, {"i8", TTSB_I64},
    {"u8", TTSB_U64},  {"f2", TTSB_F16}, {"f4", TTSB_F32}, {"f8", TTSB_F64},
    {"c8", TTSB_C64},
};

/* Why a dtype that is none of the above is not read. */
static bool refuse_dtype(struct reader *r, size_t at, struct str s)
{
    char kind = s.n > 1 ? s.p[1] : '\0';
    if (kind == 'O')
        return refuse(r, at,
                      "an array of objects (dtype `O`): its values are a "
                      "pickle, which is a program and is not run; save "
                      "numbers");
    if (kind == 'V')
        return refuse(r, at,
                      "raw bytes (dtype `%.*s`); bfloat16 of ml_dtypes is "
                      "saved so: save x.view('uint16') or "
                      "x.astype('float32')",
                      (int)(s.n < 20 ? s.n : 20), s.p);
    return refuse(r, at, "dtype `%.*s` is not read here%s",
                  (int)(s.n < 20 ? s.n : 20), s.p,
                  kind == 'U' || kind == 'S'   ? ": it is text"
                  : kind == 'M' || kind == 'm' ? ": it is a date or a time"
                                               : "");
}

static bool read_dtype(struct reader *r)
{
    struct str s;
    size_t at = (peek(r), r->at);
    if (peek(r) == '[')
        return refuse(r, at,
                      "an array of records (a dtype with fields); save each "
                      "field as an array");
    if (!read_string(r, &s))
        return false;
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        bool one = dtypes[i].name[1] == '1';
        if (s.n != 3 || !str_is(str_cut(s, 1, 3), dtypes[i].name))
            continue;
        if (s.p[0] == '>' && !one)
            return refuse(r, at,
                          "big-endian numbers (dtype `%.*s`); save "
                          "x.astype('<%s')",
                          STR_ARG(s), dtypes[i].name);
        if (s.p[0] != '<' && s.p[0] != '|' && s.p[0] != '>')
            break;
        r->out->dtype = dtypes[i].dtype;
        return true;
    }
    return refuse_dtype(r, at, s);
}

static bool read_order(struct reader *r)
{
    r->out->fortran = take_word(r, "True");
    return r->out->fortran || take_word(r, "False") ||
           refuse(r, r->at, "`fortran_order` should be True or False");
}

/* "()", "(3,)", "(3, 4)", with a comma at the end or not; "(3)" is no tuple. */
static bool read_shape(struct reader *r)
{
    struct npy_header *h = r->out;
    bool comma = false;
    if (!expect(r, '('))
        return false;
    while (peek(r) != ')') {
        if (h->rank > 0 && !comma)
            return refuse(r, r->at, "the header should have `,` here");
        if (h->rank == NPY_MAX_RANK)
            return refuse(r, r->at, "more than %d axes", NPY_MAX_RANK);
        if (!read_size(r, &h->dims[h->rank]))
            return false;
        h->rank++;
        comma = take(r, ',');
    }
    if (h->rank == 1 && !comma)
        return refuse(r, r->at, "`shape` should be a tuple");
    return expect(r, ')');
}

/* --- the dictionary --- */

static bool read_pair(struct reader *r, unsigned *seen)
{
    static const struct {
        const char *key;
        bool (*read)(struct reader *r);
    } fields[] = {{"descr", read_dtype},
                  {"fortran_order", read_order},
                  {"shape", read_shape}};
    size_t at = (peek(r), r->at);
    struct str key;
    if (!read_string(r, &key) || !expect(r, ':'))
        return false;
    for (unsigned i = 0; i < 3; i++) {
        if (!str_is(key, fields[i].key))
            continue;
        if (*seen >> i & 1)
            return refuse(r, at, "`%s` stands twice", fields[i].key);
        *seen |= 1U << i;
        return fields[i].read(r);
    }
    return refuse(r, at, "the header has an unknown key");
}

static bool read_header(struct reader *r)
{
    unsigned seen = 0;
    if (!expect(r, '{'))
        return false;
    while (!take(r, '}')) {
        if (!read_pair(r, &seen))
            return false;
        if (!take(r, ',') && peek(r) != '}')
            return refuse(r, r->at, "the header should have `,` here");
    }
    if (seen != 7)
        return refuse(r, r->at, "the header lacks `%s`",
                      (seen & 1) == 0   ? "descr"
                      : (seen & 2) == 0 ? "fortran_order"
                                        : "shape");
    skip_blanks(r);
    if (r->at < r->end && r->p[r->at] == '\n')
        r->at++;
    return r->at == r->end ||
           refuse(r, r->at, "more text behind the header's dictionary");
}

/* --- the whole --- */

bool npy_begins(const uint8_t *first, size_t n)
{
    return n >= sizeof magic && memcmp(first, magic, sizeof magic) == 0;
}

/* Finds the text. */
static bool read_lengths(struct reader *r, size_t n)
{
    uint8_t major = n > 6 ? r->p[6] : 0;
    size_t head = major == 1 ? 10 : 12;
    uint64_t length;
    if (!npy_begins(r->p, n))
        return refuse(r, 0, "it does not begin like an .npy array");
    if (n < head)
        return refuse(r, n, "the file ends inside the header");
    if (major < 1 || major > 3 || r->p[7] != 0)
        return refuse(r, 6, "version %u.%u of the format is unknown", major,
                      r->p[7]);
    length = major == 1 ? load_u16(r->p + 8) : load_u32(r->p + 8);
    if (length > NPY_MAX_HEADER - head)
        return refuse(r, 8, "a header of %" PRIu64 " bytes, above 65535",
                      length);
    if (length > n - head)
        return refuse(r, n, "the file ends inside the header");
    r->at = head;
    r->end = head + (size_t)length;
    r->out->start = r->end;
    return true;
}

/* Sizes that do not fit are told even beside a 0. */
static bool count(struct reader *r, uint64_t size)
{
    struct npy_header *h = r->out;
    uint64_t all;
    bool empty = false, ok = true;
    h->elements = 1;
    for (uint32_t i = 0; i < h->rank; i++) {
        empty = empty || h->dims[i] == 0;
        ok = ok && size_mul(h->elements, h->dims[i] > 0 ? h->dims[i] : 1,
                            &h->elements);
    }
    ok = ok && size_mul(h->elements, ttsb_dtype_bits(h->dtype) / 8, &h->bytes);
    if (!ok || !size_add(h->start, h->bytes, &all))
        return refuse(r, h->start, "more than 2^63 - 1 bytes of values");
    if (empty)
        h->elements = h->bytes = 0;
    all = h->start + h->bytes;
    if (size < all)
        return refuse(r, (size_t)size,
                      "the values are cut off: %" PRIu64 " byte%s missing",
                      all - size, all - size == 1 ? " is" : "s are");
    return size == all ||
           refuse(r, (size_t)all,
                  "%" PRIu64 " byte%s too many behind the values", size - all,
                  size - all == 1 ? "" : "s");
}

bool npy_parse(const uint8_t *first, size_t n, uint64_t size,
               struct npy_header *out, struct npy_error *error)
{
    struct reader r = {.p = first, .out = out, .error = error};
    *out = (struct npy_header){0};
    return read_lengths(&r, n) && read_header(&r) && count(&r, size);
}
