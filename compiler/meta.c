/* SPDX-License-Identifier: MIT
 *
 * meta.c - keys sorted by bytes, no white space, integers only.
 */
#include "meta.h"

#include <inttypes.h>
#include <stdlib.h>

#include "about.h"
#include "contract.h"
#include "sources.h"

void meta_string(struct text *t, struct str s)
{
    size_t from = 0;
    text_c(t, "\"");
    for (size_t i = 0; i < s.n; i++) {
        unsigned char b = (unsigned char)s.p[i];
        if (b >= 0x20 && b != '"' && b != '\\')
            continue;
        text_str(t, str_cut(s, from, i));
        if (b < 0x20)
            text_format(t, "\\u%04x", b);
        else
            text_format(t, "\\%c", b);
        from = i + 1;
    }
    text_str(t, str_cut(s, from, s.n));
    text_c(t, "\"");
}

void meta_word(struct text *t, struct str s)
{
    bool plain = s.n > 0;
    for (size_t i = 0; i < s.n && plain; i++)
        plain = s.p[i] > ' ' && s.p[i] < 0x7f &&
                strchr("\"(),:=[\\]", s.p[i]) == NULL;
    if (plain)
        text_str(t, s);
    else
        meta_string(t, s);
}

/* One tensor of the checkpoint; without a digest if it was not read, without
 * a source if the spec has no `sources:`. */
static void put_source(struct text *t, const struct st_tensor *s,
                       const uint8_t *digest, struct str source)
{
    text_c(t, "{");
    if (digest != NULL) {
        text_c(t, "\"digest\":\"");
        text_hex(t, digest, 16);
        text_c(t, "\",");
    }
    text_format(t, "\"dtype\":\"%s\",\"name\":",
                spec_dtype_name((enum ttsb_dtype)s->dtype));
    meta_string(t, s->name);
    text_c(t, ",\"shape\":");
    text_sizes(t, s->dims, s->rank);
    if (source.n > 0) {
        text_c(t, ",\"source\":");
        meta_string(t, source);
    }
    text_c(t, "}");
}

/* Tensors of the checkpoint. */
struct source_list {
    uint32_t *p;
    size_t n;
};

static int compare_sources(const void *x, const void *y, void *checkpoint)
{
    const struct checkpoint *c = checkpoint;
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    if (c->places[a].source != c->places[b].source)
        return c->places[a].source < c->places[b].source ? -1 : 1;
    return str_order(c->tensors[a].name, c->tensors[b].name);
}

/* The tensors of one role, by source and name. */
static struct source_list select_sources(struct arena *a, const struct model *m,
                                         const struct checkpoint *c,
                                         enum role role)
{
    struct source_list l = {0};
    l.p = arena_new(a, uint32_t, c->count);
    for (uint32_t i = 0; i < c->count; i++)
        if (m->roles[i] == role)
            l.p[l.n++] = i;
    qsort_r(l.p, l.n, sizeof *l.p, compare_sources, (void *)(uintptr_t)c);
    return l;
}

static void put_sources(struct text *t, struct source_list l,
                        const struct spec *s, const struct checkpoint *c,
                        uint8_t (*digests)[16])
{
    text_c(t, "[");
    for (size_t i = 0; i < l.n; i++) {
        uint32_t source = c->places[l.p[i]].source;
        text_c(t, i > 0 ? "," : "");
        put_source(
            t, &c->tensors[l.p[i]], digests != NULL ? digests[l.p[i]] : NULL,
            s->source_count > 0 ? s->sources[source].id : (struct str){0});
    }
    text_c(t, "]");
}

/* A tensor that a value uses twice stands once: `seen` has, of each tensor of
 * the checkpoint, the output that it stood under last, counted from 1. */
static void put_lineage(struct arena *a, struct text *t, const struct model *m,
                        const struct output *o, uint32_t *seen)
{
    uint32_t next = (uint32_t)(o - m->outputs) + 1;
    bool first = true;
    text_c(t, ",\"sources\":[");
    for (uint32_t i = 0; i < o->leaf_count; i++) {
        const struct leaf *leaf = output_leaf(m, o, i);
        if (leaf->source == NO_SOURCE || seen[leaf->source] == next)
            continue;
        seen[leaf->source] = next;
        text_c(t, first ? "" : ",");
        meta_string(t, sources_name(a, m->spec, leaf->file, leaf->name));
        first = false;
    }
    text_c(t, "]");
}

static void put_tensor(struct arena *a, struct text *t, const struct model *m,
                       const struct output *o, uint32_t *seen)
{
    text_c(t, "{\"axes\":[");
    for (uint32_t i = 0; i < o->type.rank; i++) {
        text_c(t, i > 0 ? "," : "");
        meta_string(t, o->type.axes[i].name);
    }
    text_c(t, "],\"name\":");
    meta_string(t, o->name);
    put_lineage(a, t, m, o, seen);
    text_c(t, ",\"value\":");
    meta_string(t, contract_expression(a, m, o));
    text_c(t, "}");
}

void meta_write(struct arena *a, struct text *t, const struct model *m,
                const struct checkpoint *c, uint8_t (*digests)[16])
{
    uint32_t *seen = arena_new(a, uint32_t, c->count);
    text_c(t, "{");
    about_put(t, &m->spec->about);
    text_c(t, "\"dropped\":");
    put_sources(t, select_sources(a, m, c, ROLE_DROPPED), m->spec, c, NULL);
    text_c(t, ",\"format\":1,\"sources\":");
    put_sources(t, select_sources(a, m, c, ROLE_READ), m->spec, c, digests);
    text_c(t, ",\"spec\":{\"contract\":\"");
    text_hex(t, m->contract_id, 16);
    text_c(t, "\"},\"tensors\":[");
    for (size_t i = 0; i < m->output_count; i++) {
        struct arena scratch = {0};
        text_c(t, i > 0 ? "," : "");
        put_tensor(&scratch, t, m, &m->outputs[i], seen);
        arena_release(&scratch);
    }
    text_c(t, "]}");
}
