/* SPDX-License-Identifier: MIT
 *
 * test_progress.c - the line that progress.c shows, and that adding to it from
 * several threads loses nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pool.h"
#include "progress.h"

static struct progress_label named(const void *context, uint32_t item)
{
    const char *const *names = context;
    return (struct progress_label){str_c(names[item]), str_c("main")};
}

static const char *const names[] = {"a.safetensors", "b\033[31m\n\xc3\xa9"};

static const struct {
    uint64_t done, total;
    double seconds;
    uint32_t item;
    size_t columns;
    const char *line;
} lines[] = {
    {0, 1000, 0, 0, 200,
     "compile [----------]   0 %  0.0 of 1.0 KiB  0 KiB/s  "
     "group main  a.safetensors"},
    {999, 1000, 1, 0, 200,
     "compile [#########-]  99 %  1.0 of 1.0 KiB  1 KiB/s  "
     "group main  a.safetensors"},
    {1000, 1000, 1, 1, 200,
     "compile [##########] 100 %  1.0 of 1.0 KiB  1 KiB/s  "
     "group main  b?[31m???"},
    {(uint64_t)3 << 29, (uint64_t)3 << 30, 2, 0, 200,
     "compile [#####-----]  50 %  1.5 of 3.0 GiB  768 MiB/s  "
     "group main  a.safetensors"},
    {(uint64_t)5 << 40, (uint64_t)20 << 40, 1024, 0, 20,
     "compile [##--------]"},
    {UINT64_MAX, (uint64_t)1 << 62, 1, 0, 50,
     "compile [##########] 100 %  4194304.0 of 4194304.0"},
    {0, 0, 0, 0, 32, "compile [##########] 100 %  0.0 "},
    {7, 0, 0, 0, 0, ""},
};

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct progress p = {
            .plan = {PROGRESS_NEVER, "compile", lines[i].total, named, names}};
        char line[256];
        size_t n;
        progress_add(&p, lines[i].item, lines[i].done);
        n = progress_line(&p, lines[i].seconds, lines[i].columns, line,
                          sizeof line);
        assert_string_equal(line, lines[i].line);
        assert_int_equal(n, strlen(lines[i].line));
    }
}

static void test_small_buffer(void **state)
{
    struct progress p = {.plan = {PROGRESS_NEVER, "compile", 10, named, names}};
    (void)state;
    for (size_t size = 1; size < 120; size++) {
        char line[120];
        memset(line, '!', sizeof line);
        assert_true(progress_line(&p, 1, 200, line, size) < size);
        assert_int_equal(strlen(line) < size, 1);
        for (size_t i = size; i < sizeof line; i++)
            assert_int_equal(line[i], '!');
    }
}

static void job(void *context, unsigned worker, size_t i)
{
    (void)worker;
    progress_add(context, (uint32_t)(i % 2), i);
}

static void test_threads(void **state)
{
    struct progress p;
    struct progress_plan plan = {PROGRESS_NEVER, "compile", 1, named, names};
    (void)state;
    progress_start(&p, &plan);
    pool_run(8, 10000, job, &p);
    assert_int_equal(atomic_load(&p.done), 10000 * 9999 / 2);
    progress_stop(&p);
    progress_add(NULL, 0, 1);
}

static void test_words(void **state)
{
    enum progress_when when = PROGRESS_AUTO;
    (void)state;
    assert_true(progress_parse("never", &when));
    assert_int_equal(when, PROGRESS_NEVER);
    assert_true(progress_parse("always", &when));
    assert_int_equal(when, PROGRESS_ALWAYS);
    assert_true(progress_parse("auto", &when));
    assert_int_equal(when, PROGRESS_AUTO);
    assert_false(progress_parse("", &when));
    assert_false(progress_parse("alway", &when));
    assert_false(progress_parse("Auto", &when));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines), cmocka_unit_test(test_small_buffer),
        cmocka_unit_test(test_threads), cmocka_unit_test(test_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
