/* SPDX-License-Identifier: MIT
 *
 * manual.h - a page for man(1) of each command.
 *
 * In: the table of commands, and that of options.c. Out: roff on stdout.
 * Invariant: what the page says is what the parser takes.
 */
#ifndef TTSW_MANUAL_H
#define TTSW_MANUAL_H

#include "cli.h"

/* Prints ttswc(1), or with a command that of it: ttswc-compile(1). */
void manual_print(const struct command *commands, const struct command *c);

#endif
