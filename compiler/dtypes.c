/* SPDX-License-Identifier: MIT
 *
 * dtypes.c - the dtypes as a spec writes them, in lower case.
 */
#include "spec.h"

static const struct {
    const char *name;
    uint32_t bits;
} dtypes[TTSB_DTYPE_COUNT] = {
    [TTSB_BOOL] = {"bool", 8},
    [TTSB_U8] = {"u8", 8},
    [TTSB_I8] = {"i8", 8},
    [TTSB_U16] = {"u16", 16},
    [TTSB_I16] = {"i16", 16},
    [TTSB_U32] = {"u32", 32},
    [TTSB_I32] = {"i32", 32},
    [TTSB_U64] = {"u64", 64},
    [TTSB_I64] = {"i64", 64},
    [TTSB_F16] = {"f16", 16},
    [TTSB_BF16] = {"bf16", 16},
    [TTSB_F32] = {"f32", 32},
    [TTSB_F64] = {"f64", 64},
    [TTSB_C64] = {"c64", 64},
    [TTSB_F8_E4M3] = {"f8_e4m3", 8},
    [TTSB_F8_E5M2] = {"f8_e5m2", 8},
    [TTSB_F8_E8M0] = {"f8_e8m0", 8},
    [TTSB_F8_E4M3FNUZ] = {"f8_e4m3fnuz", 8},
    [TTSB_F8_E5M2FNUZ] = {"f8_e5m2fnuz", 8},
    [TTSB_F4] = {"f4", 4},
    [TTSB_F6_E2M3] = {"f6_e2m3", 6},
    [TTSB_F6_E3M2] = {"f6_e3m2", 6},
};

enum ttsb_dtype spec_dtype(struct str name)
{
    for (uint32_t i = 1; i < TTSB_DTYPE_COUNT; i++)
        if (str_is(name, dtypes[i].name))
            return (enum ttsb_dtype)i;
    return (enum ttsb_dtype)0;
}

const char *spec_dtype_name(enum ttsb_dtype dtype)
{
    return dtypes[dtype].name;
}

uint32_t spec_dtype_bits(enum ttsb_dtype dtype)
{
    return dtypes[dtype].bits;
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
