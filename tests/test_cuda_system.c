/* SPDX-License-Identifier: MIT
 *
 * test_cuda_system.c - the system fails while an upload is under way.
 *
 * In: pread, mincore, pthread_create, malloc and calloc behind wrappers (the
 * linker's
 * --wrap) that fail on demand; files that are not the blob's. Out: a status
 * with errno and nothing alive, or, where the system is only slow or gives
 * fewer threads, the blob's bytes. Invariant: the fake device's own calls never
 * fail with them.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "upload.h"

/* What the wrappers do and saw. The linker's wrappers have no other way to
 * learn it. */
static struct {
    atomic_bool armed;
    atomic_uint reads;
    atomic_uint read_fails_at; /* 0: never */
    atomic_int read_errno;
    atomic_uint read_most; /* bytes that one read gives; 0: all */
    atomic_llong file_end; /* the file ends here since it was opened, or -1 */
    atomic_int cold;       /* pages of 4 that are not in memory; -1: not told */
    atomic_uint threads;
    atomic_uint threads_fail_at; /* and all behind it */
    atomic_uint allocations;
    atomic_uint allocation_fails_at;
} fake_system;

ssize_t __real_pread(int fd, void *to, size_t size, off_t at);
ssize_t __wrap_pread(int fd, void *to, size_t size, off_t at);
int __real_mincore(void *address, size_t size, unsigned char *pages);
int __wrap_mincore(void *address, size_t size, unsigned char *pages);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *user);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *user);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

ssize_t __wrap_pread(int fd, void *to, size_t size, off_t at)
{
    const unsigned most = fake_system.read_most;
    const long long end = fake_system.file_end;
    if (!fake_system.armed)
        return __real_pread(fd, to, size, at);
    if (++fake_system.reads == fake_system.read_fails_at) {
        errno = fake_system.read_errno;
        return -1;
    }
    if (most != 0 && size > most)
        size = most;
    if (end >= 0 && at + (off_t)size > end)
        size = at < end ? (size_t)(end - at) : 0;
    return size == 0 ? 0 : __real_pread(fd, to, size, at);
}

/* Every fourth page, or more, is not in memory. */
int __wrap_mincore(void *address, size_t size, unsigned char *pages)
{
    const int cold = fake_system.cold;
    if (cold < 0) {
        errno = EAGAIN;
        return -1;
    }
    for (size_t i = 0; i < (size + 4095) / 4096; i++)
        pages[i] = (int)(((uintptr_t)address / 4096 + i) % 4) >= cold;
    return 0;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *user)
{
    const unsigned from = fake_system.threads_fail_at;
    if (fake_system.armed && !fake_cuda_is_inside() &&
        ++fake_system.threads >= from && from != 0)
        return EAGAIN;
    return __real_pthread_create(thread, attributes, run, user);
}

static bool no_memory(void)
{
    return fake_system.armed && !fake_cuda_is_inside() &&
           ++fake_system.allocations == fake_system.allocation_fails_at;
}

void *__wrap_malloc(size_t size)
{
    return no_memory() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return no_memory() ? NULL : __real_calloc(count, size);
}

static void fresh(void)
{
    fake_system.armed = false;
    fake_system.reads = 0;
    fake_system.read_fails_at = 0;
    fake_system.read_errno = EIO;
    fake_system.read_most = 0;
    fake_system.file_end = -1;
    fake_system.cold = 0;
    fake_system.threads = 0;
    fake_system.threads_fail_at = 0;
    fake_system.allocations = 0;
    fake_system.allocation_fails_at = 0;
}

static int setup(void **state)
{
    fresh();
    return upload_setup(state);
}

/* An upload while the wrappers are at work. */
static int32_t upload(const struct upload *u, struct ttsb_cuda_options *o,
                      struct ttsb_cuda_image **image, struct ttsb_error *error)
{
    int32_t status;
    const struct fake_plan plan = {.seed = fake_system.read_fails_at,
                                   .delay_us = 50};
    *error = (struct ttsb_error){.struct_size = sizeof(*error)};
    fake_cuda_reset(&plan);
    fake_system.armed = true;
    status = ttsb_cuda_upload(u->blob, o, image, error);
    fake_system.armed = false;
    if (status != TTSB_OK) {
        assert_null(*image);
        assert_int_equal(error->status, status);
        assert_int_equal(fake_cuda_alive(), 0);
    }
    return status;
}

static void check_and_release(const struct upload *u,
                              struct ttsb_cuda_image *image)
{
    upload_check(u, image);
    ttsb_cuda_release(image);
    assert_int_equal(fake_cuda_alive(), 0);
}

static void reads_fail(void **state)
{
    struct upload u;
    struct ttsb_error error;
    struct ttsb_cuda_image *image;
    (void)state;
    upload_open(&u);
    for (uint32_t path = TTSB_CUDA_READ; path <= TTSB_CUDA_DIRECT; path++) {
        struct ttsb_cuda_options o = upload_options(&u, path);
        for (uint32_t n = 1;; n++) {
            int32_t status;
            upload_note("path %u read %u", path, n);
            fresh();
            fake_system.read_fails_at = n;
            status = upload(&u, &o, &image, &error);
            if (status == TTSB_OK)
                break;
            assert_int_equal(status, TTSB_SYSTEM_READ);
            assert_int_equal(error.system_errno, EIO);
            assert_string_equal(error.field, "pread");
            assert_non_null(strstr(error.text, strerror(EIO)));
        }
        assert_true(fake_system.reads >= 18);
        check_and_release(&u, image);
    }
    upload_close(&u);
    upload_passed();
}

static void reads_are_short(void **state)
{
    static const unsigned most[] = {65535, 10007, 4096, 1000};
    struct upload u;
    struct ttsb_error error;
    struct ttsb_cuda_image *image;
    (void)state;
    upload_open(&u);
    for (uint32_t i = 0; i < 8; i++) {
        struct ttsb_cuda_options o =
            upload_options(&u, i % 2 ? TTSB_CUDA_DIRECT : TTSB_CUDA_READ);
        upload_note("path %u, %u bytes", o.path, most[i / 2]);
        fresh();
        fake_system.read_most = most[i / 2];
        assert_int_equal(upload(&u, &o, &image, &error), TTSB_OK);
        check_and_release(&u, image);
    }
    upload_close(&u);
    upload_passed();
}

/* An interrupted read is done again; so is one that O_DIRECT does not suit. */
static void reads_are_done_again(void **state)
{
    struct upload u;
    struct ttsb_error error;
    struct ttsb_cuda_image *image;
    (void)state;
    upload_open(&u);
    for (uint32_t n = 1; n < 20; n++) {
        struct ttsb_cuda_options o = upload_options(&u, TTSB_CUDA_READ);
        fresh();
        upload_note("read %u", n);
        fake_system.read_fails_at = n;
        fake_system.read_errno = EINTR;
        assert_int_equal(upload(&u, &o, &image, &error), TTSB_OK);
        check_and_release(&u, image);
    }
    upload_close(&u);
    upload_passed();
}

static void direct_is_refused(void **state)
{
    struct upload u;
    struct ttsb_cuda_options o;
    struct ttsb_error error;
    struct ttsb_cuda_image *image;
    struct ttsb_cuda_report r = {.struct_size = sizeof(r)};
    (void)state;
    upload_open(&u);
    o = upload_options(&u, TTSB_CUDA_DIRECT);
    assert_int_equal(upload(&u, &o, &image, &error), TTSB_OK);
    assert_int_equal(ttsb_cuda_report(image, &r), TTSB_OK);
    check_and_release(&u, image);
    if (r.path == TTSB_CUDA_DIRECT) { /* else the system refuses at once */
        fresh();
        fake_system.read_fails_at = 10;
        fake_system.read_errno = EINVAL;
        assert_int_equal(upload(&u, &o, &image, &error), TTSB_OK);
        assert_int_equal(ttsb_cuda_report(image, &r), TTSB_OK);
        assert_int_equal(r.path, TTSB_CUDA_READ);
        check_and_release(&u, image);
    }
    /* What is no matter of O_DIRECT is a failure. */
    o.path = TTSB_CUDA_READ;
    fresh();
    fake_system.read_fails_at = 10;
    fake_system.read_errno = EINVAL;
    assert_int_equal(upload(&u, &o, &image, &error), TTSB_SYSTEM_READ);
    assert_int_equal(error.system_errno, EINVAL);
    upload_close(&u);
    upload_passed();
}

/* Warm pages are read through the cache, cold ones around it where the system
 * allows that; without a file all are copied. */
static void chosen_by_pages(void **state)
{
    static const struct {
        int cold;
        bool file;
        uint32_t path;
    } rows[] = {
        {0, true, TTSB_CUDA_READ},    {1, true, TTSB_CUDA_READ},
        {3, true, TTSB_CUDA_DIRECT},  {4, true, TTSB_CUDA_DIRECT},
        {4, false, TTSB_CUDA_MAPPED}, {-1, true, TTSB_CUDA_READ},
    };
    struct upload u;
    struct ttsb_error error;
    struct ttsb_cuda_image *image;
    (void)state;
    upload_open(&u);
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ttsb_cuda_options o = upload_options(&u, TTSB_CUDA_AUTO);
        struct ttsb_cuda_report r = {.struct_size = sizeof(r)};
        upload_note("row %u", i);
        fresh();
        fake_system.cold = rows[i].cold;
        o.file = rows[i].file ? u.path : NULL;
        assert_int_equal(upload(&u, &o, &image, &error), TTSB_OK);
        assert_int_equal(ttsb_cuda_report(image, &r), TTSB_OK);
        if (rows[i].path != TTSB_CUDA_DIRECT || r.path != TTSB_CUDA_READ)
            assert_int_equal(r.path, rows[i].path);
        check_and_release(&u, image);
    }
    upload_close(&u);
    upload_passed();
}

/* Another program shortens the file after it was opened again. */
static void file_becomes_shorter(void **state)
{
    struct upload u;
    struct ttsb_error error;
    struct ttsb_cuda_image *image;
    struct ttsb_group g = {.struct_size = sizeof(g)};
    (void)state;
    upload_open(&u);
    assert_int_equal(ttsb_group_at(u.blob, UPLOAD_LAST, &g), TTSB_OK);
    for (uint32_t i = 0; i < 6; i++) {
        struct ttsb_cuda_options o =
            upload_options(&u, i % 2 ? TTSB_CUDA_DIRECT : TTSB_CUDA_READ);
        static const int64_t less[] = {1, 65536, 131072};
        fresh();
        fake_system.file_end = (int64_t)(g.offset + g.size) - less[i / 2];
        assert_int_equal(upload(&u, &o, &image, &error), TTSB_SYSTEM_READ);
        assert_string_equal(error.field, "pread");
        assert_int_equal(error.system_errno, ENODATA);
    }
    upload_close(&u);
    upload_passed();
}

static void write_file(const char *path, const uint8_t *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

/* Another blob, one byte of payload apart; a part of it; none; a folder. */
static void another_file(void **state)
{
    static const char other[] = "ttsb-upload-other";
    struct upload u;
    struct ttsb_error error;
    struct ttsb_cuda_image *image;
    struct ttsb_cuda_options o;
    struct blob b;
    (void)state;
    upload_open(&u);
    b = (struct blob){malloc(u.bytes.size), u.bytes.size};
    memcpy(b.bytes, u.bytes.bytes, b.size);
    b.bytes[88] ^= 1; /* the revision */
    blob_seal(&b, BLOB_SEAL_SECTIONS);
    for (uint32_t path = 0; path <= TTSB_CUDA_DIRECT; path++) {
        upload_note("path %u", path);
        o = upload_options(&u, path);
        o.file = other;
        write_file(other, b.bytes, b.size);
        assert_int_equal(upload(&u, &o, &image, &error), TTSB_WRONG_FILE);
        write_file(other, u.bytes.bytes, 4096);
        assert_int_equal(upload(&u, &o, &image, &error), TTSB_WRONG_FILE);
        write_file(other, u.bytes.bytes, u.bytes.size - 65536);
        assert_int_equal(upload(&u, &o, &image, &error), TTSB_WRONG_FILE);
        write_file(other, (const uint8_t *)"text", 4);
        assert_int_equal(upload(&u, &o, &image, &error), TTSB_WRONG_FILE);
        write_file(other, (const uint8_t *)"", 0);
        assert_int_equal(upload(&u, &o, &image, &error), TTSB_WRONG_FILE);
        unlink(other);
        assert_int_equal(upload(&u, &o, &image, &error), TTSB_SYSTEM_OPEN);
        assert_int_equal(error.system_errno, ENOENT);
        o.file = ".";
        assert_int_not_equal(upload(&u, &o, &image, &error), TTSB_OK);
    }
    blob_release(&b);
    upload_close(&u);
    upload_passed();
}

/* From the n-th on there are no more: the upload takes those it has. */
static void too_few_threads(void **state)
{
    struct upload u;
    struct ttsb_error error;
    struct ttsb_cuda_image *image;
    (void)state;
    upload_open(&u);
    for (uint32_t i = 0; i < 40; i++) {
        struct ttsb_cuda_options o =
            upload_options(&u, 1 + i % TTSB_CUDA_UNIFIED);
        struct ttsb_cuda_report r = {.struct_size = sizeof(r)};
        o.threads = 4;
        o.flags = (i / 5 % 2 ? TTSB_CUDA_ASYNC : 0) |
                  (i / 10 % 2 ? TTSB_CUDA_VERIFY : 0);
        upload_note("path %u flags %u threads %u", o.path, o.flags, i / 10);
        fresh();
        fake_system.threads_fail_at = 1 + i / 10;
        assert_int_equal(upload(&u, &o, &image, &error), TTSB_OK);
        assert_int_equal(ttsb_cuda_wait(image, &error), TTSB_OK);
        assert_int_equal(ttsb_cuda_report(image, &r), TTSB_OK);
        assert_in_range(r.threads, 1, i / 10 == 0 ? 1 : 4);
        check_and_release(&u, image);
    }
    upload_close(&u);
    upload_passed();
}

static void too_little_memory(void **state)
{
    struct upload u;
    struct ttsb_error error;
    struct ttsb_cuda_image *image;
    (void)state;
    upload_open(&u);
    for (uint32_t i = 0; i < 6; i++) {
        struct ttsb_cuda_options o =
            upload_options(&u, i % 2 ? TTSB_CUDA_READ : TTSB_CUDA_UNIFIED);
        int32_t status = TTSB_NO_MEMORY;
        uint32_t n = 0;
        o.flags = i / 2 == 1 ? TTSB_CUDA_VERIFY : 0;
        o.threads = i / 2 == 2 ? 8 : 2;
        while (status != TTSB_OK) {
            upload_note("path %u allocation %u", o.path, ++n);
            fresh();
            fake_system.allocation_fails_at = n;
            status = upload(&u, &o, &image, &error);
            assert_true(status == TTSB_OK || status == TTSB_NO_MEMORY);
            if (status != TTSB_OK)
                assert_true(error.text[0] != 0);
        }
        assert_in_range(n, 3, 100);
        check_and_release(&u, image);
    }
    upload_close(&u);
    upload_passed();
}

/* Of the calls that come after an upload. */
static void too_little_memory_later(void **state)
{
    struct DLManagedTensorVersioned *tensor;
    struct upload u;
    struct ttsb_error error;
    struct ttsb_cuda_image *image;
    struct ttsb_cuda_options o;
    uint32_t n = 0;
    int32_t status = TTSB_NO_MEMORY;
    (void)state;
    upload_open(&u);
    o = upload_options(&u, TTSB_CUDA_MAPPED);
    assert_int_equal(upload(&u, &o, &image, &error), TTSB_OK);
    while (status != TTSB_OK) {
        fresh();
        fake_system.allocation_fails_at = ++n;
        fake_system.armed = true;
        status = ttsb_cuda_verify(image, NULL, NULL, 0, &error);
        fake_system.armed = false;
        assert_true(status == TTSB_OK || status == TTSB_NO_MEMORY);
    }
    fresh();
    fake_system.allocation_fails_at = 1;
    fake_system.armed = true;
    assert_int_equal(ttsb_cuda_dlpack(image, 0, &tensor, &error),
                     TTSB_NO_MEMORY);
    fake_system.armed = false;
    assert_null(tensor);
    check_and_release(&u, image);
    upload_close(&u);
    upload_passed();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, upload_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_fail),           TEST(reads_are_short),
        TEST(reads_are_done_again), TEST(direct_is_refused),
        TEST(chosen_by_pages),      TEST(file_becomes_shorter),
        TEST(another_file),         TEST(too_few_threads),
        TEST(too_little_memory),    TEST(too_little_memory_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
