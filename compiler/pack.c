/* SPDX-License-Identifier: MIT
 *
 * pack.c - a blob as a smaller file, and back.
 */
#include "commands.h"

enum exit_code command_pack(const struct args *args)
{
    return cli_misused("pack", args->positional[0]);
}

enum exit_code command_unpack(const struct args *args)
{
    return cli_misused("unpack", args->positional[0]);
}
