/* SPDX-License-Identifier: MIT
 *
 * diff.c - `ttswc diff`.
 */
#include "commands.h"
#include "compile.h"

enum exit_code command_diff(const struct args *args)
{
    (void)args;
    return EXIT_SYSTEM;
}
