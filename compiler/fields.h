/* SPDX-License-Identifier: MIT
 *
 * fields.h - reading a YAML map by a table of its fields.
 *
 * In: a node and a table. Out: calls of each field's function, in document
 * order; findings for unknown (E0103), missing (E0104) and misshapen (E0110)
 * ones. Invariant: a field's function is called at most once per map.
 */
#ifndef TTSW_FIELDS_H
#define TTSW_FIELDS_H

#include "spec.h"
#include "yaml_tree.h"

/* What all of the reading functions share. */
struct parser {
    struct arena *a;
    struct diag *d;
    struct spec *spec;
    struct spec_file *file; /* being read */
};

struct field {
    const char *name;
    bool required;
    void (*read)(struct parser *p, const struct node *value, void *into);
};

#define FIELD_COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* `what` names the map in messages: "a spec". */
void fields_read(struct parser *p, const struct node *n, const char *what,
                 const struct field *fields, size_t count, void *into);

/* Whether n is what it should be; E0110 if not. */
bool field_is_text(struct parser *p, const struct node *n);
bool field_is_list(struct parser *p, const struct node *n);
bool field_is_map(struct parser *p, const struct node *n);
bool field_is_identifier(struct parser *p, const struct node *n);

/* Whether no comment stands behind a text, which YAML would cut there; E0109
 * if one does. `what` is the text in messages: "reason". */
bool field_is_uncut(struct parser *p, const struct node *n, const char *what);

/* A plain decimal number in [lo, hi]; E0111 and 0 if it is none. */
uint64_t field_number(struct parser *p, const struct node *n, uint64_t lo,
                      uint64_t hi);

/* The path of a file that a spec names, from the folder of the file being
 * read, without `.` and empty components, so that one file has one path. It
 * lies in that folder or below; empty after E0111, whose text begins with
 * `what`. */
struct str field_path(struct parser *p, const struct node *n, const char *what);

/* {id: expression | [expression...]}; lists only where `tables`. */
struct definition *field_definitions(struct parser *p, const struct node *n,
                                     bool tables, size_t *count);

#endif
