/* SPDX-License-Identifier: MIT
 *
 * fill_warm.c - the ways to fill an upload's slots from a warm file.
 *
 *     cc -O2 -D_GNU_SOURCE -pthread tests/bench/fill_warm.c -o fill_warm
 *     ./fill_warm FILE THREADS
 *
 * In: a file, which is read once so that its pages are in memory. Out: GB/s of
 * filling a ring of 8 slots of 4 MiB, the best of 5 turns of each way, one turn
 * of each after the other: memcpy out of a fresh mapping, which takes the
 * faults; the same with MADV_POPULATE_READ before each chunk; pread. Invariant:
 * host only; the slots stand for pinned memory and are touched before.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 8
#define SLOT ((size_t)4 << 20)
#define MOST_THREADS 64
#define TURNS 5

enum way { MAPPED, POPULATED, READ, WAYS };

struct fill {
    enum way way;
    int fd;
    size_t size;
    uint8_t *ring;
    const uint8_t *mapping;
    atomic_size_t next; /* chunk */
};

static void fill_chunk(const struct fill *f, size_t n)
{
    const size_t at = n * SLOT;
    const size_t size = f->size - at < SLOT ? f->size - at : SLOT;
    uint8_t *slot = f->ring + n % SLOTS * SLOT;
    if (f->way == READ) {
        if (pread(f->fd, slot, size, (off_t)at) != (ssize_t)size)
            abort();
        return;
    }
    if (f->way == POPULATED && madvise((void *)(uintptr_t)(f->mapping + at),
                                       size, MADV_POPULATE_READ) != 0)
        abort();
    memcpy(slot, f->mapping + at, size);
}

static void *fill_all(void *argument)
{
    struct fill *f = argument;
    size_t n;
    while ((n = atomic_fetch_add(&f->next, 1)) * SLOT < f->size)
        fill_chunk(f, n);
    return NULL;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* GB/s. */
static double turn(struct fill *f, int threads)
{
    pthread_t others[MOST_THREADS];
    const double begun = now();
    double took;
    void *mapping = mmap(NULL, f->size, PROT_READ, MAP_SHARED, f->fd, 0);
    if (mapping == MAP_FAILED)
        abort();
    f->mapping = mapping;
    atomic_store(&f->next, 0);
    for (int i = 0; i < threads; i++)
        if (pthread_create(&others[i], NULL, fill_all, f) != 0)
            abort();
    for (int i = 0; i < threads; i++)
        pthread_join(others[i], NULL);
    took = now() - begun;
    munmap(mapping, f->size);
    return (double)f->size / took * 1e-9;
}

int main(int argc, char **argv)
{
    static const char *const names[WAYS] = {"mapped", "populated", "read"};
    double best[WAYS] = {0};
    struct fill f = {.fd = argc == 3 ? open(argv[1], O_RDONLY) : -1};
    const int threads = argc == 3 ? atoi(argv[2]) : 0;
    struct stat st;
    if (f.fd < 0 || fstat(f.fd, &st) != 0 || st.st_size == 0 || threads < 1 ||
        threads > MOST_THREADS) {
        fprintf(stderr, "usage: fill_warm FILE THREADS\n");
        return 2;
    }
    f.size = (size_t)st.st_size;
    f.ring = aligned_alloc(4096, SLOTS * SLOT);
    if (f.ring == NULL)
        abort();
    memset(f.ring, 1, SLOTS * SLOT);
    f.way = READ;
    turn(&f, threads); /* warms */
    for (int i = 0; i < TURNS * WAYS; i++) {
        double rate;
        f.way = (enum way)(i % WAYS);
        rate = turn(&f, threads);
        best[f.way] = rate > best[f.way] ? rate : best[f.way];
    }
    for (int i = 0; i < WAYS; i++)
        printf("%-10s %6.2f GB/s\n", names[i], best[i]);
    return 0;
}
