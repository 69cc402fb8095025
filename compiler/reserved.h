/* SPDX-License-Identifier: MIT
 *
 * reserved.h - names that were removed and must not come back: `reserved:`.
 *
 * In: the list of a spec; the outputs of a model. Out: findings. Invariant: a
 * model without findings has no output of a name that is reserved; nothing
 * else depends on the list.
 */
#ifndef TTSW_RESERVED_H
#define TTSW_RESERVED_H

#include "fields.h"
#include "model.h"

/* Reads `reserved:` of the root (a field's function, see fields.h). */
void reserved_read(struct parser *p, const struct node *n, void *into);

/* E0502 for an output of a reserved name and for a name that is reserved
 * twice, E0503 for a name that no output can have. m->names is filled. */
void reserved_check(struct arena *a, struct diag *d, const struct model *m);

#endif
