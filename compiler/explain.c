/* SPDX-License-Identifier: MIT
 *
 * explain.c - `ttswc explain`: a page about an id, or the making of a tensor.
 *
 * In: one operand, an id; or a spec and a name. Out: text. Invariant: which of
 * the two is meant is told by the number of operands alone.
 */
#include "commands.h"
#include "pages.h"
#include "trace.h"

enum exit_code command_explain(const struct args *args)
{
    return args->count == 1 && !args->backwards ? pages_explain(args)
                                                : trace_explain(args);
}
