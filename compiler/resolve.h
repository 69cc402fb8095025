/* SPDX-License-Identifier: MIT
 *
 * resolve.h - a model against a checkpoint, element for element.
 *
 * In: a model and a checkpoint's headers. Out: every leaf bound to exactly one
 * tensor of its name, dtype and shape, every tensor of the checkpoint bound
 * or dropped; or a finding for each that is not, in one run. Invariant: names
 * are compared whole, within one source; nothing is guessed, and what is
 * similar only stands in a note.
 */
#ifndef TTSW_RESOLVE_H
#define TTSW_RESOLVE_H

#include "checkpoint.h"
#include "model.h"

/* What the comparison found, for reports. */
struct coverage {
    size_t wanted;    /* tensors the spec names, without absent optional ones */
    size_t used;      /* tensors of the checkpoint that feed outputs */
    size_t dropped;   /* that the spec drops */
    size_t missing;   /* that the checkpoint lacks */
    size_t different; /* of another dtype or shape */
    size_t unclaimed; /* that the spec does not mention */
    size_t absent;    /* optional outputs without a source */
    struct str first_missing;
    struct coverage *sources; /* of each, if there are several; or NULL */
};

/* False after an error. `partial`: a missing source is a warning, and what
 * needs it is missing. */
bool resolve_model(struct arena *a, struct diag *d, struct model *m,
                   const struct checkpoint *c, bool partial,
                   struct coverage *out);

#endif
