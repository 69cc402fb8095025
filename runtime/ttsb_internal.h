/* SPDX-License-Identifier: MIT
 *
 * ttsb_internal.h - what the runtime's files share and no user sees.
 *
 * In: the public and the on-disk structures. Out: the handle, the decoders of
 * records, the door's parts and the one way to report a failure. Symbols with
 * two underscores are hidden in the shared library.
 *
 * Invariant: a struct ttsb_blob that a public call receives has passed the
 * door, so that no accessor repeats a check; only the door's own files
 * (check*.c) see one that has not.
 */
#ifndef TTSB_INTERNAL_H
#define TTSB_INTERNAL_H

#include <stdbool.h>

#include "size.h"
#include "ttsb.h"
#include "ttsb_format.h"

/* A section: its bytes and where they begin in the file. */
struct ttsb__section {
    const uint8_t *bytes;
    uint64_t offset;
    uint64_t size;
};

/* The handle, which never changes but for `users`: who opened it, each
 * ttsb_retain and each tensor of ttsb_dlpack; the last one gives all back. The
 * bits at `used` are the caller's. Both change atomically. `section` is indexed
 * by type. `group_order` holds the groups' indices by name: FORMAT.md has no
 * such table, and without one a file with 65,535 groups would take minutes to
 * prove unique. */
struct ttsb_blob {
    const uint8_t *bytes;
    uint64_t size;
    bool mapped;    /* the mapping is ours to give back */
    bool of_file;   /* ... and its pages are read when they are touched */
    uint32_t *used; /* the caller's bits, or NULL; see ttsb_use.h */
    uint32_t users;
    struct ttsb__section section[TTSB_SECTION_META + 1];
    uint64_t sections_end;
    uint64_t piece_count;
    uint32_t tensor_count;
    uint32_t group_count;
    uint32_t constant_count;
    uint32_t group_order[];
};

/* What to do about a blob that is sound and cannot be used. */
#define TTSB__REBUILD "rebuild it with: ttswc compile SPEC CHECKPOINT -o FILE"

/* ---- status.c ---- */

/* The numbers of a failure. */
struct ttsb__fault {
    int32_t status;
    int32_t system_errno;
    uint32_t tensor;
    uint64_t offset;
    uint64_t found;
    uint64_t expected;
    const char *field;
};

/* Fills *error, unless it is NULL, and returns fault->status. */
int32_t ttsb__fail(struct ttsb_error *error, const struct ttsb__fault *fault,
                   const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A TTSB_BAD_ARGUMENT about `argument`. */
int32_t ttsb__bad_argument(struct ttsb_error *error, const char *argument);

/* Copies *value, of `size` bytes and with struct_size as its first member, to
 * the caller's struct, zeros behind. False if the caller's struct_size is
 * smaller, or larger than any. */
bool ttsb__fill(void *out, void *value, uint32_t size);

/* The other way: copies the caller's struct to *value, of `size` bytes, which
 * are 0, or `old` bytes in the version before. False if the caller's
 * struct_size is of no version, or what lies behind `size` is not 0. */
bool ttsb__take(void *value, const void *in, uint32_t size, uint32_t old);

/* A chain of checks. The first that fails fills *error and sticks in
 * `result`; the members before it say what is being looked at. */
struct ttsb__walk {
    struct ttsb_error *error;
    int32_t result;
    int32_t status;  /* for a broken rule */
    uint32_t tensor; /* or TTSB_NO_TENSOR */
    uint64_t base;   /* file offset of the structure */
};

/* A field of the structure that is being looked at, as it was found. */
struct ttsb__field {
    const char *name;
    uint64_t at; /* from walk->base */
    uint64_t found;
};

/* Each returns whether the rule holds: found == expected; found <= limit (else
 * TTSB_OVER_LIMIT); never, `rule` being what the field must be. */
bool ttsb__expect(struct ttsb__walk *w, struct ttsb__field field,
                  uint64_t expected);
bool ttsb__at_most(struct ttsb__walk *w, struct ttsb__field field,
                   uint64_t limit);
bool ttsb__refuse(struct ttsb__walk *w, struct ttsb__field field,
                  const char *rule);

/* ---- decode.c: bytes to structures; `index` is below the count ---- */

struct ttsb_disk_record ttsb__record(const struct ttsb_blob *blob,
                                     uint32_t index);
/* Of a record what bind asks, many times over. */
struct ttsb__spot {
    uint32_t flags;
    uint64_t group_offset;
};
struct ttsb__spot ttsb__spot(const struct ttsb_blob *blob, uint32_t index);

struct ttsb_disk_group ttsb__group(const struct ttsb_blob *blob,
                                   uint32_t index);
struct ttsb_disk_const ttsb__const(const struct ttsb_blob *blob,
                                   uint32_t index);
struct ttsb_disk_section ttsb__section_entry(const struct ttsb_blob *blob,
                                             uint32_t index);

/* A NUL-terminated name of NAMES. */
const char *ttsb__name(const struct ttsb_blob *blob, uint32_t offset);

/* The model's name in the superblock. */
const char *ttsb__model(const struct ttsb_blob *blob);

/* Pieces of a tensor of `size` bytes. */
uint64_t ttsb__pieces(uint64_t size);

/* Order of names: unsigned bytes, a shorter name before its extensions. */
int ttsb__compare(const char *a, size_t a_size, const char *b, size_t b_size);

/* No locale takes part. */
static inline bool ttsb__is_letter(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static inline bool ttsb__is_word(uint8_t c)
{
    return ttsb__is_letter(c) || (c >= '0' && c <= '9') || c == '_';
}

/* The first 8 bytes of a canonical hash, as they are printed. */
static inline uint64_t ttsb__hash_head(const uint8_t *hash)
{
    uint64_t head = 0;
    for (int i = 0; i < 8; i++)
        head = head << 8 | hash[i];
    return head;
}

/* The first byte of [bytes, bytes + size) that is not zero, or `size`. */
uint64_t ttsb__first_nonzero(const uint8_t *bytes, uint64_t size);

/* ---- map.c ---- */

/* Opens, maps or copies; on success blob->bytes, size, mapped and of_file are
 * set. */
int32_t ttsb__map_path(struct ttsb_blob *blob, const char *path, uint32_t flags,
                       struct ttsb_error *error);
int32_t ttsb__map_fd(struct ttsb_blob *blob, int fd, uint32_t flags,
                     struct ttsb_error *error);
int32_t ttsb__map_copy(struct ttsb_blob *blob, const void *data, size_t size,
                       struct ttsb_error *error);
void ttsb__unmap(struct ttsb_blob *blob);

/* Asks for `size` bytes at `offset`, a multiple of the page size, ahead of
 * their use; nothing to do where they are in memory. */
int32_t ttsb__read_ahead(const struct ttsb_blob *blob, uint64_t offset,
                         uint64_t size, struct ttsb_error *error);

/* ---- read.c ---- */

/* TTSB_OK, TTSB_ABSENT or TTSB_MISSING: of a record that is there. */
int32_t ttsb__presence(const struct ttsb_blob *blob, uint32_t index,
                       struct ttsb_error *error);

/* ---- the door ---- */

/* check.c: superblock, section table, critical sections' hashes. In: bytes and
 * size. Out: the sections, tensor_count and group_count. */
int32_t ttsb__check_front(struct ttsb_blob *blob, uint32_t flags,
                          struct ttsb_error *error);

/* check_index.c: every rule on INDEX, NAMES, NAMEORD, GROUPS and PIECES. Out:
 * piece_count, group_order. */
int32_t ttsb__check_index(struct ttsb_blob *blob, struct ttsb_error *error);

/* check_const.c: every rule on CONST. Out: constant_count. */
int32_t ttsb__check_const(struct ttsb_blob *blob, struct ttsb_error *error);

/* ---- verify.c ---- */

/* ttsb_verify_range, where `record` is not behind the record of `first`. */
int32_t ttsb__verify_pieces(const struct ttsb_blob *blob, uint32_t record,
                            uint64_t first, uint64_t last,
                            struct ttsb_error *error);

/* The first record at or behind `record` with a piece at or behind `piece`,
 * which is below the piece count. */
uint32_t ttsb__record_of(const struct ttsb_blob *blob, uint32_t record,
                         uint64_t piece);

#endif
