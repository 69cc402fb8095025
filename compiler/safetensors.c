/* SPDX-License-Identifier: MIT
 *
 * safetensors.c - one pass over the header's tokens, one over the sorted
 * tensors.
 *
 * In: the header's bytes and the file's size. Out: st_header, or the first
 * fault. The first pass knows all about one tensor at a time: its members'
 * types, and whether its offsets span what its dtype and shape need. The
 * second knows the order of the data: that the tensors tile it.
 *
 * Invariant: the place (what is being read right now) is kept up to date
 * before every read, so that any failure, of the JSON reader's or our own,
 * can name its field. Every number from the header passes size.h before it is
 * used, and all sums are of numbers below 2^63.
 */
#include "safetensors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "json.h"
#include "size.h"
#include "ttsb.h"

#define SHOWN_NAME 60  /* bytes of a name in an error's text */
#define SHOWN_FIELD 36 /* bytes of a name in an error's field */
#define SHOWN_MEMBER 18
#define SHOWN_NUMBER 24
#define SHOWN_SHAPE 100

/* A tensor and where its members' values are in the file; 0: not there. */
struct draft {
    struct st_tensor tensor;
    uint64_t dtype_at, shape_at, offsets_at;
};

enum where { IN_LENGTH, IN_HEADER, IN_METADATA, IN_TENSORS, IN_DATA };

/* What is being read. A tensor's name or a metadata key, and a tensor's
 * member; p is NULL where there is none. */
struct place {
    enum where where;
    struct str name, member;
};

struct parse {
    struct arena *arena;
    struct json json;
    struct place place;
    struct draft *drafts;
    size_t draft_count, draft_capacity;
    struct st_pair *pairs;
    size_t pair_count, pair_capacity;
    uint64_t data_size;
    struct st_error *error;
};

bool safetensors_dtype_find(struct str name, uint32_t *dtype)
{
    for (uint32_t i = 1; i < TTSB_DTYPE_COUNT; i++)
        if (str_is(name, ttsb_dtype_name(i))) {
            *dtype = i;
            return true;
        }
    return false;
}

/* Whether the character at p, of n bytes, would move a terminal's cursor: C0,
 * DEL, or C1, which UTF-8 writes as c2 80 to c2 9f. */
static bool is_control(const char *p, size_t n)
{
    unsigned char c = (unsigned char)p[0];
    return c < 0x20 || c == 0x7f ||
           (n == 2 && c == 0xc2 && (unsigned char)p[1] < 0xa0);
}

/* Writes valid UTF-8 into out[limit + 1], cut between characters and with
 * '?' for controls. */
static const char *show(struct str s, size_t limit, char *out)
{
    size_t room = s.n > limit ? limit - 3 : limit, n = 0, i = 0, k;
    for (; i < s.n; i += k) {
        k = utf8_length(s.p + i, s.n - i);
        if (k == 0 || k > room - n)
            break;
        if (is_control(s.p + i, k)) {
            out[n++] = '?';
        } else {
            memcpy(out + n, s.p + i, k);
            n += k;
        }
    }
    memcpy(out + n, i < s.n ? "..." : "", i < s.n ? 4 : 1);
    return out;
}

/* Fills the error's field and tensor from a place. */
static void put_place(struct st_error *e, const struct place *at)
{
    static const char *const roots[] = {[IN_LENGTH] = "header_length",
                                        [IN_HEADER] = "header",
                                        [IN_METADATA] = "__metadata__",
                                        [IN_TENSORS] = "tensors",
                                        [IN_DATA] = "data"};
    char name[SHOWN_FIELD + 1], member[SHOWN_MEMBER + 1];
    snprintf(e->field, sizeof e->field, "%s%s%s%s%s", roots[at->where],
             at->name.p == NULL ? "" : ".", show(at->name, SHOWN_FIELD, name),
             at->member.p == NULL ? "" : ".",
             show(at->member, SHOWN_MEMBER, member));
    e->tensor = at->where == IN_TENSORS ? at->name : (struct str){NULL, 0};
}

static bool fail(struct parse *p, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail(struct parse *p, uint64_t offset, const char *format, ...)
{
    va_list args;
    put_place(p->error, &p->place);
    p->error->offset = offset;
    p->error->header_missing = 0;
    p->error->data_missing = 0;
    va_start(args, format);
    vsnprintf(p->error->text, sizeof p->error->text, format, args);
    va_end(args);
    return false;
}

/* Hands on the JSON reader's error. A key twice is part of the field. */
static bool fail_json(struct parse *p)
{
    const struct json_error *e = &p->json.error;
    char key[SHOWN_NAME + 1];
    if (e->key.p == NULL)
        return fail(p, e->offset, "the header is not JSON: %s", e->text);
    if (p->place.where == IN_TENSORS && p->place.name.p == NULL &&
        str_is(e->key, "__metadata__"))
        p->place.where = IN_METADATA;
    else if (p->place.name.p == NULL)
        p->place.name = e->key;
    else if (p->place.member.p == NULL)
        p->place.member = e->key;
    return fail(p, e->offset, "the key `%s` is there twice in one object",
                show(e->key, SHOWN_NAME, key));
}

static bool next(struct parse *p, struct json_token *token)
{
    return json_next(&p->json, token) || fail_json(p);
}

/* The field that is being read, for messages. */
static const char *subject(const struct parse *p)
{
    put_place(p->error, &p->place);
    return p->error->field;
}

static bool want(struct parse *p, const struct json_token *token,
                 enum json_kind kind)
{
    return token->kind == kind ||
           fail(p, token->offset, "%s must be %s, but is %s", subject(p),
                json_kind_name(kind), json_kind_name(token->kind));
}

/* A whole number from 0 to 2^63 - 1. */
static bool want_size(struct parse *p, const struct json_token *token,
                      uint64_t *value)
{
    char number[SHOWN_NUMBER + 1];
    const char *why;
    if (token->kind != JSON_NUMBER)
        return fail(p, token->offset, "%s must hold whole numbers, not %s",
                    subject(p), json_kind_name(token->kind));
    if (json_u64(token, value) && *value <= TTSB_SIZE_MAX)
        return true;
    why = "is above 2^63 - 1";
    if (token->text.p[0] == '-')
        why = "is negative";
    else if (memchr(token->text.p, '.', token->text.n) != NULL)
        why = "is no whole number";
    else if (memchr(token->text.p, 'e', token->text.n) != NULL ||
             memchr(token->text.p, 'E', token->text.n) != NULL)
        why = "has an exponent";
    return fail(p, token->offset, "%s holds %s, which %s", subject(p),
                show(token->text, SHOWN_NUMBER, number), why);
}

static bool read_dtype(struct parse *p, const struct json_token *token,
                       struct draft *d)
{
    char name[SHOWN_NAME + 1];
    if (!want(p, token, JSON_STRING))
        return false;
    d->dtype_at = token->offset;
    return safetensors_dtype_find(token->text, &d->tensor.dtype) ||
           fail(p, token->offset, "%s is `%s`, which is no known dtype",
                subject(p), show(token->text, SHOWN_NAME, name));
}

static bool read_shape(struct parse *p, const struct json_token *token,
                       struct draft *d)
{
    uint64_t dims[ST_MAX_RANK], *copy;
    struct json_token item;
    uint32_t rank = 0;
    if (!want(p, token, JSON_ARRAY))
        return false;
    for (;; rank++) {
        if (!next(p, &item))
            return false;
        if (item.kind == JSON_ARRAY_END)
            break;
        if (rank == ST_MAX_RANK)
            return fail(p, item.offset, "%s has more than %d dimensions",
                        subject(p), ST_MAX_RANK);
        if (!want_size(p, &item, &dims[rank]))
            return false;
    }
    copy = arena_new(p->arena, uint64_t, rank);
    if (rank != 0)
        memcpy(copy, dims, rank * sizeof *dims);
    d->tensor.dims = copy;
    d->tensor.rank = rank;
    d->shape_at = token->offset;
    return true;
}

static bool read_offsets(struct parse *p, const struct json_token *token,
                         struct draft *d)
{
    uint64_t pair[2] = {0, 0};
    struct json_token item;
    size_t n = 0;
    if (!want(p, token, JSON_ARRAY))
        return false;
    for (;; n++) {
        if (!next(p, &item))
            return false;
        if (item.kind == JSON_ARRAY_END || n == 2)
            break;
        if (!want_size(p, &item, &pair[n]))
            return false;
    }
    if (n != 2 || item.kind != JSON_ARRAY_END)
        return fail(p, token->offset, "%s must hold two numbers, but has %s",
                    subject(p), n == 2 ? "more" : "fewer");
    d->tensor.begin = pair[0];
    d->tensor.end = pair[1];
    d->offsets_at = token->offset;
    return true;
}

static bool read_member(struct parse *p, struct draft *d)
{
    struct json_token value;
    if (!next(p, &value))
        return false;
    if (str_is(p->place.member, "dtype"))
        return read_dtype(p, &value, d);
    if (str_is(p->place.member, "shape"))
        return read_shape(p, &value, d);
    if (str_is(p->place.member, "data_offsets"))
        return read_offsets(p, &value, d);
    return json_skip(&p->json, &value) || fail_json(p);
}

/* Fails at the tensor's name unless the member was there. */
static bool check_present(struct parse *p, const struct draft *d,
                          const char *member, uint64_t at)
{
    char name[SHOWN_NAME + 1];
    if (at != 0)
        return true;
    p->place.member = str_c(member);
    return fail(p, d->tensor.header_offset, "tensor `%s` has no %s",
                show(d->tensor.name, SHOWN_NAME, name), member);
}

/* "F32 [2, 2]", with a long shape cut. */
static const char *show_type(const struct st_tensor *t,
                             char out[SHOWN_SHAPE + 1])
{
    size_t n =
        (size_t)snprintf(out, SHOWN_SHAPE, "%s [", ttsb_dtype_name(t->dtype));
    for (uint32_t i = 0; i < t->rank; i++) {
        if (n > SHOWN_SHAPE - 32) {
            snprintf(out + n, SHOWN_SHAPE + 1 - n, ", ...]");
            return out;
        }
        n += (size_t)snprintf(out + n, SHOWN_SHAPE + 1 - n, "%s%ju",
                              i == 0 ? "" : ", ", (uintmax_t)t->dims[i]);
    }
    snprintf(out + n, SHOWN_SHAPE + 1 - n, "]");
    return out;
}

/* How many bits dtype and shape need; multiplied from the left, as the
 * reference does, which decides what a 0 can still save. */
static bool count_bits(const struct st_tensor *t, uint64_t *bits)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < t->rank; i++) {
        if (!size_mul(n, t->dims[i], &n))
            return false;
    }
    return size_mul(n, ttsb_dtype_bits(t->dtype), bits);
}

/* What can be known of a tensor without the others. */
static bool check_tensor(struct parse *p, const struct draft *d)
{
    const struct st_tensor *t = &d->tensor;
    char name[SHOWN_NAME + 1], type[SHOWN_SHAPE + 1];
    uint64_t bits;
    if (!check_present(p, d, "dtype", d->dtype_at) ||
        !check_present(p, d, "shape", d->shape_at) ||
        !check_present(p, d, "data_offsets", d->offsets_at))
        return false;
    show(t->name, SHOWN_NAME, name);
    show_type(t, type);
    p->place.member = str_c("shape");
    if (!count_bits(t, &bits))
        return fail(p, d->shape_at, "`%s` is %s, which is more than 2^63 bits",
                    name, type);
    if (bits % 8 != 0)
        return fail(p, d->shape_at,
                    "`%s` is %s, which is %ju bits and no whole byte", name,
                    type, (uintmax_t)bits);
    p->place.member = str_c("data_offsets");
    if (t->end < t->begin)
        return fail(p, d->offsets_at,
                    "data_offsets [%ju, %ju] of `%s` end before they begin",
                    (uintmax_t)t->begin, (uintmax_t)t->end, name);
    if (t->end - t->begin != bits / 8)
        return fail(p, d->offsets_at,
                    "data_offsets [%ju, %ju] of `%s` span %ju bytes, but %s "
                    "needs %ju",
                    (uintmax_t)t->begin, (uintmax_t)t->end, name,
                    (uintmax_t)(t->end - t->begin), type,
                    (uintmax_t)(bits / 8));
    return true;
}

static struct draft *new_draft(struct parse *p, const struct json_token *key)
{
    struct draft *d;
    if (p->draft_count == p->draft_capacity)
        p->drafts = arena_grow(p->arena, p->drafts, sizeof *p->drafts,
                               p->draft_count, &p->draft_capacity);
    d = &p->drafts[p->draft_count++];
    d->tensor.name = key->text;
    d->tensor.header_offset = key->offset;
    return d;
}

static bool read_tensor(struct parse *p, const struct json_token *key)
{
    struct draft *d = new_draft(p, key);
    struct json_token token;
    p->place = (struct place){IN_TENSORS, key->text, {NULL, 0}};
    if (key->text.n > ST_MAX_NAME)
        return fail(p, key->offset, "a tensor's name of %zu bytes, above %d",
                    key->text.n, ST_MAX_NAME);
    if (!next(p, &token) || !want(p, &token, JSON_OBJECT))
        return false;
    for (;;) {
        p->place.member = (struct str){NULL, 0};
        if (!next(p, &token))
            return false;
        if (token.kind == JSON_OBJECT_END)
            return check_tensor(p, d);
        p->place.member = token.text;
        if (!read_member(p, d))
            return false;
    }
}

static bool read_pair(struct parse *p, const struct json_token *key)
{
    struct json_token value;
    p->place.name = key->text;
    if (!next(p, &value) || !want(p, &value, JSON_STRING))
        return false;
    if (p->pair_count == p->pair_capacity)
        p->pairs = arena_grow(p->arena, p->pairs, sizeof *p->pairs,
                              p->pair_count, &p->pair_capacity);
    p->pairs[p->pair_count++] =
        (struct st_pair){key->text, value.text, key->offset};
    p->place.name = (struct str){NULL, 0};
    return true;
}

static bool read_metadata(struct parse *p)
{
    struct json_token token;
    p->place = (struct place){.where = IN_METADATA};
    if (!next(p, &token))
        return false;
    if (token.kind == JSON_NULL)
        return true;
    if (!want(p, &token, JSON_OBJECT))
        return false;
    for (;;) {
        if (!next(p, &token))
            return false;
        if (token.kind == JSON_OBJECT_END)
            return true;
        if (!read_pair(p, &token))
            return false;
    }
}

static bool read_header(struct parse *p)
{
    struct json_token token;
    bool good;
    p->place = (struct place){.where = IN_HEADER};
    if (!next(p, &token) || !want(p, &token, JSON_OBJECT))
        return false;
    for (;;) {
        p->place = (struct place){.where = IN_TENSORS};
        if (!next(p, &token))
            return false;
        if (token.kind == JSON_OBJECT_END)
            break;
        good = str_is(token.text, "__metadata__") ? read_metadata(p)
                                                  : read_tensor(p, &token);
        if (!good)
            return false;
    }
    p->place = (struct place){.where = IN_HEADER};
    return next(p, &token);
}

static int draft_order(const void *left, const void *right)
{
    const struct st_tensor *a = &((const struct draft *)left)->tensor;
    const struct st_tensor *b = &((const struct draft *)right)->tensor;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    if (a->end != b->end)
        return a->end < b->end ? -1 : 1;
    return (a->header_offset > b->header_offset) -
           (a->header_offset < b->header_offset);
}

/* Why a tensor does not begin where the one before it ends. */
static bool fail_begin(struct parse *p, size_t i)
{
    const struct draft *d = &p->drafts[i];
    uintmax_t begin = d->tensor.begin, end;
    char name[SHOWN_NAME + 1], before[SHOWN_NAME + 1];
    show(d->tensor.name, SHOWN_NAME, name);
    if (i == 0)
        return fail(p, d->offsets_at,
                    "`%s` is the first in the data, but begins at byte %ju "
                    "instead of 0",
                    name, begin);
    end = d[-1].tensor.end;
    show(d[-1].tensor.name, SHOWN_NAME, before);
    if (begin < end)
        return fail(p, d->offsets_at,
                    "`%s` begins at byte %ju of the data, but overlaps `%s`, "
                    "which ends at %ju",
                    name, begin, before, end);
    return fail(p, d->offsets_at,
                "`%s` begins at byte %ju of the data, but `%s` before it ends "
                "at %ju: a hole of %ju bytes",
                name, begin, before, end, begin - end);
}

/* The data ends inside the tensor of draft i; where all tensors tile what
 * the data should be, only the end of the file is missing. */
static bool fail_end(struct parse *p, size_t i)
{
    const struct draft *d = &p->drafts[i];
    uint64_t end = d->tensor.end;
    char name[SHOWN_NAME + 1];
    fail(p, d->offsets_at,
         "`%s` ends at byte %ju of the data, but the file has only %ju bytes "
         "of data",
         show(d->tensor.name, SHOWN_NAME, name), (uintmax_t)end,
         (uintmax_t)p->data_size);
    for (i++; i < p->draft_count; i++) {
        if (p->drafts[i].tensor.begin != end)
            return false;
        end = p->drafts[i].tensor.end;
    }
    p->error->data_missing = end - p->data_size;
    return false;
}

/* The sorted tensors cover the data section exactly. */
static bool check_tiling(struct parse *p, uint64_t data_start)
{
    uint64_t cursor = 0;
    for (size_t i = 0; i < p->draft_count; i++) {
        const struct draft *d = &p->drafts[i];
        p->place =
            (struct place){IN_TENSORS, d->tensor.name, str_c("data_offsets")};
        if (d->tensor.begin != cursor)
            return fail_begin(p, i);
        cursor = d->tensor.end;
        if (cursor > p->data_size)
            return fail_end(p, i);
    }
    p->place = (struct place){.where = IN_DATA};
    return cursor == p->data_size ||
           fail(p, data_start + cursor,
                "the last %ju bytes of the file belong to no tensor",
                (uintmax_t)(p->data_size - cursor));
}

static void hand_over(struct parse *p, struct st_header *out)
{
    out->tensors = arena_new(p->arena, struct st_tensor, p->draft_count);
    out->count = p->draft_count;
    for (size_t i = 0; i < p->draft_count; i++)
        out->tensors[i] = p->drafts[i].tensor;
    out->metadata = p->pairs;
    out->metadata_count = p->pair_count;
}

static bool check_length(uint64_t length, uint64_t file_size,
                         struct st_error *error)
{
    struct parse p = {.place = {.where = IN_LENGTH}, .error = error};
    if (file_size < ST_LENGTH_SIZE)
        return fail(&p, 0,
                    "the file has %ju bytes, too few for a header's length",
                    (uintmax_t)file_size);
    if (length > ST_MAX_HEADER)
        return fail(&p, 0, "the header's length is %ju, above the limit of %ju",
                    (uintmax_t)length, (uintmax_t)ST_MAX_HEADER);
    if (length <= file_size - ST_LENGTH_SIZE)
        return true;
    fail(&p, 0, "the header's length is %ju, but only %ju bytes follow it",
         (uintmax_t)length, (uintmax_t)(file_size - ST_LENGTH_SIZE));
    error->header_missing = length - (file_size - ST_LENGTH_SIZE);
    return false;
}

bool safetensors_check_length(const uint8_t first8[ST_LENGTH_SIZE],
                              uint64_t file_size, uint64_t *header_length,
                              struct st_error *error)
{
    uint64_t length = file_size < ST_LENGTH_SIZE ? 0 : load_u64(first8);
    if (!check_length(length, file_size, error))
        return false;
    *header_length = length;
    return true;
}

/* The format's own rules for the text around the object: `{` comes first, and
 * only spaces come behind. */
static bool check_ends(struct parse *p, const char *header, uint64_t length)
{
    uint64_t end = length;
    p->place.where = IN_HEADER;
    if (length > 0 && memchr(" \t\r\n", header[0], 4) != NULL)
        return fail(p, ST_LENGTH_SIZE,
                    "the header begins with white space, not with `{`");
    while (end > 0 && header[end - 1] == ' ')
        end--;
    if (end > 0 && memchr("\t\r\n", header[end - 1], 3) != NULL)
        return fail(p, ST_LENGTH_SIZE + end - 1,
                    "the header is padded with the byte 0x%02x; only spaces "
                    "may stand behind the object",
                    (unsigned)(unsigned char)header[end - 1]);
    return true;
}

bool safetensors_parse(struct arena *arena, const char *header,
                       uint64_t header_length, uint64_t file_size,
                       struct st_header *out, struct st_error *error)
{
    struct parse p = {.arena = arena, .error = error};
    if (!check_length(header_length, file_size, error))
        return false;
    *out = (struct st_header){.data_start = ST_LENGTH_SIZE + header_length,
                              .file_size = file_size};
    p.data_size = file_size - out->data_start;
    json_start(&p.json, arena, (struct str){header, (size_t)header_length},
               ST_LENGTH_SIZE);
    if (!check_ends(&p, header, header_length) || !read_header(&p))
        return false;
    if (p.draft_count > 1)
        qsort(p.drafts, p.draft_count, sizeof *p.drafts, draft_order);
    if (!check_tiling(&p, out->data_start))
        return false;
    hand_over(&p, out);
    return true;
}
