/* SPDX-License-Identifier: MIT
 *
 * fake_internal.h - what the files of the fake device share.
 *
 * In: the calls. Out: one lock, the ranges of memory, the queues of streams.
 * Invariant: everything in struct fake is read and written under its lock; a
 * stream works on bytes without it, so that a race about them is one for TSan.
 */
#ifndef FAKE_INTERNAL_H
#define FAKE_INTERNAL_H

#include <pthread.h>

#include "cuda_runtime_api.h"
#include "fake_cuda.h"

enum { FAKE_RANGES = 512, FAKE_STREAMS = 32, FAKE_EVENTS = 4096 };
enum { FAKE_QUEUE = 64, FAKE_DEVICES = 2 };

enum fake_memory {
    FAKE_ON_DEVICE,
    FAKE_IS_MANAGED,
    FAKE_IS_PINNED,
    FAKE_IS_REGISTERED
};

struct fake_range {
    uint8_t *address; /* as the program sees it */
    uint8_t *bytes;   /* where they are */
    size_t size;
    enum fake_memory memory;
    int device;
};

struct CUevent_st {
    bool alive;
    int device;
    uint64_t recorded; /* how often that was asked for */
    uint64_t done;     /* the last of those that came to pass */
};

enum fake_what {
    FAKE_DO_COPY,
    FAKE_DO_FILL,
    FAKE_DO_ATTACH,
    FAKE_DO_RECORD,
    FAKE_DO_WAIT,
    FAKE_DO_CHECK
};

/* One work of a stream. Addresses are the program's, bytes are where they
 * are. */
struct fake_work {
    enum fake_what what;
    const uint8_t *to;
    const uint8_t *from;
    size_t size;
    uint8_t *to_bytes;
    const uint8_t *from_bytes;
    uint64_t hash; /* of what is copied, when it was asked for */
    int value; /* of a fill; a check's device; not 0: a copy without a hash */
    struct CUevent_st *event;
    uint64_t turn; /* event->recorded, when it was asked for */
};

struct CUstream_st {
    bool alive;
    bool ending;
    int device;
    uint32_t random;
    pthread_t thread;
    uint64_t asked; /* works since its creation */
    uint64_t done;
    struct fake_work works[FAKE_QUEUE];
};

struct fake {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct fake_plan plan;
    struct fake_counts counts;
    bool lost;
    uint32_t allowed;
    struct fake_range ranges[FAKE_RANGES];
    uint32_t range_count;
    struct CUstream_st streams[FAKE_STREAMS];
    struct CUevent_st events[FAKE_EVENTS];
    uint32_t next_event;
};

extern struct fake fake;

/* Ends the program with this text. */
_Noreturn void fake_misuse(const char *text, const void *address);

/* Takes the lock and counts the call; what it must return. Of a device that is
 * lost no stream does anything any more when this is back. */
cudaError_t fake_enter(enum fake_call call);

/* Lets the lock go; returns the result, which cudaGetLastError will, too. */
cudaError_t fake_leave(cudaError_t result);

/* The current device of the thread. */
int fake_device(void);

/* The range of device or host memory that holds these bytes, or NULL. One that
 * holds only some of them is a misuse. */
struct fake_range *fake_find(const void *address, size_t size);

/* Where these bytes of device memory are; they must be some. */
uint8_t *fake_on_device(const void *address, size_t size);

/* Whether a work that is not done reads or writes any of these bytes; of a
 * check of pieces its arguments alone: it finds out itself what is gone. */
bool fake_in_flight(const void *address, size_t size);

/* Hands a work to the stream; under the lock. */
void fake_push(struct CUstream_st *stream, const struct fake_work *work);

/* Waits until the stream has done all it was asked for; under the lock. */
void fake_drain(struct CUstream_st *stream);

#endif
