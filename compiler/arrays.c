/* SPDX-License-Identifier: MIT
 *
 * arrays.c - one array in a file, or one in each member of an archive.
 */
#include "arrays.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "meta.h"
#include "npy.h"
#include "zip.h"

struct array {
    struct npy_header header;
    pthread_mutex_t lock;
    uint8_t *turned; /* values of a Fortran array, row major; or NULL */
};

struct arrays {
    int fd;
    bool zipped;
    struct zip zip;
    struct array *p;
    size_t n;
};

/* --- what it is --- */

bool arrays_is_file(const char *path)
{
    uint8_t b[30 + 256];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = fd >= 0 ? pread(fd, b, sizeof b, 0) : -1;
    size_t n = got > 0 ? (size_t)got : 0, name;
    if (fd >= 0)
        close(fd);
    if (npy_begins(b, n))
        return true;
    if (n < 4 || memcmp(b, "PK", 2) != 0)
        return false;
    if (str_ends(str_c(path), ".npz"))
        return true;
    if (n < 30 || memcmp(b, "PK\3\4", 4) != 0)
        return false;
    name = (size_t)b[26] | (size_t)b[27] << 8;
    return name <= n - 30 &&
           str_ends((struct str){(const char *)b + 30, name}, ".npy");
}

/* --- opening --- */

struct opening {
    struct arena *a;
    struct diag *d;
    struct str path;
    struct arrays *x;
    uint64_t size; /* of the file */
};

static bool say_system(struct opening *o, const char *why)
{
    diag_add_file(o->d, "E0705", o->path, DIAG_NO_OFFSET, "cannot read: %s",
                  why);
    return false;
}

static bool say_errno(struct opening *o, int error)
{
    return say_system(o, error == ENODATA ? "the file became shorter"
                                          : strerror(error));
}

/* The bytes at a member's (or the file's) start. */
static int read_first(struct opening *o, size_t i, void *out, size_t n)
{
    return o->x->zipped ? zip_read(&o->x->zip, i, 0, out, n)
                        : read_exactly(o->x->fd, 0, out, n);
}

static bool say_member(struct opening *o, size_t i, uint64_t offset,
                       const char *text)
{
    const struct zip_member *m = &o->x->zip.members[i];
    struct text t = {0};
    meta_word(&t, str_cut(m->name, 0, m->name.n < 200 ? m->name.n : 200));
    diag_add_file(o->d, "E0711", o->path, m->header,
                  "in the member %.*s, at byte %" PRIu64 " of it: %s",
                  STR_ARG(text_view(&t)), offset, text);
    text_release(&t);
    return false;
}

static bool say(struct opening *o, size_t i, uint64_t offset, const char *text)
{
    if (o->x->zipped)
        return say_member(o, i, offset, text);
    diag_add_file(o->d, "E0711", o->path, offset, "%s", text);
    return false;
}

static bool read_array(struct opening *o, size_t i)
{
    struct array *r = &o->x->p[i];
    uint64_t size = o->x->zipped ? o->x->zip.members[i].plain_size : o->size;
    size_t n = size < NPY_MAX_HEADER ? (size_t)size : NPY_MAX_HEADER;
    struct npy_error error;
    uint8_t *b = malloc(n + 1);
    bool ok;
    int failed;
    if (b == NULL)
        arena_exhausted();
    failed = read_first(o, i, b, n);
    if (o->x->zipped)
        zip_rest(&o->x->zip, i);
    if (failed == EBADMSG) {
        ok = say(o, i, 0, "the packed bytes are damaged");
    } else if (failed != 0) {
        ok = say_errno(o, failed);
    } else {
        ok = npy_parse(b, n, size, &r->header, &error);
        if (!ok)
            say(o, i, error.offset, error.text);
    }
    free(b);
    return ok;
}

static bool open_archive(struct opening *o)
{
    struct zip_error error;
    struct arrays *x = o->x;
    if (!zip_open(o->a, x->fd, o->size, &x->zip, &error)) {
        if (error.error != 0)
            return say_errno(o, error.error);
        diag_add_file(o->d, "E0711", o->path, error.offset, "%s", error.text);
        return false;
    }
    x->n = x->zip.count;
    for (size_t i = 0; i < x->n; i++)
        if (!str_ends(x->zip.members[i].name, ".npy"))
            return say_member(o, i, 0, "it is no .npy array");
    return true;
}

static struct str name_of(const struct opening *o, size_t i)
{
    struct str path = o->path, name;
    if (o->x->zipped)
        name = o->x->zip.members[i].name;
    else
        name = str_cut(path, str_folder(path).n, path.n);
    return str_ends(name, ".npy") ? str_cut(name, 0, name.n - 4) : name;
}

static void fill(const struct opening *o, size_t i, struct tensor *t)
{
    const struct npy_header *h = &o->x->p[i].header;
    const struct zip_member *m = o->x->zipped ? &o->x->zip.members[i] : NULL;
    *t = (struct tensor){.name = name_of(o, i),
                         .dtype = h->dtype,
                         .rank = h->rank,
                         .dims = h->dims,
                         .elements = h->elements,
                         .size = h->bytes,
                         .offset = m != NULL ? m->header : h->start,
                         .file = o->path,
                         .number = (uint32_t)i,
                         .alias_of = TTSB_NO_TENSOR,
                         .has_values = true};
}

static bool open_arrays(struct opening *o, struct tensors *out)
{
    struct arrays *x = o->x;
    uint8_t first[4] = {0};
    int error = read_exactly(x->fd, 0, first, sizeof first);
    if (error != 0)
        return say_errno(o, error);
    x->zipped = memcmp(first, "PK", 2) == 0;
    x->n = 1;
    if (x->zipped && !open_archive(o))
        return false;
    x->p = arena_new(o->a, struct array, x->n);
    out->p = arena_new(o->a, struct tensor, x->n);
    out->n = x->n;
    for (size_t i = 0; i < x->n; i++)
        pthread_mutex_init(&x->p[i].lock, NULL);
    for (size_t i = 0; i < x->n; i++) {
        if (!read_array(o, i))
            return false;
        fill(o, i, &out->p[i]);
    }
    return true;
}

bool arrays_open(struct arena *a, struct diag *d, struct str path,
                 struct tensors *out)
{
    struct opening o = {.a = a, .d = d, .path = path};
    struct stat st;
    o.x = arena_new(a, struct arrays, 1);
    o.x->fd = open(path.p, O_RDONLY | O_CLOEXEC);
    if (o.x->fd < 0 || fstat(o.x->fd, &st) != 0) {
        say_errno(&o, errno);
        arrays_close(o.x);
        return false;
    }
    o.size = (uint64_t)st.st_size;
    if (!open_arrays(&o, out)) {
        arrays_close(o.x);
        out->n = 0;
        return false;
    }
    out->kind = o.x->zipped ? TENSORS_NPZ : TENSORS_NPY;
    out->arrays = o.x;
    return true;
}

/* --- reading --- */

static int read_stored(struct arrays *x, size_t i, uint64_t offset, void *out,
                       size_t size)
{
    uint64_t at = x->p[i].header.start + offset;
    return x->zipped ? zip_read(&x->zip, i, at, out, size)
                     : read_exactly(x->fd, at, out, size);
}

/* From the first index running fastest to the last. */
static void turn(const struct npy_header *h, const uint8_t *from, uint8_t *to)
{
    size_t size = (size_t)(h->bytes / h->elements);
    uint64_t at[NPY_MAX_RANK] = {0}, strides[NPY_MAX_RANK], e = 0, stride = 1;
    for (uint32_t k = 0; k < h->rank; k++) {
        strides[k] = stride;
        stride *= h->dims[k];
    }
    for (uint64_t i = 0; i < h->elements; i++) {
        memcpy(to + i * size, from + e * size, size);
        for (uint32_t k = h->rank; k-- > 0;) {
            e += strides[k];
            if (++at[k] < h->dims[k])
                break;
            e -= strides[k] * h->dims[k];
            at[k] = 0;
        }
    }
}

static int make_turned(struct arrays *x, size_t i)
{
    struct array *r = &x->p[i];
    size_t n = (size_t)r->header.bytes;
    uint8_t *from, *to;
    int error;
    if (r->header.bytes > ARRAYS_MAX_TURNED)
        return EFBIG;
    from = malloc(n);
    to = malloc(n);
    error = from == NULL || to == NULL ? ENOMEM : 0;
    if (error == 0)
        error = read_stored(x, i, 0, from, n);
    if (error == 0)
        turn(&r->header, from, to);
    free(from);
    if (error == 0)
        r->turned = to;
    else
        free(to);
    return error;
}

int arrays_read(struct arrays *x, size_t i, uint64_t offset, void *out,
                size_t size)
{
    struct array *r = &x->p[i];
    int error = 0;
    if (size == 0)
        return 0;
    if (!r->header.fortran || r->header.rank < 2)
        return read_stored(x, i, offset, out, size);
    pthread_mutex_lock(&r->lock);
    if (r->turned == NULL)
        error = make_turned(x, i);
    pthread_mutex_unlock(&r->lock);
    if (error == 0)
        memcpy(out, r->turned + offset, size);
    return error;
}

void arrays_close(struct arrays *x)
{
    for (size_t i = 0; x->p != NULL && i < x->n; i++) {
        free(x->p[i].turned);
        pthread_mutex_destroy(&x->p[i].lock);
    }
    zip_close(&x->zip);
    if (x->fd >= 0)
        close(x->fd);
    x->fd = -1;
}
