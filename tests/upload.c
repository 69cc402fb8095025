/* SPDX-License-Identifier: MIT
 *
 * upload.c - what the tests of the upload share.
 *
 * In: the tables below. Out: see upload.h. Invariant: a group's bytes are
 * compared with what blob.c wrote, not with the blob's mapping.
 */
#include "upload.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct blob_group groups[UPLOAD_GROUPS] = {
    {"first", TTSB_PLACE_DEVICE, 256},  {"host", TTSB_PLACE_HOST, 256},
    {"none", TTSB_PLACE_DEVICE, 256},   {"big", TTSB_PLACE_DEVICE, 256},
    {"wide", TTSB_PLACE_DEVICE, 65536}, {"s5", TTSB_PLACE_DEVICE, 256},
    {"s6", TTSB_PLACE_DEVICE, 256},     {"s7", TTSB_PLACE_DEVICE, 256},
    {"s8", TTSB_PLACE_DEVICE, 256},     {"s9", TTSB_PLACE_DEVICE, 256},
    {"s10", TTSB_PLACE_DEVICE, 256},    {"last", TTSB_PLACE_DEVICE, 4096},
};

#define BYTES(text, of, size)                                                  \
    {                                                                          \
        .name = text, .group = of, .dtype = TTSB_U8, .rank = 1, .dims = {      \
            size                                                               \
        }                                                                      \
    }

static const struct blob_tensor tensors[] = {
    BYTES("first.a", 0, 3),
    BYTES("first.b", 0, 5000),
    {.name = "first.alias",
     .flags = TTSB_RECORD_ALIAS,
     .alias_of = 1,
     .dtype = TTSB_U8,
     .rank = 1,
     .dims = {5000}},
    BYTES("host.a", 1, 70000),
    BYTES("none.a", 2, 0),
    BYTES("big.a", 3, 327780),
    BYTES("big.b", 3, 65536),
    BYTES("wide.a", 4, 100),
    BYTES("wide.b", 4, 241),
    BYTES("s5.a", 5, 1),
    BYTES("s6.a", 6, 65536),
    BYTES("s7.a", 7, 240),
    BYTES("s8.a", 8, 40000),
    BYTES("s9.a", 9, 17),
    BYTES("s10.a", 10, 1024),
    BYTES("last.a", 11, 65537),
    BYTES("last.b", 11, 50000),
};

static char note[160];
static int files; /* open ones when the test began */

void upload_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(note, sizeof(note), format, args);
    va_end(args);
    alarm(60);
}

static void on_signal(int number)
{
    const ssize_t n = write(STDERR_FILENO, note, strlen(note));
    const ssize_t m = write(STDERR_FILENO, "\n", 1);
    (void)n;
    (void)m;
    signal(number, SIG_DFL);
    raise(number);
}

static int open_files(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

int upload_setup(void **state)
{
    (void)state;
    signal(SIGALRM, on_signal);
    signal(SIGABRT, on_signal);
    upload_note("setup");
    fake_cuda_reset(NULL);
    files = open_files();
    return 0;
}

void upload_passed(void)
{
    note[0] = 0;
}

int upload_teardown(void **state)
{
    (void)state;
    alarm(0);
    if (note[0] != 0)
        fprintf(stderr, "while: %s\n", note);
    else if (open_files() != files)
        return -1;
    return 0;
}

uint32_t upload_runs(uint32_t many, uint32_t few)
{
    return getenv("TTSW_FEW") != NULL ? few : many;
}

uint32_t upload_draw(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* The file is there when the blob is opened. */
static void open_bytes(struct upload *u)
{
    struct ttsb_group g = {.struct_size = sizeof(g)};
    int fd;
    snprintf(u->path, sizeof(u->path), "ttsb-upload-XXXXXX");
    fd = mkstemp(u->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, u->bytes.bytes, u->bytes.size), u->bytes.size);
    assert_int_equal(ttsb_open_fd(fd, NULL, &u->blob, NULL), TTSB_OK);
    close(fd);
    u->device_bytes = 0;
    for (uint32_t i = 0; i < UPLOAD_GROUPS; i++) {
        assert_int_equal(ttsb_group_at(u->blob, i, &g), TTSB_OK);
        u->device_bytes += g.place == TTSB_PLACE_DEVICE ? g.size : 0;
    }
}

static struct blob build(void)
{
    struct blob_spec spec = *blob_small();
    spec.groups = groups;
    spec.group_count = UPLOAD_GROUPS;
    spec.tensors = tensors;
    spec.tensor_count = sizeof(tensors) / sizeof(tensors[0]);
    return blob_build(&spec);
}

void upload_open(struct upload *u)
{
    u->bytes = build();
    open_bytes(u);
}

void upload_open_damaged(struct upload *u, uint32_t tensor, uint64_t at)
{
    struct ttsb_tensor t = {.struct_size = sizeof(t)};
    struct ttsb_blob *blob;
    u->bytes = build();
    assert_int_equal(
        ttsb_open_memory(u->bytes.bytes, u->bytes.size, NULL, &blob, NULL),
        TTSB_OK);
    assert_int_equal(ttsb_tensor_at(blob, tensor, &t, NULL), TTSB_OK);
    ttsb_close(blob);
    u->bytes.bytes[t.offset + at] ^= 4;
    open_bytes(u);
}

struct ttsb_blob *upload_open_many(uint16_t place, struct blob *b)
{
    struct blob_group some[UPLOAD_MANY];
    struct blob_tensor each[UPLOAD_MANY];
    char names[UPLOAD_MANY][8];
    struct blob_spec spec = *blob_small();
    struct ttsb_blob *blob;
    spec.groups = some;
    spec.tensors = each;
    spec.group_count = UPLOAD_MANY;
    spec.tensor_count = UPLOAD_MANY;
    for (uint32_t i = 0; i < UPLOAD_MANY; i++) {
        snprintf(names[i], sizeof(names[i]), "g%03u", i % 1000);
        some[i] = (struct blob_group){names[i], place, 256};
        each[i] = (struct blob_tensor){.name = names[i],
                                       .group = i,
                                       .dtype = TTSB_U8,
                                       .rank = 1,
                                       .dims = {i % 7 * 100}};
    }
    *b = blob_build(&spec);
    assert_int_equal(ttsb_open_memory(b->bytes, b->size, NULL, &blob, NULL),
                     TTSB_OK);
    return blob;
}

/* Whether the blob's mapping is still there. */
static bool is_mapped(const struct upload *u)
{
    char line[512];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps) != NULL)
        found |= strstr(line, u->path) != NULL;
    fclose(maps);
    return found;
}

void upload_close(struct upload *u)
{
    ttsb_close(u->blob);
    blob_release(&u->bytes);
    assert_false(is_mapped(u));
    unlink(u->path);
}

struct ttsb_cuda_options upload_options(const struct upload *u, uint32_t path)
{
    return (struct ttsb_cuda_options){.struct_size =
                                          sizeof(struct ttsb_cuda_options),
                                      .path = path,
                                      .slots = 3,
                                      .slot_size = 65536,
                                      .threads = 2,
                                      .file = u->path};
}

void upload_check_group(const struct upload *u,
                        const struct ttsb_cuda_image *image, uint32_t group)
{
    struct ttsb_group g = {.struct_size = sizeof(g)};
    const void *base = ttsb_cuda_bases(image)[group];
    assert_int_equal(ttsb_group_at(u->blob, group, &g), TTSB_OK);
    if (g.size == 0) {
        assert_null(base);
        return;
    }
    if (g.place == TTSB_PLACE_HOST) {
        assert_ptr_equal(base, g.data);
        return;
    }
    assert_non_null(base);
    assert_int_equal((uintptr_t)base % g.align, 0);
    assert_memory_equal(fake_cuda_bytes(base), u->bytes.bytes + g.offset,
                        g.size);
}

void upload_check(const struct upload *u, const struct ttsb_cuda_image *image)
{
    for (uint32_t i = 0; i < UPLOAD_GROUPS; i++)
        upload_check_group(u, image, i);
}
