/* SPDX-License-Identifier: MIT
 *
 * stamp.h - the sidecar OUT.stamp, by which a later run knows that it has
 * nothing to do.
 *
 * In: what a run was asked for and which files it read and wrote. Out: a text
 * that holds all of it; later, whether all of it still is so. Invariant: a
 * stamp is believed only if the text that is made anew from the command line
 * and the disk equals it byte for byte; any doubt means: compile.
 *
 * specs/README.md section 11 has the format. Texts (the spec, its includes)
 * count by their bytes; files (checkpoints), the output and what else is
 * written by size, times, device and inode, and the output by the root in its
 * superblock too; a folder by the names in it that could be shards, so that the
 * blob may lie there. A file that changed less than two seconds before the run
 * opened it is not believed: a second change within the clock's granularity
 * could not be seen.
 */
#ifndef TTSW_STAMP_H
#define TTSW_STAMP_H

#include <time.h>

#include "arena.h"
#include "shards.h"
#include "str.h"
#include "text.h"

/* One operand or --source: what was given for what. */
struct stamp_given {
    struct str role; /* "spec", "checkpoint" or "source" */
    struct str path;
};

struct stamp_text {
    struct str path;
    uint8_t hash[16]; /* XXH3-128 */
};

/* A file of the checkpoint, or an index. */
struct stamp_file {
    struct str path;
    uint64_t size, device, inode;
    struct timespec modified, changed;
};

/* Files that are written beside the output and are no depfile. */
enum stamp_side { STAMP_MAP, STAMP_STATS, STAMP_REPORT, STAMP_SIDES };

struct stamp {
    uint8_t program[16]; /* XXH3-128 of the running program */
    bool allow_partial;
    const struct stamp_given *given;
    size_t given_count;
    struct stamp_text *texts;
    size_t text_count;
    struct stamp_file *files;
    size_t file_count;
    struct shard_folder *folders; /* in which shards were looked for */
    size_t folder_count;
    struct stamp_file output;
    uint8_t root[16]; /* of the output */
    /* A path is empty without that file. */
    struct stamp_file sides[STAMP_SIDES];
    bool partial;           /* the output is PARTIAL */
    struct timespec opened; /* when the run began, before it read anything */
};

/* "OUT.stamp" for "OUT". */
struct str stamp_path(struct arena *a, struct str output);

/* The state of an open file, or of the file at out->path. 0 or an errno. */
int stamp_fd(int fd, struct stamp_file *out);
int stamp_stat(struct stamp_file *out);

/* Fills s->program. False if the running program cannot be read, so that no
 * stamp could say which compiler it was. */
bool stamp_program(struct arena *a, struct stamp *s);

/* Appends the stamp's text. */
void stamp_write(const struct stamp *s, struct text *t);

/* Whether `path` holds a stamp that was written for what *s asks for (program,
 * given, allow_partial, the output's path, the sides') and every file is still
 * as it says; the rest of *s is filled on the way. */
bool stamp_is_current(struct arena *a, struct str path, struct stamp *s);

#endif
