/* SPDX-License-Identifier: MIT
 *
 * test_runtime_lies.c - open refuses a blob for each rule that it breaks.
 *
 * In: the standard blob with one lie in it, its hashes sealed again, so that
 * no check but the one that is meant can fire. Out: the status and the field
 * that FORMAT.md's rules ask for. Invariant: one row for each rule; the blob
 * without a lie opens, so that no row passes by accident.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "blob.h"
#include "size.h"
#include "ttsb.h"

/* Where a lie is told, besides a section's bytes. */
enum { SUPERBLOCK = 0, TABLE = 100 };

/* `width` bytes of `value` at `at` of a section, of the superblock, or (TABLE
 * + type) of the section's entry in the table. */
struct lie {
    const char *what;
    uint32_t where;
    uint32_t at;
    uint32_t width;
    uint64_t value;
    int seal; /* enum blob_seal */
    int32_t status;
    const char *field;
};

#define RECORD(i, member)                                                      \
    ((i)*112 + (uint32_t)offsetof(struct ttsb_disk_record, member))
#define GROUP(i, member)                                                       \
    ((i)*40 + (uint32_t)offsetof(struct ttsb_disk_group, member))
#define CONSTANT(i, member)                                                    \
    (8 + (i)*24 + (uint32_t)offsetof(struct ttsb_disk_const, member))
#define PREFIX(member) ((uint32_t)offsetof(struct ttsb_disk_superblock, member))
#define ENTRY(member) ((uint32_t)offsetof(struct ttsb_disk_section, member))

enum {
    INDEX = TTSB_SECTION_INDEX,
    NAMEORD = TTSB_SECTION_NAMEORD,
    NAMES = TTSB_SECTION_NAMES,
    GROUPS = TTSB_SECTION_GROUPS,
    PIECES = TTSB_SECTION_PIECES,
    CONSTS = TTSB_SECTION_CONST,
    META = TTSB_SECTION_META,
    ALL = BLOB_SEAL_SECTIONS,
    ROOT = BLOB_SEAL_ROOT
};

static const struct lie superblock_lies[] = {
    {"magic", 0, 0, 1, 0x88, ALL, TTSB_BAD_MAGIC, "magic"},
    {"text mode", 0, 5, 1, 0x0a, ALL, TTSB_BAD_MAGIC, "magic"},
    {"big endian", 0, PREFIX(endian_mark), 4, 0x04030201, ALL, TTSB_BAD_ENDIAN,
     "endian mark"},
    {"major 2", 0, PREFIX(major), 2, 2, ALL, TTSB_BAD_MAJOR, "major"},
    {"major 0", 0, PREFIX(major), 2, 0, ALL, TTSB_BAD_MAJOR, "major"},
    {"major 2, no hash", 0, PREFIX(major), 2, 2, BLOB_SEAL_NONE, TTSB_BAD_MAJOR,
     "major"},
    {"feature 1", 0, PREFIX(incompat), 8, 2, ALL, TTSB_BAD_FEATURE, "incompat"},
    {"feature 63", 0, PREFIX(incompat), 8, UINT64_C(1) << 63, BLOB_SEAL_NONE,
     TTSB_BAD_FEATURE, "incompat"},
    {"partial", 0, PREFIX(incompat), 8, 1, ALL, TTSB_IS_PARTIAL, "incompat"},
    {"self_hash", 0, PREFIX(self_hash), 8, 1, BLOB_SEAL_NONE,
     TTSB_BAD_SELF_HASH, "self_hash"},
    {"unsealed minor", 0, PREFIX(minor), 2, 1, BLOB_SEAL_NONE,
     TTSB_BAD_SELF_HASH, "self_hash"},
    {"file size", 0, PREFIX(file_size), 8, 65536, ALL, TTSB_BAD_FILE_SIZE,
     "file size"},
    {"file size 2^63", 0, PREFIX(file_size), 8, UINT64_C(1) << 63, ALL,
     TTSB_BAD_FILE_SIZE, "file size"},
    {"superblock size", 0, PREFIX(superblock_size), 4, 8192, ALL,
     TTSB_BAD_PREFIX, "superblock size"},
    {"zero", 0, PREFIX(zero) + 3, 1, 1, ALL, TTSB_BAD_RESERVED, "zero"},
    {"first rest", 0, PREFIX(rest), 1, 1, ALL, TTSB_BAD_RESERVED, "rest"},
    {"last rest", 0, 4095, 1, 0x80, ALL, TTSB_BAD_RESERVED, "rest"},
    {"root", 0, PREFIX(root) + 15, 1, 1, BLOB_SEAL_SELF, TTSB_BAD_ROOT, "root"},
    {"no model", 0, PREFIX(model), 1, 0, ALL, TTSB_BAD_MODEL_NAME, "model"},
    {"model digit", 0, PREFIX(model), 1, '9', ALL, TTSB_BAD_MODEL_NAME,
     "model"},
    {"model _", 0, PREFIX(model), 1, '_', ALL, TTSB_BAD_MODEL_NAME, "model"},
    {"model /", 0, PREFIX(model) + 2, 1, '/', ALL, TTSB_BAD_MODEL_NAME,
     "model"},
    {"model NUL inside", 0, PREFIX(model) + 2, 1, 0, ALL, TTSB_BAD_MODEL_NAME,
     "model"},
    {"behind model", 0, PREFIX(model) + 159, 1, 'x', ALL, TTSB_BAD_MODEL_NAME,
     "model"},
    {"revision", 0, PREFIX(revision), 8, UINT64_C(1) << 63, ALL,
     TTSB_OVER_LIMIT, "revision"},
};

static const struct lie table_lies[] = {
    {"INDEX twice", TABLE + NAMEORD, 0, 4, INDEX, ALL, TTSB_BAD_SECTION_TABLE,
     "section type"},
    {"descending", TABLE + META, 0, 4, 2, ALL, TTSB_BAD_SECTION_TABLE,
     "section type"},
    {"flag bit 1", TABLE + INDEX, ENTRY(flags), 4, 3, ALL,
     TTSB_BAD_SECTION_TABLE, "section flags"},
    {"flag bit 31", TABLE + META, ENTRY(flags), 4, UINT32_C(1) << 31, ALL,
     TTSB_BAD_SECTION_TABLE, "section flags"},
    {"INDEX not critical", TABLE + INDEX, ENTRY(flags), 4, 0, ALL,
     TTSB_BAD_SECTION_TABLE, "section flags"},
    {"CONST not critical", TABLE + CONSTS, ENTRY(flags), 4, 0, ALL,
     TTSB_BAD_SECTION_TABLE, "section flags"},
    {"META critical", TABLE + META, ENTRY(flags), 4, 1, ALL,
     TTSB_BAD_SECTION_TABLE, "section flags"},
    {"first offset", TABLE + INDEX, ENTRY(offset), 8, 8192, ALL,
     TTSB_BAD_SECTION_TABLE, "section offset"},
    {"a page's gap", TABLE + META, ENTRY(offset), 8, 36864, ALL,
     TTSB_BAD_SECTION_TABLE, "section offset"},
    {"offset 2^64 - 1", TABLE + GROUPS, ENTRY(offset), 8, UINT64_MAX, ALL,
     TTSB_BAD_SECTION_TABLE, "section offset"},
    {"behind the file", TABLE + META, ENTRY(size), 8, 1u << 30, ALL,
     TTSB_BAD_SECTION_TABLE, "section size"},
    {"size 2^64 - 1", TABLE + PIECES, ENTRY(size), 8, UINT64_MAX, ALL,
     TTSB_BAD_SECTION_TABLE, "section size"},
    {"size that wraps", TABLE + META, ENTRY(size), 8, UINT64_MAX - 28671, ALL,
     TTSB_BAD_SECTION_TABLE, "section size"},
    {"no META", TABLE + META, 0, 40, 0, ALL, TTSB_BAD_SECTION_SET, "META"},
    {"no CONST", TABLE + CONSTS, 0, 80, 0, ALL, TTSB_BAD_SECTION_SET, "CONST"},
    {"no section", TABLE + INDEX, 0, 280, 0, ALL, TTSB_BAD_SECTION_SET,
     "INDEX"},
    {"behind END, near", TABLE + META, 40 + 4, 1, 1, ALL,
     TTSB_BAD_SECTION_TABLE, "section table"},
    {"behind END, far", SUPERBLOCK, 895, 1, 1, ALL, TTSB_BAD_SECTION_TABLE,
     "section table"},
    {"INDEX damaged", INDEX, 5, 1, 77, ROOT, TTSB_BAD_SECTION_HASH, "INDEX"},
    {"NAMEORD damaged", NAMEORD, 0, 1, 77, ROOT, TTSB_BAD_SECTION_HASH,
     "NAMEORD"},
    {"NAMES damaged", NAMES, 0, 1, 77, ROOT, TTSB_BAD_SECTION_HASH, "NAMES"},
    {"GROUPS damaged", GROUPS, 0, 1, 77, ROOT, TTSB_BAD_SECTION_HASH, "GROUPS"},
    {"PIECES damaged", PIECES, 0, 8, 77, ROOT, TTSB_BAD_SECTION_HASH, "PIECES"},
    {"CONST damaged", CONSTS, 0, 1, 77, ROOT, TTSB_BAD_SECTION_HASH, "CONST"},
    {"META's size", TABLE + META, ENTRY(size), 8, 1, ROOT, TTSB_OK, ""},
    {"INDEX not whole", TABLE + INDEX, ENTRY(size), 8, 12 * 112 - 1, ALL,
     TTSB_BAD_INDEX, "INDEX"},
    {"INDEX less one", TABLE + INDEX, ENTRY(size), 8, 11 * 112, ALL,
     TTSB_BAD_GROUPS, "tensor count"},
    {"NAMEORD less one", TABLE + NAMEORD, ENTRY(size), 8, 44, ALL,
     TTSB_BAD_ORDER, "NAMEORD"},
    {"NAMEORD not whole", TABLE + NAMEORD, ENTRY(size), 8, 47, ALL,
     TTSB_BAD_ORDER, "NAMEORD"},
    {"GROUPS not whole", TABLE + GROUPS, ENTRY(size), 8, 161, ALL,
     TTSB_BAD_GROUPS, "GROUPS"},
    {"GROUPS less one", TABLE + GROUPS, ENTRY(size), 8, 120, ALL,
     TTSB_BAD_INDEX, "group"},
    {"GROUPS one more", TABLE + GROUPS, ENTRY(size), 8, 200, ALL,
     TTSB_BAD_GROUPS, "GROUPS"},
    {"NAMES less one", TABLE + NAMES, ENTRY(size), 8, 134, ALL, TTSB_BAD_NAMES,
     "name length"},
    {"NAMES one more", TABLE + NAMES, ENTRY(size), 8, 136, ALL, TTSB_BAD_NAMES,
     "NAMES"},
    {"PIECES less one", TABLE + PIECES, ENTRY(size), 8, 72, ALL,
     TTSB_BAD_PIECES, "PIECES"},
    {"PIECES one more", TABLE + PIECES, ENTRY(size), 8, 88, ALL,
     TTSB_BAD_PIECES, "PIECES"},
    {"PIECES not whole", TABLE + PIECES, ENTRY(size), 8, 81, ALL,
     TTSB_BAD_PIECES, "PIECES"},
    {"CONST without head", TABLE + CONSTS, ENTRY(size), 8, 7, ALL,
     TTSB_BAD_CONST, "CONST"},
    {"CONST one more", TABLE + CONSTS, ENTRY(size), 8, 424, ALL, TTSB_BAD_CONST,
     "CONST"},
};

static const struct lie record_lies[] = {
    {"name offset", INDEX, RECORD(1, name_offset), 4, 14, ALL, TTSB_BAD_NAMES,
     "name offset"},
    {"first name offset", INDEX, RECORD(0, name_offset), 4, UINT32_MAX, ALL,
     TTSB_BAD_NAMES, "name offset"},
    {"name length 0", INDEX, RECORD(0, name_length), 2, 0, ALL, TTSB_BAD_NAMES,
     "name length"},
    {"name length 256", INDEX, RECORD(0, name_length), 2, 256, ALL,
     TTSB_OVER_LIMIT, "name length"},
    {"short name", INDEX, RECORD(0, name_length), 2, 11, ALL, TTSB_BAD_NAMES,
     "name's NUL"},
    {"long name", INDEX, RECORD(0, name_length), 2, 23, ALL, TTSB_BAD_NAMES,
     "name"},
    {"dtype 0", INDEX, RECORD(0, dtype), 1, 0, ALL, TTSB_BAD_INDEX, "dtype"},
    {"dtype 23", INDEX, RECORD(0, dtype), 1, 23, ALL, TTSB_BAD_INDEX, "dtype"},
    {"dtype 255", INDEX, RECORD(0, dtype), 1, 255, ALL, TTSB_BAD_INDEX,
     "dtype"},
    {"rank 9", INDEX, RECORD(7, rank), 1, 9, ALL, TTSB_OVER_LIMIT, "rank"},
    {"rank 255", INDEX, RECORD(7, rank), 1, 255, ALL, TTSB_OVER_LIMIT, "rank"},
    {"rank too small", INDEX, RECORD(0, rank), 1, 1, ALL, TTSB_BAD_INDEX,
     "dims"},
    {"flag 16", INDEX, RECORD(0, flags), 4, 16, ALL, TTSB_BAD_INDEX, "flags"},
    {"ABSENT alone", INDEX, RECORD(0, flags), 4, 4, ALL, TTSB_BAD_INDEX,
     "flags"},
    {"OPTIONAL MISSING", INDEX, RECORD(1, flags), 4, 10, ALL, TTSB_BAD_INDEX,
     "flags"},
    {"OPTIONAL ALIAS", INDEX, RECORD(3, flags), 4, 3, ALL, TTSB_BAD_INDEX,
     "flags"},
    {"MISSING integer", INDEX, RECORD(5, flags), 4, 8, ALL, TTSB_BAD_INDEX,
     "flags"},
    {"MISSING, not PARTIAL", INDEX, RECORD(4, flags), 4, 8, ALL, TTSB_BAD_INDEX,
     "incompat"},
    {"first group 1", INDEX, RECORD(0, group), 4, 1, ALL, TTSB_BAD_INDEX,
     "group"},
    {"group skipped", INDEX, RECORD(6, group), 4, 2, ALL, TTSB_BAD_INDEX,
     "group"},
    {"group descends", INDEX, RECORD(7, group), 4, 0, ALL, TTSB_BAD_INDEX,
     "group"},
    {"group early", INDEX, RECORD(5, group), 4, 1, ALL, TTSB_BAD_GROUPS,
     "tensor count"},
    {"group beyond", INDEX, RECORD(10, group), 4, 4, ALL, TTSB_BAD_GROUPS,
     "tensor count"},
    {"zero", INDEX, RECORD(0, zero), 4, 1, ALL, TTSB_BAD_INDEX, "zero"},
    {"alias of, no alias", INDEX, RECORD(1, alias_of), 4, 0, ALL,
     TTSB_BAD_INDEX, "alias of"},
    {"alias of itself", INDEX, RECORD(3, alias_of), 4, 3, ALL, TTSB_BAD_INDEX,
     "alias of"},
    {"alias of none", INDEX, RECORD(3, alias_of), 4, UINT32_MAX, ALL,
     TTSB_BAD_INDEX, "alias of"},
    {"alias of later", INDEX, RECORD(3, alias_of), 4, 5, ALL, TTSB_BAD_INDEX,
     "alias of"},
    {"alias of optional", INDEX, RECORD(3, alias_of), 4, 1, ALL, TTSB_BAD_INDEX,
     "alias of"},
    {"alias flag off", INDEX, RECORD(3, flags), 4, 0, ALL, TTSB_BAD_INDEX,
     "alias of"},
    {"alias' MISSING", INDEX, RECORD(3, flags), 4, 9, ALL, TTSB_BAD_INDEX,
     "flags"},
    {"alias' dtype", INDEX, RECORD(3, dtype), 1, TTSB_I32, ALL, TTSB_BAD_INDEX,
     "dtype"},
    {"alias' dims", INDEX, RECORD(3, dims), 1, 5, ALL, TTSB_BAD_INDEX, "size"},
    {"alias' offset", INDEX, RECORD(3, offset), 2, 256, ALL, TTSB_BAD_INDEX,
     "offset"},
    {"alias' piece", INDEX, RECORD(3, first_piece), 8, 1, ALL, TTSB_BAD_INDEX,
     "first piece"},
    {"offset unaligned", INDEX, RECORD(1, offset), 1, 60, ALL, TTSB_BAD_INDEX,
     "offset"},
    {"offset with a gap", INDEX, RECORD(1, offset), 2, 512, ALL, TTSB_BAD_INDEX,
     "offset"},
    {"offset that overlaps", INDEX, RECORD(1, offset), 2, 0, ALL,
     TTSB_BAD_INDEX, "offset"},
    {"offset 2^64 - 1", INDEX, RECORD(0, offset), 8, UINT64_MAX, ALL,
     TTSB_BAD_INDEX, "offset"},
    {"zero-size offset", INDEX, RECORD(4, offset), 1, 1, ALL, TTSB_BAD_INDEX,
     "offset"},
    {"size", INDEX, RECORD(0, size), 8, 61, ALL, TTSB_BAD_INDEX, "size"},
    {"size 0", INDEX, RECORD(0, size), 8, 0, ALL, TTSB_BAD_INDEX, "size"},
    {"first piece", INDEX, RECORD(1, first_piece), 8, 0, ALL, TTSB_BAD_INDEX,
     "first piece"},
    {"zero-size piece", INDEX, RECORD(4, first_piece), 8, 2, ALL,
     TTSB_BAD_INDEX, "first piece"},
    {"a dim more", INDEX, RECORD(0, dims) + 16, 8, 1, ALL, TTSB_BAD_INDEX,
     "dims"},
    {"a scalar's dim", INDEX, RECORD(5, dims), 8, 1, ALL, TTSB_BAD_INDEX,
     "dims"},
    {"half a byte", INDEX, RECORD(10, dims), 8, 7, ALL, TTSB_BAD_INDEX, "size"},
    {"2^63 elements", INDEX, RECORD(6, dims), 8, UINT64_C(1) << 63, ALL,
     TTSB_OVER_LIMIT, "dims"},
    {"2^63 bits", INDEX, RECORD(6, dims), 8, UINT64_C(1) << 60, ALL,
     TTSB_OVER_LIMIT, "dims"},
    {"empty of 2^63", INDEX, RECORD(4, dims) + 8, 8, UINT64_C(1) << 63, ALL,
     TTSB_OVER_LIMIT, "dims"},
};

static const struct lie order_lies[] = {
    {"index beyond", NAMEORD, 0, 4, 12, ALL, TTSB_BAD_ORDER, "NAMEORD"},
    {"index 2^32 - 1", NAMEORD, 44, 4, UINT32_MAX, ALL, TTSB_BAD_ORDER,
     "NAMEORD"},
    {"twice", NAMEORD, 4, 4, 10, ALL, TTSB_BAD_ORDER, "NAMEORD"},
    {"out of order", NAMEORD, 0, 4, 11, ALL, TTSB_BAD_ORDER, "NAMEORD"},
    {"name -", NAMES, 2, 1, '-', ALL, TTSB_BAD_NAMES, "name"},
    {"name high byte", NAMES, 2, 1, 0xc3, ALL, TTSB_BAD_NAMES, "name"},
    {"name begins with dot", NAMES, 0, 1, '.', ALL, TTSB_BAD_NAMES, "name"},
    {"name ends with dot", NAMES, 11, 1, '.', ALL, TTSB_BAD_NAMES, "name"},
    {"two dots", NAMES, 4, 1, '.', ALL, TTSB_BAD_NAMES, "name"},
    {"NUL inside", NAMES, 4, 1, 0, ALL, TTSB_BAD_NAMES, "name"},
    {"no NUL", NAMES, 12, 1, 'x', ALL, TTSB_BAD_NAMES, "name's NUL"},
    {"same name", NAMES, 17, 1, '1', ALL, TTSB_BAD_ORDER, "NAMEORD"},
    {"group dot", NAMES, 117, 1, '.', ALL, TTSB_BAD_NAMES, "name"},
    {"group digit", NAMES, 116, 1, '0', ALL, TTSB_BAD_NAMES, "name"},
    {"group _", NAMES, 116, 1, '_', ALL, TTSB_BAD_NAMES, "name"},
    {"group no NUL", NAMES, 119, 1, 'x', ALL, TTSB_BAD_NAMES, "name's NUL"},
    {"same group", NAMES, 131, 3, 0x636e65, ALL, TTSB_BAD_GROUPS, "name"},
    {"group name offset", GROUPS, GROUP(1, name_offset), 4, 0, ALL,
     TTSB_BAD_NAMES, "name offset"},
    {"group name length 0", GROUPS, GROUP(1, name_length), 2, 0, ALL,
     TTSB_BAD_NAMES, "name length"},
    {"group name length 256", GROUPS, GROUP(1, name_length), 2, 256, ALL,
     TTSB_OVER_LIMIT, "name length"},
    {"place 2", GROUPS, GROUP(0, place), 2, 2, ALL, TTSB_BAD_GROUPS, "place"},
    {"align 128", GROUPS, GROUP(0, align), 4, 128, ALL, TTSB_BAD_GROUPS,
     "align"},
    {"align 131072", GROUPS, GROUP(0, align), 4, 131072, ALL, TTSB_BAD_GROUPS,
     "align"},
    {"align 257", GROUPS, GROUP(0, align), 4, 257, ALL, TTSB_BAD_GROUPS,
     "align"},
    {"align 0", GROUPS, GROUP(0, align), 4, 0, ALL, TTSB_BAD_GROUPS, "align"},
    {"another align", GROUPS, GROUP(0, align), 4, 512, ALL, TTSB_BAD_INDEX,
     "offset"},
    {"first tensor", GROUPS, GROUP(1, first_tensor), 4, 5, ALL, TTSB_BAD_GROUPS,
     "first tensor"},
    {"tensor count", GROUPS, GROUP(3, tensor_count), 4, 2, ALL, TTSB_BAD_GROUPS,
     "tensor count"},
    {"tensor count 0", GROUPS, GROUP(2, tensor_count), 4, 0, ALL,
     TTSB_BAD_GROUPS, "tensor count"},
    {"group zero", GROUPS, GROUP(2, zero), 4, 1, ALL, TTSB_BAD_GROUPS, "zero"},
    {"first group's offset", GROUPS, GROUP(0, offset), 8, 131072, ALL,
     TTSB_BAD_GROUPS, "offset"},
    {"group offset", GROUPS, GROUP(1, offset), 8, 65536, ALL, TTSB_BAD_GROUPS,
     "offset"},
    {"group size", GROUPS, GROUP(0, size), 8, 131072, ALL, TTSB_BAD_GROUPS,
     "size"},
    {"size of none", GROUPS, GROUP(2, size), 8, 65536, ALL, TTSB_BAD_GROUPS,
     "size"},
    {"last group's size", GROUPS, GROUP(3, size), 8, 131072, ALL,
     TTSB_BAD_GROUPS, "size"},
};

static const struct lie const_lies[] = {
    {"count 65536", CONSTS, 0, 4, 65536, ALL, TTSB_OVER_LIMIT, "count"},
    {"count 65535", CONSTS, 0, 4, 65535, ALL, TTSB_BAD_CONST, "count"},
    {"count less one", CONSTS, 0, 4, 5, ALL, TTSB_BAD_CONST, "name offset"},
    {"zero", CONSTS, 4, 4, 1, ALL, TTSB_BAD_CONST, "zero"},
    {"name offset", CONSTS, CONSTANT(0, name_offset), 4, 160, ALL,
     TTSB_BAD_CONST, "name offset"},
    {"name length 0", CONSTS, CONSTANT(0, name_length), 4, 0, ALL,
     TTSB_BAD_CONST, "name length"},
    {"name length 256", CONSTS, CONSTANT(0, name_length), 4, 256, ALL,
     TTSB_OVER_LIMIT, "name length"},
    {"name to the end", CONSTS, CONSTANT(5, name_length), 4, 64, ALL,
     TTSB_BAD_CONST, "name length"},
    {"short name", CONSTS, CONSTANT(0, name_length), 4, 2, ALL, TTSB_BAD_CONST,
     "name's NUL"},
    {"long name", CONSTS, CONSTANT(0, name_length), 4, 4, ALL, TTSB_BAD_CONST,
     "name"},
    {"name digit", CONSTS, 152, 1, '1', ALL, TTSB_BAD_CONST, "name"},
    {"name dot", CONSTS, 153, 1, '.', ALL, TTSB_BAD_CONST, "name"},
    {"name NUL", CONSTS, 155, 1, 'x', ALL, TTSB_BAD_CONST, "name's NUL"},
    {"name order", CONSTS, 152, 1, 'z', ALL, TTSB_BAD_CONST, "name"},
    {"name padding", CONSTS, 159, 1, 1, ALL, TTSB_BAD_CONST, "padding"},
    {"type 0", CONSTS, CONSTANT(0, type), 4, 0, ALL, TTSB_BAD_CONST, "type"},
    {"type 4", CONSTS, CONSTANT(0, type), 4, 4, ALL, TTSB_BAD_CONST, "type"},
    {"list of 0", CONSTS, CONSTANT(0, type), 4, 256, ALL, TTSB_BAD_CONST,
     "type"},
    {"type bit 9", CONSTS, CONSTANT(0, type), 4, 513, ALL, TTSB_BAD_CONST,
     "type"},
    {"type bit 31", CONSTS, CONSTANT(0, type), 4, 0x80000001, ALL,
     TTSB_BAD_CONST, "type"},
    {"scalar of two", CONSTS, CONSTANT(0, items), 4, 2, ALL, TTSB_BAD_CONST,
     "items"},
    {"scalar of none", CONSTS, CONSTANT(0, items), 4, 0, ALL, TTSB_BAD_CONST,
     "items"},
    {"list of none", CONSTS, CONSTANT(3, items), 4, 0, ALL, TTSB_BAD_CONST,
     "items"},
    {"list of many", CONSTS, CONSTANT(3, items), 4, UINT32_MAX, ALL,
     TTSB_BAD_CONST, "CONST"},
    {"strings of many", CONSTS, CONSTANT(5, items), 4, 4, ALL, TTSB_BAD_CONST,
     "CONST"},
    {"list less one", CONSTS, CONSTANT(4, items), 4, 2, ALL, TTSB_BAD_CONST,
     "value size"},
    {"value offset", CONSTS, CONSTANT(0, value_offset), 4, 168, ALL,
     TTSB_BAD_CONST, "value offset"},
    {"value size", CONSTS, CONSTANT(0, value_size), 4, 16, ALL, TTSB_BAD_CONST,
     "value size"},
    {"infinity", CONSTS, 160, 8, UINT64_C(0x7ff0000000000000), ALL,
     TTSB_BAD_CONST, "value"},
    {"NaN", CONSTS, 160, 8, UINT64_C(0xfff8000000000001), ALL, TTSB_BAD_CONST,
     "value"},
    {"string 65536", CONSTS, 184, 4, 65536, ALL, TTSB_OVER_LIMIT,
     "string length"},
    {"string beyond", CONSTS, 184, 4, 65535, ALL, TTSB_BAD_CONST,
     "string length"},
    {"string NUL inside", CONSTS, 188, 1, 0, ALL, TTSB_BAD_CONST, "value"},
    {"string's NUL", CONSTS, 190, 1, 'x', ALL, TTSB_BAD_CONST, "string's NUL"},
    {"string padding", CONSTS, 191, 1, 1, ALL, TTSB_BAD_CONST, "padding"},
};

static uint8_t *place_of(const struct blob *b, const struct lie *lie)
{
    size_t start = 0;
    if (lie->where > TABLE)
        start = blob_entry(b, lie->where - TABLE);
    else if (lie->where != SUPERBLOCK)
        start = blob_section(b, lie->where);
    return b->bytes + start + lie->at;
}

static void tell(struct blob *b, const struct lie *lie)
{
    uint8_t *p = place_of(b, lie);
    for (uint32_t i = 0; i < lie->width; i++)
        p[i] = (uint8_t)(i < 8 ? lie->value >> (8 * i) : 0);
    blob_seal(b, (enum blob_seal)lie->seal);
}

static void check_lie(const struct lie *lie)
{
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct blob b = blob_build(blob_standard());
    struct ttsb_blob *open;
    int32_t status;
    tell(&b, lie);
    status = ttsb_open_memory(b.bytes, b.size, NULL, &open, &error);
    if (status != lie->status || strcmp(error.field, lie->field) != 0)
        fail_msg("%s: %s on '%s': %s", lie->what, ttsb_status_name(status),
                 error.field, error.text);
    assert_int_equal(error.status, lie->status);
    assert_true((open == NULL) == (status != TTSB_OK));
    assert_true((error.text[0] == 0) == (status == TTSB_OK));
    assert_true(status == TTSB_OK || status == TTSB_BAD_ARGUMENT ||
                strstr(error.text, "rebuild it with: ttswc") != NULL);
    /* Without the error the status is the same. */
    ttsb_close(open);
    assert_int_equal(ttsb_open_memory(b.bytes, b.size, NULL, &open, NULL),
                     lie->status);
    ttsb_close(open);
    blob_release(&b);
}

static void check_lies(const struct lie *lies, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_lie(&lies[i]);
}

/* A section of no bytes, the later ones each a page before. */
static void check_empty(uint32_t type, int32_t expected, const char *field)
{
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct blob b = blob_build(blob_standard());
    struct ttsb_blob *open;
    store_u64(b.bytes + blob_entry(&b, type) + ENTRY(size), 0);
    for (uint32_t t = type + 1; t <= TTSB_SECTION_META; t++) {
        uint8_t *offset = b.bytes + blob_entry(&b, t) + ENTRY(offset);
        store_u64(offset, load_u64(offset) - TTSB_SECTION_ALIGN);
    }
    blob_seal(&b, BLOB_SEAL_SECTIONS);
    assert_int_equal(ttsb_open_memory(b.bytes, b.size, NULL, &open, &error),
                     expected);
    assert_string_equal(error.field, field);
    blob_release(&b);
}

#define COUNT(table) (sizeof(table) / sizeof(table[0]))

static void superblock(void **state)
{
    (void)state;
    check_lies(superblock_lies, COUNT(superblock_lies));
}

static void table(void **state)
{
    (void)state;
    check_lies(table_lies, COUNT(table_lies));
}

static void empty_sections(void **state)
{
    (void)state;
    check_empty(TTSB_SECTION_INDEX, TTSB_BAD_INDEX, "INDEX");
    check_empty(TTSB_SECTION_GROUPS, TTSB_BAD_GROUPS, "GROUPS");
    check_empty(TTSB_SECTION_PIECES, TTSB_BAD_PIECES, "PIECES");
    check_empty(TTSB_SECTION_CONST, TTSB_BAD_CONST, "CONST");
}

static void records(void **state)
{
    (void)state;
    check_lies(record_lies, COUNT(record_lies));
}

static void names_and_groups(void **state)
{
    (void)state;
    check_lies(order_lies, COUNT(order_lies));
}

static void constants(void **state)
{
    (void)state;
    check_lies(const_lies, COUNT(const_lies));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(superblock), cmocka_unit_test(table),
        cmocka_unit_test(records),    cmocka_unit_test(names_and_groups),
        cmocka_unit_test(constants),  cmocka_unit_test(empty_sections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
