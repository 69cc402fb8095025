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

enum exit_code {
    EXIT_OK = 0,
    EXIT_INPUT = 1, /* the input is wrong */
    EXIT_USAGE = 2,
    EXIT_SYSTEM = 3,
};

#define MAX_POSITIONAL 2

struct args {
    const char *positional[MAX_POSITIONAL];
    int count;
    const char *output;
    unsigned jobs;
    bool quiet, partial, json;
};

struct command {
    const char *name;
    const char *operands; /* as the usage line shows them */
    int needs;            /* operands */
    const char *options;  /* short letters; P is --allow-partial-weights,
                             J is --json; upper-case O: -o is required */
    const char *summary;
    enum exit_code (*run)(const struct args *args);
};

/* Parses argv and runs the command. */
enum exit_code cli_main(const struct command *commands, int argc, char **argv);

#endif
