/* SPDX-License-Identifier: MIT
 *
 * checkpoint.h - a checkpoint's tensors by name, and their bytes on demand.
 *
 * In: a safetensors file. Out: its header, checked whole; later, any range of
 * its payload. Invariant: opening reads the header and nothing else; payload
 * is read with pread, so that a file that shrinks is an error and no signal.
 */
#ifndef TTSW_CHECKPOINT_H
#define TTSW_CHECKPOINT_H

#include <sys/types.h>
#include <time.h>

#include "diag.h"
#include "nametab.h"
#include "safetensors.h"

/* To tell whether a file changed since it was opened. */
struct file_stamp {
    off_t size;
    struct timespec modified, changed;
};

struct checkpoint {
    struct str path; /* as the user wrote it */
    int fd;
    uint64_t file_size;
    struct file_stamp stamp;
    struct st_header header;
    struct nametab names; /* index into header.tensors */
};

/* Opens and checks. False after a finding (E0701 for a bad file, E0705 for a
 * system error); then nothing is left open. */
bool checkpoint_open(struct arena *a, struct diag *d, struct str path,
                     struct checkpoint *out);

void checkpoint_close(struct checkpoint *c);

/* Reads size bytes at `offset` of tensor `index`'s data. 0, or an errno
 * (ENODATA if the file ends before). Callable from any thread. */
int checkpoint_read(const struct checkpoint *c, uint32_t index, uint64_t offset,
                    void *out, size_t size);

/* Whether the file's size or times differ from those at open. */
bool checkpoint_changed(const struct checkpoint *c);

/* "[3,4]" */
struct str checkpoint_shape(struct arena *a, const struct st_tensor *tensor);

#endif
