/* SPDX-License-Identifier: MIT
 *
 * zip.h - the members of a zip archive, as numpy.savez writes one.
 *
 * In: an open file. Out: the members that its central directory lists; later,
 * any range of a member's bytes. Invariant: directory and local headers agree;
 * members do not overlap each other or the directory; names are UTF-8 and
 * unique; a member is stored or deflated. A name is never used as a path.
 */
#ifndef TTSW_ZIP_H
#define TTSW_ZIP_H

#include "arena.h"

struct zip_stream;

struct zip_member {
    struct str name;
    uint32_t method; /* 0 stored, 8 deflated */
    uint32_t crc;
    uint64_t size;       /* in the archive, bytes */
    uint64_t plain_size; /* unpacked */
    uint64_t header;     /* of the local header, in the file */
    uint64_t data;       /* of the first packed byte, in the file */
    struct zip_stream *stream;
};

struct zip {
    int fd; /* the caller's */
    uint64_t size;
    struct zip_member *members; /* in the order of the directory */
    size_t count;
};

struct zip_error {
    int error;       /* an errno where reading failed; else 0 */
    uint64_t offset; /* in the file */
    char text[200];  /* one sentence without a full stop, printable ASCII */
};

/* Reads the directory of a file of `size` bytes and every local header. False
 * with *error; then nothing needs to be closed. */
bool zip_open(struct arena *a, int fd, uint64_t size, struct zip *out,
              struct zip_error *error);

/* Reads unpacked bytes [offset, offset + size) of member i, which has them. 0,
 * or an errno: ENODATA if the file ends before, EBADMSG if what is unpacked is
 * damaged. The CRC is looked at when a member was read from its first byte to
 * its last. Callable from any thread; members that are read in order of their
 * bytes are unpacked once. */
int zip_read(const struct zip *z, size_t i, uint64_t offset, void *out,
             size_t size);

/* Gives back the memory that reading member i took; reading takes it again. */
void zip_rest(const struct zip *z, size_t i);

/* Gives back the streams; the file stays open. */
void zip_close(struct zip *z);

#endif
