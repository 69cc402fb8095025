/* SPDX-License-Identifier: MIT
 *
 * checkpoint.c - opens files, joins their headers.
 *
 * First the names of all files, then all headers, then what they say of each
 * other: a stage collects all its findings, and the next one does not begin
 * after any.
 */
#include "checkpoint.h"

#include <inttypes.h>

#include "shards.h"
#include "text.h"
#include "ttsb.h"

/* The files that one argument of a source names. */
struct part {
    struct shard_set set;
    size_t first_file;
};

struct opening {
    struct arena *a;
    struct diag *d;
    struct checkpoint *c;
    struct part *parts; /* of all sources */
    size_t part_count;
};

/* --- names --- */

/* Tensors of a source that are in more than one file. */
struct repeated {
    struct str *names;
    size_t count;
    uint32_t first, second; /* the least name's tensors */
};

static bool say_repeated(struct arena *a, struct diag *d,
                         const struct checkpoint *c, const struct repeated *r)
{
    struct diag_item *item;
    struct str name;
    size_t count;
    if (r->count == 0)
        return true;
    name = c->tensors[r->first].name;
    count = shards_distinct(r->names, r->count);
    item = diag_add_file(d, "E0702", checkpoint_path(c, r->second),
                         c->tensors[r->second].header_offset,
                         "%zu tensor%s in more than one file: %.*s", count,
                         count == 1 ? " is" : "s are",
                         STR_ARG(shards_names(a, r->names, count)));
    diag_note(d, item, "`%.*s` is in %.*s, too", STR_ARG(name),
              STR_ARG(checkpoint_path(c, r->first)));
    return false;
}

static bool join_source(struct arena *a, struct diag *d, struct checkpoint *c,
                        uint32_t source)
{
    struct checkpoint_source *s = &c->sources[source];
    struct repeated twice = {.names = arena_new(a, struct str, s->count)};
    uint32_t next = s->first;
    nametab_reserve(a, &s->names, s->count);
    for (uint32_t f = s->first_file; f < s->first_file + s->file_count; f++) {
        const struct st_header *h = &c->files[f].header;
        for (size_t i = 0; i < h->count; i++, next++) {
            struct str name = h->tensors[i].name;
            uint32_t index = next;
            c->tensors[next] = h->tensors[i];
            c->places[next] = (struct tensor_place){f, source};
            if (nametab_add(a, &s->names, name, &index))
                continue;
            if (twice.count == 0 ||
                str_order(name, c->tensors[twice.first].name) < 0) {
                twice.first = index;
                twice.second = next;
            }
            twice.names[twice.count++] = name;
        }
    }
    return say_repeated(a, d, c, &twice);
}

bool checkpoint_join(struct arena *a, struct diag *d, struct checkpoint *c)
{
    bool ok = true;
    c->count = 0;
    for (uint32_t i = 0; i < c->source_count; i++) {
        struct checkpoint_source *s = &c->sources[i];
        s->first = (uint32_t)c->count;
        for (uint32_t k = 0; k < s->file_count; k++)
            c->count += c->files[s->first_file + k].header.count;
        s->count = (uint32_t)c->count - s->first;
    }
    c->tensors = arena_new(a, struct st_tensor, c->count);
    c->places = arena_new(a, struct tensor_place, c->count);
    for (uint32_t i = 0; i < c->source_count; i++)
        ok = join_source(a, d, c, i) && ok;
    return ok;
}

/* --- files --- */

/* The arguments of all sources as files, none of them opened yet. */
static bool find_files(struct opening *o,
                       const struct source_arguments *sources)
{
    struct checkpoint *c = o->c;
    struct part *part = o->parts;
    size_t n = 0;
    bool ok = true;
    for (size_t i = 0; i < c->source_count; i++) {
        struct checkpoint_source *s = &c->sources[i];
        *s = (struct checkpoint_source){.id = sources[i].id,
                                        .first_file = (uint32_t)n};
        for (size_t k = 0; k < sources[i].count; k++, part++) {
            ok = shards_find(o->a, o->d, sources[i].paths[k], &part->set) && ok;
            part->first_file = n;
            n += part->set.count;
            if (part->set.index.n > 0)
                c->indexes[c->index_count++] = part->set.index;
            if (part->set.folder.path.n > 0)
                c->folders[c->folder_count++] = part->set.folder;
        }
        s->file_count = (uint32_t)n - s->first_file;
    }
    if (n <= CHECKPOINT_MAX_FILES)
        return ok;
    diag_add_file(o->d, "E0702", sources[0].paths[0], DIAG_NO_OFFSET,
                  "%zu files; at most %d are possible", n,
                  CHECKPOINT_MAX_FILES);
    return false;
}

static bool open_files(struct opening *o)
{
    struct checkpoint *c = o->c;
    const struct part *last = &o->parts[o->part_count - 1];
    bool ok = true;
    c->files =
        arena_new(o->a, struct stfile, last->first_file + last->set.count);
    for (const struct part *p = o->parts; p <= last; p++)
        for (size_t i = 0; i < p->set.count; i++)
            ok = stfile_open(o->a, o->d, p->set.paths[i],
                             &c->files[c->file_count++]) &&
                 ok;
    return ok;
}

static bool compare_indexes(struct opening *o)
{
    bool ok = true;
    for (size_t i = 0; i < o->part_count; i++)
        ok = shards_agree(o->a, o->d, &o->parts[i].set,
                          &o->c->files[o->parts[i].first_file]) &&
             ok;
    return ok;
}

bool checkpoint_open(struct arena *a, struct diag *d,
                     const struct source_arguments *sources, size_t count,
                     struct checkpoint *out)
{
    struct opening o = {.a = a, .d = d, .c = out};
    *out = (struct checkpoint){.source_count = count};
    for (size_t i = 0; i < count; i++)
        o.part_count += sources[i].count;
    o.parts = arena_new(a, struct part, o.part_count);
    out->sources = arena_new(a, struct checkpoint_source, count);
    out->indexes = arena_new(a, struct str, o.part_count);
    out->folders = arena_new(a, struct shard_folder, o.part_count);
    if (find_files(&o, sources) && open_files(&o)) {
        bool agree = compare_indexes(&o);
        if (checkpoint_join(a, d, out) && agree)
            return true;
    }
    checkpoint_close(out);
    return false;
}

bool checkpoint_has_values(struct diag *d, const struct checkpoint *c)
{
    bool ok = true;
    for (size_t i = 0; i < c->file_count; i++) {
        struct diag_item *item;
        if (!c->files[i].is_lock)
            continue;
        ok = false;
        item = diag_add_file(d, "E0703", c->files[i].path, DIAG_NO_OFFSET,
                             "this is a lock: it has names, dtypes and shapes, "
                             "and no weights");
        diag_help(d, item,
                  "weights are read here: give the checkpoint that it was "
                  "made from");
    }
    return ok;
}

void checkpoint_close(struct checkpoint *c)
{
    for (size_t i = 0; i < c->file_count; i++)
        stfile_close(&c->files[i]);
    c->file_count = 0;
}

bool checkpoint_find(const struct checkpoint *c, uint32_t source,
                     struct str name, uint32_t *index)
{
    return nametab_find(&c->sources[source].names, name, index);
}

struct str checkpoint_path(const struct checkpoint *c, uint32_t index)
{
    return c->files[c->places[index].file].path;
}

struct str checkpoint_called(struct arena *a, const struct checkpoint *c,
                             uint32_t source)
{
    if (c->source_count == 1)
        return str_c("the checkpoint");
    return arena_format(a, "the checkpoint `%.*s`",
                        STR_ARG(c->sources[source].id));
}

int checkpoint_read(const struct checkpoint *c, uint32_t index, uint64_t offset,
                    void *out, size_t size)
{
    return stfile_read(&c->files[c->places[index].file], &c->tensors[index],
                       offset, out, size);
}

bool checkpoint_changed(const struct checkpoint *c, struct str *path)
{
    for (size_t i = 0; i < c->file_count; i++) {
        *path = c->files[i].path;
        if (stfile_changed(&c->files[i]))
            return true;
    }
    return false;
}

struct str checkpoint_shape(struct arena *a, const struct st_tensor *tensor)
{
    struct text t = {0};
    struct str s;
    text_sizes(&t, tensor->dims, tensor->rank);
    s = arena_str(a, text_view(&t));
    text_release(&t);
    return s;
}

struct str checkpoint_tensor_text(struct arena *a, const struct checkpoint *c,
                                  uint32_t index)
{
    const struct st_tensor *t = &c->tensors[index];
    bool is_lock = c->files[c->places[index].file].is_lock;
    return arena_format(a, "%.*s: `%.*s` is %s %.*s (%sbyte %" PRIu64 ")",
                        STR_ARG(checkpoint_path(c, index)), STR_ARG(t->name),
                        ttsb_dtype_name(t->dtype),
                        STR_ARG(checkpoint_shape(a, t)),
                        is_lock ? "" : "header ", t->header_offset);
}
