/* SPDX-License-Identifier: MIT
 *
 * test_runtime_limits.c - each limit of FORMAT.md section 13, at n and n + 1.
 *
 * In: blobs as large as the format allows in one respect, and one larger.
 * Out: the first opens and can be read, the second is TTSB_OVER_LIMIT.
 * Invariant: tensors have no bytes, so that a million of them are 120 MB of
 * index and no payload.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "blob.h"
#include "size.h"
#include "ttsb.h"

/* Builds the blob and expects `status` on `field`; "" if it opens. */
static void expect(const struct blob_spec *spec, int32_t status,
                   const char *field)
{
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct blob b = blob_build(spec);
    struct ttsb_blob *blob;
    assert_int_equal(ttsb_open_memory(b.bytes, b.size, NULL, &blob, &error),
                     status);
    assert_string_equal(error.field, field);
    if (status == TTSB_OK)
        assert_int_equal(ttsb_verify(blob, 1, NULL, NULL), TTSB_OK);
    ttsb_close(blob);
    blob_release(&b);
}

/* `count` names of 8 bytes, "t0000000" onwards. */
static char (*names_new(size_t count))[9]
{
    char(*names)[9] = calloc(count, sizeof(*names));
    assert_non_null(names);
    for (size_t i = 0; i < count; i++) {
        names[i][0] = 't';
        for (size_t k = 7, n = i; k > 0; k--, n /= 10)
            names[i][k] = (char)('0' + n % 10);
    }
    return names;
}

static struct blob_tensor *tensors_new(char (*names)[9], uint32_t count)
{
    struct blob_tensor *tensors = calloc(count, sizeof(*tensors));
    assert_non_null(tensors);
    for (uint32_t i = 0; i < count; i++)
        tensors[i] = (struct blob_tensor){
            .name = names[i], .dtype = TTSB_F32, .rank = 1};
    return tensors;
}

static void tensors(void **state)
{
    const uint32_t count = TTSB_MAX_TENSORS + 1;
    struct blob_spec spec = *blob_small();
    char(*names)[9] = names_new(count);
    struct blob_tensor *list = tensors_new(names, count);
    (void)state;
    spec.tensors = list;
    spec.tensor_count = count - 1;
    expect(&spec, TTSB_OK, "");
    spec.tensor_count = count;
    expect(&spec, TTSB_OVER_LIMIT, "INDEX");
    free(list);
    free(names);
}

/* Backwards, so that proving the names unique has to sort them. */
static void groups(void **state)
{
    const uint32_t count = TTSB_MAX_GROUPS + 1;
    struct blob_spec spec = *blob_small();
    char(*names)[9] = names_new(count);
    struct blob_tensor *list = tensors_new(names, count);
    struct blob_group *groups = calloc(count, sizeof(*groups));
    (void)state;
    assert_non_null(groups);
    for (uint32_t i = 0; i < count; i++) {
        list[i].group = i;
        groups[i] =
            (struct blob_group){names[count - 1 - i], TTSB_PLACE_DEVICE, 256};
    }
    spec.tensors = list;
    spec.groups = groups;
    spec.tensor_count = count - 1;
    spec.group_count = count - 1;
    expect(&spec, TTSB_OK, "");
    groups[count - 2].name = groups[7].name;
    expect(&spec, TTSB_BAD_GROUPS, "name");
    groups[count - 2].name = names[1];
    spec.tensor_count = count;
    spec.group_count = count;
    expect(&spec, TTSB_OVER_LIMIT, "GROUPS");
    free(groups);
    free(list);
    free(names);
}

static void constants(void **state)
{
    const uint32_t count = TTSB_MAX_CONSTANTS + 1;
    static const int64_t one[] = {1};
    struct blob_spec spec = *blob_small();
    char(*names)[9] = names_new(count);
    struct blob_constant *list = calloc(count, sizeof(*list));
    (void)state;
    assert_non_null(list);
    for (uint32_t i = 0; i < count; i++)
        list[i] = (struct blob_constant){
            .name = names[i], .type = TTSB_CONST_I64, .items = 1, .i64 = one};
    spec.constants = list;
    spec.constant_count = count - 1;
    expect(&spec, TTSB_OK, "");
    spec.constant_count = count;
    expect(&spec, TTSB_OVER_LIMIT, "count");
    free(list);
    free(names);
}

/* 8 + 24 + "n", its NUL and zeros to 8, and the items. */
static void const_section(void **state)
{
    const uint32_t items = (TTSB_MAX_CONST_SECTION - 40) / 8;
    struct blob_spec spec = *blob_small();
    int64_t *values = calloc(items + 1, sizeof(*values));
    struct blob_constant c = {.name = "n",
                              .type = TTSB_CONST_I64 | TTSB_CONST_LIST,
                              .items = items,
                              .i64 = values};
    (void)state;
    assert_non_null(values);
    spec.constants = &c;
    spec.constant_count = 1;
    expect(&spec, TTSB_OK, "");
    c.items++;
    expect(&spec, TTSB_OVER_LIMIT, "CONST");
    free(values);
}

/* A name or text of n bytes. */
static char *text_new(size_t n)
{
    char *text = malloc(n + 1);
    assert_non_null(text);
    memset(text, 'x', n);
    text[n] = 0;
    return text;
}

static void strings(void **state)
{
    char *text = text_new(TTSB_MAX_STRING + 1);
    const char *const items[] = {text + 1};
    const char *const longer[] = {text};
    struct blob_spec spec = *blob_small();
    struct blob_constant c = {
        .name = "n", .type = TTSB_CONST_STRING, .items = 1, .strings = items};
    (void)state;
    spec.constants = &c;
    spec.constant_count = 1;
    expect(&spec, TTSB_OK, "");
    c.strings = longer;
    expect(&spec, TTSB_OVER_LIMIT, "string length");
    free(text);
}

static void names(void **state)
{
    static const int64_t one[] = {1};
    char *text = text_new(TTSB_MAX_NAME + 1);
    struct blob_tensor t = {.name = text + 1, .dtype = TTSB_U8};
    struct blob_group g = {text + 1, TTSB_PLACE_HOST, 256};
    struct blob_constant c = {
        .name = text + 1, .type = TTSB_CONST_I64, .items = 1, .i64 = one};
    struct blob_spec spec = *blob_small();
    (void)state;
    spec.tensors = &t;
    spec.tensor_count = 1;
    spec.groups = &g;
    spec.constants = &c;
    expect(&spec, TTSB_OK, "");
    t.name = text;
    expect(&spec, TTSB_OVER_LIMIT, "name length");
    t.name = "t";
    g.name = text;
    expect(&spec, TTSB_OVER_LIMIT, "name length");
    g.name = "g";
    c.name = text;
    expect(&spec, TTSB_OVER_LIMIT, "name length");
    free(text);
}

static void model(void **state)
{
    char *text = text_new(TTSB_MAX_MODEL_NAME + 1);
    struct blob_spec spec = *blob_small();
    (void)state;
    spec.model = text + 1;
    spec.revision = INT64_MAX;
    expect(&spec, TTSB_OK, "");
    spec.revision++;
    expect(&spec, TTSB_OVER_LIMIT, "revision");
    spec.revision = 0;
    spec.model = text;
    expect(&spec, TTSB_BAD_MODEL_NAME, "model");
    free(text);
}

static void sections(void **state)
{
    struct blob_spec spec = *blob_small();
    (void)state;
    spec.extra_sections = TTSB_MAX_SECTIONS - TTSB_SECTION_META;
    expect(&spec, TTSB_OK, "");
}

/* No constants, no META: sections may be empty. */
static void least(void **state)
{
    static const struct blob_tensor t = {
        .name = "t", .dtype = TTSB_U8, .rank = 1};
    struct blob_spec spec = *blob_small();
    (void)state;
    spec.tensors = &t;
    spec.tensor_count = 1;
    spec.constant_count = 0;
    spec.meta = "";
    expect(&spec, TTSB_OK, "");
}

/* Shapes of no bytes, the largest and one above. */
static void shapes(void **state)
{
    struct blob_tensor t = {.name = "t",
                            .dtype = TTSB_U8,
                            .rank = 8,
                            .dims = {0, INT64_MAX, 1, 1, 1, 1, 1, 1}};
    struct blob_spec spec = *blob_small();
    (void)state;
    spec.tensors = &t;
    spec.tensor_count = 1;
    expect(&spec, TTSB_OK, "");
    t.dims[7] = 2;
    expect(&spec, TTSB_OVER_LIMIT, "dims");
    t.dims[7] = 1;
    t.dims[1]++;
    expect(&spec, TTSB_OVER_LIMIT, "dims");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors),   cmocka_unit_test(groups),
        cmocka_unit_test(constants), cmocka_unit_test(const_section),
        cmocka_unit_test(strings),   cmocka_unit_test(names),
        cmocka_unit_test(model),     cmocka_unit_test(sections),
        cmocka_unit_test(least),     cmocka_unit_test(shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
