/* SPDX-License-Identifier: MIT
 *
 * test_runtime_dlpack.c - tensors that outlive their blob.
 *
 * In: the standard and the partial blob. Out: managed tensors as DLPack 1.x
 * has them. Invariant: nothing is copied; the mapping goes with the last user,
 * whichever that is and in whatever thread (ASan and TSan see the rest).
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "blob.h"
#include "dlpack_abi.h"
#include "ttsb_dlpack.h"

static struct ttsb_blob *open_blob(const struct blob_spec *spec, uint32_t flags)
{
    const struct ttsb_open_options options = {.struct_size = sizeof(options),
                                              .flags = TTSB_OPEN_PARTIAL |
                                                       TTSB_OPEN_COPY | flags};
    struct blob b = blob_build(spec);
    struct ttsb_blob *blob;
    assert_int_equal(ttsb_open_memory(b.bytes, b.size, &options, &blob, NULL),
                     TTSB_OK);
    blob_release(&b);
    return blob;
}

static DLManagedTensorVersioned *lend(struct ttsb_blob *blob, uint32_t index)
{
    DLManagedTensorVersioned *m = NULL;
    assert_int_equal(ttsb_dlpack(blob, index, &m, NULL), TTSB_OK);
    assert_non_null(m);
    return m;
}

/* Every record that has bytes, in place and with its shape. */
static void members(void **state)
{
    struct ttsb_blob *blob = open_blob(blob_standard(), 0);
    struct ttsb_tensor t = {.struct_size = sizeof(t)};
    int empty = 0;
    (void)state;
    for (uint32_t i = 0; ttsb_tensor_at(blob, i, &t, NULL) == TTSB_OK; i++) {
        DLManagedTensorVersioned *m;
        int64_t stride = 1;
        if (t.data == NULL)
            continue;
        m = lend(blob, i);
        assert_int_equal(m->version.major, 1);
        assert_int_equal(m->flags, DLPACK_FLAG_BITMASK_READ_ONLY);
        assert_ptr_equal(m->dl_tensor.data, t.size == 0 ? NULL : t.data);
        empty += t.size == 0;
        assert_int_equal(m->dl_tensor.device.device_type, kDLCPU);
        assert_int_equal(m->dl_tensor.device.device_id, 0);
        assert_int_equal(m->dl_tensor.byte_offset, 0);
        assert_int_equal(m->dl_tensor.ndim, t.rank);
        assert_int_equal(m->dl_tensor.dtype.bits, ttsb_dtype_bits(t.dtype));
        assert_int_equal(m->dl_tensor.dtype.lanes, 1);
        assert_non_null(m->dl_tensor.shape);
        assert_non_null(m->dl_tensor.strides);
        for (uint32_t d = t.rank; d-- > 0;) {
            assert_int_equal(m->dl_tensor.shape[d], t.dims[d]);
            assert_int_equal(m->dl_tensor.strides[d], stride);
            stride *= t.dims[d] != 0 ? (int64_t)t.dims[d] : 1;
        }
        m->deleter(m);
    }
    assert_int_not_equal(empty, 0);
    ttsb_close(blob);
}

/* A blob of one tensor for each dtype. */
static void dtypes(void **state)
{
    static const uint8_t codes[TTSB_DTYPE_COUNT] = {
        [TTSB_BOOL] = kDLBool,
        [TTSB_U8] = kDLUInt,
        [TTSB_I8] = kDLInt,
        [TTSB_U16] = kDLUInt,
        [TTSB_I16] = kDLInt,
        [TTSB_U32] = kDLUInt,
        [TTSB_I32] = kDLInt,
        [TTSB_U64] = kDLUInt,
        [TTSB_I64] = kDLInt,
        [TTSB_F16] = kDLFloat,
        [TTSB_BF16] = kDLBfloat,
        [TTSB_F32] = kDLFloat,
        [TTSB_F64] = kDLFloat,
        [TTSB_C64] = kDLComplex,
        [TTSB_F8_E4M3] = kDLFloat8_e4m3fn,
        [TTSB_F8_E5M2] = kDLFloat8_e5m2,
        [TTSB_F8_E8M0] = kDLFloat8_e8m0fnu,
        [TTSB_F8_E4M3FNUZ] = kDLFloat8_e4m3fnuz,
        [TTSB_F8_E5M2FNUZ] = kDLFloat8_e5m2fnuz,
        [TTSB_F4] = kDLFloat4_e2m1fn,
        [TTSB_F6_E2M3] = kDLFloat6_e2m3fn,
        [TTSB_F6_E3M2] = kDLFloat6_e3m2fn,
    };
    (void)state;
    for (uint8_t dtype = 1; dtype < TTSB_DTYPE_COUNT; dtype++) {
        const struct blob_tensor one = {
            .name = "w", .dtype = dtype, .rank = 1, .dims = {8}};
        struct blob_spec spec = *blob_small();
        struct ttsb_blob *blob;
        DLManagedTensorVersioned *m;
        spec.tensors = &one;
        spec.tensor_count = 1;
        blob = open_blob(&spec, 0);
        m = lend(blob, 0);
        assert_int_equal(m->dl_tensor.dtype.code, codes[dtype]);
        ttsb_close(blob);
        m->deleter(m);
    }
}

/* The bytes stay until the last of them is deleted. */
static void outlives(void **state)
{
    struct ttsb_blob *blob = open_blob(blob_standard(), 0);
    DLManagedTensorVersioned *a = lend(blob, BLOB_WEIGHT);
    DLManagedTensorVersioned *b = lend(blob, BLOB_WEIGHT);
    (void)state;
    assert_ptr_not_equal(a, b);
    ttsb_close(blob);
    a->deleter(a);
    assert_int_equal(*(const uint8_t *)b->dl_tensor.data,
                     blob_byte(BLOB_WEIGHT, 0));
    b->deleter(b);
}

/* Whoever closes last, what the blob has is there until then. */
static void retained(void **state)
{
    struct ttsb_blob *blob = open_blob(blob_standard(), 0);
    struct ttsb_tensor t = {.struct_size = sizeof(t)};
    (void)state;
    ttsb_retain(blob);
    ttsb_close(blob);
    assert_int_equal(ttsb_tensor_at(blob, BLOB_WEIGHT, &t, NULL), TTSB_OK);
    assert_int_equal(*(const uint8_t *)t.data, blob_byte(BLOB_WEIGHT, 0));
    ttsb_close(blob);
    ttsb_retain(NULL);
}

static void *delete_it(void *m)
{
    DLManagedTensorVersioned *managed = m;
    managed->deleter(managed);
    return NULL;
}

static void any_thread(void **state)
{
    enum { THREADS = 8, ROUNDS = 50 };
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct ttsb_blob *blob = open_blob(blob_small(), 0);
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, delete_it,
                                            lend(blob, (uint32_t)i % 2)),
                             0);
        ttsb_close(blob);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    }
}

static void refusals(void **state)
{
    struct ttsb_blob *blob = open_blob(blob_partial(), 0);
    struct ttsb_error error = {.struct_size = sizeof(error)};
    DLManagedTensorVersioned *m;
    (void)state;
    assert_int_equal(ttsb_dlpack(blob, 0, NULL, &error), TTSB_BAD_ARGUMENT);
    m = (DLManagedTensorVersioned *)&error;
    assert_int_equal(ttsb_dlpack(NULL, 0, &m, &error), TTSB_BAD_ARGUMENT);
    assert_null(m);
    m = (DLManagedTensorVersioned *)&error;
    assert_int_equal(ttsb_dlpack(blob, 12, &m, &error), TTSB_OUT_OF_RANGE);
    assert_null(m);
    assert_int_equal(ttsb_dlpack(blob, BLOB_ABSENT, &m, &error), TTSB_ABSENT);
    assert_non_null(strstr(error.text, "enc.1.bias"));
    assert_int_equal(ttsb_dlpack(blob, 0, &m, &error), TTSB_MISSING);
    assert_int_equal(error.tensor, 0);
    assert_null(m);
    ttsb_close(blob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members),  cmocka_unit_test(dtypes),
        cmocka_unit_test(outlives), cmocka_unit_test(any_thread),
        cmocka_unit_test(retained), cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
