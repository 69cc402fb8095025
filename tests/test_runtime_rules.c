/* SPDX-License-Identifier: MIT
 *
 * test_runtime_rules.c - rules that no single changed field can break.
 *
 * In: blobs that are wrong in several fields which agree with each other, and
 * texts that are nearly UTF-8. Out: the status and the field. Invariant: the
 * right neighbour of each wrong blob opens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "blob.h"
#include "size.h"
#include "ttsb.h"

static void expect_bytes(const struct blob *b, int32_t status,
                         const char *field)
{
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct ttsb_blob *blob;
    assert_int_equal(ttsb_open_memory(b->bytes, b->size, NULL, &blob, &error),
                     status);
    assert_string_equal(error.field, field);
    ttsb_close(blob);
}

static void expect(const struct blob_spec *spec, int32_t status,
                   const char *field)
{
    struct blob b = blob_build(spec);
    expect_bytes(&b, status, field);
    blob_release(&b);
}

/* Two groups; the last record is an alias. */
static void aliases(void **state)
{
    static const struct blob_group groups[] = {{"a", TTSB_PLACE_DEVICE, 256},
                                               {"b", TTSB_PLACE_DEVICE, 256}};
    struct blob_tensor t[] = {
        {.name = "a.x", .dtype = TTSB_U8, .rank = 2, .dims = {3, 5}},
        {.name = "b.x",
         .group = 1,
         .dtype = TTSB_U8,
         .rank = 2,
         .dims = {3, 5}},
        {.name = "b.y",
         .group = 1,
         .flags = TTSB_RECORD_ALIAS,
         .alias_of = 1,
         .dtype = TTSB_U8,
         .rank = 2,
         .dims = {3, 5}}};
    struct blob_spec spec = *blob_small();
    (void)state;
    spec.tensors = t;
    spec.tensor_count = 3;
    spec.groups = groups;
    spec.group_count = 2;
    expect(&spec, TTSB_OK, "");
    t[2].alias_of = 0;
    expect(&spec, TTSB_BAD_INDEX, "alias of");
    t[2].alias_of = 1;
    t[2].dims[0] = 5;
    t[2].dims[1] = 3;
    expect(&spec, TTSB_BAD_INDEX, "dims");
    t[2].rank = 1;
    t[2].dims[0] = 15;
    t[2].dims[1] = 0;
    expect(&spec, TTSB_BAD_INDEX, "dims");
    t[2].rank = 3;
    t[2].dims[0] = 3;
    t[2].dims[1] = 5;
    t[2].dims[2] = 1;
    expect(&spec, TTSB_BAD_INDEX, "dims");
    t[2].rank = 2;
    t[2].dims[2] = 0;
    t[2].dtype = TTSB_I8;
    expect(&spec, TTSB_BAD_INDEX, "dtype");
}

/* An alias of an alias, and of an empty tensor. */
static void odd_targets(void **state)
{
    struct blob_tensor t[] = {
        {.name = "x", .dtype = TTSB_U8, .rank = 1},
        {.name = "y", .flags = TTSB_RECORD_ALIAS, .dtype = TTSB_U8, .rank = 1},
        {.name = "z", .flags = TTSB_RECORD_ALIAS, .dtype = TTSB_U8, .rank = 1}};
    struct blob_spec spec = *blob_small();
    (void)state;
    spec.tensors = t;
    spec.tensor_count = 3;
    expect(&spec, TTSB_OK, "");
    t[2].alias_of = 1;
    expect(&spec, TTSB_BAD_INDEX, "alias of");
}

/* Makes record `i` of `size` bytes at `offset`, from piece `piece` on. */
static void place(struct blob *b, uint32_t i, const uint64_t numbers[3])
{
    uint8_t *record =
        b->bytes + blob_section(b, TTSB_SECTION_INDEX) + (size_t)i * 112;
    store_u64(record + 24, numbers[0]);
    store_u64(record + 32, numbers[1]);
    store_u64(record + 40, numbers[2]);
    store_u64(record + 48, numbers[1]);
}

/* Tensors of almost 2^60 bytes: the ninth would end behind 2^63. */
static void sums(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e",
                                        "f", "g", "h", "i"};
    const uint64_t size = (UINT64_C(1) << 60) - 256;
    struct blob_tensor t[9];
    struct blob_spec spec = *blob_small();
    struct blob b;
    (void)state;
    for (uint32_t i = 0; i < 9; i++)
        t[i] = (struct blob_tensor){
            .name = names[i], .dtype = TTSB_U8, .rank = 1, .dims = {1}};
    spec.tensors = t;
    spec.tensor_count = 9;
    b = blob_build(&spec);
    for (uint32_t i = 0; i < 9; i++) {
        const uint64_t pieces = size / 65536 + 1;
        const uint64_t numbers[3] = {65536 + i * size, size, i * pieces};
        place(&b, i, numbers);
    }
    blob_seal(&b, BLOB_SEAL_SECTIONS);
    expect_bytes(&b, TTSB_OVER_LIMIT, "size");
    blob_release(&b);
}

static void utf8(void **state)
{
    static const struct {
        const char *text;
        int valid;
    } rows[] = {
        {"", 1},
        {"\x7f", 1},
        {"\xc2\x80", 1},
        {"\xdf\xbf", 1},
        {"\xe0\xa0\x80", 1},
        {"\xed\x9f\xbf", 1},
        {"\xee\x80\x80", 1},
        {"\xef\xbf\xbf", 1},
        {"\xf0\x90\x80\x80", 1},
        {"\xf4\x8f\xbf\xbf", 1},
        {"\x80", 0},             /* a continuation alone */
        {"a\xbf", 0},            /* the same */
        {"\xc1\xbf", 0},         /* overlong */
        {"\xe0\x9f\xbf", 0},     /* overlong */
        {"\xf0\x8f\xbf\xbf", 0}, /* overlong */
        {"\xed\xa0\x80", 0},     /* a surrogate */
        {"\xed\xbf\xbf", 0},     /* a surrogate */
        {"\xf4\x90\x80\x80", 0}, /* above U+10FFFF */
        {"\xf8\x88\x80\x80\x80", 0},
        {"\xff", 0},
        {"\xc3", 0}, /* cut short */
        {"\xe2\x82", 0},
        {"\xf0\x9f\x98", 0},
        {"\xe2(\xa1", 0}, /* no continuation */
        {"\xf0\x9f\x98(", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *const items[] = {"before", rows[i].text};
        const struct blob_constant c = {.name = "n",
                                        .type =
                                            TTSB_CONST_STRING | TTSB_CONST_LIST,
                                        .items = 2,
                                        .strings = items};
        struct blob_spec spec = *blob_small();
        spec.constants = &c;
        spec.constant_count = 1;
        expect(&spec, rows[i].valid ? TTSB_OK : TTSB_BAD_CONST,
               rows[i].valid ? "" : "value");
    }
}

/* CONST ends within the padding of the last value. */
static void cut_padding(void **state)
{
    struct blob b = blob_build(blob_standard());
    uint8_t *size = b.bytes + blob_entry(&b, TTSB_SECTION_CONST) + 16;
    (void)state;
    store_u64(size, load_u64(size) - 1);
    blob_seal(&b, BLOB_SEAL_SECTIONS);
    expect_bytes(&b, TTSB_BAD_CONST, "CONST");
    blob_release(&b);
}

/* The order of names is that of unsigned bytes, a prefix first, and nothing
 * of the locale's. */
static void order(void **state)
{
    struct blob_tensor t[] = {
        {.name = "a_b", .dtype = TTSB_U8}, {.name = "a.b", .dtype = TTSB_U8},
        {.name = "a", .dtype = TTSB_U8},   {.name = "aB", .dtype = TTSB_U8},
        {.name = "Z", .dtype = TTSB_U8},   {.name = "10", .dtype = TTSB_U8}};
    static const uint32_t sorted[] = {5, 4, 2, 1, 3, 0};
    struct blob_spec spec = *blob_small();
    struct blob b;
    uint8_t *bytes;
    (void)state;
    spec.tensors = t;
    spec.tensor_count = 6;
    b = blob_build(&spec);
    bytes = b.bytes + blob_section(&b, TTSB_SECTION_NAMEORD);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(load_u32(bytes + 4 * i), sorted[i]);
    expect_bytes(&b, TTSB_OK, "");
    for (size_t i = 1; i < 6; i++) {
        store_u32(bytes + 4 * (i - 1), sorted[i]);
        store_u32(bytes + 4 * i, sorted[i - 1]);
        blob_seal(&b, BLOB_SEAL_SECTIONS);
        expect_bytes(&b, TTSB_BAD_ORDER, "NAMEORD");
        store_u32(bytes + 4 * (i - 1), sorted[i - 1]);
        store_u32(bytes + 4 * i, sorted[i]);
    }
    blob_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aliases),     cmocka_unit_test(odd_targets),
        cmocka_unit_test(sums),        cmocka_unit_test(utf8),
        cmocka_unit_test(cut_padding), cmocka_unit_test(order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
