/* SPDX-License-Identifier: MIT
 *
 * cuda_internal.h - what the files of the upload share.
 *
 * In: a blob's device groups, cut into chunks of a slot's size and numbered in
 * the file's order. Chunk n goes through slot n % slots: a reader fills the
 * slot, waits for its turn, and puts the copy on the stream; the conductor
 * waits for the copies' ends, one after the other, proves them and tells
 * whoever waits.
 *
 * Invariant: next >= submitted >= finished >= proven, next - finished <= slots,
 * and all that changes after the start stands behind the image's lock. No
 * callback and no CUDA call that may block runs with the lock held. What has
 * failed first is the image's status for ever.
 */
#ifndef TTSB_CUDA_INTERNAL_H
#define TTSB_CUDA_INTERNAL_H

#include <cuda_runtime_api.h>
#include <pthread.h>
#include <stdbool.h>

#include "ttsb_cuda.h"

/* No struct of any version is larger, as in libttsb. */
#define TTSB__CUDA_STRUCT 4096

#define TTSB__CUDA_SLOTS 64
#define TTSB__CUDA_THREADS 64

struct ttsb__cuda_group {
    const uint8_t *data; /* in the blob */
    uint64_t offset;     /* in the file */
    uint64_t size;       /* that goes to the device; 0 of a host group */
    uint64_t end_chunk;  /* behind its last one */
    uint64_t align;
    uint8_t *memory; /* on the device */
    uint8_t *owned;  /* what we allocated for it, or NULL */
    void (*give_back)(struct ttsb_cuda_image *image, uint32_t group);
};

struct ttsb__cuda_chunk {
    uint64_t number;
    uint32_t group;
    bool last;      /* of its group */
    uint64_t start; /* in the group */
    uint64_t size;
};

/* Pinned memory, or of REGISTER the pinned window of the mapping. */
struct ttsb__cuda_slot {
    uint8_t *bytes;
    void *window;
    cudaEvent_t done; /* of the copy that used it last */
};

struct ttsb__cuda_proof;

struct ttsb_cuda_image {
    /* Fixed once the upload has begun. */
    struct ttsb_blob *blob;
    struct ttsb_cuda_options options; /* with the defaults filled in */
    struct ttsb_cuda_allocator allocator;
    struct ttsb__cuda_group *groups;
    const void **bases;
    uint32_t group_count;
    uint32_t path; /* that was chosen */
    int device;
    int fd; /* of options.file, or -1 */
    bool own_stream;
    cudaStream_t stream;
    uint8_t *pinned;
    uint64_t chunks;
    uint64_t bytes;
    uint64_t begun_ns;
    struct ttsb__cuda_proof *proof; /* the conductor's; NULL without VERIFY */
    pthread_t conductor;
    bool conducted; /* `conductor` is a thread to join */
    /* A slot is its reader's until it is submitted, then the conductor's. */
    struct ttsb__cuda_slot slots[TTSB__CUDA_SLOTS];

    uint32_t users; /* atomic: who uploaded, and tensors of DLPack */

    pthread_mutex_t lock;
    pthread_cond_t moved; /* for the upload's own threads */
    pthread_cond_t told;  /* for callers that wait */
    uint64_t next;        /* chunks that a reader has taken */
    uint64_t submitted;   /* ... whose copy is on the stream */
    uint64_t finished;    /* ... whose copy is done */
    uint64_t proven;      /* ... that are the caller's */
    int32_t status;
    struct ttsb_error error; /* of `status` */
    struct ttsb_cuda_report report;
};

/* ---- cuda_error.c ---- */

/* Fills *error, unless it is NULL, and returns `status`; `words` are what the
 * call said, or NULL. */
int32_t ttsb__cuda_fail(struct ttsb_error *error, int32_t status,
                        const char *call, const char *words);

/* TTSB_OK, or `status` with what CUDA says. */
int32_t ttsb__cuda_check(cudaError_t result, int32_t status, const char *call,
                         struct ttsb_error *error);

/* What nobody can be told of, as of what gives back. CUDA keeps it for the
 * thread otherwise, and the caller's next launch would find it. */
void ttsb__cuda_forget(cudaError_t result);

/* TTSB_BAD_ARGUMENT. */
int32_t ttsb__cuda_bad(struct ttsb_error *error, const char *argument);

/* `status` with errno's words. */
int32_t ttsb__cuda_system(struct ttsb_error *error, int32_t status,
                          const char *call, int cause);

/* Copies *value, whose struct_size is not set, to the caller's struct. */
void ttsb__cuda_tell(struct ttsb_error *error, const struct ttsb_error *value);

/* Nanoseconds of a clock that only runs forward. */
uint64_t ttsb__cuda_now(void);

/* ---- cuda.c ---- */

/* One user less; the last one gives all back. */
void ttsb__cuda_drop(struct ttsb_cuda_image *image);

/* Makes the image's device the current one and returns which was, for
 * ttsb__cuda_leave. */
int ttsb__cuda_enter(const struct ttsb_cuda_image *image);
void ttsb__cuda_leave(const struct ttsb_cuda_image *image, int before);

/* ---- cuda_options.c ---- */

/* Takes the caller's options, or NULL, and fills in the defaults. */
int32_t ttsb__cuda_options(const struct ttsb_cuda_options *options,
                           struct ttsb_cuda_options *o,
                           struct ttsb_error *error);

/* ---- cuda_memory.c ---- */

/* One allocation for each group that has bytes for the device, and the bases.
 * What was made is in the groups when it fails. */
int32_t ttsb__cuda_allocate(struct ttsb_cuda_image *image,
                            struct ttsb_error *error);
void ttsb__cuda_give_back(struct ttsb_cuda_image *image);

/* ---- cuda_fill.c ---- */

/* Opens options.file and compares it with the blob. */
int32_t ttsb__cuda_open_file(struct ttsb_cuda_image *image,
                             struct ttsb_error *error);

/* Chooses image->path. */
int32_t ttsb__cuda_choose(struct ttsb_cuda_image *image,
                          struct ttsb_error *error);

/* Makes the chunk's bytes ready to be copied out of its slot, or, of UNIFIED,
 * puts them where they belong. */
int32_t ttsb__cuda_fill(struct ttsb_cuda_image *image,
                        const struct ttsb__cuda_chunk *chunk,
                        struct ttsb_error *error);

/* ---- cuda_ring.c ---- */

/* The stream, the pinned memory and the events. What was made is in the image
 * when it fails. */
int32_t ttsb__cuda_ring_open(struct ttsb_cuda_image *image,
                             struct ttsb_error *error);

/* Waits for what is on the stream and gives all back. */
void ttsb__cuda_ring_close(struct ttsb_cuda_image *image);

/* The slot that the chunk goes through. */
struct ttsb__cuda_slot *ttsb__cuda_slot(struct ttsb_cuda_image *image,
                                        uint64_t chunk);

/* Runs the upload to its end and gives back what only the upload needed. */
void ttsb__cuda_conduct(struct ttsb_cuda_image *image);

/* Ends the upload with this failure, if it is the first and not all is there
 * already. */
void ttsb__cuda_stop(struct ttsb_cuda_image *image,
                     const struct ttsb_error *error);

/* ---- cuda_verify.c ---- */

/* Makes a table of the pieces of all device groups and sends it to the device.
 * `stream` is the caller's, or NULL: one of its own. */
int32_t ttsb__cuda_proof_open(struct ttsb_cuda_image *image, void *stream,
                              struct ttsb__cuda_proof **proof,
                              struct ttsb_error *error);

/* The chunk is on the device, after all before it: hashes what is whole, and,
 * behind a group's last chunk, waits and tells whether the group is sound. */
int32_t ttsb__cuda_prove(struct ttsb_cuda_image *image,
                         const struct ttsb__cuda_chunk *chunk,
                         struct ttsb_error *error);

/* Whether what lies between pieces is zero in the chunk's `bytes`, which are on
 * the host. From any thread. */
int32_t ttsb__cuda_check_padding(const struct ttsb_cuda_image *image,
                                 const struct ttsb__cuda_chunk *chunk,
                                 const uint8_t *bytes,
                                 struct ttsb_error *error);

/* Host memory that it has pinned. */
uint64_t ttsb__cuda_proof_pinned(const struct ttsb__cuda_proof *proof);

/* Pieces that were proven so far. */
uint64_t ttsb__cuda_proof_pieces(const struct ttsb__cuda_proof *proof);

void ttsb__cuda_proof_close(struct ttsb__cuda_proof *proof);

#endif
