/* SPDX-License-Identifier: MIT
 *
 * test_lockfile.c - a list of tensors has one spelling.
 *
 * In: names of every kind, and locks with one byte changed. Out: what is
 * written is read as it was; what is read, written again, is the text that was
 * read, comments aside. Anything else is E0710. A run over the hostile texts
 * one by one is in tests/golden.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lockfile.h"

static const uint64_t dims[] = {4, 0, 9223372036854775807};

static struct st_tensor tensor(struct str name, uint32_t dtype, uint32_t rank)
{
    return (struct st_tensor){
        .name = name, .dtype = dtype, .rank = rank, .dims = dims};
}

static bool parse(struct arena *a, struct str text, struct lock *lock)
{
    struct diag d = {.arena = a};
    bool ok = lockfile_parse(a, &d, str_c("x.lock"), text, lock);
    assert_int_equal(d.errors, !ok);
    return ok;
}

static void write_all(struct text *t, const struct lock *lock)
{
    lockfile_begin(t);
    for (size_t i = 0; i < lock->header.count; i++)
        lockfile_put(t, &lock->header.tensors[i],
                     lock->digests == NULL ? NULL : lock->digests[i]);
}

/* Names of one character, of every kind. */
static void test_characters(void **state)
{
    static const char *const names[] = {"",
                                        "\x01",
                                        " ",
                                        "\"",
                                        "#",
                                        "\\",
                                        "a\nb",
                                        "a.b-c_D9",
                                        "{i}",
                                        "\x7f",
                                        "\xc2\x80",
                                        "\xc3\xa9",
                                        "\xe2\x80\xa8",
                                        "\xed\x9f\xbf",
                                        "\xef\xbb\xbf",
                                        "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf"};
    struct arena a = {0};
    struct text t = {0};
    struct lock lock;
    size_t n = sizeof names / sizeof names[0];
    (void)state;
    lockfile_begin(&t);
    for (size_t i = 0; i < n; i++) {
        struct st_tensor x = tensor(str_c(names[i]), 1 + (uint32_t)i, 0);
        lockfile_put(&t, &x, NULL);
    }
    for (size_t i = 0; i < t.n; i++)
        assert_true(t.p[i] == '\n' || (t.p[i] >= ' ' && t.p[i] < 0x7f));
    assert_true(parse(&a, text_view(&t), &lock));
    assert_null(lock.digests);
    assert_int_equal(lock.header.count, n);
    for (size_t i = 0; i < n; i++) {
        assert_true(str_is(lock.header.tensors[i].name, names[i]));
        assert_int_equal(lock.header.tensors[i].dtype, 1 + i);
    }
    text_release(&t);
    arena_release(&a);
}

static void test_places(void **state)
{
    struct arena a = {0};
    struct lock lock;
    (void)state;
    assert_true(parse(&a,
                      str_c("ttsw-lock 1\n# a\na f32 [3,2]\n#\nb f4 [4]\n"
                            "c u8 [0,9223372036854775807]\nd bool []\n"),
                      &lock));
    assert_int_equal(lock.header.count, 4);
    assert_int_equal(lock.header.tensors[0].header_offset, 16);
    assert_int_equal(lock.header.tensors[0].rank, 2);
    assert_int_equal(lock.header.tensors[1].begin, 24);
    assert_int_equal(lock.header.tensors[1].end, 26);
    assert_int_equal(lock.header.tensors[2].end, 26);
    assert_int_equal(lock.header.tensors[3].end, 27);
    assert_true(parse(&a, str_c("ttsw-lock 1\n"), &lock));
    assert_int_equal(lock.header.count, 0);
    arena_release(&a);
}

static void test_name_length(void **state)
{
    for (size_t more = 0; more < 2; more++) {
        struct arena a = {0};
        struct lock lock;
        size_t n = ST_MAX_NAME + more;
        char *name = arena_take(&a, 1, n);
        struct st_tensor x = tensor((struct str){name, n}, TTSB_F32, 1);
        struct text t = {0};
        memset(name, '\1', n);
        lockfile_begin(&t);
        lockfile_put(&t, &x, NULL);
        assert_int_equal(parse(&a, text_view(&t), &lock), more == 0);
        text_release(&t);
        arena_release(&a);
    }
    (void)state;
}

/* Every byte of a lock replaced by every other one: what still is a lock says
 * what it spells. */
static void test_one_byte(void **state)
{
    static const char text[] = "ttsw-lock 1\n"
                               "a i64 [] 0123456789abcdeffedcba9876543210\n"
                               "b f32 [12,0] 0123456789abcdef0123456789abcdef\n"
                               "\"c\\u00e9\\ud83d\\ude00 x\" f4 [8] "
                               "00000000000000000000000000000000\n";
    size_t good = 0;
    (void)state;
    for (size_t i = 0; i < sizeof text - 1; i++)
        for (int byte = 0; byte < 256; byte++) {
            struct arena a = {0};
            struct lock lock;
            struct text t = {0};
            char copy[sizeof text];
            memcpy(copy, text, sizeof text);
            copy[i] = (char)byte;
            if (parse(&a, (struct str){copy, sizeof text - 1}, &lock) &&
                memchr(copy, '#', sizeof text) == NULL) {
                write_all(&t, &lock);
                assert_int_equal(t.n, sizeof text - 1);
                assert_memory_equal(t.p, copy, t.n);
                good++;
            }
            text_release(&t);
            arena_release(&a);
        }
    assert_in_range(good, 1000, 3000); /* digests may be any */
}

static void test_every_length(void **state)
{
    static const char text[] = "ttsw-lock 1\na f32 [3]\n\"b c\" f32 [4]\n";
    (void)state;
    for (size_t n = 0; n < sizeof text - 1; n++) {
        struct arena a = {0};
        struct lock lock;
        bool whole = n > 0 && text[n - 1] == '\n';
        assert_int_equal(parse(&a, (struct str){text, n}, &lock), whole);
        arena_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters), cmocka_unit_test(test_places),
        cmocka_unit_test(test_name_length), cmocka_unit_test(test_one_byte),
        cmocka_unit_test(test_every_length)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
