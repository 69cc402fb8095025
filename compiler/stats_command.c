/* SPDX-License-Identifier: MIT
 *
 * stats_command.c - `ttswc stats`.
 */
#include "commands.h"
#include "compile.h"

enum exit_code command_stats(const struct args *args)
{
    (void)args;
    return EXIT_SYSTEM;
}
