/* SPDX-License-Identifier: MIT
 *
 * str.h - a view of bytes with a length.
 *
 * In: bytes that live somewhere else (a file's text, an arena). Out: views,
 * comparisons. Invariant: a view owns nothing and may hold any byte; only
 * what an arena made is NUL-terminated.
 */
#ifndef TTSW_STR_H
#define TTSW_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *p;
    size_t n;
};

/* For printf's "%.*s". */
#define STR_ARG(s) (int)(s).n, (s).p

/* A view of a C string. */
static inline struct str str_c(const char *s)
{
    return (struct str){s, strlen(s)};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_is(struct str a, const char *b)
{
    return str_eq(a, str_c(b));
}

/* Order by unsigned bytes, a prefix before what it begins. */
static inline int str_order(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n == 0 ? 0 : memcmp(a.p, b.p, n);
    return c != 0 ? c : (a.n > b.n) - (a.n < b.n);
}

static inline bool str_begins(struct str a, struct str prefix)
{
    return a.n >= prefix.n && memcmp(a.p, prefix.p, prefix.n) == 0;
}

static inline bool str_ends(struct str a, const char *end)
{
    size_t n = strlen(end);
    return a.n >= n && memcmp(a.p + a.n - n, end, n) == 0;
}

/* The part [from, to). */
static inline struct str str_cut(struct str a, size_t from, size_t to)
{
    return (struct str){from == 0 ? a.p : a.p + from, to - from};
}

/* Length of the valid UTF-8 sequence at p (of n bytes), 0 if there is none:
 * no overlong form, no surrogate, nothing above U+10FFFF. */
size_t utf8_length(const char *p, size_t n);

/* The first byte that is not valid UTF-8, or s.n. */
size_t utf8_bad(struct str s);

/* The folder part of a path, with its slash; empty if it has none. */
struct str str_folder(struct str path);

/* Whether a text is `0` or a number of up to 9 digits without a leading zero;
 * *out is its value. */
bool str_is_index(struct str s, uint64_t *out);

/* FNV-1a, for hash tables in memory; never stored. */
uint64_t str_hash(struct str s);

#endif
