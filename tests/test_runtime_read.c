/* SPDX-License-Identifier: MIT
 *
 * test_runtime_read.c - what an open blob tells.
 *
 * In: the standard and the partial blob. Out: tensors, groups, constants,
 * pointers and digests as they were described to the builder. Invariant: every
 * record is found by its index and by its name; nothing is told of a tensor's
 * bytes that the checkpoint lacked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "blob.h"
#include "hash.h"
#include "size.h"
#include "ttsb.h"

/* A blob, open, and its bytes. */
struct fixture {
    struct blob bytes;
    struct ttsb_blob *blob;
};

static void fixture_open(struct fixture *f, const struct blob_spec *spec)
{
    const struct ttsb_open_options partial = {.struct_size = sizeof(partial),
                                              .flags = TTSB_OPEN_PARTIAL};
    f->bytes = blob_build(spec);
    assert_int_equal(ttsb_open_memory(f->bytes.bytes, f->bytes.size, &partial,
                                      &f->blob, NULL),
                     TTSB_OK);
}

static void fixture_close(struct fixture *f)
{
    ttsb_close(f->blob);
    blob_release(&f->bytes);
}

static struct ttsb_tensor tensor_at(const struct fixture *f, uint32_t index)
{
    struct ttsb_tensor t = {.struct_size = sizeof(t)};
    assert_int_equal(ttsb_tensor_at(f->blob, index, &t, NULL), TTSB_OK);
    return t;
}

static void info(void **state)
{
    struct ttsb_info info = {.struct_size = sizeof(info)};
    struct fixture f;
    (void)state;
    fixture_open(&f, blob_standard());
    assert_int_equal(ttsb_info(f.blob, &info), TTSB_OK);
    assert_string_equal(info.model, "Test-model.1_b");
    assert_int_equal(info.revision, 3);
    assert_int_equal(info.contract_id[0], 0xc0);
    assert_int_equal(info.contract_id[15], 0xcf);
    assert_memory_equal(info.root, f.bytes.bytes + 72, 16);
    assert_int_equal(info.file_size, f.bytes.size);
    assert_int_equal(info.tensor_count, 12);
    assert_int_equal(info.group_count, 4);
    assert_int_equal(info.constant_count, 6);
    assert_int_equal(info.piece_count, 10);
    assert_int_equal(info.major, 1);
    assert_int_equal(info.minor, 0);
    assert_int_equal(info.partial, 0);
    assert_int_equal(info.incompat, 0);
    info.struct_size--;
    assert_int_equal(ttsb_info(f.blob, &info), TTSB_BAD_ARGUMENT);
    info.struct_size = 4097;
    assert_int_equal(ttsb_info(f.blob, &info), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_info(NULL, &info), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_info(f.blob, NULL), TTSB_BAD_ARGUMENT);
    fixture_close(&f);
    fixture_open(&f, blob_partial());
    info.struct_size = sizeof(info);
    assert_int_equal(ttsb_info(f.blob, &info), TTSB_OK);
    assert_int_equal(info.partial, 1);
    fixture_close(&f);
}

static void check_tensor(const struct ttsb_tensor *t,
                         const struct blob_tensor *spec)
{
    const uint8_t *data = t->data;
    const uint32_t source =
        t->flags & TTSB_RECORD_ALIAS ? spec->alias_of : t->index;
    assert_string_equal(t->name, spec->name);
    assert_int_equal(t->name_length, strlen(spec->name));
    assert_int_equal(t->dtype, spec->dtype);
    assert_int_equal(t->rank, spec->rank);
    assert_memory_equal(t->dims, spec->dims, sizeof(t->dims));
    assert_int_equal(t->flags, spec->flags);
    assert_int_equal(t->group, spec->group);
    assert_int_equal(t->piece_count, (t->size + 65535) / 65536);
    if (t->flags & TTSB_RECORD_ABSENT) {
        assert_null(t->data);
        return;
    }
    for (uint64_t i = 0; i < t->size; i++)
        assert_int_equal(data[i], blob_byte(source, i));
}

static void tensors(void **state)
{
    const struct blob_spec *spec = blob_standard();
    struct fixture f;
    (void)state;
    fixture_open(&f, spec);
    for (uint32_t i = 0; i < spec->tensor_count; i++) {
        const struct ttsb_tensor t = tensor_at(&f, i);
        struct ttsb_tensor found = {.struct_size = sizeof(found)};
        assert_int_equal(t.index, i);
        check_tensor(&t, &spec->tensors[i]);
        assert_int_equal(ttsb_find(f.blob, spec->tensors[i].name, &found, NULL),
                         i == BLOB_ABSENT ? TTSB_ABSENT : TTSB_OK);
        assert_memory_equal(&t, &found, sizeof(t));
    }
    fixture_close(&f);
}

static void places(void **state)
{
    static const struct {
        uint32_t index;
        uint64_t group_offset;
        uint64_t size;
        uint64_t first_piece;
    } rows[] = {
        {BLOB_WEIGHT, 0, 60, 0},     {BLOB_OPTIONAL, 256, 20, 1},
        {BLOB_ABSENT, 512, 20, 2},   {BLOB_ALIAS, 0, 60, 0},
        {BLOB_ZERO_SIZE, 768, 0, 3}, {BLOB_SCALAR, 768, 8, 3},
        {BLOB_BIG, 0, 70000, 4},     {BLOB_RANK8, 73728, 48, 6},
        {BLOB_NONE, 0, 0, 7},        {BLOB_WHOLE, 0, 65536, 7},
        {BLOB_FOUR, 65536, 3, 8},    {BLOB_LAST, 131072, 8, 9},
    };
    struct fixture f;
    (void)state;
    fixture_open(&f, blob_standard());
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct ttsb_tensor t = tensor_at(&f, rows[i].index);
        assert_int_equal(t.group_offset, rows[i].group_offset);
        assert_int_equal(t.size, rows[i].size);
        assert_int_equal(t.first_piece, rows[i].first_piece);
        assert_int_equal(t.alias_of, i == BLOB_ALIAS ? 0 : TTSB_NO_TENSOR);
    }
    fixture_close(&f);
}

static void lookup_failures(void **state)
{
    static const char *const names[] = {
        "",  "enc", "enc.0.weigh", "enc.0.weightx",
        "a", "zzz", "table.",      "TABLE.big"};
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct ttsb_tensor t = {.struct_size = sizeof(t), .index = 77};
    struct fixture f;
    (void)state;
    fixture_open(&f, blob_standard());
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(ttsb_find(f.blob, names[i], &t, &error),
                         TTSB_NOT_FOUND);
    assert_int_equal(t.index, 77);
    assert_string_equal(error.text,
                        "the blob of 'Test-model.1_b' has no tensor "
                        "'TABLE.big'");
    assert_int_equal(ttsb_tensor_at(f.blob, 12, &t, &error), TTSB_OUT_OF_RANGE);
    assert_int_equal(error.found, 12);
    assert_int_equal(ttsb_tensor_at(f.blob, UINT32_MAX, &t, NULL),
                     TTSB_OUT_OF_RANGE);
    assert_int_equal(ttsb_tensor_at(NULL, 0, &t, NULL), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_tensor_at(f.blob, 0, NULL, NULL), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_find(NULL, "a", &t, NULL), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_find(f.blob, NULL, &t, NULL), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_find(f.blob, "enc.zero", NULL, NULL),
                     TTSB_BAD_ARGUMENT);
    t.struct_size = 0;
    assert_int_equal(ttsb_find(f.blob, "enc.zero", &t, &error),
                     TTSB_BAD_ARGUMENT);
    assert_string_equal(error.field, "tensor->struct_size");
    assert_int_equal(ttsb_tensor_at(f.blob, 0, &t, NULL), TTSB_BAD_ARGUMENT);
    fixture_close(&f);
}

static void missing(void **state)
{
    static const char *const names[] = {"enc.0.weight", "enc.alias", "dec.w2"};
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct fixture f;
    (void)state;
    fixture_open(&f, blob_partial());
    for (size_t i = 0; i < 3; i++) {
        struct ttsb_tensor t = {.struct_size = sizeof(t)};
        assert_int_equal(ttsb_find(f.blob, names[i], &t, &error), TTSB_MISSING);
        assert_int_equal(error.tensor, t.index);
        assert_null(t.data);
        assert_string_equal(t.name, names[i]);
        assert_true(t.flags & TTSB_RECORD_MISSING);
        assert_null(tensor_at(&f, t.index).data);
        assert_null(
            ttsb_pointer(f.blob, f.bytes.bytes, t.index, t.group_offset));
    }
    assert_non_null(tensor_at(&f, BLOB_OPTIONAL).data);
    fixture_close(&f);
}

static void groups(void **state)
{
    const struct blob_spec *spec = blob_standard();
    static const uint32_t firsts[] = {0, 6, 8, 9, 12};
    static const uint64_t sizes[] = {65536, 131072, 0, 196608};
    struct ttsb_group g = {.struct_size = sizeof(g)};
    const void *bases[4];
    uint64_t offset = 65536;
    struct fixture f;
    (void)state;
    fixture_open(&f, spec);
    assert_int_equal(ttsb_host_bases(f.blob, bases, 4), TTSB_OK);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(ttsb_group_at(f.blob, i, &g), TTSB_OK);
        assert_int_equal(g.index, i);
        assert_string_equal(g.name, spec->groups[i].name);
        assert_int_equal(g.name_length, strlen(spec->groups[i].name));
        assert_int_equal(g.place, spec->groups[i].place);
        assert_int_equal(g.align, spec->groups[i].align);
        assert_int_equal(g.first_tensor, firsts[i]);
        assert_int_equal(g.tensor_count, firsts[i + 1] - firsts[i]);
        assert_int_equal(g.offset, offset);
        assert_int_equal(g.size, sizes[i]);
        assert_ptr_equal(g.data, g.size != 0 ? f.bytes.bytes + offset : NULL);
        assert_ptr_equal(bases[i], g.data);
        offset += g.size;
    }
    assert_int_equal(ttsb_group_at(f.blob, 4, &g), TTSB_OUT_OF_RANGE);
    assert_int_equal(ttsb_group_at(NULL, 0, &g), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_group_at(f.blob, 0, NULL), TTSB_BAD_ARGUMENT);
    g.struct_size = 8;
    assert_int_equal(ttsb_group_at(f.blob, 0, &g), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_host_bases(f.blob, bases, 3), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_host_bases(f.blob, NULL, 4), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_host_bases(NULL, bases, 4), TTSB_BAD_ARGUMENT);
    fixture_close(&f);
}

static void pointers(void **state)
{
    const uint8_t device[1] = {0};
    struct fixture f;
    (void)state;
    fixture_open(&f, blob_standard());
    for (uint32_t i = 0; i < 12; i++) {
        const struct ttsb_tensor t = tensor_at(&f, i);
        const void *p = ttsb_pointer(f.blob, f.bytes.bytes, i, t.group_offset);
        assert_ptr_equal(p, i == BLOB_ABSENT ? NULL
                                             : f.bytes.bytes + t.group_offset);
        assert_null(ttsb_pointer(f.blob, device, i, t.group_offset + 1));
        assert_null(ttsb_pointer(f.blob, NULL, i, t.group_offset));
    }
    assert_null(ttsb_pointer(f.blob, device, 12, 0));
    assert_null(ttsb_pointer(NULL, device, 0, 0));
    fixture_close(&f);
}

static void require(void **state)
{
    uint8_t id[16];
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct ttsb_requirement r = {.struct_size = sizeof(r),
                                 .model = "Test-model.1_b",
                                 .revision_min = 3,
                                 .revision_max = 3,
                                 .contract_id = id};
    struct fixture f;
    (void)state;
    for (uint8_t i = 0; i < 16; i++)
        id[i] = (uint8_t)(0xc0 + i);
    fixture_open(&f, blob_standard());
    assert_int_equal(ttsb_require(f.blob, &r, &error), TTSB_OK);
    id[15] ^= 1;
    assert_int_equal(ttsb_require(f.blob, &r, &error), TTSB_WRONG_CONTRACT);
    assert_string_equal(error.field, "contract id");
    assert_non_null(strstr(error.text, "rebuild it with: ttswc compile"));
    r.revision_max = 9;
    r.revision_min = 4;
    assert_int_equal(ttsb_require(f.blob, &r, &error), TTSB_WRONG_REVISION);
    assert_int_equal(error.found, 3);
    assert_int_equal(error.expected, 4);
    assert_non_null(strstr(error.text, "rebuild it with: ttswc compile"));
    r.revision_min = 0;
    r.revision_max = 2;
    assert_int_equal(ttsb_require(f.blob, &r, &error), TTSB_WRONG_REVISION);
    assert_int_equal(error.expected, 2);
    r.model = "Test-model.1_";
    assert_int_equal(ttsb_require(f.blob, &r, &error), TTSB_WRONG_MODEL);
    assert_non_null(strstr(error.text, "rebuild it with: ttswc compile"));
    r.model = NULL;
    r.contract_id = NULL;
    r.revision_max = UINT64_MAX;
    assert_int_equal(ttsb_require(f.blob, &r, &error), TTSB_OK);
    r.revision_min = 5;
    r.revision_max = 4;
    assert_int_equal(ttsb_require(f.blob, &r, &error), TTSB_BAD_ARGUMENT);
    r.revision_max = UINT64_MAX;
    r.struct_size = 4;
    assert_int_equal(ttsb_require(f.blob, &r, &error), TTSB_BAD_ARGUMENT);
    r.struct_size = 4097;
    assert_int_equal(ttsb_require(f.blob, &r, &error), TTSB_BAD_ARGUMENT);
    assert_string_equal(error.field, "requirement->struct_size");
    assert_int_equal(ttsb_require(f.blob, NULL, NULL), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_require(NULL, &r, NULL), TTSB_BAD_ARGUMENT);
    fixture_close(&f);
}

static void check_item(const struct fixture *f, const struct ttsb_constant *c,
                       const struct blob_constant *spec, uint32_t item)
{
    const uint32_t kind = spec->type & 0xff;
    struct ttsb_string s;
    int64_t i64;
    double f64;
    assert_int_equal(ttsb_constant_i64(f->blob, c, item, &i64),
                     kind == TTSB_CONST_I64 ? TTSB_OK : TTSB_WRONG_TYPE);
    assert_int_equal(ttsb_constant_f64(f->blob, c, item, &f64),
                     kind == TTSB_CONST_F64 ? TTSB_OK : TTSB_WRONG_TYPE);
    assert_int_equal(ttsb_constant_string(f->blob, c, item, &s),
                     kind == TTSB_CONST_STRING ? TTSB_OK : TTSB_WRONG_TYPE);
    if (kind == TTSB_CONST_I64)
        assert_true(i64 == spec->i64[item]);
    if (kind == TTSB_CONST_F64)
        assert_memory_equal(&f64, &spec->f64[item], sizeof(f64));
    if (kind == TTSB_CONST_STRING) {
        assert_string_equal(s.bytes, spec->strings[item]);
        assert_int_equal(s.length, strlen(spec->strings[item]));
    }
}

static void constants(void **state)
{
    const struct blob_spec *spec = blob_standard();
    struct fixture f;
    (void)state;
    fixture_open(&f, spec);
    for (uint32_t i = 0; i < spec->constant_count; i++) {
        const struct blob_constant *want = &spec->constants[i];
        struct ttsb_constant c = {.struct_size = sizeof(c)};
        struct ttsb_constant found = {.struct_size = sizeof(found)};
        assert_int_equal(ttsb_constant_at(f.blob, i, &c), TTSB_OK);
        assert_int_equal(ttsb_constant_find(f.blob, want->name, &found),
                         TTSB_OK);
        assert_memory_equal(&c, &found, sizeof(c));
        assert_string_equal(c.name, want->name);
        assert_int_equal(c.name_length, strlen(want->name));
        assert_int_equal(c.type, want->type);
        assert_int_equal(c.items, want->items);
        for (uint32_t k = 0; k < c.items; k++)
            check_item(&f, &c, want, k);
    }
    fixture_close(&f);
}

static void constant_failures(void **state)
{
    static const char *const names[] = {"", "a", "rat", "ratess", "z"};
    struct ttsb_constant c = {.struct_size = sizeof(c)};
    struct ttsb_string s;
    int64_t i64 = 0;
    double f64 = 0;
    struct fixture f;
    (void)state;
    fixture_open(&f, blob_standard());
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(ttsb_constant_find(f.blob, names[i], &c),
                         TTSB_NOT_FOUND);
    assert_int_equal(ttsb_constant_at(f.blob, 6, &c), TTSB_OUT_OF_RANGE);
    assert_int_equal(ttsb_constant_at(f.blob, 0, NULL), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_constant_at(NULL, 0, &c), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_constant_find(f.blob, NULL, &c), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_constant_find(f.blob, "words", &c), TTSB_OK);
    assert_int_equal(ttsb_constant_string(f.blob, &c, 3, &s),
                     TTSB_OUT_OF_RANGE);
    assert_int_equal(ttsb_constant_string(f.blob, &c, 0, NULL),
                     TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_constant_i64(f.blob, NULL, 0, &i64),
                     TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_constant_f64(NULL, &c, 0, &f64), TTSB_BAD_ARGUMENT);
    /* Only the index is believed. */
    c.items = UINT32_MAX;
    c.type = TTSB_CONST_I64;
    assert_int_equal(ttsb_constant_i64(f.blob, &c, 9, &i64), TTSB_WRONG_TYPE);
    c.index = 6;
    assert_int_equal(ttsb_constant_i64(f.blob, &c, 0, &i64), TTSB_OUT_OF_RANGE);
    fixture_close(&f);
}

/* The digest by section 5's words: one block of bytes, hashed at once. */
static void expected_digest(const struct ttsb_tensor *t, uint8_t digest[16])
{
    uint8_t bytes[8 + 64 + 16];
    size_t n = 8;
    store_u32(bytes, t->dtype);
    store_u32(bytes + 4, t->rank);
    for (uint32_t d = 0; d < t->rank; d++, n += 8)
        store_u64(bytes + n, t->dims[d]);
    for (uint64_t at = 0; at < t->size; at += 65536, n += 8) {
        uint64_t size = t->size - at < 65536 ? t->size - at : 65536;
        store_u64(bytes + n,
                  ttsb__hash64((const uint8_t *)t->data + at, (size_t)size));
    }
    ttsb__hash128(bytes, n, digest);
}

static void digests(void **state)
{
    uint8_t digest[16];
    uint8_t expected[16];
    struct fixture f;
    (void)state;
    fixture_open(&f, blob_standard());
    for (uint32_t i = 0; i < 12; i++) {
        struct ttsb_tensor t = tensor_at(&f, i);
        t.data = f.bytes.bytes + t.offset;
        expected_digest(&t, expected);
        assert_int_equal(ttsb_tensor_digest(f.blob, i, digest), TTSB_OK);
        assert_memory_equal(digest, expected, 16);
    }
    assert_int_equal(ttsb_tensor_digest(f.blob, 12, digest), TTSB_OUT_OF_RANGE);
    assert_int_equal(ttsb_tensor_digest(f.blob, 0, NULL), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_tensor_digest(NULL, 0, digest), TTSB_BAD_ARGUMENT);
    fixture_close(&f);
}

static void dtypes(void **state)
{
    static const struct {
        uint32_t code;
        const char *name;
        uint32_t bits;
        uint32_t nan_fill;
    } rows[] = {
        {1, "BOOL", 8, 0},         {2, "U8", 8, 0},
        {3, "I8", 8, 0},           {4, "U16", 16, 0},
        {5, "I16", 16, 0},         {6, "U32", 32, 0},
        {7, "I32", 32, 0},         {8, "U64", 64, 0},
        {9, "I64", 64, 0},         {10, "F16", 16, 1},
        {11, "BF16", 16, 1},       {12, "F32", 32, 1},
        {13, "F64", 64, 1},        {14, "C64", 64, 1},
        {15, "F8_E4M3", 8, 1},     {16, "F8_E5M2", 8, 1},
        {17, "F8_E8M0", 8, 1},     {18, "F8_E4M3FNUZ", 8, 0},
        {19, "F8_E5M2FNUZ", 8, 0}, {20, "F4", 4, 0},
        {21, "F6_E2M3", 6, 0},     {22, "F6_E3M2", 6, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(ttsb_dtype_name(rows[i].code), rows[i].name);
        assert_int_equal(ttsb_dtype_bits(rows[i].code), rows[i].bits);
        assert_int_equal(ttsb_dtype_nan_fill(rows[i].code), rows[i].nan_fill);
    }
    for (uint32_t code = 23; code != 0; code = code == 23 ? UINT32_MAX : 0) {
        assert_null(ttsb_dtype_name(code));
        assert_int_equal(ttsb_dtype_bits(code), 0);
        assert_int_equal(ttsb_dtype_nan_fill(code), 0);
    }
    assert_null(ttsb_dtype_name(0));
    assert_int_equal(ttsb_dtype_bits(0), 0);
}

/* Each pinned number has its name; all others have none. */
static void statuses(void **state)
{
    static const struct {
        int32_t status;
        const char *name;
    } pinned[] = {
        {0, "TTSB_OK"},
        {1, "TTSB_BAD_ARGUMENT"},
        {2, "TTSB_NOT_FOUND"},
        {3, "TTSB_ABSENT"},
        {4, "TTSB_MISSING"},
        {5, "TTSB_WRONG_MODEL"},
        {6, "TTSB_WRONG_REVISION"},
        {7, "TTSB_WRONG_CONTRACT"},
        {8, "TTSB_WRONG_TYPE"},
        {9, "TTSB_OUT_OF_RANGE"},
        {10, "TTSB_CANCELLED"},
        {11, "TTSB_WRONG_FILE"},
        {20, "TTSB_TOO_SHORT"},
        {21, "TTSB_BAD_MAGIC"},
        {22, "TTSB_BAD_ENDIAN"},
        {23, "TTSB_BAD_MAJOR"},
        {24, "TTSB_BAD_FEATURE"},
        {25, "TTSB_IS_PARTIAL"},
        {26, "TTSB_BAD_SELF_HASH"},
        {27, "TTSB_BAD_FILE_SIZE"},
        {28, "TTSB_BAD_PREFIX"},
        {29, "TTSB_BAD_RESERVED"},
        {30, "TTSB_BAD_ROOT"},
        {31, "TTSB_BAD_MODEL_NAME"},
        {32, "TTSB_BAD_SECTION_TABLE"},
        {33, "TTSB_BAD_SECTION_SET"},
        {34, "TTSB_BAD_SECTION_HASH"},
        {35, "TTSB_BAD_INDEX"},
        {36, "TTSB_BAD_NAMES"},
        {37, "TTSB_BAD_ORDER"},
        {38, "TTSB_BAD_GROUPS"},
        {39, "TTSB_BAD_PIECES"},
        {40, "TTSB_BAD_CONST"},
        {41, "TTSB_OVER_LIMIT"},
        {42, "TTSB_DAMAGED_PIECE"},
        {43, "TTSB_DAMAGED_PADDING"},
        {44, "TTSB_DAMAGED_META"},
        {45, "TTSB_DAMAGED_SECTION"},
        {50, "TTSB_SYSTEM_OPEN"},
        {51, "TTSB_SYSTEM_STAT"},
        {52, "TTSB_SYSTEM_MAP"},
        {53, "TTSB_SYSTEM_READ"},
        {54, "TTSB_SYSTEM_NOT_A_FILE"},
        {55, "TTSB_NO_MEMORY"},
        {70, "TTSB_DEVICE_MEMORY"},
        {71, "TTSB_DEVICE_COPY"},
        {72, "TTSB_DEVICE_CALL"},
        {99, "TTSB_BUG"},
    };
    size_t next = 0;
    (void)state;
    for (int32_t s = -3; s < 300; s++) {
        if (next < sizeof(pinned) / sizeof(pinned[0]) &&
            pinned[next].status == s)
            assert_string_equal(ttsb_status_name(s), pinned[next++].name);
        else
            assert_string_equal(ttsb_status_name(s), "TTSB_?");
        assert_true(ttsb_status_text(s)[0] != 0);
    }
    assert_int_equal(next, sizeof(pinned) / sizeof(pinned[0]));
    assert_string_equal(ttsb_status_name(INT32_MIN), "TTSB_?");
    assert_string_equal(ttsb_status_name(INT32_MAX), "TTSB_?");
    assert_string_equal(ttsb_version(), TTSB_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(info),      cmocka_unit_test(tensors),
        cmocka_unit_test(places),    cmocka_unit_test(lookup_failures),
        cmocka_unit_test(missing),   cmocka_unit_test(groups),
        cmocka_unit_test(pointers),  cmocka_unit_test(require),
        cmocka_unit_test(constants), cmocka_unit_test(constant_failures),
        cmocka_unit_test(digests),   cmocka_unit_test(dtypes),
        cmocka_unit_test(statuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
