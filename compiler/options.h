/* SPDX-License-Identifier: MIT
 *
 * options.h - the one table of options.
 *
 * In: nothing. Out: what each option is called, takes and does to struct
 * args. Invariant: parsing, help, completion and manual pages read this table,
 * so that they cannot differ.
 */
#ifndef TTSW_OPTIONS_H
#define TTSW_OPTIONS_H

#include <stddef.h>

#include "cli.h"

struct option {
    char letter;        /* in a command's table */
    bool everywhere;    /* every command takes it */
    bool repeats;       /* may be given several times */
    bool value_is_free; /* --name or --name=VALUE */
    const char *shown;  /* "-o", or "" */
    const char *name;   /* "--output" */
    const char *value;  /* "FILE", or NULL */
    const char *words;  /* "a|b": all values that there are; NULL: any */
    const char *help;
};

size_t option_count(void);

const struct option *option_at(size_t i);

/* Whether a command takes an option. */
bool option_is_of(const struct option *o, const struct command *c);

/* Whether the next argument is its value where none stands behind `=`. */
bool option_wants(const struct option *o);

/* " FILE", "[=FILE]" or "", in `text`. */
const char *option_value(const struct option *o, char *text, size_t size);

/* Puts an option into args; false if its value is unusable. `value` is NULL
 * where there is none. */
bool option_apply(const struct option *o, const char *value, struct args *args);

#endif
