/* SPDX-License-Identifier: MIT
 *
 * header_form.h - what the parts of the generated header share.
 *
 * In: a sealed model, its tree of members, its families. Out: text at the end
 * of `t`, part by part. Invariant: as header_gen.h says.
 */
#ifndef TTSW_HEADER_FORM_H
#define TTSW_HEADER_FORM_H

#include "header_family.h"
#include "header_names.h"
#include "text.h"

struct generator {
    const struct model *m;
    struct arena *a;
    struct text t;
    const struct member *root;
    struct families families;
    size_t declared;          /* of them, as members */
    struct nametab tags;      /* of structs */
    struct nametab ambiguous; /* those that several have */
    struct str lower;         /* the model's name as an identifier */
    struct str upper;
};

/* The C type that a tensor of this dtype is an array of. */
const char *header_type(enum ttsb_dtype dtype);

/* The constants of each family of tensors, and the lengths of arrays. */
void header_put_shapes(struct generator *g);

/* `struct MODEL_weights` and what is asserted of it. */
void header_put_struct(struct generator *g);

/* MODEL_require and MODEL_bind. */
void header_put_bind(struct generator *g);

/* MODEL_unused, for a build with TTSB_COVERAGE. */
void header_put_unused(struct generator *g);

#endif
