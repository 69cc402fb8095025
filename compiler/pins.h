/* SPDX-License-Identifier: MIT
 *
 * pins.h - the files that a spec was written for, by SHA-256: `sha256:` of a
 * source.
 *
 * In: the digests of a spec; the files of a checkpoint, open. Out: findings.
 * Invariant: what is hashed is what is compiled, through the same descriptor;
 * without pins nothing is read.
 */
#ifndef TTSW_PINS_H
#define TTSW_PINS_H

#include "checkpoint.h"
#include "cli.h"
#include "fields.h"

/* Reads `sha256:` of a source (a field's function, see fields.h). */
void pins_read(struct parser *p, const struct node *n, void *into);

/* Hashes the files of each source that has pins, several at once, 64 KiB of
 * memory each. False after findings: E0708 for a file that is another one, or
 * that has no pin or none of its own; E0705 for one that cannot be read or
 * changes meanwhile. Shows progress as args says. */
bool pins_check(struct arena *a, struct diag *d, const struct spec *s,
                const struct checkpoint *c, const struct args *args);

#endif
