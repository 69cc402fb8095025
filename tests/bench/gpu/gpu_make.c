/* SPDX-License-Identifier: MIT
 *
 * gpu_make.c - writes a model of the bench as .ttsb and as .safetensors.
 *
 *     gpu_make even|gpt|small BYTES BLOB CHECKPOINT
 *
 * In: kind and size. Out: two files with the same tensors; the blob is written
 * after runtime/FORMAT.md, apart from the compiler, which is not at hand where
 * the bench runs. The payload is streamed: its places are known before, its
 * hashes afterwards, and what lies in front of it is written last.
 *
 * Invariant: the files are overwritten, and a
 * failure ends the program with 1 and a line on stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gpu_plan.h"
#include "gpu_text.h"
#include "hash.h"
#include "size.h"
#include "ttsb_format.h"

#define BUFFER_SIZE (64 * TTSB_PIECE_SIZE)
#define SECTIONS TTSB_SECTION_META /* 1 to this one */
#define RECORD_SIZE sizeof(struct ttsb_disk_record)
#define GROUP_SIZE sizeof(struct ttsb_disk_group)

/* One tensor's and one group's place. */
struct place {
    uint64_t offset; /* in the file */
    uint64_t size;
    uint64_t first; /* piece, or tensor */
};

struct section {
    uint8_t *bytes;
    uint64_t offset;
    uint64_t size;
};

struct maker {
    struct gpu_plan plan;
    struct place *tensors;
    struct place *groups;
    struct section sections[SECTIONS + 1]; /* by type */
    uint8_t *digests;
    uint8_t contract[16];
    uint64_t pieces;
    uint64_t file_size;
    int blob;
    int checkpoint;
    uint64_t checkpoint_at;
};

static void *take(uint64_t count, uint64_t size)
{
    void *p = calloc(count != 0 ? (size_t)count : 1, (size_t)size);
    if (p == NULL)
        abort();
    return p;
}

static void fail(const char *what)
{
    fprintf(stderr, "gpu_make: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t align_up(uint64_t a, uint64_t align)
{
    return (a + align - 1) & ~(align - 1);
}

static uint64_t piece_count(uint64_t size)
{
    return (size + TTSB_PIECE_SIZE - 1) / TTSB_PIECE_SIZE;
}

static void write_at(int file, const void *bytes, uint64_t size, uint64_t at)
{
    const uint8_t *p = bytes;
    while (size != 0) {
        const ssize_t n = pwrite(file, p, (size_t)size, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            fail("pwrite");
        p += n;
        at += (uint64_t)n;
        size -= (uint64_t)n;
    }
}

/* Places relative to the payload's start; place_payload moves them. */
static void plan_payload(struct maker *m)
{
    uint64_t cursor = 0;
    uint32_t open = UINT32_MAX;
    for (uint32_t i = 0; i < m->plan.tensors; i++) {
        const struct gpu_tensor t = gpu_plan_tensor(&m->plan, i);
        if (t.group != open) {
            cursor = align_up(cursor, TTSB_GROUP_ALIGN);
            open = t.group;
            m->groups[open] = (struct place){.offset = cursor, .first = i};
        }
        cursor = align_up(cursor, TTSB_MIN_ALIGN);
        m->tensors[i] = (struct place){cursor, t.size, m->pieces};
        cursor += t.size;
        m->pieces += piece_count(t.size);
        m->groups[open].size =
            align_up(cursor, TTSB_GROUP_ALIGN) - m->groups[open].offset;
    }
}

static void make_contract(struct maker *m)
{
    struct gpu_text text = {0};
    uint64_t *offsets = take(m->plan.tensors, sizeof(*offsets));
    for (uint32_t i = 0; i < m->plan.tensors; i++)
        offsets[i] = m->tensors[i].offset -
                     m->groups[gpu_plan_tensor(&m->plan, i).group].offset;
    gpu_text_contract(&m->plan, offsets, &text);
    ttsb__hash128(text.bytes, text.size, m->contract);
    free(text.bytes);
    free(offsets);
}

static struct section new_section(uint64_t size)
{
    return (struct section){.bytes = take(size, 1), .size = size};
}

static struct section meta_section(const struct maker *m)
{
    struct gpu_text text = {0};
    gpu_text_meta(&m->plan, m->contract, m->digests, &text);
    return (struct section){.bytes = (uint8_t *)text.bytes, .size = text.size};
}

/* META's size does not depend on the digests, which are not known yet. */
static void place_sections(struct maker *m)
{
    const uint64_t tensors = m->plan.tensors;
    uint64_t names = 0, at = TTSB_SUPERBLOCK_SIZE;
    char group[24];
    for (uint32_t i = 0; i < m->plan.tensors; i++)
        names += strlen(gpu_plan_tensor(&m->plan, i).name) + 1;
    for (uint32_t i = 0; i < m->plan.groups; i++)
        names +=
            (uint64_t)snprintf(group, sizeof(group), "group_%" PRIu32, i) + 1;
    m->sections[TTSB_SECTION_INDEX] = new_section(tensors * RECORD_SIZE);
    m->sections[TTSB_SECTION_NAMEORD] = new_section(tensors * 4);
    m->sections[TTSB_SECTION_NAMES] = new_section(names);
    m->sections[TTSB_SECTION_GROUPS] = new_section(m->plan.groups * GROUP_SIZE);
    m->sections[TTSB_SECTION_PIECES] = new_section(m->pieces * 8);
    m->sections[TTSB_SECTION_CONST] = new_section(8);
    m->sections[TTSB_SECTION_META] = meta_section(m);
    for (uint32_t i = 1; i <= SECTIONS; i++) {
        m->sections[i].offset = at = align_up(at, TTSB_SECTION_ALIGN);
        at += m->sections[i].size;
    }
    m->file_size = align_up(at, TTSB_GROUP_ALIGN);
}

static void place_payload(struct maker *m)
{
    const uint64_t start = m->file_size;
    for (uint32_t i = 0; i < m->plan.tensors; i++)
        m->tensors[i].offset += start;
    for (uint32_t i = 0; i < m->plan.groups; i++) {
        m->groups[i].offset += start;
        m->file_size = m->groups[i].offset + m->groups[i].size;
    }
}

static void write_tensor(struct maker *m, uint32_t index, uint8_t *buffer)
{
    const struct place *t = &m->tensors[index];
    uint8_t *piece = m->sections[TTSB_SECTION_PIECES].bytes + t->first * 8;
    for (uint64_t at = 0; at < t->size; at += BUFFER_SIZE) {
        const uint64_t left = t->size - at;
        const uint64_t n = left < BUFFER_SIZE ? left : BUFFER_SIZE;
        gpu_plan_bytes(index, at, buffer, (size_t)n);
        for (uint64_t k = 0; k < n; k += TTSB_PIECE_SIZE, piece += 8) {
            const uint64_t rest = n - k;
            store_u64(piece, ttsb__hash64(buffer + k, rest < TTSB_PIECE_SIZE
                                                          ? (size_t)rest
                                                          : TTSB_PIECE_SIZE));
        }
        write_at(m->blob, buffer, n, t->offset + at);
        write_at(m->checkpoint, buffer, n, m->checkpoint_at);
        m->checkpoint_at += n;
    }
}

static void make_digest(struct maker *m, uint32_t index)
{
    const struct gpu_tensor t = gpu_plan_tensor(&m->plan, index);
    uint8_t head[8 + 2 * 8];
    struct ttsb__bytes parts[2] = {
        {head, 8 + (size_t)t.rank * 8},
        {m->sections[TTSB_SECTION_PIECES].bytes + m->tensors[index].first * 8,
         (size_t)piece_count(t.size) * 8}};
    store_u32(head, TTSB_F32);
    store_u32(head + 4, t.rank);
    for (uint32_t d = 0; d < t.rank; d++)
        store_u64(head + 8 + (size_t)d * 8, t.dims[d]);
    ttsb__hash128_joined(parts, 2, m->digests + (size_t)index * 16);
}

static void write_payload(struct maker *m)
{
    struct gpu_text header = {0};
    uint8_t length[8];
    uint8_t *buffer = take(BUFFER_SIZE, 1);
    gpu_text_safetensors(&m->plan, &header);
    store_u64(length, header.size);
    write_at(m->checkpoint, length, 8, 0);
    write_at(m->checkpoint, header.bytes, header.size, 8);
    m->checkpoint_at = 8 + header.size;
    if (ftruncate(m->blob, (off_t)m->file_size) != 0)
        fail("ftruncate");
    for (uint32_t i = 0; i < m->plan.tensors; i++) {
        write_tensor(m, i, buffer);
        make_digest(m, i);
    }
    free(buffer);
    free(header.bytes);
}

static void fill_index(struct maker *m)
{
    uint8_t *p = m->sections[TTSB_SECTION_INDEX].bytes;
    uint8_t *order = m->sections[TTSB_SECTION_NAMEORD].bytes;
    uint8_t *names = m->sections[TTSB_SECTION_NAMES].bytes;
    uint64_t name = 0;
    for (uint32_t i = 0; i < m->plan.tensors; i++, p += RECORD_SIZE) {
        const struct gpu_tensor t = gpu_plan_tensor(&m->plan, i);
        store_u32(p, (uint32_t)name);
        store_u16(p + 4, (uint16_t)strlen(t.name));
        p[6] = TTSB_F32;
        p[7] = (uint8_t)t.rank;
        store_u32(p + 12, t.group);
        store_u32(p + 16, TTSB_NO_TENSOR);
        store_u64(p + 24, m->tensors[i].offset);
        store_u64(p + 32, t.size);
        store_u64(p + 40, m->tensors[i].first);
        for (uint32_t d = 0; d < t.rank; d++)
            store_u64(p + 48 + (size_t)d * 8, t.dims[d]);
        store_u32(order + (size_t)i * 4, i);
        memcpy(names + name, t.name, strlen(t.name));
        name += strlen(t.name) + 1;
    }
}

static void fill_groups(struct maker *m)
{
    uint8_t *p = m->sections[TTSB_SECTION_GROUPS].bytes;
    uint8_t *names = m->sections[TTSB_SECTION_NAMES].bytes;
    uint64_t name = m->sections[TTSB_SECTION_NAMES].size;
    char text[24];
    for (uint32_t i = 0; i < m->plan.groups; i++)
        name -= (uint64_t)snprintf(text, sizeof(text), "group_%" PRIu32, i) + 1;
    for (uint32_t i = 0; i < m->plan.groups; i++, p += GROUP_SIZE) {
        const uint64_t end =
            i + 1 < m->plan.groups ? m->groups[i + 1].first : m->plan.tensors;
        const int length = snprintf(text, sizeof(text), "group_%" PRIu32, i);
        memcpy(names + name, text, (size_t)length);
        store_u32(p, (uint32_t)name);
        store_u16(p + 4, (uint16_t)length);
        store_u16(p + 6, TTSB_PLACE_DEVICE);
        store_u32(p + 8, TTSB_MIN_ALIGN);
        store_u32(p + 12, (uint32_t)m->groups[i].first);
        store_u32(p + 16, (uint32_t)(end - m->groups[i].first));
        store_u64(p + 24, m->groups[i].offset);
        store_u64(p + 32, m->groups[i].size);
        name += (uint64_t)length + 1;
    }
}

static void write_superblock(const struct maker *m)
{
    static const uint8_t magic[TTSB_MAGIC_SIZE] = TTSB_MAGIC_BYTES;
    uint8_t p[TTSB_SUPERBLOCK_SIZE] = {0};
    uint8_t root[16];
    memcpy(p, magic, sizeof(magic));
    store_u16(p + 8, TTSB_MAJOR);
    store_u16(p + 10, TTSB_MINOR);
    store_u32(p + 12, TTSB_ENDIAN_MARK);
    store_u32(p + 16, TTSB_SUPERBLOCK_SIZE);
    store_u64(p + 40, m->file_size);
    memcpy(p + 56, m->contract, 16);
    store_u64(p + 88, 1);
    memcpy(p + 96, "bench", 5);
    for (uint32_t i = 1; i <= SECTIONS; i++) {
        uint8_t *entry = p + 256 + (size_t)(i - 1) * 40;
        const struct section *s = &m->sections[i];
        store_u32(entry, i);
        store_u32(entry + 4, i < TTSB_SECTION_META ? TTSB_SECTION_CRITICAL : 0);
        store_u64(entry + 8, s->offset);
        store_u64(entry + 16, s->size);
        ttsb__hash128(s->bytes, (size_t)s->size, entry + 24);
    }
    ttsb__hash128(p, sizeof(p), root);
    memcpy(p + 72, root, 16);
    store_u64(p + 48, ttsb__hash64(p, sizeof(p)));
    write_at(m->blob, p, sizeof(p), 0);
}

static void write_sections(struct maker *m)
{
    struct section *meta = &m->sections[TTSB_SECTION_META];
    struct section last = meta_section(m);
    if (last.size != meta->size)
        abort();
    free(meta->bytes);
    meta->bytes = last.bytes;
    fill_index(m);
    fill_groups(m);
    for (uint32_t i = 1; i <= SECTIONS; i++)
        write_at(m->blob, m->sections[i].bytes, m->sections[i].size,
                 m->sections[i].offset);
    write_superblock(m);
}

static int create(const char *path)
{
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0)
        fail(path);
    return file;
}

static void make(struct maker *m)
{
    m->tensors = take(m->plan.tensors, sizeof(*m->tensors));
    m->groups = take(m->plan.groups, sizeof(*m->groups));
    m->digests = take(m->plan.tensors, 16);
    plan_payload(m);
    make_contract(m);
    place_sections(m);
    place_payload(m);
    write_payload(m);
    write_sections(m);
    for (uint32_t i = 1; i <= SECTIONS; i++)
        free(m->sections[i].bytes);
    free(m->digests);
    free(m->groups);
    free(m->tensors);
}

int main(int argc, char **argv)
{
    struct maker m = {0};
    enum gpu_kind kind;
    if (argc != 5 || !gpu_kind_named(argv[1], &kind) ||
        !gpu_plan(kind, strtoull(argv[2], NULL, 10), &m.plan)) {
        fprintf(stderr,
                "gpu_make even|gpt|small BYTES BLOB CHECKPOINT, and BYTES "
                "with room for all tensors\n");
        return 2;
    }
    m.blob = create(argv[3]);
    m.checkpoint = create(argv[4]);
    make(&m);
    if (close(m.blob) != 0 || close(m.checkpoint) != 0)
        fail("close");
    printf("%" PRIu32 " tensors, %" PRIu32 " groups, %" PRIu64 " bytes\n",
           m.plan.tensors, m.plan.groups, m.file_size);
    return 0;
}
