/* SPDX-License-Identifier: MIT
 *
 * test_safetensors.c - every file of fixtures/safetensors, limits at n and
 * n + 1, cuts and mutations.
 *
 * In: the fixtures and their EXPECTED.tsv (make_safetensors.py describes it);
 * FIXTURES_DIR is defined by the build. Out: verdicts, fields, offsets and
 * messages are compared; of cuts and mutations only what must hold for any
 * bytes. Headers lie in buffers of exactly their length, so that a sanitizer
 * sees a read beyond the end.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "safetensors.h"
#include "size.h"
#include "ttsb.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define MAX_CELLS 7

/* A file, its header taken apart. */
struct opened {
    struct arena arena;
    char *header; /* exactly header_length bytes */
    struct st_header parsed;
    struct st_error error;
    bool good;
};

struct row {
    struct str cells[MAX_CELLS];
    size_t count;
};

static struct str read_file(struct arena *a, const char *folder,
                            const char *name)
{
    struct str path =
        arena_format(a, "%s/safetensors/%s/%s", FIXTURES_DIR, folder, name);
    FILE *f = fopen(path.p, "rb");
    char *bytes = arena_take(a, 1, 65536);
    size_t n;
    if (f == NULL)
        fail_msg("cannot open %s", path.p);
    n = fread(bytes, 1, 65536, f);
    assert_int_equal(fclose(f), 0);
    assert_true(n < 65536);
    return (struct str){bytes, n};
}

static void open_bytes(struct opened *o, struct str file)
{
    uint64_t n = 0;
    *o = (struct opened){.good = false};
    memset(&o->error, 0x5a, sizeof o->error);
    o->good = safetensors_check_length((const uint8_t *)file.p, file.n, &n,
                                       &o->error);
    if (!o->good)
        return;
    assert_true(size_inside(ST_LENGTH_SIZE, n, file.n));
    o->header = malloc(n == 0 ? 1 : (size_t)n);
    assert_non_null(o->header);
    memcpy(o->header, file.p + ST_LENGTH_SIZE, (size_t)n);
    o->good = safetensors_parse(&o->arena, o->header, n, file.n, &o->parsed,
                                &o->error);
}

static void close_bytes(struct opened *o)
{
    arena_release(&o->arena);
    free(o->header);
}

/* A file in the arena: header and `data` bytes of data. */
static struct str join(struct arena *a, struct str head, size_t data)
{
    char *bytes = arena_take(a, 1, ST_LENGTH_SIZE + head.n + data);
    store_u64(bytes, head.n);
    memcpy(bytes + ST_LENGTH_SIZE, head.p, head.n);
    return (struct str){bytes, ST_LENGTH_SIZE + head.n + data};
}

static bool next_row(struct str *table, struct row *row)
{
    const char *end = memchr(table->p, '\n', table->n), *tab;
    row->count = 0;
    if (end == NULL)
        return false;
    do {
        tab = memchr(table->p, '\t', (size_t)(end - table->p));
        size_t n = (size_t)((tab == NULL ? end : tab) - table->p);
        assert_true(row->count < MAX_CELLS);
        row->cells[row->count++] = str_cut(*table, 0, n);
        *table = str_cut(*table, n + 1, table->n);
    } while (tab != NULL);
    return true;
}

/* A cell's bytes as the table writes them. */
static struct str percent(struct arena *a, struct str s)
{
    struct str out = str_c("");
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = c >= 0x21 && c <= 0x7e && c != '%';
        out = plain ? arena_format(a, "%.*s%c", STR_ARG(out), c)
                    : arena_format(a, "%.*s%%%02X", STR_ARG(out), c);
    }
    return out;
}

static uint64_t number(struct str cell)
{
    uint64_t v = 0;
    assert_true(cell.n > 0);
    for (size_t i = 0; i < cell.n; i++)
        v = v * 10 + (uint64_t)(cell.p[i] - '0');
    return v;
}

static void expect_cell(struct str cell, struct str found)
{
    if (!str_eq(cell, found))
        fail_msg("expected %.*s, found %.*s", STR_ARG(cell), STR_ARG(found));
}

static void check_tensor(struct arena *a, const struct row *row,
                         const struct st_tensor *t)
{
    struct str dims = str_c("");
    assert_int_equal(row->count, 7);
    expect_cell(row->cells[2], percent(a, t->name));
    expect_cell(row->cells[3], str_c(ttsb_dtype_name(t->dtype)));
    for (uint32_t i = 0; i < t->rank; i++)
        dims = arena_format(a, "%.*s%s%ju", STR_ARG(dims), i == 0 ? "" : ",",
                            (uintmax_t)t->dims[i]);
    expect_cell(row->cells[4], dims);
    assert_int_equal(t->begin, number(row->cells[5]));
    assert_int_equal(t->end, number(row->cells[6]));
}

/* All rows of one file; `row` is its "count" and becomes its last. */
static void check_good(struct arena *a, struct str *table, struct row *row)
{
    struct str name = arena_str(a, row->cells[0]);
    struct str file = read_file(a, "good", name.p);
    struct opened o;
    uint64_t tensors = number(row->cells[2]), pairs = number(row->cells[3]);
    open_bytes(&o, file);
    if (!o.good)
        fail_msg("%s: %s: %s", name.p, o.error.field, o.error.text);
    assert_int_equal(o.parsed.count, tensors);
    assert_int_equal(o.parsed.metadata_count, pairs);
    assert_int_equal(o.parsed.file_size, file.n);
    assert_int_equal(o.parsed.data_start, load_u64(file.p) + 8);
    for (size_t i = 0; i < tensors; i++) {
        const struct st_tensor *t = &o.parsed.tensors[i];
        assert_true(next_row(table, row) && str_eq(row->cells[0], name));
        check_tensor(a, row, t);
        assert_int_equal(file.p[t->header_offset], '"');
    }
    for (size_t i = 0; i < pairs; i++) {
        const struct st_pair *pair = &o.parsed.metadata[i];
        assert_true(next_row(table, row) && str_eq(row->cells[0], name));
        expect_cell(row->cells[2], percent(a, pair->key));
        expect_cell(row->cells[3], percent(a, pair->value));
        assert_int_equal(file.p[pair->header_offset], '"');
    }
    close_bytes(&o);
}

/* So that no file is left out of a table. */
static size_t count_files(struct arena *a, const char *folder)
{
    struct str path =
        arena_format(a, "%s/safetensors/%s", FIXTURES_DIR, folder);
    DIR *dir = opendir(path.p);
    struct dirent *entry;
    size_t n = 0;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        n += str_ends(str_c(entry->d_name), ".safetensors");
    assert_int_equal(closedir(dir), 0);
    return n;
}

static void test_good(void **state)
{
    struct arena a = {0};
    struct str table = read_file(&a, "good", "EXPECTED.tsv");
    struct row row;
    size_t files = 0;
    (void)state;
    while (next_row(&table, &row)) {
        assert_true(str_is(row.cells[1], "count"));
        check_good(&a, &table, &row);
        files++;
    }
    assert_int_equal(files, count_files(&a, "good"));
    assert_true(files >= 30);
    arena_release(&a);
}

static void check_bad(struct arena *a, const struct row *row)
{
    struct str name = arena_str(a, row->cells[0]);
    struct str part = arena_str(a, row->cells[3]);
    struct opened o;
    open_bytes(&o, read_file(a, "bad", name.p));
    if (o.good)
        fail_msg("%s: accepted", name.p);
    if (!str_is(row->cells[1], o.error.field) ||
        o.error.offset != number(row->cells[2]) ||
        strstr(o.error.text, part.p) == NULL)
        fail_msg("%s: found %s, %ju, \"%s\"", name.p, o.error.field,
                 (uintmax_t)o.error.offset, o.error.text);
    close_bytes(&o);
}

static void test_bad(void **state)
{
    struct arena a = {0};
    struct str table = read_file(&a, "bad", "EXPECTED.tsv");
    struct row row;
    size_t files = 0;
    (void)state;
    for (; next_row(&table, &row); files++) {
        assert_int_equal(row.count, 4);
        check_bad(&a, &row);
    }
    assert_int_equal(files, count_files(&a, "bad"));
    assert_true(files >= 60);
    arena_release(&a);
}

/* What must hold for an error of any bytes. */
static void check_error(const struct st_error *e, uint64_t file_size)
{
    size_t field = strnlen(e->field, sizeof e->field);
    size_t text = strnlen(e->text, sizeof e->text);
    assert_true(field > 0 && field < sizeof e->field);
    assert_true(text > 0 && text < sizeof e->text);
    assert_int_equal(utf8_bad((struct str){e->field, field}), field);
    assert_int_equal(utf8_bad((struct str){e->text, text}), text);
    assert_true(e->offset <= file_size);
    for (size_t i = 0; i < text; i++)
        assert_true((unsigned char)e->text[i] >= 0x20);
}

/* What must hold for a header of any bytes. */
static void check_header(const struct st_header *h, uint64_t file_size)
{
    uint64_t cursor = 0;
    for (size_t i = 0; i < h->count; i++) {
        const struct st_tensor *t = &h->tensors[i];
        assert_int_equal(t->begin, cursor);
        assert_true(t->end >= t->begin);
        assert_true(ttsb_dtype_bits(t->dtype) > 0);
        cursor = t->end;
    }
    assert_int_equal(cursor, file_size - h->data_start);
}

static bool survives(struct str file)
{
    struct opened o;
    bool good;
    open_bytes(&o, file);
    if (o.good)
        check_header(&o.parsed, file.n);
    else
        check_error(&o.error, file.n);
    good = o.good;
    close_bytes(&o);
    return good;
}

/* A good header cut at every length; the file's end stays where it was. */
static void check_cuts(const char *name)
{
    struct arena a = {0};
    struct str file = read_file(&a, "good", name);
    char *bytes = arena_take(&a, 1, file.n);
    uint64_t length = load_u64(file.p);
    memcpy(bytes, file.p, file.n);
    for (uint64_t n = 0; n < length; n++) {
        store_u64(bytes, n);
        if (survives((struct str){bytes, file.n}))
            fail_msg("%s: accepted with a header of %ju", name, (uintmax_t)n);
    }
    for (size_t n = 0; n < file.n; n++) {
        if (survives(str_cut(file, 0, n)))
            fail_msg("%s: accepted with %zu bytes", name, n);
    }
    arena_release(&a);
}

static void test_cuts(void **state)
{
    static const char *const names[] = {
        "one.safetensors", "escapes.safetensors", "surrogate-pair.safetensors",
        "metadata.safetensors", "unknown-field.safetensors"};
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        check_cuts(names[i]);
}

/* Every byte of a header takes every value. */
static void test_mutations(void **state)
{
    struct arena a = {0};
    struct str file = read_file(&a, "good", "metadata-escaped.safetensors");
    char *bytes = arena_take(&a, 1, file.n);
    size_t accepted = 0;
    (void)state;
    memcpy(bytes, file.p, file.n);
    for (size_t i = 0; i < file.n; i++) {
        for (int v = 0; v < 256; v++) {
            bytes[i] = (char)v;
            accepted += survives((struct str){bytes, file.n});
        }
        bytes[i] = file.p[i];
    }
    assert_true(accepted > file.n && accepted < 256 * file.n / 8);
    arena_release(&a);
}

static void test_length_limits(void **state)
{
    static const struct {
        uint64_t length, file_size;
        bool good;
    } table[] = {{0, 8, true},
                 {1, 8, false},
                 {1, 9, true},
                 {ST_MAX_HEADER, ST_MAX_HEADER + 8, true},
                 {ST_MAX_HEADER, ST_MAX_HEADER + 7, false},
                 {ST_MAX_HEADER, UINT64_MAX, true},
                 {ST_MAX_HEADER + 1, UINT64_MAX, false},
                 {UINT64_MAX, UINT64_MAX, false},
                 {UINT64_MAX - 7, UINT64_MAX, false}};
    struct st_error e;
    uint8_t first8[8];
    uint64_t n;
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        store_u64(first8, table[i].length);
        n = 99;
        assert_int_equal(
            safetensors_check_length(first8, table[i].file_size, &n, &e),
            table[i].good);
        assert_true(n == (table[i].good ? table[i].length : 99));
    }
    for (uint64_t size = 0; size < 8; size++)
        assert_false(safetensors_check_length(NULL, size, &n, &e));
    assert_string_equal(e.field, "header_length");
}

/* parse refuses by itself what check_length would have refused. */
static void test_parse_checks_length(void **state)
{
    struct arena a = {0};
    struct st_header h;
    struct st_error e;
    (void)state;
    assert_true(safetensors_parse(&a, "{}", 2, 10, &h, &e));
    assert_false(safetensors_parse(&a, "{}", 2, 9, &h, &e));
    assert_string_equal(e.field, "header_length");
    assert_false(safetensors_parse(&a, "{}", 2, 7, &h, &e));
    assert_false(
        safetensors_parse(&a, "{}", ST_MAX_HEADER + 1, UINT64_MAX, &h, &e));
    assert_false(safetensors_parse(&a, NULL, 0, 8, &h, &e));
    assert_string_equal(e.field, "header");
    arena_release(&a);
}

static void test_name_limit(void **state)
{
    struct arena a = {0};
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        struct str name = {arena_take(&a, 1, ST_MAX_NAME + more),
                           ST_MAX_NAME + more};
        struct opened o;
        memset((char *)(uintptr_t)name.p, 'n', name.n);
        open_bytes(&o, join(&a,
                            arena_format(&a,
                                         "{\"%.*s\":{\"dtype\":\"U8\",\"shape\""
                                         ":[2],\"data_offsets\":[0,2]}}",
                                         STR_ARG(name)),
                            2));
        assert_int_equal(o.good, more == 0);
        if (!o.good) {
            assert_int_equal(o.error.offset, 9);
            assert_non_null(strstr(o.error.text, "65536 bytes"));
            assert_true(str_eq(o.error.tensor, name));
        }
        close_bytes(&o);
    }
    arena_release(&a);
}

/* Names in errors are cut between characters and lose their controls. */
static void test_shown_names(void **state)
{
    static const struct {
        const char *name, *field;
    } table[] = {
        {"a\\u001b[2Jb\\u009b\\u007f", "tensors.a?[2Jb??.dtype"},
        {"123456789012345678901234567890123456",
         "tensors.123456789012345678901234567890123456.dtype"},
        {"1234567890123456789012345678901234567",
         "tensors.123456789012345678901234567890123....dtype"},
        {"12345678901234567890123456789012\xc3\xa9\xc3\xa9\xc3\xa9",
         "tensors.12345678901234567890123456789012....dtype"},
        {"", "tensors..dtype"},
    };
    struct arena a = {0};
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct opened o;
        open_bytes(
            &o,
            join(&a, arena_format(&a, "{\"%s\":{\"dtype\":0}}", table[i].name),
                 0));
        assert_false(o.good);
        assert_string_equal(o.error.field, table[i].field);
        check_error(&o.error, 1000);
        close_bytes(&o);
    }
    arena_release(&a);
}

/* The longest names, dtype, numbers and shape that an error can show. */
static void test_longest_message(void **state)
{
    struct arena a = {0};
    struct str dims = str_c(""), name = str_c("");
    struct opened o;
    (void)state;
    for (int i = 0; i < 64; i++)
        dims = arena_format(&a, "%.*s%s%s", STR_ARG(dims), i == 0 ? "" : ",",
                            i == 63 ? "0" : "1");
    for (int i = 0; i < 100; i++)
        name = arena_format(&a, "%.*s%s", STR_ARG(name), "\xf0\x9f\x98\x80");
    open_bytes(
        &o, join(&a,
                 arena_format(&a,
                              "{\"%.*s\":{\"dtype\":\"F8_E4M3FNUZ\","
                              "\"shape\":[9223372036854775807,0,%.*s],"
                              "\"data_offsets\":[9223372036854775806,"
                              "9223372036854775807]}}",
                              STR_ARG(name), STR_ARG(str_cut(dims, 4, dims.n))),
                 0));
    assert_false(o.good);
    check_error(&o.error, 1000);
    assert_non_null(strstr(o.error.text, "1, ...] needs 0"));
    close_bytes(&o);
    arena_release(&a);
}

/* Many tensors in reverse: growth, order, and the offset of each name. */
static void test_many(void **state)
{
    enum { MANY = 500 };
    struct arena a = {0};
    struct str head = str_c("{");
    struct opened o;
    (void)state;
    for (int i = MANY; i-- > 0;)
        head = arena_format(&a,
                            "%.*s\"t%d\":{\"dtype\":\"U8\",\"shape\":[1],"
                            "\"data_offsets\":[%d,%d]}%s",
                            STR_ARG(head), i, i, i + 1, i == 0 ? "}" : ",");
    open_bytes(&o, join(&a, head, MANY));
    assert_true(o.good);
    assert_int_equal(o.parsed.count, MANY);
    for (size_t i = 0; i < MANY; i++) {
        const struct st_tensor *t = &o.parsed.tensors[i];
        assert_true(str_eq(t->name, arena_format(&a, "t%zu", i)));
        assert_ptr_equal(t->name.p, o.header + t->header_offset - 8 + 1);
    }
    close_bytes(&o);
    arena_release(&a);
}

static void test_dtypes(void **state)
{
    uint32_t code, known = 0;
    (void)state;
    for (uint32_t i = 0; i < 300; i++) {
        const char *name = ttsb_dtype_name(i);
        assert_int_equal(name != NULL, i >= TTSB_BOOL && i < TTSB_DTYPE_COUNT);
        assert_int_equal(name != NULL, ttsb_dtype_bits(i) != 0);
        if (name == NULL)
            continue;
        assert_true(safetensors_dtype_find(str_c(name), &code));
        assert_int_equal(code, i);
        known++;
    }
    assert_int_equal(known, 22);
    assert_string_equal(ttsb_dtype_name(TTSB_BF16), "BF16");
    assert_int_equal(ttsb_dtype_bits(TTSB_F6_E2M3), 6);
    assert_false(safetensors_dtype_find(str_c("f32"), &code));
    assert_false(safetensors_dtype_find(str_c("F3"), &code));
    assert_false(safetensors_dtype_find(str_c(""), &code));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_length_limits),
        cmocka_unit_test(test_parse_checks_length),
        cmocka_unit_test(test_name_limit),
        cmocka_unit_test(test_shown_names),
        cmocka_unit_test(test_longest_message),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_dtypes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
