/* SPDX-License-Identifier: MIT
 *
 * draft.c - `ttswc draft`.
 */
#include "commands.h"
#include "compile.h"

enum exit_code command_draft(const struct args *args)
{
    (void)args;
    return EXIT_SYSTEM;
}
