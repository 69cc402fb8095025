/* SPDX-License-Identifier: MIT
 *
 * outfile.h - a file that appears whole or not at all.
 *
 * In: a path and bytes at offsets. Out: after outfile_commit the new file
 * stands under its name and survives a power cut; before, and after any
 * failure or kill, the old one does. Invariant: nothing of ours is left
 * behind, but after a kill at the wrong moment one file named
 * `.NAME.ttswc-tmp` (or by a hash of a very long NAME), which the next run
 * removes. A link as target is followed, also to a
 * file that is not there yet.
 */
#ifndef TTSW_OUTFILE_H
#define TTSW_OUTFILE_H

#include "arena.h"
#include "str.h"

struct outfile {
    struct str path;      /* the target */
    struct str directory; /* it lies in */
    struct str temporary; /* beside it */
    int fd, directory_fd;
    bool named; /* the temporary has its name already */
};

/* What to say of an errno of these functions. */
const char *outfile_error(int error);

/* The file that writing to `path` replaces: links are followed, whether or not
 * the last one's file is there. 0, ELOOP or ENAMETOOLONG. */
int outfile_target(struct arena *a, struct str path, struct str *out);

/* Opens an empty temporary. With `unnamed` it has no name where the file
 * system can do that. 0, or an errno (EWOULDBLOCK: another run writes the
 * same target; EISDIR: the target is no regular file). */
int outfile_open(struct arena *a, struct str path, bool unnamed,
                 struct outfile *out);

/* Sets the size and reserves the blocks. 0 or an errno. */
int outfile_resize(struct outfile *o, uint64_t size);

/* Writes all bytes at an offset; from any thread. 0 or an errno. */
int outfile_write(const struct outfile *o, uint64_t offset, const void *data,
                  size_t size);

/* Syncs, renames over the target, syncs the directory, closes. On an errno
 * the file is discarded. */
int outfile_commit(struct outfile *o);

/* Closes and removes the temporary. */
void outfile_discard(struct outfile *o);

/* Writes a whole small file in this way. 0 or an errno. */
int outfile_write_text(struct arena *a, struct str path, struct str text);

#endif
