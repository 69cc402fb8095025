/* SPDX-License-Identifier: MIT
 *
 * lockfile.h - names, dtypes and shapes of a checkpoint as lines of text.
 *
 * In: tensors, or the text of a lock. Out: the text, or tensors. Invariant: a
 * list of tensors has one spelling (specs/README.md section 17), so that two
 * locks without comments are equal if and only if what they say is.
 */
#ifndef TTSW_LOCKFILE_H
#define TTSW_LOCKFILE_H

#include "diag.h"
#include "safetensors.h"
#include "text.h"

/* How a lock begins; as the length of a safetensors header these 8 bytes are
 * beyond every limit. */
#define LOCK_MAGIC "ttsw-lock"
#define LOCK_MAGIC_SIZE 9

#define LOCK_DIGEST_SIZE 16

/* What a lock says. Tensors are in the order of the text, which is that of
 * their names, and `begin` and `end` are as if their data lay so; data_start is
 * 0, and header_offset is where a line begins. */
struct lock {
    struct st_header header;
    uint8_t (*digests)[LOCK_DIGEST_SIZE]; /* of each tensor, or NULL */
};

/* Whether a file that begins with these n bytes is meant to be a lock. */
bool lockfile_is(const void *first, size_t n);

/* Whether the file at a path begins so. */
bool lockfile_at(const char *path);

/* Parses the text of a lock. False after a finding, E0710, at the line. */
bool lockfile_parse(struct arena *a, struct diag *d, struct str path,
                    struct str text, struct lock *out);

/* Appends a name as a lock has it: printable ASCII, in quotes where it needs
 * them. The name is UTF-8. */
void lockfile_put_name(struct text *t, struct str name);

/* Appends the first line. */
void lockfile_begin(struct text *t);

/* Appends the line of a tensor, of which name, dtype and shape are read;
 * `digest` may be NULL. The caller goes by name (str_order). */
void lockfile_put(struct text *t, const struct st_tensor *x,
                  const uint8_t *digest);

#endif
