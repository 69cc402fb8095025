/* SPDX-License-Identifier: MIT
 *
 * reserved.c - looks each reserved name up among the outputs.
 */
#include "reserved.h"

#include "members.h"

void reserved_read(struct parser *p, const struct node *n, void *into)
{
    struct spec *s = p->spec;
    (void)into;
    if (!field_is_list(p, n))
        return;
    s->reserved = arena_new(p->a, struct reserved_name, n->count);
    for (size_t i = 0; i < n->count; i++)
        if (field_is_text(p, n->items[i]))
            s->reserved[s->reserved_count++] =
                (struct reserved_name){n->items[i]->text, n->items[i]->raw};
}

static void say_illegal(struct diag *d, const struct reserved_name *r,
                        struct str component, const char *why)
{
    struct diag_item *item = diag_add(d, "E0503", diag_at(r->at),
                                      "no target can be called `%.*s`: `%.*s`",
                                      STR_ARG(r->name), STR_ARG(component));
    diag_note(d, item, "%s", why);
    if (memchr(r->name.p, '{', r->name.n) != NULL)
        diag_help(d, item,
                  "a name is reserved as it is in the blob: write one for "
                  "each value of the braces");
}

static void say_twice(struct diag *d, const struct reserved_name *r,
                      const struct reserved_name *first)
{
    diag_label(d,
               diag_add(d, "E0502", diag_at(r->at), "`%.*s` is reserved twice",
                        STR_ARG(r->name)),
               first->at, "first here");
}

static void say_reserved(struct diag *d, const struct reserved_name *r,
                         const struct output *o)
{
    struct diag_item *item = diag_add(
        d, "E0502", o->where, "target `%.*s` is reserved", STR_ARG(o->name));
    diag_label(d, item, r->at, "removed, and must not come back");
    diag_help(d, item,
              "choose a new name, so that no engine takes this for what had "
              "the name before");
}

void reserved_check(struct arena *a, struct diag *d, const struct model *m)
{
    struct nametab seen = {0};
    for (uint32_t i = 0; i < m->spec->reserved_count; i++) {
        const struct reserved_name *r = &m->spec->reserved[i];
        uint32_t first = i, output;
        struct str component;
        const char *why = members_fault(r->name, &component);
        if (why != NULL)
            say_illegal(d, r, component, why);
        else if (!nametab_add(a, &seen, r->name, &first))
            say_twice(d, r, &m->spec->reserved[first]);
        else if (nametab_find(&m->names, r->name, &output))
            say_reserved(d, r, &m->outputs[output]);
    }
}
