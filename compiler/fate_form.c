/* SPDX-License-Identifier: MIT
 *
 * fate_form.c - what becomes of a source, as text and as JSON.
 */
#include <inttypes.h>

#include "fate.h"
#include "meta.h"
#include "sources.h"

/* --- text --- */

static void put_label(struct text *t, const char *label)
{
    text_format(t, "%-10s", label);
}

static void put_head(struct text *t, const struct chain_of *of,
                     const struct fate *f)
{
    sources_put(t, of->m->spec, f->file, f->name);
    if (f->leaf != NULL) {
        text_format(t, "  %s", spec_dtype_name(f->leaf->dtype));
        type_print(t, f->leaf->type);
        uses_put_marks(t, f->leaf);
    } else if (f->found != NO_SOURCE) {
        const struct st_tensor *x = &of->c->tensors[f->found];
        text_format(t, "  %s", spec_dtype_name((enum ttsb_dtype)x->dtype));
        text_sizes(t, x->dims, x->rank);
    }
    text_c(t, "\n");
}

static void put_file(struct text *t, const struct chain_of *of,
                     const struct fate *f)
{
    struct byte_range b;
    if (f->leaf == NULL || !chain_bytes(of, f->leaf, NULL, &b))
        return;
    put_label(t, "file");
    meta_word(t, b.path);
    text_format(t, ", bytes %" PRIu64 "..%" PRIu64 "\n", b.begin, b.end);
}

static void put_role(struct text *t, const struct chain_of *of,
                     const struct fate *f)
{
    size_t from;
    if (f->leaf == NULL)
        return;
    from = t->n;
    put_label(t, "is");
    fate_put_role(t, of, f->leaf);
    if (t->n == from + 10)
        t->n = from;
    else
        text_c(t, "\n");
}

static void put_output(struct text *t, const struct chain_of *of,
                       const struct fate_output *x)
{
    const struct output *o = &of->m->outputs[x->output];
    const struct leaf *leaf = x->use.leaf;
    text_format(t, "%.*s", STR_ARG(o->name));
    if (uses_is_part(leaf->type, x->use.claimed)) {
        text_c(t, ", of it ");
        uses_put_part(t, leaf->type, x->use.claimed);
    }
    text_c(t, o->alias_of != TTSB_NO_TENSOR ? " (alias)" : "");
    text_c(t, leaf->also ? " (also)" : "");
    text_c(t, o->missing ? " MISSING" : o->absent ? " ABSENT" : "");
    text_c(t, "  ");
    chain_put_place(t, o->where.at);
    text_c(t, "\n");
}

static void put_dropped(struct text *t, const struct dropped *d)
{
    if (d->leaf != NULL && uses_is_part(d->leaf->type, d->claimed)) {
        uses_put_part(t, d->leaf->type, d->claimed);
        text_c(t, " ");
    } else if (d->leaf == NULL) {
        text_format(t, "with all of `%.*s` ", STR_ARG(d->subtree->prefix));
    }
    meta_string(t, *d->reason);
    text_c(t, "  ");
    chain_put_place(t, d->at);
    text_c(t, "\n");
}

void fate_text(struct text *t, const struct chain_of *of, const struct fate *f)
{
    put_head(t, of, f);
    put_file(t, of, f);
    put_role(t, of, f);
    for (size_t i = 0; i < f->output_count; i++) {
        put_label(t, i == 0 ? "goes into" : "");
        put_output(t, of, &f->outputs[i]);
    }
    for (size_t i = 0; i < f->dropped_count; i++) {
        put_label(t, i == 0 ? "dropped" : "");
        put_dropped(t, &f->dropped[i]);
    }
    if (f->unclaimed) {
        put_label(t, "unclaimed");
        text_c(t, "the spec neither uses nor drops it (E0302)\n");
    } else if (f->output_count == 0 && f->dropped_count == 0) {
        put_label(t, "lacking");
        text_c(t, "the checkpoint does not have it\n");
    }
}

/* --- JSON --- */

static void json_output(struct text *t, const struct chain_of *of,
                        const struct fate_output *x)
{
    const struct output *o = &of->m->outputs[x->output];
    const struct leaf *leaf = x->use.leaf;
    text_format(t, "{\"alias\":%s,\"also\":%s,\"bytes\":",
                o->alias_of != TTSB_NO_TENSOR ? "true" : "false",
                leaf->also ? "true" : "false");
    chain_json_bytes(t, of, leaf, x->use.claimed);
    text_c(t, ",\"name\":");
    meta_string(t, o->name);
    text_c(t, ",\"part\":");
    uses_json_part(t, leaf->type, x->use.claimed);
    text_c(t, ",\"place\":");
    chain_json_place(t, o->where.at);
    text_c(t, "}");
}

static void json_dropped(struct text *t, const struct dropped *d)
{
    text_c(t, "{\"part\":");
    uses_json_dropped(t, d);
    text_c(t, ",\"place\":");
    chain_json_place(t, d->at);
    text_c(t, ",\"reason\":");
    meta_string(t, *d->reason);
    text_c(t, ",\"subtree\":");
    if (d->leaf == NULL)
        meta_string(t, d->subtree->prefix);
    else
        text_c(t, "null");
    text_c(t, "}");
}

static void json_type(struct text *t, const struct chain_of *of,
                      const struct fate *f)
{
    if (f->leaf != NULL) {
        text_format(t, "\"%s", spec_dtype_name(f->leaf->dtype));
        type_print(t, f->leaf->type);
        text_c(t, "\"");
    } else if (f->found != NO_SOURCE) {
        const struct st_tensor *x = &of->c->tensors[f->found];
        text_format(t, "\"%s", spec_dtype_name((enum ttsb_dtype)x->dtype));
        text_sizes(t, x->dims, x->rank);
        text_c(t, "\"");
    } else {
        text_c(t, "null");
    }
}

static void json_role(struct text *t, const struct chain_of *of,
                      const struct fate *f)
{
    struct text role = {0};
    if (f->leaf != NULL)
        fate_put_role(&role, of, f->leaf);
    if (role.n > 0)
        meta_string(t, text_view(&role));
    else
        text_c(t, "null");
    text_release(&role);
}

void fate_json(struct text *t, const struct chain_of *of, const struct fate *f)
{
    text_c(t, "{\"bytes\":");
    if (f->leaf != NULL)
        chain_json_bytes(t, of, f->leaf, NULL);
    else
        text_c(t, "null");
    text_c(t, ",\"dropped\":[");
    for (size_t i = 0; i < f->dropped_count; i++) {
        text_c(t, i > 0 ? "," : "");
        json_dropped(t, &f->dropped[i]);
    }
    text_format(t, "],\"lacking\":%s,\"name\":",
                of->c != NULL && f->found == NO_SOURCE ? "true" : "false");
    meta_string(t, f->name);
    text_c(t, ",\"outputs\":[");
    for (size_t i = 0; i < f->output_count; i++) {
        text_c(t, i > 0 ? "," : "");
        json_output(t, of, &f->outputs[i]);
    }
    text_c(t, "],\"role\":");
    json_role(t, of, f);
    text_c(t, ",\"source\":");
    sources_json(t, of->m->spec, f->file);
    text_c(t, ",\"type\":");
    json_type(t, of, f);
    text_format(t, ",\"unclaimed\":%s}", f->unclaimed ? "true" : "false");
}
