/* SPDX-License-Identifier: MIT
 *
 * units.h - outputs that share sources, together.
 *
 * In: a resolved model. Out: units of outputs, the largest first. Invariant:
 * every output that is no alias is in one unit; no source feeds two units, so
 * that units can be made at the same time, each source read by one worker.
 */
#ifndef TTSW_UNITS_H
#define TTSW_UNITS_H

#include "model.h"

struct unit {
    uint32_t first, count; /* in units.outputs */
    uint64_t size;         /* bytes of all its outputs */
};

struct units {
    struct unit *p;
    size_t n;
    uint32_t *outputs;
};

struct units units_make(struct arena *a, const struct model *m,
                        size_t tensor_count);

#endif
