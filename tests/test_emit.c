/* SPDX-License-Identifier: MIT
 *
 * test_emit.c - a checkpoint that changes under the compiler's hands.
 *
 * In: the features checkpoint, or two small files as one, opened and resolved;
 * then a file is cut, or a byte of it rewritten. Out: a system error (exit 3)
 * that names the file, no signal, no blob, no temporary.
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

#include "compile.h"
#include "emit.h"
#include "resolve.h"

#define CHECKPOINT FIXTURES_DIR "/features/features.safetensors"

static void copy_file(const char *from, const char *to)
{
    char buffer[1 << 16];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    size_t n;
    assert_non_null(in);
    assert_non_null(out);
    n = fread(buffer, 1, sizeof buffer, in);
    assert_true(n > 0 && n < sizeof buffer);
    assert_int_equal(fwrite(buffer, 1, n, out), n);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static void rewrite(const char *path)
{
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, -1, SEEK_END), 0);
    assert_int_equal(fputc(7, f), 7);
    assert_int_equal(fclose(f), 0);
}

/* Compiles, the file cut to `keep` bytes after it was checked; or, if that is
 * negative, its last byte rewritten. */
static enum exit_code compile_cut(off_t keep, unsigned threads)
{
    struct run r;
    struct str path = str_c("emit-test.safetensors");
    struct source_arguments only = {str_c("main"), &path, 1};
    struct checkpoint c;
    struct coverage cover;
    struct emit_target target = {.path = str_c("emit-test.ttsb"),
                                 .threads = threads,
                                 .progress = PROGRESS_NEVER};
    struct emitted blob;
    enum exit_code code;
    copy_file(CHECKPOINT, "emit-test.safetensors");
    run_begin(&r, NULL);
    assert_true(run_model(&r, SPECS_DIR "/examples/features.yaml"));
    assert_true(checkpoint_open(&r.arena, &r.diag, &only, 1, &c));
    assert_true(resolve_model(&r.arena, &r.diag, &r.model, &c, false, &cover));
    if (keep < 0)
        rewrite("emit-test.safetensors");
    else
        assert_int_equal(truncate("emit-test.safetensors", keep), 0);
    emit_blob(&r.arena, &r.diag, &r.model, &c, &target, &blob);
    checkpoint_close(&c);
    code = run_end(&r);
    unlink("emit-test.safetensors");
    return code;
}

static void test_shrinks(void **state)
{
    static const off_t sizes[] = {0, 100, 1700, 2200, -1};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (unsigned threads = 1; threads <= 4; threads++) {
            assert_int_equal(compile_cut(sizes[i], threads), EXIT_SYSTEM);
            assert_int_equal(access("emit-test.ttsb", F_OK), -1);
            assert_int_equal(access(".emit-test.ttsb.ttswc-tmp", F_OK), -1);
        }
}

static void put(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* A file of one F32 [2,2], or of a weight norm with these sizes. */
static void put_tensor(const char *path, const char *header)
{
    uint8_t file[300] = {0};
    size_t n = strlen(header);
    const float values[] = {1, 2, 3, 4, 5, 6};
    file[0] = (uint8_t)n;
    memcpy(file + 8, header, n);
    memcpy(file + 8 + n, values, sizeof values);
    put(path, file, 8 + n + (strstr(header, "_g") != NULL ? 24 : 16));
}

#define SPEC_HEAD                                                              \
    "ttsw: 1\nmodel: two\nrevision: 1\nsource_dtype: f32\nstore: f32\n"        \
    "weight_norm: legacy\nlayout: [out, in]\nmap:\n  - tensors:\n"             \
    "      a: a [out=2, in=2]\n      b: "

/* Two files are a checkpoint; the second is cut when it is resolved. */
static void cut_second(const char *value, const char *header)
{
    static const struct str paths[] = {{"emit-1.safetensors", 18},
                                       {"emit-2.safetensors", 18}};
    struct source_arguments two = {str_c("main"), paths, 2};
    struct emit_target target = {.path = str_c("emit-test.ttsb"),
                                 .threads = 2,
                                 .progress = PROGRESS_NEVER};
    struct run r;
    struct checkpoint c;
    struct coverage cover;
    struct emitted blob;
    char spec[400], *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    put_tensor(paths[0].p, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,2],"
                           "\"data_offsets\":[0,16]}}");
    put_tensor(paths[1].p, header);
    snprintf(spec, sizeof spec, SPEC_HEAD "%s\n", value);
    put("emit-two.yaml", spec, strlen(spec));
    run_begin(&r, NULL);
    assert_true(run_model(&r, "emit-two.yaml"));
    assert_true(checkpoint_open(&r.arena, &r.diag, &two, 1, &c));
    assert_true(resolve_model(&r.arena, &r.diag, &r.model, &c, false, &cover));
    assert_int_equal(truncate(paths[1].p, 120), 0);
    assert_false(emit_blob(&r.arena, &r.diag, &r.model, &c, &target, &blob));
    diag_print(&r.diag, out);
    fclose(out);
    assert_string_equal(text, "emit-2.safetensors: error[E0705]: cannot read: "
                              "the file became shorter\n\n"
                              "ttswc: 1 error, 0 warnings\n");
    free(text);
    checkpoint_close(&c);
    arena_release(&r.arena);
    unlink(paths[0].p);
    unlink(paths[1].p);
    unlink("emit-two.yaml");
    assert_int_equal(access("emit-test.ttsb", F_OK), -1);
}

static void test_names_the_file(void **state)
{
    static const char plain[] =
        "{\"b\":{\"dtype\":\"F32\",\"shape\":[2,2],"
        "\"data_offsets\":[0,16]},"
        "\"__metadata__\":{\"pad\":\"0123456789012345678"
        "90123456789012345678901234567890\"}}";
    static const char norm[] =
        "{\"b_g\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]},"
        "\"b_v\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[8,24]}}";
    (void)state;
    cut_second("b [out=2, in=2]", plain);
    cut_second("exp(b [out=2, in=2])", plain);
    cut_second("transpose(b [in=2, out=2]) [out=2, in=2]", plain);
    cut_second("weight_norm(b, keep=out) [out=2, in=2]", norm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shrinks),
                                       cmocka_unit_test(test_names_the_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
