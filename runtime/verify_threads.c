/* SPDX-License-Identifier: MIT
 *
 * verify_threads.c - verifies a whole blob with several threads.
 *
 * In: an open blob, a number of threads, whom to tell of the advance. Out: the
 * same result for every number of threads. Threads take runs of pieces in
 * ascending order; once one has found damage no run is taken any more, but all
 * below it were and are finished, so the lowest damage is always known.
 *
 * Invariant: all shared state is in one struct on the caller's stack, behind
 * its lock; every thread has ended when ttsb_verify returns.
 */
#include "ttsb_internal.h"

#include <pthread.h>

/* 16 MiB of payload: milliseconds of work for each turn of the lock. */
#define RUN_PIECES 256

struct work {
    const struct ttsb_blob *blob;
    const struct ttsb_progress *progress;
    pthread_mutex_t lock;
    uint64_t next;   /* the first piece that nobody has taken */
    uint64_t done;   /* pieces, for the progress */
    uint64_t lowest; /* the first piece of the lowest damaged run */
    uint32_t record; /* of `next`, or one before it */
    int32_t status;
    struct ttsb_error error;
};

struct run {
    uint64_t first;
    uint64_t last;
    uint32_t record;
};

/* Whether there was a run to take. */
static bool take_run(struct work *work, struct run *run)
{
    bool taken = false;
    pthread_mutex_lock(&work->lock);
    if (work->status == TTSB_OK && work->next < work->blob->piece_count) {
        uint64_t left = work->blob->piece_count - work->next;
        work->record = ttsb__record_of(work->blob, work->record, work->next);
        run->first = work->next;
        run->last = run->first + (left < RUN_PIECES ? left : RUN_PIECES);
        run->record = work->record;
        work->next = run->last;
        taken = true;
    }
    pthread_mutex_unlock(&work->lock);
    return taken;
}

static void finish_run(struct work *work, const struct run *run,
                       const struct ttsb_error *error)
{
    const struct ttsb_progress *progress = work->progress;
    pthread_mutex_lock(&work->lock);
    work->done += run->last - run->first;
    if (error->status != TTSB_OK &&
        (work->status == TTSB_OK || run->first < work->lowest)) {
        work->status = error->status;
        work->lowest = run->first;
        work->error = *error;
    }
    if (progress != NULL)
        progress->advance(progress->user, work->done, work->blob->piece_count);
    pthread_mutex_unlock(&work->lock);
}

static void *verify_runs(void *argument)
{
    struct work *work = argument;
    struct run run;
    while (take_run(work, &run)) {
        struct ttsb_error error = {.struct_size = sizeof(error)};
        ttsb__verify_pieces(work->blob, run.record, run.first, run.last,
                            &error);
        finish_run(work, &run, &error);
    }
    return NULL;
}

/* Runs the work in `threads` threads, this one among them. */
static void verify_together(struct work *work, uint32_t threads)
{
    pthread_t others[TTSB_MAX_THREADS];
    uint32_t started = 0;
    while (started + 1 < threads &&
           pthread_create(&others[started], NULL, verify_runs, work) == 0)
        started++;
    verify_runs(work);
    for (uint32_t i = 0; i < started; i++)
        pthread_join(others[i], NULL);
}

int32_t ttsb_verify(const struct ttsb_blob *blob, uint32_t threads,
                    const struct ttsb_progress *progress,
                    struct ttsb_error *error)
{
    struct work work = {
        .blob = blob, .progress = progress, .lock = PTHREAD_MUTEX_INITIALIZER};
    if (blob == NULL)
        return ttsb__bad_argument(error, "blob");
    if (threads == 0 || threads > TTSB_MAX_THREADS)
        return ttsb__bad_argument(error, "threads");
    if (progress != NULL && progress->advance == NULL)
        return ttsb__bad_argument(error, "progress->advance");
    verify_together(&work, threads);
    if (work.status == TTSB_OK)
        return ttsb_verify_rest(blob, error);
    if (error != NULL)
        ttsb__fill(error, &work.error, sizeof(work.error));
    return work.status;
}
