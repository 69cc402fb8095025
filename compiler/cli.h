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
#include <stdint.h>

#include "diag.h"
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
    const char **globs; /* --glob */
    int glob_count;
    const char **allowed; /* --allow */
    int allowed_count;
    const char *output;
    /* Of the option with the same name, or NULL. */
    const char *depfile_name, *map, *inverse, *against, *spec, *report;
    const char *stats_name; /* --stats=NAME, or NULL */
    unsigned jobs;
    uint64_t max_errors; /* 0: all */
    uint64_t level;      /* of zstd; 0: the default */
    double rtol, atol;
    uint64_t ulp;
    bool quiet, verbose, partial, data, json, depfile, if_changed, restorable;
    bool tree, names_only, summary, digest, hist, stats;
    bool backwards;     /* --inverse without a value */
    bool json_findings; /* --diagnostics=json */
    enum color_when color;
    enum progress_when progress; /* NEVER if quiet */
    enum selection_sort sort;
};

struct command {
    const char *name;
    const char *operands; /* as the usage line shows them */
    int least, most;      /* operands; most may be ANY_NUMBER */
    const char *options;  /* letters of options.c; O: -o is required */
    const char *summary;
    enum exit_code (*run)(const struct args *args);
};

/* Says how a command was misused; EXIT_USAGE. */
enum exit_code cli_misused(const char *command, const char *how);

/* Parses argv and runs the command. */
enum exit_code cli_main(const struct command *commands, int argc, char **argv);

#endif
