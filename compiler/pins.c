/* SPDX-License-Identifier: MIT
 *
 * pins.c - first each file finds its pin by name, then all are hashed.
 *
 * SHA-256 is nettle's; the digests are those of `sha256sum` and of what hubs
 * print beside a large file.
 */
#include "pins.h"

#include <errno.h>
#include <inttypes.h>
#include <nettle/sha2.h>
#include <nettle/version.h>

#include "pool.h"
#include "progress.h"
#include "shards.h"
#include "text.h"

#define BLOCK ((size_t)64 << 10)

_Static_assert(sizeof((struct pin *)0)->digest == SHA256_DIGEST_SIZE,
               "a pin is a SHA-256");

/* --- reading the spec --- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool parse_digest(struct str s, uint8_t out[SHA256_DIGEST_SIZE])
{
    if (s.n != 2 * SHA256_DIGEST_SIZE)
        return false;
    for (size_t i = 0; i < SHA256_DIGEST_SIZE; i++) {
        int high = hex_digit(s.p[2 * i]), low = hex_digit(s.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

static void add_pin(struct parser *p, struct str file, const struct node *n,
                    struct source_spec *s)
{
    struct pin *pin = &s->pins[s->pin_count++];
    *pin = (struct pin){.file = file};
    if (!field_is_text(p, n))
        return;
    pin->at = n->raw;
    if (!parse_digest(n->text, pin->digest))
        diag_add(p->d, "E0111", diag_at(n->at),
                 "a SHA-256 is written as 64 hexadecimal digits, as sha256sum "
                 "prints it");
}

static void read_files(struct parser *p, const struct node *n,
                       struct source_spec *s)
{
    s->pins = arena_new(p->a, struct pin, n->count);
    for (size_t i = 0; i < n->count; i++) {
        struct str file = n->keys[i]->text;
        if (file.n > 0 && memchr(file.p, '/', file.n) == NULL)
            add_pin(p, file, n->items[i], s);
        else
            diag_add(p->d, "E0111", diag_at(n->keys[i]->at),
                     "a file is pinned by its plain name: no folder");
    }
    if (n->count == 0 || n->count > CHECKPOINT_MAX_FILES)
        diag_add(p->d, "E0111", diag_at(n->at), "`sha256:` names 1 to %d files",
                 CHECKPOINT_MAX_FILES);
}

void pins_read(struct parser *p, const struct node *n, void *into)
{
    struct source_spec *s = into;
    s->pins_at = n->at;
    if (n->kind == NODE_MAP) {
        read_files(p, n, s);
    } else if (n->kind == NODE_SCALAR) {
        s->pins = arena_new(p->a, struct pin, 1);
        add_pin(p, (struct str){0}, n, s);
    } else {
        diag_add(p->d, "E0110", diag_at(n->at),
                 "`sha256:` is a digest, or a map of file names to digests");
    }
}

/* --- names --- */

/* A file and the pin that holds it. */
struct pinned {
    const struct pin *pin;
    const struct stfile *file;
    uint8_t digest[SHA256_DIGEST_SIZE];
    int error;
};

/* All of one run. */
struct pinning {
    struct arena *a;
    struct diag *d;
    struct pinned *files;
    size_t count;
    struct progress progress;
};

/* The files of one source that has pins. */
struct pinned_source {
    const struct source_spec *spec;
    const struct stfile *files;
    size_t count;
};

static struct str plain_name(const struct stfile *f)
{
    return str_cut(f->path, str_folder(f->path).n, f->path.n);
}

static void pin_file(struct pinning *x, const struct pin *pin,
                     const struct stfile *file)
{
    x->files[x->count++] = (struct pinned){.pin = pin, .file = file};
}

/* One digest, without a name. */
static void match_single(struct pinning *x, const struct pinned_source *s)
{
    const struct pin *pin = &s->spec->pins[0];
    struct diag_item *item;
    if (s->count == 1) {
        pin_file(x, pin, &s->files[0]);
        return;
    }
    item = diag_add(x->d, "E0708", diag_at(pin->at),
                    "source `%.*s` has %zu files, and one digest is pinned",
                    STR_ARG(s->spec->id), s->count);
    diag_help(x->d, item, "write one for each: sha256: {%.*s: DIGEST, ...}",
              STR_ARG(plain_name(&s->files[0])));
}

static const struct pin *pin_of(const struct source_spec *s, struct str name)
{
    for (size_t i = 0; i < s->pin_count; i++)
        if (str_eq(s->pins[i].file, name))
            return &s->pins[i];
    return NULL;
}

/* The files of a source that have no pin. */
static size_t without_pin(struct arena *a, const struct pinned_source *s,
                          struct str *text)
{
    struct str *names = arena_new(a, struct str, s->count);
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++)
        if (pin_of(s->spec, plain_name(&s->files[i])) == NULL)
            names[n++] = plain_name(&s->files[i]);
    *text = shards_names(a, names, n);
    return n;
}

/* Finds the file of a pin; false after a finding. */
static bool match_name(struct pinning *x, const struct pinned_source *s,
                       const struct pin *pin, struct str unpinned)
{
    struct diag_item *item;
    size_t found = 0;
    for (size_t k = 0; k < s->count; k++) {
        if (!str_eq(plain_name(&s->files[k]), pin->file))
            continue;
        pin_file(x, pin, &s->files[k]);
        found++;
    }
    if (found == 1)
        return true;
    if (found > 1) {
        diag_add(x->d, "E0708", diag_at(pin->at),
                 "%zu files of source `%.*s` are called `%.*s`", found,
                 STR_ARG(s->spec->id), STR_ARG(pin->file));
        return false;
    }
    item = diag_add(x->d, "E0708", diag_at(pin->at),
                    "no file of source `%.*s` is called `%.*s`",
                    STR_ARG(s->spec->id), STR_ARG(pin->file));
    if (unpinned.n > 0)
        diag_note(x->d, item, "not pinned: %.*s", STR_ARG(unpinned));
    return false;
}

/* Each pin has one file, and each file a pin; else it is said. */
static void match_names(struct pinning *x, const struct pinned_source *s)
{
    struct str unpinned;
    size_t n = without_pin(x->a, s, &unpinned);
    bool ok = true;
    for (size_t i = 0; i < s->spec->pin_count; i++)
        ok = match_name(x, s, &s->spec->pins[i], unpinned) && ok;
    if (ok && n > 0)
        diag_add(x->d, "E0708", diag_at(s->spec->pins_at),
                 "%zu file%s of source `%.*s` %s not pinned: %.*s", n,
                 n == 1 ? "" : "s", STR_ARG(s->spec->id), n == 1 ? "is" : "are",
                 STR_ARG(unpinned));
}

/* A lock does not have its file's digest, so nothing of it can be judged. */
static bool has_lock(struct pinning *x, const struct pinned_source *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct diag_item *item;
        if (!s->files[i].is_lock)
            continue;
        item = diag_add(x->d, "W0708", diag_at(s->spec->pins_at),
                        "not checked, since `%.*s` is a lock",
                        STR_ARG(s->files[i].path));
        diag_note(x->d, item,
                  "a lock says nothing of the file that it was made from but "
                  "names, dtypes and shapes");
        return true;
    }
    return false;
}

static void match_all(struct pinning *x, const struct spec *s,
                      const struct checkpoint *c)
{
    x->files = arena_new(x->a, struct pinned, c->file_count);
    for (uint32_t i = 0; i < s->source_count; i++) {
        const struct checkpoint_source *from = &c->sources[i];
        struct pinned_source source = {
            &s->sources[i], &c->files[from->first_file], from->file_count};
        if (source.spec->pin_count == 0 || has_lock(x, &source))
            continue;
        if (source.spec->pins[0].file.n == 0)
            match_single(x, &source);
        else
            match_names(x, &source);
    }
}

/* --- bytes --- */

static void finish(struct sha256_ctx *ctx, uint8_t out[SHA256_DIGEST_SIZE])
{
#if NETTLE_VERSION_MAJOR >= 4
    sha256_digest(ctx, out);
#else
    sha256_digest(ctx, SHA256_DIGEST_SIZE, out);
#endif
}

static void hash_file(void *context, unsigned worker, size_t i)
{
    struct pinning *x = context;
    struct pinned *p = &x->files[i];
    uint64_t size = p->file->size, at = 0;
    uint8_t block[BLOCK];
    struct sha256_ctx ctx;
    (void)worker;
    sha256_init(&ctx);
    while (at < size && p->error == 0) {
        size_t n = size - at < BLOCK ? (size_t)(size - at) : BLOCK;
        p->error = read_exactly(p->file->fd, at, block, n);
        if (p->error == 0)
            sha256_update(&ctx, n, block);
        progress_add(&x->progress, (uint32_t)i, n);
        at += n;
    }
    finish(&ctx, p->digest);
}

static struct progress_label label(const void *context, uint32_t item)
{
    const struct pinning *x = context;
    return (struct progress_label){.source = x->files[item].file->path};
}

static void hash_all(struct pinning *x, const struct args *args)
{
    struct progress_plan plan = {args->progress, "hash", 0, label, x};
    for (size_t i = 0; i < x->count; i++)
        plan.total += x->files[i].file->size;
    progress_start(&x->progress, &plan);
    pool_run(args->jobs < x->count ? args->jobs : (unsigned)x->count, x->count,
             hash_file, x);
    progress_stop(&x->progress);
}

static struct str digest_text(struct arena *a, const uint8_t *digest)
{
    struct text t = {0};
    struct str s;
    text_hex(&t, digest, SHA256_DIGEST_SIZE);
    s = arena_str(a, text_view(&t));
    text_release(&t);
    return s;
}

static void judge(struct pinning *x, const struct pinned *p)
{
    struct diag_item *item;
    if (p->error != 0 || stfile_changed(p->file)) {
        bool changed = p->error == 0 || p->error == ENODATA;
        diag_add_file(x->d, "E0705", p->file->path, DIAG_NO_OFFSET, "%s%s",
                      changed ? "" : "cannot read: ",
                      changed ? "the file changed while it was read"
                              : strerror(p->error));
        return;
    }
    if (memcmp(p->digest, p->pin->digest, sizeof p->digest) == 0)
        return;
    item = diag_add(x->d, "E0708", diag_at(p->pin->at),
                    "`%.*s` is not the file that is pinned",
                    STR_ARG(p->file->path));
    diag_note(x->d, item, "pinned:   %.*s",
              STR_ARG(digest_text(x->a, p->pin->digest)));
    diag_note(x->d, item, "the file: %.*s, %" PRIu64 " bytes",
              STR_ARG(digest_text(x->a, p->digest)), p->file->size);
    diag_help(x->d, item,
              "get the pinned file; if this one is meant, pin its digest");
}

bool pins_check(struct arena *a, struct diag *d, const struct spec *s,
                const struct checkpoint *c, const struct args *args)
{
    struct pinning x = {.a = a, .d = d};
    uint64_t before = d->errors;
    match_all(&x, s, c);
    if (d->errors != before)
        return false;
    if (x.count > 0)
        hash_all(&x, args);
    for (size_t i = 0; i < x.count; i++)
        judge(&x, &x.files[i]);
    return d->errors == before;
}
