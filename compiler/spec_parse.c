/* SPDX-License-Identifier: MIT
 *
 * spec_parse.c - from YAML nodes to a struct spec.
 *
 * Every map is read through a table of fields: what it may hold, what it must
 * hold, and the function that reads each. All that can be wrong with the form
 * of a spec is found here, in one pass; nothing is evaluated.
 */
#include "spec.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "about.h"
#include "block_parse.h"
#include "constant_parse.h"
#include "expect_parse.h"
#include "draft_parse.h"
#include "fields.h"
#include "lockfile.h"
#include "reserved.h"
#include "sniff.h"
#include "sources.h"
#include "cursor.h"

#define MAX_INCLUDES 256

static void check_version(struct parser *p, const struct node *n)
{
    if (n->kind == NODE_SCALAR && str_is(n->text, "1"))
        return;
    diag_add(p->d, "E0106", diag_at(n->at),
             "this ttswc reads version 1 of the spec language, not `%.*s`",
             n->kind == NODE_SCALAR ? (int)n->text.n : 1,
             n->kind == NODE_SCALAR ? n->text.p : "?");
}

/* Judged before all other keys, by check_version. */
static void read_version(struct parser *p, const struct node *n, void *into)
{
    (void)p;
    (void)n;
    (void)into;
}

static bool is_model_name(struct str s)
{
    if (s.n == 0 || s.n > TTSB_MAX_MODEL_NAME ||
        strchr("0123456789_.-", s.p[0]))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_name_byte(s.p[i]))
            return false;
    return true;
}

static void read_model(struct parser *p, const struct node *n, void *into)
{
    (void)into;
    if (!field_is_text(p, n))
        return;
    p->spec->model = n->text;
    p->spec->model_at = n->raw;
    if (!is_model_name(n->text))
        diag_add(p->d, "E0111", diag_at(n->at),
                 "a model's name is a letter and up to 158 more of "
                 "[A-Za-z0-9_.-]");
    if (n->text.n >= 4 && strncasecmp(n->text.p, "ttsb", 4) == 0)
        diag_add(p->d, "E0503", diag_at(n->at),
                 "a model's name does not begin with `ttsb`: its header would "
                 "define what ttsb.h defines");
}

static void read_revision(struct parser *p, const struct node *n, void *into)
{
    (void)into;
    p->spec->revision_at = n->at;
    p->spec->revision = field_number(p, n, 0, INT64_MAX);
}

static void read_align(struct parser *p, const struct node *n, void *into)
{
    uint64_t v = field_number(p, n, TTSB_MIN_ALIGN, TTSB_MAX_ALIGN);
    (void)into;
    p->spec->align = (uint32_t)v;
    if (v != 0 && (v & (v - 1)) != 0)
        diag_add(p->d, "E0111", diag_at(n->at),
                 "`align:` must be a power of two");
}

static void read_layout(struct parser *p, const struct node *n, void *into)
{
    (void)into;
    p->spec->layout_at = n->at;
    if (!field_is_list(p, n))
        return;
    p->spec->layout = arena_new(p->a, struct axis_order, n->count);
    for (size_t i = 0; i < n->count; i++) {
        const struct node *x = n->items[i];
        if (!field_is_identifier(p, x))
            continue;
        for (size_t k = 0; k < p->spec->layout_count; k++)
            if (str_eq(p->spec->layout[k].id, x->text))
                diag_add(p->d, "E0413", diag_at(x->at),
                         "axis `%.*s` stands twice in `layout:`",
                         STR_ARG(x->text));
        p->spec->layout[p->spec->layout_count++] =
            (struct axis_order){x->text, x->raw};
    }
}

static void group_name(struct parser *p, const struct node *n, void *into)
{
    struct group_spec *g = into;
    if (!field_is_identifier(p, n))
        return;
    g->name = n->text;
    g->at = n->raw;
    if (n->text.p[0] == '_' || n->text.n > TTSB_MAX_NAME)
        diag_add(p->d, "E0509", diag_at(n->at),
                 "a group's name begins with a letter and has at most 255 "
                 "bytes");
}

static void group_place(struct parser *p, const struct node *n, void *into)
{
    struct group_spec *g = into;
    if (!field_is_text(p, n))
        return;
    if (str_is(n->text, "host"))
        g->place = TTSB_PLACE_HOST;
    else if (!str_is(n->text, "device"))
        diag_add(p->d, "E0111", diag_at(n->at),
                 "`place:` is `device` or `host`");
}

static const struct field group_fields[] = {
    {"name", true, group_name},
    {"place", false, group_place},
};

static void read_groups(struct parser *p, const struct node *n, void *into)
{
    struct spec *s = p->spec;
    (void)into;
    if (!field_is_list(p, n))
        return;
    s->groups = arena_new(p->a, struct group_spec, n->count);
    for (size_t i = 0; i < n->count; i++) {
        struct group_spec *g = &s->groups[s->group_count++];
        fields_read(p, n->items[i], "a group", group_fields,
                    FIELD_COUNT(group_fields), g);
        for (size_t k = 0; k + 1 < s->group_count; k++)
            if (g->name.n > 0 && str_eq(s->groups[k].name, g->name))
                diag_add(p->d, "E0509", diag_at(g->at),
                         "group `%.*s` is declared twice", STR_ARG(g->name));
    }
    if (n->count == 0 || n->count > TTSB_MAX_GROUPS)
        diag_add(p->d, "E0509", diag_at(n->at), "1 to 65535 groups are needed");
}

static void read_dims(struct parser *p, const struct node *n, void *into)
{
    (void)into;
    p->file->dims = field_definitions(p, n, true, &p->file->dim_count);
}

static void assert_that(struct parser *p, const struct node *n, void *into)
{
    struct assertion *a = into;
    a->that = cursor_whole_expr(p->a, p->d, n, true);
    if (a->that != NULL && a->that->kind < EXPR_EQ) {
        struct diag_item *item =
            diag_add(p->d, "E0201", diag_at(n->raw),
                     "expected a comparison, found a number");
        diag_help(p->d, item, "write `... == 0`, `... > 0` or the like");
    }
}

static void assert_say(struct parser *p, const struct node *n, void *into)
{
    struct assertion *a = into;
    if (field_is_text(p, n))
        a->say = n->text;
}

static const struct field assert_fields[] = {
    {"that", true, assert_that},
    {"say", true, assert_say},
};

static void read_asserts(struct parser *p, const struct node *n, void *into)
{
    struct spec *s = p->spec;
    (void)into;
    if (!field_is_list(p, n))
        return;
    s->assertions = arena_new(p->a, struct assertion, n->count);
    for (size_t i = 0; i < n->count; i++)
        fields_read(p, n->items[i], "an assertion", assert_fields,
                    FIELD_COUNT(assert_fields),
                    &s->assertions[s->assertion_count++]);
}

/* --- templates --- */

static void template_params(struct parser *p, const struct node *n, void *into)
{
    struct template *t = into;
    if (!field_is_list(p, n))
        return;
    t->params = arena_new(p->a, struct definition, n->count);
    t->param_used = arena_new(p->a, bool, n->count);
    for (size_t i = 0; i < n->count; i++)
        if (field_is_identifier(p, n->items[i]))
            t->params[t->param_count++] = (struct definition){
                .id = n->items[i]->text, .at = n->items[i]->raw};
}

static void template_body(struct parser *p, const struct node *n, void *into)
{
    struct template *t = into;
    t->body = block_parse_list(p, n, &t->body_count);
}

static const struct field template_fields[] = {
    {"params", false, template_params},
    {"body", true, template_body},
};

static void add_template(struct parser *p, struct template t)
{
    struct spec *s = p->spec;
    for (size_t i = 0; i < s->template_count; i++) {
        struct diag_item *item;
        if (!str_eq(s->templates[i].id, t.id))
            continue;
        item = diag_add(p->d, "E0209", diag_at(t.at),
                        "template `%.*s` is defined twice", STR_ARG(t.id));
        diag_label(p->d, item, s->templates[i].at, "first here");
        return;
    }
    if (s->template_count == s->template_capacity)
        s->templates = arena_grow(p->a, s->templates, sizeof t,
                                  s->template_count, &s->template_capacity);
    s->templates[s->template_count++] = t;
}

static void read_templates(struct parser *p, const struct node *n, void *into)
{
    (void)into;
    if (!field_is_map(p, n))
        return;
    for (size_t i = 0; i < n->count; i++) {
        struct template t = {.file = p->file};
        if (!field_is_identifier(p, n->keys[i]))
            continue;
        t.id = n->keys[i]->text;
        t.at = n->keys[i]->raw;
        fields_read(p, n->items[i], "a template", template_fields,
                    FIELD_COUNT(template_fields), &t);
        add_template(p, t);
    }
}

static void read_map(struct parser *p, const struct node *n, void *into)
{
    (void)into;
    p->spec->map = block_parse_list(p, n, &p->spec->map_count);
}

/* --- files --- */

static void load_file(struct parser *p, struct str path, struct span from);

static void read_include(struct parser *p, const struct node *n, void *into)
{
    const struct parser outer = *p;
    (void)into;
    if (!field_is_list(p, n))
        return;
    for (size_t i = 0; i < n->count; i++) {
        const struct node *x = n->items[i];
        struct str path;
        if (!field_is_text(p, x))
            continue;
        path = field_path(p, x,
                          "an include lies in the folder of the file that "
                          "includes it");
        if (path.n > 0)
            load_file(p, path, x->raw);
        *p = outer;
    }
}

static const struct field include_fields[] = {
    {"ttsw", true, read_version},
    {"include", false, read_include},
    {"dims", false, read_dims},
    {"templates", false, read_templates},
};

static const struct field root_fields[] = {
    {"ttsw", true, read_version},
    {"model", true, read_model},
    {"revision", true, read_revision},
    {"about", false, about_read},
    {"reserved", false, reserved_read},
    {"source_dtype", true, block_read_source_dtype},
    {"store", true, block_read_store},
    {"layout", true, read_layout},
    {"align", false, read_align},
    {"weight_norm", false, block_read_weight_norm},
    {"groups", false, read_groups},
    {"sources", false, sources_read},
    {"constants", false, constants_read},
    {"include", false, read_include},
    {"dims", false, read_dims},
    {"assert", false, read_asserts},
    {"expect", false, expects_read},
    {"templates", false, read_templates},
    {"map", true, read_map},
};

/* A spec in another version of the language is called that, and no more. */
static bool is_other_version(struct parser *p, const struct node *root)
{
    uint64_t before = p->d->errors;
    for (size_t i = 0; root->kind == NODE_MAP && i < root->count; i++)
        if (str_is(root->keys[i]->text, "ttsw"))
            check_version(p, root->items[i]);
    return p->d->errors != before;
}

static void report_unreadable(struct parser *p, struct str path,
                              struct span from, enum source_problem problem)
{
    const char *why =
        problem == SOURCE_SYSTEM ? strerror(errno) : "larger than 16 MiB";
    if (from.src != NULL)
        diag_add(p->d, "E0705", diag_at(from), "cannot read `%.*s`: %s",
                 STR_ARG(path), why);
    else
        diag_add_file(p->d, "E0705", path, DIAG_NO_OFFSET, "cannot read: %s",
                      why);
}

static void say_bytes(struct parser *p, struct span at,
                      enum source_problem problem)
{
    struct diag_item *item;
    bool tab = at.src->text.p[at.begin] == '\t';
    if (problem == SOURCE_NOT_UTF8) {
        diag_add(p->d, "E0105", diag_at(at), "the file is not UTF-8");
        return;
    }
    item = diag_add(p->d, "E0105", diag_at(at),
                    "%s are not part of the spec language",
                    tab ? "tabs" : "control characters and byte order marks");
    if (tab)
        diag_help(p->d, item, "write spaces");
}

/* Two operands in the wrong order, where none of the bytes help. */
static bool is_checkpoint(struct parser *p, const struct source *s)
{
    struct diag_item *item;
    if (!sniff_is_safetensors((const uint8_t *)s->text.p, s->text.n))
        return false;
    item = diag_add_file(p->d, "E0105", s->path, DIAG_NO_OFFSET,
                         "this is a safetensors file, not a spec");
    diag_help(p->d, item, "the spec stands before its checkpoint");
    return true;
}

static bool is_lock(struct parser *p, const struct source *s)
{
    struct diag_item *item;
    if (!lockfile_is(s->text.p, s->text.n))
        return false;
    item = diag_add_file(p->d, "E0105", s->path, DIAG_NO_OFFSET,
                         "this is a lock, not a spec");
    diag_help(p->d, item, "the spec stands before its checkpoint or lock");
    return true;
}

static bool open_source(struct parser *p, struct str path, struct span from,
                        struct source *s)
{
    uint32_t at = 0;
    enum source_problem problem = source_load(p->a, path, s, &at);
    if (problem == SOURCE_OK)
        return !is_lock(p, s);
    if (problem != SOURCE_SYSTEM && is_checkpoint(p, s))
        return false;
    if (problem == SOURCE_SYSTEM || problem == SOURCE_TOO_LARGE)
        report_unreadable(p, path, from, problem);
    else
        say_bytes(p, (struct span){s, at, at + 1}, problem);
    return false;
}

static void read_tree(struct parser *p, const struct node *root, bool is_root)
{
    if (root == NULL || is_other_version(p, root) ||
        (is_root && draft_is_open(p, root)))
        return;
    if (is_root)
        fields_read(p, root, "a spec", root_fields, FIELD_COUNT(root_fields),
                    &p->spec->say);
    else
        fields_read(p, root, "an included file", include_fields,
                    FIELD_COUNT(include_fields), NULL);
}

/* The root, or an include; `from` is where it is included. */
static void load_file(struct parser *p, struct str path, struct span from)
{
    struct spec_file *f, **end = &p->spec->files;
    struct arena nodes = {0};
    size_t n = 0;
    for (; *end != NULL; end = &(*end)->next, n++) {
        if (!str_eq((*end)->source.path, path))
            continue;
        if ((*end)->open)
            diag_add(p->d, "E0209", diag_at(from), "`%.*s` includes itself",
                     STR_ARG(path));
        return; /* two files may include a third: it is read once */
    }
    if (n >= MAX_INCLUDES) {
        diag_add(p->d, "E0111", diag_at(from), "more than 256 includes");
        return;
    }
    f = arena_new(p->a, struct spec_file, 1);
    if (!open_source(p, path, from, &f->source))
        return;
    *end = f;
    p->file = f;
    f->open = true;
    read_tree(p, yaml_tree(&nodes, p->a, &f->source, p->d), n == 0);
    arena_release(&nodes);
    f->open = false;
}

bool spec_parse(struct arena *a, struct str path, struct diag *d,
                struct spec *out)
{
    struct parser p = {.a = a, .d = d, .spec = out};
    uint64_t before = d->errors;
    *out = (struct spec){.align = TTSB_MIN_ALIGN};
    load_file(&p, path, (struct span){0});
    return d->errors == before;
}
