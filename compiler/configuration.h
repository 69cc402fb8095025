/* SPDX-License-Identifier: MIT
 *
 * configuration.h - a checkpoint of the same model with other sizes.
 *
 * In: leaves that are bound. Out: one E0401 for each definition (`D = 1024`)
 * with another value of which every size that is made of it would be right.
 * Invariant: a definition that any tensor agrees with is never blamed; its
 * tensors are then said one by one.
 */
#ifndef TTSW_CONFIGURATION_H
#define TTSW_CONFIGURATION_H

#include "missing.h"

/* What it explains has `resized` set. */
void configuration_check(struct resolution *r);

#endif
