/* SPDX-License-Identifier: MIT
 *
 * header_gen.h - the C header of a spec.
 *
 * In: a model that is sealed. Out: the text of a header with the contract id,
 * the constants, `struct MODEL_weights`, `MODEL_bind` and, for builds with
 * TTSB_COVERAGE, `MODEL_unused`. Invariant: the same spec gives the same
 * bytes; clean as C11, C++17 and CUDA; an engine that asks for a weight that
 * does not exist does not compile.
 */
#ifndef TTSW_HEADER_GEN_H
#define TTSW_HEADER_GEN_H

#include "model.h"

/* The whole header. */
struct str header_text(struct arena *a, struct diag *d, const struct model *m);

#endif
