/* SPDX-License-Identifier: MIT
 *
 * check.c - the door's first part: what the superblock proves.
 *
 * In: the file's bytes and what the caller accepts. Out: the sections' places
 * and the counts in *blob, or the first rule of FORMAT.md section 11 that is
 * broken, in that order.
 *
 * Invariant: nothing is read that was not proven to lie in the file; the
 * frozen prefix is read before any hash is believed, so that a file from the
 * future is called that and not damaged. Nothing is allocated.
 */
#include "ttsb_internal.h"

#include <inttypes.h>

#include "hash.h"

enum {
    AT_MAJOR = offsetof(struct ttsb_disk_superblock, major),
    AT_MINOR = offsetof(struct ttsb_disk_superblock, minor),
    AT_ENDIAN = offsetof(struct ttsb_disk_superblock, endian_mark),
    AT_SIZE = offsetof(struct ttsb_disk_superblock, superblock_size),
    AT_ZERO = offsetof(struct ttsb_disk_superblock, zero),
    AT_INCOMPAT = offsetof(struct ttsb_disk_superblock, incompat),
    AT_FILE_SIZE = offsetof(struct ttsb_disk_superblock, file_size),
    AT_SELF_HASH = offsetof(struct ttsb_disk_superblock, self_hash),
    AT_ROOT = offsetof(struct ttsb_disk_superblock, root),
    AT_REVISION = offsetof(struct ttsb_disk_superblock, revision),
    AT_MODEL = offsetof(struct ttsb_disk_superblock, model),
    AT_TABLE = offsetof(struct ttsb_disk_superblock, sections),
    AT_REST = offsetof(struct ttsb_disk_superblock, rest)
};

static const char *const section_names[TTSB_SECTION_META + 1] = {
    [TTSB_SECTION_INDEX] = "INDEX",   [TTSB_SECTION_NAMEORD] = "NAMEORD",
    [TTSB_SECTION_NAMES] = "NAMES",   [TTSB_SECTION_GROUPS] = "GROUPS",
    [TTSB_SECTION_PIECES] = "PIECES", [TTSB_SECTION_CONST] = "CONST",
    [TTSB_SECTION_META] = "META"};

static bool is_model_byte(uint8_t c)
{
    return ttsb__is_word(c) || c == '-' || c == '.';
}

/* The length of what may be the model's name in a prefix nothing else is
 * known of: fit for a message, whatever the file holds. */
static int model_length(const struct ttsb_blob *blob)
{
    int n = 0;
    while (n < 60 && is_model_byte(blob->bytes[AT_MODEL + n]))
        n++;
    return n;
}

/* A field of the superblock as a fault. */
static struct ttsb__fault prefix_fault(int32_t status, const char *field,
                                       uint64_t offset, uint64_t found)
{
    return (struct ttsb__fault){.status = status,
                                .tensor = TTSB_NO_TENSOR,
                                .offset = offset,
                                .found = found,
                                .field = field};
}

static bool check_magic(struct ttsb__walk *w, const struct ttsb_blob *blob)
{
    static const uint8_t magic[TTSB_MAGIC_SIZE] = TTSB_MAGIC_BYTES;
    struct ttsb__fault fault;
    if (blob->size < TTSB_SUPERBLOCK_SIZE) {
        fault = prefix_fault(TTSB_TOO_SHORT, "file size", 0, blob->size);
        fault.expected = TTSB_SUPERBLOCK_SIZE;
        w->result = ttsb__fail(w->error, &fault,
                               "the file has %" PRIu64 " bytes and a .ttsb "
                               "file has at least %d",
                               blob->size, TTSB_SUPERBLOCK_SIZE);
        return false;
    }
    if (memcmp(blob->bytes, magic, sizeof(magic)) == 0)
        return true;
    fault = prefix_fault(TTSB_BAD_MAGIC, "magic", 0, load_u64(blob->bytes));
    fault.expected = load_u64(magic);
    w->result = ttsb__fail(w->error, &fault,
                           "this is not a .ttsb file: it begins with "
                           "%02x %02x %02x %02x, not with 89 54 54 53",
                           blob->bytes[0], blob->bytes[1], blob->bytes[2],
                           blob->bytes[3]);
    return false;
}

static bool check_version(struct ttsb__walk *w, const struct ttsb_blob *blob)
{
    uint16_t major = load_u16(blob->bytes + AT_MAJOR);
    struct ttsb__fault fault =
        prefix_fault(TTSB_BAD_MAJOR, "major", AT_MAJOR, major);
    const struct ttsb__field endian = {"endian mark", AT_ENDIAN,
                                       load_u32(blob->bytes + AT_ENDIAN)};
    w->status = TTSB_BAD_ENDIAN;
    if (!ttsb__expect(w, endian, TTSB_ENDIAN_MARK))
        return false;
    if (major == TTSB_MAJOR)
        return true;
    fault.expected = TTSB_MAJOR;
    w->result = ttsb__fail(w->error, &fault,
                           "the blob of '%.*s' is container %u.%u and this "
                           "reader knows %d.x; " TTSB__REBUILD,
                           model_length(blob), blob->bytes + AT_MODEL, major,
                           load_u16(blob->bytes + AT_MINOR), TTSB_MAJOR);
    return false;
}

static bool check_features(struct ttsb__walk *w, const struct ttsb_blob *blob,
                           uint32_t flags)
{
    uint64_t incompat = load_u64(blob->bytes + AT_INCOMPAT);
    struct ttsb__fault fault =
        prefix_fault(TTSB_BAD_FEATURE, "incompat", AT_INCOMPAT, incompat);
    fault.expected = TTSB_INCOMPAT_KNOWN;
    if (incompat & ~TTSB_INCOMPAT_KNOWN) {
        w->result = ttsb__fail(w->error, &fault,
                               "the blob of '%.*s' needs the features %" PRIx64
                               " and this "
                               "reader knows %" PRIx64 "; " TTSB__REBUILD,
                               model_length(blob), blob->bytes + AT_MODEL,
                               incompat, fault.expected);
        return false;
    }
    if (!(incompat & TTSB_INCOMPAT_PARTIAL) || (flags & TTSB_OPEN_PARTIAL))
        return true;
    fault.status = TTSB_IS_PARTIAL;
    fault.expected = 0;
    w->result = ttsb__fail(
        w->error, &fault,
        "the blob of '%.*s' is partial: it lacks tensors; " TTSB__REBUILD
        " or open it with TTSB_OPEN_PARTIAL",
        model_length(blob), blob->bytes + AT_MODEL);
    return false;
}

static bool check_self_hash(struct ttsb__walk *w, const struct ttsb_blob *blob)
{
    uint8_t copy[TTSB_SUPERBLOCK_SIZE];
    const struct ttsb__field hash = {"self_hash", AT_SELF_HASH,
                                     load_u64(blob->bytes + AT_SELF_HASH)};
    memcpy(copy, blob->bytes, sizeof(copy));
    memset(copy + AT_SELF_HASH, 0, 8);
    w->status = TTSB_BAD_SELF_HASH;
    return ttsb__expect(w, hash, ttsb__hash64(copy, sizeof(copy)));
}

static bool check_root(struct ttsb__walk *w, const struct ttsb_blob *blob)
{
    uint8_t copy[TTSB_SUPERBLOCK_SIZE];
    uint8_t root[16];
    struct ttsb__fault fault = prefix_fault(
        TTSB_BAD_ROOT, "root", AT_ROOT, ttsb__hash_head(blob->bytes + AT_ROOT));
    memcpy(copy, blob->bytes, sizeof(copy));
    memset(copy + AT_SELF_HASH, 0, 8);
    memset(copy + AT_ROOT, 0, 16);
    ttsb__hash128(copy, sizeof(copy), root);
    if (memcmp(root, blob->bytes + AT_ROOT, 16) == 0)
        return true;
    fault.expected = ttsb__hash_head(root);
    w->result = ttsb__fail(w->error, &fault,
                           "the root begins with %016" PRIx64 " and that of "
                           "this superblock with %016" PRIx64,
                           fault.found, fault.expected);
    return false;
}

static bool check_zeros(struct ttsb__walk *w, const struct ttsb_blob *blob,
                        struct ttsb__field field, uint64_t size)
{
    uint64_t i = ttsb__first_nonzero(blob->bytes + field.at, size);
    if (i == size)
        return true;
    field.at += i;
    field.found = blob->bytes[field.at];
    return ttsb__expect(w, field, 0);
}

static bool check_file_size(struct ttsb__walk *w, const struct ttsb_blob *blob,
                            struct ttsb__field file)
{
    struct ttsb__fault fault =
        prefix_fault(TTSB_BAD_FILE_SIZE, "file size", AT_FILE_SIZE, file.found);
    if (file.found == blob->size)
        return true;
    fault.expected = blob->size;
    w->result = ttsb__fail(w->error, &fault,
                           "the file has %" PRIu64 " bytes and by its "
                           "superblock %" PRIu64 ": %s",
                           blob->size, file.found,
                           blob->size < file.found ? "it was cut short"
                                                   : "something follows it");
    return false;
}

static bool check_reserved(struct ttsb__walk *w, const struct ttsb_blob *blob)
{
    const struct ttsb__field size = {"superblock size", AT_SIZE,
                                     load_u32(blob->bytes + AT_SIZE)};
    const struct ttsb__field file = {"file size", AT_FILE_SIZE,
                                     load_u64(blob->bytes + AT_FILE_SIZE)};
    const struct ttsb__field zero = {"zero", AT_ZERO, 0};
    const struct ttsb__field rest = {"rest", AT_REST, 0};
    if (!check_file_size(w, blob, file))
        return false;
    w->status = TTSB_BAD_PREFIX;
    if (!ttsb__expect(w, size, TTSB_SUPERBLOCK_SIZE))
        return false;
    w->status = TTSB_BAD_RESERVED;
    return check_zeros(w, blob, zero, 4) &&
           check_zeros(w, blob, rest, TTSB_SUPERBLOCK_SIZE - AT_REST);
}

static bool check_model(struct ttsb__walk *w, const struct ttsb_blob *blob)
{
    const uint8_t *model = blob->bytes + AT_MODEL;
    const struct ttsb__field revision = {"revision", AT_REVISION,
                                         load_u64(blob->bytes + AT_REVISION)};
    uint64_t n = 0;
    w->status = TTSB_BAD_MODEL_NAME;
    if (!ttsb__is_letter(model[0]))
        return ttsb__refuse(
            w, (struct ttsb__field){"model", AT_MODEL, model[0]}, "a letter");
    while (n < TTSB_MAX_MODEL_NAME && is_model_byte(model[n]))
        n++;
    return check_zeros(w, blob, (struct ttsb__field){"model", AT_MODEL + n, 0},
                       TTSB_MAX_MODEL_NAME + 1 - n) &&
           ttsb__at_most(w, revision, INT64_MAX);
}

/* One entry of the table that is in use; *end is that of the section before. */
static bool check_entry(struct ttsb__walk *w, const struct ttsb_blob *blob,
                        const struct ttsb_disk_section *s, uint64_t *end)
{
    const struct ttsb__field flags = {
        "section flags", offsetof(struct ttsb_disk_section, flags), s->flags};
    const struct ttsb__field offset = {
        "section offset", offsetof(struct ttsb_disk_section, offset),
        s->offset};
    const struct ttsb__field size = {
        "section size", offsetof(struct ttsb_disk_section, size), s->size};
    uint64_t start;
    if (s->flags & ~TTSB_SECTION_CRITICAL)
        return ttsb__refuse(w, flags, "0 or 1");
    if (s->type <= TTSB_SECTION_META &&
        !ttsb__expect(w, flags, s->type != TTSB_SECTION_META))
        return false;
    if (!size_align(*end, TTSB_SECTION_ALIGN, &start))
        return ttsb__refuse(w, offset, "below 2^63");
    if (!ttsb__expect(w, offset, start))
        return false;
    if (!size_inside(s->offset, s->size, blob->size))
        return ttsb__refuse(w, size, "inside the file");
    *end = s->offset + s->size;
    return true;
}

static void keep_section(struct ttsb_blob *blob,
                         const struct ttsb_disk_section *s)
{
    if (s->type <= TTSB_SECTION_META)
        blob->section[s->type] =
            (struct ttsb__section){blob->bytes + s->offset, s->offset, s->size};
}

static bool check_table(struct ttsb__walk *w, struct ttsb_blob *blob)
{
    const struct ttsb__field unused = {"section table", 0, 0};
    struct ttsb__field type = {"section type", 0, 0};
    uint64_t end = TTSB_SUPERBLOCK_SIZE;
    uint32_t last = TTSB_SECTION_END;
    uint32_t i = 0;
    w->status = TTSB_BAD_SECTION_TABLE;
    for (; i < TTSB_MAX_SECTIONS; i++) {
        struct ttsb_disk_section s = ttsb__section_entry(blob, i);
        w->base = AT_TABLE + i * sizeof(s);
        type.found = s.type;
        if (s.type == TTSB_SECTION_END)
            break;
        if (s.type <= last)
            return ttsb__refuse(w, type, "above the type before");
        if (!check_entry(w, blob, &s, &end))
            return false;
        keep_section(blob, &s);
        last = s.type;
    }
    w->base = 0;
    blob->sections_end = end;
    type = unused;
    type.at = AT_TABLE + i * sizeof(struct ttsb_disk_section);
    return check_zeros(w, blob, type, AT_REST - type.at);
}

static bool check_set(struct ttsb__walk *w, const struct ttsb_blob *blob)
{
    struct ttsb__field field = {"section type", AT_TABLE, 0};
    w->status = TTSB_BAD_SECTION_SET;
    for (uint32_t t = TTSB_SECTION_INDEX; t <= TTSB_SECTION_META; t++) {
        field.name = section_names[t];
        if (blob->section[t].bytes == NULL)
            return ttsb__refuse(w, field, "in the section table");
    }
    for (uint32_t i = TTSB_SECTION_META; i < TTSB_MAX_SECTIONS; i++) {
        struct ttsb_disk_section s = ttsb__section_entry(blob, i);
        field.name = "section type";
        field.at = AT_TABLE + i * sizeof(s);
        field.found = s.type;
        if (s.flags & TTSB_SECTION_CRITICAL)
            return ttsb__refuse(w, field,
                                "known to this reader, as it is "
                                "critical");
    }
    return true;
}

static bool check_hashes(struct ttsb__walk *w, const struct ttsb_blob *blob)
{
    struct ttsb__fault fault = prefix_fault(TTSB_BAD_SECTION_HASH, "", 0, 0);
    uint8_t hash[16];
    for (uint32_t i = 0; i < TTSB_SECTION_CONST; i++) {
        struct ttsb_disk_section s = ttsb__section_entry(blob, i);
        ttsb__hash128(blob->bytes + s.offset, (size_t)s.size, hash);
        if (memcmp(hash, s.hash, 16) == 0)
            continue;
        fault.field = section_names[s.type];
        fault.offset = s.offset;
        fault.found = ttsb__hash_head(hash);
        fault.expected = ttsb__hash_head(s.hash);
        w->result = ttsb__fail(w->error, &fault,
                               "the section %s at byte %" PRIu64 " is "
                               "damaged: it has another hash",
                               fault.field, s.offset);
        return false;
    }
    return true;
}

/* Sections whose entries are counted: 1 to `limit`. */
struct counted {
    uint32_t type;
    int32_t status;
    uint32_t entry_size;
    uint32_t limit;
    const char *name;
};

static bool count_entries(struct ttsb__walk *w, const struct ttsb_blob *blob,
                          const struct counted *c, uint32_t *out)
{
    const struct ttsb__section *section = &blob->section[c->type];
    const uint64_t count = section->size / c->entry_size;
    w->status = c->status;
    w->base = section->offset;
    if (section->size % c->entry_size != 0 || count == 0)
        return ttsb__refuse(w, (struct ttsb__field){c->name, 0, section->size},
                            "the size of one whole entry or more");
    *out = (uint32_t)count;
    return ttsb__at_most(w, (struct ttsb__field){c->name, 0, count}, c->limit);
}

static bool check_counts(struct ttsb__walk *w, struct ttsb_blob *blob)
{
    static const struct counted index = {TTSB_SECTION_INDEX, TTSB_BAD_INDEX,
                                         sizeof(struct ttsb_disk_record),
                                         TTSB_MAX_TENSORS, "INDEX"};
    static const struct counted groups = {TTSB_SECTION_GROUPS, TTSB_BAD_GROUPS,
                                          sizeof(struct ttsb_disk_group),
                                          TTSB_MAX_GROUPS, "GROUPS"};
    return count_entries(w, blob, &index, &blob->tensor_count) &&
           count_entries(w, blob, &groups, &blob->group_count);
}

int32_t ttsb__check_front(struct ttsb_blob *blob, uint32_t flags,
                          struct ttsb_error *error)
{
    struct ttsb__walk w = {
        .error = error, .result = TTSB_BUG, .tensor = TTSB_NO_TENSOR};
    if (check_magic(&w, blob) && check_version(&w, blob) &&
        check_features(&w, blob, flags) && check_self_hash(&w, blob) &&
        check_reserved(&w, blob) && check_root(&w, blob) &&
        check_model(&w, blob) && check_table(&w, blob) && check_set(&w, blob) &&
        check_hashes(&w, blob) && check_counts(&w, blob))
        return TTSB_OK;
    return w.result;
}
