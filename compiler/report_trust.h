/* SPDX-License-Identifier: MIT
 *
 * report_trust.h - what a spec takes on trust, for a page.
 *
 * In: a model. Out: JSON: a list of {"targets":[...],"what":...,"why":...}, or
 * null if nobody looked. Invariant: a list is the whole list.
 */
#ifndef TTSW_REPORT_TRUST_H
#define TTSW_REPORT_TRUST_H

#include "model.h"
#include "text.h"

/* `m` is NULL for a blob without its spec, of which nobody can tell. */
void report_trust(struct arena *a, struct text *t, const struct model *m);

#endif
