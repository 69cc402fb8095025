/* SPDX-License-Identifier: MIT
 *
 * map.h - a linker's map of a blob: what lies where, made from what by which
 * line of the spec, and what was left out for which reason.
 *
 * In: a model that was resolved, and where its blob has what. Out: a text or
 * one line of JSON, one entry for each output in file order and for each thing
 * that is dropped. Invariant: a function of the spec, the checkpoint's headers
 * and the paths of the spec as they were given (and of the blob's root), the
 * same on every machine and for any number of threads; every element of the
 * checkpoint is counted once. specs/README.md section 20 has both formats.
 */
#ifndef TTSW_MAP_H
#define TTSW_MAP_H

#include "checkpoint.h"
#include "emit.h"
#include "model.h"

/* What a map speaks of. */
struct map_of {
    const struct model *m;
    const struct checkpoint *c;
    const struct emitted *blob; /* NULL: no place in a file is known */
    bool made;                  /* the blob is there: its root is known */
    bool json;
};

/* Whether a map called so is JSON: its name ends in ".json". */
bool map_is_json(struct str path);

/* Writes the map to a file, which appears whole or not at all; *size is its
 * length. 0, or an errno as of outfile_open and outfile_commit. */
int map_write(const struct map_of *of, struct arena *a, struct str path,
              uint64_t *size);

/* Writes the map to standard output. */
void map_print(const struct map_of *of);

#endif
