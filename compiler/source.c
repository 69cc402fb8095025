/* SPDX-License-Identifier: MIT
 *
 * source.c - reads a spec whole and finds its lines.
 *
 * libyaml breaks lines at U+0085, U+2028 and U+2029 too; these are refused
 * with the control characters, so that lines are what every editor shows.
 */
#include "source.h"

#include <errno.h>
#include <stdio.h>

static bool is_strange(const char *p, size_t n)
{
    const unsigned char *b = (const unsigned char *)p;
    if (b[0] < 0x20)
        return b[0] != '\n' && !(b[0] == '\r' && n > 1 && b[1] == '\n');
    if (b[0] == 0x7f)
        return true;
    if (b[0] == 0xc2)
        return b[1] < 0xa0;
    if (b[0] == 0xe2 && b[1] == 0x80)
        return b[2] == 0xa8 || b[2] == 0xa9;
    return b[0] == 0xef && b[1] == 0xbb && b[2] == 0xbf;
}

static void find_lines(struct arena *a, struct source *s)
{
    uint32_t lines = 1;
    for (size_t i = 0; i < s->text.n; i++)
        lines += s->text.p[i] == '\n';
    s->line_start = arena_new(a, uint32_t, lines);
    s->lines = 1;
    for (size_t i = 0; i < s->text.n; i++)
        if (s->text.p[i] == '\n')
            s->line_start[s->lines++] = (uint32_t)i + 1;
}

enum source_problem source_from_text(struct arena *a, struct str path,
                                     struct str text, struct source *out,
                                     uint32_t *at)
{
    size_t i, k;
    out->path = arena_str(a, path);
    out->text = text;
    if (text.n > SOURCE_MAX)
        return SOURCE_TOO_LARGE;
    out->text = arena_str(a, text);
    find_lines(a, out);
    for (i = 0; i < text.n; i += k) {
        *at = (uint32_t)i;
        k = utf8_length(text.p + i, text.n - i);
        if (k == 0)
            return SOURCE_NOT_UTF8;
        if (is_strange(text.p + i, text.n - i))
            return SOURCE_CONTROL;
    }
    return SOURCE_OK;
}

static bool read_all(struct arena *a, FILE *f, struct str *out)
{
    size_t capacity = (size_t)1 << 15, n = 0, got;
    char *p = arena_take(a, 1, capacity);
    while ((got = fread(p + n, 1, capacity - n, f)) > 0) {
        n += got;
        if (n > SOURCE_MAX)
            break;
        if (n == capacity)
            p = arena_grow(a, p, 1, n, &capacity);
    }
    *out = (struct str){p, n};
    return ferror(f) == 0;
}

enum source_problem source_load(struct arena *a, struct str path,
                                struct source *out, uint32_t *at)
{
    struct str text = {0};
    FILE *f = fopen(arena_str(a, path).p, "rb");
    bool ok;
    int saved;
    if (f == NULL)
        return SOURCE_SYSTEM;
    errno = EIO;
    ok = read_all(a, f, &text);
    saved = errno;
    fclose(f);
    errno = saved;
    if (!ok)
        return SOURCE_SYSTEM;
    return source_from_text(a, path, text, out, at);
}

static uint32_t line_of(const struct source *s, uint32_t at)
{
    uint32_t lo = 0, hi = s->lines;
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (s->line_start[mid] <= at)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

uint32_t source_columns(const struct source *s, uint32_t from, uint32_t to)
{
    uint32_t n = 0;
    for (uint32_t i = from; i < to && i < s->text.n; i++)
        n += ((unsigned char)s->text.p[i] & 0xc0) != 0x80;
    return n;
}

void source_position(const struct source *s, uint32_t at, uint32_t *line,
                     uint32_t *column)
{
    uint32_t i = line_of(s, at);
    *line = i + 1;
    *column = source_columns(s, s->line_start[i], at) + 1;
}

struct str source_line(const struct source *s, uint32_t line)
{
    uint32_t from = s->line_start[line - 1];
    uint32_t to = line < s->lines ? s->line_start[line] : (uint32_t)s->text.n;
    while (to > from &&
           (s->text.p[to - 1] == '\n' || s->text.p[to - 1] == '\r'))
        to--;
    return str_cut(s->text, from, to);
}
