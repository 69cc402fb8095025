/* SPDX-License-Identifier: MIT
 *
 * sections.h - the index sections of a blob (FORMAT.md sections 4 to 6).
 *
 * In: a model that is laid out. Out: the bytes of INDEX, NAMEORD, NAMES,
 * GROUPS and CONST. Invariant: written field by field over ttsb_format.h; the
 * reader's rules hold for what is written.
 */
#ifndef TTSW_SECTIONS_H
#define TTSW_SECTIONS_H

#include "model.h"
#include "text.h"

/* Where everything stands in the file. */
struct file_layout {
    uint64_t *offset;      /* of each output */
    uint64_t *first_piece; /* of each output */
    uint64_t *group;       /* offset of each group */
    uint64_t piece_count;
    uint64_t payload; /* offset of the first group */
    uint64_t size;    /* of the file */
};

/* Piece numbers; needs no payload offset. */
void sections_number(struct arena *a, const struct model *m,
                     struct file_layout *l);

/* Offsets, once it is known where the payload begins; false past 2^63 - 1. */
bool sections_place(const struct model *m, uint64_t payload,
                    struct file_layout *l);

void sections_index(struct text *t, const struct model *m,
                    const struct file_layout *l);
void sections_nameord(struct arena *a, struct text *t, const struct model *m);
void sections_names(struct text *t, const struct model *m);
void sections_groups(struct text *t, const struct model *m,
                     const struct file_layout *l);
void sections_const(struct text *t, const struct model *m);

#endif
