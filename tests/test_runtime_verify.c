/* SPDX-License-Identifier: MIT
 *
 * test_runtime_verify.c - verify finds damage and names it.
 *
 * In: the standard blob, opened sound and then changed beneath the reader.
 * Out: the status, the tensor and the offset of the lowest damage, whatever
 * the number of threads. Invariant: ranges of pieces together with the rest
 * cover each byte once, so damage shows in exactly one of them.
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

struct fixture {
    struct blob bytes;
    struct ttsb_blob *blob;
};

static void fixture_open(struct fixture *f, const struct blob_spec *spec)
{
    f->bytes = blob_build(spec);
    assert_int_equal(
        ttsb_open_memory(f->bytes.bytes, f->bytes.size, NULL, &f->blob, NULL),
        TTSB_OK);
}

static void fixture_close(struct fixture *f)
{
    ttsb_close(f->blob);
    blob_release(&f->bytes);
}

static uint64_t offset_of(const struct fixture *f, uint32_t tensor)
{
    struct ttsb_tensor t = {.struct_size = sizeof(t)};
    assert_int_equal(ttsb_tensor_at(f->blob, tensor, &t, NULL), TTSB_OK);
    return t.offset;
}

/* Damage `at` bytes into a tensor; what all numbers of threads must say. */
struct damage {
    uint32_t tensor; /* the byte is counted from its start */
    uint64_t at;
    int32_t status;
    uint32_t named;
    uint64_t piece; /* whose range finds it */
    const char *name;
};

static const struct damage damages[] = {
    {BLOB_WEIGHT, 0, TTSB_DAMAGED_PIECE, BLOB_WEIGHT, 0, "'enc.0.weight'"},
    {BLOB_WEIGHT, 59, TTSB_DAMAGED_PIECE, BLOB_WEIGHT, 0, "'enc.0.weight'"},
    {BLOB_WEIGHT, 60, TTSB_DAMAGED_PADDING, BLOB_WEIGHT, 0, "'enc.0.weight'"},
    {BLOB_WEIGHT, 255, TTSB_DAMAGED_PADDING, BLOB_WEIGHT, 0, "'enc.0.weight'"},
    {BLOB_OPTIONAL, 0, TTSB_DAMAGED_PIECE, BLOB_OPTIONAL, 1, "'enc.0.bias'"},
    {BLOB_ABSENT, 0, TTSB_DAMAGED_PIECE, BLOB_ABSENT, 2, "'enc.1.bias'"},
    {BLOB_ABSENT, 255, TTSB_DAMAGED_PADDING, BLOB_ABSENT, 2, "'enc.1.bias'"},
    {BLOB_SCALAR, 7, TTSB_DAMAGED_PIECE, BLOB_SCALAR, 3, "'enc.scalar'"},
    {BLOB_SCALAR, 8, TTSB_DAMAGED_PADDING, BLOB_SCALAR, 3, "'enc.scalar'"},
    {BLOB_SCALAR, 65536 - 768 - 1, TTSB_DAMAGED_PADDING, BLOB_SCALAR, 3,
     "'enc.scalar'"},
    {BLOB_BIG, 65535, TTSB_DAMAGED_PIECE, BLOB_BIG, 4, "'table.big'"},
    {BLOB_BIG, 65536, TTSB_DAMAGED_PIECE, BLOB_BIG, 5, "'table.big'"},
    {BLOB_BIG, 69999, TTSB_DAMAGED_PIECE, BLOB_BIG, 5, "'table.big'"},
    {BLOB_BIG, 70000, TTSB_DAMAGED_PADDING, BLOB_BIG, 5, "'table.big'"},
    {BLOB_RANK8, 1, TTSB_DAMAGED_PIECE, BLOB_RANK8, 6, "'table.rank8'"},
    {BLOB_RANK8, 48, TTSB_DAMAGED_PADDING, BLOB_RANK8, 6, "'table.rank8'"},
    {BLOB_WHOLE, 65535, TTSB_DAMAGED_PIECE, BLOB_WHOLE, 7, "'dec.w'"},
    {BLOB_FOUR, 2, TTSB_DAMAGED_PIECE, BLOB_FOUR, 8, "'dec.half'"},
    {BLOB_FOUR, 3, TTSB_DAMAGED_PADDING, BLOB_FOUR, 8, "'dec.half'"},
    {BLOB_LAST, 65535, TTSB_DAMAGED_PADDING, BLOB_LAST, 9, "'dec.w2'"},
};

static void check_ranges(const struct fixture *f, const struct damage *d)
{
    for (uint64_t first = 0; first <= 10; first++) {
        for (uint64_t last = first; last <= 10; last++) {
            int inside = first <= d->piece && d->piece < last;
            assert_int_equal(ttsb_verify_range(f->blob, first, last, NULL),
                             inside ? d->status : TTSB_OK);
        }
    }
    assert_int_equal(ttsb_verify_rest(f->blob, NULL), TTSB_OK);
}

static void payload(void **state)
{
    static const uint32_t threads[] = {1, 2, 4, TTSB_MAX_THREADS};
    struct fixture f;
    (void)state;
    fixture_open(&f, blob_standard());
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        const struct damage *d = &damages[i];
        const uint64_t at = offset_of(&f, d->tensor) + d->at;
        f.bytes.bytes[at] ^= 0x10;
        for (size_t t = 0; t < sizeof(threads) / sizeof(threads[0]); t++) {
            struct ttsb_error error = {.struct_size = sizeof(error)};
            assert_int_equal(ttsb_verify(f.blob, threads[t], NULL, &error),
                             d->status);
            assert_int_equal(error.status, d->status);
            assert_int_equal(error.tensor, d->named);
            assert_non_null(strstr(error.text, d->name));
            assert_true(error.offset <= at && at < error.offset + 65536);
            if (d->status == TTSB_DAMAGED_PADDING)
                assert_true(error.offset == at);
        }
        check_ranges(&f, d);
        f.bytes.bytes[at] ^= 0x10;
    }
    assert_int_equal(ttsb_verify(f.blob, 3, NULL, NULL), TTSB_OK);
    fixture_close(&f);
}

static void rest(void **state)
{
    static const struct {
        uint32_t section; /* the byte is counted from its start */
        uint64_t at;
        int32_t status;
    } rows[] = {
        {TTSB_SECTION_INDEX, 12 * 112, TTSB_DAMAGED_PADDING},
        {TTSB_SECTION_INDEX, 4095, TTSB_DAMAGED_PADDING},
        {TTSB_SECTION_NAMES, 4095, TTSB_DAMAGED_PADDING},
        {TTSB_SECTION_PIECES, 80, TTSB_DAMAGED_PADDING},
        {TTSB_SECTION_META, 0, TTSB_DAMAGED_META},
        {TTSB_SECTION_META, 1, TTSB_DAMAGED_META},
        {TTSB_SECTION_META, 2, TTSB_DAMAGED_PADDING},
        {8, 0, TTSB_DAMAGED_SECTION},
        {9, 4, TTSB_DAMAGED_SECTION},
        {9, 5, TTSB_DAMAGED_PADDING},
        {9, 65535 - 40960, TTSB_DAMAGED_PADDING},
    };
    struct blob_spec spec = *blob_standard();
    struct fixture f;
    (void)state;
    spec.extra_sections = 2;
    fixture_open(&f, &spec);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ttsb_error error = {.struct_size = sizeof(error)};
        const size_t at =
            blob_section(&f.bytes, rows[i].section) + (size_t)rows[i].at;
        f.bytes.bytes[at] ^= 1;
        assert_int_equal(ttsb_verify_rest(f.blob, &error), rows[i].status);
        assert_int_equal(error.tensor, TTSB_NO_TENSOR);
        if (rows[i].status == TTSB_DAMAGED_PADDING)
            assert_true(error.offset == at);
        assert_int_equal(ttsb_verify(f.blob, 1, NULL, NULL), rows[i].status);
        assert_int_equal(ttsb_verify(f.blob, 4, NULL, NULL), rows[i].status);
        assert_int_equal(ttsb_verify_range(f.blob, 0, 10, NULL), TTSB_OK);
        f.bytes.bytes[at] ^= 1;
    }
    assert_int_equal(ttsb_verify_rest(f.blob, NULL), TTSB_OK);
    fixture_close(&f);
}

static void arguments(void **state)
{
    const struct ttsb_progress nobody = {NULL, NULL};
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct fixture f;
    (void)state;
    fixture_open(&f, blob_standard());
    assert_int_equal(ttsb_verify_range(f.blob, 0, 11, &error),
                     TTSB_OUT_OF_RANGE);
    assert_int_equal(error.expected, 10);
    assert_int_equal(ttsb_verify_range(f.blob, 11, 11, NULL),
                     TTSB_OUT_OF_RANGE);
    assert_int_equal(ttsb_verify_range(f.blob, 5, 4, NULL), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_verify_range(f.blob, 10, 10, NULL), TTSB_OK);
    assert_int_equal(ttsb_verify_range(NULL, 0, 0, NULL), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_verify_rest(NULL, NULL), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_verify(NULL, 1, NULL, NULL), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_verify(f.blob, 0, NULL, NULL), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_verify(f.blob, TTSB_MAX_THREADS + 1, NULL, NULL),
                     TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_verify(f.blob, 1, &nobody, NULL), TTSB_BAD_ARGUMENT);
    fixture_close(&f);
}

/* Many tensors with aliases and empty ones among them, more than one run of
 * pieces: 600 tensors of 70,000 bytes each are 1,200 pieces. */
enum { MANY = 1800, BIG = 70000 };

struct many {
    struct blob_tensor tensors[MANY];
    char names[MANY][8];
    struct blob_spec spec;
};

static void many_fill(struct many *m)
{
    m->spec = *blob_small();
    m->spec.tensors = m->tensors;
    m->spec.tensor_count = MANY;
    for (uint32_t i = 0; i < MANY; i++) {
        struct blob_tensor *t = &m->tensors[i];
        snprintf(m->names[i], sizeof(m->names[i]), "t%u", i);
        *t = (struct blob_tensor){.name = m->names[i],
                                  .dtype = TTSB_U8,
                                  .rank = 1,
                                  .dims = {i % 3 == 1 ? 0 : BIG}};
        if (i % 3 == 2) {
            t->flags = TTSB_RECORD_ALIAS;
            t->alias_of = i / 6 * 3;
        }
    }
}

struct seen {
    uint64_t done;
    uint64_t total;
    uint32_t calls;
};

static void advance(void *user, uint64_t done, uint64_t total)
{
    struct seen *seen = user;
    seen->total = total;
    seen->calls += done > seen->done;
    seen->done = done;
}

/* The lowest damage wins, though threads may find another first. */
static void threads_agree(void **state)
{
    static const uint32_t hit[] = {1797, 900, 603, 3};
    struct many *m = calloc(1, sizeof(*m));
    struct seen seen = {0, 0, 0};
    const struct ttsb_progress progress = {advance, &seen};
    struct fixture f;
    (void)state;
    assert_non_null(m);
    many_fill(m);
    fixture_open(&f, &m->spec);
    assert_int_equal(ttsb_verify(f.blob, 4, &progress, NULL), TTSB_OK);
    assert_int_equal(seen.done, 1200);
    assert_int_equal(seen.total, 1200);
    assert_int_equal(seen.calls, 5);
    for (size_t i = 0; i < 4; i++) {
        struct ttsb_error one = {.struct_size = sizeof(one)};
        f.bytes.bytes[offset_of(&f, hit[i]) + BIG - 1] ^= 1;
        assert_int_equal(ttsb_verify(f.blob, 1, NULL, &one),
                         TTSB_DAMAGED_PIECE);
        assert_int_equal(one.tensor, hit[i]);
        for (uint32_t t = 2; t < 10; t++) {
            struct ttsb_error error = {.struct_size = sizeof(error)};
            assert_int_equal(ttsb_verify(f.blob, t, NULL, &error),
                             TTSB_DAMAGED_PIECE);
            assert_memory_equal(&error, &one, sizeof(one));
        }
    }
    fixture_close(&f);
    free(m);
}

/* Each single piece as a range finds its own record. */
static void single_pieces(void **state)
{
    struct many *m = calloc(1, sizeof(*m));
    struct fixture f;
    (void)state;
    assert_non_null(m);
    many_fill(m);
    fixture_open(&f, &m->spec);
    for (uint64_t piece = 0; piece < 1200; piece++) {
        const uint32_t tensor = (uint32_t)(piece / 2 * 3);
        const uint64_t at = offset_of(&f, tensor) + piece % 2 * 65536;
        struct ttsb_error error = {.struct_size = sizeof(error)};
        assert_int_equal(ttsb_verify_range(f.blob, piece, piece + 1, NULL),
                         TTSB_OK);
        f.bytes.bytes[at] ^= 1;
        assert_int_equal(ttsb_verify_range(f.blob, piece, piece + 1, &error),
                         TTSB_DAMAGED_PIECE);
        assert_int_equal(error.tensor, tensor);
        assert_int_equal(error.offset, at);
        f.bytes.bytes[at] ^= 1;
    }
    fixture_close(&f);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payload),       cmocka_unit_test(rest),
        cmocka_unit_test(arguments),     cmocka_unit_test(threads_agree),
        cmocka_unit_test(single_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
