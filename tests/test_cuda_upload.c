/* SPDX-License-Identifier: MIT
 *
 * test_cuda_upload.c - the upload's bytes, order, progress and end.
 *
 * In: a blob with all kinds of groups and a fake device whose streams are
 * slow in a way that a seed says. Out: each device group's bytes as they are in
 * the file whatever the ring's shape, groups that become ready in order, and
 * nothing left behind, whenever it is cancelled or released.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "upload.h"

enum { CHUNKS = 18 }; /* of 65,536 */

static struct ttsb_cuda_image *start(const struct upload *u,
                                     const struct ttsb_cuda_options *options)
{
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct ttsb_cuda_image *image;
    const int32_t status = ttsb_cuda_upload(u->blob, options, &image, &error);
    if (status != TTSB_OK)
        fail_msg("%s", error.text);
    return image;
}

/* The device groups do not need the blob's opener any longer. */
static void bytes_of_the_file(void **state)
{
    struct ttsb_group g = {.struct_size = sizeof(g)};
    struct upload u;
    struct ttsb_cuda_image *image;
    upload_open(&u);
    assert_int_equal(ttsb_group_at(u.blob, UPLOAD_FIRST, &g), TTSB_OK);
    image = start(&u, NULL);
    upload_check(&u, image);
    ttsb_cuda_release(image);
    image = start(&u, NULL);
    assert_int_equal(ttsb_cuda_wait(image, NULL), TTSB_OK);
    for (uint32_t i = 0; i < UPLOAD_GROUPS; i++)
        assert_int_equal(ttsb_cuda_wait_group(image, i, NULL), TTSB_OK);
    assert_int_equal(ttsb_cuda_wait_group(image, UPLOAD_GROUPS, NULL),
                     TTSB_OUT_OF_RANGE);
    ttsb_cuda_cancel(image); /* too late */
    assert_int_equal(ttsb_cuda_wait(image, NULL), TTSB_OK);
    ttsb_close(u.blob);
    assert_memory_equal(fake_cuda_bytes(ttsb_cuda_bases(image)[UPLOAD_FIRST]),
                        u.bytes.bytes + g.offset, 65536);
    ttsb_cuda_release(image);
    assert_int_equal(fake_cuda_alive(), 0);
    assert_int_equal(fake_cuda_counts().pageable, 0);
    u.blob = NULL;
    upload_close(&u);
    (void)state;
    upload_passed();
}

static void in_memory(void **state)
{
    struct blob b = blob_build(blob_standard());
    struct ttsb_blob *blob;
    struct ttsb_cuda_image *image;
    const void *const *bases;
    (void)state;
    assert_int_equal(ttsb_open_memory(b.bytes, b.size, NULL, &blob, NULL),
                     TTSB_OK);
    assert_int_equal(ttsb_cuda_upload(blob, NULL, &image, NULL), TTSB_OK);
    /* Two chunks need two slots, of the larger group's size. */
    assert_int_equal(fake_cuda_counts().pinned_most, 2 * 196608);
    bases = ttsb_cuda_bases(image);
    for (uint32_t i = 0; i < 4; i++) {
        struct ttsb_group g = {.struct_size = sizeof(g)};
        assert_int_equal(ttsb_group_at(blob, i, &g), TTSB_OK);
        if (g.size == 0 || g.place == TTSB_PLACE_HOST)
            assert_ptr_equal(bases[i], g.data);
        else
            assert_memory_equal(fake_cuda_bytes(bases[i]), g.data, g.size);
    }
    ttsb_close(blob);
    assert_int_equal(fake_cuda_bytes(bases[0])[5], blob_byte(0, 5));
    ttsb_cuda_release(image);
    blob_release(&b);
    upload_passed();
}

static void many_groups(void **state)
{
    struct blob b;
    struct ttsb_blob *blob = upload_open_many(TTSB_PLACE_DEVICE, &b);
    struct ttsb_cuda_image *image;
    const struct ttsb_cuda_options o = {
        .struct_size = sizeof(o), .flags = TTSB_CUDA_ASYNC | TTSB_CUDA_VERIFY};
    (void)state;
    assert_int_equal(ttsb_cuda_upload(blob, &o, &image, NULL), TTSB_OK);
    for (uint32_t i = 0; i < UPLOAD_MANY; i++) {
        const uint8_t *base = ttsb_cuda_bases(image)[i];
        assert_int_equal(ttsb_cuda_wait_group(image, i, NULL), TTSB_OK);
        if (i % 7 == 0)
            assert_null(base);
        else
            assert_int_equal(fake_cuda_bytes(base)[99], blob_byte(i, 99));
    }
    ttsb_cuda_release(image);
    ttsb_close(blob);
    blob_release(&b);
    upload_passed();
}

/* Nothing is for the device. */
static void host_alone(void **state)
{
    struct blob b;
    struct ttsb_blob *blob = upload_open_many(TTSB_PLACE_HOST, &b);
    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        struct ttsb_cuda_options o = {.struct_size = sizeof(o), .flags = i};
        struct ttsb_cuda_report r = {.struct_size = sizeof(r)};
        struct ttsb_cuda_image *image;
        struct ttsb_group g = {.struct_size = sizeof(g)};
        upload_note("flags %u", i);
        assert_int_equal(ttsb_cuda_upload(blob, &o, &image, NULL), TTSB_OK);
        assert_int_equal(ttsb_cuda_wait(image, NULL), TTSB_OK);
        assert_int_equal(ttsb_cuda_wait_group(image, 1, NULL), TTSB_OK);
        assert_int_equal(ttsb_group_at(blob, 1, &g), TTSB_OK);
        assert_ptr_equal(ttsb_cuda_bases(image)[1], g.data);
        assert_int_equal(ttsb_cuda_verify(image, NULL, NULL, 0, NULL), TTSB_OK);
        assert_int_equal(ttsb_cuda_report(image, &r), TTSB_OK);
        assert_int_equal(r.bytes, 0);
        assert_int_not_equal(r.path, TTSB_CUDA_AUTO);
        assert_int_equal(fake_cuda_counts().device, 0);
        ttsb_cuda_release(image);
    }
    ttsb_close(blob);
    blob_release(&b);
    upload_passed();
}

/* Windows begin at pages; bytes that do not cannot be registered. */
static void crooked_memory(void **state)
{
    struct blob b = blob_build(blob_standard());
    uint8_t *bytes = malloc(b.size + 16);
    struct ttsb_blob *blob;
    (void)state;
    assert_non_null(bytes);
    bytes += 16;
    memcpy(bytes, b.bytes, b.size);
    assert_int_equal(ttsb_open_memory(bytes, b.size, NULL, &blob, NULL),
                     TTSB_OK);
    for (uint32_t path = 0; path <= TTSB_CUDA_UNIFIED; path++) {
        struct ttsb_cuda_options o = {.struct_size = sizeof(o), .path = path};
        struct ttsb_cuda_image *image;
        struct ttsb_group g = {.struct_size = sizeof(g)};
        if (path == TTSB_CUDA_READ || path == TTSB_CUDA_DIRECT)
            continue;
        upload_note("path %u", path);
        fake_cuda_reset(NULL);
        if (path == TTSB_CUDA_REGISTER) {
            assert_int_equal(ttsb_cuda_upload(blob, &o, &image, NULL),
                             TTSB_BAD_ARGUMENT);
            continue;
        }
        assert_int_equal(ttsb_cuda_upload(blob, &o, &image, NULL), TTSB_OK);
        assert_int_equal(ttsb_group_at(blob, 3, &g), TTSB_OK);
        assert_memory_equal(fake_cuda_bytes(ttsb_cuda_bases(image)[3]), g.data,
                            g.size);
        ttsb_cuda_release(image);
    }
    ttsb_close(blob);
    free(bytes - 16);
    blob_release(&b);
    upload_passed();
}

/* Rings of all shapes, on all paths, with delays. */
static void every_shape(void **state)
{
    static const uint32_t slots[] = {2, 2, 3, 4, 8};
    static const uint64_t sizes[] = {65536, 65536, 131072, 196608, 1 << 20};
    static const uint32_t threads[] = {1, 2, 3, 8};
    const uint32_t runs = upload_runs(250, 60);
    uint32_t seed = 1;
    struct upload u;
    (void)state;
    upload_open(&u);
    for (uint32_t i = 0; i < runs; i++) {
        struct ttsb_cuda_options o =
            upload_options(&u, i % (TTSB_CUDA_UNIFIED + 1));
        const struct fake_plan plan = {
            .seed = i, .delay_us = upload_draw(&seed) % 4 * 150};
        struct ttsb_cuda_image *image;
        o.flags = upload_draw(&seed) % 2 ? TTSB_CUDA_VERIFY : 0;
        o.slots = slots[upload_draw(&seed) % 5];
        o.slot_size = sizes[upload_draw(&seed) % 5];
        o.threads = threads[upload_draw(&seed) % 4];
        upload_note("run %u: path %u flags %u slots %u of %u threads %u", i,
                    o.path, o.flags, o.slots, (unsigned)o.slot_size, o.threads);
        fake_cuda_reset(&plan);
        image = start(&u, &o);
        upload_check(&u, image);
        assert_true(fake_cuda_counts().pinned_most <=
                    o.slots * o.slot_size + 65536);
        ttsb_cuda_release(image);
        assert_int_equal(fake_cuda_alive(), 0);
    }
    upload_close(&u);
    upload_passed();
}

/* When a group is ready, all before it are. */
static void groups_in_order(void **state)
{
    const uint32_t runs = upload_runs(60, 15);
    uint32_t seed = 2;
    struct upload u;
    (void)state;
    upload_open(&u);
    for (uint32_t i = 0; i < runs; i++) {
        const struct fake_plan plan = {.seed = i, .delay_us = 300};
        struct ttsb_cuda_options o =
            upload_options(&u, 1 + i % TTSB_CUDA_UNIFIED);
        const uint32_t group = upload_draw(&seed) % UPLOAD_GROUPS;
        struct ttsb_cuda_image *image;
        o.flags = TTSB_CUDA_ASYNC | (i % 2 ? TTSB_CUDA_VERIFY : 0);
        o.threads = 1 + i % 3;
        upload_note("run %u: path %u flags %u group %u", i, o.path, o.flags,
                    group);
        fake_cuda_reset(&plan);
        image = start(&u, &o);
        assert_int_equal(ttsb_cuda_wait_group(image, group, NULL), TTSB_OK);
        for (uint32_t k = 0; k <= group; k++)
            upload_check_group(&u, image, k);
        if (i % 4 != 0)
            assert_int_equal(ttsb_cuda_wait(image, NULL), TTSB_OK);
        if (i % 4 != 0)
            upload_check(&u, image);
        ttsb_cuda_release(image);
    }
    upload_close(&u);
    upload_passed();
}

/* The first group is ready though the stream stands still behind it. */
static void first_group_at_once(void **state)
{
    struct upload u;
    struct ttsb_cuda_options o;
    struct ttsb_cuda_image *image;
    struct ttsb_cuda_report r = {.struct_size = sizeof(r)};
    (void)state;
    upload_open(&u);
    o = upload_options(&u, TTSB_CUDA_MAPPED);
    o.flags = TTSB_CUDA_ASYNC;
    fake_cuda_allow(0);
    image = start(&u, &o);
    assert_int_equal(fake_cuda_counts().works, 0);
    fake_cuda_allow(2); /* a copy, and its event */
    assert_int_equal(ttsb_cuda_wait_group(image, UPLOAD_NONE, NULL), TTSB_OK);
    assert_int_equal(ttsb_cuda_report(image, &r), TTSB_OK);
    assert_int_not_equal(r.first_group_ns, 0);
    assert_int_equal(r.total_ns, 0);
    fake_cuda_allow(UINT32_MAX);
    assert_int_equal(ttsb_cuda_wait(image, NULL), TTSB_OK);
    upload_check(&u, image);
    ttsb_cuda_release(image);
    upload_close(&u);
    upload_passed();
}

/* --- progress --- */

struct advance {
    atomic_int within;
    bool twice; /* at a time */
    bool back;
    uint64_t done;
    uint64_t bytes;
    uint32_t calls;
    uint32_t stop_at;
};

static int advanced(void *user, uint64_t done, uint64_t bytes)
{
    struct advance *a = user;
    a->twice |= atomic_fetch_add(&a->within, 1) != 0;
    a->back |= done < a->done || done > bytes;
    a->done = done;
    a->bytes = bytes;
    a->calls++;
    atomic_fetch_sub(&a->within, 1);
    return a->calls == a->stop_at;
}

static void progress(void **state)
{
    struct upload u;
    (void)state;
    upload_open(&u);
    for (uint32_t i = 0; i < 10; i++) {
        const struct fake_plan plan = {.seed = i, .delay_us = 100};
        struct ttsb_cuda_options o =
            upload_options(&u, 1 + i % TTSB_CUDA_UNIFIED);
        struct advance a = {.calls = 0};
        fake_cuda_reset(&plan);
        o.threads = 4;
        o.flags = i >= 5 ? TTSB_CUDA_VERIFY : 0;
        o.progress = advanced;
        o.user = &a;
        upload_note("run %u: path %u", i, o.path);
        ttsb_cuda_release(start(&u, &o));
        assert_false(a.twice);
        assert_false(a.back);
        assert_int_equal(a.done, u.device_bytes);
        assert_int_equal(a.bytes, u.device_bytes);
        assert_in_range(a.calls, CHUNKS, 2 * CHUNKS);
    }
    upload_close(&u);
    upload_passed();
}

/* Cancelled at each call of progress in turn. */
static void cancelled_by_progress(void **state)
{
    struct upload u;
    (void)state;
    upload_open(&u);
    for (uint32_t i = 0; i < 5 * CHUNKS * 2; i++) {
        const struct fake_plan plan = {.seed = i, .delay_us = 100};
        struct ttsb_cuda_options o =
            upload_options(&u, 1 + i % TTSB_CUDA_UNIFIED);
        struct advance a = {.stop_at = 1 + i / 5 % CHUNKS};
        struct ttsb_cuda_image *image = (void *)&a;
        struct ttsb_error error = {.struct_size = sizeof(error)};
        fake_cuda_reset(&plan);
        o.flags = i >= 5 * CHUNKS ? TTSB_CUDA_VERIFY : 0;
        o.progress = advanced;
        o.user = &a;
        upload_note("path %u flags %u call %u", o.path, o.flags, a.stop_at);
        assert_int_equal(ttsb_cuda_upload(u.blob, &o, &image, &error),
                         TTSB_CANCELLED);
        assert_int_equal(error.status, TTSB_CANCELLED);
        assert_null(image);
        assert_int_equal(a.calls, a.stop_at);
        assert_int_equal(fake_cuda_alive(), 0);
    }
    upload_close(&u);
    upload_passed();
}

/* --- from outside --- */

struct canceller {
    struct ttsb_cuda_image *image;
    uint32_t after_us;
};

static void *cancel(void *user)
{
    const struct canceller *c = user;
    usleep(c->after_us);
    ttsb_cuda_cancel(c->image);
    return NULL;
}

/* What was ready before stays ready; what was not is cancelled. */
static void after_cancel(const struct upload *u, struct ttsb_cuda_image *image)
{
    const int32_t all = ttsb_cuda_wait(image, NULL);
    assert_true(all == TTSB_OK || all == TTSB_CANCELLED);
    for (uint32_t g = 0; g < UPLOAD_GROUPS; g++)
        assert_int_equal(ttsb_cuda_wait_group(image, g, NULL), all);
    if (all == TTSB_OK)
        upload_check(u, image);
}

static void cancelled_from_a_thread(void **state)
{
    const uint32_t runs = upload_runs(120, 30);
    uint32_t seed = 3;
    uint32_t cancelled = 0;
    struct upload u;
    (void)state;
    upload_open(&u);
    for (uint32_t i = 0; i < runs; i++) {
        const struct fake_plan plan = {.seed = i, .delay_us = 200};
        struct ttsb_cuda_options o =
            upload_options(&u, 1 + i % TTSB_CUDA_UNIFIED);
        struct canceller c = {.after_us = upload_draw(&seed) % 4000};
        pthread_t thread;
        fake_cuda_reset(&plan);
        o.flags = TTSB_CUDA_ASYNC | (i % 2 ? TTSB_CUDA_VERIFY : 0);
        upload_note("run %u: path %u flags %u", i, o.path, o.flags);
        c.image = start(&u, &o);
        assert_int_equal(pthread_create(&thread, NULL, cancel, &c), 0);
        after_cancel(&u, c.image);
        pthread_join(thread, NULL);
        cancelled += ttsb_cuda_wait(c.image, NULL) == TTSB_CANCELLED;
        ttsb_cuda_release(c.image);
        assert_int_equal(fake_cuda_alive(), 0);
    }
    assert_in_range(cancelled, 1, runs);
    upload_close(&u);
    upload_passed();
}

static void released_at_any_time(void **state)
{
    const uint32_t runs = upload_runs(120, 30);
    uint32_t seed = 4;
    struct upload u;
    (void)state;
    upload_open(&u);
    for (uint32_t i = 0; i < runs; i++) {
        const struct fake_plan plan = {.seed = i, .delay_us = 200};
        struct ttsb_cuda_options o =
            upload_options(&u, 1 + i % TTSB_CUDA_UNIFIED);
        struct ttsb_cuda_image *image;
        fake_cuda_reset(&plan);
        o.flags = TTSB_CUDA_ASYNC | (i % 2 ? TTSB_CUDA_VERIFY : 0);
        upload_note("run %u: path %u flags %u", i, o.path, o.flags);
        image = start(&u, &o);
        usleep(upload_draw(&seed) % (i % 3 == 0 ? 1 : 3000));
        ttsb_cuda_release(image);
        assert_int_equal(fake_cuda_alive(), 0);
    }
    upload_close(&u);
    upload_passed();
}

/* Threads that wait for a group each; all are told, whatever the end. */
struct waiter {
    struct ttsb_cuda_image *image;
    uint32_t group;
    int32_t status;
};

static void *wait_for_group(void *user)
{
    struct waiter *w = user;
    w->status = ttsb_cuda_wait_group(w->image, w->group, NULL);
    return NULL;
}

static void many_waiters(void **state)
{
    enum { WAITERS = 4 };
    const uint32_t runs = upload_runs(40, 12);
    struct upload u;
    (void)state;
    upload_open(&u);
    for (uint32_t i = 0; i < runs; i++) {
        const struct fake_plan plan = {
            .seed = i, .delay_us = 200, .lose_at = i % 3 == 1 ? 1 + i % 30 : 0};
        struct ttsb_cuda_options o = upload_options(&u, TTSB_CUDA_MAPPED);
        struct waiter w[WAITERS];
        pthread_t threads[WAITERS];
        struct ttsb_cuda_image *image;
        int32_t all;
        upload_note("run %u", i);
        fake_cuda_reset(&plan);
        if (i % 3 == 2) /* or it may be complete before it is cancelled */
            fake_cuda_allow(i % 7);
        o.flags = TTSB_CUDA_ASYNC;
        image = start(&u, &o);
        for (uint32_t k = 0; k < WAITERS; k++) {
            w[k] = (struct waiter){image, (i + k * 3) % UPLOAD_GROUPS, -1};
            assert_int_equal(
                pthread_create(&threads[k], NULL, wait_for_group, &w[k]), 0);
        }
        if (i % 3 == 2)
            ttsb_cuda_cancel(image);
        fake_cuda_allow(UINT32_MAX);
        for (uint32_t k = 0; k < WAITERS; k++)
            pthread_join(threads[k], NULL);
        all = ttsb_cuda_wait(image, NULL);
        for (uint32_t k = 0; k < WAITERS; k++)
            assert_true(w[k].status == TTSB_OK || w[k].status == all);
        assert_int_equal(all == TTSB_OK, i % 3 == 0);
        ttsb_cuda_release(image);
    }
    upload_close(&u);
    upload_passed();
}

/* Two uploads of one blob, of two threads, do not know of each other. */
static void *upload_alone(void *user)
{
    const struct upload *u = user;
    struct ttsb_cuda_options o = upload_options(u, TTSB_CUDA_READ);
    struct ttsb_cuda_image *image = NULL;
    o.flags = TTSB_CUDA_VERIFY;
    for (int i = 0; i < 5; i++) {
        if (ttsb_cuda_upload(u->blob, &o, &image, NULL) != TTSB_OK)
            return user;
        ttsb_cuda_release(image);
    }
    return NULL;
}

static void two_at_a_time(void **state)
{
    const struct fake_plan plan = {.seed = 5, .delay_us = 50};
    struct upload u;
    pthread_t threads[2];
    void *failed[2];
    (void)state;
    upload_open(&u);
    fake_cuda_reset(&plan);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, upload_alone, &u),
                         0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], &failed[i]);
    assert_null(failed[0]);
    assert_null(failed[1]);
    upload_close(&u);
    upload_passed();
}

static void report(void **state)
{
    struct upload u;
    (void)state;
    upload_open(&u);
    for (uint32_t path = 1; path <= TTSB_CUDA_UNIFIED; path++) {
        struct ttsb_cuda_options o = upload_options(&u, path);
        struct ttsb_cuda_report r = {.struct_size = sizeof(r)};
        struct ttsb_cuda_image *image;
        struct fake_counts c;
        upload_note("path %u", path);
        fake_cuda_reset(NULL);
        o.flags = TTSB_CUDA_VERIFY;
        image = start(&u, &o);
        c = fake_cuda_counts();
        assert_int_equal(ttsb_cuda_report(image, &r), TTSB_OK);
        if (path != TTSB_CUDA_DIRECT) /* the system may refuse it */
            assert_int_equal(r.path, path);
        assert_int_equal(r.bytes, u.device_bytes);
        assert_true(r.pinned_bytes <= o.slots * o.slot_size + 4096);
        if (path != TTSB_CUDA_REGISTER)
            assert_int_equal(r.pinned_bytes, c.pinned_most);
        assert_true(r.pinned_bytes >= c.pinned_most);
        assert_in_range(r.threads, 1, o.threads);
        assert_int_equal(r.slots, o.slots);
        assert_true(r.setup_ns > 0 && r.setup_ns <= r.first_group_ns);
        assert_true(r.fill_ns > 0 && r.wait_ns > 0);
        assert_true(r.first_group_ns <= r.copy_ns);
        assert_true(r.copy_ns + r.verify_ns <= r.total_ns);
        assert_int_equal(r.pieces, 20);
        ttsb_cuda_release(image);
        r.struct_size = 8;
        assert_int_equal(ttsb_cuda_report(image, &r), TTSB_BAD_ARGUMENT);
    }
    upload_close(&u);
    upload_passed();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UPLOAD_TEST(bytes_of_the_file),
        UPLOAD_TEST(in_memory),
        UPLOAD_TEST(many_groups),
        UPLOAD_TEST(host_alone),
        UPLOAD_TEST(crooked_memory),
        UPLOAD_TEST(every_shape),
        UPLOAD_TEST(groups_in_order),
        UPLOAD_TEST(first_group_at_once),
        UPLOAD_TEST(progress),
        UPLOAD_TEST(cancelled_by_progress),
        UPLOAD_TEST(cancelled_from_a_thread),
        UPLOAD_TEST(released_at_any_time),
        UPLOAD_TEST(many_waiters),
        UPLOAD_TEST(two_at_a_time),
        UPLOAD_TEST(report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
