/* SPDX-License-Identifier: MIT
 *
 * test_cuda_device.c - the upload on a real device.
 *
 * In: a blob of three device groups, one host group and one of size 0, written
 * to a file in the working directory. Out: by every path, with and without
 * verification, the bytes read back; damage that is found and named; DLPack;
 * groups in order; what is refused leaves nothing behind. Exit 77 where there
 * is no device; test_cuda_*.c go through the same without one.
 *
 * Needs neither cmocka nor arguments, so that tests/bench/gpu.sh can run it on
 * a machine that has a toolkit and nothing else.
 */
#include <cuda_runtime_api.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blob.h"
#include "dlpack_abi.h"
#include "ttsb.h"
#include "ttsb_cuda.h"
#include "ttsb_dlpack.h"

#define SKIPPED 77
#define FILE_NAME "test_cuda_device.ttsb"
#define OTHER_NAME "test_cuda_device_other.ttsb"
#define TENSORS 60
#define GROUPS 5
#define NAME_SIZE 16
#define BAD_WORDS 64

/* What each check is given, fresh: the blob is open, nothing is uploaded. */
struct device_case {
    struct ttsb_blob *blob;
    struct ttsb_info info;
    struct ttsb_cuda_image *image; /* released behind the check */
    struct ttsb_error error;
    int failures;
};

static bool expect_at(struct device_case *c, bool ok, int line,
                      const char *what)
{
    if (ok)
        return true;
    printf("line %d: %s; the last error was %s: %s\n", line, what,
           ttsb_status_name(c->error.status), c->error.text);
    c->failures++;
    return false;
}

#define EXPECT(c, what) expect_at(c, what, __LINE__, #what)

/* Sizes from nothing to five pieces and a bit, odd ones among them. */
static struct blob build(uint64_t revision)
{
    static const struct blob_group groups[GROUPS] = {
        {"first", TTSB_PLACE_DEVICE, 256},    {"table", TTSB_PLACE_HOST, 4096},
        {"second", TTSB_PLACE_DEVICE, 65536}, {"none", TTSB_PLACE_DEVICE, 256},
        {"third", TTSB_PLACE_DEVICE, 256},
    };
    static const uint32_t group_of[6] = {0, 0, 1, 2, 3, 4};
    struct blob_tensor tensors[TENSORS] = {{0}};
    char names[TENSORS][NAME_SIZE];
    struct blob_spec spec = {.model = "device",
                             .revision = revision,
                             .tensors = tensors,
                             .tensor_count = TENSORS,
                             .groups = groups,
                             .group_count = GROUPS,
                             .meta = "{}"};
    for (uint32_t i = 0; i < TENSORS; i++) {
        const uint32_t group = group_of[i / 10];
        snprintf(names[i], NAME_SIZE, "t_%02" PRIu32, i);
        tensors[i] = (struct blob_tensor){
            .name = names[i], .group = group, .dtype = TTSB_F32, .rank = 1};
        tensors[i].dims[0] =
            group == 3 || i % 10 == 7 ? 0 : 1 + (uint64_t)i * i * 23;
    }
    return blob_build(&spec);
}

static bool write_file(const char *path, const struct blob *b)
{
    FILE *file = fopen(path, "wbe");
    bool ok = file != NULL && fwrite(b->bytes, 1, b->size, file) == b->size;
    return file != NULL && fclose(file) == 0 && ok;
}

static struct ttsb_cuda_options plain(uint32_t path, uint32_t flags)
{
    return (struct ttsb_cuda_options){.struct_size =
                                          sizeof(struct ttsb_cuda_options),
                                      .path = path,
                                      .flags = flags,
                                      .file = FILE_NAME};
}

static int32_t upload(struct device_case *c,
                      const struct ttsb_cuda_options *options)
{
    return ttsb_cuda_upload(c->blob, options, &c->image, &c->error);
}

static struct ttsb_tensor tensor_at(const struct device_case *c, uint32_t i)
{
    struct ttsb_tensor t = {.struct_size = sizeof(t)};
    ttsb_tensor_at(c->blob, i, &t, NULL);
    return t;
}

static bool same_bytes(const void *device, const void *host, uint64_t size)
{
    uint8_t *back = malloc((size_t)size);
    const bool same = back != NULL &&
                      cudaMemcpy(back, device, (size_t)size,
                                 cudaMemcpyDeviceToHost) == cudaSuccess &&
                      memcmp(back, host, (size_t)size) == 0;
    free(back);
    return same;
}

/* Padding included: the image is the file. */
static bool same_group(const struct device_case *c, uint32_t i)
{
    struct ttsb_group g = {.struct_size = sizeof(g)};
    const void *base = ttsb_cuda_bases(c->image)[i];
    ttsb_group_at(c->blob, i, &g);
    if (g.size == 0)
        return base == NULL;
    if (g.place == TTSB_PLACE_HOST)
        return base == g.data;
    return base != NULL && (uintptr_t)base % g.align == 0 &&
           same_bytes(base, g.data, g.size);
}

static void expect_image(struct device_case *c)
{
    uint32_t bad[BAD_WORDS];
    memset(bad, 0xff, sizeof(bad));
    for (uint32_t i = 0; i < GROUPS; i++)
        EXPECT(c, same_group(c, i));
    EXPECT(c, ttsb_cuda_verify(c->image, NULL, bad, BAD_WORDS, &c->error) ==
                  TTSB_OK);
    for (uint64_t i = 0; i < c->info.piece_count; i++)
        EXPECT(c, (bad[i / 32] >> i % 32 & 1) == 0);
}

/* A path may not be there (a file system without O_DIRECT; a kernel that does
 * not pin read-only mappings): it is printed what was taken instead. */
static void check_path(struct device_case *c, uint32_t path, uint32_t flags)
{
    struct ttsb_cuda_report r = {.struct_size = sizeof(r)};
    struct ttsb_cuda_options options = plain(path, flags);
    options.slot_size = 65536;
    options.slots = 3;
    options.threads = 4;
    if (!EXPECT(c, upload(c, &options) == TTSB_OK))
        return;
    expect_image(c);
    EXPECT(c, ttsb_cuda_report(c->image, &r) == TTSB_OK);
    EXPECT(c, r.path != TTSB_CUDA_AUTO);
    EXPECT(c, r.bytes != 0 && r.total_ns != 0 && r.first_group_ns != 0);
    EXPECT(c, ((flags & TTSB_CUDA_VERIFY) != 0) == (r.pieces != 0));
    if (path == TTSB_CUDA_DIRECT && r.path == TTSB_CUDA_READ)
        printf("  DIRECT became READ: no O_DIRECT here\n");
    else
        EXPECT(c, path == TTSB_CUDA_AUTO || r.path == path);
}

static void auto_path(struct device_case *c)
{
    check_path(c, TTSB_CUDA_AUTO, 0);
}

static void auto_verified(struct device_case *c)
{
    check_path(c, TTSB_CUDA_AUTO, TTSB_CUDA_VERIFY);
}

static void mapped(struct device_case *c)
{
    check_path(c, TTSB_CUDA_MAPPED, TTSB_CUDA_VERIFY);
}

static void read_path(struct device_case *c)
{
    check_path(c, TTSB_CUDA_READ, TTSB_CUDA_VERIFY);
}

static void direct(struct device_case *c)
{
    check_path(c, TTSB_CUDA_DIRECT, TTSB_CUDA_VERIFY);
}

static void registered(struct device_case *c)
{
    check_path(c, TTSB_CUDA_REGISTER, TTSB_CUDA_VERIFY);
}

static void defaults(struct device_case *c)
{
    if (EXPECT(c, upload(c, NULL) == TTSB_OK))
        expect_image(c);
}

/* The byte is read back because a pageable copy may return before the device
 * has it, and the check runs on a stream that does not wait for copies. */
static bool flip(const void *address)
{
    uint8_t byte, back = 0;
    if (cudaMemcpy(&byte, address, 1, cudaMemcpyDeviceToHost) != cudaSuccess)
        return false;
    byte ^= 1;
    /* The image is read-only for everybody but who damages it. */
    if (cudaMemcpy((void *)(uintptr_t)address, &byte, 1,
                   cudaMemcpyHostToDevice) != cudaSuccess)
        return false;
    return cudaMemcpy(&back, address, 1, cudaMemcpyDeviceToHost) ==
               cudaSuccess &&
           back == byte;
}

/* Every device tensor in turn, its last byte: a short and a long piece. */
static void flipped_byte(struct device_case *c)
{
    uint32_t bad[BAD_WORDS];
    if (!EXPECT(c, upload(c, NULL) == TTSB_OK))
        return;
    for (uint32_t i = 0; i < TENSORS; i++) {
        const struct ttsb_tensor t = tensor_at(c, i);
        const uint64_t piece = t.first_piece + t.piece_count - 1;
        const uint8_t *p = ttsb_cuda_bases(c->image)[t.group];
        uint64_t set = 0;
        if (t.size == 0 || t.group == 1)
            continue;
        EXPECT(c, flip(p + t.group_offset + t.size - 1));
        memset(bad, 0, sizeof(bad));
        EXPECT(c, ttsb_cuda_verify(c->image, NULL, bad, BAD_WORDS, &c->error) ==
                      TTSB_DAMAGED_PIECE);
        EXPECT(c, strstr(c->error.text, t.name) != NULL);
        for (uint32_t w = 0; w < BAD_WORDS; w++)
            set += (uint64_t)__builtin_popcount(bad[w]);
        EXPECT(c, set == 1 && (bad[piece / 32] >> piece % 32 & 1) != 0);
        EXPECT(c, flip(p + t.group_offset + t.size - 1));
    }
    expect_image(c);
}

/* A file whose payload is damaged opens, and is refused on the device. */
static void damaged_file(struct device_case *c)
{
    const struct ttsb_cuda_options options =
        plain(TTSB_CUDA_MAPPED, TTSB_CUDA_VERIFY);
    const struct ttsb_tensor t = tensor_at(c, TENSORS - 1);
    struct blob b = build(1);
    struct ttsb_cuda_image *image = NULL;
    struct ttsb_blob *damaged;
    b.bytes[t.offset + t.size / 2] ^= 4;
    if (EXPECT(c, ttsb_open_memory(b.bytes, b.size, NULL, &damaged,
                                   &c->error) == TTSB_OK)) {
        EXPECT(c, ttsb_cuda_upload(damaged, &options, &image, &c->error) ==
                      TTSB_DAMAGED_PIECE);
        EXPECT(c, image == NULL && strstr(c->error.text, t.name) != NULL);
        ttsb_cuda_release(image);
        ttsb_close(damaged);
    }
    blob_release(&b);
}

static void async_groups(struct device_case *c)
{
    const struct ttsb_cuda_options options =
        plain(TTSB_CUDA_MAPPED, TTSB_CUDA_ASYNC | TTSB_CUDA_VERIFY);
    if (!EXPECT(c, upload(c, &options) == TTSB_OK))
        return;
    for (uint32_t i = 0; i < GROUPS; i++) {
        EXPECT(c, ttsb_cuda_wait_group(c->image, i, &c->error) == TTSB_OK);
        EXPECT(c, same_group(c, i));
    }
    EXPECT(c,
           ttsb_cuda_wait_group(c->image, GROUPS, NULL) == TTSB_OUT_OF_RANGE);
    EXPECT(c, ttsb_cuda_wait(c->image, &c->error) == TTSB_OK);
    expect_image(c);
}

static void released_under_way(struct device_case *c)
{
    const struct ttsb_cuda_options options =
        plain(TTSB_CUDA_MAPPED, TTSB_CUDA_ASYNC | TTSB_CUDA_VERIFY);
    for (int i = 0; i < 20; i++) {
        if (!EXPECT(c, upload(c, &options) == TTSB_OK))
            return;
        ttsb_cuda_release(c->image);
        c->image = NULL;
    }
}

/* The tensor outlives the caller's image. */
static void dlpack(struct device_case *c)
{
    const struct ttsb_tensor t = tensor_at(c, 5);
    struct DLManagedTensorVersioned *m = NULL;
    const uint8_t *expected;
    int device = -1;
    if (!EXPECT(c, upload(c, NULL) == TTSB_OK) ||
        !EXPECT(c, ttsb_cuda_dlpack(c->image, 5, &m, &c->error) == TTSB_OK))
        return;
    expected = (const uint8_t *)ttsb_cuda_bases(c->image)[0] + t.group_offset;
    ttsb_cuda_release(c->image);
    c->image = NULL;
    cudaGetDevice(&device);
    EXPECT(c, m->dl_tensor.device.device_type == kDLCUDA);
    EXPECT(c, m->dl_tensor.device.device_id == device);
    EXPECT(c, m->dl_tensor.ndim == 1);
    EXPECT(c, m->dl_tensor.shape[0] == (int64_t)t.dims[0]);
    EXPECT(c, m->dl_tensor.dtype.code == kDLFloat);
    EXPECT(c, m->dl_tensor.dtype.bits == 32);
    EXPECT(c, (const uint8_t *)m->dl_tensor.data + m->dl_tensor.byte_offset ==
                  expected);
    EXPECT(c, same_bytes(expected, t.data, t.size));
    m->deleter(m);
}

static void dlpack_host(struct device_case *c)
{
    struct DLManagedTensorVersioned *m = NULL;
    const struct ttsb_tensor t = tensor_at(c, 25);
    if (!EXPECT(c, upload(c, NULL) == TTSB_OK) ||
        !EXPECT(c, ttsb_cuda_dlpack(c->image, 25, &m, &c->error) == TTSB_OK))
        return;
    EXPECT(c, t.group == 1 && m->dl_tensor.device.device_type == kDLCPU);
    EXPECT(c, (const uint8_t *)m->dl_tensor.data + m->dl_tensor.byte_offset ==
                  t.data);
    m->deleter(m);
}

/* What the allocator of too_much was asked and given back. */
struct ledger {
    uint32_t given;
    uint32_t back;
};

/* The second group asks for more than any device has. */
static void *allocate(void *user, uint32_t group, uint64_t size, uint64_t align)
{
    struct ledger *l = user;
    void *memory = NULL;
    const uint64_t much = group == 2 ? UINT64_C(1) << 46 : size;
    (void)align;
    if (cudaMalloc(&memory, (size_t)much) != cudaSuccess) {
        (void)cudaGetLastError();
        return NULL;
    }
    l->given++;
    return memory;
}

static void give_back(void *user, uint32_t group, void *memory)
{
    struct ledger *l = user;
    (void)group;
    l->back++;
    cudaFree(memory);
}

static void too_much(struct device_case *c)
{
    struct ledger l = {0};
    const struct ttsb_cuda_allocator allocator = {allocate, give_back, &l};
    struct ttsb_cuda_options options = plain(TTSB_CUDA_AUTO, 0);
    options.allocator = &allocator;
    EXPECT(c, upload(c, &options) == TTSB_DEVICE_MEMORY);
    EXPECT(c, c->image == NULL && l.given == l.back && l.given == 1);
    defaults(c); /* and the device is as good as before */
}

/* The caller's memory for one group, and the caller's stream. */
static void lent_memory(struct device_case *c)
{
    struct ttsb_group g = {.struct_size = sizeof(g)};
    struct ttsb_cuda_options options = plain(TTSB_CUDA_READ, TTSB_CUDA_VERIFY);
    void *memory[GROUPS] = {NULL};
    cudaStream_t stream = NULL;
    ttsb_group_at(c->blob, 4, &g);
    EXPECT(c, cudaMalloc(&memory[4], (size_t)g.size) == cudaSuccess);
    EXPECT(c, cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) ==
                  cudaSuccess);
    options.memory = memory;
    options.stream = stream;
    if (EXPECT(c, upload(c, &options) == TTSB_OK)) {
        EXPECT(c, ttsb_cuda_bases(c->image)[4] == memory[4]);
        expect_image(c);
    }
    ttsb_cuda_release(c->image);
    c->image = NULL;
    EXPECT(c, cudaStreamDestroy(stream) == cudaSuccess);
    EXPECT(c, same_bytes(memory[4], g.data, g.size));
    EXPECT(c, cudaFree(memory[4]) == cudaSuccess);
}

static int stop(void *user, uint64_t done, uint64_t all)
{
    uint32_t *calls = user;
    ++*calls;
    return done <= all;
}

static void cancelled(struct device_case *c)
{
    struct ttsb_cuda_options options = plain(TTSB_CUDA_MAPPED, 0);
    uint32_t calls = 0;
    options.progress = stop;
    options.user = &calls;
    options.slot_size = 65536;
    EXPECT(c, upload(c, &options) == TTSB_CANCELLED);
    EXPECT(c, c->image == NULL && calls >= 1);
    defaults(c);
}

static void wrong_file(struct device_case *c)
{
    struct ttsb_cuda_options options = plain(TTSB_CUDA_READ, 0);
    struct blob other = build(2);
    EXPECT(c, write_file(OTHER_NAME, &other));
    blob_release(&other);
    options.file = OTHER_NAME;
    EXPECT(c, upload(c, &options) == TTSB_WRONG_FILE && c->image == NULL);
    unlink(OTHER_NAME);
    options.file = "no_such_file.ttsb";
    EXPECT(c, upload(c, &options) == TTSB_SYSTEM_OPEN && c->image == NULL);
}

static const struct {
    const char *name;
    void (*run)(struct device_case *c);
} checks[] = {
    {"auto", auto_path},
    {"auto, verified", auto_verified},
    {"mapped, verified", mapped},
    {"read, verified", read_path},
    {"direct, verified", direct},
    {"register, verified", registered},
    {"no options", defaults},
    {"a flipped byte", flipped_byte},
    {"a damaged file", damaged_file},
    {"async, group by group", async_groups},
    {"released under way", released_under_way},
    {"DLPack", dlpack},
    {"DLPack of a host group", dlpack_host},
    {"too much memory", too_much},
    {"the caller's memory and stream", lent_memory},
    {"cancelled", cancelled},
    {"a wrong file", wrong_file},
};

static int run(size_t i)
{
    struct device_case c = {.info = {.struct_size = sizeof(c.info)},
                            .error = {.struct_size = sizeof(c.error)}};
    if (EXPECT(&c, ttsb_open(FILE_NAME, NULL, &c.blob, &c.error) == TTSB_OK)) {
        ttsb_info(c.blob, &c.info);
        EXPECT(&c, c.info.piece_count <= BAD_WORDS * 32);
        checks[i].run(&c);
        ttsb_cuda_release(c.image);
        ttsb_close(c.blob);
    }
    printf("%s: %s\n", c.failures == 0 ? "ok" : "FAILED", checks[i].name);
    return c.failures != 0;
}

int main(void)
{
    struct blob b;
    int device, failed = 0;
    const int count = (int)(sizeof(checks) / sizeof(checks[0]));
    if (cudaGetDevice(&device) != cudaSuccess) {
        printf("skipped: no CUDA device\n");
        return SKIPPED;
    }
    b = build(1);
    if (!write_file(FILE_NAME, &b)) {
        perror(FILE_NAME);
        return 1;
    }
    blob_release(&b);
    for (int i = 0; i < count; i++)
        failed += run((size_t)i);
    unlink(FILE_NAME);
    printf("%d passed, %d failed\n", count - failed, failed);
    return failed != 0;
}
