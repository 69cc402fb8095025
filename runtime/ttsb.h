/* SPDX-License-Identifier: MIT
 *
 * ttsb.h - opens a .ttsb blob and finds its tensors; this header is the manual.
 *
 *     struct ttsb_error error = {.struct_size = sizeof(error)};
 *     struct ttsb_tensor tensor = {.struct_size = sizeof(tensor)};
 *     struct ttsb_blob *blob;
 *     if (ttsb_open("model.ttsb", NULL, &blob, &error) != TTSB_OK) {
 *         fprintf(stderr, "%s\n", error.text);
 *         return 1;
 *     }
 *     if (ttsb_find(blob, "enc.0.weight", &tensor, &error) == TTSB_OK)
 *         use(tensor.data, tensor.dims, tensor.rank);
 *     ttsb_close(blob);
 *
 * In: a file, a descriptor or bytes. Out: pointers into one read-only mapping,
 * valid until ttsb_close. Invariant: after an open that succeeded no call reads
 * outside the blob, whatever it holds; open has proven the superblock and all
 * indexes by their hashes, ttsb_verify proves the payload.
 *
 * Status: every call that can fail returns one; TTSB_OK is 0. The library never
 * prints, never ends the program and has no state of its own. A blob costs one
 * allocation and one mapping; of the other calls only ttsb_dlpack
 * (ttsb_dlpack.h) allocates. All calls but ttsb_close may run at the same time
 * on one blob.
 *
 * struct_size: the caller sets it to sizeof the struct before the call. A
 * later library adds members at the end and fills only what the caller's
 * struct has; what an older library does not know it fills with zeros. A size
 * below that of version 1.0 or above 4096 is a TTSB_BAD_ARGUMENT; in a struct
 * ttsb_error, which is never needed, it means that nothing is written. Members
 * that the caller fills read as 0 where its struct lacks them; one that this
 * library does not know and that is not 0 is a TTSB_BAD_ARGUMENT.
 */
#ifndef TTSB_H
#define TTSB_H

#include <stddef.h>
#include <stdint.h>

#include "ttsb_types.h"
#include "ttsb_use.h"

#ifdef __cplusplus
extern "C" {
/* A function that is called like its struct hides the struct's constructor,
 * which is of no use here. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif

/* The library's version; the container's is in struct ttsb_info. */
#define TTSB_VERSION_MAJOR 1
#define TTSB_VERSION_MINOR 1
#define TTSB_VERSION_PATCH 0
#define TTSB_VERSION "1.1.0"

#define TTSB_API __attribute__((visibility("default")))

struct ttsb_blob; /* an open blob; never changes between open and close */

/* What went wrong, for a program and for its user. Filled when a call returns
 * another status than TTSB_OK, else left alone. Numbers that do not apply are
 * 0. Every `struct ttsb_error *` parameter may be NULL. */
struct ttsb_error {
    uint32_t struct_size;
    int32_t status;       /* what the call returned */
    int32_t system_errno; /* errno of a system status, else 0 */
    uint32_t tensor;      /* record index, or TTSB_NO_TENSOR */
    uint64_t offset;      /* of the field or byte, from the file's start */
    uint64_t found;       /* what the file has; of a hash its first 8 bytes */
    uint64_t expected;    /* what it must have, or may have at most */
    char field[48]; /* FORMAT.md's name of the field, or the failed call */
    char text[256]; /* one line in English, cut if it is longer */
};

/* ---- Life cycle ---- */

/* Accept a blob in which tensors are MISSING; only tools want that. */
#define TTSB_OPEN_PARTIAL UINT32_C(1)
/* Read the file into memory instead of mapping it. A mapped file that another
 * program shortens or rewrites ends this one (SIGBUS) or voids what open has
 * checked; a copy is safe from that, and takes as much memory as the file. */
#define TTSB_OPEN_COPY UINT32_C(2)

struct ttsb_open_options {
    uint32_t struct_size;
    uint32_t flags; /* TTSB_OPEN_..., or-ed */
    /* Since 1.1: where ttsb_find counts, for ttsb_unused, or NULL. The words
     * are the caller's, stay until ttsb_close and serve one blob; open sets
     * them to 0. TTSB_USED_WORDS(TTSB_MAX_TENSORS) words are enough for all. */
    uint32_t *used;
    uint64_t used_words;
};

/* Opens the file at `path` and checks all of it but the payload. `options` may
 * be NULL for the defaults. *blob is the caller's to close, or NULL on failure.
 * Fails with TTSB_BAD_ARGUMENT (a NULL, an unknown flag, fewer used_words than
 * error->expected), with every status of the blob's group (20 to 41), and with
 * every one of the system's group. */
TTSB_API int32_t ttsb_open(const char *path,
                           const struct ttsb_open_options *options,
                           struct ttsb_blob **blob, struct ttsb_error *error);

/* Like ttsb_open, on a descriptor of a regular file that is open for reading.
 * The descriptor stays the caller's, may be closed at once after the call, and
 * its file position is neither used nor moved. The errors are ttsb_open's
 * without TTSB_SYSTEM_OPEN. */
TTSB_API int32_t ttsb_open_fd(int fd, const struct ttsb_open_options *options,
                              struct ttsb_blob **blob,
                              struct ttsb_error *error);

/* Like ttsb_open, on `size` bytes at `data`, which the caller keeps alive and
 * unchanged until ttsb_close (with TTSB_OPEN_COPY: until this call returns).
 * Any address will do for the reader; the alignment of the tensors' data is
 * that of `data`. Fails with TTSB_BAD_ARGUMENT, TTSB_NO_MEMORY, or as the
 * blob deserves. */
TTSB_API int32_t ttsb_open_memory(const void *data, size_t size,
                                  const struct ttsb_open_options *options,
                                  struct ttsb_blob **blob,
                                  struct ttsb_error *error);

/* Ends the caller's use of the blob. The last of its users (who opened it,
 * who called ttsb_retain, the tensors of ttsb_dlpack) gives the mapping and the
 * handle back: then every pointer that came from the blob is invalid, and no
 * other call on it may be running. NULL is fine. Cannot fail. */
TTSB_API void ttsb_close(struct ttsb_blob *blob);

/* Since 1.1: one more user of the blob, who will call ttsb_close, in whatever
 * thread. What the caller lent to ttsb_open (`used`, the bytes of
 * ttsb_open_memory) stays until the last one has. NULL is fine. Cannot fail. */
TTSB_API void ttsb_retain(struct ttsb_blob *blob);

/* What the superblock says. Filled by ttsb_info. */
struct ttsb_info {
    uint32_t struct_size;
    uint32_t partial;  /* 1 if tensors are MISSING, else 0 */
    const char *model; /* NUL-terminated, valid until close */
    uint64_t revision; /* of the spec */
    uint8_t contract_id[16];
    uint8_t root[16];   /* the file's name: changes with every byte */
    uint64_t file_size; /* bytes */
    uint64_t piece_count;
    uint32_t tensor_count;
    uint32_t group_count;
    uint32_t constant_count;
    uint16_t major; /* of the container */
    uint16_t minor;
    uint64_t incompat; /* feature words */
    uint64_t compat;
};

/* Fills *info; its `model` stays the blob's. Fails only with
 * TTSB_BAD_ARGUMENT: a NULL, or a struct_size that is too small. */
TTSB_API int32_t ttsb_info(const struct ttsb_blob *blob,
                           struct ttsb_info *info);

/* What an engine was built for. */
struct ttsb_requirement {
    uint32_t struct_size;
    const char *model;          /* NULL: any */
    uint64_t revision_min;      /* inclusive; 0: any */
    uint64_t revision_max;      /* inclusive; UINT64_MAX: any */
    const uint8_t *contract_id; /* 16 bytes; NULL: any */
};

/* Compares the blob with what the engine needs, once, at start-up; the first
 * difference decides. Fails with TTSB_BAD_ARGUMENT (a NULL, an empty range),
 * TTSB_WRONG_MODEL, TTSB_WRONG_REVISION, TTSB_WRONG_CONTRACT; error->text then
 * says how to rebuild the blob. */
TTSB_API int32_t ttsb_require(const struct ttsb_blob *blob,
                              const struct ttsb_requirement *requirement,
                              struct ttsb_error *error);

/* ---- Lookup ---- */

/* One record of the index. Pointers are valid until close. */
struct ttsb_tensor {
    uint32_t struct_size;
    uint32_t index;
    const char *name;      /* NUL-terminated */
    uint32_t name_length;  /* without the NUL */
    uint32_t dtype;        /* enum ttsb_dtype */
    uint32_t rank;         /* 0 for a scalar */
    uint32_t flags;        /* TTSB_RECORD_... */
    uint32_t group;        /* index */
    uint32_t alias_of;     /* record index, or TTSB_NO_TENSOR */
    uint64_t dims[8];      /* row major, outermost first; 0 beyond rank */
    uint64_t offset;       /* bytes from the start of the file */
    uint64_t group_offset; /* bytes from the start of the group */
    uint64_t size;         /* bytes */
    uint64_t first_piece;
    uint64_t piece_count;
    const void *data; /* on the host; NULL if ABSENT or MISSING */
};

/* Describes the tensor with this index, which counts in file order from 0; an
 * ABSENT or MISSING one too, with `data` NULL and its flag set. Fails with
 * TTSB_BAD_ARGUMENT (a NULL, a struct_size) and TTSB_OUT_OF_RANGE. */
TTSB_API int32_t ttsb_tensor_at(const struct ttsb_blob *blob, uint32_t index,
                                struct ttsb_tensor *tensor,
                                struct ttsb_error *error);

/* Describes the tensor with this NUL-terminated name, in O(log n). Fails with
 * TTSB_BAD_ARGUMENT and TTSB_NOT_FOUND, which leave *tensor alone, and with
 * TTSB_ABSENT (the spec's author lets the checkpoint lack it, and it did) and
 * TTSB_MISSING (of a partial blob), which fill it with `data` NULL. */
TTSB_API int32_t ttsb_find(const struct ttsb_blob *blob, const char *name,
                           struct ttsb_tensor *tensor,
                           struct ttsb_error *error);

/* Describes the first tensor at or behind index `first` that ttsb_find was
 * not asked for since the blob was opened, which was with options.used:
 *
 *     i = 0;
 *     while (ttsb_unused(blob, i, &tensor) == TTSB_OK) {
 *         printf("never used: %s\n", tensor.name);
 *         i = tensor.index + 1;
 *     }
 *
 * A name counts for itself: asking for an alias is no use of its target, nor
 * the other way round. Asking for an ABSENT or MISSING tensor is a use; one
 * that was never asked for is unused like any other (see tensor.flags).
 * ttsb_tensor_at counts nothing; what an engine takes from it, it may count
 * with ttsb_mark_used. Fails with TTSB_BAD_ARGUMENT (a NULL, a struct_size, a
 * blob opened without `used`) and TTSB_NOT_FOUND: all from `first` on were
 * used. */
TTSB_API int32_t ttsb_unused(const struct ttsb_blob *blob, uint32_t first,
                             struct ttsb_tensor *tensor);

/* One group: a component that is loaded as a whole. */
struct ttsb_group {
    uint32_t struct_size;
    uint32_t index;
    const char *name;      /* NUL-terminated, valid until close */
    uint32_t name_length;  /* without the NUL */
    uint32_t place;        /* enum ttsb_place */
    uint32_t align;        /* bytes, of its tensors from the group's start */
    uint32_t first_tensor; /* index of a record */
    uint32_t tensor_count;
    uint64_t offset;  /* bytes from the start of the file */
    uint64_t size;    /* bytes; 0 if all its tensors have none */
    const void *data; /* on the host, valid until close; NULL if size is 0 */
};

/* Describes the group with this index, which counts in load order from 0.
 * Fails with TTSB_BAD_ARGUMENT (a NULL, a struct_size) and
 * TTSB_OUT_OF_RANGE. */
TTSB_API int32_t ttsb_group_at(const struct ttsb_blob *blob, uint32_t index,
                               struct ttsb_group *group);

/* Fills bases[0..count) with the groups' addresses on the host, NULL for a
 * group of size 0, as a generated header's bind wants them. The addresses are
 * valid until close. Fails with TTSB_BAD_ARGUMENT: a NULL, or a count that is
 * not the number of groups. */
TTSB_API int32_t ttsb_host_bases(const struct ttsb_blob *blob,
                                 const void **bases, uint32_t count);

/* Asks the system to read the group's bytes ahead of their use, and returns
 * before it has: for a group that will be copied or computed with soon. A
 * no-op where there is no file to read: a blob in memory or opened with
 * TTSB_OPEN_COPY, a group of size 0. Fails with TTSB_BAD_ARGUMENT (a NULL),
 * TTSB_OUT_OF_RANGE, and TTSB_SYSTEM_READ (madvise; an I/O error, or a system
 * that is out of memory or does not allow it), after which the blob is as good
 * as before. */
TTSB_API int32_t ttsb_prefetch(const struct ttsb_blob *blob, uint32_t group,
                               struct ttsb_error *error);

/* For generated headers: base + group_offset, where `base` is the address of
 * the tensor's group on the host or a device. NULL if the tensor is ABSENT or
 * MISSING, if the blob or `base` is NULL, or if there is no such tensor at
 * this offset of its group. Nothing is read through the result. */
TTSB_API const void *ttsb_pointer(const struct ttsb_blob *blob,
                                  const void *base, uint32_t tensor,
                                  uint64_t group_offset);

/* One constant of the spec. */
struct ttsb_constant {
    uint32_t struct_size;
    uint32_t index;
    const char *name;     /* NUL-terminated, valid until close */
    uint32_t name_length; /* without the NUL */
    uint32_t type;        /* enum ttsb_const_type, or-ed with ..._LIST */
    uint32_t items;       /* 1 for a scalar, 1 or more for a list */
    uint32_t value_size;  /* bytes */
    uint64_t offset;      /* of the value, from the start of the file */
};

/* Describes the constant with this index; the order is that of the names.
 * Fails with TTSB_BAD_ARGUMENT (a NULL, a struct_size) and
 * TTSB_OUT_OF_RANGE. */
TTSB_API int32_t ttsb_constant_at(const struct ttsb_blob *blob, uint32_t index,
                                  struct ttsb_constant *constant);

/* Describes the constant with this NUL-terminated name, in O(log n). Fails
 * with TTSB_BAD_ARGUMENT (a NULL, a struct_size) and TTSB_NOT_FOUND, which
 * leaves *constant alone. */
TTSB_API int32_t ttsb_constant_find(const struct ttsb_blob *blob,
                                    const char *name,
                                    struct ttsb_constant *constant);

/* Reads item `item` (0 of a scalar) of an integer or a list of integers; only
 * constant->index is used. Fails with TTSB_BAD_ARGUMENT, TTSB_WRONG_TYPE (it
 * holds other items) and TTSB_OUT_OF_RANGE (of the items or constants). */
TTSB_API int32_t ttsb_constant_i64(const struct ttsb_blob *blob,
                                   const struct ttsb_constant *constant,
                                   uint32_t item, int64_t *value);

/* Reads item `item` of a decimal or a list of decimals, which is never a NaN
 * and never infinite. An integer is not converted. Fails like
 * ttsb_constant_i64. */
TTSB_API int32_t ttsb_constant_f64(const struct ttsb_blob *blob,
                                   const struct ttsb_constant *constant,
                                   uint32_t item, double *value);

/* A string of the blob: valid UTF-8, NUL-terminated, without a NUL inside,
 * valid until close. */
struct ttsb_string {
    const char *bytes;
    uint32_t length; /* without the NUL */
};

/* Reads item `item` of a string or a list of strings, in O(item). Fails like
 * ttsb_constant_i64. */
TTSB_API int32_t ttsb_constant_string(const struct ttsb_blob *blob,
                                      const struct ttsb_constant *constant,
                                      uint32_t item, struct ttsb_string *value);

/* The dtype's name as in FORMAT.md ("F32"), a string that lives for ever, or
 * NULL if there is no dtype with this code. */
TTSB_API const char *ttsb_dtype_name(uint32_t dtype);

/* Bits of one element, or 0 if there is no dtype with this code. Below 8 the
 * elements are packed. */
TTSB_API uint32_t ttsb_dtype_bits(uint32_t dtype);

/* 1 if bytes of 0xFF are a NaN of this dtype, so that its tensors can be
 * MISSING; else 0, also where there is no dtype with this code. */
TTSB_API uint32_t ttsb_dtype_nan_fill(uint32_t dtype);

/* ---- Verification ---- */

/* Hashes the pieces [first, last) and proves that the bytes are zero behind
 * each tensor whose last piece is among them, up to the next tensor or the
 * group's end. The first damage in file order decides. For callers with their
 * own threads: calls on disjoint ranges are independent. Fails with
 * TTSB_BAD_ARGUMENT (a NULL, first > last), TTSB_OUT_OF_RANGE,
 * TTSB_DAMAGED_PIECE and TTSB_DAMAGED_PADDING; error->tensor and error->text
 * name the tensor. */
TTSB_API int32_t ttsb_verify_range(const struct ttsb_blob *blob, uint64_t first,
                                   uint64_t last, struct ttsb_error *error);

/* Proves what belongs to no piece and was not read by open: META, sections
 * this reader does not know, and the zero bytes between sections and before
 * the first group. With ttsb_verify_range over all pieces this is the whole
 * file. Fails with TTSB_BAD_ARGUMENT, TTSB_DAMAGED_META,
 * TTSB_DAMAGED_SECTION and TTSB_DAMAGED_PADDING. */
TTSB_API int32_t ttsb_verify_rest(const struct ttsb_blob *blob,
                                  struct ttsb_error *error);

/* Told of ttsb_verify's advance, from any of its threads, never from two at a
 * time. */
struct ttsb_progress {
    void (*advance)(void *user, uint64_t pieces_done, uint64_t piece_count);
    void *user;
};

/* The most threads that ttsb_verify takes. */
#define TTSB_MAX_THREADS 256

/* Verifies the whole file with 1 to TTSB_MAX_THREADS threads, the caller's
 * among them; if the system gives fewer, it works with those. `progress` may
 * be NULL. The result does not depend on the number: the lowest damaged piece
 * is reported, and without one what ttsb_verify_rest finds. Fails like
 * ttsb_verify_range and ttsb_verify_rest. */
TTSB_API int32_t ttsb_verify(const struct ttsb_blob *blob, uint32_t threads,
                             const struct ttsb_progress *progress,
                             struct ttsb_error *error);

/* The tensor digest of FORMAT.md section 5, as it is printed, out of the
 * index alone: it proves nothing about the payload before ttsb_verify has. An
 * alias has the digest of its target. Fails with TTSB_BAD_ARGUMENT (a NULL)
 * and TTSB_OUT_OF_RANGE. */
TTSB_API int32_t ttsb_tensor_digest(const struct ttsb_blob *blob,
                                    uint32_t index, uint8_t digest[16]);

/* Since 1.1: the XXH3-64 that piece `piece` of the file must have, as a number:
 * for hashing elsewhere, as on a device. Fails with TTSB_BAD_ARGUMENT (a NULL)
 * and TTSB_OUT_OF_RANGE. */
TTSB_API int32_t ttsb_piece_hash(const struct ttsb_blob *blob, uint64_t piece,
                                 uint64_t *hash);

/* ---- Errors ---- */

/* Values are pinned for ever and grouped by whose fault it is. */
enum ttsb_status {
    TTSB_OK = 0,

    /* 1 to 19: the caller's. */
    TTSB_BAD_ARGUMENT = 1,   /* a NULL, an unknown flag, a struct_size */
    TTSB_NOT_FOUND = 2,      /* nothing has that name */
    TTSB_ABSENT = 3,         /* an optional tensor the checkpoint lacked */
    TTSB_MISSING = 4,        /* a tensor that a partial blob lacks */
    TTSB_WRONG_MODEL = 5,    /* the blob is of another model */
    TTSB_WRONG_REVISION = 6, /* ... of another revision of the spec */
    TTSB_WRONG_CONTRACT = 7, /* ... with another contract id */
    TTSB_WRONG_TYPE = 8,     /* the constant holds items of another type */
    TTSB_OUT_OF_RANGE = 9,   /* an index is not below its count */
    TTSB_CANCELLED = 10,     /* the caller asked for an end */
    TTSB_WRONG_FILE = 11,    /* the file is not that of the blob */

    /* 20 to 49: the blob's. 20 to 41 come from open, in about this order. */
    TTSB_TOO_SHORT = 20,         /* below 4096 bytes */
    TTSB_BAD_MAGIC = 21,         /* not a .ttsb file */
    TTSB_BAD_ENDIAN = 22,        /* the endian mark */
    TTSB_BAD_MAJOR = 23,         /* a container of another major version */
    TTSB_BAD_FEATURE = 24,       /* an unknown incompat bit */
    TTSB_IS_PARTIAL = 25,        /* PARTIAL, without TTSB_OPEN_PARTIAL */
    TTSB_BAD_SELF_HASH = 26,     /* the superblock is damaged */
    TTSB_BAD_FILE_SIZE = 27,     /* cut short, or with trailing bytes */
    TTSB_BAD_PREFIX = 28,        /* the superblock's size */
    TTSB_BAD_RESERVED = 29,      /* reserved bytes of the superblock */
    TTSB_BAD_ROOT = 30,          /* the root is not that of the superblock */
    TTSB_BAD_MODEL_NAME = 31,    /* the model's name */
    TTSB_BAD_SECTION_TABLE = 32, /* order, flags, offsets, ends */
    TTSB_BAD_SECTION_SET = 33,   /* one lacks, or an unknown is critical */
    TTSB_BAD_SECTION_HASH = 34,  /* a critical section is damaged */
    TTSB_BAD_INDEX = 35,         /* a rule of INDEX */
    TTSB_BAD_NAMES = 36,         /* a rule of NAMES */
    TTSB_BAD_ORDER = 37,         /* a rule of NAMEORD */
    TTSB_BAD_GROUPS = 38,        /* a rule of GROUPS */
    TTSB_BAD_PIECES = 39,        /* PIECES has another size */
    TTSB_BAD_CONST = 40,         /* a rule of CONST */
    TTSB_OVER_LIMIT = 41,        /* a number is beyond its limit */
    TTSB_DAMAGED_PIECE = 42,     /* a piece has another hash */
    TTSB_DAMAGED_PADDING = 43,   /* a padding byte is not zero */
    TTSB_DAMAGED_META = 44,      /* META has another hash */
    TTSB_DAMAGED_SECTION = 45,   /* an unknown section has another hash */

    /* 50 to 69: the system's; errno is kept. */
    TTSB_SYSTEM_OPEN = 50,
    TTSB_SYSTEM_STAT = 51,
    TTSB_SYSTEM_MAP = 52,
    TTSB_SYSTEM_READ = 53,
    TTSB_SYSTEM_NOT_A_FILE = 54, /* a folder, a pipe, a device */
    TTSB_NO_MEMORY = 55,

    /* 70 to 79: the device's (ttsb_cuda.h). */
    TTSB_DEVICE_MEMORY = 70, /* an allocation on the device failed */
    TTSB_DEVICE_COPY = 71,   /* a copy to the device failed */
    TTSB_DEVICE_CALL = 72,   /* another call to the device failed */

    TTSB_BUG = 99 /* cannot happen; please report it */
};

/* The status' name in this header ("TTSB_BAD_MAGIC"), a string that lives for
 * ever; "TTSB_?" for a number that is none. */
TTSB_API const char *ttsb_status_name(int32_t status);

/* One English clause that says what the status means, without the details of
 * the case (those are in ttsb_error.text); it lives for ever and is never
 * NULL. */
TTSB_API const char *ttsb_status_text(int32_t status);

/* TTSB_VERSION of the library that is linked, which may be another than that
 * of this header. It lives for ever. */
TTSB_API const char *ttsb_version(void);

#ifdef __cplusplus
#pragma GCC diagnostic pop
}
#endif

#endif
