/* SPDX-License-Identifier: MIT
 *
 * stfile.h - one safetensors file: its header at once, its bytes on demand.
 *
 * In: a path. Out: the header, checked whole; later, any range of a tensor. A
 * lock (lockfile.h) stands for the file that it was made from, as long as no
 * byte of a tensor is wanted.
 * Invariant: opening reads the header and nothing else; payload is read with
 * pread, so that a file that shrinks is an error and no signal.
 */
#ifndef TTSW_STFILE_H
#define TTSW_STFILE_H

#include <sys/types.h>
#include <time.h>

#include "diag.h"
#include "safetensors.h"

/* To tell whether a file changed since it was opened. */
struct file_stamp {
    off_t size;
    struct timespec modified, changed;
};

struct stfile {
    struct str path; /* as messages show it; NUL-terminated */
    int fd;
    uint64_t size;
    struct file_stamp stamp;
    struct st_header header;
    bool is_lock;
    uint8_t (*digests)[16]; /* of a lock's tensors, or NULL */
};

/* Opens and checks. False after a finding (E0701 or E0703 for a bad file,
 * E0710 for a bad lock, E0705 for a system error); then nothing is left open.
 * Links are followed. */
bool stfile_open(struct arena *a, struct diag *d, struct str path,
                 struct stfile *out);

/* Closes a file that is open; does nothing to one that is closed. */
void stfile_close(struct stfile *f);

/* Reads size bytes at `offset` of a tensor's data. 0, or an errno (ENODATA if
 * the file ends before; ENOTSUP of a lock). Callable from any thread. */
int stfile_read(const struct stfile *f, const struct st_tensor *tensor,
                uint64_t offset, void *out, size_t size);

/* Whether the file's size or times differ from those at open. */
bool stfile_changed(const struct stfile *f);

/* Reads size bytes at an offset of a file. 0, or an errno (ENODATA if the
 * file ends before). */
int read_exactly(int fd, uint64_t offset, void *out, size_t size);

#endif
