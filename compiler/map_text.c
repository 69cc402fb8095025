/* SPDX-License-Identifier: MIT
 *
 * map_text.c - a map for people, and for grep and diff.
 *
 * Columns have fixed widths, which a longer entry exceeds, so that no line
 * depends on another one; two blanks stand between them. What is not known
 * without a checkpoint is `-`.
 */
#include <inttypes.h>

#include "contract.h"
#include "map_form.h"
#include "meta.h"
#include "sources.h"

#define TYPE_WIDTH 28
#define NAME_WIDTH 40
#define OFFSETS_WIDTH 24 /* of the two columns that a dropped thing lacks */

/* --- pieces of lines --- */

/* Ends the column that began at byte `from`. */
static void end_column(struct text *t, size_t from, size_t width)
{
    size_t n = t->n - from;
    text_format(t, "%*s", (int)(n < width ? width - n : 0) + 2, "");
}

static void put_type(struct text *t, enum ttsb_dtype dtype, struct type type)
{
    size_t from = t->n;
    text_c(t, spec_dtype_name(dtype));
    type_print(t, type);
    end_column(t, from, TYPE_WIDTH);
}

/* "FILE:LINE", the end of a line. */
static void put_place(struct text *t, struct span at)
{
    uint32_t line, column;
    source_position(at.src, at.begin, &line, &column);
    text_c(t, "  ");
    meta_word(t, at.src->path);
    text_format(t, ":%" PRIu32 "\n", line);
}

/* A number that may be unknown, as wide as one that is known. */
static void put_bytes(struct text *t, int width, uint64_t n, bool known)
{
    if (known)
        text_format(t, "%*" PRIu64, width, n);
    else
        text_format(t, "%*s", width, "-");
}

static void put_offset(struct text *t, const uint64_t *offset)
{
    if (offset != NULL)
        text_format(t, "0x%08" PRIx64, *offset);
    else
        text_c(t, "-         ");
}

/* --- head --- */

void map_text_head(struct text *t, const struct map_of *of)
{
    const struct spec *s = of->m->spec;
    text_format(
        t, "ttswc map 1\nmodel     %.*s\nrevision  %" PRIu64 "\ncontract  ",
        STR_ARG(s->model), s->revision);
    text_hex(t, of->m->contract_id, 16);
    text_c(t, "\nroot      ");
    if (of->made)
        text_hex(t, of->blob->root, 16);
    else
        text_c(t, "-");
    text_c(t, "\nsize      ");
    put_bytes(t, 0, of->blob != NULL ? of->blob->size : 0, of->blob != NULL);
    text_c(t, "\n");
}

/* --- outputs --- */

void map_text_group(struct text *t, const struct map_of *of, size_t group)
{
    const struct group *g = &of->m->groups[group];
    text_format(t, "\nGROUP %.*s  %s  offset ", STR_ARG(g->name),
                g->place == TTSB_PLACE_HOST ? "host" : "device");
    if (of->blob != NULL)
        text_format(t, "0x%08" PRIx64, of->blob->groups[group]);
    else
        text_c(t, "-");
    text_format(t, "  size %" PRIu64 "  outputs %" PRIu32 "\n", g->size,
                g->count);
    text_format(t, "%-10s  %-10s  %12s  %-*s  %-*s  %s\n", "offset", "in group",
                "bytes", TYPE_WIDTH, "type", NAME_WIDTH, "output",
                "<- sources  = value  place");
}

void map_text_output(struct text *t, const struct map_of *of, uint32_t output,
                     const struct uses *uses)
{
    const struct output *o = &of->m->outputs[output];
    const char *separator = "";
    size_t from;
    put_offset(t, of->blob != NULL ? &of->blob->offsets[output] : NULL);
    text_format(t, "  0x%08" PRIx64 "  %12" PRIu64 "  ", o->offset, o->size);
    put_type(t, o->dtype, o->type);
    from = t->n;
    text_str(t, o->name);
    end_column(t, from, NAME_WIDTH);
    text_format(t, "%s%s%s<- ", o->alias_of != TTSB_NO_TENSOR ? "ALIAS " : "",
                o->absent ? "ABSENT " : "", o->missing ? "MISSING " : "");
    for (size_t i = 0; i < uses->n; i++) {
        const struct leaf *leaf = uses->p[i].leaf;
        text_c(t, separator);
        sources_put(t, of->m->spec, leaf->file, leaf->name);
        uses_put_part(t, leaf->type, uses->p[i].claimed);
        uses_put_marks(t, leaf);
        separator = ", ";
    }
    text_c(t, "  = ");
    contract_readable(t, of->m, o);
    put_place(t, o->where.at);
}

/* --- what is dropped --- */

static void put_subtree(struct text *t, const struct map_of *of,
                        const struct subtree *s)
{
    size_t from = t->n;
    text_format(t, "%" PRIu64 " tensors, %" PRIu64 " elements",
                s->found_tensors, s->found_elements);
    end_column(t, from, TYPE_WIDTH);
    from = t->n;
    sources_put(t, of->m->spec, s->file, s->prefix);
    end_column(t, from, NAME_WIDTH);
}

static void put_leaf(struct text *t, const struct map_of *of,
                     const struct dropped *d)
{
    const struct leaf *leaf = d->leaf;
    size_t from;
    put_type(t, leaf->dtype, leaf->type);
    from = t->n;
    sources_put(t, of->m->spec, leaf->file, leaf->name);
    uses_put_part(t, leaf->type, d->claimed);
    end_column(t, from, NAME_WIDTH);
}

void map_text_dropped(struct text *t, const struct map_of *of,
                      const struct map_dropped *x)
{
    const struct dropped *d = x->d;
    text_format(t, "%*s", OFFSETS_WIDTH, "");
    put_bytes(t, 12, x->bytes, x->bytes_known);
    text_c(t, "  ");
    if (d->leaf != NULL)
        put_leaf(t, of, d);
    else
        put_subtree(t, of, d->subtree);
    meta_string(t, *d->reason);
    put_place(t, d->at);
}

/* --- sums --- */

void map_text_totals(struct text *t, const struct map_total *totals, size_t n)
{
    text_format(t, "\n%-8s  %12s  %20s  %20s\n", "TOTALS", "tensors",
                "elements", "bytes");
    for (size_t i = 0; i < n; i++) {
        const struct sums *s = &totals[i].sums;
        text_format(t, "%-8s  %12" PRIu64 "  %20" PRIu64 "  ", totals[i].name,
                    s->tensors, s->elements);
        put_bytes(t, 20, s->bytes, totals[i].bytes_known);
        text_c(t, "\n");
    }
}
