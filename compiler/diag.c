/* SPDX-License-Identifier: MIT
 *
 * diag.c - collects findings and prints them in the order of the spec.
 *
 * Two findings fold into one when they share id, place and chain of uses:
 * the first one's words are printed, and one note says for which loop values
 * they hold. Without loop values, findings fold only if they say the same.
 */
#include "diag.h"

#include <inttypes.h>
#include <stdlib.h>

#include "indexset.h"

#define LINE_SHOWN 1000 /* bytes */

struct diag_text {
    struct diag_text *next;
    struct span at; /* for labels */
    bool is_help;
    struct str text;
};

struct diag_item {
    struct diag_item *next;
    const char *id;
    struct diag_where where;
    struct str path; /* for a file that is no spec */
    uint64_t offset;
    uint64_t serial;
    struct str fact;
    struct str text;
    struct diag_text *labels, *notes;
};

static struct diag_item *item_new(struct diag *d, const char *id)
{
    struct diag_item *item = arena_new(d->arena, struct diag_item, 1);
    if (diag_title(id) == NULL)
        abort(); /* an id that the table lacks: a bug, found by any test */
    item->id = id;
    item->serial = d->errors + d->warnings;
    d->errors += id[0] == 'E';
    d->system_errors += strcmp(id, "E0704") == 0 || strcmp(id, "E0705") == 0;
    d->warnings += id[0] != 'E';
    if (d->last == NULL)
        d->first = item;
    else
        d->last->next = item;
    d->last = item;
    return item;
}

struct diag_item *diag_add(struct diag *d, const char *id,
                           struct diag_where where, const char *format, ...)
{
    struct diag_item *item = item_new(d, id);
    va_list args;
    va_start(args, format);
    item->text = arena_vformat(d->arena, format, args);
    va_end(args);
    item->where = where;
    return item;
}

struct diag_item *diag_add_file(struct diag *d, const char *id, struct str path,
                                uint64_t offset, const char *format, ...)
{
    struct diag_item *item = item_new(d, id);
    va_list args;
    va_start(args, format);
    item->text = arena_vformat(d->arena, format, args);
    va_end(args);
    item->path = arena_str(d->arena, path);
    item->offset = offset;
    return item;
}

static void append(struct diag_text **list, struct diag_text *t)
{
    while (*list != NULL)
        list = &(*list)->next;
    *list = t;
}

void diag_label(struct diag *d, struct diag_item *item, struct span at,
                const char *format, ...)
{
    struct diag_text *t = arena_new(d->arena, struct diag_text, 1);
    va_list args;
    va_start(args, format);
    t->text = arena_vformat(d->arena, format, args);
    va_end(args);
    t->at = at;
    if (at.src != NULL)
        append(&item->labels, t);
}

void diag_note(struct diag *d, struct diag_item *item, const char *format, ...)
{
    struct diag_text *t = arena_new(d->arena, struct diag_text, 1);
    va_list args;
    va_start(args, format);
    t->text = arena_vformat(d->arena, format, args);
    va_end(args);
    append(&item->notes, t);
}

void diag_help(struct diag *d, struct diag_item *item, const char *format, ...)
{
    struct diag_text *t = arena_new(d->arena, struct diag_text, 1);
    va_list args;
    va_start(args, format);
    t->text = arena_vformat(d->arena, format, args);
    va_end(args);
    t->is_help = true;
    append(&item->notes, t);
}

void diag_fact(struct diag_item *item, struct str fact)
{
    item->fact = fact;
}

/* --- order and folding --- */

static int frame_order(const struct diag_frame *a, const struct diag_frame *b)
{
    for (; a != NULL && b != NULL; a = a->outer, b = b->outer)
        if (a->at.begin != b->at.begin)
            return a->at.begin < b->at.begin ? -1 : 1;
    return (a != NULL) - (b != NULL);
}

static int place_order(const struct diag_item *a, const struct diag_item *b)
{
    const struct source *x = a->where.at.src, *y = b->where.at.src;
    int c;
    if ((x == NULL) != (y == NULL))
        return x == NULL ? -1 : 1;
    if (x == NULL)
        return 0;
    c = x == y ? 0 : str_order(x->path, y->path);
    if (c == 0 && a->where.at.begin != b->where.at.begin)
        c = a->where.at.begin < b->where.at.begin ? -1 : 1;
    if (c == 0)
        c = strcmp(a->id, b->id);
    if (c == 0)
        c = frame_order(a->where.use, b->where.use);
    return c != 0 ? c : str_order(a->fact, b->fact);
}

static int compare_items(const void *x, const void *y)
{
    const struct diag_item *a = *(struct diag_item *const *)x;
    const struct diag_item *b = *(struct diag_item *const *)y;
    int c = place_order(a, b);
    return c != 0 ? c : (a->serial > b->serial) - (a->serial < b->serial);
}

static size_t loop_count(const struct diag_binding *b)
{
    size_t n = 0;
    for (; b != NULL; b = b->outer)
        n++;
    return n;
}

static bool folds(const struct diag_item *a, const struct diag_item *b)
{
    size_t n = loop_count(a->where.loops);
    return a->where.at.src != NULL && place_order(a, b) == 0 &&
           n == loop_count(b->where.loops) &&
           (n > 0 || str_eq(a->text, b->text));
}

/* The loop values of n items that have the same variables. */
static struct str values_text(struct arena *a, struct diag_item *const *items,
                              size_t n)
{
    size_t width = loop_count(items[0]->where.loops), i, c;
    struct str *names = arena_new(a, struct str, width + 1);
    struct index_value *v = arena_new(a, struct index_value, width * n + 1);
    for (i = 0; i < n; i++) {
        const struct diag_binding *b = items[i]->where.loops;
        for (c = width; c-- > 0; b = b->outer) {
            names[c] = b->name;
            v[i * width + c] =
                (struct index_value){b->is_word, b->number, b->word};
        }
    }
    return indexset_text(a, names, v, width, n);
}

struct str diag_values(struct arena *a, const struct diag_binding *loops)
{
    struct diag_item item = {.where = {.loops = loops}}, *items[] = {&item};
    return loops == NULL ? (struct str){0} : values_text(a, items, 1);
}

/* --- printing --- */

/* Control characters, which a name in a checkpoint may hold, print as `?`. */
static void put(FILE *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool c1 = c == 0xc2 && i + 1 < s.n && (unsigned char)s.p[i + 1] < 0xa0;
        fputc(c < 0x20 || c == 0x7f || c1 ? '?' : c, out);
        i += c1;
    }
}

struct printer {
    struct arena *a;
    FILE *out;
    int gutter; /* width of the line numbers */
};

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

static void print_bar(const struct printer *p)
{
    fprintf(p->out, "%*s |\n", p->gutter, "");
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

/* One source line with its underline and the label behind it. */
static void print_snippet(const struct printer *p, struct span at, char mark,
                          struct str label, bool with_line)
{
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
        fprintf(p->out, "%*" PRIu32 " | ", p->gutter, line);
        put(p->out, text);
        fputs(text.n < whole.n ? "...\n" : "\n", p->out);
    }
    fprintf(p->out, "%*s | %*s", p->gutter, "", (int)(column - 1), "");
    for (uint32_t i = 0; i < width; i++)
        fputc(mark, p->out);
    fputs(label.n > 0 ? " " : "", p->out);
    put(p->out, label);
    fputc('\n', p->out);
}

struct mark {
    struct span at;
    char sign;
    struct str label;
};

static int compare_marks(const void *x, const void *y)
{
    const struct mark *a = x, *b = y;
    return (a->at.begin > b->at.begin) - (a->at.begin < b->at.begin);
}

/* The marks that lie in one source, by position. */
static void print_marks(const struct printer *p, struct mark *m, size_t n,
                        const struct source *src)
{
    uint32_t last = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t line;
        if (m[i].at.src != src)
            continue;
        line = line_at(m[i].at);
        if (last != 0 && line > last + 1)
            fprintf(p->out, "%.*s\n", p->gutter < 3 ? p->gutter + 2 : 3, "...");
        print_snippet(p, m[i].at, m[i].sign, m[i].label, line != last);
        last = line;
    }
}

static void print_places(struct printer *p, const struct diag_item *item)
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
    p->gutter = 1;
    for (i = 0; i < n; i++)
        if (digits(line_at(m[i].at)) > p->gutter)
            p->gutter = digits(line_at(m[i].at));
    qsort(m, n, sizeof *m, compare_marks);
    print_bar(p);
    print_marks(p, m, n, src);
    for (i = 0; i < n; i++) {
        if (m[i].at.src == src)
            continue;
        fprintf(p->out, "%*s ::: ", p->gutter, "");
        put(p->out, m[i].at.src->path);
        fprintf(p->out, ":%" PRIu32 "\n", line_at(m[i].at));
        print_snippet(p, m[i].at, m[i].sign, m[i].label, true);
    }
}

static void print_uses(const struct printer *p, const struct diag_frame *f)
{
    uint32_t line, column;
    for (; f != NULL; f = f->outer) {
        source_position(f->at.src, f->at.begin, &line, &column);
        fprintf(p->out, "%*s = note: in this use: ", p->gutter, "");
        put(p->out, f->at.src->path);
        fprintf(p->out, ":%" PRIu32 ":%" PRIu32 " `use: %.*s`\n", line, column,
                STR_ARG(f->name));
    }
}

static void print_loops(const struct printer *p, struct diag_item *const *items,
                        size_t n)
{
    if (items[0]->where.loops == NULL)
        return;
    fprintf(p->out, "%*s = note: %s", p->gutter, "",
            n > 1 ? "the same for " : "with ");
    put(p->out, values_text(p->a, items, n));
    fputc('\n', p->out);
}

static const char *level(const char *id)
{
    return id[0] == 'E' ? "error" : id[0] == 'W' ? "warning" : "note";
}

/* items[0] speaks for all n. */
static void print_folded(struct printer *p, struct diag_item *const *items,
                         size_t n)
{
    const struct diag_item *item = items[0];
    const struct diag_text *t;
    uint32_t line, column;
    p->gutter = 1;
    if (item->where.at.src != NULL) {
        source_position(item->where.at.src, item->where.at.begin, &line,
                        &column);
        put(p->out, item->where.at.src->path);
        fprintf(p->out, ":%" PRIu32 ":%" PRIu32 ": ", line, column);
    } else if (item->path.n > 0) {
        put(p->out, item->path);
        fputs(": ", p->out);
        if (item->offset != DIAG_NO_OFFSET)
            fprintf(p->out, "byte %" PRIu64 ": ", item->offset);
    }
    fprintf(p->out, "%s[%s]: ", level(item->id), item->id);
    put(p->out, item->text);
    fputc('\n', p->out);
    if (item->where.at.src != NULL)
        print_places(p, item);
    for (t = item->notes; t != NULL; t = t->next) {
        fprintf(p->out, "%*s = %s: ", p->gutter, "",
                t->is_help ? "help" : "note");
        put(p->out, t->text);
        fputc('\n', p->out);
    }
    print_loops(p, items, n);
    print_uses(p, item->where.use);
}

static void print_summary(const struct diag *d, FILE *out, uint64_t printed)
{
    uint64_t all = d->errors + d->warnings;
    fprintf(out, "ttswc: %" PRIu64 " error%s, %" PRIu64 " warning%s", d->errors,
            d->errors == 1 ? "" : "s", d->warnings,
            d->warnings == 1 ? "" : "s");
    if (printed < all)
        fprintf(out, " (folded into %" PRIu64 " finding%s)", printed,
                printed == 1 ? "" : "s");
    fputc('\n', out);
}

void diag_print(struct diag *d, FILE *out)
{
    size_t n = (size_t)(d->errors + d->warnings), i, j, k = 0;
    struct diag_item **all = arena_new(d->arena, struct diag_item *, n + 1);
    struct printer p = {.a = d->arena, .out = out};
    uint64_t printed = 0;
    for (struct diag_item *it = d->first; it != NULL; it = it->next)
        all[k++] = it;
    qsort(all, n, sizeof *all, compare_items);
    for (i = 0; i < n; i = j, printed++) {
        for (j = i + 1; j < n && folds(all[i], all[j]);)
            j++;
        print_folded(&p, all + i, j - i);
        fputc('\n', out);
    }
    if (n > 0)
        print_summary(d, out, printed);
}
