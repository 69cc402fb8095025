/* SPDX-License-Identifier: MIT
 *
 * shards.c - folders, then indexes, then an index against headers.
 *
 * What a folder holds is sorted before anything is said of it, so that
 * findings do not depend on the order in which the system lists it.
 */
#include "shards.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hash.h"
#include "json.h"
#include "nametab.h"
#include "text.h"

#define TENSORS ".safetensors"
#define INDEX ".safetensors.index.json"
#define SHOWN_NAMES 3 /* of a longer list */

struct name_list {
    struct str *p;
    size_t n, capacity;
};

static void add_name(struct arena *a, struct name_list *l, struct str name)
{
    if (l->n == l->capacity)
        l->p = arena_grow(a, l->p, sizeof *l->p, l->n, &l->capacity);
    l->p[l->n++] = name;
}

static int compare_names(const void *x, const void *y)
{
    return str_order(*(const struct str *)x, *(const struct str *)y);
}

static void sort_names(struct name_list *l)
{
    if (l->n > 0)
        qsort(l->p, l->n, sizeof *l->p, compare_names);
}

static bool has_name(const struct name_list *sorted, struct str name)
{
    return sorted->n > 0 && bsearch(&name, sorted->p, sorted->n,
                                    sizeof *sorted->p, compare_names) != NULL;
}

size_t shards_distinct(struct str *names, size_t count)
{
    struct name_list l = {names, count, count};
    size_t n = 0;
    sort_names(&l);
    for (size_t i = 0; i < count; i++)
        if (n == 0 || !str_eq(names[n - 1], names[i]))
            names[n++] = names[i];
    return n;
}

struct str shards_names(struct arena *a, struct str *names, size_t count)
{
    struct name_list l = {names, count, count};
    size_t shown = count <= SHOWN_NAMES + 1 ? count : SHOWN_NAMES;
    struct str s = {0};
    sort_names(&l);
    for (size_t i = 0; i < shown; i++)
        s = arena_format(a, "%.*s%s`%.*s`", STR_ARG(s), i > 0 ? ", " : "",
                         STR_ARG(names[i]));
    if (shown < count)
        s = arena_format(a, "%.*s and %zu more", STR_ARG(s), count - shown);
    return s;
}

/* --- folders --- */

static struct str in_folder(struct arena *a, struct str folder, struct str name)
{
    bool slash = folder.n == 0 || folder.p[folder.n - 1] == '/';
    return arena_format(a, "%.*s%s%.*s", STR_ARG(folder), slash ? "" : "/",
                        STR_ARG(name));
}

static bool unreadable(struct diag *d, struct str path, int error)
{
    diag_add_file(d, "E0705", path, DIAG_NO_OFFSET, "cannot read: %s",
                  strerror(error));
    return false;
}

/* The sorted names in a folder that end in .safetensors, and those of
 * indexes. */
struct listing {
    struct name_list tensors, indexes;
};

static void hash_names(const struct listing *l, uint8_t hash[16])
{
    struct text t = {0};
    for (size_t i = 0; i < l->tensors.n; i++)
        text_str(&t, (struct str){l->tensors.p[i].p, l->tensors.p[i].n + 1});
    for (size_t i = 0; i < l->indexes.n; i++)
        text_str(&t, (struct str){l->indexes.p[i].p, l->indexes.p[i].n + 1});
    ttsb__hash128(t.p, t.n, hash);
    text_release(&t);
}

/* Lists out->path. 0 or an errno. */
static int list_folder(struct arena *a, struct shard_folder *out,
                       struct listing *l)
{
    DIR *dir = opendir(out->path.p);
    struct dirent *entry;
    int error;
    *l = (struct listing){0};
    if (dir == NULL)
        return errno;
    for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0) {
        struct str name = str_c(entry->d_name);
        if (name.p[0] == '.')
            continue;
        if (str_ends(name, TENSORS))
            add_name(a, &l->tensors, arena_str(a, name));
        else if (str_ends(name, INDEX))
            add_name(a, &l->indexes, arena_str(a, name));
    }
    error = errno;
    closedir(dir);
    sort_names(&l->tensors);
    sort_names(&l->indexes);
    hash_names(l, out->names);
    return error;
}

bool shards_list(struct arena *a, struct shard_folder *out)
{
    struct listing l;
    return list_folder(a, out, &l) == 0;
}

/* --- an index --- */

struct index_reader {
    struct arena *a;
    struct diag *d;
    struct str path;
    struct json *json;
    struct nametab shards; /* to a number in order of appearance */
    struct name_list names;
    struct shard_entry *entries;
    size_t count, capacity;
    bool has_map;
};

static bool fail(struct index_reader *r, uint64_t offset, const char *format,
                 ...) __attribute__((format(printf, 3, 4)));

static bool fail(struct index_reader *r, uint64_t offset, const char *format,
                 ...)
{
    va_list args;
    struct str text;
    va_start(args, format);
    text = arena_vformat(r->a, format, args);
    va_end(args);
    diag_add_file(r->d, "E0702", r->path, offset, "%.*s", STR_ARG(text));
    return false;
}

static bool fail_json(struct index_reader *r)
{
    const struct json_error *e = &r->json->error;
    if (e->key.p != NULL)
        return fail(r, e->offset, "the key `%.*s` is there twice in one object",
                    STR_ARG(e->key));
    return fail(r, e->offset, "the index is not JSON: %s", e->text);
}

static bool next(struct index_reader *r, struct json_token *token)
{
    return json_next(r->json, token) || fail_json(r);
}

/* A name that cannot lead out of the index's folder. */
static bool is_plain(struct str name)
{
    return name.n > 0 && memchr(name.p, '/', name.n) == NULL &&
           memchr(name.p, '\0', name.n) == NULL && !str_is(name, ".") &&
           !str_is(name, "..");
}

/* A zero byte would end a message. */
static struct str shown(struct arena *a, struct str name)
{
    char *p = arena_take(a, 1, name.n + 1);
    for (size_t i = 0; i < name.n; i++)
        p[i] = name.p[i] == '\0' ? '?' : name.p[i];
    return (struct str){p, name.n};
}

static bool add_entry(struct index_reader *r, struct str tensor,
                      const struct json_token *value)
{
    uint32_t shard = (uint32_t)r->names.n;
    if (value->kind != JSON_STRING)
        return fail(r, value->offset,
                    "the shard of `%.*s` must be a string, but is %s",
                    STR_ARG(tensor), json_kind_name(value->kind));
    if (!is_plain(value->text))
        return fail(r, value->offset,
                    "the shard of `%.*s` is `%.*s`, which is no plain file "
                    "name: shards lie beside their index",
                    STR_ARG(tensor), STR_ARG(shown(r->a, value->text)));
    if (nametab_add(r->a, &r->shards, value->text, &shard))
        add_name(r->a, &r->names, value->text);
    if (r->count == r->capacity)
        r->entries = arena_grow(r->a, r->entries, sizeof *r->entries, r->count,
                                &r->capacity);
    r->entries[r->count++] = (struct shard_entry){tensor, shard};
    return true;
}

static bool read_map(struct index_reader *r, const struct json_token *first)
{
    struct json_token key, value;
    r->has_map = true;
    if (first->kind != JSON_OBJECT)
        return fail(r, first->offset,
                    "`weight_map` must be an object, but is %s",
                    json_kind_name(first->kind));
    for (;;) {
        if (!next(r, &key))
            return false;
        if (key.kind == JSON_OBJECT_END)
            break;
        if (!next(r, &value) || !add_entry(r, key.text, &value))
            return false;
    }
    return r->count > 0 ||
           fail(r, first->offset, "`weight_map` names no tensor");
}

static bool read_members(struct index_reader *r)
{
    struct json_token token, value;
    if (!next(r, &token))
        return false;
    if (token.kind != JSON_OBJECT)
        return fail(r, token.offset, "the index must be an object, but is %s",
                    json_kind_name(token.kind));
    for (;;) {
        if (!next(r, &token))
            return false;
        if (token.kind == JSON_OBJECT_END)
            break;
        if (!next(r, &value))
            return false;
        if (str_is(token.text, "weight_map")) {
            if (!read_map(r, &value))
                return false;
        } else if (!json_skip(r->json, &value)) {
            return fail_json(r);
        }
    }
    if (!next(r, &token))
        return false;
    return r->has_map || fail(r, DIAG_NO_OFFSET, "there is no `weight_map`");
}

/* The text of an index. */
static bool load_index(struct index_reader *r, struct str *text)
{
    struct stat st = {0};
    char *p = NULL;
    int error = 0, fd = open(r->path.p, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0)
        error = errno;
    else if (!S_ISREG(st.st_mode))
        error = EINVAL;
    else if ((uint64_t)st.st_size <= SHARDS_MAX_INDEX)
        p = arena_take(r->a, 1, (size_t)st.st_size + 1);
    if (p != NULL)
        error = read_exactly(fd, 0, p, (size_t)st.st_size);
    if (fd >= 0)
        close(fd);
    if (error != 0)
        return unreadable(r->d, r->path, error);
    if (p == NULL)
        return fail(r, DIAG_NO_OFFSET, "the index is larger than 100 MB");
    *text = (struct str){p, (size_t)st.st_size};
    return true;
}

/* Reads an index; its shards become paths in the order of their names. */
static bool read_index(struct arena *a, struct diag *d, struct str path,
                       struct name_list *names, struct shard_set *out)
{
    struct index_reader r = {.a = a, .d = d, .path = arena_str(a, path)};
    struct str text = {0};
    uint32_t *place;
    out->index = r.path;
    r.json = arena_new(a, struct json, 1);
    if (!load_index(&r, &text))
        return false;
    json_start(r.json, a, text, 0);
    if (!read_members(&r))
        return false;
    sort_names(&r.names);
    place = arena_new(a, uint32_t, r.names.n);
    out->count = r.names.n;
    out->paths = arena_new(a, struct str, out->count);
    for (uint32_t i = 0; i < out->count; i++) {
        uint32_t first = 0;
        nametab_find(&r.shards, r.names.p[i], &first);
        place[first] = i;
        out->paths[i] = in_folder(a, str_folder(path), r.names.p[i]);
    }
    for (size_t i = 0; i < r.count; i++)
        r.entries[i].shard = place[r.entries[i].shard];
    out->entries = r.entries;
    out->entry_count = r.count;
    *names = r.names;
    return true;
}

/* --- an index against its folder --- */

static bool say_absent(struct arena *a, struct diag *d, struct name_list *l,
                       struct str index)
{
    struct diag_item *item;
    if (l->n == 0)
        return true;
    item = diag_add_file(
        d, "E0702", index, DIAG_NO_OFFSET, "%zu shard%s missing: %.*s", l->n,
        l->n == 1 ? " is" : "s are", STR_ARG(shards_names(a, l->p, l->n)));
    diag_help(d, item,
              "the download is not complete; shards lie beside their "
              "index");
    return false;
}

static bool say_extra(struct arena *a, struct diag *d, struct name_list *l,
                      struct str index)
{
    struct diag_item *item;
    if (l->n == 0)
        return true;
    item = diag_add_file(d, "E0702", index, DIAG_NO_OFFSET,
                         "%zu extra file%s beside the shards: %.*s", l->n,
                         l->n == 1 ? "" : "s",
                         STR_ARG(shards_names(a, l->p, l->n)));
    diag_help(d, item,
              "the index does not name %s: remove %s, or give the files that "
              "are meant one by one",
              l->n == 1 ? "it" : "them", l->n == 1 ? "it" : "them");
    return false;
}

/* Reads `index` and compares it with the files beside it: all of them, or
 * those that carry its name. */
static bool use_index(struct arena *a, struct diag *d, struct str index,
                      const struct name_list *beside, bool all,
                      struct shard_set *out)
{
    struct str file = str_cut(index, str_folder(index).n, index.n), family;
    struct name_list shards = {0}, absent = {0}, extra = {0};
    bool ok;
    if (!read_index(a, d, index, &shards, out))
        return false;
    family = arena_format(a, "%.*s-", (int)(file.n - strlen(INDEX)), file.p);
    for (size_t i = 0; i < shards.n; i++) {
        struct stat st;
        if (stat(out->paths[i].p, &st) != 0 && errno == ENOENT)
            add_name(a, &absent, shards.p[i]);
    }
    for (size_t i = 0; i < beside->n; i++)
        if (!has_name(&shards, beside->p[i]) &&
            (all || str_begins(beside->p[i], family)))
            add_name(a, &extra, beside->p[i]);
    ok = say_absent(a, d, &absent, out->index);
    return say_extra(a, d, &extra, out->index) && ok;
}

/* A folder as an argument, listed. */
static bool use_folder(struct arena *a, struct diag *d, const struct listing *l,
                       struct shard_set *out)
{
    struct str folder = out->folder.path;
    struct diag_item *item;
    if (l->indexes.n == 1)
        return use_index(a, d, in_folder(a, folder, l->indexes.p[0]),
                         &l->tensors, true, out);
    if (l->indexes.n > 1) {
        item =
            diag_add_file(d, "E0702", folder, DIAG_NO_OFFSET,
                          "%zu indexes are in this folder: %.*s", l->indexes.n,
                          STR_ARG(shards_names(a, l->indexes.p, l->indexes.n)));
        diag_help(d, item, "give the one that is meant instead of the folder");
        return false;
    }
    if (l->tensors.n == 0) {
        diag_add_file(d, "E0702", folder, DIAG_NO_OFFSET,
                      "no .safetensors file is in this folder");
        return false;
    }
    out->count = l->tensors.n;
    out->paths = arena_new(a, struct str, out->count);
    for (size_t i = 0; i < out->count; i++)
        out->paths[i] = in_folder(a, folder, l->tensors.p[i]);
    return true;
}

bool shards_find(struct arena *a, struct diag *d, struct str argument,
                 struct shard_set *out)
{
    struct str path = arena_str(a, argument), folder = str_folder(path);
    struct listing l;
    struct stat st;
    bool there = stat(path.p, &st) == 0;
    bool is_folder = there && S_ISDIR(st.st_mode);
    int error;
    *out = (struct shard_set){0};
    if (!is_folder && !(there && str_ends(path, INDEX))) {
        out->paths = arena_new(a, struct str, 1);
        out->paths[0] = path;
        out->count = 1;
        return true;
    }
    out->folder.path = is_folder      ? path
                       : folder.n > 0 ? arena_str(a, folder)
                                      : str_c(".");
    error = list_folder(a, &out->folder, &l);
    if (error != 0)
        return unreadable(d, out->folder.path, error);
    return is_folder ? use_folder(a, d, &l, out)
                     : use_index(a, d, path, &l.tensors, false, out);
}

/* --- an index against headers --- */

/* One way to disagree: which tensors do, and the facts of the first. */
struct disagreement {
    const char *which, *how;
    struct name_list names;
    struct str first, is_in, should_be_in; /* paths; empty: in none */
};

static void disagree(struct arena *a, struct disagreement *x, struct str name,
                     struct str is_in, struct str should_be_in)
{
    if (x->names.n == 0 || str_order(name, x->first) < 0) {
        x->first = name;
        x->is_in = is_in;
        x->should_be_in = should_be_in;
    }
    add_name(a, &x->names, name);
}

static bool say_disagreement(struct arena *a, struct diag *d, struct str index,
                             const struct disagreement *x)
{
    size_t n = shards_distinct(x->names.p, x->names.n);
    struct str nowhere = str_c("no shard");
    struct diag_item *item;
    bool one = n == 1;
    if (n == 0)
        return true;
    item = diag_add_file(d, "E0702", index, DIAG_NO_OFFSET,
                         "%zu tensor%s%s %s %s: %.*s", n, one ? "" : "s",
                         x->which, one ? "is" : "are", x->how,
                         STR_ARG(shards_names(a, x->names.p, n)));
    diag_note(d, item, "`%.*s` is in %.*s; the index puts it in %.*s",
              STR_ARG(x->first), STR_ARG(x->is_in.n > 0 ? x->is_in : nowhere),
              STR_ARG(x->should_be_in.n > 0 ? x->should_be_in : nowhere));
    return false;
}

/* Marks where each tensor of the index is: found[i] is 1 + its file, its own
 * shard first. Collects tensors that the index does not name. */
static void place_tensors(struct arena *a, const struct shard_set *s,
                          const struct stfile *files, uint32_t *found,
                          struct disagreement *unnamed)
{
    struct nametab map = {0};
    nametab_reserve(a, &map, s->entry_count);
    for (uint32_t i = 0; i < s->entry_count; i++) {
        uint32_t index = i;
        nametab_add(a, &map, s->entries[i].name, &index);
    }
    for (uint32_t f = 0; f < s->count; f++) {
        const struct st_header *h = &files[f].header;
        for (size_t i = 0; i < h->count; i++) {
            uint32_t entry;
            if (!nametab_find(&map, h->tensors[i].name, &entry))
                disagree(a, unnamed, h->tensors[i].name, s->paths[f],
                         (struct str){0});
            else if (found[entry] == 0 || s->entries[entry].shard == f)
                found[entry] = f + 1;
        }
    }
}

bool shards_agree(struct arena *a, struct diag *d, const struct shard_set *s,
                  const struct stfile *files)
{
    struct disagreement lacking = {.which = " of the index",
                                   .how = "in no shard"};
    struct disagreement elsewhere = {
        .which = "", .how = "in another shard than the index says"};
    struct disagreement unnamed = {.which = " of the shards",
                                   .how = "not in the index"};
    uint32_t *found;
    bool ok;
    if (s->index.n == 0)
        return true;
    found = arena_new(a, uint32_t, s->entry_count);
    place_tensors(a, s, files, found, &unnamed);
    for (size_t i = 0; i < s->entry_count; i++) {
        const struct shard_entry *e = &s->entries[i];
        if (found[i] == 0)
            disagree(a, &lacking, e->name, (struct str){0}, s->paths[e->shard]);
        else if (found[i] - 1 != e->shard)
            disagree(a, &elsewhere, e->name, s->paths[found[i] - 1],
                     s->paths[e->shard]);
    }
    ok = say_disagreement(a, d, s->index, &lacking);
    ok = say_disagreement(a, d, s->index, &elsewhere) && ok;
    return say_disagreement(a, d, s->index, &unnamed) && ok;
}
