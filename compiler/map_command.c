/* SPDX-License-Identifier: MIT
 *
 * map_command.c - `ttswc map`.
 */
#include "commands.h"
#include "compile.h"

enum exit_code command_map(const struct args *args)
{
    (void)args;
    return EXIT_SYSTEM;
}
