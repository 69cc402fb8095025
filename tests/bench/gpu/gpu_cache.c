/* SPDX-License-Identifier: MIT
 *
 * gpu_cache.c - see gpu_cache.h.
 *
 * In: a path. Out: residency by mincore, over a mapping that is gone again
 * when the function returns: mapped pages cannot be dropped.
 */
#include "gpu_cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP ((size_t)4 << 20)

static bool read_all(int file)
{
    char *buffer = malloc(STEP);
    off_t at = 0;
    ssize_t n = 1;
    while (buffer != NULL && n > 0) {
        n = pread(file, buffer, STEP, at);
        at += n;
    }
    free(buffer);
    return n == 0 && at > 0;
}

static bool drop(int file)
{
    return fsync(file) == 0 &&
           posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0;
}

static bool residency(int file, double *resident)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct stat status;
    unsigned char *pages;
    size_t count, in = 0;
    void *map;
    bool ok;
    if (fstat(file, &status) != 0 || status.st_size == 0)
        return false;
    count = ((size_t)status.st_size + page - 1) / page;
    map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, file, 0);
    if (map == MAP_FAILED)
        return false;
    pages = malloc(count);
    ok = pages != NULL && mincore(map, (size_t)status.st_size, pages) == 0;
    for (size_t i = 0; ok && i < count; i++)
        in += pages[i] & 1;
    free(pages);
    munmap(map, (size_t)status.st_size);
    *resident = (double)in / (double)count;
    return ok;
}

bool gpu_cache(const char *path, bool cold, double *resident)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    bool ok;
    if (file < 0)
        return false;
    ok = (cold ? drop(file) : read_all(file)) && residency(file, resident);
    close(file);
    return ok;
}

bool gpu_memory_reset(void)
{
    const int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    bool ok;
    if (file < 0)
        return false;
    ok = write(file, "5", 1) == 1;
    close(file);
    return ok;
}

uint64_t gpu_memory(const char *field)
{
    unsigned long long kib = 0;
    char line[256];
    FILE *status = fopen("/proc/self/status", "re");
    while (status != NULL && fgets(line, sizeof(line), status) != NULL)
        if (strncmp(line, field, strlen(field)) == 0 &&
            line[strlen(field)] == ':')
            sscanf(line + strlen(field) + 1, "%llu", &kib);
    if (status != NULL)
        fclose(status);
    return (uint64_t)kib * 1024;
}
