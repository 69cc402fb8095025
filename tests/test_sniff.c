/* SPDX-License-Identifier: MIT
 *
 * test_sniff.c - kinds of files by their first bytes, in buffers that end
 * where the bytes do, so that a sanitizer sees a byte read too many. What
 * people meet (messages, whole files) is in test_what_is_it.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sniff.h"

#define BYTES(literal) (literal), sizeof(literal) - 1

#define LOCAL_FILE "PK\3\4\24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

/* `what`: a part of it, or NULL: unknown. */
static const struct {
    const char *bytes;
    size_t n;
    const char *what;
} rows[] = {
    {BYTES(LOCAL_FILE "\20\0\0\0archive/data.pkl"), "a PyTorch file"},
    {BYTES(LOCAL_FILE "\15\0\0\0m/byteorder!!"), "a PyTorch file"},
    {BYTES(LOCAL_FILE "\10\0\0\0data.pkl"), "a zip archive"},
    {BYTES(LOCAL_FILE "\5\0\0\0a.npy"), "a NumPy archive"},
    {BYTES(LOCAL_FILE "\377\377\0\0a.npy"), "a NumPy archive"},
    {BYTES("PK\3\4"), "a zip archive"},
    {BYTES("\200\2\212\nl\374\234F\371 j\250P\31."), "before zip"},
    {BYTES("\200\4\225\16\0\0\0\0\0\0\0\212\nl\374\234F\371 j\250P\31."),
     "before zip"},
    {BYTES("\200\2}q\0X\1\0\0\0a"), "a Python pickle"},
    {BYTES("\200\2\0\0\0\0\0\0{"), NULL},
    {BYTES("\200\2\0\0\0\0\0\0x"), NULL},
    {BYTES("<\0\0\0\0\0\0\0 "), NULL},
    {BYTES("<\0\0\0\0\0\0\0{"), NULL},
    {BYTES("\37\213\10\0\0\0\0\0\0\3"), "a gzip"},
    {BYTES("\37\213\10\0\0\0\0\0{"), NULL},
    {BYTES("\10\7\22\7pytorch\32\0052.1.0"), "an ONNX"},
    {BYTES("\10\7\22\7pyt\0rch\32\0052.1.0"), NULL},
    {BYTES("\10\7\22\100pytorch"), NULL},
    {BYTES("\357\273\277 \r\n\t<!DOCTYPE html>"), "an HTML"},
    {BYTES("  <?xml version='1.0'?>"), "an XML"},
    {BYTES("\n\n{\"error\": 1}"), "a JSON text (a server"},
    {BYTES("{\"hidden_size\": 768}"), "a JSON text (a conf"},
    {BYTES("Entry not found"), "a text"},
    {BYTES("Not f\0und, so sorry"), NULL},
    {BYTES("caf\303\251 ferm\303\251"), "a text"},
    {BYTES("caf\303( ferm\303\251"), NULL},
    {BYTES("abc"), NULL},
    {BYTES("\31\0\0"), NULL},
    {BYTES(""), NULL},
};

/* Sniffs a copy that has no byte more. */
static bool sniff_exactly(const char *bytes, size_t n, struct sniffed *out)
{
    uint8_t *copy = malloc(n == 0 ? 1 : n);
    bool known;
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    known = sniff(n == 0 ? copy + 1 : copy, n, out);
    if (known)
        assert_false(sniff_is_safetensors(copy, n));
    free(copy);
    return known;
}

static void test_kinds(void **state)
{
    struct sniffed kind = {0};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool known = sniff_exactly(rows[i].bytes, rows[i].n, &kind);
        if (known != (rows[i].what != NULL) ||
            (known && strstr(kind.what, rows[i].what) == NULL))
            fail_msg("row %zu is %s, not %s", i, known ? kind.what : "unknown",
                     rows[i].what == NULL ? "unknown" : rows[i].what);
        if (known)
            assert_true(strlen(kind.help) > 0);
    }
}

/* Cut anywhere, and with any byte changed: a kind or none, no byte too many. */
static void test_damaged(void **state)
{
    struct sniffed kind;
    char changed[128];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(rows[i].n <= sizeof changed);
        for (size_t n = 0; n < rows[i].n; n++) {
            sniff_exactly(rows[i].bytes, n, &kind);
            memcpy(changed, rows[i].bytes, rows[i].n);
            changed[n] = (char)0xff;
            sniff_exactly(changed, rows[i].n, &kind);
        }
    }
}

/* A character that the window cuts; a window of zeros, whole and not. */
static void test_window(void **state)
{
    struct sniffed kind = {0};
    char window[SNIFF_SIZE];
    (void)state;
    memset(window, 'a', sizeof window);
    memcpy(window + SNIFF_SIZE - 2, "\342\202", 2);
    assert_true(sniff_exactly(window, sizeof window, &kind));
    assert_non_null(strstr(kind.what, "a text"));
    memset(window, 0, sizeof window);
    assert_true(sniff_exactly(window, sizeof window, &kind));
    assert_non_null(strstr(kind.what, "zeros"));
    assert_false(sniff_exactly(window, sizeof window - 1, &kind));
    memcpy(window + 257, "ustar", 5);
    assert_true(sniff_exactly(window, sizeof window, &kind));
    assert_non_null(strstr(kind.what, "a tar"));
    assert_false(sniff_exactly(window, 261, &kind));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds),
                                       cmocka_unit_test(test_damaged),
                                       cmocka_unit_test(test_window)};
    return cmocka_run_group_tests_name("sniff", tests, NULL, NULL);
}
