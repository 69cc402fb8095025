/* SPDX-License-Identifier: MIT
 *
 * inspect_any.c - tensors of any files: as a table, as names, as sums.
 *
 * In: a list of tensors and what is chosen of it. Out: text or JSON.
 * Invariant: what is counted is what is chosen, each tensor once.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "inspect.h"
#include "meta.h"

#define LARGEST 10 /* shown by --summary */

static const struct tensor *shown(const struct inspect_view *v, size_t i)
{
    return &v->tensors->p[v->s.index[i]];
}

static void put_shape(struct text *t, const struct tensor *x, int width)
{
    struct text shape = {0};
    text_sizes(&shape, x->dims, x->rank);
    text_format(t, "%-*s", width, shape.p);
    text_release(&shape);
}

/* --- a table --- */

void inspect_metadata(struct text *t, const struct st_header *h)
{
    for (size_t i = 0; i < h->metadata_count; i++) {
        text_c(t, i > 0 ? "," : "");
        meta_string(t, h->metadata[i].key);
        text_c(t, ":");
        meta_string(t, h->metadata[i].value);
    }
}

static void json_file(struct text *t, const struct stfile *f)
{
    text_format(t,
                "{\"data_start\":%" PRIu64 ",\"file_size\":%" PRIu64
                ",\"metadata\":{",
                f->header.data_start, f->size);
    inspect_metadata(t, &f->header);
    text_c(t, "},\"path\":");
    meta_string(t, f->path);
    text_c(t, "}");
}

static void json_tensor(struct text *t, const struct inspect_view *v, size_t i)
{
    const struct tensor *x = shown(v, i);
    uint32_t file = v->tensors->checkpoint.places[x->number].file;
    text_c(t, "{");
    if (x->digest != NULL) {
        text_c(t, "\"digest\":\"");
        text_hex(t, x->digest, 16);
        text_c(t, "\",");
    }
    text_format(t, "\"dtype\":\"%s\",\"file\":%" PRIu32 ",\"name\":",
                spec_dtype_name(x->dtype), file);
    meta_string(t, x->name);
    if (x->has_values)
        text_format(t, ",\"offset\":%" PRIu64, x->offset);
    text_c(t, ",\"shape\":");
    text_sizes(t, x->dims, x->rank);
    text_format(t, ",\"size\":%" PRIu64 "}", x->size);
}

static void json_list(struct text *t, const struct inspect_view *v)
{
    const struct checkpoint *c = &v->tensors->checkpoint;
    text_c(t, "{\"files\":[");
    for (size_t i = 0; i < c->file_count; i++) {
        text_c(t, i > 0 ? "," : "");
        json_file(t, &c->files[i]);
    }
    text_format(t, "],\"format\":\"%s\",\"tensors\":[", v->format);
    for (size_t i = 0; i < v->s.count; i++) {
        text_c(t, i > 0 ? "," : "");
        json_tensor(t, v, i);
    }
    text_c(t, "]}\n");
}

static void put_row(struct text *t, const struct tensor *x)
{
    if (x->has_values)
        text_format(t, "%12" PRIu64, x->offset);
    else
        text_format(t, "%12s", "-");
    text_format(t, " %12" PRIu64 "  %-8s ", x->size, spec_dtype_name(x->dtype));
    put_shape(t, x, 20);
    text_c(t, " ");
    meta_string(t, x->name);
    text_c(t, "\n");
}

/* In file order each file is followed by what is shown of it; in another
 * order the files stand first. */
static void put_files(struct text *t, const struct inspect_view *v)
{
    const struct checkpoint *c = &v->tensors->checkpoint;
    size_t k = 0;
    for (uint32_t i = 0; c->file_count > 1 && i < c->file_count; i++) {
        text_c(t, "file ");
        meta_word(t, c->files[i].path);
        text_format(t, ": %zu tensors, %" PRIu64 " bytes\n",
                    c->files[i].header.count, c->files[i].size);
        for (; v->args->sort == SORT_FILE && k < v->s.count &&
               c->places[v->s.index[k]].file == i;
             k++)
            put_row(t, shown(v, k));
    }
    for (; k < v->s.count; k++)
        put_row(t, shown(v, k));
}

static void put_totals(struct text *t, const struct inspect_view *v)
{
    struct inspect_totals n = {v->s.count, v->tensors->n, v->s.bytes};
    inspect_totals(t, v->args, v->format, n);
}

void inspect_list(struct text *t, const struct inspect_view *v)
{
    if (v->args->json) {
        json_list(t, v);
        return;
    }
    put_files(t, v);
    put_totals(t, v);
}

/* --- names --- */

void inspect_names(struct text *t, const struct inspect_view *v)
{
    bool json = v->args->json;
    text_c(t, json ? "[" : "");
    for (size_t i = 0; i < v->s.count; i++) {
        if (json) {
            text_c(t, i > 0 ? "," : "");
            meta_string(t, shown(v, i)->name);
            continue;
        }
        meta_word(t, shown(v, i)->name);
        text_c(t, "\n");
    }
    text_c(t, json ? "]\n" : "");
}

/* --- sums --- */

struct sum {
    struct str name;
    uint64_t tensors, elements, bytes;
};

struct sums {
    struct arena *a;
    struct nametab names;
    struct sum *p;
    size_t n, capacity;
};

static void add(struct sums *s, struct str name, const struct tensor *x)
{
    uint32_t at = (uint32_t)s->n;
    if (nametab_add(s->a, &s->names, name, &at)) {
        if (s->n == s->capacity)
            s->p = arena_grow(s->a, s->p, sizeof *s->p, s->n, &s->capacity);
        s->p[s->n++] = (struct sum){.name = name};
    }
    s->p[at].tensors++;
    s->p[at].elements += x->elements;
    s->p[at].bytes += x->size;
}

static int by_bytes(const void *x, const void *y)
{
    const struct sum *a = x, *b = y;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    return str_order(a->name, b->name);
}

static int by_size(const void *x, const void *y)
{
    const struct tensor *a = *(const struct tensor *const *)x;
    const struct tensor *b = *(const struct tensor *const *)y;
    if (a->size != b->size)
        return a->size < b->size ? 1 : -1;
    return str_order(a->name, b->name);
}

/* A blob's groups are its own; elsewhere what stands before the first dot. */
static struct str group_of(const struct inspect_view *v, const struct tensor *x)
{
    struct ttsb_group g = {.struct_size = sizeof g};
    const char *dot;
    if (v->tensors->kind == TENSORS_BLOB) {
        ttsb_group_at(v->tensors->blob, x->group, &g);
        return str_c(g.name);
    }
    dot = x->name.n == 0 ? NULL : memchr(x->name.p, '.', x->name.n);
    return dot == NULL ? x->name
                       : str_cut(x->name, 0, (size_t)(dot - x->name.p));
}

struct summary {
    struct sum all;
    struct sums dtypes, groups;
    const struct tensor **largest;
    size_t largest_count;
};

static void sort_sums(struct sums *s)
{
    if (s->n > 0)
        qsort(s->p, s->n, sizeof *s->p, by_bytes);
}

static void summarise(const struct inspect_view *v, struct summary *out)
{
    const struct tensor **p =
        arena_new(v->a, const struct tensor *, v->s.count);
    *out = (struct summary){.dtypes.a = v->a, .groups.a = v->a, .largest = p};
    for (size_t i = 0; i < v->s.count; i++) {
        const struct tensor *x = p[i] = shown(v, i);
        out->all.tensors++;
        out->all.elements += x->elements;
        out->all.bytes += x->size;
        add(&out->dtypes, str_c(spec_dtype_name(x->dtype)), x);
        add(&out->groups, group_of(v, x), x);
    }
    sort_sums(&out->dtypes);
    sort_sums(&out->groups);
    if (v->s.count > 0)
        qsort(p, v->s.count, sizeof *p, by_size);
    out->largest_count = v->s.count < LARGEST ? v->s.count : LARGEST;
}

static void json_sums(struct text *t, const char *key, const char *name,
                      const struct sums *s)
{
    text_format(t, ",\"%s\":[", key);
    for (size_t i = 0; i < s->n; i++) {
        text_format(t,
                    "%s{\"bytes\":%" PRIu64 ",\"elements\":%" PRIu64 ",\"%s\":",
                    i > 0 ? "," : "", s->p[i].bytes, s->p[i].elements, name);
        meta_string(t, s->p[i].name);
        text_format(t, ",\"tensors\":%" PRIu64 "}", s->p[i].tensors);
    }
    text_c(t, "]");
}

static void json_summary(struct text *t, const struct inspect_view *v,
                         const struct summary *s)
{
    text_format(t, "{\"bytes\":%" PRIu64, s->all.bytes);
    json_sums(t, "dtypes", "dtype", &s->dtypes);
    text_format(t, ",\"elements\":%" PRIu64 ",\"format\":\"%s\"",
                s->all.elements, v->format);
    json_sums(t, "groups", "group", &s->groups);
    text_c(t, ",\"largest\":[");
    for (size_t i = 0; i < s->largest_count; i++) {
        const struct tensor *x = s->largest[i];
        text_format(t, "%s{\"dtype\":\"%s\",\"name\":", i > 0 ? "," : "",
                    spec_dtype_name(x->dtype));
        meta_string(t, x->name);
        text_c(t, ",\"shape\":");
        text_sizes(t, x->dims, x->rank);
        text_format(t, ",\"size\":%" PRIu64 "}", x->size);
    }
    text_format(t, "],\"tensors\":%" PRIu64 "}\n", s->all.tensors);
}

static void put_sums(struct text *t, const char *title, const struct sums *s)
{
    text_format(t, "\n%8s %15s %15s  %s\n", "tensors", "elements", "bytes",
                title);
    for (size_t i = 0; i < s->n; i++) {
        text_format(t, "%8" PRIu64 " %15" PRIu64 " %15" PRIu64 "  ",
                    s->p[i].tensors, s->p[i].elements, s->p[i].bytes);
        meta_word(t, s->p[i].name);
        text_c(t, "\n");
    }
}

void inspect_summary(struct text *t, const struct inspect_view *v)
{
    struct summary s;
    summarise(v, &s);
    if (v->args->json) {
        json_summary(t, v, &s);
        return;
    }
    put_totals(t, v);
    put_sums(t, "dtype", &s.dtypes);
    put_sums(t, "group", &s.groups);
    text_format(t, "\n%15s  the largest\n", "bytes");
    for (size_t i = 0; i < s.largest_count; i++) {
        const struct tensor *x = s.largest[i];
        text_format(t, "%15" PRIu64 "  %-8s ", x->size,
                    spec_dtype_name(x->dtype));
        put_shape(t, x, 20);
        text_c(t, " ");
        meta_word(t, x->name);
        text_c(t, "\n");
    }
}
