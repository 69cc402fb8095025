/* SPDX-License-Identifier: MIT
 *
 * inspect_blob.c - the tensors of a blob, as a table or as JSON.
 *
 * In: an open file. Out: text. A blob goes through libttsb, as it would in any
 * engine.
 */
#include "inspect.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "about.h"
#include "meta.h"

static void put_flags(struct text *t, const struct ttsb_tensor *x,
                      const char *quote, const char *comma)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } flags[] = {{TTSB_RECORD_ALIAS, "alias"},
                 {TTSB_RECORD_OPTIONAL, "optional"},
                 {TTSB_RECORD_ABSENT, "absent"},
                 {TTSB_RECORD_MISSING, "missing"}};
    const char *separator = "";
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if ((x->flags & flags[i].bit) == 0)
            continue;
        text_format(t, "%s%s%s%s", separator, quote, flags[i].name, quote);
        separator = comma;
    }
}

static struct ttsb_tensor tensor_at(const struct ttsb_blob *b, uint32_t i)
{
    struct ttsb_tensor x = {.struct_size = sizeof x};
    ttsb_tensor_at(b, i, &x, NULL); /* fills x for absent ones too */
    return x;
}

static void json_tensor(struct text *t, const struct ttsb_blob *b, uint32_t i)
{
    struct ttsb_tensor x = tensor_at(b, i);
    struct ttsb_group g = {.struct_size = sizeof g};
    uint8_t digest[16] = {0};
    ttsb_tensor_digest(b, i, digest);
    text_c(t, "{\"alias_of\":");
    if (x.alias_of == TTSB_NO_TENSOR)
        text_c(t, "null");
    else
        meta_string(t, str_c(tensor_at(b, x.alias_of).name));
    text_c(t, ",\"digest\":\"");
    text_hex(t, digest, 16);
    text_format(t, "\",\"dtype\":\"%s\",\"flags\":[",
                spec_dtype_name((enum ttsb_dtype)x.dtype));
    put_flags(t, &x, "\"", ",");
    ttsb_group_at(b, x.group, &g);
    text_c(t, "],\"group\":");
    meta_string(t, str_c(g.name));
    text_c(t, ",\"name\":");
    meta_string(t, str_c(x.name));
    text_format(t, ",\"offset\":%" PRIu64 ",\"shape\":", x.offset);
    text_sizes(t, x.dims, x.rank);
    text_format(t, ",\"size\":%" PRIu64 "}", x.size);
}

static void json_group(struct text *t, const struct ttsb_blob *b, uint32_t i)
{
    struct ttsb_group g = {.struct_size = sizeof g};
    ttsb_group_at(b, i, &g);
    text_format(t,
                "{\"align\":%" PRIu32 ",\"first_tensor\":%" PRIu32 ",\"name\":",
                g.align, g.first_tensor);
    meta_string(t, str_c(g.name));
    text_format(t,
                ",\"offset\":%" PRIu64 ",\"place\":\"%s\",\"size\":%" PRIu64
                ",\"tensor_count\":%" PRIu32 "}",
                g.offset, g.place == TTSB_PLACE_HOST ? "host" : "device",
                g.size, g.tensor_count);
}

/* The shortest of up to 17 digits that reads back as the same number. */
static void put_decimal(struct text *t, double x)
{
    char digits[40];
    int n = 1;
    do
        snprintf(digits, sizeof digits, "%.*g", n, x);
    while (strtod(digits, NULL) != x && ++n <= 17);
    text_c(t, digits);
}

static void put_item(struct text *t, const struct ttsb_blob *b,
                     const struct ttsb_constant *c, uint32_t item, bool json)
{
    struct ttsb_string s = {0};
    int64_t n = 0;
    double x = 0;
    uint64_t bits;
    switch (c->type & ~(uint32_t)TTSB_CONST_LIST) {
    case TTSB_CONST_I64:
        ttsb_constant_i64(b, c, item, &n);
        text_format(t, "%" PRId64, n);
        break;
    case TTSB_CONST_F64:
        ttsb_constant_f64(b, c, item, &x);
        memcpy(&bits, &x, sizeof bits);
        if (json)
            text_format(t, "\"%016" PRIx64 "\"", bits);
        else
            put_decimal(t, x);
        break;
    default:
        ttsb_constant_string(b, c, item, &s);
        meta_string(t, (struct str){s.bytes, s.length});
    }
}

static void put_constant(struct text *t, const struct ttsb_blob *b, uint32_t i,
                         bool json)
{
    static const char *const types[] = {"", "i64", "f64", "string"};
    struct ttsb_constant c = {.struct_size = sizeof c};
    const char *list;
    ttsb_constant_at(b, i, &c);
    list = (c.type & TTSB_CONST_LIST) != 0 ? "list-" : "";
    text_c(t, json ? "{\"items\":[" : "constant ");
    if (!json)
        text_format(t, "%s = ", c.name);
    for (uint32_t k = 0; k < c.items; k++) {
        text_c(t, k > 0 ? (json ? "," : ", ") : "");
        put_item(t, b, &c, k, json);
    }
    if (json)
        text_format(t, "],\"name\":\"%s\",\"type\":\"%s%s\"}", c.name, list,
                    types[c.type & 3]);
    else
        text_format(t, "  (%s%s)\n", list, types[c.type & 3]);
}

static void json_about(struct text *t, const struct about_found *about)
{
    text_c(t, about->readable ? "{" : "null");
    for (size_t i = 0; about->readable && i < about->n; i++) {
        text_c(t, i > 0 ? "," : "");
        meta_string(t, about->p[i].key);
        text_c(t, ":");
        meta_string(t, about->p[i].text);
    }
    text_c(t, about->readable ? "}" : "");
}

/* A blob and what of it is shown. */
struct view_of_blob {
    const struct ttsb_blob *b;
    struct ttsb_info info;
    struct about_found about;
    struct selection s;
};

static void json_blob(struct text *t, const struct view_of_blob *v)
{
    const struct ttsb_blob *b = v->b;
    const struct ttsb_info *info = &v->info;
    const struct selection *s = &v->s;
    text_c(t, "{\"about\":");
    json_about(t, &v->about);
    text_c(t, ",\"constants\":[");
    for (uint32_t i = 0; i < info->constant_count; i++) {
        text_c(t, i > 0 ? "," : "");
        put_constant(t, b, i, true);
    }
    text_format(t, "],\"container\":\"%u.%u\",\"contract_id\":\"",
                (unsigned)info->major, (unsigned)info->minor);
    text_hex(t, info->contract_id, 16);
    text_format(t,
                "\",\"file_size\":%" PRIu64 ",\"format\":\"ttsb\","
                "\"groups\":[",
                info->file_size);
    for (uint32_t i = 0; i < info->group_count; i++) {
        text_c(t, i > 0 ? "," : "");
        json_group(t, b, i);
    }
    text_format(t,
                "],\"model\":\"%s\",\"partial\":%s,\"revision\":%" PRIu64
                ",\"root\":\"",
                info->model, info->partial ? "true" : "false", info->revision);
    text_hex(t, info->root, 16);
    text_c(t, "\",\"tensors\":[");
    for (size_t i = 0; i < s->count; i++) {
        text_c(t, i > 0 ? "," : "");
        json_tensor(t, b, s->index[i]);
    }
    text_c(t, "]}\n");
}

static void list_tensor(struct text *t, const struct ttsb_blob *b, uint32_t i)
{
    struct ttsb_tensor x = tensor_at(b, i);
    struct text shape = {0};
    text_sizes(&shape, x.dims, x.rank);
    text_format(t, "%12" PRIu64 " %12" PRIu64 "  %-8s %-20s %s", x.offset,
                x.size, spec_dtype_name((enum ttsb_dtype)x.dtype), shape.p,
                x.name);
    if (x.flags != 0) {
        text_c(t, "  (");
        put_flags(t, &x, "", ", ");
        text_c(t, ")");
    }
    text_c(t, "\n");
    text_release(&shape);
}

static void list_group(struct text *t, const struct ttsb_group *g)
{
    text_format(t,
                "group %s (%s): %" PRIu32 " tensors, %" PRIu64
                " bytes at %" PRIu64 "\n",
                g->name, g->place == TTSB_PLACE_HOST ? "host" : "device",
                g->tensor_count, g->size, g->offset);
}

/* In file order each group is followed by what is shown of it; in another
 * order the groups stand first. */
static void list_groups(struct text *t, const struct ttsb_blob *b,
                        uint32_t count, const struct selection *s,
                        bool file_order)
{
    size_t k = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct ttsb_group g = {.struct_size = sizeof g};
        ttsb_group_at(b, i, &g);
        list_group(t, &g);
        for (; file_order && k < s->count &&
               s->index[k] < g.first_tensor + g.tensor_count;
             k++)
            list_tensor(t, b, s->index[k]);
    }
    for (; k < s->count; k++)
        list_tensor(t, b, s->index[k]);
}

static void list_about(struct text *t, const struct about_found *about)
{
    if (!about->readable)
        text_c(t, "about: META is damaged: see ttswc verify\n");
    for (size_t i = 0; about->readable && i < about->n; i++) {
        text_format(t, "about %.*s = ", STR_ARG(about->p[i].key));
        meta_string(t, about->p[i].text);
        text_c(t, "\n");
    }
}

static void list_head(struct text *t, const struct view_of_blob *v)
{
    const struct ttsb_info *info = &v->info;
    text_format(t, "%s  revision %" PRIu64 "  container %u.%u%s\ncontract ",
                info->model, info->revision, (unsigned)info->major,
                (unsigned)info->minor, info->partial ? "  PARTIAL" : "");
    text_hex(t, info->contract_id, 16);
    text_c(t, "\nroot     ");
    text_hex(t, info->root, 16);
    text_c(t, "\n");
    list_about(t, &v->about);
    for (uint32_t i = 0; i < info->constant_count; i++)
        put_constant(t, v->b, i, false);
}

/* What is shown of an open blob. */
static void show_blob(struct run *r, const struct args *args,
                      struct view_of_blob *v, struct text *t)
{
    struct selection_request q = inspect_request(args);
    if (!selection_of_blob(&r->arena, &r->diag, v->b, &q, &v->s))
        return;
    if (args->json) {
        json_blob(t, v);
        return;
    }
    list_head(t, v);
    list_groups(t, v->b, v->info.group_count, &v->s, args->sort == SORT_FILE);
    inspect_totals(t, args, "ttsb",
                   (struct inspect_totals){v->s.count, v->info.tensor_count,
                                           args->count == 1 ? v->info.file_size
                                                            : v->s.bytes});
}

void inspect_cannot_read(struct run *r, const struct args *args, int error)
{
    diag_add_file(&r->diag, "E0705", str_c(args->positional[0]), DIAG_NO_OFFSET,
                  "cannot read: %s",
                  error == ENODATA ? "the file became shorter"
                                   : strerror(error));
}

void inspect_blob(struct run *r, const struct args *args, int fd,
                  struct text *t)
{
    struct ttsb_open_options options = {.struct_size = sizeof options,
                                        .flags = TTSB_OPEN_PARTIAL};
    struct ttsb_error e = {.struct_size = sizeof e};
    struct view_of_blob v = {.info.struct_size = sizeof v.info};
    struct ttsb_blob *b;
    int error;
    if (ttsb_open_fd(fd, &options, &b, &e) != TTSB_OK) {
        run_blob_error(r, args->positional[0], &e);
        return;
    }
    v.b = b;
    ttsb_info(b, &v.info);
    error = about_find(&r->arena, fd, v.info.file_size, &v.about);
    if (error == 0)
        show_blob(r, args, &v, t);
    else
        inspect_cannot_read(r, args, error);
    ttsb_close(b);
}
