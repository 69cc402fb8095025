/* SPDX-License-Identifier: MIT
 *
 * diag.c - collects findings, orders and folds them.
 *
 * Two findings fold into one when they share id, place and chain of uses:
 * the first one's words are printed, and one note says for which loop values
 * they hold. Without loop values, findings fold only if they say the same.
 * diag_text.c and diag_json.c render them.
 */
#include "diag.h"

#include <inttypes.h>
#include <stdlib.h>

#include "diag_items.h"
#include "indexset.h"

static struct diag_item *item_new(struct diag *d, const char *id)
{
    struct diag_item *item = arena_new(d->arena, struct diag_item, 1);
    if (diag_title(id) == NULL)
        abort(); /* an id that the table lacks: a bug, found by any test */
    item->id = id;
    item->serial = d->errors + d->warnings + d->notes;
    d->errors += id[0] == 'E';
    d->system_errors += strcmp(id, "E0704") == 0 || strcmp(id, "E0705") == 0;
    d->warnings += id[0] == 'W';
    d->notes += id[0] == 'N';
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

static struct diag_text *text_new(struct diag *d, const char *format,
                                  va_list args)
{
    struct diag_text *t = arena_new(d->arena, struct diag_text, 1);
    t->text = arena_vformat(d->arena, format, args);
    return t;
}

void diag_label(struct diag *d, struct diag_item *item, struct span at,
                const char *format, ...)
{
    struct diag_text *t;
    va_list args;
    va_start(args, format);
    t = text_new(d, format, args);
    va_end(args);
    t->at = at;
    for (const struct diag_text *l = item->labels; l != NULL; l = l->next)
        if (l->at.src == at.src && l->at.begin == at.begin &&
            l->at.end == at.end && str_eq(l->text, t->text))
            return; /* both ends of a range are made of one size */
    if (at.src != NULL)
        append(&item->labels, t);
}

void diag_note(struct diag *d, struct diag_item *item, const char *format, ...)
{
    struct diag_text *t;
    va_list args;
    va_start(args, format);
    t = text_new(d, format, args);
    va_end(args);
    append(&item->notes, t);
}

void diag_help(struct diag *d, struct diag_item *item, const char *format, ...)
{
    struct diag_text *t;
    va_list args;
    va_start(args, format);
    t = text_new(d, format, args);
    va_end(args);
    t->is_help = true;
    append(&item->notes, t);
}

void diag_fix(struct diag *d, struct diag_item *item,
              const struct diag_edit *edit, const char *format, ...)
{
    struct diag_text *t;
    va_list args;
    va_start(args, format);
    t = text_new(d, format, args);
    va_end(args);
    t->is_help = true;
    t->edit = *edit;
    append(&item->notes, t);
}

bool diag_just_said(const struct diag *d, const char *id,
                    const struct diag_where *where)
{
    const struct diag_item *item = d->last;
    return item != NULL && strcmp(item->id, id) == 0 &&
           item->where.at.src == where->at.src &&
           item->where.at.begin == where->at.begin &&
           item->where.at.end == where->at.end &&
           item->where.use == where->use && item->where.loops == where->loops;
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
    return c != 0 ? c : frame_order(a->where.use, b->where.use);
}

static int fold_order(const struct diag_item *a, const struct diag_item *b)
{
    int c = place_order(a, b);
    return c != 0 ? c : str_order(a->fact, b->fact);
}

static int compare_items(const void *x, const void *y)
{
    const struct diag_item *a = *(struct diag_item *const *)x;
    const struct diag_item *b = *(struct diag_item *const *)y;
    int c = fold_order(a, b);
    return c != 0 ? c : (a->serial > b->serial) - (a->serial < b->serial);
}

/* What folds stays together, and stands where the first of it was found. */
static int compare_found(const void *x, const void *y)
{
    const struct diag_item *a = *(struct diag_item *const *)x;
    const struct diag_item *b = *(struct diag_item *const *)y;
    int c = place_order(a, b);
    if (c == 0)
        c = (a->leads > b->leads) - (a->leads < b->leads);
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
    return a->where.at.src != NULL && fold_order(a, b) == 0 &&
           n == loop_count(b->where.loops) &&
           (n > 0 || str_eq(a->text, b->text));
}

struct str diag_values_text(struct arena *a, struct diag_item *const *items,
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
    return loops == NULL ? (struct str){0} : diag_values_text(a, items, 1);
}

/* --- printing --- */

static void print_summary(const struct diag *d, struct text *t, uint64_t found,
                          uint64_t printed)
{
    uint64_t all = d->errors + d->warnings + d->notes;
    text_format(t, "ttswc: %" PRIu64 " error%s, %" PRIu64 " warning%s",
                d->errors, d->errors == 1 ? "" : "s", d->warnings,
                d->warnings == 1 ? "" : "s");
    if (d->notes > 0)
        text_format(t, ", %" PRIu64 " note%s", d->notes,
                    d->notes == 1 ? "" : "s");
    if (found < all)
        text_format(t, " (folded into %" PRIu64 " finding%s)", found,
                    found == 1 ? "" : "s");
    if (printed < found)
        text_format(t, "; %" PRIu64 " not shown (--max-errors)",
                    found - printed);
    text_c(t, "\n");
}

static struct diag_item **sorted(struct diag *d, size_t n)
{
    struct diag_item **all = arena_new(d->arena, struct diag_item *, n + 1);
    size_t k = 0;
    for (struct diag_item *it = d->first; it != NULL; it = it->next)
        all[k++] = it;
    qsort(all, n, sizeof *all, compare_items);
    for (size_t i = 0; i < n; i++)
        all[i]->leads = i > 0 && fold_order(all[i - 1], all[i]) == 0
                            ? all[i - 1]->leads
                            : all[i]->serial;
    qsort(all, n, sizeof *all, compare_found);
    return all;
}

static void flush(struct text *t, FILE *out)
{
    fwrite(t->p, 1, t->n, out);
    t->n = 0;
}

void diag_print(struct diag *d, FILE *out)
{
    size_t n = (size_t)(d->errors + d->warnings + d->notes), i, j;
    struct diag_item **all = sorted(d, n);
    bool color = !d->show.json && diag_is_colored(d->show.color, fileno(out));
    uint64_t found = 0, printed = 0;
    struct text t = {0};
    for (i = 0; i < n; i = j, found++) {
        struct diag_folded f = {all + i, 1};
        for (j = i + 1; j < n && folds(all[i], all[j]); j++)
            f.n++;
        if (d->show.most > 0 && found >= d->show.most)
            continue;
        printed++;
        if (d->show.json)
            diag_put_json(d->arena, &f, &t);
        else
            diag_put_text(d->arena, &f, color, &t);
        text_c(&t, "\n");
        flush(&t, out);
    }
    if (d->show.json)
        diag_put_json_summary(d, found, printed, &t);
    else if (n > 0)
        print_summary(d, &t, found, printed);
    flush(&t, out);
    text_release(&t);
}
