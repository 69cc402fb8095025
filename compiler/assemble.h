/* SPDX-License-Identifier: MIT
 *
 * assemble.h - any range of a value's elements, out of its regions.
 *
 * In: a value's regions, the factors of its weight norms, its nodes ready to
 * be read. Out: the range's bytes in a dtype, and the results that do not fit.
 * Invariant: an element depends on its own sources alone, never on the range
 * it is made in; memory is the buffers.
 */
#ifndef TTSW_ASSEMBLE_H
#define TTSW_ASSEMBLE_H

#include "buffers.h"
#include "kernels.h"
#include "plan.h"

/* The factors of a weight norm, under its direction. */
struct norm {
    const struct leaf *v;
    double *scale;
};

struct norms {
    struct norm *p;
    size_t n, capacity;
};

struct assembly {
    struct buffers *b;
    struct type type;
    enum ttsb_dtype dtype; /* of what is made */
    struct regions regions;
    const struct norms *norms;
    uint64_t step; /* elements that one call may make */
    /* Results that do not fit: how many, the first, its value. */
    uint64_t bad, first_bad;
    double bad_value;
    const struct leaf *unread; /* after an error */
};

/* Sets `step`. */
void assemble_begin(struct assembly *s);

/* Elements [at, at + n), n at most `step`; *out is one of the buffers. 0, or
 * an errno. */
int assemble_range(struct assembly *s, uint64_t at, uint64_t n,
                   const uint8_t **out);

/* Raw elements of a region into dst in the dtype `to`: factors, operations.
 * raw[i] is element first + i of the view. Adds to *bad; its indices are
 * relative to raw. */
struct misfits {
    struct kernel_nonfinite infinite;
    double value; /* the first of infinite */
    struct kernel_range_error range;
};

/* How many, the first one's index and value. */
uint64_t assemble_first_misfit(const struct misfits *bad, uint64_t *first,
                               double *value);

struct conversion {
    const struct region *r;
    const struct view *v;
    const double *scale; /* of all of the kept axis, or NULL */
    enum ttsb_dtype to;
    double *wide;
};

void assemble_convert(const struct conversion *c, uint64_t first, uint64_t n,
                      const uint8_t *raw, uint8_t *dst, struct misfits *bad);

/* Whether a region's bytes are stored as they are. */
bool assemble_is_copy(const struct region *r, enum ttsb_dtype to);

/* Applies an operation to elements [first, first + n) of a dense array whose
 * element e has y[e / inner % keep] for its other operand. */
struct rows {
    enum kernel_binary op;
    uint64_t keep, inner;
    const double *y;
};

void assemble_rows(const struct rows *r, double *x, uint64_t first, uint64_t n);

#endif
