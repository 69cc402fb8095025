/* SPDX-License-Identifier: MIT
 *
 * mutate.c - `ttswc mutate`.
 */
#include "commands.h"
#include "compile.h"

enum exit_code command_mutate(const struct args *args)
{
    (void)args;
    return EXIT_SYSTEM;
}
