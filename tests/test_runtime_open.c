/* SPDX-License-Identifier: MIT
 *
 * test_runtime_open.c - the ways in, and what no file may do to them.
 *
 * In: small blobs, whole, cut short, with each single bit flipped, in files,
 * descriptors and unaligned memory. Out: they open, or a status and nothing
 * else. Invariant: there is no bit of the file whose flip goes unseen, and no
 * length at which a prefix of the file opens. FLIPS_STEP=N takes one bit in N.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "blob.h"
#include "size.h"
#include "ttsb.h"

static int32_t open_bytes(const struct blob *b, struct ttsb_blob **blob)
{
    return ttsb_open_memory(b->bytes, b->size, NULL, blob, NULL);
}

static void whole(void **state)
{
    const struct blob_spec *specs[] = {blob_standard(), blob_small()};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct blob b = blob_build(specs[i]);
        struct ttsb_blob *blob;
        assert_int_equal(open_bytes(&b, &blob), TTSB_OK);
        assert_int_equal(ttsb_verify(blob, 1, NULL, NULL), TTSB_OK);
        ttsb_close(blob);
        blob_release(&b);
    }
    ttsb_close(NULL);
}

/* A later minor version and unknown compat bits decide nothing. */
static void minor_and_compat(void **state)
{
    struct blob b = blob_build(blob_small());
    struct ttsb_info info = {.struct_size = sizeof(info)};
    struct ttsb_blob *blob;
    (void)state;
    store_u16(b.bytes + 10, 7);
    store_u64(b.bytes + 32, UINT64_MAX);
    blob_seal(&b, BLOB_SEAL_ROOT);
    assert_int_equal(open_bytes(&b, &blob), TTSB_OK);
    assert_int_equal(ttsb_info(blob, &info), TTSB_OK);
    assert_int_equal(info.minor, 7);
    assert_true(info.compat == UINT64_MAX);
    ttsb_close(blob);
    blob_release(&b);
}

/* Opens, verifies and closes: whatever finds a flip first. */
static int32_t open_and_verify(const struct blob *b)
{
    struct ttsb_blob *blob;
    int32_t status = open_bytes(b, &blob);
    if (status == TTSB_OK)
        status = ttsb_verify_range(blob, 0, 2, NULL);
    if (status == TTSB_OK)
        status = ttsb_verify_rest(blob, NULL);
    ttsb_close(blob);
    return status;
}

/* Bits from one flip to the next; an odd number meets all places in a byte. */
static size_t flips_step(void)
{
    const char *text = getenv("FLIPS_STEP");
    const size_t step = text != NULL ? (size_t)strtoul(text, NULL, 10) : 1;
    assert_true(step % 2 == 1);
    return step;
}

/* In front of the payload. */
static void every_bit(void **state)
{
    const size_t step = flips_step();
    struct blob b = blob_build(blob_small());
    (void)state;
    for (size_t bit = 0; bit < 65536 * 8; bit += step) {
        uint8_t *byte = &b.bytes[bit / 8];
        *byte ^= (uint8_t)(1u << bit % 8);
        if (open_and_verify(&b) == TTSB_OK)
            fail_msg("the flip of bit %zu goes unseen", bit);
        *byte ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(open_and_verify(&b), TTSB_OK);
    blob_release(&b);
}

/* Of the payload, which open never reads: one handle serves all flips. */
static void every_payload_bit(void **state)
{
    const size_t step = flips_step();
    struct blob b = blob_build(blob_small());
    struct ttsb_blob *blob;
    (void)state;
    assert_int_equal(open_bytes(&b, &blob), TTSB_OK);
    for (size_t bit = 65536 * 8; bit < b.size * 8; bit += step) {
        uint8_t *byte = &b.bytes[bit / 8];
        *byte ^= (uint8_t)(1u << bit % 8);
        if (ttsb_verify_range(blob, 0, 2, NULL) == TTSB_OK)
            fail_msg("the flip of bit %zu goes unseen", bit);
        *byte ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(ttsb_verify_range(blob, 0, 2, NULL), TTSB_OK);
    ttsb_close(blob);
    blob_release(&b);
}

/* In blocks of their own near the superblock, where reads could go astray. */
static void every_length(void **state)
{
    struct blob b = blob_build(blob_small());
    struct ttsb_blob *blob;
    (void)state;
    for (size_t n = 0; n < b.size; n++) {
        uint8_t *copy = n < 4400 ? malloc(n + 1) : NULL;
        const uint8_t *bytes = b.bytes;
        if (copy != NULL) {
            memcpy(copy + 1, b.bytes, n);
            bytes = copy + 1;
        }
        assert_int_equal(ttsb_open_memory(bytes, n, NULL, &blob, NULL),
                         n < 4096 ? TTSB_TOO_SHORT : TTSB_BAD_FILE_SIZE);
        assert_null(blob);
        free(copy);
    }
    blob_release(&b);
}

static void trailing_byte(void **state)
{
    struct blob b = blob_build(blob_small());
    struct ttsb_blob *blob;
    (void)state;
    b.bytes = realloc(b.bytes, b.size + 1);
    assert_non_null(b.bytes);
    b.bytes[b.size] = 0;
    b.size++;
    assert_int_equal(open_bytes(&b, &blob), TTSB_BAD_FILE_SIZE);
    blob_release(&b);
}

static void unaligned(void **state)
{
    struct blob b = blob_build(blob_standard());
    (void)state;
    for (size_t shift = 0; shift < 9; shift++) {
        uint8_t *block = malloc(b.size + shift);
        struct ttsb_blob *blob;
        assert_non_null(block);
        memcpy(block + shift, b.bytes, b.size);
        assert_int_equal(
            ttsb_open_memory(block + shift, b.size, NULL, &blob, NULL),
            TTSB_OK);
        assert_int_equal(ttsb_verify(blob, 2, NULL, NULL), TTSB_OK);
        ttsb_close(blob);
        free(block);
    }
    blob_release(&b);
}

static void copied_memory(void **state)
{
    const struct ttsb_open_options copy = {.struct_size = sizeof(copy),
                                           .flags = TTSB_OPEN_COPY};
    struct blob b = blob_build(blob_standard());
    struct ttsb_blob *blob;
    (void)state;
    assert_int_equal(ttsb_open_memory(b.bytes, b.size, &copy, &blob, NULL),
                     TTSB_OK);
    memset(b.bytes, 0xee, b.size);
    blob_release(&b);
    assert_int_equal(ttsb_verify(blob, 1, NULL, NULL), TTSB_OK);
    ttsb_close(blob);
    assert_int_equal(ttsb_open_memory("", 0, &copy, &blob, NULL),
                     TTSB_TOO_SHORT);
}

static void partial(void **state)
{
    const struct ttsb_open_options accept = {.struct_size = sizeof(accept),
                                             .flags = TTSB_OPEN_PARTIAL};
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct blob b = blob_build(blob_partial());
    struct ttsb_blob *blob;
    (void)state;
    assert_int_equal(ttsb_open_memory(b.bytes, b.size, NULL, &blob, &error),
                     TTSB_IS_PARTIAL);
    assert_non_null(strstr(error.text, "ttswc compile SPEC CHECKPOINT -o FILE"
                                       " or open it with TTSB_OPEN_PARTIAL"));
    assert_int_equal(ttsb_open_memory(b.bytes, b.size, &accept, &blob, NULL),
                     TTSB_OK);
    assert_int_equal(ttsb_verify(blob, 1, NULL, NULL), TTSB_OK);
    ttsb_close(blob);
    store_u64(b.bytes + 24, 0);
    blob_seal(&b, BLOB_SEAL_ROOT);
    assert_int_equal(open_bytes(&b, &blob), TTSB_BAD_INDEX);
    blob_release(&b);
    b = blob_build(blob_standard());
    store_u64(b.bytes + 24, TTSB_INCOMPAT_PARTIAL);
    blob_seal(&b, BLOB_SEAL_ROOT);
    assert_int_equal(ttsb_open_memory(b.bytes, b.size, &accept, &blob, &error),
                     TTSB_BAD_INDEX);
    assert_string_equal(error.field, "incompat");
    blob_release(&b);
}

static void unknown_sections(void **state)
{
    struct blob_spec spec = *blob_small();
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct ttsb_blob *blob;
    struct blob b;
    (void)state;
    spec.extra_sections = 2;
    b = blob_build(&spec);
    assert_int_equal(open_bytes(&b, &blob), TTSB_OK);
    assert_int_equal(ttsb_verify(blob, 1, NULL, NULL), TTSB_OK);
    ttsb_close(blob);
    store_u32(b.bytes + blob_entry(&b, 9) + 4, TTSB_SECTION_CRITICAL);
    blob_seal(&b, BLOB_SEAL_SECTIONS);
    assert_int_equal(ttsb_open_memory(b.bytes, b.size, NULL, &blob, &error),
                     TTSB_BAD_SECTION_SET);
    assert_int_equal(error.found, 9);
    assert_int_equal(error.offset, blob_entry(&b, 9));
    blob_release(&b);
}

/* A file from the future is called that, whatever else has changed. */
static void polite_refusal(void **state)
{
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct blob b = blob_build(blob_standard());
    struct ttsb_blob *blob;
    (void)state;
    store_u16(b.bytes + 8, 2);
    memset(b.bytes + 256, 0xee, b.size - 256);
    assert_int_equal(ttsb_open_memory(b.bytes, b.size, NULL, &blob, &error),
                     TTSB_BAD_MAJOR);
    assert_string_equal(error.text,
                        "the blob of 'Test-model.1_b' is container 2.0 and "
                        "this reader knows 1.x; rebuild it with: ttswc "
                        "compile SPEC CHECKPOINT -o FILE");
    assert_int_equal(error.found, 2);
    assert_int_equal(error.expected, 1);
    assert_int_equal(error.offset, 8);
    assert_int_equal(error.tensor, TTSB_NO_TENSOR);
    /* A name that is none never reaches the text. */
    memset(b.bytes + 96, 0x1b, 160);
    assert_int_equal(ttsb_open_memory(b.bytes, b.size, NULL, &blob, &error),
                     TTSB_BAD_MAJOR);
    assert_null(strchr(error.text, 0x1b));
    blob_release(&b);
}

static void arguments(void **state)
{
    struct ttsb_open_options options = {.struct_size = sizeof(options),
                                        .flags = 4};
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct ttsb_blob *blob = (struct ttsb_blob *)&error;
    (void)state;
    assert_int_equal(ttsb_open(NULL, NULL, &blob, &error), TTSB_BAD_ARGUMENT);
    assert_string_equal(error.field, "path");
    assert_null(blob);
    assert_int_equal(ttsb_open("x", NULL, NULL, NULL), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_open_fd(-1, NULL, &blob, NULL), TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_open_memory(NULL, 9, NULL, &blob, NULL),
                     TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_open_memory("", SIZE_MAX, NULL, &blob, NULL),
                     TTSB_BAD_ARGUMENT);
    assert_int_equal(ttsb_open("x", &options, &blob, &error),
                     TTSB_BAD_ARGUMENT);
    assert_string_equal(error.field, "options->flags");
    options = (struct ttsb_open_options){.struct_size = 4};
    assert_int_equal(ttsb_open("x", &options, &blob, NULL), TTSB_BAD_ARGUMENT);
}

/* A struct of another version's size: a prefix is refused, a later one is
 * filled with zeros behind, one that was never set is not believed. */
static void struct_sizes(void **state)
{
    struct {
        struct ttsb_error error;
        uint8_t more[8];
    } later;
    struct ttsb_blob *blob;
    (void)state;
    memset(&later, 0xee, sizeof(later));
    later.error.struct_size = sizeof(later);
    assert_int_equal(ttsb_open_memory("x", 1, NULL, &blob, &later.error),
                     TTSB_TOO_SHORT);
    assert_int_equal(later.error.struct_size, sizeof(later));
    assert_int_equal(later.error.status, TTSB_TOO_SHORT);
    assert_int_equal(later.more[0], 0);
    assert_int_equal(later.more[7], 0);
    memset(&later, 0xee, sizeof(later));
    assert_int_equal(ttsb_open_memory("x", 1, NULL, &blob, &later.error),
                     TTSB_TOO_SHORT);
    assert_int_equal(later.more[0], 0xee);
    later.error.struct_size = sizeof(later.error) - 1;
    assert_int_equal(ttsb_open_memory("x", 1, NULL, &blob, &later.error),
                     TTSB_TOO_SHORT);
    assert_int_equal((uint8_t)later.error.text[0], 0xee);
}

struct folder {
    char path[32];
    char file[64];
};

static struct folder folder_new(void)
{
    struct folder f = {.path = "ttsb-test-XXXXXX"};
    assert_non_null(mkdtemp(f.path));
    snprintf(f.file, sizeof(f.file), "%s/blob.ttsb", f.path);
    return f;
}

static void write_file(const struct folder *f, const struct blob *b)
{
    FILE *file = fopen(f->file, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(b->bytes, 1, b->size, file), b->size);
    assert_int_equal(fclose(file), 0);
}

static void folder_remove(const struct folder *f)
{
    unlink(f->file);
    assert_int_equal(rmdir(f->path), 0);
}

static void files(void **state)
{
    const uint32_t flags[] = {0, TTSB_OPEN_COPY};
    struct blob b = blob_build(blob_standard());
    struct folder f = folder_new();
    (void)state;
    write_file(&f, &b);
    for (size_t i = 0; i < 2; i++) {
        const struct ttsb_open_options options = {
            .struct_size = sizeof(options), .flags = flags[i]};
        struct ttsb_blob *blob;
        int fd = open(f.file, O_RDONLY);
        assert_int_equal(ttsb_open(f.file, &options, &blob, NULL), TTSB_OK);
        assert_int_equal(ttsb_verify(blob, 2, NULL, NULL), TTSB_OK);
        ttsb_close(blob);
        /* The descriptor's position does not matter and stays. */
        assert_int_equal(lseek(fd, 77, SEEK_SET), 77);
        assert_int_equal(ttsb_open_fd(fd, &options, &blob, NULL), TTSB_OK);
        assert_int_equal(lseek(fd, 0, SEEK_CUR), 77);
        assert_int_equal(close(fd), 0);
        assert_int_equal(ttsb_verify(blob, 2, NULL, NULL), TTSB_OK);
        ttsb_close(blob);
    }
    folder_remove(&f);
    blob_release(&b);
}

/* A copy outlives the file's end. */
static void shrunk_file(void **state)
{
    const struct ttsb_open_options copy = {.struct_size = sizeof(copy),
                                           .flags = TTSB_OPEN_COPY};
    struct blob b = blob_build(blob_small());
    struct folder f = folder_new();
    struct ttsb_blob *blob;
    (void)state;
    write_file(&f, &b);
    assert_int_equal(ttsb_open(f.file, &copy, &blob, NULL), TTSB_OK);
    assert_int_equal(truncate(f.file, 0), 0);
    assert_int_equal(ttsb_verify(blob, 1, NULL, NULL), TTSB_OK);
    ttsb_close(blob);
    assert_int_equal(ttsb_open(f.file, NULL, &blob, NULL), TTSB_TOO_SHORT);
    assert_int_equal(ttsb_open(f.file, &copy, &blob, NULL), TTSB_TOO_SHORT);
    folder_remove(&f);
    blob_release(&b);
}

static void system_errors(void **state)
{
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct folder f = folder_new();
    struct ttsb_blob *blob;
    int ends[2];
    int fd;
    (void)state;
    assert_int_equal(ttsb_open(f.file, NULL, &blob, &error), TTSB_SYSTEM_OPEN);
    assert_int_equal(error.system_errno, ENOENT);
    assert_string_equal(error.field, "open");
    assert_int_equal(ttsb_open(f.path, NULL, &blob, &error),
                     TTSB_SYSTEM_NOT_A_FILE);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(ttsb_open_fd(ends[0], NULL, &blob, &error),
                     TTSB_SYSTEM_NOT_A_FILE);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(ttsb_open_fd(ends[0], NULL, &blob, &error),
                     TTSB_SYSTEM_STAT);
    assert_int_equal(error.system_errno, EBADF);
    /* Opening a pipe by its name must not wait for a writer. */
    assert_int_equal(mkfifo(f.file, 0600), 0);
    assert_int_equal(ttsb_open(f.file, NULL, &blob, &error),
                     TTSB_SYSTEM_NOT_A_FILE);
    unlink(f.file);
    fd = open(f.file, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(ftruncate(fd, 65536), 0);
    assert_int_equal(ttsb_open_fd(fd, NULL, &blob, &error), TTSB_SYSTEM_MAP);
    assert_int_equal(error.system_errno, EACCES);
    close(fd);
    folder_remove(&f);
}

/* What cannot be mapped cannot be copied. */
static void unreadable_copy(void **state)
{
    const struct ttsb_open_options copy = {.struct_size = sizeof(copy),
                                           .flags = TTSB_OPEN_COPY};
    struct ttsb_error error = {.struct_size = sizeof(error)};
    struct folder f = folder_new();
    struct ttsb_blob *blob;
    int ends[2];
    int fd = open(f.file, O_WRONLY | O_CREAT, 0600);
    (void)state;
    assert_int_equal(ftruncate(fd, 65536), 0);
    assert_int_equal(ttsb_open_fd(fd, &copy, &blob, &error), TTSB_SYSTEM_READ);
    assert_int_equal(error.system_errno, EBADF);
    close(fd);
    assert_int_equal(pipe(ends), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ttsb_open_fd(ends[i], &copy, &blob, &error),
                         TTSB_SYSTEM_NOT_A_FILE);
        assert_int_equal(error.system_errno, 0);
        close(ends[i]);
    }
    fd = open(f.path, O_RDONLY | O_DIRECTORY);
    assert_int_equal(ttsb_open_fd(fd, &copy, &blob, &error),
                     TTSB_SYSTEM_NOT_A_FILE);
    close(fd);
    folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),           cmocka_unit_test(minor_and_compat),
        cmocka_unit_test(every_bit),       cmocka_unit_test(every_payload_bit),
        cmocka_unit_test(every_length),    cmocka_unit_test(trailing_byte),
        cmocka_unit_test(unaligned),       cmocka_unit_test(copied_memory),
        cmocka_unit_test(partial),         cmocka_unit_test(unknown_sections),
        cmocka_unit_test(polite_refusal),  cmocka_unit_test(arguments),
        cmocka_unit_test(struct_sizes),    cmocka_unit_test(files),
        cmocka_unit_test(shrunk_file),     cmocka_unit_test(system_errors),
        cmocka_unit_test(unreadable_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
