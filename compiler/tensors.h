/* SPDX-License-Identifier: MIT
 *
 * tensors.h - the tensors of any file that ttswc looks at.
 *
 * In: paths: one blob, or what checkpoint_open takes (a safetensors file,
 * several, a folder, an index, a lock), or an .npy or .npz file. Out: one list
 * of names, dtypes, shapes and sizes; later, any range of a tensor's bytes.
 * Invariant: opening reads headers only; whoever compares, counts or lists does
 * not know which kind of file it was.
 */
#ifndef TTSW_TENSORS_H
#define TTSW_TENSORS_H

#include "checkpoint.h"
#include "ttsb.h"

enum tensors_kind {
    TENSORS_SAFETENSORS,
    TENSORS_BLOB,
    TENSORS_NPY,
    TENSORS_NPZ
};

struct arrays;

struct tensor {
    struct str name;
    enum ttsb_dtype dtype;
    uint32_t rank;
    const uint64_t *dims;
    uint64_t elements, size; /* size: bytes */
    uint64_t offset;         /* in its file */
    struct str file;         /* path */
    uint32_t number;         /* in its file: what reading needs */
    uint32_t flags;          /* TTSB_RECORD_...; of a blob */
    uint32_t group;          /* of a blob */
    uint32_t alias_of;       /* of a blob; TTSB_NO_TENSOR: none */
    bool has_values;         /* not absent, not missing, no lock */
    const uint8_t *digest;   /* of a lock that has them, or NULL */
};

/* Zero-initialised: nothing is open. */
struct tensors {
    enum tensors_kind kind;
    struct tensor *p; /* in file order */
    size_t n;
    struct checkpoint checkpoint;
    struct ttsb_blob *blob;
    int fd;                /* of the blob */
    struct arrays *arrays; /* of an .npy or .npz file */
};

/* False after findings (E0701 to E0703, E0705, E0706, E0710, E0711); then
 * nothing is left open. A blob may be PARTIAL. It is proved to be sound, but
 * its payload is not verified. */
bool tensors_open(struct arena *a, struct diag *d, const struct str *paths,
                  size_t count, struct tensors *out);

/* Reads bytes [offset, offset + size) of tensor i, which has values. 0, or an
 * errno (ENODATA if the file ends before, EBADMSG if an archive's packed bytes
 * are damaged). Callable from any thread. */
int tensors_read(const struct tensors *t, size_t i, uint64_t offset, void *out,
                 size_t size);

/* False after a finding (E0703) for each lock among the files. */
bool tensors_have_values(struct diag *d, const struct tensors *t);

/* Whether the system failed, and not the blob. */
bool tensors_system_error(const struct ttsb_error *e);

/* Adds what libttsb said of a file: E0706, or E0705 for a system's error. */
void tensors_blob_error(struct diag *d, struct str path,
                        const struct ttsb_error *e);

/* Closes what is open. */
void tensors_close(struct tensors *t);

/* Whether the file at a path begins like a blob. */
bool tensors_is_blob(const char *path);

#endif
