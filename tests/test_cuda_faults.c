/* SPDX-License-Identifier: MIT
 *
 * test_cuda_faults.c - every CUDA call of an upload fails in turn.
 *
 * In: for each path the number of the call that fails, counted until none is
 * left; alone, or with the device lost behind it; or a device that is lost
 * while it works. Out: the status and CUDA's own words, nothing alive, and no
 * thread that waits for ever. Invariant: a failure that the upload may pass
 * over is one of a call that gives back or waits for what is proven already.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cuda_runtime_api.h"
#include "upload.h"

/* What the call's failure is to an upload; TTSB_OK: it may be passed over. */
static int32_t status_of(enum fake_call call)
{
    switch (call) {
    case FAKE_MALLOC:
    case FAKE_MANAGED:
        return TTSB_DEVICE_MEMORY;
    case FAKE_HOST_ALLOC:
        return TTSB_NO_MEMORY;
    case FAKE_COPY:
    case FAKE_COPY_NOW:
    case FAKE_EVENT_SYNC:
        return TTSB_DEVICE_COPY;
    case FAKE_FREE:
    case FAKE_FREE_HOST:
    case FAKE_EVENT_DESTROY:
    case FAKE_STREAM_DESTROY:
    case FAKE_STREAM_SYNC:
    case FAKE_GET_DEVICE:
    case FAKE_SET_DEVICE:
        return TTSB_OK;
    default:
        return TTSB_DEVICE_CALL;
    }
}

static bool is_devices(int32_t status)
{
    return status == TTSB_DEVICE_MEMORY || status == TTSB_DEVICE_COPY ||
           status == TTSB_DEVICE_CALL || status == TTSB_NO_MEMORY;
}

/* Statuses of two kinds of failure that CUDA does not tell apart. */
static bool fits(int32_t status, enum fake_call call)
{
    const int32_t meant = status_of(call);
    if (meant == TTSB_OK)
        return status == TTSB_OK || status == TTSB_DEVICE_CALL ||
               status == TTSB_DEVICE_COPY;
    if (call == FAKE_MALLOC || call == FAKE_COPY || call == FAKE_EVENT_SYNC)
        return status == meant || status == TTSB_DEVICE_CALL;
    return status == meant;
}

static void check_error(const struct ttsb_error *error, int32_t status,
                        const struct fake_plan *plan)
{
    const struct fake_counts c = fake_cuda_counts();
    const char *words = cudaGetErrorString((cudaError_t)c.error);
    assert_int_equal(error->status, status);
    assert_int_equal(error->tensor, TTSB_NO_TENSOR);
    if (plan->lost || plan->lose_at != 0) {
        assert_true(is_devices(status));
        assert_int_equal(strncmp(error->field, "cuda", 4) == 0 ||
                             strncmp(error->field, "kernel", 6) == 0,
                         1);
        assert_true(strstr(error->text, words) != NULL ||
                    strstr(error->text, "illegal memory access") != NULL);
        return;
    }
    assert_true(fits(status, c.failed));
    assert_string_equal(error->field, fake_cuda_name(c.failed));
    assert_non_null(strstr(error->text, words));
}

/* One upload under this plan; whether anything failed. */
static bool upload_once(const struct upload *u,
                        const struct ttsb_cuda_options *o,
                        const struct fake_plan *plan)
{
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct ttsb_cuda_image *image = (void *)&error;
    struct fake_counts c;
    int32_t status;
    fake_cuda_reset(plan);
    status = ttsb_cuda_upload(u->blob, o, &image, &error);
    c = fake_cuda_counts();
    if (status == TTSB_OK) {
        assert_true(c.failed == FAKE_ANY || status_of(c.failed) == TTSB_OK);
        assert_true(plan->lose_at == 0 || c.works < plan->lose_at);
        upload_check(u, image);
        ttsb_cuda_release(image);
    } else {
        assert_null(image);
        check_error(&error, status, plan);
    }
    /* It is told, or was nothing: no later launch may find it. */
    assert_int_equal(cudaGetLastError(), cudaSuccess);
    assert_int_equal(fake_cuda_alive(), 0);
    return status != TTSB_OK || fake_cuda_counts().failed != FAKE_ANY;
}

/* Every step-th call in turn, until a run meets none. */
static void every_call(const struct upload *u,
                       const struct ttsb_cuda_options *o, struct fake_plan plan,
                       uint32_t step)
{
    const uint32_t most = 1000;
    const bool works = plan.lose_at != 0;
    uint32_t n = 1;
    bool failed = true;
    while (failed && n < most) {
        plan.seed = n;
        plan.fail_at = works ? 0 : n;
        plan.lose_at = works ? n : 0;
        upload_note("path %u flags %u: %s %u%s", o->path, o->flags,
                    works ? "work" : "call", n, plan.lost ? ", lost" : "");
        failed = upload_once(u, o, &plan);
        n += step;
    }
    assert_in_range(n, 10, most - 1);
}

/* Each path, proving or not; paths that make the same calls meet a part. */
static void all_paths(const struct fake_plan *plan)
{
    static const struct {
        uint32_t path;
        uint32_t flags;
        uint32_t step;
    } rows[] = {
        {TTSB_CUDA_MAPPED, TTSB_CUDA_VERIFY, 1},
        {TTSB_CUDA_MAPPED, 0, 1},
        {TTSB_CUDA_READ, 0, 5},
        {TTSB_CUDA_DIRECT, TTSB_CUDA_VERIFY, 7},
        {TTSB_CUDA_REGISTER, TTSB_CUDA_VERIFY, 1},
        {TTSB_CUDA_UNIFIED, 0, 1},
        {TTSB_CUDA_UNIFIED, TTSB_CUDA_VERIFY, 3},
    };
    struct upload u;
    upload_open(&u);
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ttsb_cuda_options o = upload_options(&u, rows[i].path);
        o.flags = rows[i].flags;
        every_call(&u, &o, *plan, rows[i].step * upload_runs(1, 4));
    }
    upload_close(&u);
    upload_passed();
}

static void each_call_fails(void **state)
{
    const struct fake_plan plan = {.delay_us = 20};
    (void)state;
    all_paths(&plan);
}

static void each_call_loses_the_device(void **state)
{
    const struct fake_plan plan = {.delay_us = 20, .lost = true};
    (void)state;
    all_paths(&plan);
}

static void lost_while_it_works(void **state)
{
    const struct fake_plan plan = {.delay_us = 20, .lose_at = 1};
    (void)state;
    all_paths(&plan);
}

/* Each kind of call that an upload makes, by its own number. */
static void first_and_second_of_a_kind(void **state)
{
    struct upload u;
    (void)state;
    upload_open(&u);
    for (uint32_t call = FAKE_ANY + 1; call < FAKE_CALLS; call++)
        for (uint32_t n = 1; n <= 2; n++) {
            const struct fake_plan plan = {
                .seed = n, .fail = (enum fake_call)call, .fail_at = n};
            for (uint32_t path = 0; path <= TTSB_CUDA_UNIFIED; path++) {
                struct ttsb_cuda_options o = upload_options(&u, path);
                o.flags = TTSB_CUDA_VERIFY;
                upload_note("path %u: %s %u", path,
                            fake_cuda_name((enum fake_call)call), n);
                upload_once(&u, &o, &plan);
            }
        }
    upload_close(&u);
    upload_passed();
}

/* The failure of an upload that went on without its caller stays. */
static void it_stays(struct ttsb_cuda_image *image)
{
    struct DLManagedTensorVersioned *tensor = (void *)image;
    struct ttsb_error first = {.struct_size = sizeof(first)};
    const int32_t status = ttsb_cuda_wait(image, &first);
    if (status == TTSB_OK)
        return;
    for (uint32_t g = 0; g < UPLOAD_GROUPS; g++) {
        struct ttsb_error error = {.struct_size = sizeof(error)};
        assert_int_equal(ttsb_cuda_wait_group(image, g, &error), status);
        assert_memory_equal(&error, &first, sizeof(first));
    }
    ttsb_cuda_cancel(image);
    assert_int_equal(ttsb_cuda_wait(image, NULL), status);
    assert_int_equal(ttsb_cuda_dlpack(image, 0, &tensor, NULL), status);
    assert_null(tensor);
    assert_int_equal(ttsb_cuda_verify(image, NULL, NULL, 0, NULL), status);
}

static void nobody_waits(void **state)
{
    const uint32_t step = upload_runs(1, 4);
    struct upload u;
    (void)state;
    upload_open(&u);
    for (uint32_t n = 1; n < 120; n += step) {
        const struct fake_plan plan = {
            .seed = n, .delay_us = 100, .fail_at = n, .lost = n % 3 == 0};
        struct ttsb_cuda_options o =
            upload_options(&u, 1 + n % TTSB_CUDA_UNIFIED);
        struct ttsb_cuda_image *image;
        upload_note("path %u call %u", o.path, n);
        fake_cuda_reset(&plan);
        o.flags = TTSB_CUDA_ASYNC | (n % 2 ? TTSB_CUDA_VERIFY : 0);
        if (ttsb_cuda_upload(u.blob, &o, &image, NULL) == TTSB_OK) {
            if (n % 4 != 0)
                it_stays(image);
            ttsb_cuda_release(image);
        }
        assert_int_equal(fake_cuda_alive(), 0);
    }
    upload_close(&u);
    upload_passed();
}

/* Proving what is there already: a failure leaves the image as it was. */
static void proving_fails(void **state)
{
    struct upload u;
    struct ttsb_cuda_options o;
    struct ttsb_cuda_image *image;
    uint32_t alive;
    uint32_t n = 0;
    int32_t status = TTSB_DEVICE_CALL;
    (void)state;
    upload_open(&u);
    o = upload_options(&u, TTSB_CUDA_MAPPED);
    assert_int_equal(ttsb_cuda_upload(u.blob, &o, &image, NULL), TTSB_OK);
    alive = fake_cuda_alive();
    while (status != TTSB_OK || fake_cuda_counts().failed != FAKE_ANY) {
        const struct fake_plan plan = {.fail_at = ++n};
        struct ttsb_error error = {.struct_size = sizeof(error)};
        upload_note("call %u", n);
        fake_cuda_plan(&plan);
        status = ttsb_cuda_verify(image, NULL, NULL, 0, &error);
        if (status != TTSB_OK)
            assert_string_equal(error.field,
                                fake_cuda_name(fake_cuda_counts().failed));
        else
            assert_true(status_of(fake_cuda_counts().failed) == TTSB_OK ||
                        fake_cuda_counts().failed == FAKE_ANY);
        assert_int_equal(fake_cuda_alive(), alive);
    }
    assert_in_range(n, 5, 100);
    ttsb_cuda_release(image);
    upload_close(&u);
    upload_passed();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UPLOAD_TEST(each_call_fails),
        UPLOAD_TEST(each_call_loses_the_device),
        UPLOAD_TEST(lost_while_it_works),
        UPLOAD_TEST(first_and_second_of_a_kind),
        UPLOAD_TEST(nobody_waits),
        UPLOAD_TEST(proving_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
