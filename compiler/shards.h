/* SPDX-License-Identifier: MIT
 *
 * shards.h - what one argument of the command line means: files.
 *
 * In: the path of a safetensors file, of a folder or of an index
 * (NAME.safetensors.index.json). Out: the files to open, in the order of
 * their names, and what the index says of their tensors. Invariant: an index
 * is believed about nothing: each file and each tensor is there exactly where
 * it says, and no other.
 *
 * A folder with one index stands for that index and must hold no other
 * .safetensors file; without an index, for all its .safetensors files. As with
 * a shell's `*`, a name that begins with a dot is not one of them. An index
 * must leave out no .safetensors file beside it that begins with its own name
 * and a `-`. Links are followed, but files are looked for where the link
 * stands, as the caches of model hubs need it.
 *
 * `metadata.total_size` of an index is not looked at: writers count tied
 * tensors once, twice or by parameters, so that it is wrong in good
 * checkpoints; and the headers say all sizes.
 */
#ifndef TTSW_SHARDS_H
#define TTSW_SHARDS_H

#include "diag.h"
#include "stfile.h"

#define SHARDS_MAX_INDEX UINT64_C(100000000) /* bytes */

/* A tensor and the shard that an index puts it in. */
struct shard_entry {
    struct str name;
    uint32_t shard; /* in shard_set.paths */
};

/* A folder that was listed, and the XXH3-128 of the names that count in it:
 * those of safetensors files and of indexes. */
struct shard_folder {
    struct str path; /* NUL-terminated */
    uint8_t names[16];
};

struct shard_set {
    struct str *paths; /* NUL-terminated */
    size_t count;
    struct shard_folder folder; /* path empty: none was listed */
    struct str index;           /* its path; empty: there is none */
    struct shard_entry *entries;
    size_t entry_count;
};

/* Finds the files of an argument. A path that is neither a folder nor an
 * index is a file, there or not. False after a finding (E0702; E0705 for a
 * folder or index that cannot be read). */
bool shards_find(struct arena *a, struct diag *d, struct str argument,
                 struct shard_set *out);

/* Lists out->path anew. False if that cannot be done. */
bool shards_list(struct arena *a, struct shard_folder *out);

/* Whether the index's tensors are those of the files, which are `s->paths`,
 * opened; true without an index. False after findings (E0702), one for each
 * way to disagree. */
bool shards_agree(struct arena *a, struct diag *d, const struct shard_set *s,
                  const struct stfile *files);

/* Sorts names and moves one of each to the front. How many these are. */
size_t shards_distinct(struct str *names, size_t count);

/* "`a`, `b`, `c` and 9 more"; sorts the names. */
struct str shards_names(struct arena *a, struct str *names, size_t count);

#endif
