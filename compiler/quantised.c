/* SPDX-License-Identifier: MIT
 *
 * quantised.c - the names that bitsandbytes, GPTQ, AWQ, compressed-tensors and
 * the float8 formats give to scales, zero points and packed weights.
 *
 * A name that a model could have, too, counts only beside one that it could
 * not have.
 */
#include "quantised.h"

#include "indexset.h"
#include "sources.h"

#define MAX_LISTED 3

static const struct tail {
    const char *text, *beside; /* beside: what must be there as well, or NULL */
} tails[] = {
    {".SCB", NULL},
    {".weight_format", ".SCB"},
    {".qweight", NULL},
    {".qzeros", ".qweight"},
    {".scales", ".qweight"},
    {".g_idx", ".qweight"},
    {".weight_scale", ".weight"},
    {".weight_scale_inv", ".weight"},
    {".weight_scale_2", ".weight"},
    {".weight_zero_point", ".weight_scale"},
    {".input_scale", ".weight_scale"},
    {".weight_packed", NULL},
    {".weight_shape", ".weight_packed"},
    {".weight.absmax", NULL},
    {".weight.quant_map", ".weight.absmax"},
    {".weight.nested_absmax", ".weight.absmax"},
    {".weight.nested_quant_map", ".weight.absmax"},
    {".weight.quant_state.bitsandbytes__nf4", NULL},
    {".weight.quant_state.bitsandbytes__fp4", NULL},
};

/* The module that a name is a quantiser's state of; empty for other names. */
static struct str module_of(const struct resolution *r, uint32_t source,
                            struct str name)
{
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        struct str stem = {0}, beside;
        uint32_t index;
        if (!str_ends(name, tails[i].text))
            continue;
        stem = str_cut(name, 0, name.n - strlen(tails[i].text));
        if (tails[i].beside == NULL)
            return stem;
        beside = arena_format(r->a, "%.*s%s", STR_ARG(stem), tails[i].beside);
        if (checkpoint_find(r->c, source, beside, &index))
            return stem;
    }
    return (struct str){0};
}

struct state {
    struct str *names;
    size_t count;
    uint32_t first; /* tensor */
    struct nametab modules;
};

static void collect(struct resolution *r, uint32_t source, struct state *s)
{
    const struct checkpoint_source *of = &r->c->sources[source];
    s->names = arena_new(r->a, struct str, of->count);
    for (uint32_t i = of->first; i < of->first + of->count; i++) {
        struct str name = r->c->tensors[i].name, stem;
        uint32_t value = i;
        if (r->claimed[i] || (stem = module_of(r, source, name)).n == 0)
            continue;
        if (s->count == 0)
            s->first = i;
        s->names[s->count++] = name;
        nametab_add(r->a, &s->modules, stem, &value);
        r->claimed[i] = true;
    }
}

/* The weights of the modules; returns the first. */
static const struct leaf *settle(struct resolution *r, uint32_t source,
                                 const struct state *s)
{
    const struct leaf *first = NULL;
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        struct leaf *leaf = r->m->leaves[i];
        struct str stem = leaf->name;
        uint32_t value;
        if (leaf->file != source || !str_ends(leaf->name, ".weight"))
            continue;
        stem.n -= strlen(".weight");
        if (!nametab_find(&s->modules, stem, &value))
            continue;
        leaf->reported = true;
        first = first == NULL ? leaf : first;
    }
    return first;
}

static struct str listed(struct resolution *r, const struct state *s)
{
    struct name_set *sets;
    size_t n = indexset_fold_names(r->a, s->names, s->count, &sets);
    struct str text = {0};
    for (size_t i = 0; i < n && i < MAX_LISTED; i++)
        text = arena_format(r->a, "%.*s%s%.*s", STR_ARG(text),
                            i > 0 ? "; " : "", STR_ARG(sets[i].text));
    if (n > MAX_LISTED)
        text = arena_format(r->a, "%.*s; and %zu more of other names",
                            STR_ARG(text), n - MAX_LISTED);
    return text;
}

static void say(struct resolution *r, uint32_t source, const struct state *s,
                const struct leaf *near)
{
    struct diag_where w = {.at = sources_at(r->m->spec, source)};
    struct diag_item *item;
    if (near != NULL)
        w = (struct diag_where){near->where.at, near->where.use, NULL};
    item = diag_add(r->d, "E0313", w,
                    "%zu tensor%s of %.*s %s a quantiser's state: %.*s",
                    s->count, s->count == 1 ? "" : "s",
                    STR_ARG(checkpoint_called(r->a, r->c, source)),
                    s->count == 1 ? "is" : "are", STR_ARG(listed(r, s)));
    diag_note(r->d, item, "%.*s",
              STR_ARG(checkpoint_tensor_text(r->a, r->c, s->first)));
    diag_help(r->d, item,
              "this is no float checkpoint, and ttswc does not dequantise: "
              "take the one that it was made from");
}

void quantised_check(struct resolution *r, size_t *unclaimed)
{
    for (uint32_t i = 0; i < r->c->source_count; i++) {
        struct state s = {0};
        if (!r->prefixed[i])
            collect(r, i, &s);
        if (s.count == 0)
            continue;
        unclaimed[i] += s.count;
        say(r, i, &s, settle(r, i, &s));
    }
}
