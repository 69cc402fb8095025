/* SPDX-License-Identifier: MIT
 *
 * dtypes.c - the dtypes as a spec writes them, in lower case.
 */
#include "spec.h"

#include "ttsb.h"

static const char *const names[TTSB_DTYPE_COUNT] = {
    [TTSB_BOOL] = "bool",
    [TTSB_U8] = "u8",
    [TTSB_I8] = "i8",
    [TTSB_U16] = "u16",
    [TTSB_I16] = "i16",
    [TTSB_U32] = "u32",
    [TTSB_I32] = "i32",
    [TTSB_U64] = "u64",
    [TTSB_I64] = "i64",
    [TTSB_F16] = "f16",
    [TTSB_BF16] = "bf16",
    [TTSB_F32] = "f32",
    [TTSB_F64] = "f64",
    [TTSB_C64] = "c64",
    [TTSB_F8_E4M3] = "f8_e4m3",
    [TTSB_F8_E5M2] = "f8_e5m2",
    [TTSB_F8_E8M0] = "f8_e8m0",
    [TTSB_F8_E4M3FNUZ] = "f8_e4m3fnuz",
    [TTSB_F8_E5M2FNUZ] = "f8_e5m2fnuz",
    [TTSB_F4] = "f4",
    [TTSB_F6_E2M3] = "f6_e2m3",
    [TTSB_F6_E3M2] = "f6_e3m2",
};

enum ttsb_dtype spec_dtype(struct str name)
{
    for (uint32_t i = 1; i < TTSB_DTYPE_COUNT; i++)
        if (str_is(name, names[i]))
            return (enum ttsb_dtype)i;
    return (enum ttsb_dtype)0;
}

const char *spec_dtype_name(enum ttsb_dtype dtype)
{
    return names[dtype];
}

uint32_t spec_dtype_bits(enum ttsb_dtype dtype)
{
    return ttsb_dtype_bits((uint32_t)dtype);
}

bool spec_dtype_is_float(enum ttsb_dtype dtype)
{
    return dtype == TTSB_F16 || dtype == TTSB_BF16 || dtype == TTSB_F32 ||
           dtype == TTSB_F64;
}

bool spec_dtype_is_integer(enum ttsb_dtype dtype)
{
    return dtype >= TTSB_U8 && dtype <= TTSB_I64;
}
