/* SPDX-License-Identifier: MIT
 *
 * checkpoint.h - the tensors of all files of all sources, by name.
 *
 * In: safetensors files. Out: one array of tensors; a tensor's index in it is
 * its number everywhere. Invariant: the tensors of a source are neighbours,
 * those of a file are too, and are in the order of their data; in a source no
 * name stands twice.
 */
#ifndef TTSW_CHECKPOINT_H
#define TTSW_CHECKPOINT_H

#include "nametab.h"
#include "stfile.h"

/* Where a tensor is. */
struct tensor_place {
    uint32_t file, source;
};

/* What the command line says of a source. */
struct source_arguments {
    struct str id;
    const struct str *paths; /* files, folders, indexes: see shards.h */
    size_t count;
};

struct checkpoint_source {
    struct str id;
    uint32_t first_file, file_count;
    uint32_t first, count; /* tensors */
    struct nametab names;  /* to a tensor's index */
};

/* Zero-initialised: nothing is open. */
struct checkpoint {
    struct stfile *files; /* those of a source are neighbours */
    size_t file_count;
    struct str *indexes; /* paths of the indexes that were read */
    size_t index_count;
    struct shard_folder *folders; /* that were listed */
    size_t folder_count;
    struct checkpoint_source *sources;
    size_t source_count;
    struct st_tensor *tensors; /* `begin` and `end` are in their file */
    struct tensor_place *places;
    size_t count; /* tensors */
};

/* Opens the files of `count` sources and checks them: each file, the files
 * against an index, names within a source. Each source has an argument or
 * more. False after findings: E0702, and
 * E0701, E0703, E0705, E0710 as stfile_open; then nothing is left open. At most
 * CHECKPOINT_MAX_FILES files, since each stays open. */
#define CHECKPOINT_MAX_FILES 1000
bool checkpoint_open(struct arena *a, struct diag *d,
                     const struct source_arguments *sources, size_t count,
                     struct checkpoint *out);

/* Fills tensors, places and the sources' names from the files' headers and
 * the sources' files. False after a finding: E0702 for a name that is in two
 * files of a source. */
bool checkpoint_join(struct arena *a, struct diag *d, struct checkpoint *c);

/* False after a finding (E0703) for each file that is a lock: what is done
 * here needs weights. */
bool checkpoint_has_values(struct diag *d, const struct checkpoint *c);

/* Closes all files that are open. */
void checkpoint_close(struct checkpoint *c);

/* Whether a source has a tensor of this name; *index is its number. */
bool checkpoint_find(const struct checkpoint *c, uint32_t source,
                     struct str name, uint32_t *index);

/* The path of a tensor's file, as messages show it. */
struct str checkpoint_path(const struct checkpoint *c, uint32_t index);

/* "the checkpoint", or "the checkpoint `gpt`" where there are several. */
struct str checkpoint_called(struct arena *a, const struct checkpoint *c,
                             uint32_t source);

/* "model.safetensors: `fc` is F32 [3,4] (header byte 96)"; of a lock the byte
 * is one of the whole file. */
struct str checkpoint_tensor_text(struct arena *a, const struct checkpoint *c,
                                  uint32_t index);

/* Reads size bytes at `offset` of tensor `index`'s data. 0, or an errno
 * (ENODATA if the file ends before). Callable from any thread. */
int checkpoint_read(const struct checkpoint *c, uint32_t index, uint64_t offset,
                    void *out, size_t size);

/* Whether a file's size or times differ from those at open; *path is the
 * first such file's. */
bool checkpoint_changed(const struct checkpoint *c, struct str *path);

/* "[3,4]" */
struct str checkpoint_shape(struct arena *a, const struct st_tensor *tensor);

#endif
