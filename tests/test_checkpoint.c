/* SPDX-License-Identifier: MIT
 *
 * test_checkpoint.c - several files as one checkpoint, and what an index may
 * say.
 *
 * In: small safetensors files and indexes, written here; every byte of a
 * tensor is its file's letter. Out: names are found in their source only,
 * bytes come from the right file, and an index that is wrong in any way is
 * E0702.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "checkpoint.h"

struct bench {
    struct arena a;
    struct diag d;
    struct checkpoint c;
};

static void put_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

/* A file of U8 tensors of 4 bytes, one for each letter of `names`; tensor n
 * holds `fill` + n. */
static void put_tensors(const char *path, const char *names, char fill)
{
    char header[1000] = "{";
    uint8_t length[8] = {0};
    size_t n = strlen(names), at;
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    for (size_t i = 0; i < n; i++) {
        at = strlen(header);
        snprintf(header + at, sizeof header - at,
                 "%s\"%c\":{\"dtype\":\"U8\",\"shape\":[4],"
                 "\"data_offsets\":[%zu,%zu]}",
                 i > 0 ? "," : "", names[i], 4 * i, 4 * i + 4);
    }
    strcat(header, "}");
    at = strlen(header);
    length[0] = (uint8_t)at;
    length[1] = (uint8_t)(at >> 8);
    fwrite(length, 1, sizeof length, f);
    fwrite(header, 1, at, f);
    for (size_t i = 0; i < 4 * n; i++)
        fputc(fill + (char)(i / 4), f);
    assert_int_equal(fclose(f), 0);
}

/* Opens what each source is given; a NULL ends a source's paths. */
static bool open_sources(struct bench *b, size_t count,
                         const char *const (*paths)[4])
{
    static const char *const ids[] = {"one", "two", "three"};
    struct source_arguments args[3];
    memset(b, 0, sizeof *b);
    b->d.arena = &b->a;
    for (size_t i = 0; i < count; i++) {
        struct str *p = arena_new(&b->a, struct str, 4);
        args[i] = (struct source_arguments){str_c(ids[i]), p, 0};
        for (; paths[i][args[i].count] != NULL; args[i].count++)
            p[args[i].count] = str_c(paths[i][args[i].count]);
    }
    return checkpoint_open(&b->a, &b->d, args, count, &b->c);
}

static void close_sources(struct bench *b)
{
    checkpoint_close(&b->c);
    arena_release(&b->a);
}

/* All findings as text, to be freed; closes the bench. */
static char *findings(struct bench *b)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    diag_print(&b->d, out);
    fclose(out);
    close_sources(b);
    return text;
}

static void expect_bytes(const struct bench *b, uint32_t source,
                         const char *name, char byte)
{
    char got[3];
    uint32_t index;
    assert_true(checkpoint_find(&b->c, source, str_c(name), &index));
    assert_true(str_is(b->c.tensors[index].name, name));
    assert_int_equal(b->c.places[index].source, source);
    assert_int_equal(checkpoint_read(&b->c, index, 1, got, sizeof got), 0);
    for (size_t i = 0; i < sizeof got; i++)
        assert_int_equal(got[i], byte);
}

static void test_sources_and_files(void **state)
{
    static const char *const paths[2][4] = {
        {"x1.safetensors", "x2.safetensors"}, {"y.safetensors"}};
    struct bench b;
    struct str changed;
    uint32_t index;
    (void)state;
    put_tensors("x1.safetensors", "ab", '0');
    put_tensors("x2.safetensors", "dc", '4');
    put_tensors("y.safetensors", "ae", 'A');
    assert_true(open_sources(&b, 2, paths));
    assert_int_equal(b.c.count, 6);
    assert_int_equal(b.c.sources[0].first, 0);
    assert_int_equal(b.c.sources[0].count, 4);
    assert_int_equal(b.c.sources[1].first, 4);
    assert_int_equal(b.c.sources[1].count, 2);
    expect_bytes(&b, 0, "a", '0');
    expect_bytes(&b, 0, "b", '1');
    expect_bytes(&b, 0, "d", '4');
    expect_bytes(&b, 0, "c", '5');
    expect_bytes(&b, 1, "a", 'A');
    expect_bytes(&b, 1, "e", 'B');
    assert_false(checkpoint_find(&b.c, 0, str_c("e"), &index));
    assert_false(checkpoint_find(&b.c, 1, str_c("b"), &index));
    assert_true(checkpoint_find(&b.c, 1, str_c("a"), &index));
    assert_true(str_is(checkpoint_path(&b.c, index), "y.safetensors"));
    assert_false(checkpoint_changed(&b.c, &changed));
    put_tensors("x2.safetensors", "d", '4');
    assert_true(checkpoint_changed(&b.c, &changed));
    assert_true(str_is(changed, "x2.safetensors"));
    close_sources(&b);
}

/* One file that cannot be read closes the others; all are said. */
static void test_two_bad_files(void **state)
{
    static const char *const paths[1][4] = {
        {"x1.safetensors", "absent", "bad.safetensors"}};
    struct bench b;
    char *text;
    (void)state;
    put_tensors("x1.safetensors", "ab", '0');
    put_text("bad.safetensors", "no");
    assert_false(open_sources(&b, 1, paths));
    assert_int_equal(b.c.file_count, 0);
    text = findings(&b);
    assert_non_null(strstr(text, "absent: error[E0705]"));
    assert_non_null(strstr(text, "bad.safetensors: byte 0: error[E0701]"));
    free(text);
}

#define S1 "\"s-1.safetensors\""
#define S2 "\"s-2.safetensors\""

/* s-1 has a and b, s-2 has c; `said` is what the index gives rise to. */
static void test_indexes(void **state)
{
    static const struct {
        const char *index, *said;
    } rows[] = {
        {"{\"weight_map\":{\"a\":" S1 ",\"b\":" S1 ",\"c\":" S2 "}}", NULL},
        {"{\"x\":[1,{}],\"weight_map\":{\"c\":" S2 ",\"b\":" S1 ",\"a\":" S1
         "},\"metadata\":{\"total_size\":1e9}}\n",
         NULL},
        {"", "not JSON"},
        {"{\"weight_map\":{}}", "names no tensor"},
        {"{}", "no `weight_map`"},
        {"[]", "must be an object, but is an array"},
        {"{\"weight_map\":{\"a\":" S1 "}}x", "not JSON"},
        {"{\"weight_map\":{\"a\":" S1 "},\"weight_map\":{\"a\":" S1 "}}",
         "`weight_map` is there twice"},
        {"{\"metadata\":{\"k\":1,\"k\":1},\"weight_map\":{\"a\":" S1 "}}",
         "`k` is there twice"},
        {"{\"weight_map\":{\"a\":" S1 ",\"a\":" S1 "}}", "`a` is there twice"},
        {"{\"weight_map\":{\"a\":null}}", "must be a string, but is null"},
        {"{\"weight_map\":{\"a\":\"\"}}", "no plain file name"},
        {"{\"weight_map\":{\"a\":\".\"}}", "no plain file name"},
        {"{\"weight_map\":{\"a\":\"..\"}}", "no plain file name"},
        {"{\"weight_map\":{\"a\":\"/s-1.safetensors\"}}", "no plain file name"},
        {"{\"weight_map\":{\"a\":\"\\u002e./s\"}}", "no plain file name"},
        {"{\"weight_map\":{\"a\":\"s\\u0000\"}}", "no plain file name"},
        {"{\"weight_map\":{\"a\":" S1 ",\"b\":" S1 "}}",
         "1 extra file beside the shards: `s-2.safetensors`"},
        {"{\"weight_map\":{\"a\":" S1 ",\"b\":" S1
         ",\"c\":\"s-3.safetensors\"}}",
         "1 shard is missing: `s-3.safetensors`"},
        {"{\"weight_map\":{\"a\":" S1 ",\"b\":" S2 ",\"c\":" S2 "}}",
         "1 tensor is in another shard than the index says: `b`"},
        {"{\"weight_map\":{\"a\":" S1 ",\"c\":" S2 "}}",
         "1 tensor of the shards is not in the index: `b`"},
        {"{\"weight_map\":{\"a\":" S1 ",\"b\":" S1 ",\"c\":" S2 ",\"z\":" S2
         ",\"y\":" S2 "}}",
         "2 tensors of the index are in no shard: `y`, `z`"},
    };
    static const char *const paths[1][4] = {{"s.safetensors.index.json"}};
    (void)state;
    put_tensors("s-1.safetensors", "ab", '0');
    put_tensors("s-2.safetensors", "c", '4');
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench b;
        char *text;
        put_text(paths[0][0], rows[i].index);
        if (open_sources(&b, 1, paths) != (rows[i].said == NULL))
            fail_msg("row %zu", i);
        if (rows[i].said == NULL)
            expect_bytes(&b, 0, "c", '4');
        text = findings(&b);
        if (rows[i].said == NULL)
            assert_string_equal(text, "");
        else if (strstr(text, "error[E0702]") == NULL ||
                 strstr(text, rows[i].said) == NULL)
            fail_msg("row %zu: %s", i, text);
        free(text);
    }
}

static int in_a_folder(void **state)
{
    static char folder[] = "checkpoint-XXXXXX";
    *state = folder;
    return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int remove_folder(void **state)
{
    static const char *const files[] = {
        "x1.safetensors",          "x2.safetensors",  "y.safetensors",
        "bad.safetensors",         "s-1.safetensors", "s-2.safetensors",
        "s.safetensors.index.json"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        unlink(files[i]);
    return chdir("..") != 0 || rmdir(*state) != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sources_and_files),
        cmocka_unit_test(test_two_bad_files),
        cmocka_unit_test(test_indexes),
    };
    return cmocka_run_group_tests(tests, in_a_folder, remove_folder);
}
