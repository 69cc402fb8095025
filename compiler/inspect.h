/* SPDX-License-Identifier: MIT
 *
 * inspect.h - what the parts of `ttswc inspect` share.
 *
 * In: arguments, an open file. Out: text that is appended. Invariant: no byte
 * of a tensor is read.
 */
#ifndef TTSW_INSPECT_H
#define TTSW_INSPECT_H

#include "compile.h"
#include "tensors.h"
#include "text.h"

struct inspect_totals {
    size_t shown, all;
    uint64_t bytes;
};

/* What the operands and --sort choose. */
struct selection_request inspect_request(const struct args *args);

/* "FORMAT, 3 of 9 tensors, 40 bytes" and a line end. */
void inspect_totals(struct text *t, const struct args *args, const char *format,
                    struct inspect_totals n);

/* The pairs of a file's __metadata__, without braces. */
void inspect_metadata(struct text *t, const struct st_header *h);

/* E0705 for the file that is looked at. */
void inspect_cannot_read(struct run *r, const struct args *args, int error);

/* All of a blob, which is open as fd; or findings. */
void inspect_blob(struct run *r, const struct args *args, int fd,
                  struct text *t);

/* The tensors of any files, and which of them are shown. */
struct inspect_view {
    struct arena *a;
    const struct args *args;
    const struct tensors *tensors;
    struct selection s;
    const char *format; /* "ttsb", "lock", "safetensors" */
};

/* The tensors of a lock or of several files. */
void inspect_list(struct text *t, const struct inspect_view *v);

/* --names-only */
void inspect_names(struct text *t, const struct inspect_view *v);

/* --summary */
void inspect_summary(struct text *t, const struct inspect_view *v);

/* --tree */
void inspect_tree(struct text *t, const struct inspect_view *v);

#endif
