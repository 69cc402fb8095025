/* SPDX-License-Identifier: MIT
 *
 * diff_facts.c - what explains a difference, proven or not said.
 *
 * A pair whose values differ is read into memory, one pair at a time, and
 * tried against a list of simple causes; each try ends at the first element
 * that speaks against it. What one tensor of B has to do with another of A is
 * found by digests and then compared byte by byte.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "diff.h"
#include "meta.h"

/* Of each side; what is larger is not examined, and that is said. */
#define MOST (UINT64_C(512) << 20)
#define CHUNK 1024

void diff_fact(struct diff *d, struct diff_fact **list, const char *kind,
               const char *format, ...)
{
    struct diff_fact *f = arena_new(&d->r->arena, struct diff_fact, 1);
    va_list args;
    va_start(args, format);
    f->kind = kind;
    f->text = arena_vformat(&d->r->arena, format, args);
    va_end(args);
    while (*list != NULL)
        list = &(*list)->next;
    *list = f;
}

/* --- rounding --- */

/* Whether `wide`, rounded to `to`, is `other`, which is of that dtype or holds
 * such values in the dtype of `wide`. */
static bool is_rounded(const uint8_t *wide, enum ttsb_dtype from,
                       const uint8_t *other, enum ttsb_dtype stored,
                       enum ttsb_dtype to, uint64_t n)
{
    size_t size = spec_dtype_bits(from) / 8, step = spec_dtype_bits(stored) / 8;
    uint8_t low[CHUNK * 8], made[CHUNK * 8];
    struct kernel_range_error lost = {0};
    for (uint64_t i = 0; i < n; i += CHUNK) {
        uint64_t k = n - i < CHUNK ? n - i : CHUNK;
        kernel_cast((struct kernel_cast){from, to}, wide + i * size, k, low,
                    &lost);
        kernel_cast((struct kernel_cast){to, stored}, low, k, made, &lost);
        if (memcmp(made, other + i * step, (size_t)k * step) != 0)
            return false;
    }
    return true;
}

/* f32 whose low 16 bits were cut off. */
static bool is_cut(const uint8_t *wide, const uint8_t *other,
                   enum ttsb_dtype stored, uint64_t n)
{
    size_t step = spec_dtype_bits(stored) / 8;
    for (uint64_t i = 0; i < n; i++) {
        const uint8_t *w = wide + i * 4, *o = other + i * step;
        if (memcmp(w + 2, o + step - 2, 2) != 0 ||
            (step == 4 && (o[0] != 0 || o[1] != 0)))
            return false;
    }
    return true;
}

/* One direction: `other` is made of `wide`. */
static void try_rounding(struct diff *d, const struct diff_bytes *k, bool back)
{
    static const enum ttsb_dtype to[] = {TTSB_BF16, TTSB_F16, TTSB_F32};
    enum ttsb_dtype from = back ? k->tb->dtype : k->ta->dtype;
    enum ttsb_dtype stored = back ? k->ta->dtype : k->tb->dtype;
    const uint8_t *wide = back ? k->b : k->a, *other = back ? k->a : k->b;
    const char *who = back ? "A equals B" : "B equals A";
    uint64_t n = k->ta->elements;
    for (size_t i = 0; i < 3; i++) {
        if (spec_dtype_bits(to[i]) >= spec_dtype_bits(from) ||
            (stored != to[i] && stored != from) ||
            !is_rounded(wide, from, other, stored, to[i], n))
            continue;
        diff_fact(d, &k->x->facts, "rounded",
                  "%s rounded to %s (to nearest even, bit for bit)", who,
                  spec_dtype_name(to[i]));
        return;
    }
    if (from == TTSB_F32 && (stored == TTSB_BF16 || stored == TTSB_F32) &&
        is_cut(wide, other, stored, n))
        diff_fact(d, &k->x->facts, "truncated",
                  "%s cut off to bf16 (the low 16 bits are dropped, not "
                  "rounded)",
                  who);
}

static void rounding(struct diff *d, const struct diff_bytes *k)
{
    if (value_kind(k->ta->dtype) != VALUE_FLOAT ||
        value_kind(k->tb->dtype) != VALUE_FLOAT)
        return;
    try_rounding(d, k, false);
    try_rounding(d, k, true);
}

/* --- one pair --- */

static void examine(struct diff *d, const struct diff_bytes *k)
{
    if (k->ta->elements != k->tb->elements || k->ta->elements == 0)
        return;
    if (!k->x->reshaped)
        rounding(d, k);
    if (k->ta->dtype != k->tb->dtype || spec_dtype_bits(k->ta->dtype) < 8)
        return;
    diff_moves(d, k);
    if (!k->x->reshaped && value_kind(k->ta->dtype) == VALUE_FLOAT)
        diff_computed(d, k);
}

static bool say_error(struct diff *d, int error)
{
    diag_add_file(&d->r->diag, error == EBADMSG ? "E0711" : "E0705", d->path_a,
                  DIAG_NO_OFFSET, "cannot read once more: %s", strerror(error));
    return false;
}

static bool load_and_examine(struct diff *d, struct diff_item *x)
{
    struct diff_bytes k = {d, x, &d->a.p[x->a], &d->b.p[x->b], NULL, NULL};
    uint8_t *a, *b;
    int error;
    if (k.ta->size > MOST || k.tb->size > MOST) {
        diff_fact(d, &x->facts, "not_examined",
                  "larger than 512 MiB: not examined for transpositions and "
                  "the like");
        return true;
    }
    a = malloc((size_t)k.ta->size + 1);
    b = malloc((size_t)k.tb->size + 1);
    if (a == NULL || b == NULL)
        arena_exhausted();
    error = tensors_read(&d->a, x->a, 0, a, (size_t)k.ta->size);
    if (error == 0)
        error = tensors_read(&d->b, x->b, 0, b, (size_t)k.tb->size);
    k.a = a;
    k.b = b;
    if (error == 0)
        examine(d, &k);
    free(a);
    free(b);
    return error == 0 || say_error(d, error);
}

static bool both_have_values(const struct diff *d, const struct diff_item *x)
{
    return x->a != DIFF_NONE && x->b != DIFF_NONE && !x->renamed &&
           d->a.p[x->a].has_values && d->b.p[x->b].has_values;
}

/* --- tensors in each other's place --- */

static bool differs(const struct diff *d, const struct diff_item *x)
{
    return both_have_values(d, x) && x->compared && x->m.different > 0 &&
           !x->retyped && !x->reshaped && x->name_b.n == 0;
}

/* Whether B has in x's place what A has in y's; by digest. */
static bool holds(const struct diff *d, const struct diff_item *x,
                  const struct diff_item *y)
{
    const struct tensor *t = &d->b.p[x->b], *u = &d->a.p[y->a];
    return x != y && memcmp(x->digest_b, y->digest_a, 16) == 0 &&
           t->dtype == u->dtype && t->rank == u->rank &&
           (t->rank == 0 || memcmp(t->dims, u->dims, t->rank * 8) == 0);
}

/* What B has in x's place: one that has x's in turn, if there is one. */
static const struct diff_item *find_holder(const struct diff *d,
                                           const struct diff_item *x)
{
    const struct diff_item *found = NULL;
    for (size_t i = 0; i < d->n; i++) {
        const struct diff_item *y = &d->items[i];
        if (!both_have_values(d, y) || !y->compared || y->retyped ||
            y->reshaped || !holds(d, x, y))
            continue;
        if (differs(d, y) && holds(d, y, x))
            return y;
        found = found == NULL ? y : found;
    }
    return found;
}

/* The ends of the first components in which two names differ: `h.3` and `h.4`
 * of `h.3.w` and `h.4.w`. False if they differ in more than that. */
static bool stems(struct str a, struct str b, struct str *x, struct str *y)
{
    size_t i = 0, begin, m, n;
    while (i < a.n && i < b.n && a.p[i] == b.p[i])
        i++;
    for (begin = i; begin > 0 && a.p[begin - 1] != '.';)
        begin--;
    for (m = begin; m < a.n && a.p[m] != '.';)
        m++;
    for (n = begin; n < b.n && b.p[n] != '.';)
        n++;
    *x = str_cut(a, 0, m);
    *y = str_cut(b, 0, n);
    return str_eq(str_cut(a, m, a.n), str_cut(b, n, b.n));
}

/* Swaps of tensors under the same two stems, counted. */
struct swap {
    struct str x, y;
    size_t pairs;
};

static void add_swap(struct swap *v, size_t *n, struct str a, struct str b)
{
    struct swap s = {a, b, 1};
    if (!stems(a, b, &s.x, &s.y)) {
        s.x = a;
        s.y = b;
    }
    for (size_t i = 0; i < *n; i++)
        if (str_eq(v[i].x, s.x) && str_eq(v[i].y, s.y)) {
            v[i].pairs++;
            return;
        }
    v[(*n)++] = s;
}

static struct str word(struct diff *d, struct str s)
{
    struct text t = {0};
    struct str out;
    meta_word(&t, s);
    out = arena_str(&d->r->arena, text_view(&t));
    text_release(&t);
    return out;
}

static void say_swaps(struct diff *d, const struct swap *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct str x = word(d, v[i].x), y = word(d, v[i].y);
        diff_fact(d, &d->facts, "swapped",
                  "%.*s and %.*s are swapped: %zu pair%s of tensors, B has in "
                  "each place what A has in the other, byte for byte",
                  STR_ARG(x), STR_ARG(y), v[i].pairs,
                  v[i].pairs == 1 ? "" : "s");
    }
}

static void places(struct diff *d)
{
    struct swap *swaps = arena_new(&d->r->arena, struct swap, d->n);
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++) {
        struct diff_item *x = &d->items[i];
        const struct diff_item *y = differs(d, x) ? find_holder(d, x) : NULL;
        bool mutual = y != NULL && differs(d, y) && holds(d, y, x);
        if (y == NULL || !diff_same_bytes(d, y->a, x->b) ||
            (mutual && !diff_same_bytes(d, x->a, y->b)))
            continue;
        if (mutual && y > x)
            add_swap(swaps, &n, x->name, y->name);
        if (!mutual)
            diff_fact(d, &x->facts, "elsewhere",
                      "B has here what A has as %.*s, byte for byte",
                      STR_ARG(word(d, y->name)));
    }
    say_swaps(d, swaps, n);
}

bool diff_facts(struct diff *d)
{
    for (size_t i = 0; i < d->n; i++) {
        struct diff_item *x = &d->items[i];
        bool worth = x->reshaped || (x->compared && x->m.different > 0);
        if (both_have_values(d, x) && worth && !load_and_examine(d, x))
            return false;
    }
    places(d);
    return true;
}
