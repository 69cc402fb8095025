/* SPDX-License-Identifier: MIT
 *
 * dtypes.c - the dtypes as a spec writes them, in lower case.
 */
#include "spec.h"

#include <strings.h>

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

/* Names that PyTorch and its users have. */
static const struct {
    const char *name;
    enum ttsb_dtype dtype;
} elsewhere[] = {
    {"fp16", TTSB_F16},
    {"float16", TTSB_F16},
    {"half", TTSB_F16},
    {"fp32", TTSB_F32},
    {"float32", TTSB_F32},
    {"float", TTSB_F32},
    {"fp64", TTSB_F64},
    {"float64", TTSB_F64},
    {"double", TTSB_F64},
    {"bfloat16", TTSB_BF16},
    {"int8", TTSB_I8},
    {"uint8", TTSB_U8},
    {"int16", TTSB_I16},
    {"short", TTSB_I16},
    {"uint16", TTSB_U16},
    {"int32", TTSB_I32},
    {"int", TTSB_I32},
    {"uint32", TTSB_U32},
    {"int64", TTSB_I64},
    {"long", TTSB_I64},
    {"uint64", TTSB_U64},
    {"boolean", TTSB_BOOL},
    {"complex64", TTSB_C64},
    {"float8_e4m3fn", TTSB_F8_E4M3},
    {"float8_e5m2", TTSB_F8_E5M2},
};

void spec_dtype_help(struct diag *d, struct diag_item *item, struct str word)
{
    if (str_begins(word, str_c("torch.")))
        word = str_cut(word, strlen("torch."), word.n);
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
        struct str name = str_c(elsewhere[i].name);
        if (word.n == name.n && strncasecmp(word.p, name.p, name.n) == 0)
            diag_help(d, item, "did you mean `%s`?", names[elsewhere[i].dtype]);
    }
    for (uint32_t i = 1; i < TTSB_DTYPE_COUNT; i++)
        if (word.n == strlen(names[i]) && !str_is(word, names[i]) &&
            strncasecmp(word.p, names[i], word.n) == 0)
            diag_help(d, item, "did you mean `%s`?", names[i]);
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

bool spec_dtype_has_nonfinite(enum ttsb_dtype dtype)
{
    return spec_dtype_is_float(dtype) || dtype == TTSB_C64 ||
           dtype == TTSB_F8_E4M3 || dtype == TTSB_F8_E5M2 ||
           dtype == TTSB_F8_E8M0 || dtype == TTSB_F8_E4M3FNUZ ||
           dtype == TTSB_F8_E5M2FNUZ;
}

bool spec_dtype_is_integer(enum ttsb_dtype dtype)
{
    return dtype >= TTSB_U8 && dtype <= TTSB_I64;
}
