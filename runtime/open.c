/* SPDX-License-Identifier: MIT
 *
 * open.c - a blob's life, from open to close.
 *
 * In: a path, a descriptor or bytes, and what the caller accepts. Out: a
 * handle that passed the door, or a status and nothing else. The steps are
 * map, check the front (which tells the counts), allocate, check the rest.
 *
 * Invariant: there is one allocation, the handle; *blob is set last. The last
 * user of the handle gives it back.
 */
#include "ttsb_internal.h"

#include <inttypes.h>
#include <stdlib.h>

/* sizeof(struct ttsb_open_options) in version 1.0. */
#define OPTIONS_1_0 offsetof(struct ttsb_open_options, used)

static int32_t read_options(const struct ttsb_open_options *options,
                            struct ttsb_blob **blob,
                            struct ttsb_open_options *o,
                            struct ttsb_error *error)
{
    memset(o, 0, sizeof(*o));
    if (blob == NULL)
        return ttsb__bad_argument(error, "blob");
    *blob = NULL;
    if (options == NULL)
        return TTSB_OK;
    if (!ttsb__take(o, options, sizeof(*o), OPTIONS_1_0))
        return ttsb__bad_argument(error, "options->struct_size");
    if (o->flags & ~(TTSB_OPEN_PARTIAL | TTSB_OPEN_COPY))
        return ttsb__bad_argument(error, "options->flags");
    if (o->used == NULL && o->used_words != 0)
        return ttsb__bad_argument(error, "options->used");
    return TTSB_OK;
}

/* Takes the caller's words for the blob's tensors, if it gave any. */
static int32_t take_used(struct ttsb_blob *blob,
                         const struct ttsb_open_options *o,
                         struct ttsb_error *error)
{
    const uint64_t need = TTSB_USED_WORDS((uint64_t)blob->tensor_count);
    const struct ttsb__fault fault = {.status = TTSB_BAD_ARGUMENT,
                                      .tensor = TTSB_NO_TENSOR,
                                      .found = o->used_words,
                                      .expected = need,
                                      .field = "options->used_words"};
    blob->used = o->used;
    if (o->used == NULL)
        return TTSB_OK;
    if (o->used_words < need)
        return ttsb__fail(error, &fault,
                          "the blob has %u tensors and 'used' must have "
                          "%" PRIu64 " words",
                          blob->tensor_count, need);
    memset(o->used, 0, (size_t)need * sizeof(*o->used));
    return TTSB_OK;
}

static struct ttsb_blob *handle_of(const struct ttsb_blob *front)
{
    struct ttsb_blob *blob = malloc(
        sizeof(*blob) + front->group_count * sizeof(blob->group_order[0]));
    if (blob == NULL)
        return NULL;
    *blob = *front;
    blob->users = 1;
    return blob;
}

/* Takes over what `front` has mapped. */
static int32_t pass_door(struct ttsb_blob *front,
                         const struct ttsb_open_options *o,
                         struct ttsb_blob **out, struct ttsb_error *error)
{
    const struct ttsb__fault no_memory = {
        .status = TTSB_NO_MEMORY, .tensor = TTSB_NO_TENSOR, .field = "malloc"};
    struct ttsb_blob *blob = NULL;
    int32_t status = ttsb__check_front(front, o->flags, error);
    if (status == TTSB_OK) {
        blob = handle_of(front);
        if (blob == NULL)
            status = ttsb__fail(error, &no_memory, "%s",
                                ttsb_status_text(TTSB_NO_MEMORY));
    }
    if (status == TTSB_OK)
        status = ttsb__check_index(blob, error);
    if (status == TTSB_OK)
        status = ttsb__check_const(blob, error);
    if (status == TTSB_OK)
        status = take_used(blob, o, error);
    if (status != TTSB_OK) {
        free(blob);
        ttsb__unmap(front);
        return status;
    }
    *out = blob;
    return TTSB_OK;
}

int32_t ttsb_open(const char *path, const struct ttsb_open_options *options,
                  struct ttsb_blob **blob, struct ttsb_error *error)
{
    struct ttsb_blob front = {.bytes = NULL};
    struct ttsb_open_options o;
    int32_t status = read_options(options, blob, &o, error);
    if (status == TTSB_OK && path == NULL)
        status = ttsb__bad_argument(error, "path");
    if (status == TTSB_OK)
        status = ttsb__map_path(&front, path, o.flags, error);
    if (status != TTSB_OK)
        return status;
    return pass_door(&front, &o, blob, error);
}

int32_t ttsb_open_fd(int fd, const struct ttsb_open_options *options,
                     struct ttsb_blob **blob, struct ttsb_error *error)
{
    struct ttsb_blob front = {.bytes = NULL};
    struct ttsb_open_options o;
    int32_t status = read_options(options, blob, &o, error);
    if (status == TTSB_OK && fd < 0)
        status = ttsb__bad_argument(error, "fd");
    if (status == TTSB_OK)
        status = ttsb__map_fd(&front, fd, o.flags, error);
    if (status != TTSB_OK)
        return status;
    return pass_door(&front, &o, blob, error);
}

int32_t ttsb_open_memory(const void *data, size_t size,
                         const struct ttsb_open_options *options,
                         struct ttsb_blob **blob, struct ttsb_error *error)
{
    struct ttsb_blob front = {.bytes = data, .size = size};
    struct ttsb_open_options o;
    int32_t status = read_options(options, blob, &o, error);
    if (status == TTSB_OK && data == NULL)
        status = ttsb__bad_argument(error, "data");
    if (status == TTSB_OK && size > PTRDIFF_MAX)
        status = ttsb__bad_argument(error, "size");
    if (status == TTSB_OK && (o.flags & TTSB_OPEN_COPY))
        status = ttsb__map_copy(&front, data, size, error);
    if (status != TTSB_OK)
        return status;
    return pass_door(&front, &o, blob, error);
}

void ttsb_retain(struct ttsb_blob *blob)
{
    if (blob != NULL)
        __atomic_fetch_add(&blob->users, 1, __ATOMIC_RELAXED);
}

/* Release, so that what a thread has read was read before; acquire, so that
 * nothing is given back earlier. */
void ttsb_close(struct ttsb_blob *blob)
{
    if (blob == NULL ||
        __atomic_fetch_sub(&blob->users, 1, __ATOMIC_ACQ_REL) != 1)
        return;
    ttsb__unmap(blob);
    free(blob);
}
