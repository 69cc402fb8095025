/* SPDX-License-Identifier: MIT
 *
 * npy.h - what the header of an .npy array says.
 *
 * In: the first bytes of an array as numpy.save writes it (versions 1, 2, 3).
 * Out: dtype, order, sizes and where the values begin, or one error with its
 * byte. Invariant: the header is a dictionary of three literals; it is parsed,
 * never evaluated, and whatever else it holds is refused.
 */
#ifndef TTSW_NPY_H
#define TTSW_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ttsb_format.h"

#define NPY_MAX_RANK 64
/* Magic, version, length and text; version 1 can say no more. */
#define NPY_MAX_HEADER (12 + 65535)

struct npy_header {
    enum ttsb_dtype dtype;
    bool fortran; /* the first index runs fastest */
    uint32_t rank;
    uint64_t dims[NPY_MAX_RANK];
    uint64_t elements;
    uint64_t bytes; /* of the values */
    uint64_t start; /* of the values, from the first byte of the magic */
};

struct npy_error {
    uint64_t offset; /* from the first byte of the magic */
    char text[200];  /* one sentence without a full stop, printable ASCII */
};

/* Whether bytes begin like an array. */
bool npy_begins(const uint8_t *first, size_t n);

/* Parses the header. `first` are the array's first NPY_MAX_HEADER bytes, or
 * all if it has fewer; `size` is the array's length in bytes, which header and
 * values must fill exactly. Pure. False with *error: objects (pickles), text,
 * dates, records, big-endian numbers and unknown dtypes among them. */
bool npy_parse(const uint8_t *first, size_t n, uint64_t size,
               struct npy_header *out, struct npy_error *error);

#endif
