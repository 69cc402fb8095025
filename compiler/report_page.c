/* SPDX-License-Identifier: MIT
 *
 * report_page.c - fills the marks of report_page.html: its policy's hashes, the
 * data, report_page.js.
 *
 * The hashes are computed here, from the page as it is embedded, so that the
 * file stays plain HTML that can be edited by hand.
 */
#include "report_page.h"

#include <nettle/base64.h>
#include <nettle/sha2.h>

extern const unsigned char report_page_html[];
extern const size_t report_page_html_size;
extern const unsigned char report_page_js[];
extern const size_t report_page_js_size;

/* Where `what` begins in `s` behind byte `from`; the page has it. */
static size_t find(struct str s, size_t from, const char *what)
{
    struct str w = str_c(what);
    while (from + w.n < s.n && memcmp(s.p + from, w.p, w.n) != 0)
        from++;
    return from;
}

/* What stands between the first `open` and the next `close`. */
static struct str inside(struct str page, const char *open, const char *close)
{
    size_t from = find(page, 0, open) + strlen(open);
    return str_cut(page, from, find(page, from, close));
}

/* As a Content-Security-Policy wants it. */
static void put_hash(struct text *t, struct str s)
{
    struct sha256_ctx c;
    uint8_t digest[SHA256_DIGEST_SIZE];
    char out[BASE64_ENCODE_RAW_LENGTH(SHA256_DIGEST_SIZE)];
    sha256_init(&c);
    sha256_update(&c, s.n, (const uint8_t *)s.p);
    sha256_digest(&c, sizeof digest, digest);
    base64_encode_raw(out, sizeof digest, digest);
    text_str(t, (struct str){out, sizeof out});
}

/* JSON has these characters in strings alone, where an escape is the same. */
static void put_escaped(struct text *t, struct str s)
{
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        bool mark = s.p[i] == '<' || s.p[i] == '>' || s.p[i] == '&';
        bool line = i + 2 < s.n && memcmp(s.p + i, "\xe2\x80", 2) == 0 &&
                    ((unsigned char)s.p[i + 2] & 0xfe) == 0xa8;
        if (!mark && !line)
            continue;
        text_str(t, str_cut(s, from, i));
        text_format(t, "\\u%04x",
                    mark ? (unsigned)s.p[i]
                         : 0x2000u + ((unsigned char)s.p[i + 2] & 0x3f));
        from = i + (mark ? 1 : 3);
        i = from - 1;
    }
    text_str(t, str_cut(s, from, s.n));
}

/* The page up to a mark, which *at leaves behind. */
static void put_until(struct text *t, struct str page, size_t *at,
                      const char *mark)
{
    size_t end = find(page, *at, mark);
    text_str(t, str_cut(page, *at, end));
    *at = end + strlen(mark);
}

void report_page(struct arena *a, struct text *t, const struct report_of *of)
{
    struct str page = {(const char *)report_page_html, report_page_html_size};
    struct str code = {(const char *)report_page_js, report_page_js_size};
    struct text json = {0};
    size_t at = 0;
    put_until(t, page, &at, "@STYLE@");
    put_hash(t, inside(page, "<style>", "</style>"));
    put_until(t, page, &at, "@SCRIPT@");
    put_hash(t, code);
    put_until(t, page, &at, "@DATA@");
    report_data(a, &json, of);
    put_escaped(t, text_view(&json));
    text_release(&json);
    put_until(t, page, &at, "@CODE@");
    text_str(t, code);
    text_str(t, str_cut(page, at, page.n));
}
