/* SPDX-License-Identifier: MIT
 *
 * sidecar.h - the small files beside an output: OUT.d, OUT.stamp, a map.
 *
 * In: a run's arguments, its spec, its checkpoint. Out: with -MD a depfile,
 * with --if-changed a stamp, or the news that nothing is to be done; with --map
 * a map, with --stats=NAME statistics, with --report a page.
 * Invariant: each is written after the output stands, whole or not at all; a
 * stamp has the states that files had when the run opened them. Neither enters
 * the output or an identity.
 */
#ifndef TTSW_SIDECAR_H
#define TTSW_SIDECAR_H

#include "checkpoint.h"
#include "compile.h"
#include "emit.h"
#include "stamp.h"

/* Filled by sidecar_begin; a path is empty if that file is not asked for. */
struct sidecar {
    struct str output, depfile, stamp_path;
    struct str sides[STAMP_SIDES];  /* paths, by enum stamp_side */
    struct text texts[STAMP_SIDES]; /* theirs but the map's: the caller's to
                                       fill before sidecar_write */
    struct str rule;                /* of the depfile */
    const struct checkpoint *checkpoint;
    struct stamp stamp;
};

/* Before anything is read. True if --if-changed finds the output up to date:
 * that is said, the depfile is written if it is asked for, and the run ends
 * (with E0704 if the depfile could not be written). */
bool sidecar_begin(struct run *r, const struct args *args, struct sidecar *s);

/* After run_model and, where there is one, checkpoint_open (`c` may be NULL):
 * notes the inputs. False after E0704 (a sidecar's name is that of an input or
 * of the output, or cannot stand in a depfile) or E0705. */
bool sidecar_prepare(struct run *r, const struct checkpoint *c,
                     struct sidecar *s);

/* After the output was committed; `blob` is NULL for a header. False after
 * E0704. Releases the texts. */
bool sidecar_write(struct run *r, const struct emitted *blob,
                   struct sidecar *s);

#endif
