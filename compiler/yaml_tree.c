/* SPDX-License-Identifier: MIT
 *
 * yaml_tree.c - libyaml's events, gathered into nodes.
 *
 * libyaml counts characters, not bytes: a mark's `index` is turned into a
 * byte offset by walking the text. Marks only grow from event to event, but
 * an end mark may lie before the next start, so the walk restarts at the
 * line that the mark names.
 */
#include "yaml_tree.h"

#include <stdlib.h>
#include <yaml.h>

#define MAX_DEPTH 64
#define SHARE "share structure with `templates:` and `use:`"

/* The place that was found last: long lines are walked once. */
struct known {
    size_t line, column;
    uint32_t byte;
};

struct reader {
    struct arena *a;     /* for nodes: as long as the tree */
    struct arena *texts; /* for what YAML decodes: as long as the spec */
    struct known known;
    const struct source *src;
    struct diag *d;
    yaml_parser_t parser;
    yaml_event_t event;
    bool broken; /* libyaml gave up; nothing more can be read */
};

static uint32_t byte_at(struct reader *r, yaml_mark_t mark)
{
    const struct source *s = r->src;
    struct known *k = &r->known;
    if (mark.line >= s->lines)
        return (uint32_t)s->text.n;
    if (k->line != mark.line || k->column > mark.column || k->byte == 0)
        *k = (struct known){mark.line, 0, s->line_start[mark.line]};
    for (; k->column < mark.column && k->byte < s->text.n; k->column++)
        k->byte +=
            (uint32_t)utf8_length(s->text.p + k->byte, s->text.n - k->byte);
    return k->byte;
}

static struct span event_span(struct reader *r)
{
    return (struct span){r->src, byte_at(r, r->event.start_mark),
                         byte_at(r, r->event.end_mark)};
}

/* The usual cause behind what libyaml says, or NULL. */
static const char *usual_cause(const char *problem)
{
    static const char *const causes[][2] = {
        {"mapping values are not allowed",
         "`: ` inside a value or a reason needs quotes around it; a key "
         "needs the indent of its neighbours"},
        {"did not find expected ',' or",
         "inside `{...}` and `[...]`, a text that holds `{`, `[` or `,` needs "
         "quotes; is a bracket left open?"},
        {"did not find expected key",
         "a key must have the indent of its neighbours; a key or a value that "
         "begins with `{` needs quotes, and a text that begins with a quote "
         "ends with it"},
        {"could not find expected ':'",
         "a continued value must be indented deeper than its key, and a "
         "comment ends it"},
        {"found character that cannot start",
         "a text that begins with `@`, `%` or a backtick needs quotes"},
        {"block sequence entries are not allowed",
         "a list item `- ` begins on a line of its own"},
        {"found unexpected end of stream", "is a quote left open?"},
    };
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++)
        if (strncmp(problem, causes[i][0], strlen(causes[i][0])) == 0)
            return causes[i][1];
    return NULL;
}

static void syntax_error(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    uint32_t at = byte_at(r, p->problem_mark);
    struct span s = {r->src, at, at + 1};
    const char *problem = p->problem != NULL ? p->problem : "cannot be read";
    struct diag_item *item =
        diag_add(r->d, "E0101", diag_at(s), "YAML syntax: %s", problem);
    if (p->context != NULL) {
        uint32_t from = byte_at(r, p->context_mark);
        diag_label(r->d, item, (struct span){r->src, from, from + 1}, "%s",
                   p->context);
    }
    if (usual_cause(problem) != NULL)
        diag_help(r->d, item, "%s", usual_cause(problem));
    r->broken = true;
}

static bool next_event(struct reader *r)
{
    if (r->event.type != YAML_NO_EVENT)
        yaml_event_delete(&r->event);
    memset(&r->event, 0, sizeof r->event);
    if (r->broken)
        return false;
    if (yaml_parser_parse(&r->parser, &r->event) == 0) {
        if (r->parser.error == YAML_MEMORY_ERROR)
            arena_exhausted();
        syntax_error(r);
        return false;
    }
    return true;
}

static void refuse(struct reader *r, struct span at, const char *what,
                   const char *instead)
{
    struct diag_item *item =
        diag_add(r->d, "E0105", diag_at(at),
                 "%s are not part of the spec language", what);
    diag_help(r->d, item, "%s", instead);
}

static struct span inside_quotes(struct span s)
{
    if (s.end - s.begin >= 2) {
        s.begin++;
        s.end--;
    }
    return s;
}

static struct node *scalar_node(struct reader *r)
{
    struct node *n = arena_new(r->a, struct node, 1);
    const yaml_event_t *e = &r->event;
    n->kind = NODE_SCALAR;
    n->at = n->raw = event_span(r);
    n->text = (struct str){(char *)e->data.scalar.value, e->data.scalar.length};
    switch (e->data.scalar.style) {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE:
        n->style = STYLE_SINGLE;
        n->raw = inside_quotes(n->at);
        break;
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
        n->style = STYLE_DOUBLE;
        n->raw = inside_quotes(n->at);
        break;
    case YAML_LITERAL_SCALAR_STYLE:
    case YAML_FOLDED_SCALAR_STYLE:
        n->style = STYLE_BLOCK;
        break;
    default:
        n->style = STYLE_PLAIN;
    }
    n->text = str_eq(n->text, span_text(n->raw)) ? span_text(n->raw)
                                                 : arena_str(r->texts, n->text);
    if (e->data.scalar.anchor != NULL)
        refuse(r, n->at, "anchors", SHARE);
    if (e->data.scalar.tag != NULL)
        refuse(r, n->at, "tags", "leave it out: every value is read as text");
    return n;
}

/* A list of nodes that grows. */
struct gather {
    struct node **p;
    size_t n, capacity;
};

static void gather_add(struct reader *r, struct gather *g, struct node *n)
{
    if (g->n == g->capacity)
        g->p = arena_grow(r->a, g->p, sizeof *g->p, g->n, &g->capacity);
    g->p[g->n++] = n;
}

static int compare_keys(const void *x, const void *y)
{
    const struct node *a = *(struct node *const *)x;
    const struct node *b = *(struct node *const *)y;
    int c = str_order(a->text, b->text);
    return c != 0 ? c
                  : (a->at.begin > b->at.begin) - (a->at.begin < b->at.begin);
}

static void check_keys(struct reader *r, const struct node *map)
{
    struct node **k = arena_new(r->a, struct node *, map->count);
    if (map->count > 0)
        memcpy(k, map->keys, map->count * sizeof *k);
    qsort(k, map->count, sizeof *k, compare_keys);
    for (size_t i = 1; i < map->count; i++) {
        struct diag_item *item;
        if (!str_eq(k[i - 1]->text, k[i]->text))
            continue;
        item = diag_add(r->d, "E0102", diag_at(k[i]->at),
                        "duplicate key `%.*s`", STR_ARG(k[i]->text));
        diag_label(r->d, item, k[i - 1]->at, "first here");
        diag_note(r->d, item,
                  "YAML keeps the last one silently; ttswc does not");
    }
}

static struct node *read_node(struct reader *r, int depth);

static void read_map(struct reader *r, struct node *n, int depth)
{
    struct gather keys = {0}, values = {0};
    struct node *key, *value;
    while (next_event(r) && r->event.type != YAML_MAPPING_END_EVENT) {
        key = read_node(r, depth + 1);
        if (key == NULL || !next_event(r))
            return;
        value = read_node(r, depth + 1);
        if (value == NULL)
            return;
        if (key->kind != NODE_SCALAR) {
            struct diag_item *item = diag_add(r->d, "E0110", diag_at(key->at),
                                              "a key must be a text");
            diag_help(r->d, item,
                      "a key or a value that begins with `{` needs quotes");
            continue;
        }
        gather_add(r, &keys, key);
        gather_add(r, &values, value);
    }
    n->keys = keys.p;
    n->items = values.p;
    n->count = keys.n;
    check_keys(r, n);
}

static void read_list(struct reader *r, struct node *n, int depth)
{
    struct gather items = {0};
    while (next_event(r) && r->event.type != YAML_SEQUENCE_END_EVENT) {
        struct node *item = read_node(r, depth + 1);
        if (item == NULL)
            return;
        gather_add(r, &items, item);
    }
    n->items = items.p;
    n->count = items.n;
}

/* The node that begins at the current event. */
static struct node *read_node(struct reader *r, int depth)
{
    struct node *n;
    bool is_map = r->event.type == YAML_MAPPING_START_EVENT;
    if (r->event.type == YAML_SCALAR_EVENT)
        return scalar_node(r);
    if (r->event.type == YAML_ALIAS_EVENT || depth > MAX_DEPTH) {
        refuse(r, event_span(r),
               depth > MAX_DEPTH ? "more than 64 levels" : "aliases", SHARE);
        r->broken = true;
        return NULL;
    }
    n = arena_new(r->a, struct node, 1);
    n->kind = is_map ? NODE_MAP : NODE_LIST;
    n->at = event_span(r);
    if (is_map ? r->event.data.mapping_start.anchor != NULL
               : r->event.data.sequence_start.anchor != NULL)
        refuse(r, n->at, "anchors", SHARE);
    if (is_map ? r->event.data.mapping_start.tag != NULL
               : r->event.data.sequence_start.tag != NULL)
        refuse(r, n->at, "tags", "leave it out: every value is read as text");
    if (is_map)
        read_map(r, n, depth);
    else
        read_list(r, n, depth);
    if (r->broken)
        return NULL;
    n->at.end = byte_at(r, r->event.end_mark);
    return n;
}

static struct node *read_document(struct reader *r)
{
    struct node *root = NULL;
    if (!next_event(r) || !next_event(r))
        return NULL;
    if (r->event.type == YAML_STREAM_END_EVENT) {
        diag_add(r->d, "E0101", diag_at(event_span(r)), "the file is empty");
        return NULL;
    }
    if (!next_event(r))
        return NULL;
    root = read_node(r, 0);
    if (root == NULL || !next_event(r) || !next_event(r))
        return NULL;
    if (r->event.type != YAML_STREAM_END_EVENT)
        refuse(r, event_span(r), "several documents",
               "write one spec in one file");
    return root;
}

struct node *yaml_tree(struct arena *a, struct arena *texts,
                       const struct source *src, struct diag *d)
{
    struct reader r = {.a = a, .texts = texts, .src = src, .d = d};
    struct node *root;
    if (yaml_parser_initialize(&r.parser) == 0)
        arena_exhausted();
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)src->text.p,
                                 src->text.n);
    root = read_document(&r);
    if (r.event.type != YAML_NO_EVENT)
        yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    return r.broken ? NULL : root;
}

bool yaml_is_verbatim(const struct node *n, struct diag *d)
{
    struct str raw = span_text(n->raw);
    bool escape = n->style == STYLE_DOUBLE && memchr(raw.p, '\\', raw.n);
    bool doubled = n->style == STYLE_SINGLE && memchr(raw.p, '\'', raw.n);
    if (!escape && !doubled && n->style != STYLE_BLOCK)
        return true;
    diag_add(d, "E0105", diag_at(n->at),
             "%s are not part of the spec language here",
             n->style == STYLE_BLOCK ? "block texts (`|`, `>`)"
                                     : "escapes in a quoted YAML text");
    return false;
}
