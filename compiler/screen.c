/* SPDX-License-Identifier: MIT
 *
 * screen.c - looks first, since there is seldom anything to do.
 */
#include "screen.h"

/* U+200E, U+200F, U+2028 to U+202E and U+2066 to U+2069: they turn a line's
 * direction round, or end it. */
static bool is_turning(unsigned char second, unsigned char third)
{
    if (second == 0x80)
        return third == 0x8e || third == 0x8f ||
               (third >= 0xa8 && third <= 0xae);
    return second == 0x81 && third >= 0xa6 && third <= 0xa9;
}

size_t screen_control(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    if (p[0] == 0xc2 && n > 1 && p[1] < 0xa0)
        return 2;
    if (p[0] == 0xe2 && n > 2 && is_turning(p[1], p[2]))
        return 3;
    return p[0] < 0x20 || p[0] == 0x7f;
}

static size_t next_control(struct str s, size_t at)
{
    while (at < s.n &&
           (s.p[at] == '\n' || screen_control(s.p + at, s.n - at) == 0))
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
        size_t n = screen_control(s.p + at, s.n - at);
        text_str(&clean, str_cut(s, from, at));
        if (p[0] < 0x20)
            text_c(&clean, "?");
        else if (n < 3)
            text_format(&clean, "\\u%04x", p[n - 1]);
        else
            text_format(&clean, "\\u20%02x",
                        (unsigned)(p[1] & 3) << 6 | (p[2] & 0x3fu));
        from = at + n;
    }
    text_str(&clean, str_cut(s, from, s.n));
    text_release(t);
    *t = clean;
}
