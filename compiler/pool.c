/* SPDX-License-Identifier: MIT
 *
 * pool.c - an atomic counter and small stacks.
 */
#include "pool.h"

#include <pthread.h>
#include <stdatomic.h>

#define STACK_SIZE ((size_t)512 << 10)
#define MAX_THREADS 256

struct pool {
    atomic_size_t next;
    size_t count;
    void (*job)(void *context, unsigned worker, size_t i);
    void *context;
};

struct worker {
    struct pool *pool;
    unsigned number;
};

static void *work(void *argument)
{
    struct worker *w = argument;
    size_t i;
    while ((i = atomic_fetch_add(&w->pool->next, 1)) < w->pool->count)
        w->pool->job(w->pool->context, w->number, i);
    return NULL;
}

static int start(pthread_t *thread, struct worker *w)
{
    pthread_attr_t attr;
    int error = pthread_attr_init(&attr);
    if (error != 0)
        return error;
    error = pthread_attr_setstacksize(&attr, STACK_SIZE);
    if (error == 0)
        error = pthread_create(thread, &attr, work, w);
    pthread_attr_destroy(&attr);
    return error;
}

void pool_run(unsigned threads, size_t count,
              void (*job)(void *context, unsigned worker, size_t i),
              void *context)
{
    struct pool pool = {.count = count, .job = job, .context = context};
    pthread_t ids[MAX_THREADS];
    struct worker workers[MAX_THREADS];
    unsigned started = 1;
    threads = threads < 1 ? 1 : threads > MAX_THREADS ? MAX_THREADS : threads;
    for (unsigned i = 0; i < threads; i++)
        workers[i] = (struct worker){&pool, i};
    while (started < threads && start(&ids[started], &workers[started]) == 0)
        started++;
    work(&workers[0]);
    for (unsigned i = 1; i < started; i++)
        pthread_join(ids[i], NULL);
}
