/* SPDX-License-Identifier: MIT
 *
 * lock.c - `ttswc lock`.
 */
#include "commands.h"
#include "compile.h"

enum exit_code command_lock(const struct args *args)
{
    (void)args;
    return EXIT_SYSTEM;
}
