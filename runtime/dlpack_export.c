/* SPDX-License-Identifier: MIT
 *
 * dlpack_export.c - fills in DLPack's struct, and gives it back.
 */
#include "dlpack_export.h"

#include <stdlib.h>

/* What stands behind the struct that a consumer sees. */
struct lent {
    DLManagedTensorVersioned managed; /* first: the deleter is given this */
    struct ttsb__shared shared;
    int64_t shape[TTSB_MAX_RANK];
    int64_t strides[TTSB_MAX_RANK];
};

static const DLDataType types[TTSB_DTYPE_COUNT] = {
    [TTSB_BOOL] = {kDLBool, 8, 1},
    [TTSB_U8] = {kDLUInt, 8, 1},
    [TTSB_I8] = {kDLInt, 8, 1},
    [TTSB_U16] = {kDLUInt, 16, 1},
    [TTSB_I16] = {kDLInt, 16, 1},
    [TTSB_U32] = {kDLUInt, 32, 1},
    [TTSB_I32] = {kDLInt, 32, 1},
    [TTSB_U64] = {kDLUInt, 64, 1},
    [TTSB_I64] = {kDLInt, 64, 1},
    [TTSB_F16] = {kDLFloat, 16, 1},
    [TTSB_BF16] = {kDLBfloat, 16, 1},
    [TTSB_F32] = {kDLFloat, 32, 1},
    [TTSB_F64] = {kDLFloat, 64, 1},
    [TTSB_C64] = {kDLComplex, 64, 1},
    [TTSB_F8_E4M3] = {kDLFloat8_e4m3fn, 8, 1},
    [TTSB_F8_E5M2] = {kDLFloat8_e5m2, 8, 1},
    [TTSB_F8_E8M0] = {kDLFloat8_e8m0fnu, 8, 1},
    [TTSB_F8_E4M3FNUZ] = {kDLFloat8_e4m3fnuz, 8, 1},
    [TTSB_F8_E5M2FNUZ] = {kDLFloat8_e5m2fnuz, 8, 1},
    [TTSB_F4] = {kDLFloat4_e2m1fn, 4, 1},
    [TTSB_F6_E2M3] = {kDLFloat6_e2m3fn, 6, 1},
    [TTSB_F6_E3M2] = {kDLFloat6_e3m2fn, 6, 1},
};

static void delete_lent(DLManagedTensorVersioned *self)
{
    struct lent *e;
    if (self == NULL)
        return;
    e = self->manager_ctx;
    e->shared.release(e->shared.owner);
    free(e);
}

/* Row major. Open has proven that the product of all sizes but 0 fits. */
static void fill_shape(struct lent *e, const struct ttsb_tensor *tensor)
{
    int64_t stride = 1;
    for (uint32_t d = tensor->rank; d-- > 0;) {
        e->shape[d] = (int64_t)tensor->dims[d];
        e->strides[d] = stride;
        stride *= tensor->dims[d] == 0 ? 1 : e->shape[d];
    }
}

DLManagedTensorVersioned *ttsb__dlpack_of(const struct ttsb_tensor *tensor,
                                          const struct ttsb__shared *shared)
{
    struct lent *e = calloc(1, sizeof(*e));
    /* The standard wants NULL of a tensor without elements. */
    void *data = tensor->size == 0 ? NULL : (void *)(uintptr_t)shared->data;
    if (e == NULL)
        return NULL;
    e->shared = *shared;
    fill_shape(e, tensor);
    e->managed.version = (DLPackVersion){1, 1};
    e->managed.manager_ctx = e;
    e->managed.deleter = delete_lent;
    e->managed.flags = DLPACK_FLAG_BITMASK_READ_ONLY;
    e->managed.dl_tensor = (DLTensor){.data = data,
                                      .device = shared->device,
                                      .ndim = (int32_t)tensor->rank,
                                      .dtype = types[tensor->dtype],
                                      .shape = e->shape,
                                      .strides = e->strides};
    return &e->managed;
}
