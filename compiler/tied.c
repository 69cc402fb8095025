/* SPDX-License-Identifier: MIT
 *
 * tied.c - looks for an embedding of the same type as a missing matrix.
 *
 * safetensors refuses tensors that share memory, so exporters save one of the
 * names. Which one is theirs to choose; so either side may be the embedding.
 */
#include "tied.h"

/* What a matrix is the weight of: the component before `.weight`; empty for
 * other names. */
static struct str module_of(struct str name)
{
    size_t from, end = name.n - strlen(".weight");
    if (!str_ends(name, ".weight"))
        return (struct str){0};
    for (from = end; from > 0 && name.p[from - 1] != '.';)
        from--;
    return str_cut(name, from, end);
}

static bool is_one_of(struct str word, const char *const *words)
{
    while (*words != NULL && !str_is(word, *words))
        words++;
    return *words != NULL;
}

static bool is_embedding(struct str module)
{
    static const char *const words[] = {"embed_tokens",
                                        "wte",
                                        "word_embeddings",
                                        "tok_embeddings",
                                        "token_embedding",
                                        "embed",
                                        "text_embedding",
                                        "mel_embedding",
                                        "embedding",
                                        "emb",
                                        "embeddings",
                                        "shared",
                                        NULL};
    return is_one_of(module, words);
}

static bool is_head(struct str module)
{
    static const char *const words[] = {
        "lm_head",   "head",    "text_head", "mel_head",          "output",
        "embed_out", "decoder", "out_proj",  "output_projection", "proj_out",
        "logits",    NULL};
    return is_one_of(module, words);
}

/* An embedding and a head, or two embeddings of other names. */
static bool are_tied(struct str x, struct str y)
{
    struct str a = module_of(x), b = module_of(y);
    return !str_eq(a, b) &&
           ((is_embedding(a) && is_embedding(b)) ||
            (is_embedding(a) && is_head(b)) || (is_head(a) && is_embedding(b)));
}

static bool same_type(const struct resolution *r, const struct leaf *leaf,
                      uint32_t index)
{
    const struct st_tensor *t = &r->c->tensors[index];
    bool same = t->rank == 2 && t->dtype == (uint32_t)leaf->dtype;
    for (uint32_t i = 0; i < 2 && same; i++)
        same = t->dims[i] == leaf->type.axes[i].size && t->dims[i] > 1;
    return same;
}

/* A tensor that nobody claims may be the missing one under another name. */
static bool has_unclaimed(const struct resolution *r, const struct leaf *leaf)
{
    const struct checkpoint_source *of = &r->c->sources[leaf->file];
    for (uint32_t i = of->first; i < of->first + of->count; i++)
        if (!r->claimed[i] && same_type(r, leaf, i))
            return true;
    return false;
}

static const struct leaf *find_twin(const struct resolution *r,
                                    const struct leaf *leaf)
{
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        const struct leaf *other = r->m->leaves[i];
        if (other->file == leaf->file && other->source != NO_SOURCE &&
            !other->dropped && other->first_use == other &&
            same_type(r, leaf, other->source) &&
            are_tied(leaf->name, other->name))
            return other;
    }
    return NULL;
}

static const struct output *only_output(const struct resolution *r,
                                        const struct leaf *leaf)
{
    const struct output *o = &r->m->outputs[leaf->output];
    return leaf->output_count == 1 && o->leaf_count == 1 && o->step != NULL &&
                   o->step->op == OP_LEAF
               ? o
               : NULL;
}

bool tied_say(struct resolution *r, const struct leaf *leaf)
{
    const struct leaf *twin;
    const struct output *mine, *other;
    struct diag_item *item;
    if (leaf->type.rank != 2 || leaf->dropped || leaf->stem.n > 0 ||
        has_unclaimed(r, leaf) || (twin = find_twin(r, leaf)) == NULL)
        return false;
    item = diag_add(r->d, "E0312", leaf->where,
                    "no tensor `%.*s` in %.*s; `%.*s` is there, of the same "
                    "type: they may be tied",
                    STR_ARG(leaf->name),
                    STR_ARG(checkpoint_called(r->a, r->c, leaf->file)),
                    STR_ARG(twin->name));
    diag_label(r->d, item, twin->where.at, "of the same type");
    diag_note(r->d, item, "safetensors stores tensors that share memory once");
    mine = only_output(r, leaf);
    other = only_output(r, twin);
    if (mine != NULL && other != NULL)
        diag_help(r->d, item,
                  "if they are tied, write `%.*s: alias(%.*s)`, behind "
                  "`%.*s`",
                  STR_ARG(mine->name), STR_ARG(other->name),
                  STR_ARG(other->name));
    else
        diag_help(r->d, item,
                  "if they are tied, read it with `also(%.*s [...])`",
                  STR_ARG(twin->name));
    return true;
}
