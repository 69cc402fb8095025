/* SPDX-License-Identifier: MIT
 *
 * diag_json.c - findings for programs: one JSON object a line.
 *
 * The keys are those of specs/README.md section 14, in alphabetical order,
 * all of them always. Every line is valid UTF-8 whatever a path or a file
 * that is no spec holds: what is not becomes U+FFFD.
 */
#include <inttypes.h>

#include "diag_items.h"
#include "meta.h"

/* Bytes that are no UTF-8 are replaced, one by one. */
static void put_string(struct arena *a, struct text *t, struct str s)
{
    struct text clean = {0};
    size_t bad = utf8_bad(s);
    if (bad == s.n) {
        meta_string(t, s);
        return;
    }
    for (; s.n > 0; bad = utf8_bad(s)) {
        text_str(&clean, str_cut(s, 0, bad));
        if (bad < s.n)
            text_c(&clean, "\xef\xbf\xbd");
        s = str_cut(s, bad + (bad < s.n), s.n);
    }
    meta_string(t, arena_str(a, text_view(&clean)));
    text_release(&clean);
}

static void put_key(struct text *t, const char *key)
{
    text_format(t, "%s\"%s\":", t->p[t->n - 1] == '{' ? "" : ",", key);
}

static void put_number(struct text *t, const char *key, uint64_t n)
{
    put_key(t, key);
    text_format(t, "%" PRIu64, n);
}

/* Begins an item of a list. */
static void put_open(struct text *t)
{
    text_c(t, t->p[t->n - 1] == '[' ? "{" : ",{");
}

static void put_value(struct arena *a, struct text *t,
                      const struct diag_binding *b)
{
    put_string(a, t, b->name);
    if (!b->is_word) {
        text_format(t, ":%" PRId64, b->number);
        return;
    }
    text_c(t, ":");
    put_string(a, t, b->word);
}

/* The outermost variable first. */
static void put_values(struct arena *a, struct text *t,
                       const struct diag_binding *b)
{
    if (b == NULL)
        return;
    put_values(a, t, b->outer);
    text_c(t, b->outer != NULL ? "," : "");
    put_value(a, t, b);
}

static void put_expansion(struct arena *a, struct text *t,
                          const struct diag_folded *f)
{
    const struct diag_binding *loops = f->items[0]->where.loops;
    put_key(t, "expansion");
    if (loops == NULL) {
        text_c(t, "null");
        return;
    }
    text_c(t, "{");
    put_key(t, "text");
    put_string(a, t, diag_values_text(a, f->items, f->n));
    put_key(t, "values");
    if (f->n > 1) {
        text_c(t, "null}");
        return;
    }
    text_c(t, "{");
    put_values(a, t, loops);
    text_c(t, "}}");
}

static void put_help(struct arena *a, struct text *t, const struct diag_text *h)
{
    put_open(t);
    put_key(t, "applicability");
    text_c(t, h->edit.machine_applicable ? "\"machine_applicable\""
                                         : "\"maybe_incorrect\"");
    put_key(t, "edit");
    if (h->edit.at.src == NULL) {
        text_c(t, "null");
    } else {
        text_c(t, "{");
        put_number(t, "byte_end", h->edit.at.end);
        put_number(t, "byte_start", h->edit.at.begin);
        put_key(t, "file");
        put_string(a, t, h->edit.at.src->path);
        put_key(t, "replacement");
        put_string(a, t, h->edit.text);
        text_c(t, "}");
    }
    put_key(t, "text");
    put_string(a, t, h->text);
    text_c(t, "}");
}

static void put_texts(struct arena *a, struct text *t,
                      const struct diag_item *item, bool helps)
{
    put_key(t, helps ? "help" : "notes");
    text_c(t, "[");
    for (const struct diag_text *n = item->notes; n != NULL; n = n->next) {
        if (n->is_help != helps)
            continue;
        if (helps) {
            put_help(a, t, n);
            continue;
        }
        text_c(t, t->p[t->n - 1] == '[' ? "" : ",");
        put_string(a, t, n->text);
    }
    text_c(t, "]");
}

/* The keys of a place, alphabetical: byte_end to file, then line and others. */
static void put_bytes(struct arena *a, struct text *t, struct span at)
{
    put_number(t, "byte_end", at.end);
    put_number(t, "byte_start", at.begin);
    uint32_t line, column;
    source_position(at.src, at.begin, &line, &column);
    put_number(t, "column", column);
    put_key(t, "file");
    put_string(a, t, at.src->path);
}

static uint32_t line_of(struct span at)
{
    uint32_t line, column;
    source_position(at.src, at.begin, &line, &column);
    return line;
}

static void put_span(struct arena *a, struct text *t, struct span at,
                     const struct str *label)
{
    put_open(t);
    put_bytes(a, t, at);
    put_key(t, "label");
    if (label != NULL && label->n > 0)
        put_string(a, t, *label);
    else
        text_c(t, "null");
    put_number(t, "line", line_of(at));
    put_key(t, "primary");
    text_c(t, label == NULL ? "true}" : "false}");
}

/* A byte of a file that is no spec has no line. */
static void put_offset(struct arena *a, struct text *t,
                       const struct diag_item *item)
{
    put_open(t);
    put_number(t, "byte_end", item->offset);
    put_number(t, "byte_start", item->offset);
    put_key(t, "column");
    text_c(t, "null");
    put_key(t, "file");
    put_string(a, t, item->path);
    put_key(t, "label");
    text_c(t, "null");
    put_key(t, "line");
    text_c(t, "null");
    put_key(t, "primary");
    text_c(t, "true}");
}

static void put_spans(struct arena *a, struct text *t,
                      const struct diag_item *item)
{
    put_key(t, "spans");
    text_c(t, "[");
    if (item->where.at.src != NULL)
        put_span(a, t, item->where.at, NULL);
    else if (item->path.n > 0 && item->offset != DIAG_NO_OFFSET)
        put_offset(a, t, item);
    for (const struct diag_text *l = item->labels; l != NULL; l = l->next)
        put_span(a, t, l->at, &l->text);
    text_c(t, "]");
}

static void put_uses(struct arena *a, struct text *t,
                     const struct diag_frame *f)
{
    put_key(t, "uses");
    text_c(t, "[");
    for (; f != NULL; f = f->outer) {
        put_open(t);
        put_bytes(a, t, f->at);
        put_number(t, "line", line_of(f->at));
        put_key(t, "template");
        put_string(a, t, f->name);
        text_c(t, "}");
    }
    text_c(t, "]");
}

static void put_file(struct arena *a, struct text *t,
                     const struct diag_item *item)
{
    put_key(t, "file");
    if (item->where.at.src != NULL)
        put_string(a, t, item->where.at.src->path);
    else if (item->path.n > 0)
        put_string(a, t, item->path);
    else
        text_c(t, "null");
}

void diag_put_json(struct arena *a, const struct diag_folded *f,
                   struct text *out)
{
    const struct diag_item *item = f->items[0];
    struct text rendered = {0};
    text_c(out, "{");
    put_key(out, "code");
    text_format(out, "\"%s\"", item->id);
    put_number(out, "count", f->n);
    put_expansion(a, out, f);
    put_file(a, out, item);
    put_texts(a, out, item, true);
    put_key(out, "level");
    text_format(out, "\"%s\"", diag_level(item->id));
    put_key(out, "message");
    put_string(a, out, item->text);
    put_texts(a, out, item, false);
    put_key(out, "rendered");
    diag_put_text(a, f, false, &rendered);
    put_string(a, out, text_view(&rendered));
    text_release(&rendered);
    put_spans(a, out, item);
    put_uses(a, out, item->where.use);
    text_c(out, "}");
}

void diag_put_json_summary(const struct diag *d, uint64_t found,
                           uint64_t printed, struct text *out)
{
    text_c(out, "{\"summary\":{");
    put_number(out, "errors", d->errors);
    put_number(out, "findings", found);
    put_number(out, "not_shown", found - printed);
    put_number(out, "notes", d->notes);
    put_number(out, "warnings", d->warnings);
    text_c(out, "}}\n");
}
