/* SPDX-License-Identifier: MIT
 *
 * cursor.h - reading one YAML scalar as a small language.
 *
 * In: the raw bytes of a scalar, newline and indent included. Out:
 * expressions, names and types with exact spans. Invariant: after the first
 * syntax error (E0201, reported once) `failed` is set and every further call
 * returns NULL, false or an empty result without another finding.
 */
#ifndef TTSW_CURSOR_H
#define TTSW_CURSOR_H

#include "spec.h"
#include "yaml_tree.h"

struct cursor {
    struct arena *a;
    struct diag *d;
    const struct source *src;
    uint32_t at, end;
    int depth;
    int operators; /* of the expression being read */
    bool boolean;  /* comparisons may stand in parentheses */
    bool sizes;    /* `* id=` ends the expression: `a=n * b=m` */
    bool failed;
};

/* A cursor over a scalar's bytes; failed if it is no verbatim scalar. */
struct cursor cursor_open(struct arena *a, struct diag *d,
                          const struct node *scalar);

/* Skips white space; the byte that follows, or 0 at the end. */
char cursor_peek(struct cursor *c);

/* Takes `token` if it follows. */
bool cursor_take(struct cursor *c, const char *token);

/* Takes it or reports E0201. */
bool cursor_expect(struct cursor *c, const char *token);

/* Takes an identifier if one follows. */
bool cursor_id(struct cursor *c, struct str *id, struct span *at);

/* Takes the word if it follows as a whole identifier. */
bool cursor_word(struct cursor *c, const char *word, struct span *at);

/* Reports E0201 unless everything was read. */
void cursor_finish(struct cursor *c);

/* Reports E0201 "expected WHAT, found ..." here. */
void cursor_error(struct cursor *c, const char *what);

/* An integer expression; with comparisons and `and` where `boolean`. */
const struct expr *cursor_expr(struct cursor *c, bool boolean);

/* An integer expression that ends where `* id=` follows, as in `a=n * b=m`. */
const struct expr *cursor_size(struct cursor *c);

/* lo..hi */
struct range cursor_range(struct cursor *c);

/* [A-Za-z0-9_.-] and {expr}, or "any bytes" in double quotes. NULL if none
 * follows. */
const struct name *cursor_name(struct cursor *c);

/* An optional dtype, glued to `[axis=size, ...]`. Not given if no `[` or
 * dtype follows. */
struct type_expr cursor_type(struct cursor *c);

/* Parses one whole scalar. */
const struct expr *cursor_whole_expr(struct arena *a, struct diag *d,
                                     const struct node *n, bool boolean);
const struct name *cursor_whole_name(struct arena *a, struct diag *d,
                                     const struct node *n);

/* Whether a text is an identifier, [A-Za-z_][A-Za-z0-9_]*. */
bool is_identifier(struct str s);

/* Whether a byte may stand in an unquoted name. */
bool is_name_byte(char c);

#endif
