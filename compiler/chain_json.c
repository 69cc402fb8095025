/* SPDX-License-Identifier: MIT
 *
 * chain_json.c - the chain of an output, for programs: keys by bytes.
 */
#include <inttypes.h>

#include "chain.h"
#include "contract.h"
#include "meta.h"
#include "sources.h"

static const char *word(bool is)
{
    return is ? "true" : "false";
}

static void put_members(struct text *t, struct span at)
{
    uint32_t line, column;
    source_position(at.src, at.begin, &line, &column);
    text_format(t,
                "\"column\":%" PRIu32 ",\"line\":%" PRIu32 ",\"path\":", column,
                line);
    meta_string(t, at.src->path);
}

void chain_json_place(struct text *t, struct span at)
{
    text_c(t, "{");
    put_members(t, at);
    text_c(t, "}");
}

/* Innermost first. */
void chain_json_uses(struct text *t, const struct diag_frame *use)
{
    text_c(t, "[");
    for (const struct diag_frame *f = use; f != NULL; f = f->outer) {
        text_c(t, f != use ? ",{" : "{");
        put_members(t, f->at);
        text_c(t, ",\"template\":");
        meta_string(t, f->name);
        text_c(t, "}");
    }
    text_c(t, "]");
}

/* Innermost first. */
void chain_json_loops(struct text *t, const struct diag_binding *loops)
{
    text_c(t, "[");
    for (const struct diag_binding *b = loops; b != NULL; b = b->outer) {
        text_c(t, b != loops ? ",{\"name\":" : "{\"name\":");
        meta_string(t, b->name);
        text_c(t, ",\"value\":");
        if (b->is_word)
            meta_string(t, b->word);
        else
            text_format(t, "%" PRId64, b->number);
        text_c(t, "}");
    }
    text_c(t, "]");
}

void chain_json_bytes(struct text *t, const struct chain_of *of,
                      const struct leaf *leaf, const struct claimed *c)
{
    struct byte_range b;
    if (!chain_bytes(of, leaf, c, &b)) {
        text_c(t, "null");
        return;
    }
    text_format(t,
                "{\"begin\":%" PRIu64 ",\"end\":%" PRIu64 ",\"path\":", b.begin,
                b.end);
    meta_string(t, b.path);
    text_format(t, ",\"whole\":%s}", word(b.whole));
}

static void put_use(struct text *t, const struct chain_of *of,
                    const struct use *u)
{
    const struct leaf *leaf = u->leaf;
    text_format(t, "{\"allow_nonfinite\":%s,\"also\":%s,\"bytes\":",
                word(leaf->allow_nonfinite), word(leaf->also));
    chain_json_bytes(t, of, leaf, u->claimed);
    text_format(t,
                ",\"lacking\":%s,\"name\":", word(leaf->source == NO_SOURCE));
    meta_string(t, leaf->name);
    text_c(t, ",\"part\":");
    uses_json_part(t, leaf->type, u->claimed);
    text_c(t, ",\"source\":");
    sources_json(t, of->m->spec, leaf->file);
    text_format(t, ",\"type\":\"%s", spec_dtype_name(leaf->dtype));
    type_print(t, leaf->type);
    text_c(t, "\"}");
}

static void put_steps(struct text *t, const struct chain_of *of,
                      const struct chain *c)
{
    struct text value = {0};
    text_c(t, ",\"steps\":[");
    for (size_t i = 0; i < c->n; i++) {
        const struct step *s = c->steps[i].step;
        value.n = 0;
        contract_step(&value, of->m, s, c->steps[i].operands);
        text_format(t, "%s{\"does\":", i > 0 ? "," : "");
        meta_string(t, text_view(&value));
        text_format(t, ",\"number\":%zu,\"type\":\"%s", i + 1,
                    s->dtype != 0 ? spec_dtype_name(s->dtype) : "");
        type_print(t, s->type);
        text_c(t, "\"}");
    }
    text_c(t, "]");
    text_release(&value);
}

/* What something writes, as a JSON string behind a key. */
static void put_stored(struct text *t, const struct chain *c)
{
    struct text value = {0};
    text_c(t, ",\"stored\":");
    chain_put_store(&value, c);
    meta_string(t, text_view(&value));
    text_release(&value);
}

static void put_contract(struct text *t, const struct chain_of *of,
                         const struct output *o)
{
    struct text value = {0};
    contract_line(&value, of->m, o);
    meta_string(t, text_view(&value));
    text_release(&value);
}

/* From `absent` to `missing`. */
static void put_first(struct text *t, const struct chain_of *of,
                      const struct chain *c)
{
    const struct output *o = c->o;
    text_format(t, "{\"absent\":%s,\"alias_of\":", word(o->absent));
    if (c->made != o)
        meta_string(t, c->made->name);
    else
        text_c(t, "null");
    text_format(t, ",\"bytes\":%" PRIu64 ",\"contract\":", o->size);
    put_contract(t, of, o);
    text_c(t, ",\"cut_from\":");
    if (chain_is_piece(o))
        chain_json_place(t, o->value->term->at);
    else
        text_c(t, "null");
    text_c(t, ",\"for\":");
    chain_json_loops(t, o->where.loops);
    text_c(t, ",\"group\":");
    meta_string(t, of->m->groups[o->group].name);
    text_format(t, ",\"in_group\":%" PRIu64 ",\"missing\":%s", o->offset,
                word(o->missing));
}

void chain_json(struct arena *a, struct text *t, const struct chain_of *of,
                uint32_t output)
{
    struct chain c = chain_follow(a, of->m, output);
    const struct output *o = c.o;
    put_first(t, of, &c);
    text_c(t, ",\"name\":");
    meta_string(t, o->name);
    text_c(t, ",\"offset\":");
    if (of->blob != NULL)
        text_format(t, "%" PRIu64, of->blob->offsets[output]);
    else
        text_c(t, "null");
    text_format(t, ",\"optional\":%s,\"place\":", word(o->optional));
    chain_json_place(t, o->where.at);
    text_c(t, ",\"sources\":[");
    for (size_t i = 0; i < c.uses.n; i++) {
        text_c(t, i > 0 ? "," : "");
        put_use(t, of, &c.uses.p[i]);
    }
    text_c(t, "]");
    put_steps(t, of, &c);
    put_stored(t, &c);
    text_c(t, ",\"text\":");
    meta_string(t, chain_lines(a, o));
    text_format(t, ",\"type\":\"%s", spec_dtype_name(o->dtype));
    type_print(t, o->type);
    text_c(t, "\",\"use\":");
    chain_json_uses(t, o->where.use);
    text_format(t, ",\"zeros\":%" PRIu64 "}", c.uses.zeros);
}
