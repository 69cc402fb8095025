/* SPDX-License-Identifier: MIT
 *
 * pack_format.c - one pass over the head, one over the table.
 *
 * Magic and major are read before the head's hash, so that a file from the
 * future is called that and not damaged; the size before the table, so that a
 * download that broke off is called that.
 */
#include "pack_format.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "hash.h"
#include "size.h"

#define MAJOR 1

/* Of the head. */
enum {
    AT_SKIP = 0,
    AT_SKIP_SIZE = 4,
    AT_MAGIC = 8,
    AT_MAJOR = 16,
    AT_MINOR = 18,
    AT_COUNT = 20,
    AT_SIZE = 24,
    AT_BLOB_SIZE = 32,
    AT_HEAD_HASH = 40,
    AT_TABLE_HASH = 48,
    AT_ROOT = 56,
    AT_ZERO = 72,
    AT_MODEL = 96,
};

/* Of an entry. */
enum {
    AT_OFFSET = 0,
    AT_FRAME = 8,
    AT_LENGTH = 16,
    AT_FRAME_SIZE = 20,
    AT_WIDTH = 24,
    AT_ENTRY_ZERO = 28,
    AT_HASH = 32,
};

static const uint8_t magic[TTSB_MAGIC_SIZE] = {0x89, 'T',  'T',  'S',
                                               'Z',  0x0d, 0x0a, 0x1a};

uint64_t packed_front(uint32_t count)
{
    return PACKED_HEAD + (uint64_t)count * PACKED_ENTRY;
}

static bool refuse(struct packed_fault *fault, uint64_t offset,
                   const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool refuse(struct packed_fault *fault, uint64_t offset,
                   const char *format, ...)
{
    va_list list;
    fault->offset = offset;
    va_start(list, format);
    vsnprintf(fault->text, sizeof fault->text, format, list);
    va_end(list);
    return false;
}

/* --- the head --- */

static bool refuse_kind(const uint8_t *p, uint64_t size,
                        struct packed_fault *fault)
{
    if (size >= 4 && load_u32(p) == PACKED_FRAME) {
        fault->help = "unpack it with: zstd -d";
        return refuse(fault, 0, "a zstd file, but none that `pack` wrote");
    }
    if (size >= 5 && memcmp(p, "\x89TTSB", 5) == 0) {
        fault->help = "use it as it is";
        return refuse(fault, 0, "a blob, which is not packed");
    }
    return refuse(fault, 0, "no packed blob: it begins otherwise");
}

static bool check_magic(const uint8_t *p, uint64_t size,
                        struct packed_fault *fault)
{
    uint8_t first[AT_MAGIC] = {0};
    uint64_t n = size < AT_MINOR ? size : AT_MINOR;
    bool begins;
    store_u32(first, PACKED_SKIP);
    begins = n > 0 && memcmp(p, first, n < 4 ? (size_t)n : 4) == 0 &&
             (n <= AT_MAGIC ||
              memcmp(p + AT_MAGIC, magic,
                     n < AT_MAJOR ? (size_t)n - AT_MAGIC : sizeof magic) == 0);
    if (!begins)
        return refuse_kind(p, size, fault);
    if (n == AT_MINOR && load_u16(p + AT_MAJOR) != MAJOR) {
        fault->help = "unpack it with the ttswc that packed it, or a later one";
        return refuse(fault, AT_MAJOR,
                      "packed form %u, and this ttswc knows form %u",
                      load_u16(p + AT_MAJOR), MAJOR);
    }
    if (size < PACKED_HEAD)
        return refuse(fault, size,
                      "it is cut off: %" PRIu64 " bytes, and the head alone "
                      "has %d",
                      size, PACKED_HEAD);
    return true;
}

static uint64_t head_hash(const uint8_t *p)
{
    uint8_t head[PACKED_HEAD];
    memcpy(head, p, sizeof head);
    memset(head + AT_HEAD_HASH, 0, 8);
    return ttsb__hash64(head, sizeof head);
}

static bool is_model(const char *name)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    size_t n = strnlen(name, TTSB_MAX_MODEL_NAME + 1);
    if (n == 0 || n > TTSB_MAX_MODEL_NAME || strchr(letters, name[0]) == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strchr(letters, name[i]) == NULL &&
            strchr("0123456789_.-", name[i]) == NULL)
            return false;
    for (size_t i = n; i <= TTSB_MAX_MODEL_NAME; i++)
        if (name[i] != 0)
            return false;
    return true;
}

static bool check_zeros(const uint8_t *p, struct packed_fault *fault)
{
    for (int i = AT_ZERO; i < AT_MODEL; i++)
        if (p[i] != 0)
            return refuse(fault, (uint64_t)i, "a reserved byte is not zero");
    return true;
}

static bool check_numbers(const uint8_t *p, const struct packed_head *h,
                          struct packed_fault *fault)
{
    if (h->count == 0 || h->count > PACKED_MAX_RANGES)
        return refuse(fault, AT_COUNT,
                      "it says %" PRIu32 " ranges; 1 to %" PRIu32
                      " are allowed",
                      h->count, PACKED_MAX_RANGES);
    if (load_u32(p + AT_SKIP_SIZE) != packed_front(h->count) - 8)
        return refuse(fault, AT_SKIP_SIZE,
                      "the skippable frame's size is not that of %" PRIu32
                      " ranges",
                      h->count);
    if (h->blob_size % PACKED_CELL != 0 || h->blob_size > TTSB_SIZE_MAX)
        return refuse(fault, AT_BLOB_SIZE,
                      "no blob has a size of %" PRIu64 " bytes", h->blob_size);
    if (!is_model(h->model))
        return refuse(fault, AT_MODEL, "the model's name is none");
    return true;
}

static bool read_head(const uint8_t *p, struct packed_head *h,
                      struct packed_fault *fault)
{
    if (head_hash(p) != load_u64(p + AT_HEAD_HASH))
        return refuse(fault, AT_HEAD_HASH,
                      "the head is damaged: it has another hash");
    h->size = load_u64(p + AT_SIZE);
    h->blob_size = load_u64(p + AT_BLOB_SIZE);
    h->count = load_u32(p + AT_COUNT);
    memcpy(h->root, p + AT_ROOT, sizeof h->root);
    memcpy(h->model, p + AT_MODEL, sizeof h->model);
    return check_zeros(p, fault) && check_numbers(p, h, fault);
}

/* --- the table --- */

static bool table_is_sound(const uint8_t *p, uint32_t count)
{
    return ttsb__hash64(p + PACKED_HEAD, (size_t)count * PACKED_ENTRY) ==
           load_u64(p + AT_TABLE_HASH);
}

static bool is_there(struct packed_range r, uint64_t size)
{
    return size_inside(r.at, r.size, size);
}

/* In which range the file ends, where its table can tell. */
static bool refuse_cut(const struct packed *p, uint64_t size,
                       struct packed_fault *fault)
{
    uint32_t i = 0;
    refuse(fault, size,
           "it is cut off: %" PRIu64 " bytes of %" PRIu64 " are there", size,
           p->head.size);
    if (size < packed_front(p->head.count) ||
        !table_is_sound(p->bytes, p->head.count))
        return false;
    while (i < p->head.count && is_there(packed_range_at(p, i), size))
        i++;
    return refuse(fault, size,
                  "it is cut off: %" PRIu64 " bytes of %" PRIu64
                  " are there; %" PRIu32 " of %" PRIu32 " ranges are whole",
                  size, p->head.size, i, p->head.count);
}

static bool check_size(const struct packed *p, uint64_t size,
                       struct packed_fault *fault)
{
    if (size < p->head.size)
        return refuse_cut(p, size, fault);
    if (size > p->head.size)
        return refuse(fault, p->head.size, "bytes behind its end: %" PRIu64,
                      size - p->head.size);
    if (size < packed_front(p->head.count))
        return refuse(fault, AT_COUNT,
                      "%" PRIu32 " ranges have no room in %" PRIu64 " bytes",
                      p->head.count, size);
    if (!table_is_sound(p->bytes, p->head.count))
        return refuse(fault, PACKED_HEAD,
                      "the table of ranges is damaged: it has another hash");
    return true;
}

static const char *range_fault(const struct packed_range *r)
{
    if (r->length == 0 || r->length > PACKED_RANGE_MAX ||
        r->length % PACKED_CELL != 0)
        return "a length that is none";
    if (r->width != 1 && r->width != 2 && r->width != 4 && r->width != 8)
        return "a transform that this ttswc does not know";
    if (r->size == 0)
        return "an empty frame";
    return NULL;
}

static bool check_table(const struct packed *p, struct packed_fault *fault)
{
    uint64_t offset = 0, at = packed_front(p->head.count);
    for (uint32_t i = 0; i < p->head.count; i++) {
        const uint64_t entry = PACKED_HEAD + (uint64_t)i * PACKED_ENTRY;
        const struct packed_range r = packed_range_at(p, i);
        const char *why = range_fault(&r);
        if (why == NULL && r.offset != offset)
            why = "another start in the blob than where the last one ends";
        if (why == NULL && r.at != at)
            why = "another place than behind the last one's frame";
        if (why == NULL && load_u32(p->bytes + entry + AT_ENTRY_ZERO) != 0)
            why = "a reserved field that is not zero";
        if (why != NULL || !size_add(offset, r.length, &offset) ||
            !size_add(at, r.size, &at))
            return refuse(
                fault, entry, "range %" PRIu32 " of %" PRIu32 " has %s", i,
                p->head.count, why != NULL ? why : "an end beyond 2^63");
    }
    if (offset != p->head.blob_size)
        return refuse(fault, AT_BLOB_SIZE,
                      "the ranges have %" PRIu64 " bytes and the blob has "
                      "%" PRIu64,
                      offset, p->head.blob_size);
    return at == p->head.size ||
           refuse(fault, AT_SIZE,
                  "the frames end at %" PRIu64 " and the file at %" PRIu64, at,
                  p->head.size);
}

/* --- all of it --- */

bool packed_open(const uint8_t *bytes, uint64_t size, struct packed *out,
                 struct packed_fault *fault)
{
    *fault = (struct packed_fault){0};
    out->bytes = bytes;
    return check_magic(bytes, size, fault) &&
           read_head(bytes, &out->head, fault) &&
           check_size(out, size, fault) && check_table(out, fault);
}

bool packed_at(const char *path)
{
    uint8_t first[AT_MAJOR];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool is = fd >= 0 &&
              pread(fd, first, sizeof first, 0) == (ssize_t)sizeof first &&
              load_u32(first) == PACKED_SKIP &&
              memcmp(first + AT_MAGIC, magic, sizeof magic) == 0;
    if (fd >= 0)
        close(fd);
    return is;
}

struct packed_range packed_range_at(const struct packed *p, uint32_t i)
{
    const uint8_t *e = p->bytes + PACKED_HEAD + (size_t)i * PACKED_ENTRY;
    return (struct packed_range){.offset = load_u64(e + AT_OFFSET),
                                 .at = load_u64(e + AT_FRAME),
                                 .length = load_u32(e + AT_LENGTH),
                                 .size = load_u32(e + AT_FRAME_SIZE),
                                 .width = load_u32(e + AT_WIDTH),
                                 .hash = load_u64(e + AT_HASH)};
}

bool packed_is_sound(const struct packed *p, uint32_t i)
{
    const struct packed_range r = packed_range_at(p, i);
    return ttsb__hash64(p->bytes + r.at, r.size) == r.hash;
}

void packed_put_range(const struct packed_range *r, uint8_t *out)
{
    store_u64(out + AT_OFFSET, r->offset);
    store_u64(out + AT_FRAME, r->at);
    store_u32(out + AT_LENGTH, r->length);
    store_u32(out + AT_FRAME_SIZE, r->size);
    store_u32(out + AT_WIDTH, r->width);
    store_u32(out + AT_ENTRY_ZERO, 0);
    store_u64(out + AT_HASH, r->hash);
}

void packed_put_head(const struct packed_head *h, const uint8_t *table,
                     uint8_t *out)
{
    memset(out, 0, PACKED_HEAD);
    store_u32(out + AT_SKIP, PACKED_SKIP);
    store_u32(out + AT_SKIP_SIZE, (uint32_t)(packed_front(h->count) - 8));
    memcpy(out + AT_MAGIC, magic, sizeof magic);
    store_u16(out + AT_MAJOR, MAJOR);
    store_u32(out + AT_COUNT, h->count);
    store_u64(out + AT_SIZE, h->size);
    store_u64(out + AT_BLOB_SIZE, h->blob_size);
    store_u64(out + AT_TABLE_HASH,
              ttsb__hash64(table, (size_t)h->count * PACKED_ENTRY));
    memcpy(out + AT_ROOT, h->root, sizeof h->root);
    memcpy(out + AT_MODEL, h->model, sizeof h->model);
    store_u64(out + AT_HEAD_HASH, head_hash(out));
}
