/* SPDX-License-Identifier: MIT
 *
 * nametab.h - from a name to a number.
 *
 * In: names that live elsewhere. Out: the number each was given. Invariant:
 * open addressing, at most three quarters full; names are compared whole.
 */
#ifndef TTSW_NAMETAB_H
#define TTSW_NAMETAB_H

#include "arena.h"
#include "str.h"

struct nametab_slot {
    struct str name;
    uint32_t value;
    bool used;
};

/* Zero-initialised: empty. */
struct nametab {
    struct nametab_slot *slots;
    size_t capacity, count; /* capacity: 0 or a power of two */
};

/* Makes room for n names at once, in an empty table. */
void nametab_reserve(struct arena *a, struct nametab *t, size_t n);

/* Adds a name; false, and *value the number of the first one, if it is
 * there already. */
bool nametab_add(struct arena *a, struct nametab *t, struct str name,
                 uint32_t *value);

/* Whether a name is there; *value is its number. */
bool nametab_find(const struct nametab *t, struct str name, uint32_t *value);

#endif
