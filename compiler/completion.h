/* SPDX-License-Identifier: MIT
 *
 * completion.h - what a shell needs to complete a command line of ttswc.
 *
 * In: the table of commands, and that of options.c. Out: a script on stdout.
 * Invariant: the script runs nothing but the shell's own builtins.
 */
#ifndef TTSW_COMPLETION_H
#define TTSW_COMPLETION_H

#include "cli.h"

/* Prints the script for `bash`, `zsh` or `fish`; false for another shell. */
bool completion_print(const struct command *commands, const char *shell);

#endif
