/* SPDX-License-Identifier: MIT
 *
 * indexset.c - sorts tuples, then looks for the shortest exact wording.
 */
#include "indexset.h"

#include <inttypes.h>
#include <stdlib.h>

#include "text.h"

/* Moves a text into the arena. */
static struct str keep(struct arena *a, struct text *t)
{
    struct str s = arena_str(a, text_view(t));
    text_release(t);
    return s;
}

static void text_value(struct text *t, const struct index_value *v)
{
    if (v->is_word)
        text_str(t, v->word.n == 0 ? str_c("\"\"") : v->word);
    else
        text_format(t, "%" PRId64, v->number);
}

static int value_order(const struct index_value *a, const struct index_value *b)
{
    if (a->is_word != b->is_word)
        return a->is_word - b->is_word;
    if (a->is_word)
        return str_order(a->word, b->word);
    return (a->number > b->number) - (a->number < b->number);
}

static int tuple_order(const struct index_value *a, const struct index_value *b,
                       size_t width)
{
    int c = 0;
    for (size_t i = 0; i < width && c == 0; i++)
        c = value_order(&a[i], &b[i]);
    return c;
}

static int compare_tuples(const void *a, const void *b, void *width)
{
    return tuple_order(a, b, *(size_t *)width);
}

static size_t sort_unique(struct index_value *v, size_t width, size_t count)
{
    size_t kept = 0, bytes = width * sizeof *v;
    qsort_r(v, count, bytes, compare_tuples, &width);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 &&
            tuple_order(v + (kept - 1) * width, v + i * width, width) == 0)
            continue;
        memmove(v + kept * width, v + i * width, bytes);
        kept++;
    }
    return kept;
}

/* `{0..4, 6}` of sorted values, or a single value without braces. */
static void text_set(struct text *t, const struct index_value *v, size_t n)
{
    size_t i, j;
    if (n == 1) {
        text_value(t, v);
        return;
    }
    text_str(t, str_c("{"));
    for (i = 0; i < n; i = j) {
        for (j = i + 1; j < n && !v[j].is_word && !v[i].is_word &&
                        v[j].number == v[j - 1].number + 1;)
            j++;
        text_str(t, str_c(i > 0 ? ", " : ""));
        text_value(t, &v[i]);
        if (j - i > 1) {
            text_str(t, str_c(j - i > 2 ? ".." : ", "));
            text_value(t, &v[j - 1]);
        }
    }
    text_str(t, str_c("}"));
}

/* The distinct values of column c, sorted. */
static size_t column(struct arena *a, const struct index_value *v, size_t width,
                     size_t count, size_t c, struct index_value **out)
{
    *out = arena_new(a, struct index_value, count);
    for (size_t i = 0; i < count; i++)
        (*out)[i] = v[i * width + c];
    return sort_unique(*out, 1, count);
}

/* Tuples that share all but the last component print as one. */
static void text_tuples(struct text *t, struct arena *a,
                        const struct index_value *v, size_t width, size_t count)
{
    size_t i, j, k;
    struct index_value *last = arena_new(a, struct index_value, count);
    for (i = 0; i < count; i = j) {
        for (j = i; j < count &&
                    tuple_order(v + i * width, v + j * width, width - 1) == 0;
             j++)
            last[j - i] = v[j * width + width - 1];
        text_str(t, str_c(i > 0 ? ", (" : "("));
        for (k = 0; k + 1 < width; k++) {
            text_value(t, &v[i * width + k]);
            text_str(t, str_c(", "));
        }
        text_set(t, last, j - i);
        text_str(t, str_c(")"));
    }
}

static void text_names(struct text *t, const struct str *names, size_t width)
{
    text_str(t, str_c("("));
    for (size_t c = 0; c < width; c++) {
        text_str(t, str_c(c > 0 ? ", " : ""));
        text_str(t, names[c]);
    }
    text_str(t, str_c(") = "));
}

struct str indexset_text(struct arena *a, const struct str *names,
                         struct index_value *tuples, size_t width, size_t count)
{
    struct text t = {0};
    struct index_value **values = arena_new(a, struct index_value *, width);
    size_t *n = arena_new(a, size_t, width), product = 1, c;
    count = sort_unique(tuples, width, count);
    for (c = 0; c < width; c++) {
        n[c] = column(a, tuples, width, count, c, &values[c]);
        product = product > count ? product : product * n[c];
    }
    if (product == count) {
        for (c = 0; c < width; c++) {
            text_str(&t, str_c(c > 0 ? ", " : ""));
            text_str(&t, names[c]);
            text_str(&t, str_c(" = "));
            text_set(&t, values[c], n[c]);
        }
    } else {
        text_names(&t, names, width);
        text_tuples(&t, a, tuples, width, count);
    }
    return keep(a, &t);
}

/* --- names --- */

/* Stands for a number in a pattern; no UTF-8 text has this byte. */
#define MARK "\xff"

struct folded {
    struct str pattern; /* numbers as MARK */
    struct str name;
    size_t numbers;
};

static size_t component_end(struct str s, size_t from)
{
    while (from < s.n && s.p[from] != '.')
        from++;
    return from;
}

static struct folded fold(struct arena *a, struct str name)
{
    struct folded f = {.name = name};
    struct text t = {0};
    size_t i, j;
    uint64_t index;
    for (i = 0; i <= name.n; i = j + 1) {
        struct str part;
        j = component_end(name, i);
        part = str_cut(name, i, j);
        text_str(&t, str_c(i > 0 ? "." : ""));
        text_str(&t, str_is_index(part, &index) ? str_c(MARK) : part);
        f.numbers += str_is_index(part, &index);
    }
    f.pattern = keep(a, &t);
    return f;
}

static int compare_folded(const void *x, const void *y)
{
    const struct folded *a = x, *b = y;
    int c = str_order(a->pattern, b->pattern);
    return c != 0 ? c : str_order(a->name, b->name);
}

static void numbers_of(struct str name, struct index_value *out)
{
    size_t i, j, n = 0;
    uint64_t index;
    for (i = 0; i <= name.n; i = j + 1) {
        j = component_end(name, i);
        if (str_is_index(str_cut(name, i, j), &index))
            out[n++] = (struct index_value){.number = (int64_t)index};
    }
}

/* One pattern and its tuples as `a.{0..1}.w`, or as `a.{i}.b.{j}.w` with the
 * tuples behind it. */
static struct str folded_text(struct arena *a, const struct folded *f, size_t n)
{
    size_t width = f->numbers, c, product = 1, *sizes;
    struct index_value *v = arena_new(a, struct index_value, width * n + 1);
    struct index_value **values = arena_new(a, struct index_value *, width + 1);
    struct str *names = arena_new(a, struct str, width + 1);
    struct text t = {0};
    bool is_product;
    sizes = arena_new(a, size_t, width + 1);
    for (size_t i = 0; i < n; i++)
        numbers_of(f[i].name, v + i * width);
    for (c = 0; c < width; c++) {
        sizes[c] = column(a, v, width, n, c, &values[c]);
        names[c] = arena_format(a, "%c", (int)('i' + c % 18));
        product = product > n ? product : product * sizes[c];
    }
    is_product = product == n;
    for (c = 0, width = 0; c < f->pattern.n; c++) {
        if (f->pattern.p[c] != MARK[0]) {
            text_str(&t, str_cut(f->pattern, c, c + 1));
        } else if (is_product) {
            text_set(&t, values[width], sizes[width]);
            width++;
        } else {
            text_str(&t, str_c("{"));
            text_str(&t, names[width++]);
            text_str(&t, str_c("}"));
        }
    }
    if (!is_product) {
        text_str(&t, str_c(", "));
        text_str(&t, indexset_text(a, names, v, f->numbers, n));
    }
    return keep(a, &t);
}

size_t indexset_fold_names(struct arena *a, const struct str *names,
                           size_t count, struct name_set **out)
{
    struct folded *f = arena_new(a, struct folded, count);
    size_t i, j, n = 0;
    *out = arena_new(a, struct name_set, count);
    for (i = 0; i < count; i++)
        f[i] = fold(a, names[i]);
    qsort(f, count, sizeof *f, compare_folded);
    for (i = 0; i < count; i = j) {
        for (j = i + 1; j < count && str_eq(f[i].pattern, f[j].pattern);)
            j++;
        (*out)[n++] =
            (struct name_set){folded_text(a, f + i, j - i), f[i].name, j - i};
    }
    return n;
}
