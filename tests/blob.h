/* SPDX-License-Identifier: MIT
 *
 * blob.h - small .ttsb blobs in memory, for tests.
 *
 * In: a description of tensors, groups, constants and META. Out: the bytes of
 * a valid blob, written after FORMAT.md and apart from the compiler's writer;
 * tests then change bytes and seal the hashes again, so that only the rule
 * they mean is broken.
 *
 * Invariant: what is described is written, valid or not; nothing is checked.
 * Memory that the system refuses ends the test program.
 */
#ifndef BLOB_H
#define BLOB_H

#include <stddef.h>
#include <stdint.h>

#include "ttsb_format.h"

struct blob_tensor {
    const char *name;
    uint32_t flags; /* TTSB_RECORD_... */
    uint32_t group;
    uint32_t alias_of; /* read with ALIAS only */
    uint8_t dtype;
    uint8_t rank;
    uint64_t dims[TTSB_MAX_RANK];
};

struct blob_group {
    const char *name;
    uint16_t place;
    uint32_t align;
};

/* The member that `type` asks for has `items` elements. */
struct blob_constant {
    const char *name;
    uint32_t type; /* enum ttsb_const_type */
    uint32_t items;
    const int64_t *i64;
    const double *f64;
    const char *const *strings;
};

struct blob_spec {
    const char *model;
    uint64_t revision;
    uint64_t incompat;
    uint32_t missing; /* bit i: record i, of the first 32, is MISSING too */
    const struct blob_tensor *tensors;
    uint32_t tensor_count;
    const struct blob_group *groups;
    uint32_t group_count;
    const struct blob_constant *constants;
    uint32_t constant_count;
    const char *meta;
    uint32_t extra_sections; /* of unknown types from 8 on, not critical */
};

struct blob {
    uint8_t *bytes;
    size_t size;
};

/* How much blob_seal makes good; each includes those before it. */
enum blob_seal {
    BLOB_SEAL_NONE,
    BLOB_SEAL_SELF,    /* self_hash */
    BLOB_SEAL_ROOT,    /* root */
    BLOB_SEAL_SECTIONS /* the sections' hashes, where they lie in the file */
};

/* Builds a blob; the caller releases it. The payload's bytes are those of
 * blob_byte. */
struct blob blob_build(const struct blob_spec *spec);

void blob_release(struct blob *b);

/* The byte `at` of tensor `index` where it is neither ABSENT nor MISSING. */
uint8_t blob_byte(uint32_t index, uint64_t at);

/* Computes hashes anew after bytes were changed. */
void blob_seal(struct blob *b, enum blob_seal what);

/* The file offset of a section's bytes, or of its entry in the table; of a
 * type that is in the table. */
size_t blob_section(const struct blob *b, uint32_t type);
size_t blob_entry(const struct blob *b, uint32_t type);

/* A blob with every kind of record, group and constant; and the same with
 * records 0, 3 (its alias) and 11 MISSING. */
const struct blob_spec *blob_standard(void);
const struct blob_spec *blob_partial(void);

/* One group of two tensors in 128 KiB, the least that shows all padding. */
const struct blob_spec *blob_small(void);

enum {
    BLOB_WEIGHT = 0,    /* enc.0.weight */
    BLOB_OPTIONAL = 1,  /* enc.0.bias */
    BLOB_ABSENT = 2,    /* enc.1.bias */
    BLOB_ALIAS = 3,     /* enc.alias, of 0 */
    BLOB_ZERO_SIZE = 4, /* enc.zero */
    BLOB_SCALAR = 5,    /* enc.scalar */
    BLOB_BIG = 6,       /* table.big, of two pieces */
    BLOB_RANK8 = 7,     /* table.rank8 */
    BLOB_NONE = 8,      /* none.a, alone in a group of size 0 */
    BLOB_WHOLE = 9,     /* dec.w, of exactly one whole piece */
    BLOB_FOUR = 10,     /* dec.half, of 4-bit elements */
    BLOB_LAST = 11      /* dec.w2 */
};

#endif
