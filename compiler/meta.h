/* SPDX-License-Identifier: MIT
 *
 * meta.h - lineage of a blob as canonical JSON (FORMAT.md section 10).
 *
 * In: a model, its checkpoint, the digests of the sources. Out: one line of
 * JSON. Invariant: the length does not depend on the digests, so that the
 * file can be laid out before the payload was read.
 */
#ifndef TTSW_META_H
#define TTSW_META_H

#include "checkpoint.h"
#include "model.h"
#include "text.h"

/* digests[i] is that of tensor i of the checkpoint. */
void meta_write(struct arena *a, struct text *t, const struct model *m,
                const struct checkpoint *c, uint8_t (*digests)[16]);

/* A JSON string in the canonical form. */
void meta_string(struct text *t, struct str s);

/* s itself if it is a word that needs no quotes: printable ASCII without
 * blanks and any of `"(),:=[\]`. Else a JSON string. */
void meta_word(struct text *t, struct str s);

#endif
