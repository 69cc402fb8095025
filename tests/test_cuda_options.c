/* SPDX-License-Identifier: MIT
 *
 * test_cuda_options.c - what the caller of an upload may choose.
 *
 * In: each option with values in and out of its range. Out: the caller's
 * stream, memory and allocator are used, and counted; a path is taken as it
 * was asked for, or the report says which one was; what is out of its range is
 * refused before the device is touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cuda_runtime_api.h"
#include "upload.h"

static struct ttsb_cuda_image *start(const struct upload *u,
                                     const struct ttsb_cuda_options *options)
{
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct ttsb_cuda_image *image;
    if (ttsb_cuda_upload(u->blob, options, &image, &error) != TTSB_OK)
        fail_msg("%s", error.text);
    return image;
}

static void refused(const struct upload *u,
                    const struct ttsb_cuda_options *options, const char *field)
{
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct ttsb_cuda_image *image = (void *)&error;
    upload_note("refused: %s", field);
    assert_int_equal(ttsb_cuda_upload(u->blob, options, &image, &error),
                     TTSB_BAD_ARGUMENT);
    assert_int_equal(error.status, TTSB_BAD_ARGUMENT);
    assert_non_null(strstr(error.field, field));
    assert_non_null(strstr(error.text, field));
    assert_null(image);
    assert_int_equal(fake_cuda_alive(), 0);
    assert_int_equal(fake_cuda_counts().calls[FAKE_MALLOC], 0);
}

static void out_of_range(void **state)
{
    struct upload u;
    struct ttsb_cuda_options good, o;
    struct ttsb_cuda_allocator none = {.user = NULL};
    (void)state;
    upload_open(&u);
    good = upload_options(&u, TTSB_CUDA_MAPPED);
#define REFUSED(member, value)                                                 \
    o = good;                                                                  \
    o.member = value;                                                          \
    refused(&u, &o, #member)
    REFUSED(struct_size, 8);
    REFUSED(struct_size, 0);
    REFUSED(struct_size, 4097);
    REFUSED(flags, 4);
    REFUSED(path, 6);
    REFUSED(slots, 1);
    REFUSED(slots, 65);
    REFUSED(slot_size, 65535);
    REFUSED(slot_size, 65536 + 4096);
    REFUSED(slot_size, (UINT64_C(1) << 30) + 65536);
    REFUSED(threads, 65);
    REFUSED(reserved, 1);
    REFUSED(stream, cudaStreamPerThread);
    REFUSED(allocator, &none);
    good.path = TTSB_CUDA_READ;
    REFUSED(file, NULL);
    good.path = TTSB_CUDA_DIRECT;
    REFUSED(file, NULL);
    upload_close(&u);
    upload_passed();
}

/* A later version's options, which may only be 0. */
static void later_version(void **state)
{
    struct {
        struct ttsb_cuda_options o;
        uint64_t more;
    } later;
    struct upload u;
    (void)state;
    upload_open(&u);
    memset(&later, 0, sizeof(later));
    later.o.struct_size = sizeof(later);
    ttsb_cuda_release(start(&u, &later.o));
    fake_cuda_reset(NULL);
    later.more = 1;
    refused(&u, &later.o, "struct_size");
    upload_close(&u);
    upload_passed();
}

static void nothing_given(void **state)
{
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct ttsb_cuda_image *image = (void *)&error;
    struct ttsb_cuda_report report = {.struct_size = sizeof(report)};
    struct DLManagedTensorVersioned *tensor;
    struct upload u;
    (void)state;
    upload_open(&u);
    assert_int_equal(ttsb_cuda_upload(NULL, NULL, &image, &error),
                     TTSB_BAD_ARGUMENT);
    assert_int_equal(error.status, TTSB_BAD_ARGUMENT);
    assert_null(image);
    assert_int_equal(ttsb_cuda_upload(u.blob, NULL, NULL, NULL),
                     TTSB_BAD_ARGUMENT);
    error = (struct ttsb_error){.struct_size = 8};
    assert_int_equal(ttsb_cuda_upload(NULL, NULL, NULL, &error),
                     TTSB_BAD_ARGUMENT);
    assert_int_equal(error.status, 0);
    assert_int_equal(ttsb_cuda_wait(NULL, NULL), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_cuda_wait_group(NULL, 0, NULL), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_cuda_report(NULL, &report), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_cuda_verify(NULL, NULL, NULL, 0, NULL),
                     TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_cuda_dlpack(NULL, 0, &tensor, NULL),
                     TTSB_BAD_ARGUMENT);
    assert_null(ttsb_cuda_bases(NULL));
    ttsb_cuda_cancel(NULL);
    ttsb_cuda_release(NULL);
    image = start(&u, NULL);
    assert_int_equal(ttsb_cuda_report(image, NULL), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_cuda_dlpack(image, 0, NULL, NULL), TTSB_BAD_ARGUMENT);
    ttsb_cuda_release(image);
    upload_close(&u);
    upload_passed();
}

/* --- paths --- */

static uint32_t path_of(struct ttsb_cuda_image *image)
{
    struct ttsb_cuda_report r = {.struct_size = sizeof(r)};
    assert_int_equal(ttsb_cuda_report(image, &r), TTSB_OK);
    return r.path;
}

/* O_DIRECT may be refused here; then, and only then, it is READ. */
static void paths(void **state)
{
    struct upload u;
    (void)state;
    upload_open(&u);
    for (uint32_t path = 0; path <= TTSB_CUDA_UNIFIED; path++) {
        struct ttsb_cuda_options o = upload_options(&u, path);
        struct ttsb_cuda_image *image;
        struct fake_counts c;
        uint32_t took;
        upload_note("path %u", path);
        fake_cuda_reset(NULL);
        image = start(&u, &o);
        took = path_of(image);
        c = fake_cuda_counts();
        if (path == TTSB_CUDA_AUTO)
            assert_in_range(took, TTSB_CUDA_MAPPED, TTSB_CUDA_DIRECT);
        else if (path == TTSB_CUDA_DIRECT)
            assert_in_range(took, TTSB_CUDA_READ, TTSB_CUDA_DIRECT);
        else
            assert_int_equal(took, path);
        assert_int_equal(c.calls[FAKE_REGISTER] != 0,
                         path == TTSB_CUDA_REGISTER);
        assert_int_equal(c.managed != 0, path == TTSB_CUDA_UNIFIED);
        assert_int_equal(c.calls[FAKE_HOST_ALLOC] != 0, took <= 3);
        assert_int_equal(c.pinned + c.registered, 0);
        upload_check(&u, image);
        ttsb_cuda_release(image);
        assert_int_equal(cudaGetLastError(), cudaSuccess);
    }
    upload_close(&u);
    upload_passed();
}

/* A device that has no memory of its own. */
static void integrated(void **state)
{
    struct fake_plan plan = {.seed = 1};
    struct upload u;
    struct ttsb_cuda_image *image;
    (void)state;
    upload_open(&u);
    plan.attributes[cudaDevAttrIntegrated] = 1;
    plan.attributes[cudaDevAttrManagedMemory] = 1;
    fake_cuda_reset(&plan);
    image = start(&u, NULL);
    assert_int_equal(path_of(image), TTSB_CUDA_UNIFIED);
    assert_int_equal(fake_cuda_counts().calls[FAKE_HOST_ALLOC], 0);
    upload_check(&u, image);
    ttsb_cuda_release(image);
    upload_close(&u);
    upload_passed();
}

/* All is done on the caller's device, whichever thread does it. */
static void second_device(void **state)
{
    struct upload u;
    (void)state;
    upload_open(&u);
    for (uint32_t path = 1; path <= TTSB_CUDA_UNIFIED; path++) {
        struct ttsb_cuda_options o = upload_options(&u, path);
        struct ttsb_cuda_image *image;
        int device = -1;
        upload_note("path %u", path);
        fake_cuda_reset(NULL);
        o.flags = TTSB_CUDA_VERIFY | TTSB_CUDA_ASYNC;
        assert_int_equal(cudaSetDevice(1), cudaSuccess);
        image = start(&u, &o);
        assert_int_equal(ttsb_cuda_wait(image, NULL), TTSB_OK);
        upload_check(&u, image);
        assert_int_equal(fake_cuda_of_device(1),
                         fake_cuda_counts().device +
                             fake_cuda_counts().managed);
        /* Later, from a thread that has another one. */
        assert_int_equal(cudaSetDevice(0), cudaSuccess);
        assert_int_equal(ttsb_cuda_verify(image, NULL, NULL, 0, NULL), TTSB_OK);
        assert_int_equal(fake_cuda_counts().elsewhere, 0);
        ttsb_cuda_release(image);
        assert_int_equal(cudaGetDevice(&device), cudaSuccess);
        assert_int_equal(device, 0);
    }
    upload_close(&u);
    upload_passed();
}

/* --- the caller's stream and memory --- */

static void callers_stream(void **state)
{
    struct upload u;
    cudaStream_t stream;
    (void)state;
    upload_open(&u);
    for (uint32_t i = 0; i < 2; i++) {
        struct ttsb_cuda_options o = upload_options(&u, TTSB_CUDA_MAPPED);
        struct ttsb_cuda_image *image;
        fake_cuda_reset(NULL);
        assert_int_equal(
            cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), 0);
        o.stream = stream;
        o.flags = i == 0 ? 0 : TTSB_CUDA_VERIFY;
        image = start(&u, &o);
        assert_int_equal(fake_cuda_counts().streams, 1);
        assert_int_equal(fake_cuda_counts().calls[FAKE_STREAM_CREATE], 1 + i);
        upload_check(&u, image);
        assert_int_equal(ttsb_cuda_verify(image, stream, NULL, 0, NULL),
                         TTSB_OK);
        ttsb_cuda_release(image);
        assert_int_equal(fake_cuda_counts().streams, 1);
        assert_int_equal(fake_cuda_alive(), 1);
        assert_int_equal(cudaStreamDestroy(stream), cudaSuccess);
    }
    upload_close(&u);
    upload_passed();
}

/* The caller's stream may go when all is waited for, before the image does. */
static void stream_goes_first(void **state)
{
    const uint32_t runs = upload_runs(50, 20);
    struct upload u;
    (void)state;
    upload_open(&u);
    for (uint32_t i = 0; i < runs; i++) {
        struct ttsb_cuda_options o = upload_options(
            &u, i % 2 == 0 ? TTSB_CUDA_MAPPED : TTSB_CUDA_UNIFIED);
        struct ttsb_cuda_image *image;
        cudaStream_t stream;
        fake_cuda_reset(NULL);
        assert_int_equal(
            cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), 0);
        o.stream = stream;
        o.flags = TTSB_CUDA_ASYNC;
        image = start(&u, &o);
        assert_int_equal(ttsb_cuda_wait(image, NULL), TTSB_OK);
        assert_int_equal(cudaStreamDestroy(stream), cudaSuccess);
        upload_check(&u, image);
        ttsb_cuda_release(image);
        assert_int_equal(fake_cuda_counts().calls[FAKE_STREAM_SYNC], 0);
        assert_int_equal(fake_cuda_alive(), 0);
    }
    upload_close(&u);
    upload_passed();
}

static bool on_device(const struct upload *u, uint32_t i, struct ttsb_group *g)
{
    *g = (struct ttsb_group){.struct_size = sizeof(*g)};
    assert_int_equal(ttsb_group_at(u->blob, i, g), TTSB_OK);
    return g->place == TTSB_PLACE_DEVICE && g->size != 0;
}

struct memory {
    uint8_t *owned[UPLOAD_GROUPS];
    void *given[UPLOAD_GROUPS];
    const struct upload *u;
    uint32_t asked;
    uint32_t released;
    uint32_t refuse; /* this group */
    uint32_t crooked;
};

/* Device memory of any alignment. */
static void *take(struct memory *m, uint32_t group, uint64_t size,
                  uint64_t align)
{
    void *p;
    assert_int_equal(cudaMalloc(&p, size + align), cudaSuccess);
    m->owned[group] = p;
    m->given[group] = m->owned[group] + align - (uintptr_t)p % align;
    return m->given[group];
}

static void give(struct memory *m)
{
    for (uint32_t i = 0; i < UPLOAD_GROUPS; i++)
        if (m->owned[i] != NULL)
            cudaFree(m->owned[i]);
}

static void callers_memory(void **state)
{
    struct upload u;
    (void)state;
    upload_open(&u);
    for (uint32_t path = 1; path <= TTSB_CUDA_REGISTER; path++) {
        struct ttsb_cuda_options o = upload_options(&u, path);
        struct memory m = {.u = &u};
        struct ttsb_cuda_image *image;
        struct ttsb_group g;
        upload_note("path %u", path);
        fake_cuda_reset(NULL);
        for (uint32_t i = 0; i < UPLOAD_GROUPS; i++)
            if (i != UPLOAD_SMALL && on_device(&u, i, &g))
                take(&m, i, g.size, g.align);
        o.memory = m.given;
        o.flags = path % 2 ? TTSB_CUDA_VERIFY : 0;
        image = start(&u, &o);
        upload_check(&u, image);
        for (uint32_t i = 0; i < UPLOAD_GROUPS; i++)
            if (m.given[i] != NULL)
                assert_ptr_equal(ttsb_cuda_bases(image)[i], m.given[i]);
        ttsb_cuda_release(image);
        assert_int_equal(fake_cuda_alive(), 9);
        m.given[UPLOAD_ALIGNED] = (uint8_t *)m.given[UPLOAD_ALIGNED] - 256;
        assert_int_equal(ttsb_cuda_upload(u.blob, &o, &image, NULL),
                         TTSB_BAD_ARGUMENT);
        assert_int_equal(fake_cuda_alive(), 9);
        give(&m);
    }
    upload_close(&u);
    upload_passed();
}

static void *allocate(void *user, uint32_t group, uint64_t size, uint64_t align)
{
    struct memory *m = user;
    struct ttsb_group g;
    assert_true(on_device(m->u, group, &g));
    assert_int_equal(size, g.size);
    assert_int_equal(align, g.align);
    if (group == m->refuse)
        return NULL;
    m->asked++;
    take(m, group, size, align);
    return (uint8_t *)m->given[group] + (group == m->crooked ? 128 : 0);
}

static void release(void *user, uint32_t group, void *memory)
{
    struct memory *m = user;
    assert_ptr_equal(
        (uint8_t *)m->given[group] + (group == m->crooked ? 128 : 0), memory);
    cudaFree(m->owned[group]);
    m->given[group] = NULL;
    m->released++;
}

/* Each group is asked for once, and given back once, also after a failure. */
static void callers_allocator(void **state)
{
    struct upload u;
    struct memory m = {.u = &u, .refuse = UINT32_MAX, .crooked = UINT32_MAX};
    const struct ttsb_cuda_allocator allocator = {allocate, release, &m};
    struct ttsb_cuda_options o;
    struct ttsb_cuda_image *image;
    struct ttsb_error error = {.struct_size = sizeof(error)};
    (void)state;
    upload_open(&u);
    o = upload_options(&u, TTSB_CUDA_MAPPED);
    o.allocator = &allocator;
    image = start(&u, &o);
    upload_check(&u, image);
    assert_int_equal(m.asked, 10);
    assert_int_equal(m.released, 0);
    assert_int_equal(fake_cuda_counts().calls[FAKE_MALLOC], 10);
    ttsb_cuda_release(image);
    assert_int_equal(m.released, 10);
    for (uint32_t i = 0; i < UPLOAD_GROUPS; i++) {
        struct ttsb_group g;
        if (!on_device(&u, i, &g))
            continue;
        m = (struct memory){.u = &u, .refuse = i, .crooked = UINT32_MAX};
        assert_int_equal(ttsb_cuda_upload(u.blob, &o, &image, &error),
                         TTSB_DEVICE_MEMORY);
        assert_int_equal(m.released, m.asked);
        m = (struct memory){.u = &u, .refuse = UINT32_MAX, .crooked = i};
        assert_int_equal(ttsb_cuda_upload(u.blob, &o, &image, &error),
                         TTSB_BAD_ARGUMENT);
        assert_int_equal(m.released, m.asked);
        assert_int_equal(fake_cuda_alive(), 0);
    }
    upload_close(&u);
    upload_passed();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UPLOAD_TEST(out_of_range),   UPLOAD_TEST(later_version),
        UPLOAD_TEST(nothing_given),  UPLOAD_TEST(paths),
        UPLOAD_TEST(integrated),     UPLOAD_TEST(second_device),
        UPLOAD_TEST(callers_stream), UPLOAD_TEST(stream_goes_first),
        UPLOAD_TEST(callers_memory), UPLOAD_TEST(callers_allocator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
