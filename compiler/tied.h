/* SPDX-License-Identifier: MIT
 *
 * tied.h - a tensor that was not saved because it is another one.
 *
 * In: a leaf that is not bound. Out: E0312 where a bound one of the same type
 * is an embedding that heads are tied to. Invariant: it is only ever said.
 */
#ifndef TTSW_TIED_H
#define TTSW_TIED_H

#include "missing.h"

/* False if nothing was said. */
bool tied_say(struct resolution *r, const struct leaf *leaf);

#endif
