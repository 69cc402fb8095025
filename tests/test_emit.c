/* SPDX-License-Identifier: MIT
 *
 * test_emit.c - a checkpoint that changes under the compiler's hands.
 *
 * In: the features checkpoint, opened and resolved; then the file is cut, or a
 * byte of it rewritten. Out: a system error (exit 3), no signal, no blob, no
 * temporary.
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
    struct checkpoint c;
    struct coverage cover;
    struct emit_target target = {str_c("emit-test.ttsb"), threads,
                                 PROGRESS_NEVER};
    struct emitted blob;
    enum exit_code code;
    copy_file(CHECKPOINT, "emit-test.safetensors");
    run_begin(&r);
    assert_true(run_model(&r, SPECS_DIR "/examples/features.yaml"));
    assert_true(
        checkpoint_open(&r.arena, &r.diag, str_c("emit-test.safetensors"), &c));
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shrinks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
