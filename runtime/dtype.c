/* SPDX-License-Identifier: MIT
 *
 * dtype.c - the element types.
 *
 * In: a code. Out: its name, its bits and whether 0xFF fills it with NaNs.
 * Invariant: one row for each code of ttsb_types.h, as in FORMAT.md section 9;
 * a code without a row has no name, no bits and no NaN.
 */
#include "ttsb.h"

struct dtype {
    const char *name;
    uint16_t bits;
    uint16_t nan_fill;
};

static const struct dtype dtypes[TTSB_DTYPE_COUNT] = {
    [TTSB_BOOL] = {"BOOL", 8, 0},
    [TTSB_U8] = {"U8", 8, 0},
    [TTSB_I8] = {"I8", 8, 0},
    [TTSB_U16] = {"U16", 16, 0},
    [TTSB_I16] = {"I16", 16, 0},
    [TTSB_U32] = {"U32", 32, 0},
    [TTSB_I32] = {"I32", 32, 0},
    [TTSB_U64] = {"U64", 64, 0},
    [TTSB_I64] = {"I64", 64, 0},
    [TTSB_F16] = {"F16", 16, 1},
    [TTSB_BF16] = {"BF16", 16, 1},
    [TTSB_F32] = {"F32", 32, 1},
    [TTSB_F64] = {"F64", 64, 1},
    [TTSB_C64] = {"C64", 64, 1},
    [TTSB_F8_E4M3] = {"F8_E4M3", 8, 1},
    [TTSB_F8_E5M2] = {"F8_E5M2", 8, 1},
    [TTSB_F8_E8M0] = {"F8_E8M0", 8, 1},
    [TTSB_F8_E4M3FNUZ] = {"F8_E4M3FNUZ", 8, 0},
    [TTSB_F8_E5M2FNUZ] = {"F8_E5M2FNUZ", 8, 0},
    [TTSB_F4] = {"F4", 4, 0},
    [TTSB_F6_E2M3] = {"F6_E2M3", 6, 0},
    [TTSB_F6_E3M2] = {"F6_E3M2", 6, 0},
};

const char *ttsb_dtype_name(uint32_t dtype)
{
    return dtype < TTSB_DTYPE_COUNT ? dtypes[dtype].name : NULL;
}

uint32_t ttsb_dtype_bits(uint32_t dtype)
{
    return dtype < TTSB_DTYPE_COUNT ? dtypes[dtype].bits : 0;
}

uint32_t ttsb_dtype_nan_fill(uint32_t dtype)
{
    return dtype < TTSB_DTYPE_COUNT ? dtypes[dtype].nan_fill : 0;
}
