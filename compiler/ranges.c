/* SPDX-License-Identifier: MIT
 *
 * ranges.c - finds where an index stands in a name, and whose index it is.
 *
 * The digits that end a component are the place of a loop's value when they
 * are the value, or always as much more (`layer{j+1}`), and when the same line
 * of the spec, with another value there, asks for the name that differs in just
 * these. So an index that is computed otherwise (`{2*i}`) has no place, and its
 * names are said one by one.
 */
#include "ranges.h"

#include <inttypes.h>
#include <stdlib.h>

#include "indexset.h"
#include "origin.h"
#include "sources.h"

#define ANY "\001" /* stands for an index in a key; no name has it */
#define MAX_ALSO 3 /* other ranges that a finding labels */

/* Indices of one place in names, of one range, that are absent or beyond. */
struct finding {
    struct str stem; /* what stands before the index */
    int64_t offset;  /* a name's index is that of the loop, and this */
    const struct loop_run *run;
    uint32_t file;
    const struct leaf *leaf; /* that has the first name, or one like it */
    struct str name;         /* the first that is absent or beyond */
    struct index_value *v;
    size_t count, capacity, names;
    const struct range *also[MAX_ALSO]; /* the same indices */
    size_t also_count;
};

struct ranges {
    struct resolution *r;
    struct arena *a;
    struct nametab there; /* prefixes that end in an index */
    struct nametab keys;  /* of findings */
    struct finding *p;
    size_t n, capacity;
};

/* --- components --- */

/* The component at *at, and *at behind it; false at the end. */
static bool next_part(struct str name, size_t *at, struct str *part)
{
    const char *dot;
    if (*at > name.n)
        return false;
    dot = memchr(name.p + *at, '.', name.n - *at);
    *part = str_cut(name, *at, dot == NULL ? name.n : (size_t)(dot - name.p));
    *at += part->n + 1;
    return true;
}

/* The digits that end the next component which has some, and their value. */
static bool next_index(struct str name, size_t *at, struct str *part,
                       int64_t *value)
{
    uint64_t number;
    while (next_part(name, at, part)) {
        size_t n = part->n;
        while (n > 0 && part->p[n - 1] >= '0' && part->p[n - 1] <= '9')
            n--;
        *part = str_cut(*part, n, part->n);
        if (!str_is_index(*part, &number) || number > INT32_MAX)
            continue;
        *value = (int64_t)number;
        return true;
    }
    return false;
}

/* A text that belongs to a source. */
static struct str key_of(struct arena *a, uint32_t file, struct str text)
{
    return arena_format(a, "%" PRIu32 " %.*s", file, STR_ARG(text));
}

/* The name with its component `part` replaced. */
static struct str replaced(struct arena *a, struct str name, struct str part,
                           const char *by)
{
    size_t at = (size_t)(part.p - name.p);
    return arena_format(a, "%.*s%s%.*s", (int)at, name.p, by,
                        STR_ARG(str_cut(name, at + part.n, name.n)));
}

/* --- whose index it is --- */

/* The same loops with the same values, but for `b`, which has `value`. */
static bool same_loops(const struct diag_binding *x,
                       const struct diag_binding *y,
                       const struct diag_binding *b, int64_t value)
{
    for (; x != NULL && y != NULL; x = x->outer, y = y->outer) {
        int64_t want = x == b ? value : x->number;
        if (!str_eq(x->name, y->name) || want != y->number ||
            !str_eq(x->word, y->word))
            return false;
    }
    return x == y;
}

/* Whether the line that made a leaf makes this name for another value. */
static bool has_sibling(const struct ranges *x, const struct leaf *leaf,
                        const struct diag_binding *b, struct str part,
                        int64_t offset)
{
    int64_t other = b->number == b->run->lo ? b->run->lo + 1 : b->run->lo;
    char digits[24];
    struct str name;
    uint32_t i;
    snprintf(digits, sizeof digits, "%" PRId64, other + offset);
    name = replaced(x->a, leaf->name, part, digits);
    if (!nametab_find(&x->r->m->sources,
                      sources_name(x->a, x->r->m->spec, leaf->file, name), &i))
        return false;
    return x->r->m->leaves[i]->where.at.src == leaf->where.at.src &&
           x->r->m->leaves[i]->where.at.begin == leaf->where.at.begin &&
           same_loops(leaf->where.loops, x->r->m->leaves[i]->where.loops, b,
                      other);
}

/* The digits that a loop's value stands in, and what they are more; empty if
 * they are not known. */
static struct str index_part(const struct ranges *x, const struct leaf *leaf,
                             const struct diag_binding *b, int64_t *offset)
{
    struct str part, found = {0};
    int64_t value;
    size_t at = 0, candidates = 0;
    while (next_index(leaf->name, &at, &part, &value)) {
        bool whole = part.p == leaf->name.p || part.p[-1] == '.';
        *offset = value - b->number;
        if (b->run->hi - b->run->lo > 1 &&
            has_sibling(x, leaf, b, part, *offset))
            return part;
        if (*offset != 0 || !whole)
            continue;
        candidates++;
        found = part;
    }
    *offset = 0;
    return b->run->hi - b->run->lo == 1 && candidates == 1 ? found
                                                           : (struct str){0};
}

static struct str stem_of(struct str name, struct str part)
{
    return str_cut(name, 0, (size_t)(part.p - name.p));
}

static struct str through(struct str name, struct str part)
{
    return str_cut(name, 0, (size_t)(part.p - name.p) + part.n);
}

/* Notes every prefix of a name that ends in an index. */
static void note_indices(struct ranges *x, uint32_t file, struct str name)
{
    struct str part;
    int64_t value;
    uint32_t one = 1;
    size_t at = 0;
    while (next_index(name, &at, &part, &value))
        nametab_add(x->a, &x->there, key_of(x->a, file, through(name, part)),
                    &one);
}

static bool is_there(const struct ranges *x, uint32_t file, struct str prefix)
{
    uint32_t one;
    return nametab_find(&x->there, key_of(x->a, file, prefix), &one);
}

/* --- findings --- */

static void note_range(struct finding *f, const struct range *range)
{
    bool known = f->run->range == range;
    for (size_t i = 0; i < f->also_count; i++)
        known = known || f->also[i] == range;
    if (!known && f->also_count < MAX_ALSO)
        f->also[f->also_count++] = range;
}

/* The finding for an index of a run; two runs of the same ends, whose values
 * stand in the same place, are one. */
static struct finding *finding_of(struct ranges *x, uint32_t file,
                                  struct str stem, const struct loop_run *run)
{
    struct str key =
        arena_format(x->a, "%" PRIu32 " %" PRId64 " %" PRId64 " %.*s", file,
                     run->lo, run->hi, STR_ARG(stem));
    uint32_t i = (uint32_t)x->n;
    if (nametab_add(x->a, &x->keys, key, &i)) {
        if (x->n == x->capacity)
            x->p = arena_grow(x->a, x->p, sizeof *x->p, x->n, &x->capacity);
        x->p[x->n++] = (struct finding){.stem = stem, .run = run, .file = file};
    }
    note_range(&x->p[i], run->range);
    return &x->p[i];
}

static void finding_add(struct ranges *x, struct finding *f, int64_t value)
{
    f->names++;
    if (f->count > 0 && f->v[f->count - 1].number == value)
        return;
    if (f->count == f->capacity)
        f->v = arena_grow(x->a, f->v, sizeof *f->v, f->count, &f->capacity);
    f->v[f->count++] = (struct index_value){.number = value};
}

static int compare_values(const void *p, const void *q)
{
    const struct index_value *a = p, *b = q;
    return (a->number > b->number) - (a->number < b->number);
}

static void sort_values(struct finding *f)
{
    size_t n = 0;
    qsort(f->v, f->count, sizeof *f->v, compare_values);
    for (size_t i = 0; i < f->count; i++)
        if (n == 0 || f->v[n - 1].number != f->v[i].number)
            f->v[n++] = f->v[i];
    f->count = n;
}

/* "{0..2, 5}", of values or of what is left of the run without them; each as
 * it stands in names if `offset` is the finding's. */
static struct str set_text(struct ranges *x, const struct finding *f,
                           bool others, int64_t offset)
{
    const struct loop_run *run = f->run;
    size_t n = 0, k = 0, most = (size_t)(run->hi - run->lo) + f->count;
    struct index_value *v = arena_new(x->a, struct index_value, most);
    struct str name = {0}, text;
    for (int64_t i = run->lo; others && i < run->hi; i++) {
        while (k < f->count && f->v[k].number < i)
            k++;
        if (k == f->count || f->v[k].number != i)
            v[n++] = (struct index_value){.number = i};
    }
    if (!others && f->count > 0)
        memcpy(v, f->v, f->count * sizeof *v);
    n = others ? n : f->count;
    for (size_t i = 0; i < n; i++)
        v[i].number += offset;
    text = indexset_text(x->a, &name, v, 1, n);
    return str_begins(text, str_c(" = ")) ? str_cut(text, 3, text.n) : text;
}

static struct diag_item *say(struct ranges *x, const struct finding *f,
                             const char *id, struct str text)
{
    struct diag *d = x->r->d;
    struct diag_where w = {f->run->range->at, f->run->use, f->run->outer};
    struct diag_item *item = diag_add(d, id, w, "%.*s %" PRId64 "..%" PRId64,
                                      STR_ARG(text), f->run->lo, f->run->hi);
    for (size_t i = 0; i < f->also_count; i++)
        diag_label(d, item, f->also[i]->at, "the same indices");
    origin_label(d, item, f->run->scope, &w, f->run->range->lo);
    origin_label(d, item, f->run->scope, &w, f->run->range->hi);
    return item;
}

/* "the range `0..12` would fit: is `L` wrong?" */
static void help_fit(struct ranges *x, const struct finding *f,
                     struct diag_item *item, int64_t hi)
{
    const struct expr *e = f->run->range->hi;
    struct str word = e->kind == EXPR_ID ? e->id : (struct str){0};
    diag_help(x->r->d, item,
              "%" PRId64 "..%" PRId64 " would fit: is %s%.*s%s wrong, or the "
              "checkpoint of another configuration?",
              f->run->lo, hi, word.n > 0 ? "`" : "the range", STR_ARG(word),
              word.n > 0 ? "`" : "");
}

/* --- E0305 --- */

/* What of a loop's iterations, or of a run, is bound. */
struct tally {
    size_t bound;
};

struct tallies {
    struct nametab names;
    struct tally *p;
    size_t n, capacity;
};

static struct tally *tally_of(struct ranges *x, struct tallies *t,
                              const void *what, uint32_t file)
{
    uintptr_t key[2] = {(uintptr_t)what, file};
    struct str name = {(const char *)key, sizeof key};
    uint32_t i = (uint32_t)t->n;
    if (nametab_find(&t->names, name, &i))
        return &t->p[i];
    nametab_add(x->a, &t->names, arena_str(x->a, name), &i);
    if (t->n == t->capacity)
        t->p = arena_grow(x->a, t->p, sizeof *t->p, t->n, &t->capacity);
    t->p[t->n++] = (struct tally){0};
    return &t->p[i];
}

static bool counts(const struct ranges *x, const struct leaf *leaf)
{
    return leaf->file != NO_SOURCE && !x->r->prefixed[leaf->file] &&
           leaf->first_use == leaf;
}

static bool is_lost(const struct ranges *x, const struct leaf *leaf)
{
    return counts(x, leaf) && leaf->source == NO_SOURCE && !leaf->reported &&
           !leaf->counter && !leaf->optional;
}

static bool any_lost(const struct ranges *x)
{
    for (size_t i = 0; i < x->r->m->leaf_count; i++)
        if (is_lost(x, x->r->m->leaves[i]))
            return true;
    return false;
}

static void count_bound(struct ranges *x, struct tallies *t)
{
    for (size_t i = 0; i < x->r->m->leaf_count; i++) {
        const struct leaf *leaf = x->r->m->leaves[i];
        if (!counts(x, leaf) || (leaf->source == NO_SOURCE && !leaf->reported))
            continue;
        for (const struct diag_binding *b = leaf->where.loops; b != NULL;
             b = b->outer) {
            tally_of(x, t, b, leaf->file)->bound++;
            if (b->run != NULL)
                tally_of(x, t, b->run, leaf->file)->bound++;
        }
    }
}

/* The outermost loop whose index the checkpoint has nothing of, though it has
 * other indices of it; NULL if there is none. */
static const struct diag_binding *
absent_index(struct ranges *x, struct tallies *t, const struct leaf *leaf,
             struct str *part, int64_t *offset)
{
    const struct diag_binding *found = NULL;
    for (const struct diag_binding *b = leaf->where.loops; b != NULL;
         b = b->outer) {
        struct str at;
        int64_t more;
        if (b->run == NULL || tally_of(x, t, b, leaf->file)->bound > 0 ||
            tally_of(x, t, b->run, leaf->file)->bound == 0)
            continue;
        at = index_part(x, leaf, b, &more);
        if (at.n == 0 || is_there(x, leaf->file, through(leaf->name, at)))
            continue;
        *part = at;
        *offset = more;
        found = b;
    }
    return found;
}

static void say_absent(struct ranges *x, struct finding *f)
{
    const struct loop_run *run = f->run;
    struct diag *d = x->r->d;
    struct str absent, there;
    struct diag_item *item;
    int64_t first;
    sort_values(f);
    absent = set_text(x, f, false, 0);
    there = set_text(x, f, true, f->offset);
    item =
        say(x, f, "E0305",
            f->count == 1 ? arena_format(x->a, "index %.*s is missing inside",
                                         STR_ARG(absent))
                          : arena_format(x->a, "%zu indices are missing inside",
                                         f->count));
    diag_fact(item, arena_format(x->a, "%.*s", STR_ARG(absent)));
    diag_label(d, item, f->leaf->where.at, "needs `%.*s`", STR_ARG(f->name));
    diag_note(d, item,
              "%.*s has %.*s%.*s; absent: %.*s%.*s (%zu tensor%s of the spec)",
              STR_ARG(checkpoint_called(x->a, x->r->c, f->file)),
              STR_ARG(f->stem), STR_ARG(there), STR_ARG(f->stem),
              STR_ARG(set_text(x, f, false, f->offset)), f->names,
              f->names == 1 ? "" : "s");
    first = f->v[0].number;
    if (first > run->lo && run->hi - first == (int64_t)f->count)
        help_fit(x, f, item, first);
    else
        diag_help(d, item, "a range has no holes: is a file or shard missing?");
}

void ranges_check_absent(struct resolution *r)
{
    struct ranges x = {.r = r, .a = r->a};
    struct tallies t = {0};
    if (r->partial || !any_lost(&x))
        return;
    for (uint32_t i = 0; i < r->c->count; i++)
        note_indices(&x, r->c->places[i].source, r->c->tensors[i].name);
    count_bound(&x, &t);
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        struct leaf *leaf = r->m->leaves[i];
        const struct diag_binding *b;
        struct str part;
        struct finding *f;
        int64_t offset = 0;
        if (!is_lost(&x, leaf) ||
            (b = absent_index(&x, &t, leaf, &part, &offset)) == NULL)
            continue;
        f = finding_of(&x, leaf->file, stem_of(leaf->name, part), b->run);
        f->offset = offset;
        finding_add(&x, f, b->number);
        leaf->reported = true;
        if (f->leaf == NULL) {
            f->leaf = leaf;
            f->name = leaf->name;
        }
    }
    for (size_t i = 0; i < x.n; i++)
        say_absent(&x, &x.p[i]);
}

/* --- E0304 --- */

/* Names that a line makes, with a loop's value left open. */
struct pattern {
    const struct leaf *leaf;
    const struct diag_binding *b;
    size_t stem; /* bytes before the index */
    int64_t offset;
};

struct patterns {
    struct nametab names;
    struct pattern *p;
    size_t n, capacity;
};

static void add_patterns(struct ranges *x, struct patterns *t,
                         const struct leaf *leaf)
{
    for (const struct diag_binding *b = leaf->where.loops; b != NULL;
         b = b->outer) {
        uint32_t i = (uint32_t)t->n;
        struct str part;
        int64_t offset;
        if (b->run == NULL || (part = index_part(x, leaf, b, &offset)).n == 0 ||
            !nametab_add(
                x->a, &t->names,
                key_of(x->a, leaf->file, replaced(x->a, leaf->name, part, ANY)),
                &i))
            continue;
        if (t->n == t->capacity)
            t->p = arena_grow(x->a, t->p, sizeof *t->p, t->n, &t->capacity);
        t->p[t->n++] =
            (struct pattern){leaf, b, (size_t)(part.p - leaf->name.p), offset};
    }
}

/* The pattern of a name whose index lies beyond its range, in a place of
 * which no line claims anything; *value is the loop's. */
static const struct pattern *beyond(struct ranges *x, const struct patterns *t,
                                    uint32_t file, struct str name,
                                    int64_t *value)
{
    struct str part;
    size_t at = 0;
    while (next_index(name, &at, &part, value)) {
        uint32_t i;
        const struct loop_run *run;
        if (!nametab_find(&t->names,
                          key_of(x->a, file, replaced(x->a, name, part, ANY)),
                          &i))
            continue;
        run = t->p[i].b->run;
        *value -= t->p[i].offset;
        if ((*value < run->lo || *value >= run->hi) &&
            !is_there(x, file, through(name, part)))
            return &t->p[i];
    }
    return NULL;
}

static void say_beyond(struct ranges *x, struct finding *f)
{
    const struct loop_run *run = f->run;
    struct diag *d = x->r->d;
    struct str values, there;
    struct diag_item *item;
    sort_values(f);
    values = set_text(x, f, false, 0);
    there = set_text(x, &(struct finding){.run = run}, true, f->offset);
    item = say(
        x, f, "E0304",
        f->count == 1
            ? arena_format(x->a, "index %.*s exists beyond", STR_ARG(values))
            : arena_format(x->a, "%zu indices exist beyond", f->count));
    diag_fact(item, values);
    diag_label(d, item, f->leaf->where.at, "here it would be `%.*s`",
               STR_ARG(f->name));
    diag_note(d, item,
              "%.*s has %.*s%.*s as the spec says, and %.*s%.*s (%zu tensor%s)",
              STR_ARG(checkpoint_called(x->a, x->r->c, f->file)),
              STR_ARG(f->stem), STR_ARG(there), STR_ARG(f->stem),
              STR_ARG(set_text(x, f, false, f->offset)), f->names,
              f->names == 1 ? "" : "s");
    if (f->v[0].number == run->hi &&
        f->v[f->count - 1].number - run->hi == (int64_t)f->count - 1)
        help_fit(x, f, item, run->hi + (int64_t)f->count);
    else
        diag_help(d, item, "use or drop them in a block of their own");
}

static void note_claimed(struct ranges *x, struct patterns *t)
{
    for (uint32_t i = 0; i < x->r->c->count; i++)
        if (x->r->claimed[i])
            note_indices(x, x->r->c->places[i].source,
                         x->r->c->tensors[i].name);
    for (size_t i = 0; i < x->r->m->leaf_count; i++) {
        const struct leaf *leaf = x->r->m->leaves[i];
        if (counts(x, leaf) && leaf->source != NO_SOURCE)
            add_patterns(x, t, leaf);
    }
}

/* What else lies behind an index that is beyond has the same cause. */
static void take_others(struct ranges *x, size_t *unclaimed)
{
    struct nametab found = {0};
    for (uint32_t i = 0; i < x->n; i++)
        for (size_t k = 0; k < x->p[i].count; k++) {
            uint32_t number = i;
            struct str prefix =
                arena_format(x->a, "%.*s%" PRId64, STR_ARG(x->p[i].stem),
                             x->p[i].v[k].number + x->p[i].offset);
            nametab_add(x->a, &found, key_of(x->a, x->p[i].file, prefix),
                        &number);
        }
    for (uint32_t i = 0; found.count > 0 && i < x->r->c->count; i++) {
        uint32_t file = x->r->c->places[i].source, number;
        struct str name = x->r->c->tensors[i].name, part;
        size_t at = 0;
        while (!x->r->claimed[i] && next_part(name, &at, &part)) {
            if (!nametab_find(&found, key_of(x->a, file, through(name, part)),
                              &number))
                continue;
            x->p[number].names++;
            x->r->claimed[i] = true;
            unclaimed[file]++;
        }
    }
}

void ranges_check_beyond(struct resolution *r, size_t *unclaimed)
{
    struct ranges x = {.r = r, .a = r->a};
    struct patterns t = {0};
    bool any = false;
    for (uint32_t i = 0; i < r->c->count && !any; i++)
        any = !r->claimed[i] && !r->prefixed[r->c->places[i].source];
    if (!any)
        return;
    note_claimed(&x, &t);
    for (uint32_t i = 0; i < r->c->count; i++) {
        uint32_t file = r->c->places[i].source;
        struct str name = r->c->tensors[i].name;
        const struct pattern *p;
        struct finding *f;
        int64_t value;
        if (r->claimed[i] || r->prefixed[file] ||
            (p = beyond(&x, &t, file, name, &value)) == NULL)
            continue;
        f = finding_of(&x, file, str_cut(name, 0, p->stem), p->b->run);
        f->offset = p->offset;
        finding_add(&x, f, value);
        r->claimed[i] = true;
        unclaimed[file]++;
        if (f->leaf == NULL) {
            f->leaf = p->leaf;
            f->name = name;
        }
    }
    take_others(&x, unclaimed);
    for (size_t i = 0; i < x.n; i++)
        say_beyond(&x, &x.p[i]);
}
