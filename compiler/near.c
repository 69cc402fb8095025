/* SPDX-License-Identifier: MIT
 *
 * near.c - first the names that differ in numbers alone, then the nearest.
 */
#include "near.h"

#include "indexset.h"
#include "suggest.h"

/* The component of a name that begins at `at`, with its dot. */
static struct str component(struct str name, size_t at)
{
    size_t end = at;
    while (end < name.n && name.p[end] != '.')
        end++;
    return str_cut(name, at, end < name.n ? end + 1 : end);
}

static bool is_number(struct str s)
{
    uint64_t n;
    if (s.n > 0 && s.p[s.n - 1] == '.')
        s.n--;
    return str_is_index(s, &n);
}

/* Whether two names are equal but for components that are numbers. */
static bool same_pattern(struct str a, struct str b)
{
    size_t i = 0, k = 0;
    while (i < a.n && k < b.n) {
        struct str x = component(a, i), y = component(b, k);
        if (!str_eq(x, y) && !(is_number(x) && is_number(y)))
            return false;
        i += x.n;
        k += y.n;
    }
    return i == a.n && k == b.n;
}

static struct str fold(struct arena *a, const struct str *like, size_t n)
{
    struct name_set *sets;
    indexset_fold_names(a, like, n, &sets);
    return sets[0].text;
}

/* Names that are the word but for numbers, as one set; or empty. */
static struct str other_indices(struct arena *a, struct str name,
                                const struct str *names, size_t n)
{
    struct str *like = arena_new(a, struct str, n);
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (same_pattern(name, names[i]))
            like[count++] = names[i];
    return count == 0 ? (struct str){0} : fold(a, like, count);
}

struct str near_text(struct arena *a, struct str name, const struct str *names,
                     size_t n)
{
    struct str found = other_indices(a, name, names, n);
    if (found.n > 0)
        return arena_format(a, "there is %.*s", STR_ARG(found));
    found = suggest_nearest(name, names, n);
    if (found.n > 0)
        return arena_format(a, "did you mean `%.*s`?", STR_ARG(found));
    return found;
}
