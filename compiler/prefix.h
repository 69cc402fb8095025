/* SPDX-License-Identifier: MIT
 *
 * prefix.h - whether all missing names stand behind one prefix.
 *
 * In: a source's leaves that are not bound, the checkpoint's names. Out: the
 * prefix behind which nine tenths of them or more stand. Invariant: it is only
 * ever said, never applied.
 */
#ifndef TTSW_PREFIX_H
#define TTSW_PREFIX_H

#include "checkpoint.h"
#include "model.h"

struct prefix {
    struct str text;
    size_t have, missing; /* names behind it, names in all */
    const struct leaf *first;
};

/* False if there is none, or if fewer than two names are missing. `claimed`
 * has one entry for each tensor of the checkpoint. */
bool prefix_find(const struct model *m, const struct checkpoint *c,
                 const bool *claimed, uint32_t source, struct prefix *out);

#endif
