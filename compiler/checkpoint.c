/* SPDX-License-Identifier: MIT
 *
 * checkpoint.c - opens files, joins their headers.
 */
#include "checkpoint.h"

#include "text.h"

static void join_source(struct arena *a, struct checkpoint *c, uint32_t source)
{
    struct checkpoint_source *s = &c->sources[source];
    uint32_t next = s->first;
    nametab_reserve(a, &s->names, s->count);
    for (uint32_t f = s->first_file; f < s->first_file + s->file_count; f++) {
        const struct st_header *h = &c->files[f].header;
        for (size_t i = 0; i < h->count; i++, next++) {
            uint32_t index = next;
            c->tensors[next] = h->tensors[i];
            c->places[next] = (struct tensor_place){f, source};
            nametab_add(a, &s->names, h->tensors[i].name, &index);
        }
    }
}

void checkpoint_join(struct arena *a, struct checkpoint *c)
{
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
        join_source(a, c, i);
}

bool checkpoint_open(struct arena *a, struct diag *d, struct str path,
                     struct checkpoint *out)
{
    *out = (struct checkpoint){0};
    out->files = arena_new(a, struct stfile, 1);
    out->sources = arena_new(a, struct checkpoint_source, 1);
    out->sources[0] =
        (struct checkpoint_source){.id = str_c("main"), .file_count = 1};
    if (!stfile_open(a, d, path, &out->files[0]))
        return false;
    out->file_count = out->source_count = 1;
    checkpoint_join(a, out);
    return true;
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
