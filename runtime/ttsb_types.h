/* SPDX-License-Identifier: MIT
 *
 * ttsb_types.h - the numbers that a .ttsb file and its users share.
 *
 * In: nothing. Out: the codes of dtypes, places, record flags and constant
 * types, which stand in the file and come back from the reader unchanged. It
 * is included by ttsb.h, for users, and by ttsb_format.h, for the writer and
 * the reader; nothing here says where a byte lies.
 *
 * Invariant: a code never changes its meaning and is never used twice; new
 * ones are added behind the old ones.
 */
#ifndef TTSB_TYPES_H
#define TTSB_TYPES_H

#include <stdint.h>

/* Dimensions of a tensor; 0 is a scalar. */
#define TTSB_MAX_RANK 8

/* Tensors of a blob, at most. */
#define TTSB_MAX_TENSORS 1000000

/* An index that is none: `alias of` of a record that is no alias, and the
 * tensor of an error that concerns none. */
#define TTSB_NO_TENSOR UINT32_MAX

/* A record's flags. ALIAS: the bytes of an earlier record under a second name.
 * OPTIONAL: the spec lets the checkpoint lack it; ABSENT: it did. MISSING: an
 * input was missing and the author compiled all the same. */
#define TTSB_RECORD_ALIAS UINT32_C(1)
#define TTSB_RECORD_OPTIONAL UINT32_C(2)
#define TTSB_RECORD_ABSENT UINT32_C(4)
#define TTSB_RECORD_MISSING UINT32_C(8)
#define TTSB_RECORD_FLAGS UINT32_C(15)

/* Where an engine wants a group's bytes. */
enum ttsb_place { TTSB_PLACE_DEVICE = 0, TTSB_PLACE_HOST = 1 };

enum ttsb_const_type {
    TTSB_CONST_I64 = 1,
    TTSB_CONST_F64 = 2,
    TTSB_CONST_STRING = 3,
    TTSB_CONST_LIST = 0x100 /* or-ed onto the items' type */
};

/* dtypes: the codes are the file's, for ever; names are safetensors'. */
enum ttsb_dtype {
    TTSB_BOOL = 1,
    TTSB_U8 = 2,
    TTSB_I8 = 3,
    TTSB_U16 = 4,
    TTSB_I16 = 5,
    TTSB_U32 = 6,
    TTSB_I32 = 7,
    TTSB_U64 = 8,
    TTSB_I64 = 9,
    TTSB_F16 = 10,
    TTSB_BF16 = 11,
    TTSB_F32 = 12,
    TTSB_F64 = 13,
    TTSB_C64 = 14,
    TTSB_F8_E4M3 = 15,
    TTSB_F8_E5M2 = 16,
    TTSB_F8_E8M0 = 17,
    TTSB_F8_E4M3FNUZ = 18,
    TTSB_F8_E5M2FNUZ = 19,
    TTSB_F4 = 20,
    TTSB_F6_E2M3 = 21,
    TTSB_F6_E3M2 = 22,
    TTSB_DTYPE_COUNT = 23
};

/* One element of a dtype for which C has no type, so that pointers to
 * different ones do not mix. The bits are those in the file; what they mean
 * is the engine's business. Packed dtypes (F4, the F6s) are bytes. */
struct ttsb_f16 {
    uint16_t bits;
};
struct ttsb_bf16 {
    uint16_t bits;
};
struct ttsb_c64 {
    float real, imaginary;
};
struct ttsb_f8_e4m3 {
    uint8_t bits;
};
struct ttsb_f8_e5m2 {
    uint8_t bits;
};
struct ttsb_f8_e8m0 {
    uint8_t bits;
};
struct ttsb_f8_e4m3fnuz {
    uint8_t bits;
};
struct ttsb_f8_e5m2fnuz {
    uint8_t bits;
};
struct ttsb_packed {
    uint8_t bits;
};

#endif
