/* SPDX-License-Identifier: MIT
 *
 * test_cuda_verify.c - what is on the device is proven there.
 *
 * In: bytes that flip on their way to the device, in the file, or later in the
 * device's memory. Out: the damaged tensor's name and a bitmap that has exactly
 * the damaged pieces. Invariant: padding is no piece; what is sound is never
 * called damaged; tensors handed out by DLPack keep the image's memory.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cuda_runtime_api.h"
#include "dlpack_abi.h"
#include "upload.h"

enum { TENSORS = 17, WORDS = 2 };

static struct ttsb_tensor tensor_at(const struct upload *u, uint32_t index)
{
    struct ttsb_tensor t = {.struct_size = sizeof(t)};
    assert_int_equal(ttsb_tensor_at(u->blob, index, &t, NULL), TTSB_OK);
    return t;
}

/* Whether the tensor has bytes of its own on the device. */
static bool is_on_device(const struct upload *u, const struct ttsb_tensor *t)
{
    struct ttsb_group g = {.struct_size = sizeof(g)};
    assert_int_equal(ttsb_group_at(u->blob, t->group, &g), TTSB_OK);
    return g.place == TTSB_PLACE_DEVICE && t->size != 0 &&
           t->alias_of == TTSB_NO_TENSOR;
}

static void names(const struct ttsb_error *error, const struct ttsb_tensor *t)
{
    assert_int_equal(error->status, TTSB_DAMAGED_PIECE);
    assert_int_equal(error->tensor, t->index);
    assert_non_null(strstr(error->text, t->name));
}

static void set(uint32_t *bits, uint64_t piece)
{
    bits[piece / 32] |= UINT32_C(1) << piece % 32;
}

/* Uploads with a copy that hurts this byte, to memory whose place is known. */
static void hurt(const struct upload *u, const struct ttsb_tensor *t,
                 uint64_t at, uint32_t path)
{
    struct ttsb_cuda_options o = upload_options(u, path);
    struct ttsb_group g = {.struct_size = sizeof(g)};
    struct fake_plan plan = {.seed = t->index, .delay_us = 100};
    struct ttsb_error error = {.struct_size = sizeof(error)};
    void *memory[UPLOAD_GROUPS] = {NULL};
    struct ttsb_cuda_image *image;
    uint32_t bad[WORDS];
    uint32_t expected[WORDS] = {0};
    void *owned;
    upload_note("tensor %s byte %u path %u", t->name, (unsigned)at, path);
    assert_int_equal(ttsb_group_at(u->blob, t->group, &g), TTSB_OK);
    fake_cuda_reset(NULL);
    assert_int_equal(cudaMalloc(&owned, g.size + 65536), cudaSuccess);
    memory[t->group] = (uint8_t *)owned + 65536 - (uintptr_t)owned % 65536;
    plan.flip = (uint8_t *)memory[t->group] + t->group_offset + at;
    fake_cuda_plan(&plan);
    o.memory = memory;
    o.flags = TTSB_CUDA_VERIFY;
    assert_int_equal(ttsb_cuda_upload(u->blob, &o, &image, &error),
                     TTSB_DAMAGED_PIECE);
    assert_null(image);
    names(&error, t);
    assert_int_equal(fake_cuda_alive(), 1);
    /* Unproven it is taken; and found when it is asked for. */
    o.flags = 0;
    assert_int_equal(ttsb_cuda_upload(u->blob, &o, &image, NULL), TTSB_OK);
    error.tensor = 0;
    assert_int_equal(ttsb_cuda_verify(image, NULL, bad, WORDS, &error),
                     TTSB_DAMAGED_PIECE);
    names(&error, t);
    set(expected, t->first_piece + at / TTSB_PIECE_SIZE);
    assert_memory_equal(bad, expected, sizeof(bad));
    ttsb_cuda_release(image);
    assert_int_equal(cudaFree(owned), cudaSuccess);
}

static void hurt_on_its_way(void **state)
{
    struct upload u;
    (void)state;
    upload_open(&u);
    for (uint32_t i = 0; i < TENSORS; i++) {
        const struct ttsb_tensor t = tensor_at(&u, i);
        if (!is_on_device(&u, &t))
            continue;
        for (uint64_t at = 0; at < t.size; at += TTSB_PIECE_SIZE)
            hurt(&u, &t, at, 1 + (uint32_t)(at / TTSB_PIECE_SIZE) % 4);
        hurt(&u, &t, t.size - 1, TTSB_CUDA_MAPPED);
    }
    upload_close(&u);
    upload_passed();
}

/* The file itself is damaged: the device tells what ttsb_verify would. */
static void damaged_file(void **state)
{
    (void)state;
    for (uint32_t path = 1; path <= TTSB_CUDA_UNIFIED; path++) {
        struct upload u;
        struct ttsb_cuda_options o;
        struct ttsb_error error = {.struct_size = sizeof(error)};
        struct ttsb_error host = {.struct_size = sizeof(host)};
        struct ttsb_cuda_image *image;
        struct ttsb_tensor t;
        upload_note("path %u", path);
        upload_open_damaged(&u, 6, 40000);
        t = tensor_at(&u, 6);
        o = upload_options(&u, path);
        fake_cuda_reset(NULL);
        o.flags = TTSB_CUDA_VERIFY;
        assert_int_equal(ttsb_cuda_upload(u.blob, &o, &image, &error),
                         TTSB_DAMAGED_PIECE);
        names(&error, &t);
        assert_int_equal(ttsb_verify(u.blob, 1, NULL, &host),
                         TTSB_DAMAGED_PIECE);
        assert_int_equal(host.tensor, error.tensor);
        o.flags = TTSB_CUDA_VERIFY | TTSB_CUDA_ASYNC;
        assert_int_equal(ttsb_cuda_upload(u.blob, &o, &image, NULL), TTSB_OK);
        assert_int_equal(ttsb_cuda_wait_group(image, UPLOAD_LAST, &error),
                         TTSB_DAMAGED_PIECE);
        names(&error, &t);
        ttsb_cuda_release(image);
        o.flags = 0;
        assert_int_equal(ttsb_cuda_upload(u.blob, &o, &image, NULL), TTSB_OK);
        upload_check(&u, image);
        ttsb_cuda_release(image);
        upload_close(&u);
    }
    upload_passed();
}

/* What no hash covers: behind a tensor, between two, a group's last byte. */
static void damaged_padding(void **state)
{
    static const struct {
        uint32_t tensor;
        uint64_t at;
    } rows[] = {{0, 3},   {1, 65000 - 256}, {5, 327780}, {5, 327935},
                {7, 100}, {7, 65535},       {16, 50000}, {16, 61439}};
    struct upload u;
    (void)state;
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (uint32_t path = 1; path <= TTSB_CUDA_UNIFIED; path++) {
            struct ttsb_cuda_options o;
            struct ttsb_error error = {.struct_size = sizeof(error)};
            struct ttsb_error host = {.struct_size = sizeof(host)};
            struct ttsb_cuda_image *image;
            upload_note("row %u path %u", i, path);
            upload_open_damaged(&u, rows[i].tensor, rows[i].at);
            o = upload_options(&u, path);
            fake_cuda_reset(NULL);
            o.flags = TTSB_CUDA_VERIFY;
            assert_int_equal(ttsb_verify(u.blob, 1, NULL, &host),
                             TTSB_DAMAGED_PADDING);
            assert_int_equal(ttsb_cuda_upload(u.blob, &o, &image, &error),
                             TTSB_DAMAGED_PADDING);
            assert_int_equal(error.offset, host.offset);
            assert_int_equal(error.found, 4);
            assert_int_equal(fake_cuda_alive(), 0);
            o.flags = 0;
            assert_int_equal(ttsb_cuda_upload(u.blob, &o, &image, NULL),
                             TTSB_OK);
            ttsb_cuda_release(image);
            upload_close(&u);
        }
    upload_passed();
}

/* Blobs with tensors that are absent, missing, aliases, or of size 0. */
static void other_blobs(void **state)
{
    const struct blob_spec *specs[] = {blob_standard(), blob_partial(),
                                       blob_small()};
    const struct ttsb_open_options open = {.struct_size = sizeof(open),
                                           .flags = TTSB_OPEN_PARTIAL};
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        struct ttsb_cuda_options o = {.struct_size = sizeof(o),
                                      .flags = TTSB_CUDA_VERIFY};
        struct blob b = blob_build(specs[i]);
        struct ttsb_cuda_image *image;
        struct ttsb_blob *blob;
        upload_note("blob %u", i);
        fake_cuda_reset(NULL);
        assert_int_equal(ttsb_open_memory(b.bytes, b.size, &open, &blob, NULL),
                         TTSB_OK);
        assert_int_equal(ttsb_cuda_upload(blob, &o, &image, NULL), TTSB_OK);
        assert_int_equal(ttsb_cuda_verify(image, NULL, NULL, 0, NULL), TTSB_OK);
        ttsb_cuda_release(image);
        ttsb_close(blob);
        blob_release(&b);
    }
    upload_passed();
}

/* Those that there is no room for in the text are counted. */
static void many_damaged(void **state)
{
    const struct ttsb_cuda_options o = {.struct_size = sizeof(o)};
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct blob b;
    struct ttsb_blob *blob = upload_open_many(TTSB_PLACE_DEVICE, &b);
    struct ttsb_cuda_image *image;
    const char *more;
    uint32_t named = 0;
    uint32_t bytes = 0;
    (void)state;
    assert_int_equal(ttsb_cuda_upload(blob, &o, &image, NULL), TTSB_OK);
    for (uint32_t i = 0; i < UPLOAD_MANY; i++)
        if (i % 7 != 0) {
            *fake_cuda_bytes(ttsb_cuda_bases(image)[i]) ^= 1;
            bytes++;
        }
    assert_int_equal(ttsb_cuda_verify(image, NULL, NULL, 0, &error),
                     TTSB_DAMAGED_PIECE);
    assert_int_equal(error.tensor, 1);
    assert_non_null(strstr(error.text, "'g001', 'g002', 'g003'"));
    for (const char *p = error.text; (p = strstr(p, "'g")) != NULL; p++)
        named++;
    more = strstr(error.text, " and ");
    assert_non_null(more);
    assert_int_equal(strtoul(more + 5, NULL, 10), bytes - named);
    ttsb_cuda_release(image);
    ttsb_close(blob);
    blob_release(&b);
    upload_passed();
}

/* Tensors that have no bytes are refused as on the host. */
static void absent_tensors(void **state)
{
    const struct ttsb_open_options open = {.struct_size = sizeof(open),
                                           .flags = TTSB_OPEN_PARTIAL};
    struct blob b = blob_build(blob_partial());
    DLManagedTensorVersioned *tensor = (void *)&b;
    struct ttsb_cuda_image *image;
    struct ttsb_blob *blob;
    (void)state;
    assert_int_equal(ttsb_open_memory(b.bytes, b.size, &open, &blob, NULL),
                     TTSB_OK);
    assert_int_equal(ttsb_cuda_upload(blob, NULL, &image, NULL), TTSB_OK);
    assert_int_equal(ttsb_cuda_dlpack(image, BLOB_ABSENT, &tensor, NULL),
                     TTSB_ABSENT);
    assert_null(tensor);
    assert_int_equal(ttsb_cuda_dlpack(image, BLOB_LAST, &tensor, NULL),
                     TTSB_MISSING);
    assert_null(tensor);
    ttsb_cuda_release(image);
    ttsb_close(blob);
    blob_release(&b);
    upload_passed();
}

/* --- later --- */

static uint8_t *byte_of(const struct ttsb_cuda_image *image,
                        const struct ttsb_tensor *t, uint64_t at)
{
    const uint8_t *base = ttsb_cuda_bases(image)[t->group];
    return fake_cuda_bytes(base + t->group_offset + at);
}

/* Any set of pieces, none to all. */
static void scrub(const struct upload *u, struct ttsb_cuda_image *image,
                  uint32_t seed)
{
    uint32_t expected[WORDS] = {0};
    uint32_t bad[WORDS + 1] = {7, 7, 7};
    struct ttsb_error error = {.struct_size = sizeof(error)};
    uint8_t *hurts[64];
    uint32_t count = 0;
    const uint32_t one_in = 1 + upload_draw(&seed) % 12;
    for (uint32_t i = 0; i < TENSORS; i++) {
        const struct ttsb_tensor t = tensor_at(u, i);
        for (uint64_t p = 0; is_on_device(u, &t) && p < t.piece_count; p++) {
            const uint64_t rest = t.size - p * TTSB_PIECE_SIZE;
            if (upload_draw(&seed) % one_in != 0)
                continue;
            hurts[count] =
                byte_of(image, &t,
                        p * TTSB_PIECE_SIZE +
                            upload_draw(&seed) % (rest < 65536 ? rest : 65536));
            *hurts[count++] ^= 0x80;
            set(expected, t.first_piece + p);
        }
    }
    assert_int_equal(ttsb_cuda_verify(image, NULL, bad, WORDS + 1, &error),
                     count == 0 ? TTSB_OK : TTSB_DAMAGED_PIECE);
    assert_memory_equal(bad, expected, sizeof(expected));
    if (count != 0)
        assert_true(error.tensor < TENSORS);
    while (count > 0)
        *hurts[--count] ^= 0x80;
    assert_int_equal(ttsb_cuda_verify(image, NULL, NULL, 0, NULL), TTSB_OK);
}

static void scrubbing(void **state)
{
    const uint32_t runs = upload_runs(60, 15);
    struct upload u;
    (void)state;
    upload_open(&u);
    for (uint32_t path = 1; path <= TTSB_CUDA_UNIFIED; path++) {
        struct ttsb_cuda_options o = upload_options(&u, path);
        struct ttsb_cuda_image *image;
        fake_cuda_reset(NULL);
        assert_int_equal(ttsb_cuda_upload(u.blob, &o, &image, NULL), TTSB_OK);
        for (uint32_t i = 0; i < runs / 5; i++) {
            upload_note("path %u seed %u", path, i);
            scrub(&u, image, i);
        }
        ttsb_cuda_release(image);
    }
    upload_close(&u);
    upload_passed();
}

static void verify_arguments(void **state)
{
    struct upload u;
    struct ttsb_cuda_image *image;
    struct ttsb_tensor t;
    uint32_t bad[WORDS];
    (void)state;
    upload_open(&u);
    assert_int_equal(ttsb_cuda_upload(u.blob, NULL, &image, NULL), TTSB_OK);
    /* 22 pieces are one word. */
    assert_int_equal(ttsb_cuda_verify(image, NULL, bad, 0, NULL),
                     TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_cuda_verify(image, NULL, bad, 1, NULL), TTSB_OK);
    assert_int_equal(bad[0], 0);
    /* The padding behind first.a is not looked at. */
    t = tensor_at(&u, 0);
    *byte_of(image, &t, t.size) = 1;
    assert_int_equal(ttsb_cuda_verify(image, NULL, NULL, 0, NULL), TTSB_OK);
    ttsb_cuda_release(image);
    upload_close(&u);
    upload_passed();
}

static void *prove(void *user)
{
    for (int i = 0; i < 5; i++)
        if (ttsb_cuda_verify(user, NULL, NULL, 0, NULL) != TTSB_OK)
            return user;
    return NULL;
}

/* Two threads prove one image, from the moment it is begun. */
static void proven_by_two(void **state)
{
    const struct fake_plan plan = {.seed = 9, .delay_us = 50};
    struct upload u;
    struct ttsb_cuda_options o;
    struct ttsb_cuda_image *image;
    pthread_t threads[2];
    void *failed[2];
    (void)state;
    upload_open(&u);
    fake_cuda_reset(&plan);
    o = upload_options(&u, TTSB_CUDA_MAPPED);
    o.flags = TTSB_CUDA_ASYNC;
    assert_int_equal(ttsb_cuda_upload(u.blob, &o, &image, NULL), TTSB_OK);
    assert_int_equal(ttsb_cuda_wait(image, NULL), TTSB_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, prove, image), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], &failed[i]);
    assert_null(failed[0]);
    assert_null(failed[1]);
    ttsb_cuda_release(image);
    upload_close(&u);
    upload_passed();
}

/* --- DLPack --- */

static void shared_tensors(void **state)
{
    struct upload u;
    struct ttsb_cuda_image *image;
    DLManagedTensorVersioned *all[TENSORS];
    DLManagedTensorVersioned *none = (void *)&u;
    (void)state;
    upload_open(&u);
    assert_int_equal(cudaSetDevice(1), cudaSuccess);
    assert_int_equal(ttsb_cuda_upload(u.blob, NULL, &image, NULL), TTSB_OK);
    for (uint32_t i = 0; i < TENSORS; i++) {
        const struct ttsb_tensor t = tensor_at(&u, i);
        const uint8_t *base = ttsb_cuda_bases(image)[t.group];
        const DLTensor *d;
        assert_int_equal(ttsb_cuda_dlpack(image, i, &all[i], NULL), TTSB_OK);
        d = &all[i]->dl_tensor;
        assert_int_equal(d->device.device_type,
                         t.group == UPLOAD_HOST ? kDLCPU : kDLCUDA);
        assert_int_equal(d->device.device_id, t.group == UPLOAD_HOST ? 0 : 1);
        assert_int_equal(d->shape[0], t.dims[0]);
        assert_true(all[i]->flags & DLPACK_FLAG_BITMASK_READ_ONLY);
        if (t.size != 0)
            assert_ptr_equal(d->data, base + t.group_offset);
    }
    assert_int_equal(ttsb_cuda_dlpack(image, TENSORS, &none, NULL),
                     TTSB_OUT_OF_RANGE);
    assert_null(none);
    ttsb_cuda_release(image);
    ttsb_close(u.blob);
    for (uint32_t i = 0; i < TENSORS; i++) {
        const DLTensor *d = &all[i]->dl_tensor;
        if (d->shape[0] != 0 && d->device.device_type == kDLCUDA)
            assert_int_equal(*fake_cuda_bytes(d->data),
                             blob_byte(i == 2 ? 1 : i, 0));
        if (d->device.device_type == kDLCPU)
            assert_int_equal(*(const uint8_t *)d->data, blob_byte(i, 0));
        assert_int_not_equal(fake_cuda_alive(), 0);
        all[i]->deleter(all[i]);
    }
    assert_int_equal(fake_cuda_alive(), 0);
    u.blob = NULL;
    upload_close(&u);
    upload_passed();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UPLOAD_TEST(damaged_padding), UPLOAD_TEST(other_blobs),
        UPLOAD_TEST(many_damaged),    UPLOAD_TEST(absent_tensors),
        UPLOAD_TEST(hurt_on_its_way), UPLOAD_TEST(damaged_file),
        UPLOAD_TEST(scrubbing),       UPLOAD_TEST(verify_arguments),
        UPLOAD_TEST(proven_by_two),   UPLOAD_TEST(shared_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
