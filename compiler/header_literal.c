/* SPDX-License-Identifier: MIT
 *
 * header_literal.c - integers, decimals and strings as C reads them, and text
 * between the marks of a comment.
 */
#include "header_literal.h"

#include <inttypes.h>

void literal_put_integer(struct text *t, int64_t v)
{
    if (v == INT64_MIN)
        text_c(t, "(-INT64_C(9223372036854775807) - 1)");
    else
        text_format(t,
                    v < 0 ? "(-INT64_C(%" PRId64 "))" : "INT64_C(%" PRId64 ")",
                    v < 0 ? -v : v);
}

void literal_put_decimal(struct text *t, double v)
{
    text_format(t, v < 0 ? "(%a)" : "%a", v);
}

void literal_put_string(struct text *t, struct str s)
{
    text_c(t, "\"");
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\' || c == '?')
            text_format(t, "\\%c", c);
        else if (c < 0x20 || c > 0x7e)
            text_format(t, "\\%03o", c);
        else
            text_format(t, "%c", c);
    }
    text_c(t, "\"");
}

void literal_put_comment(struct text *t, struct str words)
{
    size_t column = 2, from = 0;
    text_c(t, "/*");
    for (size_t i = 0; i <= words.n; i++) {
        if (i < words.n && words.p[i] != ' ')
            continue;
        /* The last word has the mark's three columns behind it. */
        if (column + 1 + i - from > (i < words.n ? 80 : 77)) {
            text_c(t, "\n *");
            column = 2;
        }
        text_c(t, " ");
        text_str(t, str_cut(words, from, i));
        column += 1 + i - from;
        from = i + 1;
    }
    text_c(t, " */\n");
}
