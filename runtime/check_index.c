/* SPDX-License-Identifier: MIT
 *
 * check_index.c - the door's second part: tensors, groups and their names.
 *
 * In: a blob whose critical sections have their hashes and whose INDEX and
 * GROUPS have whole entries. Out: piece_count and group_order, or the first
 * rule of FORMAT.md section 4 or 5 that is broken. One pass over the records
 * computes every offset, size, piece and name anew and compares.
 *
 * Invariant: what the pass has not seen it does not follow; all sums stay
 * below 2^63, and each tensor lies between its predecessor and its group's
 * end, so that accessors need no check.
 */
#include "ttsb_internal.h"

/* What the records before the one in hand have taken. */
struct pass {
    struct ttsb__walk w;
    struct ttsb_blob *blob;
    struct ttsb_disk_group group; /* of the record in hand */
    uint32_t group_index;
    bool any_missing;
    uint64_t cursor; /* file offset behind the last stored byte */
    uint64_t pieces;
    uint64_t names; /* bytes of NAMES */
};

enum {
    AT_DTYPE = offsetof(struct ttsb_disk_record, dtype),
    AT_RANK = offsetof(struct ttsb_disk_record, rank),
    AT_FLAGS = offsetof(struct ttsb_disk_record, flags),
    AT_GROUP = offsetof(struct ttsb_disk_record, group),
    AT_ALIAS = offsetof(struct ttsb_disk_record, alias_of),
    AT_ZERO = offsetof(struct ttsb_disk_record, zero),
    AT_OFFSET = offsetof(struct ttsb_disk_record, offset),
    AT_SIZE = offsetof(struct ttsb_disk_record, size),
    AT_PIECE = offsetof(struct ttsb_disk_record, first_piece),
    AT_DIMS = offsetof(struct ttsb_disk_record, dims)
};

static struct ttsb__field field(const char *name, uint64_t at, uint64_t found)
{
    return (struct ttsb__field){name, at, found};
}

static void look_at_record(struct pass *p, uint32_t index)
{
    p->w.status = TTSB_BAD_INDEX;
    p->w.tensor = index;
    p->w.base = p->blob->section[TTSB_SECTION_INDEX].offset +
                (uint64_t)index * sizeof(struct ttsb_disk_record);
}

static void look_at_group(struct pass *p, uint32_t index)
{
    p->w.status = TTSB_BAD_GROUPS;
    p->w.tensor = TTSB_NO_TENSOR;
    p->w.base = p->blob->section[TTSB_SECTION_GROUPS].offset +
                (uint64_t)index * sizeof(struct ttsb_disk_group);
}

static void look_at_section(struct pass *p, uint32_t type, int32_t status)
{
    p->w.status = status;
    p->w.tensor = TTSB_NO_TENSOR;
    p->w.base = p->blob->section[type].offset;
}

/* Components of [A-Za-z0-9_] with single dots between. */
static bool is_tensor_name(const char *name, uint32_t length)
{
    uint8_t before = '.';
    for (uint32_t i = 0; i < length; i++) {
        uint8_t c = (uint8_t)name[i];
        if (!ttsb__is_word(c) && (c != '.' || before == '.'))
            return false;
        before = c;
    }
    return before != '.';
}

/* One component that begins with a letter. */
static bool is_group_name(const char *name, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        if (!ttsb__is_word((uint8_t)name[i]))
            return false;
    return length != 0 && ttsb__is_letter((uint8_t)name[0]);
}

/* The name's place, length and end. Records and groups both begin with name
 * offset and name length. */
static bool check_name_place(struct pass *p, uint32_t offset, uint32_t length)
{
    const struct ttsb__section *names = &p->blob->section[TTSB_SECTION_NAMES];
    const struct ttsb__field place = {"name offset", 0, offset};
    const struct ttsb__field size = {"name length", 4, length};
    p->w.status = TTSB_BAD_NAMES;
    if (!ttsb__expect(&p->w, place, p->names))
        return false;
    if (length == 0)
        return ttsb__refuse(&p->w, size, "1 or more");
    if (!ttsb__at_most(&p->w, size, TTSB_MAX_NAME))
        return false;
    if (!size_inside(p->names, (uint64_t)length + 1, names->size))
        return ttsb__refuse(&p->w, size, "such that the name ends in NAMES");
    p->names += (uint64_t)length + 1;
    return true;
}

static bool check_name(struct pass *p, uint32_t offset, uint32_t length,
                       bool (*is_name)(const char *name, uint32_t length))
{
    const uint64_t base = p->w.base;
    const char *name;
    if (!check_name_place(p, offset, length))
        return false;
    name = ttsb__name(p->blob, offset);
    p->w.base = p->blob->section[TTSB_SECTION_NAMES].offset;
    if (!ttsb__expect(
            &p->w, field("name's NUL", offset + length, (uint8_t)name[length]),
            0))
        return false;
    if (!is_name(name, length))
        return ttsb__refuse(&p->w, field("name", offset, (uint8_t)name[0]),
                            "the start of a valid name");
    p->w.base = base;
    return true;
}

static bool check_flags(struct pass *p, const struct ttsb_disk_record *r)
{
    const struct ttsb__field flags = {"flags", AT_FLAGS, r->flags};
    const uint32_t f = r->flags;
    if (f & ~TTSB_RECORD_FLAGS)
        return ttsb__refuse(&p->w, flags, "known bits only");
    if ((f & TTSB_RECORD_ABSENT) && !(f & TTSB_RECORD_OPTIONAL))
        return ttsb__refuse(&p->w, flags, "ABSENT only with OPTIONAL");
    if ((f & TTSB_RECORD_OPTIONAL) &&
        (f & (TTSB_RECORD_MISSING | TTSB_RECORD_ALIAS)))
        return ttsb__refuse(&p->w, flags,
                            "OPTIONAL only without MISSING and ALIAS");
    if ((f & TTSB_RECORD_MISSING) && !ttsb_dtype_nan_fill(r->dtype))
        return ttsb__refuse(&p->w, flags, "MISSING only where 0xFF is a NaN");
    return true;
}

static bool check_kind(struct pass *p, const struct ttsb_disk_record *r)
{
    p->w.status = TTSB_BAD_INDEX;
    if (ttsb_dtype_bits(r->dtype) == 0)
        return ttsb__refuse(&p->w, field("dtype", AT_DTYPE, r->dtype),
                            "a known code");
    if (!ttsb__at_most(&p->w, field("rank", AT_RANK, r->rank), TTSB_MAX_RANK))
        return false;
    p->any_missing = p->any_missing || (r->flags & TTSB_RECORD_MISSING);
    return check_flags(p, r) &&
           ((r->flags & TTSB_RECORD_ALIAS) ||
            ttsb__expect(&p->w, field("alias of", AT_ALIAS, r->alias_of),
                         TTSB_NO_TENSOR)) &&
           ttsb__expect(&p->w, field("zero", AT_ZERO, r->zero), 0);
}

/* *bits = the tensor's bits, or false where they, or the product of the other
 * dims where one is 0, pass 2^63 - 1. */
static bool count_bits(const struct ttsb_disk_record *r, uint64_t *bits)
{
    uint64_t product = 1;
    bool empty = false;
    for (uint32_t d = 0; d < r->rank; d++) {
        if (r->dims[d] == 0)
            empty = true;
        else if (!size_mul(product, r->dims[d], &product))
            return false;
    }
    *bits = 0;
    return empty || size_mul(product, ttsb_dtype_bits(r->dtype), bits);
}

static bool check_shape(struct pass *p, const struct ttsb_disk_record *r)
{
    const struct ttsb__field size = {"size", AT_SIZE, r->size};
    uint64_t bits;
    for (uint32_t d = r->rank; d < TTSB_MAX_RANK; d++)
        if (!ttsb__expect(&p->w, field("dims", AT_DIMS + 8 * d, r->dims[d]), 0))
            return false;
    if (!count_bits(r, &bits)) {
        p->w.status = TTSB_OVER_LIMIT;
        return ttsb__refuse(&p->w, field("dims", AT_DIMS, r->dims[0]),
                            "of a tensor below 2^63 bits");
    }
    if (bits % 8 != 0)
        return ttsb__refuse(&p->w, size, "a whole number of bytes");
    return ttsb__expect(&p->w, size, bits / 8);
}

/* An alias repeats its target; all that this record says is compared. */
static bool check_alias(struct pass *p, const struct ttsb_disk_record *r,
                        uint32_t index)
{
    const uint32_t odd = TTSB_RECORD_ALIAS | TTSB_RECORD_OPTIONAL;
    const struct ttsb__field of = {"alias of", AT_ALIAS, r->alias_of};
    const struct ttsb__field flags = {"flags", AT_FLAGS, r->flags};
    struct ttsb_disk_record t;
    if (r->alias_of >= index)
        return ttsb__refuse(&p->w, of, "an earlier record");
    t = ttsb__record(p->blob, r->alias_of);
    if (t.group != r->group)
        return ttsb__refuse(&p->w, of, "a record of the same group");
    if (t.flags & odd)
        return ttsb__refuse(&p->w, of, "neither an alias nor optional");
    for (uint32_t d = 0; d < TTSB_MAX_RANK; d++)
        if (!ttsb__expect(&p->w, field("dims", AT_DIMS + 8 * d, r->dims[d]),
                          t.dims[d]))
            return false;
    return ttsb__expect(&p->w, flags, t.flags | TTSB_RECORD_ALIAS) &&
           ttsb__expect(&p->w, field("dtype", AT_DTYPE, r->dtype), t.dtype) &&
           ttsb__expect(&p->w, field("rank", AT_RANK, r->rank), t.rank) &&
           ttsb__expect(&p->w, field("offset", AT_OFFSET, r->offset),
                        t.offset) &&
           ttsb__expect(&p->w, field("first piece", AT_PIECE, r->first_piece),
                        t.first_piece);
}

static bool check_place(struct pass *p, const struct ttsb_disk_record *r)
{
    const struct ttsb__field size = {"size", AT_SIZE, r->size};
    uint64_t start;
    uint64_t end;
    if (!size_align(p->cursor, p->group.align, &start) ||
        !size_add(start, r->size, &end)) {
        p->w.status = TTSB_OVER_LIMIT;
        return ttsb__refuse(&p->w, size, "such that it ends below 2^63");
    }
    if (!ttsb__expect(&p->w, field("offset", AT_OFFSET, r->offset), start) ||
        !ttsb__expect(&p->w, field("first piece", AT_PIECE, r->first_piece),
                      p->pieces))
        return false;
    p->cursor = end;
    p->pieces += ttsb__pieces(r->size);
    return true;
}

/* The group's entry in hand against the records that were seen. */
static bool close_group(struct pass *p, uint32_t index)
{
    const struct ttsb_disk_group *g = &p->group;
    const struct ttsb__field count = {
        "tensor count", offsetof(struct ttsb_disk_group, tensor_count),
        g->tensor_count};
    const struct ttsb__field size = {
        "size", offsetof(struct ttsb_disk_group, size), g->size};
    uint64_t end;
    look_at_group(p, p->group_index);
    if (!ttsb__expect(&p->w, count, index - g->first_tensor))
        return false;
    if (!size_align(p->cursor, TTSB_GROUP_ALIGN, &end)) {
        p->w.status = TTSB_OVER_LIMIT;
        return ttsb__refuse(&p->w, size, "such that it ends below 2^63");
    }
    p->cursor = end;
    return ttsb__expect(&p->w, size, end - g->offset);
}

static bool check_group_align(struct pass *p, uint32_t align)
{
    const struct ttsb__field f = {
        "align", offsetof(struct ttsb_disk_group, align), align};
    if (align < TTSB_MIN_ALIGN || align > TTSB_MAX_ALIGN ||
        (align & (align - 1)) != 0)
        return ttsb__refuse(&p->w, f, "a power of two from 256 to 65536");
    return true;
}

/* Group `index` begins with record `first`, at the cursor. */
static bool open_group(struct pass *p, uint32_t index, uint32_t first)
{
    struct ttsb_disk_group g;
    if (index >= p->blob->group_count)
        return ttsb__refuse(&p->w, field("group", AT_GROUP, index),
                            "below the number of groups");
    g = ttsb__group(p->blob, index);
    p->group = g;
    p->group_index = index;
    look_at_group(p, index);
    if (g.place > TTSB_PLACE_HOST)
        return ttsb__refuse(
            &p->w,
            field("place", offsetof(struct ttsb_disk_group, place), g.place),
            "0 or 1");
    return check_group_align(p, g.align) &&
           ttsb__expect(&p->w,
                        field("first tensor",
                              offsetof(struct ttsb_disk_group, first_tensor),
                              g.first_tensor),
                        first) &&
           ttsb__expect(
               &p->w,
               field("zero", offsetof(struct ttsb_disk_group, zero), g.zero),
               0) &&
           ttsb__expect(&p->w,
                        field("offset",
                              offsetof(struct ttsb_disk_group, offset),
                              g.offset),
                        p->cursor);
}

static bool check_group_step(struct pass *p, const struct ttsb_disk_record *r,
                             uint32_t index)
{
    const struct ttsb__field group = {"group", AT_GROUP, r->group};
    if (index == 0)
        return ttsb__expect(&p->w, group, 0) && open_group(p, 0, 0);
    if (r->group == p->group_index)
        return true;
    if (!ttsb__expect(&p->w, group, (uint64_t)p->group_index + 1) ||
        !close_group(p, index))
        return false;
    look_at_record(p, index);
    return open_group(p, r->group, index);
}

static bool check_record(struct pass *p, uint32_t index)
{
    const struct ttsb_disk_record r = ttsb__record(p->blob, index);
    look_at_record(p, index);
    if (!check_group_step(p, &r, index))
        return false;
    look_at_record(p, index);
    if (!check_name(p, r.name_offset, r.name_length, is_tensor_name) ||
        !check_kind(p, &r) || !check_shape(p, &r))
        return false;
    return (r.flags & TTSB_RECORD_ALIAS) ? check_alias(p, &r, index)
                                         : check_place(p, &r);
}

static bool check_records(struct pass *p)
{
    const struct ttsb_blob *blob = p->blob;
    /* size_align cannot fail: the section ends inside the file. */
    if (!size_align(blob->sections_end, TTSB_GROUP_ALIGN, &p->cursor))
        return false;
    for (uint32_t i = 0; i < blob->tensor_count; i++)
        if (!check_record(p, i))
            return false;
    if (!close_group(p, blob->tensor_count))
        return false;
    look_at_section(p, TTSB_SECTION_GROUPS, TTSB_BAD_GROUPS);
    if (!ttsb__expect(&p->w, field("GROUPS", 0, blob->group_count),
                      (uint64_t)p->group_index + 1))
        return false;
    p->w.base = 0;
    return ttsb__expect(&p->w,
                        field("file size",
                              offsetof(struct ttsb_disk_superblock, file_size),
                              blob->size),
                        p->cursor);
}

static bool check_partial(struct pass *p)
{
    const uint64_t at = offsetof(struct ttsb_disk_superblock, incompat);
    const uint64_t bits = load_u64(p->blob->bytes + at) & TTSB_INCOMPAT_PARTIAL;
    p->w.status = TTSB_BAD_INDEX;
    p->w.base = 0;
    return ttsb__expect(&p->w, field("incompat", at, bits),
                        p->any_missing ? TTSB_INCOMPAT_PARTIAL : 0);
}

static bool check_pieces(struct pass *p)
{
    const uint64_t size = p->blob->section[TTSB_SECTION_PIECES].size;
    look_at_section(p, TTSB_SECTION_PIECES, TTSB_BAD_PIECES);
    p->blob->piece_count = p->pieces;
    /* Below 2^63 bytes of payload are below 2^47 pieces. */
    return ttsb__expect(&p->w, field("PIECES", 0, size), p->pieces * 8);
}

static int compare_groups(const struct ttsb_blob *blob, uint32_t a, uint32_t b)
{
    const struct ttsb_disk_group x = ttsb__group(blob, a);
    const struct ttsb_disk_group y = ttsb__group(blob, b);
    return ttsb__compare(ttsb__name(blob, x.name_offset), x.name_length,
                         ttsb__name(blob, y.name_offset), y.name_length);
}

/* Heap sort's step: moves order[root] down in order[0, count). */
static void sift_group(struct ttsb_blob *blob, uint32_t root, uint32_t count)
{
    uint32_t *order = blob->group_order;
    uint32_t moving = order[root];
    uint32_t child = 2 * root + 1;
    while (child < count) {
        if (child + 1 < count &&
            compare_groups(blob, order[child], order[child + 1]) < 0)
            child++;
        if (compare_groups(blob, moving, order[child]) >= 0)
            break;
        order[root] = order[child];
        root = child;
        child = 2 * root + 1;
    }
    order[root] = moving;
}

/* Heap sort, as it needs no memory and has no bad case. */
static void sort_groups(struct ttsb_blob *blob)
{
    uint32_t *order = blob->group_order;
    const uint32_t count = blob->group_count;
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    for (uint32_t i = count / 2; i > 0; i--)
        sift_group(blob, i - 1, count);
    for (uint32_t end = count - 1; end > 0; end--) {
        uint32_t last = order[end];
        order[end] = order[0];
        order[0] = last;
        sift_group(blob, 0, end);
    }
}

static bool check_group_names(struct pass *p)
{
    struct ttsb_blob *blob = p->blob;
    for (uint32_t i = 0; i < blob->group_count; i++) {
        const struct ttsb_disk_group g = ttsb__group(blob, i);
        look_at_group(p, i);
        if (!check_name(p, g.name_offset, g.name_length, is_group_name))
            return false;
    }
    look_at_section(p, TTSB_SECTION_NAMES, TTSB_BAD_NAMES);
    if (!ttsb__expect(&p->w,
                      field("NAMES", 0, blob->section[TTSB_SECTION_NAMES].size),
                      p->names))
        return false;
    sort_groups(blob);
    for (uint32_t i = 1; i < blob->group_count; i++) {
        look_at_group(p, blob->group_order[i]);
        if (compare_groups(blob, blob->group_order[i - 1],
                           blob->group_order[i]) == 0)
            return ttsb__refuse(&p->w, field("name", 0, 0),
                                "of no other group");
    }
    return true;
}

static bool check_order(struct pass *p)
{
    const struct ttsb__section *order = &p->blob->section[TTSB_SECTION_NAMEORD];
    const uint64_t count = p->blob->tensor_count;
    struct ttsb_disk_record before = {.name_length = 0};
    look_at_section(p, TTSB_SECTION_NAMEORD, TTSB_BAD_ORDER);
    if (!ttsb__expect(&p->w, field("NAMEORD", 0, order->size), count * 4))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        uint32_t index = load_u32(order->bytes + i * 4);
        struct ttsb_disk_record r;
        if (index >= count)
            return ttsb__refuse(&p->w, field("NAMEORD", i * 4, index),
                                "below the number of tensors");
        r = ttsb__record(p->blob, index);
        /* The empty name stands before every other. */
        if (ttsb__compare(
                ttsb__name(p->blob, before.name_offset), before.name_length,
                ttsb__name(p->blob, r.name_offset), r.name_length) >= 0)
            return ttsb__refuse(&p->w, field("NAMEORD", i * 4, index),
                                "of a name above the one before");
        before = r;
    }
    return true;
}

int32_t ttsb__check_index(struct ttsb_blob *blob, struct ttsb_error *error)
{
    struct pass p = {
        .w = {.error = error, .result = TTSB_BUG, .tensor = TTSB_NO_TENSOR},
        .blob = blob};
    if (check_records(&p) && check_partial(&p) && check_pieces(&p) &&
        check_group_names(&p) && check_order(&p))
        return TTSB_OK;
    return p.w.result;
}
