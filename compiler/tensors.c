/* SPDX-License-Identifier: MIT
 *
 * tensors.c - a blob's records and a checkpoint's headers as one list.
 */
#include "tensors.h"

#include "arrays.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static void fill_shape(struct tensor *t)
{
    t->elements = 1;
    for (uint32_t i = 0; i < t->rank; i++)
        t->elements *= t->dims[i]; /* the header was checked for overflow */
}

/* --- checkpoints --- */

static bool open_checkpoint(struct arena *a, struct diag *d,
                            const struct str *paths, size_t count,
                            struct tensors *t)
{
    struct checkpoint *c = &t->checkpoint;
    struct source_arguments only = {str_c("main"), paths, count};
    size_t first = 0; /* tensor of its file */
    if (!checkpoint_open(a, d, &only, 1, c))
        return false;
    t->kind = TENSORS_SAFETENSORS;
    t->n = c->count;
    t->p = arena_new(a, struct tensor, t->n);
    for (size_t i = 0; i < t->n; i++) {
        const struct st_tensor *x = &c->tensors[i];
        const struct stfile *f = &c->files[c->places[i].file];
        if (i > 0 && c->places[i].file != c->places[i - 1].file)
            first = i;
        t->p[i] = (struct tensor){
            .name = x->name,
            .dtype = (enum ttsb_dtype)x->dtype,
            .rank = x->rank,
            .dims = x->dims,
            .size = x->end - x->begin,
            .offset = f->is_lock ? 0 : f->header.data_start + x->begin,
            .file = f->path,
            .number = (uint32_t)i,
            .alias_of = TTSB_NO_TENSOR,
            .has_values = !f->is_lock,
            .digest = f->digests != NULL ? f->digests[i - first] : NULL};
        fill_shape(&t->p[i]);
    }
    return true;
}

/* --- blobs --- */

static void fill_record(struct arena *a, const struct ttsb_blob *b, uint32_t i,
                        struct tensor *out)
{
    struct ttsb_tensor x = {.struct_size = sizeof x};
    uint64_t *dims = arena_new(a, uint64_t, TTSB_MAX_RANK);
    ttsb_tensor_at(b, i, &x, NULL); /* fills x for absent ones too */
    memcpy(dims, x.dims, x.rank * sizeof *dims);
    out->name = (struct str){x.name, x.name_length};
    out->dtype = (enum ttsb_dtype)x.dtype;
    out->rank = x.rank;
    out->dims = dims;
    out->size = x.size;
    out->offset = x.offset;
    out->number = i;
    out->flags = x.flags;
    out->group = x.group;
    out->alias_of = x.alias_of;
    out->has_values =
        (x.flags & (TTSB_RECORD_ABSENT | TTSB_RECORD_MISSING)) == 0;
    fill_shape(out);
}

bool tensors_system_error(const struct ttsb_error *e)
{
    return e->status >= 50 && e->status < 70;
}

void tensors_blob_error(struct diag *d, struct str path,
                        const struct ttsb_error *e)
{
    diag_add_file(d, tensors_system_error(e) ? "E0705" : "E0706", path,
                  e->offset > 0 ? e->offset : DIAG_NO_OFFSET, "%s: %s",
                  ttsb_status_name(e->status), e->text);
}

static bool open_blob(struct arena *a, struct diag *d, struct str path,
                      struct tensors *t)
{
    struct ttsb_open_options options = {.struct_size = sizeof options,
                                        .flags = TTSB_OPEN_PARTIAL};
    struct ttsb_error e = {.struct_size = sizeof e};
    struct ttsb_info info = {.struct_size = sizeof info};
    t->kind = TENSORS_BLOB;
    t->fd = open(path.p, O_RDONLY | O_CLOEXEC);
    if (t->fd < 0) {
        diag_add_file(d, "E0705", path, DIAG_NO_OFFSET, "cannot read: %s",
                      strerror(errno));
        return false;
    }
    if (ttsb_open_fd(t->fd, &options, &t->blob, &e) != TTSB_OK) {
        close(t->fd);
        tensors_blob_error(d, path, &e);
        return false;
    }
    ttsb_info(t->blob, &info);
    t->n = info.tensor_count;
    t->p = arena_new(a, struct tensor, t->n);
    for (uint32_t i = 0; i < info.tensor_count; i++) {
        fill_record(a, t->blob, i, &t->p[i]);
        t->p[i].file = path;
    }
    return true;
}

/* --- either --- */

/* A blob's first byte is 0x89; a safetensors header of that length and no more
 * than 2^24 bytes would need 0x54 0x54 behind it, so look at four. */
bool tensors_is_blob(const char *path)
{
    static const uint8_t magic[] = {0x89, 'T', 'T', 'S'};
    uint8_t first[4] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool is = fd >= 0 && pread(fd, first, sizeof first, 0) == 4 &&
              memcmp(first, magic, sizeof magic) == 0;
    if (fd >= 0)
        close(fd);
    return is;
}

bool tensors_open(struct arena *a, struct diag *d, const struct str *paths,
                  size_t count, struct tensors *out)
{
    *out = (struct tensors){.fd = -1};
    if (count == 1 && tensors_is_blob(paths[0].p))
        return open_blob(a, d, paths[0], out);
    if (count == 1 && arrays_is_file(paths[0].p))
        return arrays_open(a, d, paths[0], out);
    return open_checkpoint(a, d, paths, count, out);
}

int tensors_read(const struct tensors *t, size_t i, uint64_t offset, void *out,
                 size_t size)
{
    const struct tensor *x = &t->p[i];
    if (t->arrays != NULL)
        return arrays_read(t->arrays, i, offset, out, size);
    if (t->kind == TENSORS_SAFETENSORS)
        return checkpoint_read(&t->checkpoint, x->number, offset, out, size);
    return read_exactly(t->fd, x->offset + offset, out, size);
}

bool tensors_have_values(struct diag *d, const struct tensors *t)
{
    return t->kind != TENSORS_SAFETENSORS ||
           checkpoint_has_values(d, &t->checkpoint);
}

void tensors_close(struct tensors *t)
{
    if (t->arrays != NULL)
        arrays_close(t->arrays);
    t->arrays = NULL;
    if (t->kind == TENSORS_SAFETENSORS)
        checkpoint_close(&t->checkpoint);
    if (t->blob != NULL)
        ttsb_close(t->blob);
    if (t->blob != NULL)
        close(t->fd);
    t->blob = NULL;
}
