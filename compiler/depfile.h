/* SPDX-License-Identifier: MIT
 *
 * depfile.h - what an output was made from, as Make and Ninja read it.
 *
 * In: the paths of the output and of every input, as the user wrote them.
 * Out: `out: input input ...`, one rule. Invariant: Make and Ninja read back
 * exactly these names; a name that one of them would take for something else
 * is refused, never written.
 */
#ifndef TTSW_DEPFILE_H
#define TTSW_DEPFILE_H

#include "diag.h"
#include "text.h"

/* Appends the rule. False after E0704, about `path` (the depfile), for each
 * name that no depfile can hold: one with a control character or one of
 * \ * ? [ ] ; | < > ^ ` % = & ' ", a ~ in front or a ) at the end, or an empty
 * one. */
bool depfile_text(struct diag *d, struct text *t, struct str path,
                  struct str output, const struct str *inputs, size_t count);

#endif
