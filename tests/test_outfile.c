/* SPDX-License-Identifier: MIT
 *
 * test_outfile.c - whole or untouched, on file systems with unnamed
 * temporaries and on those without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "outfile.h"

static int enter(void **state)
{
    static char name[32];
    strcpy(name, "outfile-XXXXXX");
    assert_non_null(mkdtemp(name));
    assert_int_equal(chdir(name), 0);
    *state = name;
    return 0;
}

static int leave(void **state)
{
    remove("target");
    remove(".target.ttswc-tmp");
    assert_int_equal(chdir(".."), 0);
    assert_int_equal(rmdir(*state), 0);
    return 0;
}

static void put(const char *text)
{
    FILE *f = fopen("target", "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void expect(const char *text)
{
    char buffer[64] = {0};
    FILE *f = fopen("target", "r");
    assert_non_null(f);
    assert_int_equal(fread(buffer, 1, 63, f), strlen(text));
    fclose(f);
    assert_string_equal(buffer, text);
}

static int count_files(void)
{
    DIR *d = opendir(".");
    int n = 0;
    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n - 2;
}

/* Writes "new" up to the point where it would be committed. */
static struct outfile begin(struct arena *a, bool unnamed)
{
    struct outfile o;
    assert_int_equal(outfile_open(a, str_c("target"), unnamed, &o), 0);
    assert_int_equal(outfile_resize(&o, 3), 0);
    assert_int_equal(outfile_write(&o, 1, "ew", 2), 0);
    assert_int_equal(outfile_write(&o, 0, "n", 1), 0);
    return o;
}

static void try_both(bool unnamed)
{
    struct arena a = {0};
    struct outfile o;
    put("old");
    o = begin(&a, unnamed);
    expect("old");
    outfile_discard(&o);
    expect("old");
    assert_int_equal(count_files(), 1);
    o = begin(&a, unnamed);
    assert_int_equal(outfile_commit(&o), 0);
    expect("new");
    assert_int_equal(count_files(), 1);
    arena_release(&a);
}

static void test_unnamed(void **state)
{
    (void)state;
    try_both(true);
}

static void test_named(void **state)
{
    (void)state;
    try_both(false);
}

/* A killed run leaves its temporary; the next one removes it. */
static void test_killed(void **state)
{
    struct arena a = {0};
    struct outfile o;
    int status;
    pid_t child;
    (void)state;
    put("old");
    fflush(NULL);
    child = fork();
    if (child == 0) {
        begin(&a, false);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    expect("old");
    assert_int_equal(count_files(), 2);
    o = begin(&a, true);
    assert_int_equal(outfile_commit(&o), 0);
    expect("new");
    assert_int_equal(count_files(), 1);
    arena_release(&a);
}

/* Two runs on one target: the second is told. */
static void test_two_writers(void **state)
{
    struct arena a = {0};
    struct outfile first, second;
    (void)state;
    first = begin(&a, false);
    assert_int_equal(outfile_open(&a, str_c("target"), true, &second),
                     EWOULDBLOCK);
    assert_int_equal(outfile_commit(&first), 0);
    expect("new");
    arena_release(&a);
}

static void test_refused_targets(void **state)
{
    struct arena a = {0};
    struct outfile o;
    (void)state;
    assert_int_equal(outfile_open(&a, str_c("."), true, &o), EISDIR);
    assert_int_equal(outfile_open(&a, str_c("/dev/null"), true, &o), EISDIR);
    assert_int_equal(outfile_open(&a, str_c("no/where"), true, &o), ENOENT);
    assert_int_equal(count_files(), 0);
    arena_release(&a);
}

/* A link that stands under the temporary's name is not followed. */
static void test_planted_link(void **state)
{
    struct arena a = {0};
    struct outfile o;
    (void)state;
    put("old");
    assert_int_equal(symlink("target", ".target.ttswc-tmp"), 0);
    assert_int_equal(outfile_open(&a, str_c("target"), false, &o), ELOOP);
    expect("old");
    arena_release(&a);
}

/* A target that is a link to nothing yet is made where the link points. */
static void test_link_to_nothing(void **state)
{
    struct arena a = {0};
    struct stat st;
    (void)state;
    assert_int_equal(mkdir("folder", 0777), 0);
    assert_int_equal(symlink("../target", "folder/second"), 0);
    assert_int_equal(symlink("folder/second", "first"), 0);
    assert_int_equal(outfile_write_text(&a, str_c("first"), str_c("new")), 0);
    expect("new");
    assert_int_equal(lstat("first", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(unlink("first"), 0);
    assert_int_equal(unlink("folder/second"), 0);
    assert_int_equal(rmdir("folder"), 0);
    arena_release(&a);
}

static void test_link_loop(void **state)
{
    struct arena a = {0};
    (void)state;
    assert_int_equal(symlink("second", "first"), 0);
    assert_int_equal(symlink("first", "second"), 0);
    assert_int_equal(outfile_write_text(&a, str_c("first"), str_c("new")),
                     ELOOP);
    assert_int_equal(unlink("first"), 0);
    assert_int_equal(unlink("second"), 0);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_unnamed, enter, leave),
        cmocka_unit_test_setup_teardown(test_named, enter, leave),
        cmocka_unit_test_setup_teardown(test_killed, enter, leave),
        cmocka_unit_test_setup_teardown(test_two_writers, enter, leave),
        cmocka_unit_test_setup_teardown(test_refused_targets, enter, leave),
        cmocka_unit_test_setup_teardown(test_planted_link, enter, leave),
        cmocka_unit_test_setup_teardown(test_link_to_nothing, enter, leave),
        cmocka_unit_test_setup_teardown(test_link_loop, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
