/* SPDX-License-Identifier: MIT
 *
 * fuzz_arrays.c - any bytes as an .npy array, and as an archive of which every
 * member is unpacked to its end, from the front and from the middle.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "npy.h"
#include "zip.h"

#define MOST (UINT64_C(1) << 20) /* unpacked bytes that are looked at */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_members(struct zip *z)
{
    uint8_t block[4096];
    for (size_t i = 0; i < z->count; i++) {
        uint64_t n = z->members[i].plain_size, at = 0, part;
        n = n < MOST ? n : MOST;
        for (; at < n; at += part) {
            part = n - at < sizeof block ? n - at : sizeof block;
            if (zip_read(z, i, at, block, (size_t)part) != 0)
                break;
        }
        if (n > 1)
            zip_read(z, i, n / 2, block, 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    struct npy_header h;
    struct npy_error e;
    struct zip z;
    struct zip_error error;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    npy_parse(data, size < NPY_MAX_HEADER ? size : NPY_MAX_HEADER, size, &h,
              &e);
    if (fd >= 0 && write(fd, data, size) == (ssize_t)size &&
        zip_open(&a, fd, size, &z, &error)) {
        read_members(&z);
        zip_close(&z);
    }
    if (fd >= 0)
        close(fd);
    arena_release(&a);
    return 0;
}
