/* SPDX-License-Identifier: MIT
 *
 * arg_parse.h - the arguments of operations that are no terms.
 *
 * In: a cursor in front of an argument, its kind. Out: the argument, read by
 * its kind. Invariant: as of ops.h, the kind alone decides what a word is.
 */
#ifndef TTSW_ARG_PARSE_H
#define TTSW_ARG_PARSE_H

#include "cursor.h"

/* Reads one argument into its fields; false if something else follows, which
 * may be said already. */
bool arg_parse(struct cursor *c, enum arg_kind kind, struct arg *arg);

/* lo..hi, or one index: then `hi` is NULL. */
struct range arg_parse_range(struct cursor *c);

#endif
