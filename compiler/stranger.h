/* SPDX-License-Identifier: MIT
 *
 * stranger.h - a checkpoint of something else.
 *
 * In: sources that are bound as far as they can be, and what another prefix or
 * word explains. Out: one E0301 for a source of which next to nothing is there.
 * Invariant: of such a source nothing else is said.
 */
#ifndef TTSW_STRANGER_H
#define TTSW_STRANGER_H

#include "missing.h"

/* Sources that it is said of count as r->prefixed. Nothing in partial mode,
 * where each output that is lost is named. */
void stranger_check(struct resolution *r);

#endif
