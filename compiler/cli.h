/* SPDX-License-Identifier: MIT
 *
 * cli.h - commands, their options, their help, out of one table.
 *
 * In: argv. Out: a command and its arguments, or a usage error. Invariant:
 * what parses is what the help shows; an option is accepted only where the
 * table lists it.
 */
#ifndef TTSW_CLI_H
#define TTSW_CLI_H

#include <stdbool.h>

#include "progress.h"
#include "selection.h"

enum exit_code {
    EXIT_OK = 0,
    EXIT_INPUT = 1, /* the input is wrong */
    EXIT_USAGE = 2,
    EXIT_SYSTEM = 3,
};

#define ANY_NUMBER (-1)

struct args {
    const char **positional;
    int count;
    const char **sources; /* NAME=PATH */
    int source_count;
    const char *output;
    const char *depfile_name; /* -MF, or NULL */
    const char *map;          /* --map, or NULL */
    const char *inverse;      /* --inverse, or NULL */
    unsigned jobs;
    bool quiet, partial, json, depfile, if_changed, restorable;
    enum progress_when progress; /* NEVER if quiet */
    enum selection_sort sort;
};

struct command {
    const char *name;
    const char *operands; /* as the usage line shows them */
    int least, most;      /* operands; most may be ANY_NUMBER */
    const char *options;  /* of options[] in cli.c; O: -o is required */
    const char *summary;
    enum exit_code (*run)(const struct args *args);
};

/* Parses argv and runs the command. */
enum exit_code cli_main(const struct command *commands, int argc, char **argv);

#endif
