/* SPDX-License-Identifier: MIT
 *
 * ttsb_cuda.h - puts an open blob on a CUDA device.
 *
 *     struct ttsb_cuda_image *image;
 *     if (ttsb_cuda_upload(blob, &image, &error) != TTSB_OK)
 *         return fail(error.text);
 *     bind(blob, ttsb_cuda_bases(image), &weights);
 *     ...
 *     ttsb_cuda_release(image);
 *
 * In: a blob. Out: one address for each group; a tensor's is base plus
 * group_offset. Invariant: a device group's bytes are those of the file, none
 * is repaired or converted; a host group is not copied. The library ttsb_cuda
 * needs ttsb and the CUDA runtime.
 */
#ifndef TTSB_CUDA_H
#define TTSB_CUDA_H

#include "ttsb.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The groups of one blob on one device. Reading it is thread-safe. */
struct ttsb_cuda_image;

/* Copies each device group into one allocation on the calling thread's current
 * device and waits until all bytes are there, so that any stream may read them.
 * The image is the caller's, who gives it to ttsb_cuda_release before or after
 * ttsb_close; a host group's base is its address in the blob and ends with the
 * blob. *image is NULL on failure, and nothing is left on the device. Fails
 * with TTSB_BAD_ARGUMENT (a NULL), TTSB_NO_MEMORY (on the host),
 * TTSB_DEVICE_MEMORY and TTSB_DEVICE_COPY; of the last two error->field is the
 * CUDA call and error->text has CUDA's own words. */
TTSB_API int32_t ttsb_cuda_upload(const struct ttsb_blob *blob,
                                  struct ttsb_cuda_image **image,
                                  struct ttsb_error *error);

/* One address for each group, in the order of their indices; NULL for a group
 * of size 0. The array is the image's and lives as long. Cannot fail; NULL for
 * NULL. */
TTSB_API const void *const *
ttsb_cuda_bases(const struct ttsb_cuda_image *image);

/* Gives the device's memory and the image back. No kernel may be reading it.
 * NULL is fine. Cannot fail: what the device says about it is not told. */
TTSB_API void ttsb_cuda_release(struct ttsb_cuda_image *image);

#ifdef __cplusplus
}
#endif

#endif
