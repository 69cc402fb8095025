/* SPDX-License-Identifier: MIT
 *
 * trace.h - how one tensor is made, or what becomes of one.
 *
 * In: a spec, a target or a source, perhaps a checkpoint. Out: the chain from
 * the line of the spec to the bytes. Invariant: says what the compiler would
 * do, out of the same structures.
 */
#ifndef TTSW_TRACE_H
#define TTSW_TRACE_H

#include "cli.h"

/* `ttswc explain [--inverse] SPEC NAME [CHECKPOINT...]` */
enum exit_code trace_explain(const struct args *args);

#endif
