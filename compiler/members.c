/* SPDX-License-Identifier: MIT
 *
 * members.c - inserts every name into a tree, then decides for each prefix
 * whether it is a struct, an array or a row of numbered members.
 */
#include "members.h"

#include <ctype.h>
#include <strings.h>

#include "cursor.h"
#include "header_names.h"

/* C11, C++17, CUDA, Rust, Python 3, and macros that are everywhere. */
/* clang-format off */
static const char *const keywords[] = {
    /* C11 */
    "auto", "break", "case", "char", "const", "continue", "default", "do",
    "double", "else", "enum", "extern", "float", "for", "goto", "if",
    "inline", "int", "long", "register", "restrict", "return", "short",
    "signed", "sizeof", "static", "struct", "switch", "typedef", "union",
    "unsigned", "void", "volatile", "while", "_Alignas", "_Alignof",
    "_Atomic", "_Bool", "_Complex", "_Generic", "_Imaginary", "_Noreturn",
    "_Static_assert", "_Thread_local", "asm", "typeof",
    /* C++17 and later */
    "alignas", "alignof", "and", "and_eq", "bitand", "bitor", "bool", "catch",
    "char16_t", "char32_t", "class", "compl", "constexpr", "const_cast",
    "decltype", "delete", "dynamic_cast", "explicit", "export", "false",
    "friend", "mutable", "namespace", "new", "noexcept", "not", "not_eq",
    "nullptr", "operator", "or", "or_eq", "private", "protected", "public",
    "reinterpret_cast", "static_assert", "static_cast", "template", "this",
    "thread_local", "throw", "true", "try", "typeid", "typename", "using",
    "virtual", "wchar_t", "xor", "xor_eq", "char8_t", "concept", "requires",
    "co_await", "co_return", "co_yield", "consteval", "constinit", "final",
    "override",
    /* CUDA */
    "__global__", "__device__", "__host__", "__shared__", "__constant__",
    "__managed__", "__restrict__", "__launch_bounds__", "__noinline__",
    "__forceinline__", "__grid_constant__",
    /* macros that are everywhere */
    "NULL", "EOF", "errno", "stdin", "stdout", "stderr", "linux", "unix",
    "__func__", "__FILE__", "__LINE__", "__DATE__", "__TIME__",
    /* <stdint.h>, <stddef.h>, <string.h>: what a header includes itself */
    "SIZE_MAX", "PTRDIFF_MAX", "PTRDIFF_MIN", "INTMAX_MAX", "INTMAX_MIN",
    "UINTMAX_MAX", "INTPTR_MAX", "INTPTR_MIN", "UINTPTR_MAX", "INT8_MAX",
    "INT8_MIN", "INT8_C", "INT16_MAX", "INT16_MIN", "INT16_C", "INT32_MAX",
    "INT32_MIN", "INT32_C", "INT64_MAX", "INT64_MIN", "INT64_C", "UINT8_MAX",
    "UINT8_C", "UINT16_MAX", "UINT16_C", "UINT32_MAX", "UINT32_C",
    "UINT64_MAX", "UINT64_C", "INTMAX_C", "UINTMAX_C", "WCHAR_MAX",
    "WCHAR_MIN", "WINT_MAX", "WINT_MIN", "SIG_ATOMIC_MAX", "SIG_ATOMIC_MIN",
    "offsetof",
    "INT_LEAST8_MAX", "INT_LEAST8_MIN", "INT_LEAST16_MAX", "INT_LEAST16_MIN",
    "INT_LEAST32_MAX", "INT_LEAST32_MIN", "INT_LEAST64_MAX", "INT_LEAST64_MIN",
    "INT_FAST8_MAX", "INT_FAST8_MIN", "INT_FAST16_MAX", "INT_FAST16_MIN",
    "INT_FAST32_MAX", "INT_FAST32_MIN", "INT_FAST64_MAX", "INT_FAST64_MIN",
    "UINT_LEAST8_MAX", "UINT_LEAST16_MAX", "UINT_LEAST32_MAX",
    "UINT_LEAST64_MAX", "UINT_FAST8_MAX", "UINT_FAST16_MAX", "UINT_FAST32_MAX",
    "UINT_FAST64_MAX", "INT8_WIDTH", "INT16_WIDTH", "INT32_WIDTH",
    "INT64_WIDTH", "INT_LEAST8_WIDTH", "INT_LEAST16_WIDTH",
    "INT_LEAST32_WIDTH", "INT_LEAST64_WIDTH", "INT_FAST8_WIDTH",
    "INT_FAST16_WIDTH", "INT_FAST32_WIDTH", "INT_FAST64_WIDTH", "INTMAX_WIDTH",
    "INTPTR_WIDTH", "UINT8_WIDTH", "UINT16_WIDTH", "UINT32_WIDTH",
    "UINT64_WIDTH", "UINT_LEAST8_WIDTH", "UINT_LEAST16_WIDTH",
    "UINT_LEAST32_WIDTH", "UINT_LEAST64_WIDTH", "UINT_FAST8_WIDTH",
    "UINT_FAST16_WIDTH", "UINT_FAST32_WIDTH", "UINT_FAST64_WIDTH",
    "UINTMAX_WIDTH", "UINTPTR_WIDTH", "PTRDIFF_WIDTH", "SIZE_WIDTH",
    "SIG_ATOMIC_WIDTH", "WCHAR_WIDTH", "WINT_WIDTH", "strdupa", "strndupa",
    /* <limits.h>, <float.h>, <stdio.h>, <stdlib.h>, <math.h>, <time.h> */
    "CHAR_BIT", "CHAR_MAX", "CHAR_MIN", "SCHAR_MAX", "SCHAR_MIN", "UCHAR_MAX",
    "SHRT_MAX", "SHRT_MIN", "USHRT_MAX", "INT_MAX", "INT_MIN", "UINT_MAX",
    "LONG_MAX", "LONG_MIN", "ULONG_MAX", "LLONG_MAX", "LLONG_MIN",
    "ULLONG_MAX", "FLT_MAX", "FLT_MIN", "FLT_EPSILON", "FLT_DIG", "FLT_RADIX",
    "DBL_MAX", "DBL_MIN", "DBL_EPSILON", "DBL_DIG", "BUFSIZ", "SEEK_SET",
    "SEEK_CUR", "SEEK_END", "EXIT_SUCCESS", "EXIT_FAILURE", "RAND_MAX",
    "NAN", "INFINITY", "HUGE_VAL", "M_E", "M_LOG2E", "M_LOG10E", "M_LN2",
    "M_LN10", "M_PI", "M_PI_2", "M_PI_4", "M_1_PI", "M_2_PI", "M_2_SQRTPI",
    "M_SQRT2", "M_SQRT1_2", "CLOCKS_PER_SEC",
    /* Rust */
    "as", "async", "await", "crate", "dyn", "fn", "impl", "in", "let", "loop",
    "match", "mod", "move", "mut", "pub", "ref", "self", "Self", "super",
    "trait", "type", "unsafe", "use", "where", "abstract", "become", "box",
    "macro", "priv", "unsized", "yield", "gen",
    /* Python */
    "False", "None", "True", "assert", "def", "del", "elif", "except",
    "finally", "from", "global", "import", "is", "lambda", "nonlocal", "pass",
    "raise", "with",
};
/* clang-format on */

bool members_taken(struct str s)
{
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++)
        if (keywords[i][0] == s.p[0] && str_is(s, keywords[i]))
            return true;
    return false;
}

/* Predefined macros and compilers' own keywords are among these. */
static bool is_reserved(struct str s)
{
    return s.n >= 2 && s.p[0] == '_' &&
           (s.p[1] == '_' || isupper((unsigned char)s.p[1]));
}

/* What is wrong with a component, or NULL. */
static const char *component_fault(struct str c, bool first)
{
    uint64_t index;
    if (c.n == 0)
        return "a name has no empty component";
    if (str_is_index(c, &index))
        return first ? "a name begins with an identifier" : NULL;
    if (!is_identifier(c))
        return "a component is an identifier or an index";
    if (members_taken(c))
        return "it is a keyword of C, C++, CUDA, Rust or Python, or a common "
               "macro";
    if (is_reserved(c))
        return "C and C++ reserve names that begin with `__`, or with `_` and "
               "a capital";
    if (c.n >= 5 && strncasecmp(c.p, "ttsb_", 5) == 0)
        return "names that begin with `ttsb_` are ttsb.h's";
    return NULL;
}

const char *members_fault(struct str name, struct str *component)
{
    const char *why = NULL;
    size_t from = 0;
    *component = str_cut(name, 0, name.n < 40 ? name.n : 40);
    if (name.n > TTSB_MAX_NAME)
        return "a name has at most 255 bytes";
    for (size_t i = 0; i <= name.n && why == NULL; i++) {
        if (i < name.n && name.p[i] != '.')
            continue;
        *component = str_cut(name, from, i);
        why = component_fault(*component, from == 0);
        from = i + 1;
    }
    return why;
}

struct builder {
    struct arena *a;
    struct diag *d;
    const struct model *m;
    struct nametab paths;
    struct nametab faults; /* paths of components that are at fault */
    struct member **nodes;
    size_t count, capacity;
    struct member *root;
};

static struct member *child(struct builder *b, struct member *parent,
                            struct str path, struct str component,
                            uint32_t output)
{
    uint32_t at = (uint32_t)b->count;
    struct member *m;
    if (!nametab_add(b->a, &b->paths, path, &at))
        return b->nodes[at];
    if (b->count == b->capacity)
        b->nodes = arena_grow(b->a, b->nodes, sizeof *b->nodes, b->count,
                              &b->capacity);
    m = arena_new(b->a, struct member, 1);
    b->nodes[b->count++] = m;
    m->path = path;
    m->component = component;
    m->kind = MEMBER_STRUCT;
    m->output = output;
    m->is_index = str_is_index(component, &m->index);
    if (parent->last == NULL)
        parent->first = m;
    else
        parent->last->next = m;
    parent->last = m;
    parent->count++;
    return m;
}

/* `0conv`: digits of `to:`, and what the name in the spec begins with. */
static bool lacks_dot(const struct output *o, struct str component)
{
    size_t n = 0;
    struct str name;
    while (n < component.n && isdigit((unsigned char)component.p[n]))
        n++;
    name = str_cut(component, n, component.n);
    return n > 0 && name.n > 0 && str_begins(span_text(o->where.at), name);
}

static void name_fault(struct builder *b, const struct output *o,
                       struct str component, const char *why)
{
    uint32_t once = 0;
    size_t n = (size_t)(component.p - o->name.p) + component.n;
    struct diag_item *item;
    if (component.n > 0 &&
        !nametab_add(b->a, &b->faults, str_cut(o->name, 0, n), &once))
        return; /* of a `to:`, say: all below it have the same fault */
    item = diag_add(b->d, "E0503", o->where,
                    "target `%.*s` cannot be a member: `%.*s`",
                    STR_ARG(o->name), STR_ARG(component));
    diag_note(b->d, item, "%s", why);
    if (lacks_dot(o, component))
        diag_help(b->d, item,
                  "no dot is added between `to:` and a name: let `to:` end in "
                  "one");
}

/* False if the name breaks the rule by itself. */
static bool check_name(struct builder *b, const struct output *o)
{
    struct str component;
    const char *why = members_fault(o->name, &component);
    if (why != NULL)
        name_fault(b, o, component, why);
    return why == NULL;
}

static void insert(struct builder *b, uint32_t output)
{
    const struct output *o = &b->m->outputs[output];
    struct member *at = b->root;
    size_t from = 0;
    for (size_t i = 0; i <= o->name.n; i++) {
        if (i < o->name.n && o->name.p[i] != '.')
            continue;
        at = child(b, at, str_cut(o->name, 0, i), str_cut(o->name, from, i),
                   output);
        from = i + 1;
    }
    at->kind = MEMBER_TENSOR;
    at->output = output;
}

/* Same member names, dtypes and nesting. */
static bool same_shape(const struct builder *b, const struct member *x,
                       const struct member *y)
{
    const struct member *p, *q;
    if (x->kind != y->kind || x->count != y->count)
        return false;
    if (x->kind == MEMBER_TENSOR)
        return b->m->outputs[x->output].dtype == b->m->outputs[y->output].dtype;
    for (p = x->first, q = y->first; p != NULL; p = p->next, q = q->next)
        if (!str_eq(p->component, q->component) || !same_shape(b, p, q))
            return false;
    return true;
}

static void decide_indices(const struct builder *b, struct member *m)
{
    uint64_t expected = 0;
    m->kind = MEMBER_ARRAY;
    for (const struct member *c = m->first; c != NULL; c = c->next)
        if (c->index != expected++ || !same_shape(b, m->first, c))
            m->kind = MEMBER_SPARSE;
}

static void mixed(struct builder *b, const struct member *m,
                  const struct member *x)
{
    const struct output *first = &b->m->outputs[m->first->output];
    const struct output *o = &b->m->outputs[x->output];
    struct diag_item *item = diag_add(
        b->d, "E0503", o->where,
        "below `%.*s` there are names and indices: `%.*s` and `%.*s`",
        STR_ARG(m->path), STR_ARG(m->first->component), STR_ARG(x->component));
    diag_label(b->d, item, first->where.at, "the other");
    diag_help(b->d, item, "put the indices below a name of their own");
}

/* Decides kinds from the leaves up; names nest at most 128 deep. */
static void decide(struct builder *b, struct member *m)
{
    const struct member *other = NULL;
    if (m->kind == MEMBER_TENSOR && m->count > 0) {
        const struct output *o = &b->m->outputs[m->first->output];
        diag_add(b->d, "E0503", o->where,
                 "`%.*s` is a tensor and a prefix of `%.*s`", STR_ARG(m->path),
                 STR_ARG(o->name));
        return;
    }
    for (struct member *c = m->first; c != NULL; c = c->next) {
        decide(b, c);
        if (c->is_index != m->first->is_index && other == NULL)
            other = c;
    }
    if (other != NULL)
        mixed(b, m, other);
    else if (m->first != NULL && m->first->is_index)
        decide_indices(b, m);
}

struct member *members_tree(struct arena *a, struct diag *d,
                            const struct model *m)
{
    struct builder b = {.a = a, .d = d, .m = m};
    b.root = arena_new(a, struct member, 1);
    b.root->kind = MEMBER_STRUCT;
    for (uint32_t i = 0; i < m->output_count; i++)
        if (check_name(&b, &m->outputs[i]))
            insert(&b, i);
    decide(&b, b.root);
    return b.root;
}

void members_check(struct diag *d, const struct model *m)
{
    struct arena scratch = {0};
    struct member *root = members_tree(&scratch, d, m);
    header_names_check(&scratch, d, m, root);
    arena_release(&scratch);
}
