/* SPDX-License-Identifier: MIT
 *
 * header_names.c - claims every PATH once, then looks from each other name
 * whether it can be read as a PATH with something behind.
 */
#include "header_names.h"

#include <ctype.h>
#include <strings.h>

struct str header_identifier(struct arena *a, struct str model, bool upper)
{
    char *p = arena_take(a, 1, model.n + 1);
    for (size_t i = 0; i < model.n; i++) {
        char c = model.p[i] == '.' || model.p[i] == '-' ? '_' : model.p[i];
        p[i] = upper ? (char)toupper((unsigned char)c) : c;
    }
    return (struct str){p, model.n};
}

struct str header_upper(struct arena *a, struct str s)
{
    return header_identifier(a, s, true);
}

struct str header_member(struct arena *a, const struct member *m)
{
    return m->is_index ? arena_format(a, "_%.*s", STR_ARG(m->component))
                       : m->component;
}

struct str header_join(struct arena *a, struct str parent,
                       const struct member *m)
{
    return arena_format(a, "%.*s%s%.*s", STR_ARG(parent),
                        parent.n > 0 ? "_" : "", STR_ARG(m->component));
}

/* A PATH in upper case and its member: below an array, the first one's. */
struct path {
    struct str name;
    const struct member *member; /* not of an array, but an array */
    const struct member *leaf;   /* the tensor, or NULL */
    size_t arrays;               /* `[n]` that the member itself has */
};

struct names {
    struct arena *a;
    struct diag *d;
    const struct model *m;
    struct str upper;   /* of the model */
    struct str weights; /* "model_weights" */
    struct path *paths;
    size_t path_count, path_capacity;
    struct nametab tensors; /* paths of tensors and of arrays of them */
    struct nametab arrays;
    struct nametab macros; /* without MODEL_; UINT32_MAX: every header's */
};

/* --- paths --- */

static const struct output *output_of(const struct names *n,
                                      const struct member *m)
{
    return &n->m->outputs[m->output];
}

static void same_path(struct names *n, const struct member *m,
                      const struct path *first)
{
    struct diag_item *item = diag_add(
        n->d, "E0503", output_of(n, m)->where,
        "`%.*s` and `%.*s` have one name in the header: %.*s_%.*s%s",
        STR_ARG(first->member->path), STR_ARG(m->path), STR_ARG(n->upper),
        STR_ARG(first->name), m->kind == MEMBER_ARRAY ? "_COUNT" : "");
    diag_label(n->d, item, output_of(n, first->member)->where.at, "the other");
    diag_note(n->d, item,
              "there the components are joined by `_`, without the indices of "
              "arrays, in upper case");
}

/* A finding if another member has the same macros. Structs have none: they may
 * share a path. */
static void claim_path(struct names *n, const struct member *m, struct str name)
{
    uint32_t at = (uint32_t)n->path_count;
    struct path p = {.name = name, .member = m, .leaf = m};
    for (; p.leaf->kind == MEMBER_ARRAY; p.leaf = p.leaf->first)
        p.arrays++;
    if (p.leaf->kind != MEMBER_TENSOR)
        p.leaf = NULL;
    if ((p.arrays > 0 && !nametab_add(n->a, &n->arrays, name, &at)) ||
        (p.leaf != NULL && !nametab_add(n->a, &n->tensors, name, &at))) {
        same_path(n, m, &n->paths[at]);
        return;
    }
    if (n->path_count == n->path_capacity)
        n->paths = arena_grow(n->a, n->paths, sizeof *n->paths, n->path_count,
                              &n->path_capacity);
    n->paths[n->path_count++] = p;
}

/* All paths below m; the members of an array are those of its first. */
static void claim_paths(struct names *n, const struct member *m,
                        struct str path)
{
    for (; m->kind == MEMBER_ARRAY; m = m->first)
        ;
    for (const struct member *c = m->first; c != NULL; c = c->next) {
        struct str name = header_upper(n->a, header_join(n->a, path, c));
        claim_path(n, c, name);
        claim_paths(n, c, name);
    }
}

/* --- what may stand behind a path --- */

/* A word with a number below `count` behind it, as DIM3. */
static bool is_numbered(struct str s, const char *word, uint64_t from,
                        uint64_t count)
{
    uint64_t number;
    size_t n = strlen(word);
    return str_begins(s, str_c(word)) &&
           str_is_index(str_cut(s, n, s.n), &number) && number >= from &&
           number < count;
}

static struct type type_of(const struct names *n, const struct output *o)
{
    uint32_t target;
    if (o->step == NULL && nametab_find(&n->m->names, o->alias_target, &target))
        return n->m->outputs[target].type;
    return o->type;
}

static bool has_axis(const struct names *n, const struct path *p, struct str s)
{
    struct type t = type_of(n, output_of(n, p->leaf));
    for (uint32_t i = 0; i < t.rank; i++)
        if (str_eq(header_upper(n->a, t.axes[i].name), s))
            return true;
    return false;
}

/* Whether the header defines PATH_`s` for a tensor. */
static bool has_macro(const struct names *n, const struct path *p, struct str s)
{
    static const char *const words[] = {"DTYPE", "RANK",  "GROUP",
                                        "SIZE",  "INDEX", "OFFSET"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (str_is(s, words[i]))
            return true;
    return is_numbered(s, "DIM", 0, TTSB_MAX_RANK) ||
           is_numbered(s, "STRIDE", 0, TTSB_MAX_RANK) ||
           (str_begins(s, str_c("AXIS_")) &&
            has_axis(n, p, str_cut(s, strlen("AXIS_"), s.n)));
}

/* The path that `name` is a macro of, without MODEL_; NULL if it is none. */
static const struct path *macro_path(const struct names *n, struct str name)
{
    uint32_t at;
    for (size_t i = name.n; i-- > 0;) {
        struct str path = str_cut(name, 0, i), word;
        if (name.p[i] != '_')
            continue;
        word = str_cut(name, i + 1, name.n);
        if (nametab_find(&n->arrays, path, &at) &&
            (str_is(word, "COUNT") ||
             is_numbered(word, "COUNT", 1, n->paths[at].arrays)))
            return &n->paths[at];
        if (nametab_find(&n->tensors, path, &at) &&
            has_macro(n, &n->paths[at], word))
            return &n->paths[at];
    }
    return NULL;
}

/* --- constants and groups --- */

/* Claims a name in upper case; what has it already, or NULL. */
static const char *claim(struct names *n, struct str name)
{
    uint32_t value = 0;
    const struct path *p = macro_path(n, name);
    if (members_taken(
            arena_format(n->a, "%.*s_%.*s", STR_ARG(n->upper), STR_ARG(name))))
        return "C's own headers define this macro";
    if (p != NULL)
        return arena_format(n->a, "it is a macro of `%.*s`",
                            STR_ARG(p->member->path))
            .p;
    if (nametab_add(n->a, &n->macros, name, &value))
        return NULL;
    return value == UINT32_MAX ? "the generated header uses this name"
                               : "another constant has the same macro";
}

static void check_constant(struct names *n, const struct constant *c)
{
    struct str name = header_upper(n->a, c->name);
    const char *why = claim(n, name);
    if (why == NULL && c->is_list &&
        claim(n, arena_format(n->a, "%.*s_COUNT", STR_ARG(name))) != NULL)
        why = "the macro of the list's length is taken";
    if (c->name.n > TTSB_MAX_NAME)
        why = "a name has at most 255 bytes";
    if (members_taken(c->name))
        why = "it is a keyword of C, C++, CUDA, Rust or Python, or a common "
              "macro";
    if (why != NULL)
        diag_add(n->d, "E0503", diag_at(c->at),
                 "constant `%.*s` cannot stand in a header: %s",
                 STR_ARG(c->name), why);
}

/* The names of a group; `at` is where it is declared. */
static void check_group(struct names *n, struct str group, struct span at)
{
    static const char *const behind[] = {"", "_SIZE", "_PLACE"};
    struct str upper = header_upper(n->a, group);
    for (size_t i = 0; i < sizeof behind / sizeof behind[0]; i++) {
        struct str name =
            arena_format(n->a, "GROUP_%.*s%s", STR_ARG(upper), behind[i]);
        const struct path *p = macro_path(n, name);
        uint32_t value = UINT32_MAX;
        struct diag_item *item;
        if (nametab_add(n->a, &n->macros, name, &value) && p == NULL)
            continue;
        item = diag_add(n->d, "E0503", diag_at(at),
                        "group `%.*s` cannot stand in a header: %.*s_%.*s is "
                        "taken",
                        STR_ARG(group), STR_ARG(n->upper), STR_ARG(name));
        if (p != NULL)
            diag_note(n->d, item, "it is a macro of `%.*s`",
                      STR_ARG(p->member->path));
        return;
    }
}

/* What every header defines. */
static void claim_fixed(struct names *n)
{
    static const char *const fixed[] = {
        "MODEL", "REVISION", "CONTRACT_ID", "TENSOR_COUNT", "GROUP_COUNT", "H"};
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        uint32_t none = UINT32_MAX;
        const struct path *p = macro_path(n, str_c(fixed[i]));
        nametab_add(n->a, &n->macros, str_c(fixed[i]), &none);
        if (p != NULL)
            diag_add(n->d, "E0503", output_of(n, p->member)->where,
                     "target `%.*s` cannot be an array: every header has a "
                     "%.*s_%s",
                     STR_ARG(p->member->path), STR_ARG(n->upper), fixed[i]);
    }
}

/* --- what a tensor's own macros may meet --- */

/* Two axes that differ in case only. */
static void check_axes(struct names *n, const struct path *p)
{
    const struct output *o = output_of(n, p->leaf);
    for (uint32_t i = 1; i < o->type.rank; i++)
        for (uint32_t k = 0; k < i; k++) {
            struct str x = o->type.axes[k].name, y = o->type.axes[i].name;
            if (x.n == 0 || x.n != y.n || strncasecmp(x.p, y.p, x.n) != 0)
                continue;
            diag_add(n->d, "E0503", o->where,
                     "axes `%.*s` and `%.*s` of `%.*s` have one name in the "
                     "header",
                     STR_ARG(x), STR_ARG(y), STR_ARG(o->name));
            return;
        }
}

/* Whether a PATH_AXIS_NAME of a shorter path is a macro of this one. */
static void check_longer(struct names *n, const struct path *p)
{
    static const char axis[] = "_AXIS_";
    for (size_t i = 1; i + sizeof axis <= p->name.n + 1; i++) {
        const struct path *other;
        uint32_t at;
        struct type t;
        if (!str_begins(str_cut(p->name, i, p->name.n), str_c(axis)) ||
            !nametab_find(&n->tensors, str_cut(p->name, 0, i), &at))
            continue;
        other = &n->paths[at];
        t = type_of(n, output_of(n, other->leaf));
        for (uint32_t k = 0; k < t.rank; k++) {
            struct str macro =
                arena_format(n->a, "%.*s%s%.*s", STR_ARG(other->name), axis,
                             STR_ARG(header_upper(n->a, t.axes[k].name)));
            if (macro_path(n, macro) == p)
                diag_add(n->d, "E0503", output_of(n, p->member)->where,
                         "`%.*s` and axis `%.*s` of `%.*s` have one name in "
                         "the header: %.*s_%.*s",
                         STR_ARG(p->member->path), STR_ARG(t.axes[k].name),
                         STR_ARG(other->member->path), STR_ARG(n->upper),
                         STR_ARG(macro));
        }
    }
}

/* A member that the preprocessor would replace, or that has the name of a
 * struct around it, which C++ does not allow. */
static void check_member(struct names *n, const struct path *p)
{
    struct str c = p->member->component, rest;
    uint32_t value;
    if (str_begins(c, n->weights)) {
        diag_add(n->d, "E0503", output_of(n, p->member)->where,
                 "target `%.*s` cannot be a member: the header's structs are "
                 "called `%.*s...`",
                 STR_ARG(p->member->path), STR_ARG(n->weights));
        return;
    }
    if (c.n <= n->upper.n + 1 || !str_begins(c, n->upper) ||
        c.p[n->upper.n] != '_')
        return;
    rest = str_cut(c, n->upper.n + 1, c.n);
    if (nametab_find(&n->macros, rest, &value) || macro_path(n, rest) != NULL)
        diag_add(n->d, "E0503", output_of(n, p->member)->where,
                 "target `%.*s` cannot be a member: the header has a macro "
                 "`%.*s`",
                 STR_ARG(p->member->path), STR_ARG(c));
}

static void check_names(struct names *n)
{
    const struct spec *s = n->m->spec;
    claim_fixed(n);
    for (size_t i = 0; i < s->group_count; i++)
        check_group(n, s->groups[i].name, s->groups[i].at);
    if (s->group_count == 0)
        check_group(n, str_c("main"), s->model_at);
    for (size_t i = 0; i < n->m->constant_count; i++)
        check_constant(n, n->m->constants[i].as);
    for (size_t i = 0; i < n->path_count; i++) {
        if (n->paths[i].leaf != NULL) {
            check_axes(n, &n->paths[i]);
            check_longer(n, &n->paths[i]);
        }
        check_member(n, &n->paths[i]);
    }
}

void header_names_check(struct arena *a, struct diag *d, const struct model *m,
                        const struct member *root)
{
    struct names n = {.a = a, .d = d, .m = m};
    n.upper = header_upper(a, m->spec->model);
    n.weights =
        arena_format(a, "%.*s_weights",
                     STR_ARG(header_identifier(a, m->spec->model, false)));
    claim_paths(&n, root, (struct str){"", 0});
    check_names(&n);
}
