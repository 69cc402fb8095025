/* SPDX-License-Identifier: MIT
 *
 * about.h - what a spec says of its checkpoint in words: `about:`.
 *
 * In: the map of a spec; later a blob. Out: a member of META; later its
 * texts. Invariant: the words are in META alone, so that they change the root
 * and neither the contract id nor anything that an engine sees.
 */
#ifndef TTSW_ABOUT_H
#define TTSW_ABOUT_H

#include "fields.h"
#include "text.h"

/* Reads `about:` of the root (a field's function, see fields.h). */
void about_read(struct parser *p, const struct node *n, void *into);

/* Appends `"about":{...},` to META, which it begins; nothing if there is
 * nothing to say. */
void about_put(struct text *t, const struct about *about);

/* What a blob says, as its META has it. */
struct about_member {
    struct str key, text;
};

struct about_found {
    bool readable; /* false: META is damaged, or says it in another form */
    struct about_member *p;
    size_t n;
};

/* Looks into the blob that is open at fd, `size` bytes, whose superblock was
 * checked: reads META whole and hashes it. 0, or an errno (ENODATA if the
 * file is shorter). The texts live in the arena. */
int about_find(struct arena *a, int fd, uint64_t size, struct about_found *out);

#endif
