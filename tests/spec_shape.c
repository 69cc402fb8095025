/* SPDX-License-Identifier: MIT
 *
 * spec_shape.c - what the parser's own tables say of specs, as JSON lines.
 *
 * spec_shape FILE...: {"dtypes": [...]}; for each FILE {"file", "tree"}, where
 * a scalar is {"text", "plain"} and a map a list of pairs; and for each map
 * that the parser read by a table {"of", "keys": {name: required}}. Invariant:
 * the tables are those that fields_read was called with, which the linker
 * wraps: there is no copy of them to forget.
 */
#include <stdio.h>

#include "fields.h"
#include "meta.h"
#include "text.h"

void __real_fields_read(struct parser *p, const struct node *n,
                        const char *what, const struct field *fields,
                        size_t count, void *into);
void __wrap_fields_read(struct parser *p, const struct node *n,
                        const char *what, const struct field *fields,
                        size_t count, void *into);

void __wrap_fields_read(struct parser *p, const struct node *n,
                        const char *what, const struct field *fields,
                        size_t count, void *into)
{
    printf("{\"of\":\"%s\",\"keys\":{", what);
    for (size_t i = 0; i < count; i++)
        printf("%s\"%s\":%s", i > 0 ? "," : "", fields[i].name,
               fields[i].required ? "true" : "false");
    printf("}}\n");
    __real_fields_read(p, n, what, fields, count, into);
}

static void put_tree(struct text *t, const struct node *n)
{
    if (n->kind == NODE_SCALAR) {
        text_c(t, "{\"text\":");
        meta_string(t, n->text);
        text_format(t, ",\"plain\":%s}",
                    n->style == STYLE_PLAIN ? "true" : "false");
        return;
    }
    text_c(t, n->kind == NODE_MAP ? "{\"map\":[" : "[");
    for (size_t i = 0; i < n->count; i++) {
        text_c(t, i > 0 ? "," : "");
        if (n->kind == NODE_MAP) {
            text_c(t, "[");
            meta_string(t, n->keys[i]->text);
            text_c(t, ",");
        }
        put_tree(t, n->items[i]);
        text_c(t, n->kind == NODE_MAP ? "]" : "");
    }
    text_c(t, n->kind == NODE_MAP ? "]}" : "]");
}

static void put_file(struct str path)
{
    struct arena a = {0}, texts = {0};
    struct diag d = {.arena = &a};
    struct source source;
    struct spec spec = {0};
    struct text t = {0};
    struct node *root = NULL;
    uint32_t at;
    if (source_load(&a, path, &source, &at) == SOURCE_OK)
        root = yaml_tree(&a, &texts, &source, &d);
    text_c(&t, "{\"file\":");
    meta_string(&t, path);
    text_c(&t, ",\"tree\":");
    if (root != NULL)
        put_tree(&t, root);
    else
        text_c(&t, "null");
    text_c(&t, "}\n");
    fwrite(text_view(&t).p, 1, text_view(&t).n, stdout);
    text_release(&t);
    spec_parse(&a, path, &d, &spec);
    arena_release(&texts);
    arena_release(&a);
}

int main(int argc, char **argv)
{
    printf("{\"dtypes\":[");
    for (uint32_t i = 1; i < TTSB_DTYPE_COUNT; i++)
        printf("%s\"%s\"", i > 1 ? "," : "",
               spec_dtype_name((enum ttsb_dtype)i));
    printf("]}\n");
    for (int i = 1; i < argc; i++)
        put_file(str_c(argv[i]));
    return 0;
}
