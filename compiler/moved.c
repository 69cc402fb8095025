/* SPDX-License-Identifier: MIT
 *
 * moved.c - tries to put components into a missing name, to take some out, or
 * to put another word for one.
 *
 * One name that is found so proves nothing: a move must explain several, and
 * nearly all that begin alike.
 */
#include "moved.h"

#include "mismatch.h"
#include "suggest.h"
#include "text.h"

#define MAX_TRIED 64    /* names from which a move is guessed */
#define LEAST_RENAMED 3 /* names; for fewer, each is said with its like */

/* Names that begin with `spec` begin with `there` in the checkpoint; or, of
 * `anywhere`, the component `spec` is `there`, wherever it stands. */
struct move {
    struct str spec, there;
    bool anywhere;
    const struct leaf *first;
    struct str found; /* the first, as the checkpoint has it */
    size_t have, missing;
};

static bool is_missing(const struct resolution *r, const struct leaf *leaf)
{
    return leaf->file != NO_SOURCE && leaf->source == NO_SOURCE &&
           !leaf->reported && leaf->first_use == leaf && !leaf->optional &&
           !leaf->counter && !r->prefixed[leaf->file];
}

/* The end of the component that begins at `at`, with its dot; 0 for the
 * last. */
static size_t part_end(struct str name, size_t at)
{
    const char *dot = memchr(name.p + at, '.', name.n - at);
    return dot == NULL ? 0 : (size_t)(dot - name.p) + 1;
}

/* The component that begins at *at, and the next one's begin. */
static struct str take_part(struct str name, size_t *at)
{
    size_t begin = *at, end = part_end(name, begin);
    *at = end > 0 ? end : name.n + 1;
    return str_cut(name, begin, *at - 1);
}

/* `name` with the other word. */
static void put_moved(const struct move *m, struct str name, struct text *out)
{
    if (!m->anywhere) {
        text_str(out, m->there);
        text_str(out, str_cut(name, m->spec.n, name.n));
    }
    for (size_t at = 0; m->anywhere && at <= name.n;) {
        struct str part;
        if (at > 0)
            text_c(out, ".");
        part = take_part(name, &at);
        text_str(out, str_eq(part, m->spec) ? m->there : part);
    }
}

/* A word may be another one for a tensor of the same sizes only: `q` is not
 * renamed where there is a `qkv`. */
static bool find_moved(const struct resolution *r, const struct move *m,
                       const struct leaf *leaf, uint32_t *index)
{
    struct text name = {0};
    bool found;
    put_moved(m, leaf->name, &name);
    found = checkpoint_find(r->c, leaf->file, text_view(&name), index);
    text_release(&name);
    if (!found || r->claimed[*index])
        return false;
    return !m->anywhere ||
           (leaf->type.rank == r->c->tensors[*index].rank &&
            mismatch_is_reordered(leaf, &r->c->tensors[*index]));
}

/* Whether a move speaks of a name. */
static bool is_meant(const struct move *m, const struct leaf *leaf)
{
    bool meant = !m->anywhere && str_begins(leaf->name, m->spec);
    for (size_t at = 0; m->anywhere && !meant && at <= leaf->name.n;)
        meant = str_eq(take_part(leaf->name, &at), m->spec);
    return meant && leaf->file == m->first->file;
}

static bool is_moved(const struct resolution *r, const struct move *m,
                     const struct leaf *leaf)
{
    return is_missing(r, leaf) && is_meant(m, leaf);
}

/* Whether a move explains enough. */
static bool holds(const struct resolution *r, struct move *m)
{
    m->have = m->missing = 0;
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        const struct leaf *leaf = r->m->leaves[i];
        uint32_t index;
        if (!is_moved(r, m, leaf))
            continue;
        m->missing++;
        m->have += find_moved(r, m, leaf, &index);
    }
    return m->have > 1 && m->have * 10 >= m->missing * 9;
}

/* Whether the names that a move speaks of are written in several places: those
 * of one place fold, and are said with their loop values. */
static bool is_scattered(const struct resolution *r, const struct move *m)
{
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        const struct leaf *leaf = r->m->leaves[i];
        if (is_moved(r, m, leaf) &&
            (leaf->where.at.begin != m->first->where.at.begin ||
             leaf->where.use != m->first->where.use))
            return true;
    }
    return false;
}

/* A prefix more: the tensor begins and ends like the name, and has whole
 * components between. */
static bool try_more(const struct resolution *r, struct move *m, size_t at,
                     struct str there)
{
    struct str name = m->first->name;
    size_t end = part_end(name, at), more;
    if (there.n <= name.n || end == 0)
        return false;
    more = there.n - name.n;
    if (memcmp(there.p, name.p, at) != 0 || there.p[at + more - 1] != '.' ||
        memcmp(there.p + at + more, name.p + at, name.n - at) != 0)
        return false;
    m->spec = str_cut(name, 0, end);
    m->there = str_cut(there, 0, end + more);
    m->found = there;
    return holds(r, m);
}

/* A prefix less: components [at, end) of the name are not there. */
static bool try_less(const struct resolution *r, struct move *m, size_t at,
                     size_t end)
{
    struct str name = m->first->name;
    uint32_t index;
    m->spec = str_cut(name, 0, end);
    m->there = str_cut(name, 0, at);
    if (!find_moved(r, m, m->first, &index))
        return false;
    m->found = r->c->tensors[index].name;
    return holds(r, m);
}

static bool find_less(const struct resolution *r, struct move *m)
{
    struct str name = m->first->name;
    for (size_t at = 0, next; (next = part_end(name, at)) > 0; at = next)
        for (size_t end = next; end > 0; end = part_end(name, end))
            if (try_less(r, m, at, end))
                return true;
    return false;
}

static bool find_more(const struct resolution *r, struct move *m)
{
    const struct checkpoint_source *of = &r->c->sources[m->first->file];
    struct str name = m->first->name;
    size_t last = name.n;
    while (last > 0 && name.p[last - 1] != '.')
        last--;
    for (uint32_t i = of->first; i < of->first + of->count; i++) {
        struct str there = r->c->tensors[i].name;
        size_t tail = name.n - last;
        if (r->claimed[i] || there.n <= name.n ||
            memcmp(there.p + there.n - tail, name.p + last, tail) != 0)
            continue;
        for (size_t at = 0; at < last; at = part_end(name, at))
            if (try_more(r, m, at, there))
                return true;
    }
    return false;
}

/* Whether two words are indices of the same thing: `convs0` and `convs2`, 0 and
 * 12. Another index is no other word. */
static bool is_numbered(struct str a, struct str b)
{
    size_t i = a.n, k = b.n;
    while (i > 0 && a.p[i - 1] >= '0' && a.p[i - 1] <= '9')
        i--;
    while (k > 0 && b.p[k - 1] >= '0' && b.p[k - 1] <= '9')
        k--;
    return i < a.n &&
           (i == 0 || (k < b.n && str_eq(str_cut(a, 0, i), str_cut(b, 0, k))));
}

/* Another word for the component at `at`, as whole as a component is: behind
 * this prefix, or, where that explains more, wherever the word stands. */
static bool try_other(const struct resolution *r, struct move *m, size_t at,
                      struct str there)
{
    struct str name = m->first->name, word, other;
    struct move anywhere = *m;
    size_t end = at, other_end = at;
    bool held;
    if (there.n <= at || memcmp(there.p, name.p, at) != 0)
        return false;
    word = take_part(name, &end);
    other = take_part(there, &other_end);
    if (name.n + other_end != there.n + end || is_numbered(word, other) ||
        str_eq(word, other) ||
        (end < name.n &&
         memcmp(name.p + end, there.p + other_end, name.n - end) != 0) ||
        (end > name.n && !suggest_is_twin(word, other)))
        return false;
    anywhere.found = m->found = there;
    anywhere.spec = word;
    anywhere.there = other;
    anywhere.anywhere = true;
    m->spec = str_cut(name, 0, end);
    m->there = str_cut(there, 0, other_end);
    held = end < name.n && holds(r, m) && m->have >= LEAST_RENAMED;
    if (!holds(r, &anywhere) || anywhere.have < LEAST_RENAMED ||
        !is_scattered(r, &anywhere) || (held && anywhere.have <= m->have))
        return held;
    *m = anywhere;
    return true;
}

static bool find_other(const struct resolution *r, struct move *m)
{
    const struct checkpoint_source *of = &r->c->sources[m->first->file];
    struct str name = m->first->name;
    struct move empty = *m;
    for (uint32_t i = of->first; i < of->first + of->count; i++) {
        if (r->claimed[i])
            continue;
        for (size_t at = 0; at <= name.n; take_part(name, &at)) {
            *m = empty;
            if (try_other(r, m, at, r->c->tensors[i].name))
                return true;
        }
    }
    return false;
}

static void say(struct resolution *r, const struct move *m)
{
    struct diag_where w = {m->first->where.at, m->first->where.use, NULL};
    struct str called = checkpoint_called(r->a, r->c, m->first->file);
    struct diag_item *item;
    if (m->anywhere)
        item = diag_add(r->d, "E0309", w,
                        "%zu of %zu missing names with `%.*s` are in %.*s, "
                        "where it is `%.*s`",
                        m->have, m->missing, STR_ARG(m->spec), STR_ARG(called),
                        STR_ARG(m->there));
    else if (m->there.n > 0)
        item = diag_add(r->d, "E0309", w,
                        "%zu of %zu missing names that begin with `%.*s` are "
                        "in %.*s, where they begin with `%.*s`",
                        m->have, m->missing, STR_ARG(m->spec), STR_ARG(called),
                        STR_ARG(m->there));
    else
        item = diag_add(r->d, "E0309", w,
                        "%zu of %zu missing names that begin with `%.*s` are "
                        "in %.*s without it",
                        m->have, m->missing, STR_ARG(m->spec), STR_ARG(called));
    diag_note(r->d, item, "for example, `%.*s` is `%.*s` there",
              STR_ARG(m->first->name), STR_ARG(m->found));
    diag_help(r->d, item, "mend %s, or the `from:` or `root:` before %s",
              m->anywhere ? "the names" : "the name",
              m->anywhere ? "them" : "it");
}

/* Optional tensors and counters, too, are nobody's otherwise. */
static void settle(struct resolution *r, const struct move *m)
{
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        struct leaf *leaf = r->m->leaves[i];
        uint32_t index;
        if (leaf->source != NO_SOURCE || leaf->reported || !is_meant(m, leaf) ||
            !find_moved(r, m, leaf, &index))
            continue;
        leaf->reported = !leaf->counter;
        r->claimed[index] = true;
    }
}

void moved_check(struct resolution *r)
{
    size_t tried = 0;
    if (r->partial) /* each output that is lost is named there */
        return;
    for (size_t i = 0; i < r->m->leaf_count && tried < MAX_TRIED; i++) {
        struct move m = {.first = r->m->leaves[i]};
        if (!is_missing(r, m.first))
            continue;
        tried++;
        if (!find_less(r, &m) && !find_more(r, &m) && !find_other(r, &m))
            continue;
        say(r, &m);
        settle(r, &m);
    }
}
