/* SPDX-License-Identifier: MIT
 *
 * ttsb_format.h - the bytes of a .ttsb file, container 1.0.
 *
 * In:  nothing. Out: every structure, number and limit that FORMAT.md names,
 * once, for the writer (compiler/) and the reader (runtime/) alike; the codes
 * that users see as well stand in ttsb_types.h.
 *
 * Invariant: all fields are little endian and naturally aligned; no structure
 * has padding; a field named `zero` holds 0 and a reader refuses anything
 * else. Structures are never laid over mapped bytes: they document offsets,
 * and readers and writers go through offsetof and little-endian loads.
 */
#ifndef TTSB_FORMAT_H
#define TTSB_FORMAT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "ttsb_types.h"

#define TTSB_MAGIC_SIZE 8
#define TTSB_MAGIC_BYTES                                                       \
    {                                                                          \
        0x89, 'T', 'T', 'S', 'B', 0x0d, 0x0a, 0x1a                             \
    }
#define TTSB_MAJOR 1
#define TTSB_MINOR 0
#define TTSB_ENDIAN_MARK UINT32_C(0x01020304)

#define TTSB_SUPERBLOCK_SIZE 4096
#define TTSB_SECTION_ALIGN 4096
#define TTSB_GROUP_ALIGN 65536
#define TTSB_PIECE_SIZE 65536
#define TTSB_MIN_ALIGN 256
#define TTSB_MAX_ALIGN 65536

/* Limits: a reader refuses what lies beyond, a writer never makes it. */
#define TTSB_MAX_GROUPS 65535
#define TTSB_MAX_CONSTANTS 65535
#define TTSB_MAX_NAME 255
#define TTSB_MAX_MODEL_NAME 159
#define TTSB_MAX_STRING 65535
#define TTSB_MAX_CONST_SECTION (16 << 20)
#define TTSB_MAX_SECTIONS 16
#define TTSB_MAX_FILE_SIZE INT64_MAX

/* Feature words. An unknown incompat bit: refuse. Unknown compat: ignore. */
#define TTSB_INCOMPAT_PARTIAL UINT64_C(1) /* at least one record is MISSING */
#define TTSB_INCOMPAT_KNOWN TTSB_INCOMPAT_PARTIAL

enum ttsb_section_type {
    TTSB_SECTION_END = 0,
    TTSB_SECTION_INDEX = 1,
    TTSB_SECTION_NAMEORD = 2,
    TTSB_SECTION_NAMES = 3,
    TTSB_SECTION_GROUPS = 4,
    TTSB_SECTION_PIECES = 5,
    TTSB_SECTION_CONST = 6,
    TTSB_SECTION_META = 7
};

#define TTSB_SECTION_CRITICAL UINT32_C(1)

struct ttsb_disk_section {
    uint32_t type;
    uint32_t flags;
    uint64_t offset;
    uint64_t size;
    uint8_t hash[16]; /* XXH3-128 of the section, canonical (big endian) */
};
static_assert(sizeof(struct ttsb_disk_section) == 40, "section entry");

struct ttsb_disk_superblock {
    /* The frozen prefix, bytes 0 to 255: the same in every version. */
    uint8_t magic[TTSB_MAGIC_SIZE];
    uint16_t major;
    uint16_t minor;
    uint32_t endian_mark;
    uint32_t superblock_size;
    uint32_t zero;
    uint64_t incompat;
    uint64_t compat;
    uint64_t file_size;
    uint64_t self_hash;
    uint8_t contract_id[16];
    uint8_t root[16];
    uint64_t revision;
    char model[160]; /* 1 to 159 bytes, then zeros */
    /* Container 1.x. */
    struct ttsb_disk_section sections[TTSB_MAX_SECTIONS];
    uint8_t rest[3200]; /* zero */
};
static_assert(offsetof(struct ttsb_disk_superblock, self_hash) == 48, "prefix");
static_assert(offsetof(struct ttsb_disk_superblock, contract_id) == 56,
              "prefix");
static_assert(offsetof(struct ttsb_disk_superblock, root) == 72, "prefix");
static_assert(offsetof(struct ttsb_disk_superblock, revision) == 88, "prefix");
static_assert(offsetof(struct ttsb_disk_superblock, model) == 96, "prefix");
static_assert(offsetof(struct ttsb_disk_superblock, sections) == 256, "table");
static_assert(sizeof(struct ttsb_disk_superblock) == TTSB_SUPERBLOCK_SIZE,
              "superblock");

struct ttsb_disk_record {
    uint32_t name_offset; /* into NAMES */
    uint16_t name_length;
    uint8_t dtype;
    uint8_t rank;
    uint32_t flags;
    uint32_t group;
    uint32_t alias_of; /* record index, or TTSB_NO_TENSOR */
    uint32_t zero;
    uint64_t offset; /* from the start of the file */
    uint64_t size;   /* bytes */
    uint64_t first_piece;
    uint64_t dims[TTSB_MAX_RANK]; /* zero beyond rank */
};
static_assert(offsetof(struct ttsb_disk_record, offset) == 24, "record");
static_assert(sizeof(struct ttsb_disk_record) == 112, "record");

struct ttsb_disk_group {
    uint32_t name_offset; /* into NAMES, behind the tensors' names */
    uint16_t name_length;
    uint16_t place;
    uint32_t align;
    uint32_t first_tensor;
    uint32_t tensor_count;
    uint32_t zero;
    uint64_t offset;
    uint64_t size;
};
static_assert(sizeof(struct ttsb_disk_group) == 40, "group");

struct ttsb_disk_const_head {
    uint32_t count;
    uint32_t zero;
};
static_assert(sizeof(struct ttsb_disk_const_head) == 8, "const head");

struct ttsb_disk_const {
    uint32_t name_offset; /* from the start of CONST */
    uint32_t name_length;
    uint32_t type;
    uint32_t items; /* 1 for a scalar, 1 or more for a list */
    uint32_t value_offset;
    uint32_t value_size;
};
static_assert(sizeof(struct ttsb_disk_const) == 24, "const entry");

#endif
