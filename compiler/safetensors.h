/* SPDX-License-Identifier: MIT
 *
 * safetensors.h - what a safetensors header says, checked to the last byte.
 *
 * In: the first 8 bytes of a file, then the header's text, and the file's
 * size. Out: the tensors in the order of their data, or one error that names
 * the field, the byte offset in the file and, if there is one, the tensor.
 *
 * Invariant: after true, the tensors cover the data section exactly, from its
 * first byte to the end of the file, without hole or overlap; names are
 * unique; end - begin is what dtype and shape need. Nothing here reads a
 * file, and nothing here reads the data section.
 *
 * Nothing is accepted here that the reference implementation, safetensors
 * 0.8.0, refuses. The reference accepts a little more, and this is all of it
 * (tests/test_safetensors_differential.py holds both to this table):
 *
 *   what                                      0.8.0              here
 *   white space before the object             skipped            refused
 *   other padding than spaces behind it       skipped            refused
 *   a tensor's name twice                     the last one wins  refused
 *   a key twice in __metadata__               the last one wins  refused
 *   an unknown field twice in a tensor        ignored            refused
 *   a key twice inside an unknown field       ignored            refused
 *   a tensor as ["F32", [2], [0, 8]]          taken by position  refused
 *   a dtype as {"F32": null}                  taken              refused
 *   a number of 1e308 or more (only an        up to 1.79e308     refused
 *     unknown field can hold one)
 *   a dimension, or shape x dtype in bits,    up to 2^64 - 1     refused
 *     above 2^63 - 1 (only beside a 0 or in
 *     a file that cannot exist)
 *   rank above ST_MAX_RANK                    any                refused
 *   a name longer than ST_MAX_NAME bytes      any                refused
 *
 * The first two are rules of the format's own description. Alike in both:
 * white space inside the object; `"__metadata__": null`;
 * unknown fields in a tensor, of any type, ignored; dtype, shape or
 * data_offsets twice, refused; the empty name; nesting of at most 127.
 */
#ifndef TTSW_SAFETENSORS_H
#define TTSW_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "str.h"
#include "ttsb_format.h"

#define ST_LENGTH_SIZE 8
#define ST_MAX_HEADER UINT64_C(100000000)
#define ST_MAX_RANK 64
#define ST_MAX_NAME 65535

struct st_tensor {
    struct str name; /* UTF-8, any character, may be empty; no NUL behind */
    uint32_t dtype;  /* enum ttsb_dtype */
    uint32_t rank;   /* 0 for a scalar */
    const uint64_t *dims;
    uint64_t begin, end;    /* bytes, from the header's data_start */
    uint64_t header_offset; /* in the file, of the name's opening quote */
};

struct st_pair {
    struct str key, value;
    uint64_t header_offset; /* in the file, of the key's opening quote */
};

struct st_header {
    struct st_tensor *tensors; /* by begin, then end, then header_offset */
    size_t count;
    struct st_pair *metadata; /* __metadata__, in the file's order */
    size_t metadata_count;
    uint64_t data_start; /* in the file: 8 + the header's length */
    uint64_t file_size;
};

/* `field` is "header_length", "header", "__metadata__", "__metadata__.KEY",
 * "tensors", "tensors.NAME", "tensors.NAME.MEMBER" or "data"; a long NAME or
 * KEY is cut. `text` is one sentence without a full stop. Both are
 * NUL-terminated, valid UTF-8 and free of control characters. `offset` is of
 * the byte or value that is wrong; of the tensor's name where a member is
 * missing; of data_offsets where the tensors do not tile the data; of the
 * first byte that belongs to no tensor. */
struct st_error {
    char field[64];
    uint64_t offset;   /* in the file, in bytes */
    struct str tensor; /* decoded, or {NULL, 0}; lives as a name does */
    char text[320];
    /* A file that is cut off and has no other fault up to there: how many
     * bytes are missing, of the header or, behind a whole one, of the data.
     * Otherwise 0. */
    uint64_t header_missing, data_missing;
};

/* Reads the header's length from a file's first 8 bytes. `first8` is read
 * only if file_size is at least 8. On true *header_length is at most
 * ST_MAX_HEADER and 8 + *header_length is inside the file. False, with the
 * error's field "header_length": a file shorter than 8 bytes, a length above
 * the cap, a length beyond the file's end. */
bool safetensors_check_length(const uint8_t first8[ST_LENGTH_SIZE],
                              uint64_t file_size, uint64_t *header_length,
                              struct st_error *error);

/* Parses the header's text: the header_length bytes behind the first 8 of a
 * file of file_size bytes. Pure: touches only its arguments. On true *out is
 * complete; its arrays live in the arena, and names and strings are views of
 * `header` or live in the arena, so both must outlive *out and *error. On
 * false *error holds the first fault: in the order of the text what is wrong
 * as UTF-8, as JSON or in one tensor by itself (members, dtype, shape, span);
 * then, in the order of the data, holes, overlaps, an end beyond the file and
 * bytes that belong to no tensor. A header_length that
 * safetensors_check_length would refuse is refused here as well. */
bool safetensors_parse(struct arena *arena, const char *header,
                       uint64_t header_length, uint64_t file_size,
                       struct st_header *out, struct st_error *error);

/* The code of a dtype's name in *dtype, or false. Names are upper case. */
bool safetensors_dtype_find(struct str name, uint32_t *dtype);

#endif
