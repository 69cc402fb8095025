/* SPDX-License-Identifier: MIT
 *
 * open.c - a blob's life, from open to close.
 *
 * In: a path, a descriptor or bytes, and what the caller accepts. Out: a
 * handle that passed the door, or a status and nothing else. The steps are
 * map, check the front (which tells the counts), allocate, check the rest.
 *
 * Invariant: there is one allocation, the handle; *blob is set last.
 */
#include "ttsb_internal.h"

#include <stdlib.h>

static int32_t open_flags(const struct ttsb_open_options *options,
                          struct ttsb_blob **blob, uint32_t *flags,
                          struct ttsb_error *error)
{
    *flags = 0;
    if (blob == NULL)
        return ttsb__bad_argument(error, "blob");
    *blob = NULL;
    if (options == NULL)
        return TTSB_OK;
    if (options->struct_size < sizeof(*options))
        return ttsb__bad_argument(error, "options->struct_size");
    if (options->flags & ~(TTSB_OPEN_PARTIAL | TTSB_OPEN_COPY))
        return ttsb__bad_argument(error, "options->flags");
    *flags = options->flags;
    return TTSB_OK;
}

static struct ttsb_blob *handle_of(const struct ttsb_blob *front)
{
    struct ttsb_blob *blob = malloc(
        sizeof(*blob) + front->group_count * sizeof(blob->group_order[0]));
    if (blob != NULL)
        *blob = *front;
    return blob;
}

/* Takes over what `front` has mapped. */
static int32_t pass_door(struct ttsb_blob *front, uint32_t flags,
                         struct ttsb_blob **out, struct ttsb_error *error)
{
    const struct ttsb__fault no_memory = {
        .status = TTSB_NO_MEMORY, .tensor = TTSB_NO_TENSOR, .field = "malloc"};
    struct ttsb_blob *blob = NULL;
    int32_t status = ttsb__check_front(front, flags, error);
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
    uint32_t flags;
    int32_t status = open_flags(options, blob, &flags, error);
    if (status == TTSB_OK && path == NULL)
        status = ttsb__bad_argument(error, "path");
    if (status == TTSB_OK)
        status = ttsb__map_path(&front, path, flags, error);
    if (status != TTSB_OK)
        return status;
    return pass_door(&front, flags, blob, error);
}

int32_t ttsb_open_fd(int fd, const struct ttsb_open_options *options,
                     struct ttsb_blob **blob, struct ttsb_error *error)
{
    struct ttsb_blob front = {.bytes = NULL};
    uint32_t flags;
    int32_t status = open_flags(options, blob, &flags, error);
    if (status == TTSB_OK && fd < 0)
        status = ttsb__bad_argument(error, "fd");
    if (status == TTSB_OK)
        status = ttsb__map_fd(&front, fd, flags, error);
    if (status != TTSB_OK)
        return status;
    return pass_door(&front, flags, blob, error);
}

int32_t ttsb_open_memory(const void *data, size_t size,
                         const struct ttsb_open_options *options,
                         struct ttsb_blob **blob, struct ttsb_error *error)
{
    struct ttsb_blob front = {.bytes = data, .size = size};
    uint32_t flags;
    int32_t status = open_flags(options, blob, &flags, error);
    if (status == TTSB_OK && data == NULL)
        status = ttsb__bad_argument(error, "data");
    if (status == TTSB_OK && size > PTRDIFF_MAX)
        status = ttsb__bad_argument(error, "size");
    if (status == TTSB_OK && (flags & TTSB_OPEN_COPY))
        status = ttsb__map_copy(&front, data, size, error);
    if (status != TTSB_OK)
        return status;
    return pass_door(&front, flags, blob, error);
}

void ttsb_close(struct ttsb_blob *blob)
{
    if (blob == NULL)
        return;
    ttsb__unmap(blob);
    free(blob);
}
