/* SPDX-License-Identifier: MIT
 *
 * inputs.c - sorts the command line's paths by source.
 */
#include "inputs.h"

#include "sources.h"

struct inputs {
    struct arena *a;
    struct diag *d;
    const struct spec *s;
    const struct args *args;
    struct source_arguments *sources;
};

static void add_path(struct inputs *in, uint32_t source, const char *path)
{
    struct source_arguments *x = &in->sources[source];
    struct str *paths = arena_new(in->a, struct str, x->count + 1);
    if (x->count > 0)
        memcpy(paths, x->paths, x->count * sizeof *paths);
    paths[x->count++] = str_c(path);
    x->paths = paths;
}

/* "--source gpt=PATH --source s2mel=PATH" */
static struct str options_text(struct inputs *in)
{
    struct str t = {0};
    for (uint32_t i = 0; i < sources_count(in->s); i++)
        t = arena_format(in->a, "%.*s%s--source %.*s=PATH", STR_ARG(t),
                         i > 0 ? " " : "", STR_ARG(sources_id(in->s, i)));
    return t;
}

/* The operands behind the spec. */
static bool add_operands(struct inputs *in)
{
    const struct args *args = in->args;
    struct diag_item *item;
    if (args->count == 1)
        return true;
    if (sources_count(in->s) == 1) {
        for (int i = 1; i < args->count; i++)
            add_path(in, 0, args->positional[i]);
        return true;
    }
    item = diag_add(in->d, "E0316", diag_at(sources_at(in->s, 0)),
                    "`%s` is given for no source, and this spec has %.*s",
                    args->positional[1], STR_ARG(sources_list(in->a, in->s)));
    diag_help(in->d, item, "write %.*s", STR_ARG(options_text(in)));
    return false;
}

static struct str name_of(const char *option)
{
    return (struct str){option, (size_t)(strchr(option, '=') - option)};
}

/* Whether an option before number n has the same name. */
static bool named_before(const struct args *args, int n)
{
    for (int i = 0; i < n; i++)
        if (str_eq(name_of(args->sources[i]), name_of(args->sources[n])))
            return true;
    return false;
}

static bool add_options(struct inputs *in)
{
    const struct args *args = in->args;
    bool ok = true;
    for (int i = 0; i < args->source_count; i++) {
        struct str name = name_of(args->sources[i]);
        uint32_t source = sources_find(in->s, name);
        struct diag_item *item;
        if (source != NO_SOURCE) {
            add_path(in, source, name.p + name.n + 1);
            continue;
        }
        ok = false;
        if (named_before(args, i))
            continue;
        item =
            diag_add(in->d, "E0316", diag_at(sources_at(in->s, 0)),
                     "--source: the spec has no source `%.*s`", STR_ARG(name));
        diag_help(in->d, item, "it has %.*s",
                  STR_ARG(sources_list(in->a, in->s)));
    }
    return ok;
}

static bool check_given(struct inputs *in)
{
    static const char may_be[] = "a safetensors file, a folder or an index";
    bool ok = true;
    for (uint32_t i = 0; i < sources_count(in->s); i++) {
        struct str id = sources_id(in->s, i);
        struct diag_where where = diag_at(sources_at(in->s, i));
        struct diag_item *item;
        if (in->sources[i].count > 0)
            continue;
        ok = false;
        if (sources_count(in->s) == 1) {
            item = diag_add(in->d, "E0316", where, "no checkpoint is given");
            diag_help(in->d, item, "write it behind the spec: %s", may_be);
            continue;
        }
        item =
            diag_add(in->d, "E0316", where,
                     "no checkpoint is given for source `%.*s`", STR_ARG(id));
        diag_help(in->d, item, "write --source %.*s=PATH: %s", STR_ARG(id),
                  may_be);
    }
    return ok;
}

bool inputs_open(struct arena *a, struct diag *d, const struct spec *s,
                 const struct args *args, struct checkpoint *out)
{
    struct inputs in = {.a = a, .d = d, .s = s, .args = args};
    uint32_t count = sources_count(s);
    in.sources = arena_new(a, struct source_arguments, count);
    for (uint32_t i = 0; i < count; i++)
        in.sources[i].id = sources_id(s, i);
    /* Each step says what is wrong once, so that the next would say it again.
     */
    return add_operands(&in) && add_options(&in) && check_given(&in) &&
           checkpoint_open(a, d, in.sources, count, out) &&
           (!args->data || checkpoint_has_values(d, out));
}
