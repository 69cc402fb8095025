/* SPDX-License-Identifier: MIT
 *
 * map_json.c - a map for programs: keys by bytes, no white space.
 */
#include <inttypes.h>

#include "contract.h"
#include "map_form.h"
#include "meta.h"
#include "sources.h"

static void put_number(struct text *t, const char *key, uint64_t n, bool known)
{
    text_format(t, "\"%s\":", key);
    if (known)
        text_format(t, "%" PRIu64, n);
    else
        text_c(t, "null");
}

/* ,"line":N */
static void put_line(struct text *t, struct span at)
{
    uint32_t line, column;
    source_position(at.src, at.begin, &line, &column);
    text_format(t, ",\"line\":%" PRIu32, line);
}

/* ,"path":"FILE" */
static void put_path(struct text *t, struct span at)
{
    text_c(t, ",\"path\":");
    meta_string(t, at.src->path);
}

/* ,"source":"gpt": null where the spec has no `sources:` */
static void put_source(struct text *t, const struct spec *s, uint32_t file)
{
    text_c(t, ",\"source\":");
    sources_json(t, s, file);
}

static void put_type(struct text *t, enum ttsb_dtype dtype, struct type type)
{
    text_format(t, ",\"type\":\"%s", spec_dtype_name(dtype));
    type_print(t, type);
    text_c(t, "\"");
}

/* --- outputs --- */

void map_json_group(struct text *t, const struct map_of *of, size_t group)
{
    const struct group *g = &of->m->groups[group];
    text_c(t, "{\"name\":");
    meta_string(t, g->name);
    text_c(t, ",");
    put_number(t, "offset", of->blob != NULL ? of->blob->groups[group] : 0,
               of->blob != NULL);
    text_c(t, ",\"outputs\":[");
}

static const char *word(bool is)
{
    return is ? "true" : "false";
}

static void put_use(struct text *t, const struct map_of *of,
                    const struct use *u)
{
    const struct leaf *leaf = u->leaf;
    text_format(t,
                "{\"allow_nonfinite\":%s,\"also\":%s,\"lacking\":%s,\"name\":",
                word(leaf->allow_nonfinite), word(leaf->also),
                word(leaf->source == NO_SOURCE));
    meta_string(t, leaf->name);
    text_c(t, ",\"part\":");
    uses_json_part(t, leaf->type, u->claimed);
    put_source(t, of->m->spec, leaf->file);
    text_c(t, "}");
}

void map_json_output(struct text *t, const struct map_of *of, uint32_t output,
                     const struct uses *uses)
{
    const struct output *o = &of->m->outputs[output];
    struct text value = {0};
    text_format(t, "{\"absent\":%s,\"alias\":%s,", word(o->absent),
                word(o->alias_of != TTSB_NO_TENSOR));
    put_number(t, "bytes", o->size, true);
    text_format(t, ",\"in_group\":%" PRIu64, o->offset);
    put_line(t, o->where.at);
    text_format(t, ",\"missing\":%s,\"name\":", word(o->missing));
    meta_string(t, o->name);
    text_c(t, ",");
    put_number(t, "offset", of->blob != NULL ? of->blob->offsets[output] : 0,
               of->blob != NULL);
    put_path(t, o->where.at);
    text_c(t, ",\"sources\":[");
    for (size_t i = 0; i < uses->n; i++) {
        text_c(t, i > 0 ? "," : "");
        put_use(t, of, &uses->p[i]);
    }
    text_c(t, "]");
    put_type(t, o->dtype, o->type);
    text_c(t, ",\"value\":");
    contract_readable(&value, of->m, o);
    meta_string(t, text_view(&value));
    text_c(t, "}");
    text_release(&value);
}

/* --- what is dropped --- */

void map_json_dropped(struct text *t, const struct map_of *of,
                      const struct map_dropped *x)
{
    const struct dropped *d = x->d;
    const struct leaf *leaf = d->leaf;
    text_c(t, "{");
    put_number(t, "bytes", x->bytes, x->bytes_known);
    text_format(t, ",\"elements\":%" PRIu64, x->elements);
    put_line(t, d->at);
    text_c(t, ",\"name\":");
    meta_string(t, leaf != NULL ? leaf->name : d->subtree->prefix);
    text_c(t, ",\"part\":");
    uses_json_dropped(t, d);
    put_path(t, d->at);
    text_c(t, ",\"reason\":");
    meta_string(t, *d->reason);
    put_source(t, of->m->spec, leaf != NULL ? leaf->file : d->subtree->file);
    text_format(t, ",\"tensors\":%" PRIu64,
                leaf != NULL ? 1 : d->subtree->found_tensors);
    if (leaf != NULL)
        put_type(t, leaf->dtype, leaf->type);
    else
        text_c(t, ",\"type\":null");
    text_c(t, "}");
}

/* --- the end --- */

void map_json_tail(struct text *t, const struct map_of *of,
                   const struct map_total *totals, size_t n)
{
    const struct spec *s = of->m->spec;
    text_c(t, "],\"model\":");
    meta_string(t, s->model);
    text_format(t, ",\"revision\":%" PRIu64 ",\"root\":", s->revision);
    if (of->made) {
        text_c(t, "\"");
        text_hex(t, of->blob->root, 16);
        text_c(t, "\"");
    } else {
        text_c(t, "null");
    }
    text_c(t, ",");
    put_number(t, "size", of->blob != NULL ? of->blob->size : 0,
               of->blob != NULL);
    text_c(t, ",\"totals\":[");
    for (size_t i = 0; i < n; i++) {
        const struct sums *x = &totals[i].sums;
        text_c(t, i > 0 ? ",{" : "{");
        put_number(t, "bytes", x->bytes, totals[i].bytes_known);
        text_format(t, ",\"elements\":%" PRIu64 ",\"name\":\"%s\"", x->elements,
                    totals[i].name);
        text_format(t, ",\"tensors\":%" PRIu64 "}", x->tensors);
    }
    text_c(t, "]}\n");
}
