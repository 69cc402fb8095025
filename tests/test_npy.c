/* SPDX-License-Identifier: MIT
 *
 * test_npy.c - headers of arrays: what is read, what is refused and where.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "npy.h"
#include "ttsb.h"

/* An array of version 1 with this text, in a buffer of exactly its length;
 * `values` bytes follow. */
static bool parse(const char *text, uint64_t values, struct npy_header *h,
                  struct npy_error *e)
{
    size_t n = 10 + strlen(text);
    uint8_t *b = malloc(n);
    bool ok;
    memcpy(b, "\x93NUMPY\1\0", 8);
    b[8] = (uint8_t)strlen(text);
    b[9] = (uint8_t)(strlen(text) >> 8);
    memcpy(b + 10, text, n - 10);
    ok = npy_parse(b, n, n + values, h, e);
    free(b);
    return ok;
}

static void test_good(void **state)
{
    static const struct {
        const char *text;
        enum ttsb_dtype dtype;
        bool fortran;
        uint32_t rank;
        uint64_t elements, bytes;
    } rows[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
         TTSB_F32, false, 2, 6, 24},
        {"{\"shape\":(2,3,),\"descr\":\"<f2\",\"fortran_order\":True}\n",
         TTSB_F16, true, 2, 6, 12},
        {"{'descr': '|b1', 'fortran_order': False, 'shape': (), }", TTSB_BOOL,
         false, 0, 1, 1},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (0, 5), }   ",
         TTSB_I64, false, 2, 0, 0},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (7,), }", TTSB_C64,
         false, 1, 7, 56},
        {"{'descr': '>u1', 'fortran_order': False, 'shape': (1,), }", TTSB_U8,
         false, 1, 1, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct npy_header h;
        struct npy_error e = {0};
        if (!parse(rows[i].text, rows[i].bytes, &h, &e))
            fail_msg("%s: %s", rows[i].text, e.text);
        assert_int_equal(h.dtype, rows[i].dtype);
        assert_int_equal(h.fortran, rows[i].fortran);
        assert_int_equal(h.rank, rows[i].rank);
        assert_int_equal(h.elements, rows[i].elements);
        assert_int_equal(h.bytes, rows[i].bytes);
        assert_int_equal(h.start, 10 + strlen(rows[i].text));
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        size_t at; /* in the text */
        const char *why;
    } rows[] = {
        {"", 0, "should have `{`"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", 10,
         "a pickle"},
        {"{'descr': '>f8', 'fortran_order': False, 'shape': (1,)}", 10,
         "save x.astype('<f8')"},
        {"{'descr': '<f16', 'fortran_order': False, 'shape': (1,)}", 10,
         "dtype `<f16` is not read"},
        {"{'descr': '=f4', 'fortran_order': False, 'shape': (1,)}", 10,
         "dtype `=f4` is not read"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", 34,
         "True or False"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", 51,
         "should have a size"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (01,)}", 51,
         "leading zero"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1 2)}", 53,
         "should have `,`"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (,)}", 51,
         "should have a size"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,,)}", 53,
         "should have a size"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': "
         "(9223372036854775808,"
         ")}",
         51, "above 2^63 - 1"},
        {"{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}", 16,
         "should have `,`"},
        {"{'de\\x73cr': '<f4'}", 4, "no escape"},
        {"{'descr", 1, "does not end"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)", 54,
         "should have `,`"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct npy_header h;
        struct npy_error e = {0};
        assert_false(parse(rows[i].text, 4, &h, &e));
        if (strstr(e.text, rows[i].why) == NULL || e.offset != rows[i].at + 10)
            fail_msg("%s: %zu: %s", rows[i].text, (size_t)e.offset - 10,
                     e.text);
    }
}

/* 64 axes are taken, 65 are not. */
static void test_axes(void **state)
{
    (void)state;
    for (size_t n = 64; n <= 65; n++) {
        char text[400];
        struct npy_header h;
        struct npy_error e = {0};
        size_t at = (size_t)snprintf(
            text, sizeof text,
            "{'descr': '|u1', 'fortran_order': False, 'shape': (");
        for (size_t i = 0; i < n; i++)
            at += (size_t)snprintf(text + at, sizeof text - at, "1,");
        snprintf(text + at, sizeof text - at, ")}");
        assert_int_equal(parse(text, 1, &h, &e), n == 64);
    }
}

/* Every cut and every changed byte of a good array: true or an error, and a
 * header that says what the file's size says. */
static void test_any_byte(void **state)
{
    static const char text[] =
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";
    uint8_t good[10 + sizeof text - 1];
    size_t n = sizeof good;
    (void)state;
    memcpy(good, "\x93NUMPY\1\0", 8);
    good[8] = sizeof text - 1;
    good[9] = 0;
    memcpy(good + 10, text, sizeof text - 1);
    for (size_t i = 0; i < n; i++)
        for (int v = 0; v < 256; v++) {
            struct npy_header h;
            struct npy_error e = {0};
            uint8_t *b = malloc(n);
            memcpy(b, good, n);
            b[i] = (uint8_t)v;
            if (npy_parse(b, n, n + 24, &h, &e))
                assert_int_equal(h.start + h.bytes, n + 24);
            else
                assert_true(e.text[0] != '\0');
            free(b);
        }
    for (size_t i = 0; i < n; i++) {
        struct npy_header h;
        struct npy_error e = {0};
        uint8_t *b = malloc(i + 1);
        memcpy(b, good, i);
        assert_false(npy_parse(b, i, i, &h, &e));
        free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_axes),
        cmocka_unit_test(test_any_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
