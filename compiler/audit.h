/* SPDX-License-Identifier: MIT
 *
 * audit.h - sources, read once in their own order.
 *
 * In: a leaf that is bound. Out: its tensor's digest, whether it is finite,
 * whether it equals its twin, a weight norm's factors. Invariant: every
 * tensor that is read at all is read whole, so that its digest covers it.
 */
#ifndef TTSW_AUDIT_H
#define TTSW_AUDIT_H

#include "produce.h"

/* Where an audit works. */
struct audit {
    const struct production *p;
    struct buffers *b;
};

/* XXH3-64 of each piece of data that begins where a piece does. */
void audit_hash(const void *data, size_t n, uint64_t *pieces);

/* The digest of a tensor of this dtype and shape with these pieces. */
void audit_digest(const struct st_tensor *t, const uint64_t *pieces,
                  uint64_t count, uint8_t out[16]);

/* False after a finding, which stands at the tensor; true at once for a
 * tensor that was audited before. A twin is audited with its leaf. */
bool audit_leaf(const struct audit *a, const struct leaf *leaf);

/* The factors g / norm(v) of a weight norm, one for each index of the kept
 * axis, the caller's to free; audits both halves. NULL after a finding. */
double *audit_norm(const struct audit *a, const struct leaf *v,
                   const struct leaf *g);

/* For a source that is read by somebody else, piece by piece: digest and
 * finding out of what that saw. False after a finding. */
bool audit_done(const struct audit *a, const struct leaf *leaf,
                const uint64_t *pieces, const struct kernel_nonfinite *bad);

#endif
