/* SPDX-License-Identifier: MIT
 *
 * apart.h - a shard without the others.
 *
 * In: sources that lack tensors. Out: E0702 where their files call themselves
 * shards of a set that is not whole: NAME-00001-of-00003.safetensors.
 * Invariant: a set is only missed where a tensor is.
 */
#ifndef TTSW_APART_H
#define TTSW_APART_H

#include "missing.h"

/* Sources that it is said of count as r->prefixed: what is missing is in the
 * other shards. Nothing in partial mode. */
void apart_check(struct resolution *r);

#endif
