/* SPDX-License-Identifier: MIT
 *
 * check_const.c - the door's last part: the spec's constants.
 *
 * In: a blob whose CONST has its hash. Out: constant_count, or the first rule
 * of FORMAT.md section 6 that is broken. One pass computes every offset in the
 * section anew and compares.
 *
 * Invariant: afterwards each name is NUL-terminated and in order, each value
 * has its items and no other byte, and each string is valid UTF-8, so that
 * accessors need no check. No sum passes the section's limit of 16 MiB by
 * more than one item.
 */
#include "ttsb_internal.h"

struct pass {
    struct ttsb__walk w;
    const uint8_t *bytes; /* the section */
    uint64_t offset;      /* its place in the file */
    uint64_t size;
    uint64_t cursor; /* bytes of it that were seen */
};

enum {
    AT_NAME = offsetof(struct ttsb_disk_const, name_offset),
    AT_LENGTH = offsetof(struct ttsb_disk_const, name_length),
    AT_TYPE = offsetof(struct ttsb_disk_const, type),
    AT_ITEMS = offsetof(struct ttsb_disk_const, items),
    AT_VALUE = offsetof(struct ttsb_disk_const, value_offset),
    AT_SIZE = offsetof(struct ttsb_disk_const, value_size)
};

static struct ttsb__field field(const char *name, uint64_t at, uint64_t found)
{
    return (struct ttsb__field){name, at, found};
}

/* Zeros from the cursor to the next multiple of 8. */
static bool check_padding(struct pass *p)
{
    const uint64_t end = (p->cursor + 7) & ~UINT64_C(7);
    p->w.base = p->offset;
    if (end > p->size)
        return ttsb__refuse(&p->w, field("CONST", 0, p->size),
                            "the size of all constants");
    for (; p->cursor < end; p->cursor++)
        if (!ttsb__expect(&p->w,
                          field("padding", p->cursor, p->bytes[p->cursor]), 0))
            return false;
    return true;
}

static bool is_identifier(const uint8_t *name, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        if (!ttsb__is_word(name[i]))
            return false;
    return ttsb__is_letter(name[0]) || name[0] == '_';
}

static bool check_name(struct pass *p, const struct ttsb_disk_const *c)
{
    const struct ttsb__field length = {"name length", AT_LENGTH,
                                       c->name_length};
    const uint8_t *name = p->bytes + p->cursor;
    if (!ttsb__expect(&p->w, field("name offset", AT_NAME, c->name_offset),
                      p->cursor))
        return false;
    if (c->name_length == 0)
        return ttsb__refuse(&p->w, length, "1 or more");
    if (!ttsb__at_most(&p->w, length, TTSB_MAX_NAME))
        return false;
    if (!size_inside(p->cursor, (uint64_t)c->name_length + 1, p->size))
        return ttsb__refuse(&p->w, length, "such that the name ends in CONST");
    p->w.base = p->offset;
    if (!is_identifier(name, c->name_length))
        return ttsb__refuse(&p->w, field("name", p->cursor, name[0]),
                            "the start of an identifier");
    p->cursor += c->name_length;
    if (!ttsb__expect(&p->w,
                      field("name's NUL", p->cursor, name[c->name_length]), 0))
        return false;
    p->cursor++;
    return check_padding(p);
}

static bool check_numbers(struct pass *p, uint32_t items, bool decimal)
{
    const uint64_t exponent = UINT64_C(0x7ff) << 52;
    p->w.base = p->offset;
    if (!size_inside(p->cursor, (uint64_t)items * 8, p->size))
        return ttsb__refuse(&p->w, field("CONST", 0, p->size),
                            "the size of all constants");
    for (uint32_t i = 0; i < items; i++, p->cursor += 8) {
        uint64_t bits = load_u64(p->bytes + p->cursor);
        if (decimal && (bits & exponent) == exponent)
            return ttsb__refuse(&p->w, field("value", p->cursor, bits),
                                "a finite number");
    }
    return true;
}

/* Length of the valid UTF-8 sequence at s, of which n bytes are left, or 0:
 * no NUL, no overlong form, no surrogate, nothing above U+10FFFF. */
static uint32_t sequence_length(const uint8_t *s, uint32_t n)
{
    static const uint32_t least[5] = {0, 0x01, 0x80, 0x800, 0x10000};
    uint32_t length = s[0] < 0x80   ? 1
                      : s[0] < 0xc0 ? 0
                      : s[0] < 0xe0 ? 2
                      : s[0] < 0xf0 ? 3
                      : s[0] < 0xf8 ? 4
                                    : 0;
    uint32_t point = length > 1 ? s[0] & (0x7fu >> length) : s[0];
    if (length == 0 || length > n)
        return 0;
    for (uint32_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (s[i] & 0x3fu);
    }
    if (point < least[length] || point > 0x10ffff ||
        (point >= 0xd800 && point <= 0xdfff))
        return 0;
    return length;
}

/* One item of strings: u32 length, the bytes, a NUL, zeros. */
static bool check_string(struct pass *p)
{
    uint32_t length;
    uint32_t step;
    p->w.base = p->offset;
    if (!size_inside(p->cursor, 4, p->size))
        return ttsb__refuse(&p->w, field("CONST", 0, p->size),
                            "the size of all constants");
    length = load_u32(p->bytes + p->cursor);
    if (!ttsb__at_most(&p->w, field("string length", p->cursor, length),
                       TTSB_MAX_STRING))
        return false;
    if (!size_inside(p->cursor + 4, (uint64_t)length + 1, p->size))
        return ttsb__refuse(&p->w, field("string length", p->cursor, length),
                            "such that the string ends in CONST");
    p->cursor += 4;
    for (; length > 0; length -= step, p->cursor += step) {
        step = sequence_length(p->bytes + p->cursor, length);
        if (step == 0)
            return ttsb__refuse(&p->w,
                                field("value", p->cursor, p->bytes[p->cursor]),
                                "UTF-8 without NUL");
    }
    if (!ttsb__expect(&p->w,
                      field("string's NUL", p->cursor, p->bytes[p->cursor]), 0))
        return false;
    p->cursor++;
    return check_padding(p);
}

static bool check_items(struct pass *p, const struct ttsb_disk_const *c)
{
    const uint32_t type = c->type & ~(uint32_t)TTSB_CONST_LIST;
    if (type != TTSB_CONST_STRING)
        return check_numbers(p, c->items, type == TTSB_CONST_F64);
    for (uint32_t i = 0; i < c->items; i++)
        if (!check_string(p))
            return false;
    return true;
}

static bool check_type(struct pass *p, const struct ttsb_disk_const *c)
{
    const uint32_t type = c->type & ~(uint32_t)TTSB_CONST_LIST;
    const struct ttsb__field items = {"items", AT_ITEMS, c->items};
    if (type < TTSB_CONST_I64 || type > TTSB_CONST_STRING)
        return ttsb__refuse(&p->w, field("type", AT_TYPE, c->type),
                            "a known type");
    if (c->items == 0)
        return ttsb__refuse(&p->w, items, "1 or more");
    return c->type != type || ttsb__expect(&p->w, items, 1);
}

static bool check_entry(struct pass *p, const struct ttsb_disk_const *c,
                        uint32_t index)
{
    const uint64_t base = p->offset + sizeof(struct ttsb_disk_const_head) +
                          (uint64_t)index * sizeof(*c);
    uint64_t start;
    p->w.base = base;
    if (!check_type(p, c) || !check_name(p, c))
        return false;
    start = p->cursor;
    p->w.base = base;
    if (!ttsb__expect(&p->w, field("value offset", AT_VALUE, c->value_offset),
                      start) ||
        !check_items(p, c))
        return false;
    p->w.base = base;
    return ttsb__expect(&p->w, field("value size", AT_SIZE, c->value_size),
                        p->cursor - start);
}

static bool check_ascending(struct pass *p, const struct ttsb_disk_const *a,
                            const struct ttsb_disk_const *b)
{
    const char *names = (const char *)p->bytes;
    p->w.base = p->offset;
    if (ttsb__compare(names + a->name_offset, a->name_length,
                      names + b->name_offset, b->name_length) < 0)
        return true;
    return ttsb__refuse(&p->w,
                        field("name", b->name_offset, p->bytes[b->name_offset]),
                        "above the name before");
}

static bool check_head(struct pass *p, uint32_t *out)
{
    const uint64_t head = sizeof(struct ttsb_disk_const_head);
    uint64_t count;
    p->w.base = p->offset;
    if (p->size < head)
        return ttsb__refuse(&p->w, field("CONST", 0, p->size),
                            "the size of a count or more");
    if (!ttsb__at_most(&p->w, field("CONST", 0, p->size),
                       TTSB_MAX_CONST_SECTION))
        return false;
    count = load_u32(p->bytes);
    if (!ttsb__at_most(&p->w, field("count", 0, count), TTSB_MAX_CONSTANTS) ||
        !ttsb__expect(&p->w, field("zero", 4, load_u32(p->bytes + 4)), 0))
        return false;
    p->cursor = head + count * sizeof(struct ttsb_disk_const);
    if (p->cursor > p->size)
        return ttsb__refuse(&p->w, field("count", 0, count),
                            "such that all entries end in CONST");
    *out = (uint32_t)count;
    return true;
}

int32_t ttsb__check_const(struct ttsb_blob *blob, struct ttsb_error *error)
{
    const struct ttsb__section *section = &blob->section[TTSB_SECTION_CONST];
    struct pass p = {.w = {.error = error,
                           .result = TTSB_BUG,
                           .status = TTSB_BAD_CONST,
                           .tensor = TTSB_NO_TENSOR},
                     .bytes = section->bytes,
                     .offset = section->offset,
                     .size = section->size};
    struct ttsb_disk_const before = {.name_length = 0};
    if (!check_head(&p, &blob->constant_count))
        return p.w.result;
    for (uint32_t i = 0; i < blob->constant_count; i++) {
        struct ttsb_disk_const c = ttsb__const(blob, i);
        /* The empty name stands before every other. */
        if (!check_entry(&p, &c, i) || !check_ascending(&p, &before, &c))
            return p.w.result;
        before = c;
    }
    p.w.base = p.offset;
    if (!ttsb__expect(&p.w, field("CONST", 0, p.size), p.cursor))
        return p.w.result;
    return TTSB_OK;
}
