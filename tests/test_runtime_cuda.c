/* SPDX-License-Identifier: MIT
 *
 * test_runtime_cuda.c - the upload, upon a device made of host memory.
 *
 * In: the standard blob and a fake CUDA that counts, and fails where it is
 * told. Out: each device group's bytes as they are in the file, a status for
 * each call that can fail, and nothing left behind. Invariant: one allocation
 * and one copy for each device group that has bytes, none for others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "blob.h"
#include "fake_cuda.h"
#include "ttsb_cuda.h"

static struct ttsb_blob *open_bytes(const struct blob *b)
{
    struct ttsb_blob *blob;
    assert_int_equal(ttsb_open_memory(b->bytes, b->size, NULL, &blob, NULL),
                     TTSB_OK);
    return blob;
}

static void bytes_of_the_file(void **state)
{
    struct blob b = blob_build(blob_standard());
    struct ttsb_blob *blob = open_bytes(&b);
    struct ttsb_cuda_image *image;
    const void *const *bases;
    (void)state;
    fake_cuda_reset(0);
    assert_int_equal(ttsb_cuda_upload(blob, &image, NULL), TTSB_OK);
    assert_int_equal(fake_cuda_state().mallocs, 2);
    assert_int_equal(fake_cuda_state().copies, 2);
    assert_int_equal(fake_cuda_state().syncs, 1);
    bases = ttsb_cuda_bases(image);
    for (uint32_t i = 0; i < 4; i++) {
        struct ttsb_group g = {.struct_size = sizeof(g)};
        assert_int_equal(ttsb_group_at(blob, i, &g), TTSB_OK);
        if (g.size == 0 || g.place == TTSB_PLACE_HOST) {
            assert_ptr_equal(bases[i], g.data);
            continue;
        }
        assert_ptr_not_equal(bases[i], g.data);
        assert_memory_equal(bases[i], g.data, g.size);
    }
    assert_null(bases[2]);
    /* A device group does not need the blob any longer. */
    ttsb_close(blob);
    blob_release(&b);
    assert_int_equal(((const uint8_t *)bases[0])[5], blob_byte(0, 5));
    ttsb_cuda_release(image);
    assert_int_equal(fake_cuda_state().live, 0);
}

/* malloc, copy, malloc, copy, synchronize: each fails in turn. */
static void each_call_fails(void **state)
{
    static const struct {
        int32_t status;
        const char *field;
        const char *words;
    } rows[] = {
        {TTSB_DEVICE_MEMORY, "cudaMalloc", "out of memory"},
        {TTSB_DEVICE_COPY, "cudaMemcpy", "invalid argument"},
        {TTSB_DEVICE_MEMORY, "cudaMalloc", "out of memory"},
        {TTSB_DEVICE_COPY, "cudaMemcpy", "invalid argument"},
        {TTSB_DEVICE_COPY, "cudaStreamSynchronize", "invalid argument"},
    };
    struct blob b = blob_build(blob_standard());
    struct ttsb_blob *blob = open_bytes(&b);
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct ttsb_error error = {.struct_size = sizeof(error)};
        struct ttsb_cuda_image *image = (struct ttsb_cuda_image *)&error;
        fake_cuda_reset(i + 1);
        assert_int_equal(ttsb_cuda_upload(blob, &image, &error),
                         rows[i].status);
        assert_null(image);
        assert_int_equal(error.status, rows[i].status);
        assert_int_equal(error.tensor, TTSB_NO_TENSOR);
        assert_string_equal(error.field, rows[i].field);
        assert_non_null(strstr(error.text, rows[i].words));
        assert_int_equal(fake_cuda_state().calls, i + 1);
        assert_int_equal(fake_cuda_state().live, 0);
        fake_cuda_reset(i + 1);
        assert_int_equal(ttsb_cuda_upload(blob, &image, NULL), rows[i].status);
        assert_int_equal(fake_cuda_state().live, 0);
    }
    ttsb_close(blob);
    blob_release(&b);
}

static void arguments(void **state)
{
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct ttsb_cuda_image *image = (struct ttsb_cuda_image *)&error;
    (void)state;
    assert_int_equal(ttsb_cuda_upload(NULL, &image, &error), TTSB_BAD_ARGUMENT);
    assert_int_equal(error.status, TTSB_BAD_ARGUMENT);
    assert_null(image);
    assert_int_equal(ttsb_cuda_upload(NULL, NULL, NULL), TTSB_BAD_ARGUMENT);
    error = (struct ttsb_error){.struct_size = 8};
    assert_int_equal(ttsb_cuda_upload(NULL, NULL, &error), TTSB_BAD_ARGUMENT);
    assert_int_equal(error.status, 0);
    assert_null(ttsb_cuda_bases(NULL));
    ttsb_cuda_release(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_of_the_file),
        cmocka_unit_test(each_call_fails),
        cmocka_unit_test(arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
