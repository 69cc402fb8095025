/* SPDX-License-Identifier: MIT
 *
 * selection.h - some of a file's tensors, in some order, for looking.
 *
 * In: what a file holds, patterns, a key. Out: indices. Invariant: patterns
 * choose what is shown or exported and never take part in a compilation.
 */
#ifndef TTSW_SELECTION_H
#define TTSW_SELECTION_H

#include "diag.h"
#include "ttsb.h"

enum selection_sort { SORT_FILE, SORT_NAME, SORT_SIZE, SORT_DTYPE };

/* "file", "name", "size", "dtype"; false for another word. */
bool selection_parse(const char *word, enum selection_sort *out);

/* A tensor, as far as choosing and ordering go. */
struct candidate {
    struct str name;
    uint64_t size; /* bytes */
    uint32_t dtype;
};

struct selection_request {
    struct str path;             /* of the file, for findings */
    const char *const *patterns; /* as fnmatch has them: * ? [...] \ */
    int pattern_count;           /* 0: everything */
    enum selection_sort sort;
};

struct selection {
    uint32_t *index; /* into the candidates */
    size_t count;
    uint64_t bytes; /* the sum of their sizes */
};

/* Chooses the candidates that match a pattern; `sort` orders them by name, by
 * size with the largest first, or by dtype's name; what is equal stays in file
 * order. False after E0707: a pattern that matches none. */
bool selection_make(struct arena *a, struct diag *d,
                    const struct candidate *all, size_t count,
                    const struct selection_request *request,
                    struct selection *out);

/* The same for the tensors of an open blob. */
bool selection_of_blob(struct arena *a, struct diag *d,
                       const struct ttsb_blob *blob,
                       const struct selection_request *request,
                       struct selection *out);

#endif
