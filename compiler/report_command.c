/* SPDX-License-Identifier: MIT
 *
 * report_command.c - `ttswc report`.
 */
#include "commands.h"
#include "compile.h"

enum exit_code command_report(const struct args *args)
{
    (void)args;
    return EXIT_SYSTEM;
}
