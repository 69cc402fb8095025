/* SPDX-License-Identifier: MIT
 *
 * scope.h - what the words of an expression stand for.
 *
 * In: definitions, innermost first. Out: values of expressions and names.
 * Invariant: integers are signed 64-bit and nothing wraps; a word is only
 * ever text in a name; a finding is reported once, where it arises.
 */
#ifndef TTSW_SCOPE_H
#define TTSW_SCOPE_H

#include "spec.h"

enum binding_kind {
    BIND_NUMBER,
    BIND_WORD,
    BIND_TABLE,
    BIND_BROKEN, /* its own finding has been reported */
};

struct binding {
    const struct binding *outer;
    struct str name;
    struct span at;
    enum binding_kind kind;
    int64_t number;
    struct str word;
    const int64_t *table;
    size_t count; /* of the table */
    bool *used;   /* set when it is looked up; may be NULL */
    /* Where its value is given, if not at `at`; the expression that it is the
     * value of, and that one's scope, if it has one. */
    struct span given_at;
    const struct expr *expr;
    const struct binding *expr_scope;
};

/* A range of a loop while its variable runs, under one set of outer values. */
struct loop_run {
    const struct range *range;
    int64_t lo, hi;
    const struct binding *scope; /* that the range was evaluated in */
    const struct diag_frame *use;
    const struct diag_binding *outer;
};

/* Where an expression stands. */
struct scope {
    struct arena *a;
    struct diag *d;
    const struct binding *top;
    const struct diag_frame *use;
    const struct diag_binding *loops;
};

/* The innermost definition of a name, or NULL. */
const struct binding *scope_find(const struct scope *s, struct str name);

/* Adds a definition; E0208 if the name is taken. */
void scope_define(struct scope *s, struct binding b);

/* The value of e; false after a finding, and for e == NULL. */
bool scope_eval(const struct scope *s, const struct expr *e, int64_t *out);

/* A range of a loop that begins to run in this scope. */
const struct loop_run *scope_run(const struct scope *s, const struct range *r,
                                 int64_t lo, int64_t hi);

/* A name with its braces filled in, behind a prefix. False after a finding.
 * A NULL name gives the prefix. */
bool scope_name(const struct scope *s, struct str prefix, const struct name *n,
                struct str *out);

/* `at` under this scope's loops and uses. */
struct diag_where scope_where(const struct scope *s, struct span at);

/* "x = 3, L = 24" for the identifiers of an expression. */
struct str scope_values(const struct scope *s, const struct expr *e);

#endif
