/* SPDX-License-Identifier: MIT
 *
 * about.c - three texts, into META and out of it.
 *
 * META's keys are sorted, so that `about` is the first one if it is there at
 * all: nothing else of META is parsed.
 */
#include "about.h"

#include <errno.h>

#include "hash.h"
#include "json.h"
#include "meta.h"
#include "size.h"
#include "stfile.h"
#include "ttsb_format.h"

#define BEGINNING "{\"about\":"

/* --- reading the spec --- */

static struct str read_text(struct parser *p, const struct node *n)
{
    if (!field_is_text(p, n))
        return (struct str){0};
    if (n->text.n == 0 || n->text.n > TTSB_MAX_STRING ||
        memchr(n->text.p, '\0', n->text.n) != NULL ||
        utf8_bad(n->text) != n->text.n)
        diag_add(p->d, "E0111", diag_at(n->at),
                 "a text of `about:` is UTF-8 without NUL, of 1 to 65535 "
                 "bytes");
    field_is_uncut(p, n, "text");
    return n->text;
}

static void read_license(struct parser *p, const struct node *n, void *into)
{
    ((struct about *)into)->license = read_text(p, n);
}

static void read_source(struct parser *p, const struct node *n, void *into)
{
    ((struct about *)into)->source = read_text(p, n);
}

static void read_attribution(struct parser *p, const struct node *n, void *into)
{
    ((struct about *)into)->attribution = read_text(p, n);
}

static const struct field about_fields[] = {
    {"license", false, read_license},
    {"source", false, read_source},
    {"attribution", false, read_attribution},
};

void about_read(struct parser *p, const struct node *n, void *into)
{
    (void)into;
    fields_read(p, n, "`about:`", about_fields, FIELD_COUNT(about_fields),
                &p->spec->about);
}

/* --- META --- */

static void put_member(struct text *t, const char *key, struct str s,
                       const char **separator)
{
    if (s.n == 0)
        return;
    text_format(t, "%s\"%s\":", *separator, key);
    meta_string(t, s);
    *separator = ",";
}

void about_put(struct text *t, const struct about *about)
{
    const char *separator = "\"about\":{";
    size_t before = t->n;
    put_member(t, "attribution", about->attribution, &separator);
    put_member(t, "license", about->license, &separator);
    put_member(t, "source", about->source, &separator);
    if (t->n > before)
        text_c(t, "},");
}

/* --- reading a blob --- */

#define FIELD(b, field) ((b) + offsetof(struct ttsb_disk_section, field))

/* META's entry in the section table, NULL if there is none. */
static const uint8_t *find_meta(const uint8_t *superblock)
{
    const uint8_t *s =
        superblock + offsetof(struct ttsb_disk_superblock, sections);
    for (int i = 0; i < TTSB_MAX_SECTIONS; i++)
        if (load_u32(FIELD(s + i * (int)sizeof(struct ttsb_disk_section),
                           type)) == TTSB_SECTION_META)
            return s + i * (int)sizeof(struct ttsb_disk_section);
    return NULL;
}

/* The object behind BEGINNING; false unless it holds texts alone. */
static bool read_members(struct arena *a, struct json *j,
                         struct about_found *out)
{
    struct json_token key, value;
    size_t capacity = 0;
    if (!json_next(j, &key) || key.kind != JSON_OBJECT)
        return false;
    for (;;) {
        if (!json_next(j, &key))
            return false;
        if (key.kind == JSON_OBJECT_END)
            return true;
        if (!json_next(j, &value) || value.kind != JSON_STRING)
            return false;
        if (out->n == capacity)
            out->p = arena_grow(a, out->p, sizeof *out->p, out->n, &capacity);
        out->p[out->n++] = (struct about_member){key.text, value.text};
    }
}

int about_find(struct arena *a, int fd, uint64_t size, struct about_found *out)
{
    uint8_t superblock[TTSB_SUPERBLOCK_SIZE], hash[16];
    struct str beginning = str_c(BEGINNING), meta;
    const uint8_t *s;
    uint64_t at, n;
    struct json *j;
    char *p;
    int error = read_exactly(fd, 0, superblock, sizeof superblock);
    *out = (struct about_found){0};
    s = error == 0 ? find_meta(superblock) : NULL;
    if (s == NULL)
        return error;
    at = load_u64(FIELD(s, offset));
    n = load_u64(FIELD(s, size));
    if (!size_inside(at, n, size))
        return ENODATA; /* it was checked: another file is there by now */
    p = arena_take(a, 1, (size_t)n + 1);
    error = read_exactly(fd, at, p, (size_t)n);
    if (error != 0)
        return error;
    meta = (struct str){p, (size_t)n};
    ttsb__hash128(p, (size_t)n, hash);
    out->readable = memcmp(hash, FIELD(s, hash), sizeof hash) == 0;
    if (!out->readable || !str_begins(meta, beginning))
        return 0;
    j = arena_new(a, struct json, 1);
    json_start(j, a, str_cut(meta, beginning.n, meta.n), at + beginning.n);
    out->readable = read_members(a, j, out);
    return 0;
}
