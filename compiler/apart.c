/* SPDX-License-Identifier: MIT
 *
 * apart.c - reads the numbers in the names of shards.
 */
#include "apart.h"

#define TAIL ".safetensors"
#define MAX_LISTED 3

/* NAME-00001-of-00003.safetensors: the stem ends behind the first `-`. */
struct shard_name {
    struct str stem;
    uint64_t number, of;
    size_t digits;
};

/* The digits that end at *end, and a text before them that *end is moved to
 * the begin of. */
static bool take_number(struct str name, size_t *end, const char *before,
                        uint64_t *value, size_t *digits)
{
    size_t at = *end, n = strlen(before);
    *value = 0;
    while (at > 0 && name.p[at - 1] >= '0' && name.p[at - 1] <= '9')
        at--;
    *digits = *end - at;
    if (*digits == 0 || *digits > 9 || at < n ||
        memcmp(name.p + at - n, before, n) != 0)
        return false;
    for (size_t i = at; i < *end; i++)
        *value = *value * 10 + (uint64_t)(name.p[i] - '0');
    *end = at - n;
    return true;
}

static bool parse(struct str path, struct shard_name *out)
{
    size_t end = path.n - strlen(TAIL), of_digits;
    if (!str_ends(path, TAIL) ||
        !take_number(path, &end, "-of-", &out->of, &of_digits) ||
        !take_number(path, &end, "-", &out->number, &out->digits) ||
        out->digits != of_digits)
        return false;
    out->stem = str_cut(path, 0, end);
    return out->number <= out->of;
}

static bool is_given(const struct resolution *r,
                     const struct checkpoint_source *of,
                     const struct shard_name *like, uint64_t number)
{
    for (uint32_t i = 0; i < of->file_count; i++) {
        struct shard_name n;
        if (parse(r->c->files[of->first_file + i].path, &n) &&
            str_eq(n.stem, like->stem) && n.of == like->of &&
            n.number == number)
            return true;
    }
    return false;
}

/* "`a`, `b` and 3 more": those of a set that are not given, counted from 1
 * unless a 0 is; how many these are. */
static uint64_t list_others(struct resolution *r,
                            const struct checkpoint_source *of,
                            const struct shard_name *like, struct str *out)
{
    uint64_t first = is_given(r, of, like, 0) ? 0 : 1, n = 0;
    *out = (struct str){0};
    for (uint64_t i = first; i < first + like->of; i++) {
        if (is_given(r, of, like, i) || n++ >= MAX_LISTED)
            continue;
        *out = arena_format(r->a, "%.*s%s`%.*s-%0*u-of-%0*u" TAIL "`",
                            STR_ARG(*out), n > 1 ? ", " : "",
                            STR_ARG(like->stem), (int)like->digits, (unsigned)i,
                            (int)like->digits, (unsigned)like->of);
    }
    if (n > MAX_LISTED)
        *out = arena_format(r->a, "%.*s and %u more", STR_ARG(*out),
                            (unsigned)(n - MAX_LISTED));
    return n;
}

static bool lacks(const struct resolution *r, uint32_t source, size_t *wanted,
                  const struct leaf **first)
{
    size_t missing = 0;
    *wanted = 0;
    for (size_t i = 0; i < r->m->leaf_count; i++) {
        const struct leaf *leaf = r->m->leaves[i];
        if (leaf->file != source || leaf->first_use != leaf || leaf->counter ||
            leaf->optional)
            continue;
        ++*wanted;
        if (leaf->source != NO_SOURCE)
            continue;
        *first = missing++ == 0 ? leaf : *first;
    }
    r->covers[source].missing = missing;
    return missing > 0;
}

static void say(struct resolution *r, uint32_t source, struct str path,
                size_t wanted)
{
    const struct checkpoint_source *of = &r->c->sources[source];
    struct coverage *c = &r->covers[source];
    struct shard_name like;
    struct diag_item *item;
    struct str others;
    uint64_t n;
    parse(path, &like);
    n = list_others(r, of, &like, &others);
    item = diag_add_file(r->d, "E0702", path, DIAG_NO_OFFSET,
                         "%u of %u shards %s not given: %.*s", (unsigned)n,
                         (unsigned)like.of, n == 1 ? "is" : "are",
                         STR_ARG(others));
    diag_note(r->d, item, "%zu of %zu tensors are missing, `%.*s` for example",
              c->missing, wanted, STR_ARG(c->first_missing));
    diag_help(r->d, item,
              "give all of them, their folder, or their index (" TAIL
              ".index.json)");
}

/* The first file of a source that is a shard of a set that is not whole. */
static bool find_apart(struct resolution *r, uint32_t source, struct str *path)
{
    const struct checkpoint_source *of = &r->c->sources[source];
    struct str last = {0};
    for (uint32_t i = 0; i < of->file_count; i++) {
        struct shard_name n;
        struct str others;
        *path = r->c->files[of->first_file + i].path;
        if (!parse(*path, &n) || n.of > CHECKPOINT_MAX_FILES ||
            str_eq(n.stem, last)) /* files of a folder stand in order */
            continue;
        last = n.stem;
        if (list_others(r, of, &n, &others) > 0)
            return true;
    }
    return false;
}

void apart_check(struct resolution *r)
{
    for (uint32_t i = 0; i < r->c->source_count && !r->partial; i++) {
        const struct leaf *first = NULL;
        struct coverage *c = &r->covers[i];
        struct str path;
        size_t wanted;
        if (r->prefixed[i] || !find_apart(r, i, &path) ||
            !lacks(r, i, &wanted, &first))
            continue;
        c->wanted = wanted;
        c->used = wanted - c->missing;
        c->first_missing = first->name;
        say(r, i, path, wanted);
        r->prefixed[i] = true;
        for (size_t k = 0; k < r->m->leaf_count; k++)
            if (r->m->leaves[k]->file == i)
                r->m->leaves[k]->reported = true;
    }
}
