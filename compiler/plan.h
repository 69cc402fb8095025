/* SPDX-License-Identifier: MIT
 *
 * plan.h - where every element of a value comes from.
 *
 * In: an output's steps. Out: its regions. Invariant: pure. Moving elements
 * and computing on each of them commute, so any tree of such steps is a list
 * of regions, each with a list of operations that are applied to each element,
 * and no intermediate tensor exists. What computes with several elements at a
 * time is a node: a source of its own for the steps above it.
 */
#ifndef TTSW_PLAN_H
#define TTSW_PLAN_H

#include "regions.h"

/* The regions of a value, settled. A leaf stands in one region unless its use
 * is cut where that does not meet the axes' bounds. `failed` where there would
 * be too many. */
struct regions plan_value(struct arena *a, const struct step *s);

/* The same, of the part [lo, lo + n) of an axis of the value. */
struct regions plan_part(struct arena *a, const struct step *s, uint32_t axis,
                         uint64_t lo, uint64_t n);

/* Appends the regions of what a value's nodes are computed from, and of what
 * is below, each node's once; not settled. So all sources are there. */
void plan_sources(struct regions *v);

/* Writes to each leaf of a value which part of it is used (`claimed`). False if
 * that cannot be said: too many regions. *work is how many were made. */
bool plan_claims(struct arena *a, const struct step *s, uint64_t *work);

/* Whether a leaf is one of a value's sources. */
bool plan_uses(const struct step *s, const struct leaf *leaf);

/* Whether a step computes with several elements: a node. */
bool plan_is_node(const struct step *s);

#endif
