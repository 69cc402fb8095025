/* SPDX-License-Identifier: MIT
 *
 * test_runtime_use.c - which tensors were never looked up.
 *
 * In: the standard and the partial blob, opened with words to count in. Out:
 * exactly the names that were not asked for. Invariant: a caller of version
 * 1.0 counts nothing and is served as before; threads lose no bit.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "blob.h"
#include "ttsb.h"

enum { TENSORS = 12, WORDS = TTSB_USED_WORDS(TENSORS) };

static int32_t open_used(const struct blob *b, uint32_t *used, uint64_t words,
                         struct ttsb_blob **blob, struct ttsb_error *error)
{
    const struct ttsb_open_options options = {.struct_size = sizeof(options),
                                              .flags = TTSB_OPEN_PARTIAL,
                                              .used = used,
                                              .used_words = words};
    return ttsb_open_memory(b->bytes, b->size, &options, blob, error);
}

/* Bit i: record i is unused. */
static uint32_t unused(const struct ttsb_blob *blob)
{
    struct ttsb_tensor t = {.struct_size = sizeof(t)};
    uint32_t found = 0;
    for (uint32_t i = 0; ttsb_unused(blob, i, &t) == TTSB_OK; i = t.index + 1) {
        assert_true(t.index >= i);
        assert_string_equal(t.name, blob_standard()->tensors[t.index].name);
        found |= 1u << t.index;
    }
    return found;
}

static int32_t find(const struct ttsb_blob *blob, uint32_t index)
{
    struct ttsb_tensor t = {.struct_size = sizeof(t)};
    return ttsb_find(blob, blob_standard()->tensors[index].name, &t, NULL);
}

/* All are looked up but one, which is named; the words need not be 0. */
static void one_forgotten(void **state)
{
    struct blob b = blob_build(blob_standard());
    (void)state;
    assert_int_equal(blob_standard()->tensor_count, TENSORS);
    for (uint32_t forgotten = 0; forgotten <= TENSORS; forgotten++) {
        uint32_t used[WORDS + 1] = {0xeeeeeeee, 0xeeeeeeee};
        struct ttsb_blob *blob;
        assert_int_equal(open_used(&b, used, WORDS, &blob, NULL), TTSB_OK);
        assert_int_equal(unused(blob), (1u << TENSORS) - 1);
        for (uint32_t i = 0; i < TENSORS; i++)
            if (i != forgotten)
                assert_int_equal(find(blob, i),
                                 i == BLOB_ABSENT ? TTSB_ABSENT : TTSB_OK);
        assert_int_equal(unused(blob),
                         forgotten == TENSORS ? 0 : 1u << forgotten);
        assert_int_equal(used[WORDS], 0xeeeeeeee);
        ttsb_close(blob);
    }
    blob_release(&b);
}

/* What counts, each from a blob that was just opened. */
static void what_counts(void **state)
{
    struct blob b = blob_build(blob_partial());
    uint32_t used[WORDS];
    struct ttsb_tensor t = {.struct_size = sizeof(t)};
    struct ttsb_tensor small = {.struct_size = 8};
    struct ttsb_blob *blob;
    (void)state;
    assert_int_equal(open_used(&b, used, WORDS, &blob, NULL), TTSB_OK);
    assert_int_equal(find(blob, BLOB_ALIAS), TTSB_MISSING);
    assert_false(unused(blob) & 1u << BLOB_ALIAS);
    assert_true(unused(blob) & 1u << BLOB_WEIGHT);
    assert_int_equal(find(blob, BLOB_ABSENT), TTSB_ABSENT);
    assert_false(unused(blob) & 1u << BLOB_ABSENT);
    assert_int_equal(ttsb_find(blob, "no.such", &t, NULL), TTSB_NOT_FOUND);
    assert_int_equal(ttsb_find(blob, "enc.scalar", &small, NULL),
                     TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_tensor_at(blob, BLOB_SCALAR, &t, NULL), TTSB_OK);
    assert_true(unused(blob) & 1u << BLOB_SCALAR);
    ttsb_mark_used(used, t.index);
    assert_false(unused(blob) & 1u << BLOB_SCALAR);
    assert_int_equal(ttsb_unused(blob, BLOB_LAST, &small), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_unused(blob, TENSORS, &t), TTSB_NOT_FOUND);
    assert_int_equal(ttsb_unused(blob, UINT32_MAX, &t), TTSB_NOT_FOUND);
    assert_int_equal(ttsb_unused(blob, 0, NULL), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_unused(NULL, 0, &t), TTSB_BAD_ARGUMENT);
    ttsb_close(blob);
    blob_release(&b);
}

static void too_few_words(void **state)
{
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct blob b = blob_build(blob_standard());
    uint32_t used[WORDS] = {7};
    struct ttsb_blob *blob;
    (void)state;
    assert_int_equal(open_used(&b, used, 0, &blob, &error), TTSB_BAD_ARGUMENT);
    assert_null(blob);
    assert_string_equal(error.field, "options->used_words");
    assert_string_equal(error.text,
                        "the blob has 12 tensors and 'used' must have 1 words");
    assert_int_equal(error.found, 0);
    assert_int_equal(error.expected, WORDS);
    assert_int_equal(used[0], 7);
    assert_int_equal(open_used(&b, NULL, 1, &blob, &error), TTSB_BAD_ARGUMENT);
    assert_string_equal(error.field, "options->used");
    blob_release(&b);
}

/* The struct of version 1.0, and one of a version to come. */
static void other_versions(void **state)
{
    struct {
        struct ttsb_open_options options;
        uint64_t more;
    } later = {.options = {.struct_size = sizeof(later)}};
    struct {
        uint32_t struct_size;
        uint32_t flags;
        uint64_t not_ours[2];
    } old = {8, 0, {UINT64_MAX, UINT64_MAX}};
    const struct ttsb_open_options *options =
        (const struct ttsb_open_options *)(const void *)&old;
    struct blob b = blob_build(blob_standard());
    struct ttsb_tensor t = {.struct_size = sizeof(t)};
    struct ttsb_blob *blob;
    (void)state;
    assert_int_equal(ttsb_open_memory(b.bytes, b.size, options, &blob, NULL),
                     TTSB_OK);
    assert_int_equal(find(blob, BLOB_WEIGHT), TTSB_OK);
    assert_int_equal(ttsb_unused(blob, 0, &t), TTSB_BAD_ARGUMENT);
    ttsb_close(blob);
    options = &later.options;
    assert_int_equal(ttsb_open_memory(b.bytes, b.size, options, &blob, NULL),
                     TTSB_OK);
    ttsb_close(blob);
    later.more = 1;
    assert_int_equal(ttsb_open_memory(b.bytes, b.size, options, &blob, NULL),
                     TTSB_BAD_ARGUMENT);
    for (uint32_t size = 0; size < sizeof(*options); size++) {
        later.options.struct_size = size;
        assert_int_equal(
            ttsb_open_memory(b.bytes, b.size, options, &blob, NULL),
            size == 8 ? TTSB_OK : TTSB_BAD_ARGUMENT);
        ttsb_close(blob);
    }
    later.options.struct_size = 4097;
    assert_int_equal(ttsb_open_memory(b.bytes, b.size, options, &blob, NULL),
                     TTSB_BAD_ARGUMENT);
    blob_release(&b);
}

/* What programs were compiled with; they are never told of a new size. */
static void sizes(void **state)
{
    (void)state;
    assert_int_equal(offsetof(struct ttsb_open_options, used), 8);
    assert_int_equal(sizeof(struct ttsb_open_options), 24);
    assert_int_equal(sizeof(struct ttsb_error), 344);
    assert_int_equal(sizeof(struct ttsb_info), 104);
    assert_int_equal(sizeof(struct ttsb_requirement), 40);
    assert_int_equal(sizeof(struct ttsb_tensor), 152);
    assert_int_equal(sizeof(struct ttsb_group), 64);
    assert_int_equal(sizeof(struct ttsb_constant), 40);
}

/* One thread's share: all names, in an order of its own. */
struct share {
    const struct ttsb_blob *blob;
    uint32_t start;
};

static void *look_up(void *user)
{
    const struct share *s = user;
    struct ttsb_tensor t = {.struct_size = sizeof(t)};
    for (uint32_t i = 0; i < TENSORS; i++)
        if ((s->start + i) % TENSORS != BLOB_RANK8)
            ttsb_find(s->blob,
                      blob_standard()->tensors[(s->start + i) % TENSORS].name,
                      &t, NULL);
    ttsb_unused(s->blob, 0, &t);
    return NULL;
}

static void threads(void **state)
{
    struct blob b = blob_build(blob_standard());
    uint32_t used[WORDS];
    struct ttsb_blob *blob;
    pthread_t ids[4];
    struct share shares[4];
    (void)state;
    for (int round = 0; round < 50; round++) {
        assert_int_equal(open_used(&b, used, WORDS, &blob, NULL), TTSB_OK);
        for (uint32_t i = 0; i < 4; i++) {
            shares[i] = (struct share){blob, 3 * i};
            assert_int_equal(pthread_create(&ids[i], NULL, look_up, &shares[i]),
                             0);
        }
        for (uint32_t i = 0; i < 4; i++)
            assert_int_equal(pthread_join(ids[i], NULL), 0);
        assert_int_equal(unused(blob), 1u << BLOB_RANK8);
        ttsb_close(blob);
    }
    blob_release(&b);
}

/* Across a word's end. */
static void bits(void **state)
{
    uint32_t used[TTSB_USED_WORDS(65)] = {0};
    (void)state;
    assert_int_equal(sizeof(used), 3 * sizeof(used[0]));
    assert_int_equal(TTSB_USED_WORDS(64), 2);
    for (uint32_t i = 0; i < 65; i += 31) {
        assert_int_equal(ttsb_is_used(used, i), 0);
        ttsb_mark_used(used, i);
        ttsb_mark_used(used, i);
        assert_int_equal(ttsb_is_used(used, i), 1);
    }
    assert_int_equal(used[0], 0x80000001u);
    assert_int_equal(used[1], 0x40000000u);
    assert_int_equal(used[2], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_forgotten), cmocka_unit_test(what_counts),
        cmocka_unit_test(too_few_words), cmocka_unit_test(other_versions),
        cmocka_unit_test(threads),       cmocka_unit_test(bits),
        cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
