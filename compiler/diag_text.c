/* SPDX-License-Identifier: MIT
 *
 * diag_text.c - findings for people: where, what, the lines with what is
 * underlined, notes.
 *
 * What comes from a file is put as text only: control characters print as
 * `?`, so that no name in a checkpoint can steer a terminal. Colours say what
 * the words say already.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "diag_items.h"

#include "screen.h"

#define LINE_SHOWN 1000 /* bytes */

enum style { PLAIN, BOLD, RED, YELLOW, GREEN, BLUE };

struct printer {
    struct arena *a;
    struct text *out;
    bool color;
    enum style level; /* of the finding */
    int gutter;       /* width of the line numbers */
};

const char *diag_level(const char *id)
{
    return id[0] == 'E' ? "error" : id[0] == 'W' ? "warning" : "note";
}

bool diag_is_colored(enum color_when when, int fd)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    if (when != COLOR_AUTO)
        return when == COLOR_ALWAYS;
    return (no == NULL || no[0] == '\0') && term != NULL &&
           strcmp(term, "dumb") != 0 && isatty(fd) == 1;
}

/* What follows is in this style. */
static void style(const struct printer *p, enum style s)
{
    static const char *const codes[] = {
        "\033[0m",    "\033[1m",    "\033[1;31m",
        "\033[1;33m", "\033[1;32m", "\033[1;34m",
    };
    if (p->color)
        text_c(p->out, codes[s]);
}

/* Control characters, which a name in a checkpoint may hold, print as `?`. */
static void put(const struct printer *p, struct str s)
{
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        size_t n = screen_control(s.p + i, s.n - i);
        if (n == 0)
            continue;
        text_str(p->out, str_cut(s, from, i));
        text_c(p->out, "?");
        i += n - 1;
        from = i + 1;
    }
    text_str(p->out, str_cut(s, from, s.n));
}

static int digits(uint32_t n)
{
    int d = 1;
    while (n >= 10) {
        n /= 10;
        d++;
    }
    return d;
}

static uint32_t line_at(struct span s)
{
    uint32_t line, column;
    source_position(s.src, s.begin, &line, &column);
    return line;
}

/* What stands to the left of a line: its number, or 0 for none. */
static void put_gutter(const struct printer *p, uint32_t line)
{
    style(p, BLUE);
    if (line > 0)
        text_format(p->out, "%*" PRIu32 " |", p->gutter, line);
    else
        text_format(p->out, "%*s |", p->gutter, "");
    style(p, PLAIN);
}

/* What is shown of a line: a file that is no spec may be one of megabytes. */
static struct str clip(struct str line)
{
    size_t n = line.n < LINE_SHOWN ? line.n : LINE_SHOWN;
    while (n > 0 && n < line.n && ((unsigned char)line.p[n] & 0xc0) == 0x80)
        n--;
    return str_cut(line, 0, n);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

struct mark {
    struct span at;
    char sign;
    struct str label;
};

/* One source line with its underline and the label behind it. */
static void put_snippet(const struct printer *p, const struct mark *m,
                        bool with_line)
{
    struct span at = m->at;
    uint32_t line, column, width, from, to;
    struct str whole, text;
    source_position(at.src, at.begin, &line, &column);
    whole = source_line(at.src, line);
    text = clip(whole);
    from = (uint32_t)(text.p - at.src->text.p);
    to = from + (uint32_t)text.n;
    column = least(column, source_columns(at.src, from, to) + 1);
    at.end = least(at.end, to);
    width = at.end > at.begin ? source_columns(at.src, at.begin, at.end) : 1;
    if (with_line) {
        put_gutter(p, line);
        text_c(p->out, " ");
        put(p, text);
        text_c(p->out, text.n < whole.n ? "...\n" : "\n");
    }
    put_gutter(p, 0);
    text_format(p->out, " %*s", (int)(column - 1), "");
    style(p, m->sign == '^' ? p->level : BLUE);
    for (uint32_t i = 0; i < width; i++)
        text_str(p->out, (struct str){&m->sign, 1});
    text_c(p->out, m->label.n > 0 ? " " : "");
    put(p, m->label);
    style(p, PLAIN);
    text_c(p->out, "\n");
}

static int compare_marks(const void *x, const void *y)
{
    const struct mark *a = x, *b = y;
    return (a->at.begin > b->at.begin) - (a->at.begin < b->at.begin);
}

/* The marks that lie in one source, by position. */
static void put_marks(const struct printer *p, struct mark *m, size_t n,
                      const struct source *src)
{
    uint32_t last = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t line;
        if (m[i].at.src != src)
            continue;
        line = line_at(m[i].at);
        if (last != 0 && line > last + 1)
            text_format(p->out, "%.*s\n", p->gutter < 3 ? p->gutter + 2 : 3,
                        "...");
        put_snippet(p, &m[i], line != last);
        last = line;
    }
}

static void put_places(struct printer *p, const struct diag_item *item)
{
    size_t n = 1, i;
    struct mark *m;
    const struct diag_text *l;
    const struct source *src = item->where.at.src;
    for (l = item->labels; l != NULL; l = l->next)
        n++;
    m = arena_new(p->a, struct mark, n);
    m[0] = (struct mark){item->where.at, '^', {0}};
    for (i = 1, l = item->labels; l != NULL; l = l->next, i++)
        m[i] = (struct mark){l->at, '-', l->text};
    for (i = 0; i < n; i++)
        if (digits(line_at(m[i].at)) > p->gutter)
            p->gutter = digits(line_at(m[i].at));
    qsort(m, n, sizeof *m, compare_marks);
    put_gutter(p, 0);
    text_c(p->out, "\n");
    put_marks(p, m, n, src);
    for (i = 0; i < n; i++) {
        if (m[i].at.src == src)
            continue;
        style(p, BLUE);
        text_format(p->out, "%*s ::: ", p->gutter, "");
        style(p, PLAIN);
        put(p, m[i].at.src->path);
        text_format(p->out, ":%" PRIu32 "\n", line_at(m[i].at));
        put_snippet(p, &m[i], true);
    }
}

/* The head of a line below the snippet: " = note: ". */
static void put_head(const struct printer *p, const char *what)
{
    style(p, BLUE);
    text_format(p->out, "%*s = ", p->gutter, "");
    style(p, PLAIN);
    style(p, BOLD);
    text_format(p->out, "%s:", what);
    style(p, PLAIN);
    text_c(p->out, " ");
}

static void put_uses(const struct printer *p, const struct diag_frame *f)
{
    uint32_t line, column;
    for (; f != NULL; f = f->outer) {
        source_position(f->at.src, f->at.begin, &line, &column);
        put_head(p, "note");
        text_c(p->out, "in this use: ");
        put(p, f->at.src->path);
        text_format(p->out, ":%" PRIu32 ":%" PRIu32 " `use: %.*s`\n", line,
                    column, STR_ARG(f->name));
    }
}

static void put_title(const struct printer *p, const struct diag_item *item)
{
    uint32_t line, column;
    style(p, BOLD);
    if (item->where.at.src != NULL) {
        source_position(item->where.at.src, item->where.at.begin, &line,
                        &column);
        put(p, item->where.at.src->path);
        text_format(p->out, ":%" PRIu32 ":%" PRIu32 ": ", line, column);
    } else if (item->path.n > 0) {
        put(p, item->path);
        text_c(p->out, ": ");
        if (item->offset != DIAG_NO_OFFSET)
            text_format(p->out, "byte %" PRIu64 ": ", item->offset);
    }
    style(p, p->level);
    text_format(p->out, "%s[%s]", diag_level(item->id), item->id);
    style(p, PLAIN);
    style(p, BOLD);
    text_c(p->out, ": ");
    put(p, item->text);
    style(p, PLAIN);
    text_c(p->out, "\n");
}

void diag_put_text(struct arena *a, const struct diag_folded *f, bool color,
                   struct text *out)
{
    const struct diag_item *item = f->items[0];
    struct printer p = {.a = a,
                        .out = out,
                        .color = color,
                        .level = item->id[0] == 'E'   ? RED
                                 : item->id[0] == 'W' ? YELLOW
                                                      : GREEN,
                        .gutter = 1};
    put_title(&p, item);
    if (item->where.at.src != NULL)
        put_places(&p, item);
    for (const struct diag_text *t = item->notes; t != NULL; t = t->next) {
        put_head(&p, t->is_help ? "help" : "note");
        put(&p, t->text);
        text_c(out, "\n");
    }
    if (item->where.loops != NULL) {
        put_head(&p, "note");
        text_c(out, f->n > 1 ? "the same for " : "with ");
        put(&p, diag_values_text(a, f->items, f->n));
        text_c(out, "\n");
    }
    put_uses(&p, item->where.use);
}
