/* SPDX-License-Identifier: MIT
 *
 * selection.c - fnmatch and qsort.
 *
 * The program never leaves the C locale, so that a pattern's `?` is a byte.
 */
#include "selection.h"

#include <fnmatch.h>
#include <stdlib.h>

#include "spec.h"

struct ordering {
    const struct candidate *all;
    enum selection_sort sort;
};

bool selection_parse(const char *word, enum selection_sort *out)
{
    static const char *const words[] = {"file", "name", "size", "dtype"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(word, words[i]) != 0)
            continue;
        *out = (enum selection_sort)i;
        return true;
    }
    return false;
}

/* A name with a NUL, which safetensors allows, would end there for fnmatch;
 * no pattern can spell a NUL, so another control byte will do. */
static const char *matchable(struct arena *a, struct str name)
{
    char *p = arena_take(a, 1, name.n + 1);
    for (size_t i = 0; i < name.n; i++)
        p[i] = name.p[i] == '\0' ? '\1' : name.p[i];
    return p;
}

static int by_key(const struct candidate *a, const struct candidate *b,
                  enum selection_sort sort)
{
    switch (sort) {
    case SORT_NAME:
        return str_order(a->name, b->name);
    case SORT_SIZE:
        return (a->size < b->size) - (a->size > b->size);
    case SORT_DTYPE:
        return strcmp(spec_dtype_name((enum ttsb_dtype)a->dtype),
                      spec_dtype_name((enum ttsb_dtype)b->dtype));
    default:
        return 0;
    }
}

static int compare(const void *x, const void *y, void *context)
{
    const struct ordering *o = context;
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    int c = by_key(&o->all[a], &o->all[b], o->sort);
    return c != 0 ? c : (a > b) - (a < b);
}

bool selection_make(struct arena *a, struct diag *d,
                    const struct candidate *all, size_t count,
                    const struct selection_request *request,
                    struct selection *out)
{
    struct ordering order = {all, request->sort};
    bool *hit = arena_new(a, bool, (size_t)request->pattern_count + 1);
    bool ok = true;
    *out = (struct selection){.index = arena_new(a, uint32_t, count + 1)};
    for (size_t i = 0; i < count; i++) {
        const char *name =
            request->pattern_count > 0 ? matchable(a, all[i].name) : NULL;
        bool chosen = request->pattern_count == 0;
        for (int k = 0; k < request->pattern_count; k++) {
            bool matches = fnmatch(request->patterns[k], name, 0) == 0;
            hit[k] = hit[k] || matches;
            chosen = chosen || matches;
        }
        if (!chosen)
            continue;
        out->index[out->count++] = (uint32_t)i;
        out->bytes += all[i].size;
    }
    for (int k = 0; k < request->pattern_count; k++) {
        if (!hit[k])
            diag_add_file(d, "E0707", request->path, DIAG_NO_OFFSET,
                          "no tensor matches `%s`", request->patterns[k]);
        ok = ok && hit[k];
    }
    qsort_r(out->index, out->count, sizeof *out->index, compare, &order);
    return ok;
}

bool selection_of_blob(struct arena *a, struct diag *d,
                       const struct ttsb_blob *blob,
                       const struct selection_request *request,
                       struct selection *out)
{
    struct ttsb_info info = {.struct_size = sizeof info};
    struct candidate *all;
    ttsb_info(blob, &info);
    all = arena_new(a, struct candidate, info.tensor_count);
    for (uint32_t i = 0; i < info.tensor_count; i++) {
        struct ttsb_tensor x = {.struct_size = sizeof x};
        ttsb_tensor_at(blob, i, &x, NULL);
        all[i] = (struct candidate){str_c(x.name), x.size, x.dtype};
    }
    return selection_make(a, d, all, info.tensor_count, request, out);
}
