/* SPDX-License-Identifier: MIT
 *
 * screen.c - looks first, since there is seldom anything to do.
 */
#include "screen.h"

/* Bytes of a control character at p: 1 or 2, or 0. */
static size_t control(const unsigned char *p, size_t n)
{
    if (p[0] == 0xc2 && n > 1 && p[1] < 0xa0)
        return 2;
    return (p[0] < 0x20 && p[0] != '\n') || p[0] == 0x7f;
}

static size_t next_control(struct str s, size_t at)
{
    while (at < s.n && control((const unsigned char *)s.p + at, s.n - at) == 0)
        at++;
    return at;
}

void screen_escape(struct text *t)
{
    struct str s = text_view(t);
    size_t from = 0, at = next_control(s, 0);
    struct text clean = {0};
    if (at == s.n)
        return;
    for (; at < s.n; at = next_control(s, from)) {
        const unsigned char *p = (const unsigned char *)s.p + at;
        size_t n = control(p, s.n - at);
        text_str(&clean, str_cut(s, from, at));
        if (p[0] < 0x20)
            text_c(&clean, "?");
        else
            text_format(&clean, "\\u%04x", p[n - 1]);
        from = at + n;
    }
    text_str(&clean, str_cut(s, from, s.n));
    text_release(t);
    *t = clean;
}
