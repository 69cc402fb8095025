/* SPDX-License-Identifier: MIT
 *
 * ttsb_cuda.h - puts an open blob on a CUDA device, and proves it there.
 *
 *     struct ttsb_cuda_options options = {.struct_size = sizeof(options),
 *                                         .flags = TTSB_CUDA_VERIFY};
 *     struct ttsb_cuda_image *image;
 *     if (ttsb_cuda_upload(blob, &options, &image, &error) != TTSB_OK)
 *         return fail(error.text);
 *     MODEL_bind(blob, ttsb_cuda_bases(image), &weights);
 *     ...
 *     ttsb_cuda_release(image);
 *
 * In: a blob. Out: one address for each group; a tensor's is base plus
 * group_offset. Invariant: a device group's bytes are those of the file, none
 * is repaired or converted; a host group is not copied. The library ttsb_cuda
 * needs ttsb and the CUDA runtime.
 *
 * How: one allocation for each device group. Threads fill a ring of pinned
 * slots, one stream copies them in the file's order; so groups become ready in
 * order, and the host memory that is taken does not grow with the model.
 */
#ifndef TTSB_CUDA_H
#define TTSB_CUDA_H

#include "ttsb.h"

#ifdef __cplusplus
extern "C" {
/* As in ttsb.h: a function and its struct have one name. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif

/* The groups of one blob on one device. */
struct ttsb_cuda_image;

/* ttsb_cuda_upload returns when all is allocated and the copy is under way;
 * ttsb_cuda_wait_group and ttsb_cuda_wait tell when it is there. If the system
 * gives no thread, all is done when the call returns. */
#define TTSB_CUDA_ASYNC UINT32_C(1)
/* The device hashes each piece of the finished image and compares it with the
 * blob's table, while what follows is copied. A group is ready when it is
 * proven, too. The padding is proven on the host, on its way. */
#define TTSB_CUDA_VERIFY UINT32_C(2)

/* How the bytes go to the device. AUTO is UNIFIED on an integrated device,
 * unless memory or an allocator is given; else, with options.file, DIRECT if
 * most of its pages are not in memory, and READ if they are; else MAPPED.
 * DIRECT becomes READ where the file's system refuses O_DIRECT. report.path
 * tells what came of it. All other failures are failures. */
enum ttsb_cuda_path {
    TTSB_CUDA_AUTO = 0,   /* chosen when the upload begins; see report */
    TTSB_CUDA_MAPPED = 1, /* ring, filled from the blob's mapping */
    TTSB_CUDA_READ = 2,   /* ring, filled by pread through the page cache */
    TTSB_CUDA_DIRECT = 3, /* ring, filled by pread around it (O_DIRECT) */
    /* Windows of a slot's size of the mapping, pinned, copied, unpinned: takes
     * no memory, and pinning costs more than copying. Not of a blob that begins
     * within a page, not twice at a time of one blob, and only on a device with
     * cudaDevAttrHostRegisterReadOnlySupported (else TTSB_DEVICE_CALL). */
    TTSB_CUDA_REGISTER = 4,
    /* Into memory that host and device share (cudaMallocManaged, unless it is
     * the caller's), from the file if it is given. */
    TTSB_CUDA_UNIFIED = 5
};

/* Where device memory comes from, if not from cudaMalloc. Called from the
 * thread that calls ttsb_cuda_upload; NULL from `allocate` is
 * TTSB_DEVICE_MEMORY. `release` is called for each of them by
 * ttsb_cuda_release, or by an upload that fails. */
struct ttsb_cuda_allocator {
    void *(*allocate)(void *user, uint32_t group, uint64_t size,
                      uint64_t align);
    void (*release)(void *user, uint32_t group, void *memory);
    void *user;
};

/* All may go when ttsb_cuda_upload has returned, but `stream` and what `user`
 * points to, which stay until ttsb_cuda_wait has returned TTSB_OK or the image
 * is released, and device memory and the allocator's `user`, which stay as long
 * as the image. */
struct ttsb_cuda_options {
    uint32_t struct_size;
    uint32_t flags;     /* TTSB_CUDA_..., or-ed */
    uint32_t path;      /* enum ttsb_cuda_path */
    uint32_t slots;     /* of pinned memory, 2 to 64; 0: 8 */
    uint64_t slot_size; /* bytes, a multiple of 65,536 up to 1 GiB; 0: 2 MiB */
    uint32_t threads;   /* that fill slots, 1 to 64; 0: processors, 6 at most */
    uint32_t reserved;  /* 0 */
    /* A cudaStream_t of the current device, for the copies. NULL: one of ours,
     * which waits for no other, not for the default stream either (that is
     * cudaStreamLegacy here). Not cudaStreamPerThread. */
    void *stream;
    /* The file the blob was opened from, for READ and DIRECT, which read it
     * again; it must be a blob of the same root. NULL: AUTO does without those
     * two. */
    const char *file;
    /* By group: the caller's device memory, of the group's size and aligned to
     * 256 (or to group.align if that is more), as what is allocated here is;
     * NULL entries, and a NULL table, leave it to the allocator. What the
     * device still does with this memory, or the allocator's, must be on
     * `stream` or over. With UNIFIED the host must reach it, too. */
    void *const *memory;
    const struct ttsb_cuda_allocator *allocator; /* NULL: cudaMalloc */
    /* Told of the advance, from one of the upload's threads, never from two at
     * a time; anything but 0 cancels the upload (TTSB_CANCELLED). It must not
     * wait for the upload. */
    int (*progress)(void *user, uint64_t bytes_done, uint64_t bytes);
    void *user;
};

/* Begins the upload to the calling thread's current device, and, without
 * TTSB_CUDA_ASYNC, waits for its end. `options` may be NULL for the defaults.
 * *image is the caller's to release, or NULL on failure, and then nothing is
 * left on the device. The image is one more user of the blob (ttsb_retain); a
 * host group's base is its address in the blob.
 *
 * Fails with TTSB_BAD_ARGUMENT (a NULL, an option out of its range, memory that
 * is not aligned), TTSB_NO_MEMORY (on the host; pinned, too),
 * TTSB_DEVICE_MEMORY, TTSB_DEVICE_CALL, TTSB_DEVICE_COPY; of options.file with
 * TTSB_WRONG_FILE, TTSB_SYSTEM_OPEN and what else of the system's group
 * ttsb_open_fd returns; and, unless ASYNC, with what ttsb_cuda_wait can
 * return. */
TTSB_API int32_t ttsb_cuda_upload(struct ttsb_blob *blob,
                                  const struct ttsb_cuda_options *options,
                                  struct ttsb_cuda_image **image,
                                  struct ttsb_error *error);

/* Waits until this group's bytes are on the device, and proven if VERIFY was
 * asked for; any stream may then read them. Groups become ready in the order
 * of their indices. After a failure every call returns it, the first that
 * there was, of groups that were ready as well. Fails with TTSB_BAD_ARGUMENT,
 * TTSB_OUT_OF_RANGE, TTSB_DEVICE_COPY and TTSB_DEVICE_CALL (error->field is the
 * CUDA call and error->text has CUDA's own words), TTSB_SYSTEM_READ,
 * TTSB_CANCELLED, and, with VERIFY, TTSB_DAMAGED_PIECE (names the tensors of
 * the group) and TTSB_DAMAGED_PADDING. */
TTSB_API int32_t ttsb_cuda_wait_group(struct ttsb_cuda_image *image,
                                      uint32_t group, struct ttsb_error *error);

/* The same for all groups. */
TTSB_API int32_t ttsb_cuda_wait(struct ttsb_cuda_image *image,
                                struct ttsb_error *error);

/* Ends an upload under way as soon as the slots in flight are done, and does
 * not wait; later waits return TTSB_CANCELLED. One that is complete, or has
 * failed, stays so. From any thread. NULL is fine. */
TTSB_API void ttsb_cuda_cancel(struct ttsb_cuda_image *image);

/* How an upload went. Times are nanoseconds of a clock that only runs forward,
 * counted from the call of ttsb_cuda_upload; those of threads are summed. */
struct ttsb_cuda_report {
    uint32_t struct_size;
    uint32_t path;         /* enum ttsb_cuda_path; never AUTO */
    uint64_t bytes;        /* copied to the device */
    uint64_t pinned_bytes; /* host memory pinned at once, at most */
    uint32_t threads;      /* that filled slots */
    uint32_t slots;
    uint64_t setup_ns;       /* until all was allocated */
    uint64_t fill_ns;        /* threads' time filling slots */
    uint64_t wait_ns;        /* threads' time waiting for a slot's copy */
    uint64_t first_group_ns; /* until the first device group was ready */
    uint64_t copy_ns;        /* until the last copy was done */
    uint64_t verify_ns;      /* what proving took after the last copy */
    uint64_t total_ns;
    uint64_t pieces; /* proven on the device */
};

/* Fails with TTSB_BAD_ARGUMENT; what is not over yet is 0. */
TTSB_API int32_t ttsb_cuda_report(const struct ttsb_cuda_image *image,
                                  struct ttsb_cuda_report *report);

/* One address for each group, in the order of their indices; NULL for a group
 * of size 0. The array is the image's and lives as long. Cannot fail; NULL for
 * NULL. */
TTSB_API const void *const *
ttsb_cuda_bases(const struct ttsb_cuda_image *image);

/* Waits for the upload, hashes the image's pieces on `stream` (a cudaStream_t;
 * NULL: one of ours) and waits for that: at any time, as often as wanted
 * (scrubbing), from any thread. Bit i of `bad` is piece i of the blob: `words`
 * u32, at least (piece_count + 31) / 32 of ttsb_info, or NULL; pieces of host
 * groups are not looked at. Takes 24 bytes a piece on the device and pinned on
 * the host while it runs. Fails with TTSB_BAD_ARGUMENT, TTSB_NO_MEMORY,
 * TTSB_DEVICE_MEMORY, TTSB_DEVICE_COPY, TTSB_DEVICE_CALL, with the upload's
 * failure, and with TTSB_DAMAGED_PIECE: error->text names the first damaged
 * tensors. What is not a piece, the padding, is not read on the device. */
TTSB_API int32_t ttsb_cuda_verify(struct ttsb_cuda_image *image, void *stream,
                                  uint32_t *bad, uint64_t words,
                                  struct ttsb_error *error);

struct DLManagedTensorVersioned;

/* ttsb_dlpack (ttsb_dlpack.h) for the device: a tensor of the image, whose
 * memory stays until the last of them is deleted, also after
 * ttsb_cuda_release. Waits for the tensor's group. Of a host group it is the
 * host's. Fails like ttsb_dlpack and ttsb_cuda_wait_group. */
TTSB_API int32_t ttsb_cuda_dlpack(struct ttsb_cuda_image *image,
                                  uint32_t tensor,
                                  struct DLManagedTensorVersioned **out,
                                  struct ttsb_error *error);

/* Cancels what is under way, waits for it, and gives the device's memory and
 * the image back, the memory when the last tensor of ttsb_cuda_dlpack is
 * deleted. No kernel may be reading it, and no other call on the image may be
 * running. NULL is fine. Cannot fail: what the device says about it is not
 * told. */
TTSB_API void ttsb_cuda_release(struct ttsb_cuda_image *image);

#ifdef __cplusplus
#pragma GCC diagnostic pop
}
#endif

#endif
