/* SPDX-License-Identifier: MIT
 *
 * test_runtime_system.c - the system's calls, seen and made to fail.
 *
 * In: a blob in a file; madvise, pread and mprotect behind wrappers (the
 * linker's --wrap) that record and fail on demand. Out: prefetch asks for a
 * group's bytes and no others; a copy survives interrupted and short reads,
 * and a file that shrinks under it is a status. Invariant: a failure leaves
 * the blob, or nothing, but never half of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "blob.h"
#include "ttsb.h"

/* What the wrappers do and saw. The linker's wrappers have no other way to
 * learn it. */
static struct {
    int advised; /* calls */
    void *address;
    size_t size;
    int advice;
    int madvise_errno; /* not 0: fail */
    int mprotect_errno;
    int interrupts;   /* this many reads are interrupted */
    size_t read_most; /* bytes that one read gives; 0: all */
    int64_t file_end; /* the file ends here since fstat, or -1 */
} fake;

int __wrap_madvise(void *address, size_t size, int advice);
int __real_mprotect(void *address, size_t size, int protection);
int __wrap_mprotect(void *address, size_t size, int protection);
ssize_t __real_pread(int fd, void *to, size_t size, off_t at);
ssize_t __wrap_pread(int fd, void *to, size_t size, off_t at);

int __wrap_madvise(void *address, size_t size, int advice)
{
    fake.advised++;
    fake.address = address;
    fake.size = size;
    fake.advice = advice;
    errno = fake.madvise_errno;
    return fake.madvise_errno != 0 ? -1 : 0;
}

int __wrap_mprotect(void *address, size_t size, int protection)
{
    errno = fake.mprotect_errno;
    if (fake.mprotect_errno != 0)
        return -1;
    return __real_mprotect(address, size, protection);
}

ssize_t __wrap_pread(int fd, void *to, size_t size, off_t at)
{
    if (fake.interrupts > 0) {
        fake.interrupts--;
        errno = EINTR;
        return -1;
    }
    if (fake.read_most != 0 && size > fake.read_most)
        size = fake.read_most;
    if (fake.file_end >= 0 && at + (off_t)size > fake.file_end)
        size = at < fake.file_end ? (size_t)(fake.file_end - at) : 0;
    return __real_pread(fd, to, size, at);
}

static int fresh(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    fake.file_end = -1;
    return 0;
}

/* A file without a name that holds the standard blob; the caller closes it. */
static int blob_file(void)
{
    char path[] = "ttsb-test-XXXXXX";
    struct blob b = blob_build(blob_standard());
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(write(fd, b.bytes, b.size), b.size);
    blob_release(&b);
    return fd;
}

static struct ttsb_blob *open_file(int fd, uint32_t flags)
{
    const struct ttsb_open_options options = {.struct_size = sizeof(options),
                                              .flags = flags};
    struct ttsb_blob *blob;
    assert_int_equal(ttsb_open_fd(fd, &options, &blob, NULL), TTSB_OK);
    return blob;
}

/* Each group that has bytes is asked for, exactly. */
static void prefetch(void **state)
{
    struct ttsb_group g = {.struct_size = sizeof(g)};
    int fd = blob_file();
    struct ttsb_blob *blob = open_file(fd, 0);
    (void)state;
    for (uint32_t i = 0; i < blob_standard()->group_count; i++) {
        fake.advised = 0;
        assert_int_equal(ttsb_group_at(blob, i, &g), TTSB_OK);
        assert_int_equal(ttsb_prefetch(blob, i, NULL), TTSB_OK);
        assert_int_equal(fake.advised, g.size != 0);
        if (g.size == 0)
            continue;
        assert_ptr_equal(fake.address, g.data);
        assert_int_equal(fake.size, g.size);
        assert_int_equal(fake.advice, MADV_WILLNEED);
        assert_int_equal((uintptr_t)g.data % (uintptr_t)getpagesize(), 0);
    }
    ttsb_close(blob);
    close(fd);
}

static void prefetch_fails(void **state)
{
    struct ttsb_error error = {.struct_size = sizeof(error)};
    int fd = blob_file();
    struct ttsb_blob *blob = open_file(fd, 0);
    (void)state;
    assert_int_equal(ttsb_prefetch(NULL, 0, NULL), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_prefetch(blob, 4, &error), TTSB_OUT_OF_RANGE);
    assert_string_equal(error.text, "there is no group 4: the blob has 4");
    assert_int_equal(fake.advised, 0);
    fake.madvise_errno = EAGAIN;
    assert_int_equal(ttsb_prefetch(blob, 0, &error), TTSB_SYSTEM_READ);
    assert_int_equal(error.system_errno, EAGAIN);
    assert_string_equal(error.field, "madvise");
    assert_int_equal(ttsb_verify(blob, 1, NULL, NULL), TTSB_OK);
    ttsb_close(blob);
    close(fd);
}

/* Nothing to read ahead where all is in memory. */
static void prefetch_in_memory(void **state)
{
    struct blob b = blob_build(blob_standard());
    int fd = blob_file();
    struct ttsb_blob *blobs[2] = {open_file(fd, TTSB_OPEN_COPY)};
    (void)state;
    assert_int_equal(ttsb_open_memory(b.bytes, b.size, NULL, &blobs[1], NULL),
                     TTSB_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ttsb_prefetch(blobs[i], 0, NULL), TTSB_OK);
        assert_int_equal(ttsb_prefetch(blobs[i], 4, NULL), TTSB_OUT_OF_RANGE);
        ttsb_close(blobs[i]);
    }
    assert_int_equal(fake.advised, 0);
    close(fd);
    blob_release(&b);
}

static void slow_reads(void **state)
{
    int fd = blob_file();
    struct ttsb_blob *blob;
    (void)state;
    fake.interrupts = 3;
    fake.read_most = 10007;
    blob = open_file(fd, TTSB_OPEN_COPY);
    assert_int_equal(fake.interrupts, 0);
    assert_int_equal(ttsb_verify(blob, 1, NULL, NULL), TTSB_OK);
    ttsb_close(blob);
    close(fd);
}

/* The file became shorter between fstat and the end of the copy. */
static void shrinks_under_the_copy(void **state)
{
    const struct ttsb_open_options copy = {.struct_size = sizeof(copy),
                                           .flags = TTSB_OPEN_COPY};
    const int64_t ends[] = {0, 1, 4096, 70000};
    struct ttsb_error error = {.struct_size = sizeof(error)};
    int fd = blob_file();
    struct ttsb_blob *blob;
    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        fake.file_end = ends[i];
        assert_int_equal(ttsb_open_fd(fd, &copy, &blob, &error),
                         TTSB_SYSTEM_READ);
        assert_null(blob);
        assert_int_equal(error.system_errno, ENODATA);
        assert_string_equal(error.field, "pread");
    }
    close(fd);
}

static void no_protection(void **state)
{
    const struct ttsb_open_options copy = {.struct_size = sizeof(copy),
                                           .flags = TTSB_OPEN_COPY};
    struct ttsb_error error = {.struct_size = sizeof(error)};
    int fd = blob_file();
    struct ttsb_blob *blob;
    (void)state;
    fake.mprotect_errno = ENOMEM;
    assert_int_equal(ttsb_open_fd(fd, &copy, &blob, &error), TTSB_SYSTEM_MAP);
    assert_null(blob);
    assert_int_equal(error.system_errno, ENOMEM);
    assert_int_equal(ttsb_open_memory("x", 1, &copy, &blob, &error),
                     TTSB_SYSTEM_MAP);
    assert_null(blob);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(prefetch, fresh),
        cmocka_unit_test_setup(prefetch_fails, fresh),
        cmocka_unit_test_setup(prefetch_in_memory, fresh),
        cmocka_unit_test_setup(slow_reads, fresh),
        cmocka_unit_test_setup(shrinks_under_the_copy, fresh),
        cmocka_unit_test_setup(no_protection, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
