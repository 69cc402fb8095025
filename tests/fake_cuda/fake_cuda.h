/* SPDX-License-Identifier: MIT
 *
 * fake_cuda.h - what a test may ask of the fake device, and tell it.
 *
 * In: which call shall fail and how, how slow the streams are, which byte is
 * hurt on its way. Out: counts of calls and of what is alive. Streams are
 * threads, and copies happen later, in order, after delays from a seed.
 *
 * Invariant: misuse that CUDA would answer with a wild device ends the program
 * with a text: a pointer of the wrong kind, a copy out of bounds, memory given
 * back or rewritten under a copy, a stream destroyed with work in it, a dead
 * handle. Device memory cannot be touched by the host but through
 * fake_cuda_bytes. The fake never calls malloc, so that a test may make that
 * fail. The state is one struct that fake_cuda_reset empties, as CUDA's own
 * interface leaves no other place for it.
 */
#ifndef FAKE_CUDA_H
#define FAKE_CUDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The calls that can fail, each a kind. */
enum fake_call {
    FAKE_ANY = 0,
    FAKE_GET_DEVICE,
    FAKE_SET_DEVICE,
    FAKE_ATTRIBUTE,
    FAKE_MALLOC,
    FAKE_FREE,
    FAKE_MANAGED,
    FAKE_HOST_ALLOC,
    FAKE_FREE_HOST,
    FAKE_REGISTER,
    FAKE_UNREGISTER,
    FAKE_DEVICE_POINTER,
    FAKE_STREAM_CREATE,
    FAKE_STREAM_DESTROY,
    FAKE_STREAM_SYNC,
    FAKE_STREAM_WAIT,
    FAKE_EVENT_CREATE,
    FAKE_EVENT_RECORD,
    FAKE_EVENT_SYNC,
    FAKE_EVENT_QUERY,
    FAKE_EVENT_DESTROY,
    FAKE_COPY_NOW,
    FAKE_COPY,
    FAKE_FILL,
    FAKE_ATTACH,
    FAKE_LAUNCH,
    FAKE_CALLS
};

/* CUDA's name of it ("cudaMalloc"). */
const char *fake_cuda_name(enum fake_call call);

struct fake_plan {
    uint32_t seed;
    uint32_t delay_us; /* before each of a stream's works, at most */
    /* The fail_at-th call of this kind fails, counted from 1; 0: none. One that
     * gives back, or waits, does so and fails then, as CUDA's do that tell of
     * what failed before. */
    enum fake_call fail;
    uint32_t fail_at;
    /* The device is lost with it: no later work is done, every later call
     * fails, though what gives back does. */
    bool lost;
    /* The device is lost within the lose_at-th work of all streams, 0: none;
     * the calls that come next tell it. */
    uint32_t lose_at;
    /* A copy to this byte of device memory flips its lowest bit. */
    const void *flip;
    int attributes[128]; /* by enum cudaDeviceAttr */
};

struct fake_counts {
    uint32_t calls[FAKE_CALLS]; /* of each kind; [FAKE_ANY]: of all */
    enum fake_call failed;      /* the call that failed first, or FAKE_ANY */
    int error;                  /* cudaError_t of it */
    uint32_t works;             /* done by streams */
    uint32_t elsewhere; /* ... asked for by a thread with another device */
    uint32_t pageable;  /* copies from or to memory not pinned */
    uint32_t device;    /* what is alive */
    uint32_t managed;
    uint32_t pinned;
    uint32_t registered;
    uint32_t streams;
    uint32_t events;
    uint64_t pinned_bytes; /* with the registered ones */
    uint64_t pinned_most;
};

/* Forgets all counts and begins anew. Nothing may be alive: ends the program
 * otherwise, and tells what is. NULL: all zero. */
void fake_cuda_reset(const struct fake_plan *plan);

/* Forgets what was called, and goes on after another plan, while things are
 * alive and nothing is under way. */
void fake_cuda_plan(const struct fake_plan *plan);

/* The counts since the reset. */
struct fake_counts fake_cuda_counts(void);

/* What is alive, in all; a caller's stream and memory are, too. */
uint32_t fake_cuda_alive(void);

/* How many allocations are on this device. */
uint32_t fake_cuda_of_device(int device);

/* Where the byte that has this address on the device lies. */
uint8_t *fake_cuda_bytes(const void *device);

/* Streams do this many more works and stop then, until told again;
 * UINT32_MAX, which a reset sets: all. */
void fake_cuda_allow(uint32_t works);

/* The thread is within a call that starts a thread of the fake's own. */
bool fake_cuda_is_inside(void);

#endif
