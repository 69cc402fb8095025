/* SPDX-License-Identifier: MIT
 *
 * slips.h - the mistakes that people make in a spec, made on purpose.
 *
 * In: a spec that was just parsed. Out: the same with one slip in it, and
 * where. Invariant: the slips of a spec are numbered by kind in the order of
 * its text, the same in every run; a slip changes the structures and no file.
 */
#ifndef TTSW_SLIPS_H
#define TTSW_SLIPS_H

#include "spec.h"

enum slip_kind {
    SLIP_TYPO,       /* a source's name, `from:` or a dropped name */
    SLIP_SIZE,       /* an axis is larger by one */
    SLIP_LINE,       /* a line of tensors:, split: or drop: is deleted */
    SLIP_BOUND,      /* a bound of a range loop is off by one */
    SLIP_PIECE,      /* a piece of a split is deleted */
    SLIP_CUT,        /* a bound of a piece or slice is off by one */
    SLIP_AXIS,       /* keep=, rows= or over= names another axis */
    SLIP_MOVE,       /* a permute or transpose is forgotten */
    SLIP_ROPE,       /* a rope_half or rope_interleave is forgotten */
    SLIP_NEIGHBOURS, /* the names of two neighbouring sources are swapped */
    SLIP_RANGES,     /* the ranges of two neighbouring pieces are swapped */
    SLIP_KINDS
};

struct slip {
    struct span at;
    struct str text; /* what was done */
};

/* Which templates are used at all, in the order of struct spec; a slip in
 * another one changes nothing. */
struct slip_site {
    const bool *used;
    enum slip_kind kind;
    size_t number; /* from 0 */
};

/* Makes a slip. False if the spec has no slip of that kind and number. */
bool slip_make(struct arena *a, struct spec *s, const struct slip_site *site,
               struct slip *out);

/* How many slips of a kind there are. */
size_t slip_count(struct arena *a, struct spec *s, const bool *used,
                  enum slip_kind kind);

/* "typo in a source name" */
const char *slip_title(enum slip_kind kind);

#endif
