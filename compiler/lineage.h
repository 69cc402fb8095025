/* SPDX-License-Identifier: MIT
 *
 * lineage.h - which tensors a blob was made of, and what the spec calls them.
 *
 * In: an open blob, the model of a spec. Out: the blob's sources, as META has
 * them; `source` of the model's leaves, as resolve.c sets it, but numbers here
 * are those of origins. Invariant: after true the spec is the blob's: the
 * contract id and the index are the model's; each origin has the name, dtype
 * and sizes of a leaf, or lies under a dropped subtree; and a leaf without an
 * origin was not in the checkpoint.
 */
#ifndef TTSW_LINEAGE_H
#define TTSW_LINEAGE_H

#include "compile.h"

/* A tensor of the checkpoint. */
struct origin {
    struct str name;
    uint32_t file; /* its source's number */
    uint32_t dtype, rank;
    const uint64_t *dims;
    bool dropped;
    bool unread;             /* in the spec, and only MISSING outputs need it */
    uint8_t digest[16];      /* of its bytes; not if dropped or unread */
    const struct leaf *leaf; /* the first use, or NULL: */
    const struct subtree *subtree; /* dropped with all of this */
};

struct lineage {
    struct origin *p;
    size_t n, capacity;
};

/* Whether the blob is the model's: the contract id and each record. Marks what
 * is absent and missing; E0709. */
bool lineage_check(struct run *r, const char *path,
                   const struct ttsb_blob *blob);

/* Compares the blob with the run's model, marks outputs that are absent or
 * missing, reads META and binds the leaves. False after findings: E0709 where
 * the blob is of another spec; E0706 where META is damaged. */
bool lineage_bind(struct run *r, const char *path, const struct ttsb_blob *blob,
                  struct lineage *out);

#endif
