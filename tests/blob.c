/* SPDX-License-Identifier: MIT
 *
 * blob.c - writes .ttsb blobs for tests.
 *
 * In: a description. Out: bytes in one block. The sections' sizes are known
 * from the description, so their places are computed first, then the records
 * and groups, then everything is stored into zeroed memory and hashed.
 *
 * Invariant: written after FORMAT.md alone, so that reader and compiler are
 * each tested against a second hand.
 */
#include "blob.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "size.h"

/* The blob that is being written and where its parts lie. */
struct writer {
    const struct blob_spec *spec;
    struct ttsb_disk_record *records;
    struct ttsb_disk_group *groups;
    struct ttsb_disk_section sections[TTSB_MAX_SECTIONS];
    uint32_t section_count;
    uint64_t pieces;
    uint64_t size;
    uint8_t *bytes;
};

struct named {
    const char *name;
    uint32_t index;
};

/* The shared blobs. The indices are those of blob.h. */
static const struct blob_group standard_groups[] = {
    {"enc", TTSB_PLACE_DEVICE, 256},
    {"table", TTSB_PLACE_HOST, 4096},
    {"none", TTSB_PLACE_DEVICE, 256},
    {"dec", TTSB_PLACE_DEVICE, 65536},
};

static const struct blob_tensor standard_tensors[] = {
    {.name = "enc.0.weight", .dtype = TTSB_F32, .rank = 2, .dims = {3, 5}},
    {.name = "enc.0.bias",
     .flags = TTSB_RECORD_OPTIONAL,
     .dtype = TTSB_F32,
     .rank = 1,
     .dims = {5}},
    {.name = "enc.1.bias",
     .flags = TTSB_RECORD_OPTIONAL | TTSB_RECORD_ABSENT,
     .dtype = TTSB_F32,
     .rank = 1,
     .dims = {5}},
    {.name = "enc.alias",
     .flags = TTSB_RECORD_ALIAS,
     .dtype = TTSB_F32,
     .rank = 2,
     .dims = {3, 5}},
    {.name = "enc.zero", .dtype = TTSB_F32, .rank = 2, .dims = {0, 7}},
    {.name = "enc.scalar", .dtype = TTSB_I64},
    {.name = "table.big",
     .group = 1,
     .dtype = TTSB_U8,
     .rank = 1,
     .dims = {70000}},
    {.name = "table.rank8",
     .group = 1,
     .dtype = TTSB_BF16,
     .rank = 8,
     .dims = {1, 2, 1, 2, 1, 2, 1, 3}},
    {.name = "none.a", .group = 2, .dtype = TTSB_F16, .rank = 1, .dims = {0}},
    {.name = "dec.w",
     .group = 3,
     .dtype = TTSB_F8_E4M3,
     .rank = 1,
     .dims = {65536}},
    {.name = "dec.half", .group = 3, .dtype = TTSB_F4, .rank = 1, .dims = {6}},
    {.name = "dec.w2", .group = 3, .dtype = TTSB_F16, .rank = 1, .dims = {4}},
};

static const struct blob_group small_groups[] = {
    {"all", TTSB_PLACE_DEVICE, 256},
};

static const struct blob_tensor small_tensors[] = {
    {.name = "a", .dtype = TTSB_U8, .rank = 1, .dims = {3}},
    {.name = "b.c", .dtype = TTSB_F32, .rank = 1, .dims = {2}},
};

static const int64_t rate[] = {24000};
static const int64_t strides[] = {1, -2, INT64_MIN};
static const double eps[] = {1e-5};
static const double scales[] = {-0.0, 0.5, 1e300};
static const char *const language[] = {"en"};
static const char *const words[] = {"abc", "", "\xe6\x97\xa5\xf0\x9f\x98\x80"};

static const struct blob_constant standard_constants[] = {
    {.name = "eps", .type = TTSB_CONST_F64, .items = 1, .f64 = eps},
    {.name = "language",
     .type = TTSB_CONST_STRING,
     .items = 1,
     .strings = language},
    {.name = "rate", .type = TTSB_CONST_I64, .items = 1, .i64 = rate},
    {.name = "rates",
     .type = TTSB_CONST_I64 | TTSB_CONST_LIST,
     .items = 3,
     .i64 = strides},
    {.name = "scales",
     .type = TTSB_CONST_F64 | TTSB_CONST_LIST,
     .items = 3,
     .f64 = scales},
    {.name = "words",
     .type = TTSB_CONST_STRING | TTSB_CONST_LIST,
     .items = 3,
     .strings = words},
};

static void *take(size_t count, size_t size)
{
    void *p = calloc(count != 0 ? count : 1, size);
    if (p == NULL)
        abort();
    return p;
}

static uint64_t align_up(uint64_t a, uint64_t align)
{
    return (a + align - 1) & ~(align - 1);
}

static uint64_t piece_count(uint64_t size)
{
    return (size + TTSB_PIECE_SIZE - 1) / TTSB_PIECE_SIZE;
}

static uint64_t tensor_size(const struct blob_tensor *t)
{
    static const uint8_t bits[TTSB_DTYPE_COUNT] = {
        0,  8,  8,  8, 16, 16, 32, 32, 64, 64, 16, 16,
        32, 64, 64, 8, 8,  8,  8,  8,  4,  6,  6};
    uint64_t n = bits[t->dtype];
    for (uint32_t d = 0; d < t->rank; d++)
        n *= t->dims[d];
    return n / 8;
}

static uint64_t string_size(const char *s)
{
    return align_up(4 + strlen(s) + 1, 8);
}

static uint64_t value_size(const struct blob_constant *c)
{
    uint64_t size = 0;
    if ((c->type & 0xff) != TTSB_CONST_STRING)
        return (uint64_t)c->items * 8;
    for (uint32_t i = 0; i < c->items; i++)
        size += string_size(c->strings[i]);
    return size;
}

static uint64_t const_size(const struct blob_spec *spec)
{
    uint64_t size = 8 + (uint64_t)spec->constant_count * 24;
    for (uint32_t i = 0; i < spec->constant_count; i++) {
        const struct blob_constant *c = &spec->constants[i];
        size = align_up(size + strlen(c->name) + 1, 8) + value_size(c);
    }
    return size;
}

static uint64_t names_size(const struct blob_spec *spec)
{
    uint64_t size = 0;
    for (uint32_t i = 0; i < spec->tensor_count; i++)
        size += strlen(spec->tensors[i].name) + 1;
    for (uint32_t i = 0; i < spec->group_count; i++)
        size += strlen(spec->groups[i].name) + 1;
    return size;
}

static void add_section(struct writer *w, uint32_t type, uint64_t size)
{
    struct ttsb_disk_section *s = &w->sections[w->section_count++];
    s->type = type;
    s->flags = type < TTSB_SECTION_META ? TTSB_SECTION_CRITICAL : 0;
    s->offset = align_up(w->size, TTSB_SECTION_ALIGN);
    s->size = size;
    w->size = s->offset + size;
}

static void place_sections(struct writer *w)
{
    const struct blob_spec *spec = w->spec;
    for (uint32_t i = 0; i < spec->tensor_count; i++)
        if (!(spec->tensors[i].flags & TTSB_RECORD_ALIAS))
            w->pieces += piece_count(tensor_size(&spec->tensors[i]));
    w->size = TTSB_SUPERBLOCK_SIZE;
    add_section(w, TTSB_SECTION_INDEX, (uint64_t)spec->tensor_count * 112);
    add_section(w, TTSB_SECTION_NAMEORD, (uint64_t)spec->tensor_count * 4);
    add_section(w, TTSB_SECTION_NAMES, names_size(spec));
    add_section(w, TTSB_SECTION_GROUPS, (uint64_t)spec->group_count * 40);
    add_section(w, TTSB_SECTION_PIECES, w->pieces * 8);
    add_section(w, TTSB_SECTION_CONST, const_size(spec));
    add_section(w, TTSB_SECTION_META, strlen(spec->meta));
    for (uint32_t i = 0; i < spec->extra_sections; i++)
        add_section(w, TTSB_SECTION_META + 1 + i, 5);
}

static void close_group(struct writer *w, uint32_t group, uint32_t end)
{
    struct ttsb_disk_group *g = &w->groups[group];
    w->size = align_up(w->size, TTSB_GROUP_ALIGN);
    g->size = w->size - g->offset;
    g->tensor_count = end - g->first_tensor;
}

static void place_tensor(struct writer *w, uint32_t index, uint64_t *piece)
{
    const struct blob_tensor *t = &w->spec->tensors[index];
    struct ttsb_disk_record *r = &w->records[index];
    r->name_length = (uint16_t)strlen(t->name);
    r->dtype = t->dtype;
    r->rank = t->rank;
    r->flags = t->flags;
    if (index < 32 && (w->spec->missing >> index & 1) != 0)
        r->flags |= TTSB_RECORD_MISSING;
    r->group = t->group;
    r->alias_of = TTSB_NO_TENSOR;
    r->size = tensor_size(t);
    memcpy(r->dims, t->dims, sizeof(r->dims));
    if (t->flags & TTSB_RECORD_ALIAS) {
        r->alias_of = t->alias_of;
        r->offset = w->records[t->alias_of].offset;
        r->first_piece = w->records[t->alias_of].first_piece;
        return;
    }
    r->offset = align_up(w->size, w->spec->groups[t->group].align);
    r->first_piece = *piece;
    w->size = r->offset + r->size;
    *piece += piece_count(r->size);
}

static void place_payload(struct writer *w)
{
    uint64_t piece = 0;
    uint32_t open = UINT32_MAX;
    w->size = align_up(w->size, TTSB_GROUP_ALIGN);
    for (uint32_t i = 0; i < w->spec->tensor_count; i++) {
        uint32_t group = w->spec->tensors[i].group;
        if (group != open && open != UINT32_MAX)
            close_group(w, open, i);
        if (group != open)
            w->groups[group] =
                (struct ttsb_disk_group){.first_tensor = i, .offset = w->size};
        open = group;
        place_tensor(w, i, &piece);
    }
    close_group(w, open, w->spec->tensor_count);
}

static void store_record(uint8_t *p, const struct ttsb_disk_record *r)
{
    store_u32(p, r->name_offset);
    store_u16(p + 4, r->name_length);
    p[6] = r->dtype;
    p[7] = r->rank;
    store_u32(p + 8, r->flags);
    store_u32(p + 12, r->group);
    store_u32(p + 16, r->alias_of);
    store_u64(p + 24, r->offset);
    store_u64(p + 32, r->size);
    store_u64(p + 40, r->first_piece);
    for (uint32_t d = 0; d < TTSB_MAX_RANK; d++)
        store_u64(p + 48 + 8 * d, r->dims[d]);
}

static void store_group(uint8_t *p, const struct ttsb_disk_group *g,
                        const struct blob_group *spec)
{
    store_u32(p, g->name_offset);
    store_u16(p + 4, g->name_length);
    store_u16(p + 6, spec->place);
    store_u32(p + 8, spec->align);
    store_u32(p + 12, g->first_tensor);
    store_u32(p + 16, g->tensor_count);
    store_u64(p + 24, g->offset);
    store_u64(p + 32, g->size);
}

static uint8_t *section_bytes(const struct writer *w, uint32_t type)
{
    return w->bytes + w->sections[type - 1].offset;
}

static void store_index(struct writer *w)
{
    const struct blob_spec *spec = w->spec;
    uint8_t *names = section_bytes(w, TTSB_SECTION_NAMES);
    uint32_t at = 0;
    for (uint32_t i = 0; i < spec->tensor_count; i++) {
        w->records[i].name_offset = at;
        memcpy(names + at, spec->tensors[i].name, w->records[i].name_length);
        at += (uint32_t)w->records[i].name_length + 1;
        store_record(section_bytes(w, TTSB_SECTION_INDEX) + (size_t)i * 112,
                     &w->records[i]);
    }
    for (uint32_t i = 0; i < spec->group_count; i++) {
        struct ttsb_disk_group *g = &w->groups[i];
        g->name_offset = at;
        g->name_length = (uint16_t)strlen(spec->groups[i].name);
        memcpy(names + at, spec->groups[i].name, g->name_length);
        at += (uint32_t)g->name_length + 1;
        store_group(section_bytes(w, TTSB_SECTION_GROUPS) + (size_t)i * 40, g,
                    &spec->groups[i]);
    }
}

static int by_name(const void *a, const void *b)
{
    const struct named *x = a;
    const struct named *y = b;
    return strcmp(x->name, y->name);
}

static void store_order(struct writer *w)
{
    const struct blob_spec *spec = w->spec;
    struct named *order = take(spec->tensor_count, sizeof(*order));
    for (uint32_t i = 0; i < spec->tensor_count; i++)
        order[i] = (struct named){spec->tensors[i].name, i};
    qsort(order, spec->tensor_count, sizeof(*order), by_name);
    for (uint32_t i = 0; i < spec->tensor_count; i++)
        store_u32(section_bytes(w, TTSB_SECTION_NAMEORD) + (size_t)i * 4,
                  order[i].index);
    free(order);
}

static uint8_t *store_item(uint8_t *p, const struct blob_constant *c,
                           uint32_t item)
{
    uint64_t bits;
    if ((c->type & 0xff) == TTSB_CONST_STRING) {
        const char *s = c->strings[item];
        store_u32(p, (uint32_t)strlen(s));
        memcpy(p + 4, s, strlen(s));
        return p + string_size(s);
    }
    if ((c->type & 0xff) == TTSB_CONST_F64)
        memcpy(&bits, &c->f64[item], sizeof(bits));
    else
        bits = (uint64_t)c->i64[item];
    store_u64(p, bits);
    return p + 8;
}

static void store_constants(struct writer *w)
{
    const uint32_t count = w->spec->constant_count;
    uint8_t *section = section_bytes(w, TTSB_SECTION_CONST);
    uint8_t *entry = section + 8;
    uint8_t *p = entry + (size_t)count * 24;
    store_u32(section, count);
    for (uint32_t i = 0; i < count; i++, entry += 24) {
        const struct blob_constant *c = &w->spec->constants[i];
        const uint64_t name = (uint64_t)(p - section);
        const uint64_t value = align_up(name + strlen(c->name) + 1, 8);
        memcpy(p, c->name, strlen(c->name));
        store_u32(entry, (uint32_t)name);
        store_u32(entry + 4, (uint32_t)strlen(c->name));
        store_u32(entry + 8, c->type);
        store_u32(entry + 12, c->items);
        store_u32(entry + 16, (uint32_t)value);
        store_u32(entry + 20, (uint32_t)value_size(c));
        p = section + value;
        for (uint32_t k = 0; k < c->items; k++)
            p = store_item(p, c, k);
    }
}

static void store_payload(struct writer *w)
{
    uint8_t *pieces = section_bytes(w, TTSB_SECTION_PIECES);
    for (uint32_t i = 0; i < w->spec->tensor_count; i++) {
        const struct ttsb_disk_record *r = &w->records[i];
        uint8_t *p = w->bytes + r->offset;
        if (r->flags & TTSB_RECORD_ALIAS)
            continue;
        for (uint64_t k = 0; k < r->size; k++)
            p[k] = r->flags & TTSB_RECORD_ABSENT    ? 0
                   : r->flags & TTSB_RECORD_MISSING ? 0xff
                                                    : blob_byte(i, k);
        for (uint64_t k = 0; k < r->size; k += TTSB_PIECE_SIZE) {
            uint64_t n =
                r->size - k < TTSB_PIECE_SIZE ? r->size - k : TTSB_PIECE_SIZE;
            store_u64(pieces, ttsb__hash64(p + k, (size_t)n));
            pieces += 8;
        }
    }
}

static void store_superblock(struct writer *w)
{
    const uint8_t magic[TTSB_MAGIC_SIZE] = TTSB_MAGIC_BYTES;
    uint8_t *p = w->bytes;
    memcpy(p, magic, sizeof(magic));
    store_u16(p + 8, TTSB_MAJOR);
    store_u16(p + 10, TTSB_MINOR);
    store_u32(p + 12, TTSB_ENDIAN_MARK);
    store_u32(p + 16, TTSB_SUPERBLOCK_SIZE);
    store_u64(p + 24, w->spec->incompat);
    store_u64(p + 40, w->size);
    for (uint8_t i = 0; i < 16; i++)
        p[56 + i] = (uint8_t)(0xc0 + i);
    store_u64(p + 88, w->spec->revision);
    memcpy(p + 96, w->spec->model, strlen(w->spec->model));
    for (uint32_t i = 0; i < w->section_count; i++) {
        uint8_t *entry = p + 256 + (size_t)i * 40;
        store_u32(entry, w->sections[i].type);
        store_u32(entry + 4, w->sections[i].flags);
        store_u64(entry + 8, w->sections[i].offset);
        store_u64(entry + 16, w->sections[i].size);
    }
}

static void seal_sections(struct blob *b)
{
    for (uint32_t i = 0; i < TTSB_MAX_SECTIONS; i++) {
        uint8_t *entry = b->bytes + 256 + (size_t)i * 40;
        uint64_t offset = load_u64(entry + 8);
        uint64_t size = load_u64(entry + 16);
        if (load_u32(entry) == 0)
            break;
        if (size_inside(offset, size, b->size))
            ttsb__hash128(b->bytes + offset, (size_t)size, entry + 24);
    }
}

struct blob blob_build(const struct blob_spec *spec)
{
    struct writer w = {.spec = spec};
    struct blob b;
    w.records = take(spec->tensor_count, sizeof(*w.records));
    w.groups = take(spec->group_count, sizeof(*w.groups));
    place_sections(&w);
    place_payload(&w);
    w.bytes = take((size_t)w.size, 1);
    store_index(&w);
    store_order(&w);
    store_constants(&w);
    memcpy(section_bytes(&w, TTSB_SECTION_META), spec->meta,
           strlen(spec->meta));
    for (uint32_t i = TTSB_SECTION_META; i < w.section_count; i++)
        memcpy(w.bytes + w.sections[i].offset, "extra", 5);
    store_payload(&w);
    store_superblock(&w);
    free(w.records);
    free(w.groups);
    b = (struct blob){w.bytes, (size_t)w.size};
    blob_seal(&b, BLOB_SEAL_SECTIONS);
    return b;
}

void blob_release(struct blob *b)
{
    free(b->bytes);
    b->bytes = NULL;
}

uint8_t blob_byte(uint32_t index, uint64_t at)
{
    return (uint8_t)(1 + index * 13 + at * 7 + at / 251);
}

void blob_seal(struct blob *b, enum blob_seal what)
{
    uint8_t *p = b->bytes;
    if (what >= BLOB_SEAL_SECTIONS)
        seal_sections(b);
    if (what >= BLOB_SEAL_ROOT) {
        memset(p + 48, 0, 8);
        memset(p + 72, 0, 16);
        ttsb__hash128(p, TTSB_SUPERBLOCK_SIZE, p + 72);
    }
    if (what >= BLOB_SEAL_SELF) {
        memset(p + 48, 0, 8);
        store_u64(p + 48, ttsb__hash64(p, TTSB_SUPERBLOCK_SIZE));
    }
}

size_t blob_entry(const struct blob *b, uint32_t type)
{
    size_t at = 256;
    while (load_u32(b->bytes + at) != type)
        at += 40;
    return at;
}

size_t blob_section(const struct blob *b, uint32_t type)
{
    return (size_t)load_u64(b->bytes + blob_entry(b, type) + 8);
}

const struct blob_spec *blob_standard(void)
{
    static const struct blob_spec spec = {.model = "Test-model.1_b",
                                          .revision = 3,
                                          .tensors = standard_tensors,
                                          .tensor_count = 12,
                                          .groups = standard_groups,
                                          .group_count = 4,
                                          .constants = standard_constants,
                                          .constant_count = 6,
                                          .meta = "{}"};
    return &spec;
}

const struct blob_spec *blob_partial(void)
{
    static const struct blob_spec spec = {
        .model = "Test-model.1_b",
        .revision = 3,
        .incompat = TTSB_INCOMPAT_PARTIAL,
        .missing = 1u << BLOB_WEIGHT | 1u << BLOB_ALIAS | 1u << BLOB_LAST,
        .tensors = standard_tensors,
        .tensor_count = 12,
        .groups = standard_groups,
        .group_count = 4,
        .constants = standard_constants,
        .constant_count = 6,
        .meta = "{}"};
    return &spec;
}

const struct blob_spec *blob_small(void)
{
    static const struct blob_spec spec = {.model = "small",
                                          .revision = 3,
                                          .tensors = small_tensors,
                                          .tensor_count = 2,
                                          .groups = small_groups,
                                          .group_count = 1,
                                          .constants = standard_constants,
                                          .constant_count = 1,
                                          .meta = "{}"};
    return &spec;
}
