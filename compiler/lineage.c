/* SPDX-License-Identifier: MIT
 *
 * lineage.c - META's lists of sources, read and compared.
 *
 * The contract id says nothing of the sources' names. So a spec of the same
 * contract may still be another one; then META's names differ from its.
 */
#include "lineage.h"

#include <inttypes.h>
#include <stdlib.h>

#include "json.h"
#include "sources.h"
#include "ttsb_internal.h" /* META */

#define META_FORMAT 1

/* --- the blob is the model's --- */

static bool same_record(const struct ttsb_tensor *x, const struct output *o)
{
    bool same = str_is(o->name, x->name) && x->dtype == (uint32_t)o->dtype &&
                x->rank == o->type.rank && x->alias_of == o->alias_of;
    for (uint32_t i = 0; i < x->rank && same; i++)
        same = x->dims[i] == o->type.axes[i].size;
    return same;
}

static struct str hex(struct arena *a, const uint8_t id[16])
{
    struct text t = {0};
    struct str s;
    text_hex(&t, id, 16);
    s = arena_str(a, text_view(&t));
    text_release(&t);
    return s;
}

static bool check_contract(struct run *r, const char *path,
                           const struct ttsb_info *info)
{
    const struct spec *s = r->model.spec;
    struct diag_item *item;
    if (memcmp(info->contract_id, r->model.contract_id, 16) == 0)
        return true;
    item = diag_add_file(&r->diag, "E0709", str_c(path), DIAG_NO_OFFSET,
                         "the blob has the contract id %.*s, and the spec %.*s",
                         STR_ARG(hex(&r->arena, info->contract_id)),
                         STR_ARG(hex(&r->arena, r->model.contract_id)));
    if (!str_is(s->model, info->model) || s->revision != info->revision)
        diag_note(&r->diag, item,
                  "it is of `%s`, revision %" PRIu64
                  "; the spec is of `%.*s`, revision %" PRIu64,
                  info->model, info->revision, STR_ARG(s->model), s->revision);
    diag_help(&r->diag, item, "give the spec that the blob was compiled by");
    return false;
}

/* The contract id vouches for the index; a blob may lie about both. */
bool lineage_check(struct run *r, const char *path,
                   const struct ttsb_blob *blob)
{
    struct ttsb_info info = {.struct_size = sizeof info};
    bool same;
    ttsb_info(blob, &info);
    if (!check_contract(r, path, &info))
        return false;
    same = info.tensor_count == r->model.output_count;
    for (uint32_t i = 0; i < info.tensor_count && same; i++) {
        struct output *o = &r->model.outputs[i];
        struct ttsb_tensor x = {.struct_size = sizeof x};
        ttsb_tensor_at(blob, i, &x, NULL);
        same = same_record(&x, o);
        o->absent = (x.flags & TTSB_RECORD_ABSENT) != 0;
        o->missing = (x.flags & TTSB_RECORD_MISSING) != 0;
    }
    if (!same)
        diag_add_file(&r->diag, "E0709", str_c(path), DIAG_NO_OFFSET,
                      "its index is not what its contract id stands for");
    return same;
}

/* --- META --- */

struct reader {
    struct run *r;
    const char *path;
    struct json json;
    struct lineage *out;
};

static bool refuse(struct reader *m, const char *what)
{
    diag_add_file(&m->r->diag, "E0706", str_c(m->path), DIAG_NO_OFFSET,
                  "META: %s", what);
    return false;
}

static bool next(struct reader *m, enum json_kind kind, struct json_token *out)
{
    return (json_next(&m->json, out) && out->kind == kind) ||
           refuse(m, "not as FORMAT.md has it");
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

static bool read_digest(struct str s, uint8_t out[16])
{
    bool ok = s.n == 32;
    for (size_t i = 0; i < 16 && ok; i++) {
        int hi = hex_value(s.p[2 * i]), lo = hex_value(s.p[2 * i + 1]);
        ok = hi >= 0 && lo >= 0;
        out[i] = (uint8_t)(hi * 16 + lo);
    }
    return ok;
}

static bool read_shape(struct reader *m, struct origin *o)
{
    struct json_token t;
    uint64_t *dims = NULL;
    size_t capacity = 0;
    if (!next(m, JSON_ARRAY, &t))
        return false;
    while (json_next(&m->json, &t) && t.kind == JSON_NUMBER) {
        if (o->rank == capacity)
            dims = arena_grow(&m->r->arena, dims, sizeof *dims, o->rank,
                              &capacity);
        if (!json_u64(&t, &dims[o->rank++]))
            break;
    }
    o->dims = dims;
    return t.kind == JSON_ARRAY_END || refuse(m, "a shape that is none");
}

/* What an object of a list had. */
struct seen {
    bool name, dtype, shape, digest;
};

static bool read_member(struct reader *m, struct str key, struct origin *o,
                        struct seen *seen)
{
    struct json_token t;
    if (str_is(key, "shape")) {
        seen->shape = true;
        return read_shape(m, o);
    }
    if (!next(m, JSON_STRING, &t))
        return false;
    if (str_is(key, "name")) {
        seen->name = true;
        o->name = t.text;
    } else if (str_is(key, "dtype")) {
        o->dtype = (uint32_t)spec_dtype(t.text);
        seen->dtype = o->dtype != 0;
    } else if (str_is(key, "digest")) {
        seen->digest = read_digest(t.text, o->digest);
    } else if (str_is(key, "source")) {
        o->file = sources_find(m->r->model.spec, t.text);
    } else {
        return refuse(m, "a key that FORMAT.md does not have");
    }
    return true;
}

static bool read_origin(struct reader *m, bool dropped)
{
    struct lineage *l = m->out;
    struct origin o = {.dropped = dropped};
    struct seen seen = {0};
    struct json_token t = {0};
    o.file = sources_find(m->r->model.spec, (struct str){0});
    while (json_next(&m->json, &t) && t.kind == JSON_KEY)
        if (!read_member(m, t.text, &o, &seen))
            return false;
    if (t.kind != JSON_OBJECT_END || !seen.name || !seen.dtype || !seen.shape ||
        seen.digest == dropped)
        return refuse(m, "a source that is not as FORMAT.md has it");
    if (l->n == l->capacity)
        l->p = arena_grow(&m->r->arena, l->p, sizeof *l->p, l->n, &l->capacity);
    l->p[l->n++] = o;
    return true;
}

static bool read_list(struct reader *m, bool dropped)
{
    struct json_token t = {0};
    if (!next(m, JSON_ARRAY, &t))
        return false;
    while (json_next(&m->json, &t) && t.kind == JSON_OBJECT)
        if (!read_origin(m, dropped))
            return false;
    return t.kind == JSON_ARRAY_END || refuse(m, "a list that is none");
}

static bool read_format(struct reader *m)
{
    struct json_token t;
    uint64_t format;
    return next(m, JSON_NUMBER, &t) &&
           ((json_u64(&t, &format) && format == META_FORMAT) ||
            refuse(m, "of a format that this ttswc does not know"));
}

/* The value of a key of META; others than these three say nothing of sources.
 */
static bool read_value(struct reader *m, struct str key)
{
    struct json_token t;
    if (str_is(key, "dropped") || str_is(key, "sources"))
        return read_list(m, str_is(key, "dropped"));
    if (str_is(key, "format"))
        return read_format(m);
    return (json_next(&m->json, &t) && json_skip(&m->json, &t)) ||
           refuse(m, "not as FORMAT.md has it");
}

/* Keys are sorted: behind `sources` nothing is needed. */
static bool read_meta(struct reader *m)
{
    static const char *const wanted[] = {"dropped", "format", "sources"};
    struct json_token t = {0};
    int found = 0;
    if (!next(m, JSON_OBJECT, &t))
        return false;
    while (found < 3 && json_next(&m->json, &t) && t.kind == JSON_KEY) {
        found += str_is(t.text, wanted[found]);
        if (!read_value(m, t.text))
            return false;
    }
    return found == 3 ||
           refuse(m, "lacks one of `dropped`, `format` and `sources`");
}

static bool load_meta(struct run *r, const char *path,
                      const struct ttsb_blob *blob, struct lineage *out)
{
    const struct ttsb__section *s = &blob->section[TTSB_SECTION_META];
    struct ttsb_error error = {.struct_size = sizeof error};
    struct reader *m = arena_new(&r->arena, struct reader, 1);
    if (ttsb_verify_rest(blob, &error) != TTSB_OK) {
        run_blob_error(r, path, &error);
        return false;
    }
    *m = (struct reader){.r = r, .path = path, .out = out};
    json_start(&m->json, &r->arena,
               (struct str){(const char *)s->bytes, (size_t)s->size},
               s->offset);
    return read_meta(m);
}

/* --- binding --- */

/* What the blob says of sources that the spec does not, or the reverse. */
struct strays {
    size_t n;
    struct str name; /* the first */
    const char *what;
};

static void stray(struct strays *v, struct str name, const char *what)
{
    if (v->n++ == 0)
        *v = (struct strays){1, name, what};
}

static bool same_type(const struct origin *o, const struct leaf *leaf)
{
    bool same = o->dtype == (uint32_t)leaf->dtype && o->rank == leaf->type.rank;
    for (uint32_t i = 0; i < o->rank && same; i++)
        same = o->dims[i] == leaf->type.axes[i].size;
    return same;
}

/* The subtree of the spec under which a name lies. */
static const struct subtree *subtree_of(const struct model *m,
                                        const struct origin *o)
{
    for (size_t i = 0; i < m->subtree_count; i++)
        if (m->subtrees[i].file == o->file &&
            str_begins(o->name, m->subtrees[i].prefix))
            return &m->subtrees[i];
    return NULL;
}

/* An origin's leaf or subtree; `source` of the first uses. */
static void bind_origin(struct run *r, struct lineage *l, uint32_t i,
                        struct strays *v)
{
    const struct model *m = &r->model;
    struct origin *o = &l->p[i];
    uint32_t leaf;
    if (o->file == NO_SOURCE) {
        stray(v, o->name, "is of a source that the spec does not have");
    } else if (nametab_find(&m->sources,
                            sources_name(&r->arena, m->spec, o->file, o->name),
                            &leaf)) {
        o->leaf = m->leaves[leaf];
        m->leaves[leaf]->source = i;
        if (!same_type(o, o->leaf))
            stray(v, o->name, "has another dtype or other sizes in the spec");
    } else {
        o->subtree = o->dropped ? subtree_of(m, o) : NULL;
        if (o->subtree == NULL)
            stray(v, o->name, "is not in the spec");
    }
}

/* Whether an output was made from a leaf; or, with `missing`, would have
 * been. */
static bool feeds(const struct model *m, const struct leaf *leaf, bool missing)
{
    bool any = false;
    for (uint32_t i = 0; i < leaf->output_count && !any; i++) {
        const struct output *o = &m->outputs[leaf->output + i];
        any = missing ? o->missing : !o->missing && !o->absent;
    }
    return any;
}

/* A tensor that nothing was made from, since it or another one lacked. */
static uint32_t add_unread(struct run *r, struct lineage *l, struct leaf *leaf)
{
    uint64_t *dims = arena_new(&r->arena, uint64_t, leaf->type.rank);
    for (uint32_t i = 0; i < leaf->type.rank; i++)
        dims[i] = leaf->type.axes[i].size;
    if (l->n == l->capacity)
        l->p = arena_grow(&r->arena, l->p, sizeof *l->p, l->n, &l->capacity);
    l->p[l->n] = (struct origin){.name = leaf->name,
                                 .file = leaf->file,
                                 .dtype = (uint32_t)leaf->dtype,
                                 .rank = leaf->type.rank,
                                 .dims = dims,
                                 .unread = true,
                                 .leaf = leaf};
    return (uint32_t)l->n++;
}

/* Takes the number from the first use and compares what becomes of it. */
static void bind_leaf(struct run *r, struct lineage *l, struct leaf *leaf,
                      bool *used, struct strays *v)
{
    bool made = !leaf->dropped && feeds(&r->model, leaf, false);
    leaf->source = leaf->first_use->source;
    if (leaf->source == NO_SOURCE && made)
        stray(v, leaf->name, "is none of the blob's sources");
    else if (leaf->source == NO_SOURCE && !leaf->dropped &&
             feeds(&r->model, leaf, true))
        leaf->source = leaf->first_use->source =
            add_unread(r, l, leaf->first_use);
    if (leaf->source == NO_SOURCE)
        return;
    if (!leaf->dropped && l->p[leaf->source].dropped)
        stray(v, leaf->name, "is dropped in the blob and used in the spec");
    used[leaf->source] = used[leaf->source] || made;
}

static bool say_strays(struct run *r, const char *path, const struct strays *v)
{
    struct diag_item *item;
    if (v->n == 0)
        return true;
    item = diag_add_file(&r->diag, "E0709", str_c(path), DIAG_NO_OFFSET,
                         "the blob was made from other sources than the "
                         "spec's: `%.*s` %s",
                         STR_ARG(v->name), v->what);
    if (v->n > 1)
        diag_note(&r->diag, item, "%zu more differ%s", v->n - 1,
                  v->n == 2 ? "s" : "");
    diag_note(&r->diag, item,
              "the contract id, which is the same, says nothing of the "
              "sources' names");
    diag_help(&r->diag, item, "give the spec that the blob was compiled by");
    return false;
}

static bool bind_all(struct run *r, const char *path, struct lineage *l)
{
    struct model *m = &r->model;
    struct strays v = {0};
    size_t n = l->n;
    bool *used = arena_new(&r->arena, bool, n + m->leaf_count);
    for (size_t i = 0; i < m->leaf_count; i++)
        m->leaves[i]->source = NO_SOURCE;
    for (uint32_t i = 0; i < n; i++)
        bind_origin(r, l, i, &v);
    for (size_t i = 0; i < m->leaf_count; i++)
        bind_leaf(r, l, m->leaves[i], used, &v);
    for (size_t i = 0; i < n; i++)
        if (!l->p[i].dropped && l->p[i].leaf != NULL && !used[i])
            stray(&v, l->p[i].name,
                  "is used in the blob and dropped in the "
                  "spec");
    return say_strays(r, path, &v);
}

bool lineage_bind(struct run *r, const char *path, const struct ttsb_blob *blob,
                  struct lineage *out)
{
    *out = (struct lineage){0};
    return lineage_check(r, path, blob) && load_meta(r, path, blob, out) &&
           bind_all(r, path, out);
}
