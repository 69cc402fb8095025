/* SPDX-License-Identifier: MIT
 *
 * upload.h - what the tests of the upload share.
 *
 * In: nothing. Out: a blob in a file with all kinds of groups, options, an
 * upload that is checked byte by byte, and a program that tells what it was
 * doing when it hangs, crashes or fails.
 *
 * Invariant: whatever a test draws comes from a seed that is told.
 */
#ifndef UPLOAD_H
#define UPLOAD_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "blob.h"
#include "fake_cuda.h"
#include "ttsb_cuda.h"

/* The groups; those of UPLOAD_SMALL on are alike, up to UPLOAD_LAST. */
enum {
    UPLOAD_FIRST = 0,   /* three small tensors, one of them an alias */
    UPLOAD_HOST = 1,    /* stays on the host */
    UPLOAD_NONE = 2,    /* of size 0 */
    UPLOAD_BIG = 3,     /* a tensor of six pieces, one of one piece */
    UPLOAD_ALIGNED = 4, /* to 65,536 */
    UPLOAD_SMALL = 5,
    UPLOAD_LAST = 11, /* of two chunks of 65,536 */
    UPLOAD_GROUPS = 12
};

struct upload {
    struct blob bytes;
    struct ttsb_blob *blob;
    char path[32];
    uint64_t device_bytes; /* of all device groups */
};

/* A blob in a file in the current folder; upload_close closes it, gives all
 * back, and fails the test if the file is still mapped. */
void upload_open(struct upload *u);

/* The same with a wrong byte in this tensor, at `at`. */
void upload_open_damaged(struct upload *u, uint32_t tensor, uint64_t at);
void upload_close(struct upload *u);

/* UPLOAD_MANY groups of this place, with a tensor each of i % 7 * 100 bytes;
 * the caller closes the blob and releases *b. */
enum { UPLOAD_MANY = 150 };
struct ttsb_blob *upload_open_many(uint16_t place, struct blob *b);

/* The options of this path: three slots of 64 KiB, two threads, the file. */
struct ttsb_cuda_options upload_options(const struct upload *u, uint32_t path);

/* Fails the test unless this group's bytes are the blob's. */
void upload_check_group(const struct upload *u,
                        const struct ttsb_cuda_image *image, uint32_t group);

/* ... unless all are. */
void upload_check(const struct upload *u, const struct ttsb_cuda_image *image);

/* The next of a row of numbers from *seed. */
uint32_t upload_draw(uint32_t *seed);

/* What the test does now, told if it fails, hangs for a minute from here or
 * crashes. */
void upload_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For cmocka_unit_test_setup_teardown: a fresh fake and no note; tells the note
 * of a test that did not come to upload_passed, and fails one that left a file
 * open. */
int upload_setup(void **state);
int upload_teardown(void **state);
void upload_passed(void);

/* An entry of cmocka's table, whose header the program includes. */
#define UPLOAD_TEST(f)                                                         \
    cmocka_unit_test_setup_teardown(f, upload_setup, upload_teardown)

/* `many`, or `few` where TTSW_FEW is set: for slow builds. */
uint32_t upload_runs(uint32_t many, uint32_t few);

#endif
