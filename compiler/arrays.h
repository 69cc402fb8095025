/* SPDX-License-Identifier: MIT
 *
 * arrays.h - the arrays of an .npy or .npz file as tensors.
 *
 * In: a path. Out: names, dtypes, sizes; later, any range of an array's bytes
 * in row-major order, little endian, whatever the file has. Invariant: opening
 * reads headers only; an array that is stored in Fortran order is turned in
 * memory when it is first read, any other is read as it stands.
 */
#ifndef TTSW_ARRAYS_H
#define TTSW_ARRAYS_H

#include "tensors.h"

/* Of an array in Fortran order, which is held whole. */
#define ARRAYS_MAX_TURNED (UINT64_C(1) << 30)

/* Whether the file at a path begins like an .npy file, or is a zip archive
 * whose first member is called *.npy or that is called *.npz itself. */
bool arrays_is_file(const char *path);

/* Fills out's kind, tensors and arrays. An .npy file's array has the file's
 * name without folder and `.npy`, a member that of the member without `.npy`.
 * False after E0705 or E0711; then nothing is left open. */
bool arrays_open(struct arena *a, struct diag *d, struct str path,
                 struct tensors *out);

/* As tensors_read; EFBIG for an array in Fortran order of more than
 * ARRAYS_MAX_TURNED bytes. */
int arrays_read(struct arrays *x, size_t i, uint64_t offset, void *out,
                size_t size);

void arrays_close(struct arrays *x);

#endif
