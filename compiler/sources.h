/* SPDX-License-Identifier: MIT
 *
 * sources.h - the checkpoints that a spec reads from.
 *
 * In: `sources:`, and `source:` of blocks. Out: a number for each source, in
 * the order of `sources:`. Invariant: a spec without `sources:` has the one
 * source `main`, number 0; where there are several, each source name belongs
 * to the one that the nearest block says (E0316).
 */
#ifndef TTSW_SOURCES_H
#define TTSW_SOURCES_H

#include "fields.h"
#include "model.h"
#include "scope.h"

/* Reads `sources:` of the root (a field's function, see fields.h). */
void sources_read(struct parser *p, const struct node *n, void *into);

/* How many there are; 1 without `sources:`. */
uint32_t sources_count(const struct spec *s);

struct str sources_id(const struct spec *s, uint32_t number);

/* Where a source is declared; without `sources:` the model's name. */
struct span sources_at(const struct spec *s, uint32_t number);

/* The number of a source. An empty id is the only source. NO_SOURCE for an
 * unknown one, and for an empty id where there are several. */
uint32_t sources_find(const struct spec *s, struct str id);

/* "`gpt`, `s2mel`" */
struct str sources_list(struct arena *a, const struct spec *s);

/* A source's tensor as META and messages have it: "gpt:NAME", or NAME where
 * the spec has no `sources:`. */
struct str sources_name(struct arena *a, const struct spec *s, uint32_t number,
                        struct str name);

/* Appends the same, as meta_word has the name. */
void sources_put(struct text *t, const struct spec *s, uint32_t number,
                 struct str name);

/* Appends a source's id as JSON; null where the spec has no `sources:`. */
void sources_json(struct text *t, const struct spec *s, uint32_t number);

/* Evaluates each `root:` in the scope of the spec's dims. */
void sources_evaluate(const struct scope *scope, struct spec *s);

/* `from` behind the root of the source that `say` says. */
struct str sources_root(struct arena *a, const struct spec *s,
                        const struct overrides *say, struct str from);

/* E0316 where a block says a source that is unknown; or none, though there
 * are several and a line of it names a tensor. `say` is what holds in it. */
void sources_check_block(const struct scope *scope, const struct spec *s,
                         const struct block *b, const struct overrides *say);

/* E0316 for each declared source that no leaf of the model is from. */
void sources_check_used(struct arena *a, struct diag *d, const struct model *m);

#endif
