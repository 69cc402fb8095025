/* SPDX-License-Identifier: MIT
 *
 * compile.h - the front half of the pipeline, which three commands share.
 *
 * In: the path of a spec. Out: a model that is expanded, typed, laid out and
 * sealed. Invariant: needs no checkpoint.
 */
#ifndef TTSW_COMPILE_H
#define TTSW_COMPILE_H

#include "checkpoint.h"
#include "cli.h"
#include "model.h"
#include "ttsb.h"

/* Everything of one run. */
struct run {
    struct arena arena;
    struct diag diag;
    struct spec spec;
    struct model model;
};

/* `args` says how findings are shown; NULL: as text, all of them. */
void run_begin(struct run *r, const struct args *args);

/* The operands of the command line as paths, args->count of them. */
struct str *run_operands(struct run *r, const struct args *args);

/* Parses, expands, lays out and seals a spec; false after findings. */
bool run_model(struct run *r, const char *path);

/* Adds what libttsb said of a file: E0706, E0705 for a system's error, or E0703
 * if it is a lock or a packed blob. */
void run_blob_error(struct run *r, const char *path,
                    const struct ttsb_error *error);

/* False, with E0704, if `output` is a file of the spec or of the checkpoint
 * (which may be NULL), indexes among them, also by another name. */
bool run_may_write(struct run *r, const char *output,
                   const struct checkpoint *c);

/* False, with E0704, if two paths are one file. `input` is NUL-terminated. */
bool run_is_apart(struct run *r, const char *output, struct str input);

/* Prints the findings, gives all memory back; the exit code they ask for. */
enum exit_code run_end(struct run *r);

#endif
