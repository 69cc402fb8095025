/* SPDX-License-Identifier: MIT
 *
 * dlpack_abi.h - the part of DLPack's binary interface that a producer needs.
 *
 * In: nothing. Out: the structs and numbers of DLPack 1.1 under its own names
 * (dmlc/dlpack, include/dlpack/dlpack.h). It is not installed: Debian 12 has
 * version 0.6, without the versioned struct, and users have a dlpack.h of
 * their own. Invariant: sizes and offsets are those of the standard on a
 * 64-bit system; a test compares them with a dlpack.h where one is.
 */
#ifndef DLPACK_DLPACK_H_
#define DLPACK_DLPACK_H_

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t major;
    uint32_t minor;
} DLPackVersion;

typedef enum { kDLCPU = 1, kDLCUDA = 2 } DLDeviceType;

typedef struct {
    DLDeviceType device_type;
    int32_t device_id;
} DLDevice;

typedef enum {
    kDLInt = 0,
    kDLUInt = 1,
    kDLFloat = 2,
    kDLBfloat = 4,
    kDLComplex = 5,
    kDLBool = 6,
    kDLFloat8_e4m3fn = 10,
    kDLFloat8_e4m3fnuz = 11,
    kDLFloat8_e5m2 = 12,
    kDLFloat8_e5m2fnuz = 13,
    kDLFloat8_e8m0fnu = 14,
    kDLFloat6_e2m3fn = 15,
    kDLFloat6_e3m2fn = 16,
    kDLFloat4_e2m1fn = 17
} DLDataTypeCode;

typedef struct {
    uint8_t code;
    uint8_t bits;
    uint16_t lanes;
} DLDataType;

typedef struct {
    void *data;
    DLDevice device;
    int32_t ndim;
    DLDataType dtype;
    int64_t *shape;
    int64_t *strides;
    uint64_t byte_offset;
} DLTensor;

#define DLPACK_FLAG_BITMASK_READ_ONLY (1UL << 0UL)

typedef struct DLManagedTensorVersioned {
    DLPackVersion version;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensorVersioned *self);
    uint64_t flags;
    DLTensor dl_tensor;
} DLManagedTensorVersioned;

#if UINTPTR_MAX == UINT64_MAX
_Static_assert(sizeof(DLTensor) == 48, "DLPack's size");
_Static_assert(offsetof(DLTensor, shape) == 24, "DLPack's place");
_Static_assert(sizeof(DLManagedTensorVersioned) == 80, "DLPack's size");
_Static_assert(offsetof(DLManagedTensorVersioned, dl_tensor) == 32,
               "DLPack's place");
#endif

#endif
