/* SPDX-License-Identifier: MIT
 *
 * pages.c - prints a page, or what there is to ask for.
 *
 * Pages are Markdown that reads well as it stands, so they are printed as they
 * stand: what a terminal shows, a pager and a browser of the tree show too.
 */
#include "pages.h"

#include <ctype.h>
#include <stdio.h>

#include "compile.h"
#include "meta.h"
#include "suggest.h"
#include "text.h"

#define NEAREST_MOST 6

static struct str upper(struct arena *a, struct str s)
{
    char *p = arena_take(a, 1, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        p[i] = (char)toupper((unsigned char)s.p[i]);
    return (struct str){p, s.n};
}

static const struct page *find(struct str id)
{
    for (const struct page *p = pages; p->id != NULL; p++)
        if (str_is(id, p->id))
            return p;
    return NULL;
}

static void put_json(struct text *t, const struct page *p, bool whole)
{
    text_format(t, "{\"id\":\"%s\",", p->id);
    if (whole) {
        text_c(t, "\"text\":");
        meta_string(t, p->text);
        text_c(t, ",");
    }
    text_c(t, "\"title\":");
    meta_string(t, str_c(diag_title(p->id)));
    text_c(t, "}");
}

static void list_all(struct text *t, bool json)
{
    text_c(t, json ? "[" : "");
    for (const struct page *p = pages; p->id != NULL; p++)
        if (json) {
            text_c(t, p != pages ? "," : "");
            put_json(t, p, false);
        } else
            text_format(t, "%s  %s\n", p->id, diag_title(p->id));
    text_c(t, json ? "]\n" : "");
}

static void put_page(struct text *t, const struct page *p, bool json)
{
    if (json) {
        put_json(t, p, true);
        text_c(t, "\n");
    } else
        text_str(t, p->text);
}

/* All ids at the least distance, as far as they are near at all. */
static struct str nearest(struct arena *a, struct str id)
{
    struct str list = {0};
    size_t found = 0;
    for (size_t d = 1; d <= 2 && found == 0; d++)
        for (const struct page *p = pages; p->id != NULL; p++) {
            if (suggest_distance(id, str_c(p->id), d) != d)
                continue;
            if (found++ < NEAREST_MOST)
                list = arena_format(a, "%.*s%s%s", STR_ARG(list),
                                    list.n > 0 ? ", " : "", p->id);
        }
    return list;
}

static void say_unknown(struct run *r, struct str asked, struct str id)
{
    struct str near = nearest(&r->arena, id);
    struct diag_item *item = diag_add_file(
        &r->diag, "E0707", asked, DIAG_NO_OFFSET, "no diagnostic has this id");
    if (near.n > 0)
        diag_help(&r->diag, item, "did you mean %.*s?", STR_ARG(near));
    diag_help(&r->diag, item,
              "`ttswc explain ids` lists all; a tensor is explained by "
              "`ttswc explain SPEC TARGET`");
}

enum exit_code pages_explain(const struct args *args)
{
    struct str asked = str_c(args->positional[0]), id;
    const struct page *p;
    struct text t = {0};
    struct run r;
    run_begin(&r, args);
    id = upper(&r.arena, asked);
    p = find(id);
    if (str_is(id, "IDS"))
        list_all(&t, args->json);
    else if (p != NULL)
        put_page(&t, p, args->json);
    else
        say_unknown(&r, asked, id);
    if (t.n > 0)
        fwrite(t.p, 1, t.n, stdout);
    text_release(&t);
    return run_end(&r);
}
