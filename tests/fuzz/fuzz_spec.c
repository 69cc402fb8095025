/* SPDX-License-Identifier: MIT
 *
 * fuzz_spec.c - any bytes as a spec: parsed, expanded, laid out, sealed, its
 * header made. Seeds: specs and tests/golden. Includes are not found.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "compile.h"
#include "header_gen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run r;
    char path[64];
    int fd = memfd_create("spec", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        return 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    run_begin(&r);
    if (run_model(&r, path))
        header_text(&r.arena, &r.diag, &r.model);
    arena_release(&r.arena);
    close(fd);
    return 0;
}
