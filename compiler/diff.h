/* SPDX-License-Identifier: MIT
 *
 * diff.h - two files, tensor by tensor.
 *
 * In: two lists of tensors, what the command line asks. Out: one item for each
 * name, in order: how the two sides differ in structure and in numbers, and
 * what was proven about their bytes. Invariant: each byte of both sides is
 * read once, in fixed blocks, before anything is said of it; a statement about
 * bytes stands here only after all of them were compared once more.
 */
#ifndef TTSW_DIFF_H
#define TTSW_DIFF_H

#include "compile.h"
#include "diff_metric.h"
#include "tensors.h"

#define DIFF_NONE UINT32_MAX

enum diff_verdict {
    DIFF_EQUAL,   /* the same values */
    DIFF_WITHIN,  /* equal within tolerance */
    DIFF_OVER,    /* beyond it */
    DIFF_SHAPE,   /* other sizes */
    DIFF_TYPE,    /* another dtype, and no tolerance given, or no numbers */
    DIFF_VALUES,  /* only one side has values */
    DIFF_RENAMED, /* the same bytes under another name */
    DIFF_REMOVED, /* only in A */
    DIFF_ADDED,   /* only in B */
    DIFF_VERDICTS
};

/* Something about the bytes that was proven. */
struct diff_fact {
    struct diff_fact *next;
    const char *kind; /* "transposed": for programs */
    struct str text;
};

struct diff_item {
    struct str name, name_b; /* the second is empty if it is the same */
    uint32_t a, b;           /* tensors, or DIFF_NONE */
    bool retyped, reshaped, renamed;
    bool compared; /* `m` is of all elements */
    struct metric m;
    uint64_t digest_a[2], digest_b[2]; /* where it was read */
    int error;                         /* an errno, and */
    bool error_in_b;                   /* where it came from */
    struct diff_fact *facts;
};

struct diff {
    struct run *r;
    const struct args *args;
    struct str path_a, path_b;
    struct tensors a, b;
    struct diff_item *items;
    size_t n;
    size_t moved;            /* tensors in both that lie elsewhere */
    bool offsets;            /* "elsewhere" is about offsets, not about order */
    struct diff_fact *facts; /* about several tensors */
    struct tolerance within;
};

/* --- diff_pair.c --- */

/* Makes the items: pairs by name, and what is on one side only; --glob
 * chooses. False after E0707. */
bool diff_pair(struct diff *d);

/* Keeps the items that --glob names, all without it. False after E0707. */
bool diff_choose(struct diff *d);

/* "h.9" before "h.10"; bytes elsewhere. */
int diff_natural(struct str a, struct str b);

enum diff_verdict diff_verdict(const struct diff *d, const struct diff_item *x);

/* Whether a verdict makes two files different. */
bool diff_is_bad(enum diff_verdict v);

/* The first item that is beyond tolerance, or NULL. */
const struct diff_item *diff_first_over(const struct diff *d);

/* --- diff_run.c --- */

/* Reads all and fills the items' figures; then finds what was renamed. False
 * after E0705 or E0711. */
bool diff_run(struct diff *d);

/* Whether the bytes of a tensor of A and one of B are the same; false also if
 * they cannot be read. */
bool diff_same_bytes(const struct diff *d, uint32_t a, uint32_t b);

/* --- diff_facts.c, diff_moves.c --- */

/* Looks for what explains the differences. False after E0705 or E0711. */
bool diff_facts(struct diff *d);

/* The bytes of a tensor on both sides, of the same dtype and as many. */
struct diff_bytes {
    const struct diff *d;
    struct diff_item *x;
    const struct tensor *ta, *tb;
    const uint8_t *a, *b;
};

void diff_fact(struct diff *d, struct diff_fact **list, const char *kind,
               const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Elements that only moved: axes, order, ranges. */
void diff_moves(struct diff *d, const struct diff_bytes *k);

/* Values that were computed: signs, factors, offsets. */
void diff_computed(struct diff *d, const struct diff_bytes *k);

/* --- diff_show.c --- */

/* The index of element e of a comparison, of each axis; for a C64 one more,
 * the real or imaginary part. Returns how many; 0 where elements are bytes. */
uint32_t diff_index(const struct diff *d, const struct diff_item *x, uint64_t e,
                    uint64_t out[65]);

/* The name of what a tensor is compared as: "blob", "safetensors". */
const char *diff_format(const struct tensors *t);

const char *diff_verdict_name(enum diff_verdict v);

/* Appends a name with what a terminal would obey as `?`. */
void diff_put_name(struct text *t, struct str name);

/* Appends the shortest decimal that reads back as x, or null. */
void diff_put_decimal(struct text *t, double x);

/* One comparison's figures as a JSON object. */
void diff_put_metric(struct text *t, const struct metric *m);

/* The bins that are not empty: "0: 12, 1: 3, 5-8: 1". */
void diff_put_bins(struct text *t, const struct metric *m);

/* --- diff_text.c, diff_json.c --- */

/* Prints what was found, as --json asks; whether it makes the two differ. */
bool diff_print(struct diff *d);

void diff_print_text(struct diff *d);
void diff_print_json(struct diff *d);

/* --- diff_blob.c, diff_spec.c --- */

/* Compares a blob with what its spec makes of a checkpoint. */
enum exit_code diff_with_source(const struct args *args);

/* Compares two specs. */
enum exit_code diff_specs(const struct args *args);

#endif
