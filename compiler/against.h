/* SPDX-License-Identifier: MIT
 *
 * against.h - a spec against a blob that was compiled before.
 *
 * In: a model that is sealed, the path of a blob. Out: E0505 where the blob
 * has the same model and revision (or a later one) and another contract id,
 * E0709 where it is of another model. Invariant: an engine that was built for
 * a revision reads every blob of that revision.
 */
#ifndef TTSW_AGAINST_H
#define TTSW_AGAINST_H

#include "compile.h"

/* A NULL path: nothing to compare with. The blob may be PARTIAL. False after
 * findings; E0705 and E0706 for a file that is none. */
bool against_check(struct run *r, const char *path);

#endif
