/* SPDX-License-Identifier: MIT
 *
 * block_parse.h - the blocks of `map:` and of templates.
 *
 * In: a list of YAML maps. Out: blocks with their loops and entries in
 * document order. Invariant: a block has either `use:` or entries.
 */
#ifndef TTSW_BLOCK_PARSE_H
#define TTSW_BLOCK_PARSE_H

#include "fields.h"

struct block *block_parse_list(struct parser *p, const struct node *n,
                               size_t *count);

/* Fields that a spec and a block share; `into` is a struct overrides. */
void block_read_store(struct parser *p, const struct node *n, void *into);
void block_read_source_dtype(struct parser *p, const struct node *n,
                             void *into);
void block_read_weight_norm(struct parser *p, const struct node *n, void *into);

#endif
