/* SPDX-License-Identifier: MIT
 *
 * against.c - what of an earlier blob's layout the spec changed.
 *
 * The contract ids alone decide. What is named are the tensors that are there
 * on one side only or have another type; where there are none, those that
 * moved, since one tensor that grows moves all behind it.
 */
#include "against.h"

#include <inttypes.h>

#define MAX_NAMED 3

struct comparison {
    struct run *r;
    const struct ttsb_blob *blob;
    struct str changed[MAX_NAMED], moved[MAX_NAMED];
    size_t changes, moves;
};

static void change(struct comparison *c, struct str text)
{
    if (c->changes++ < MAX_NAMED)
        c->changed[c->changes - 1] = text;
}

static void move(struct comparison *c, struct str text)
{
    if (c->moves++ < MAX_NAMED)
        c->moved[c->moves - 1] = text;
}

/* "f32 [3,4]" */
static struct str record_type(struct arena *a, const struct ttsb_tensor *x)
{
    struct text t = {0};
    struct str s;
    text_format(&t, "%s ", spec_dtype_name((enum ttsb_dtype)x->dtype));
    text_sizes(&t, x->dims, x->rank);
    s = arena_str(a, text_view(&t));
    text_release(&t);
    return s;
}

static struct str output_type(struct arena *a, const struct output *o)
{
    uint64_t dims[TTSB_MAX_RANK] = {0};
    struct ttsb_tensor x = {.dtype = (uint32_t)o->dtype, .rank = o->type.rank};
    for (uint32_t i = 0; i < o->type.rank; i++)
        dims[i] = o->type.axes[i].size;
    memcpy(x.dims, dims, sizeof x.dims);
    return record_type(a, &x);
}

static void compare_place(struct comparison *c, const struct output *o,
                          const struct ttsb_tensor *x)
{
    struct ttsb_group g = {.struct_size = sizeof g};
    struct str group = c->r->model.groups[o->group].name;
    ttsb_group_at(c->blob, x->group, &g);
    if (o->offset == x->group_offset && str_is(group, g.name))
        return;
    move(c, arena_format(&c->r->arena,
                         "`%.*s` was at byte %" PRIu64 " of `%s` and is at "
                         "byte %" PRIu64 " of `%.*s`",
                         STR_ARG(o->name), x->group_offset, g.name, o->offset,
                         STR_ARG(group)));
}

static void compare_output(struct comparison *c, const struct output *o)
{
    struct arena *a = &c->r->arena;
    struct ttsb_tensor x = {.struct_size = sizeof x};
    struct str was, is = output_type(a, o);
    bool alias = o->alias_of != TTSB_NO_TENSOR;
    if (ttsb_find(c->blob, arena_str(a, o->name).p, &x, NULL) != TTSB_OK) {
        change(c, arena_format(a, "`%.*s` is new", STR_ARG(o->name)));
        return;
    }
    was = record_type(a, &x);
    if (!str_eq(was, is))
        change(c, arena_format(a, "`%.*s` was %.*s and is %.*s",
                               STR_ARG(o->name), STR_ARG(was), STR_ARG(is)));
    else if (alias != (x.alias_of != TTSB_NO_TENSOR))
        change(c, arena_format(a, "`%.*s` %s an alias", STR_ARG(o->name),
                               alias ? "became" : "is no longer"));
    else
        compare_place(c, o, &x);
}

static void compare_all(struct comparison *c, uint32_t count)
{
    struct model *m = &c->r->model;
    for (size_t i = 0; i < m->output_count; i++)
        compare_output(c, &m->outputs[i]);
    for (uint32_t i = 0; i < count; i++) {
        struct ttsb_tensor x = {.struct_size = sizeof x};
        uint32_t index;
        ttsb_tensor_at(c->blob, i, &x, NULL);
        if (!nametab_find(&m->names, str_c(x.name), &index))
            change(c, arena_format(&c->r->arena, "`%s` is gone", x.name));
    }
}

static void note_some(struct comparison *c, struct diag_item *item,
                      const struct str *texts, size_t n)
{
    for (size_t i = 0; i < n && i < MAX_NAMED; i++)
        diag_note(&c->r->diag, item, "%.*s", STR_ARG(texts[i]));
    if (n > MAX_NAMED)
        diag_note(&c->r->diag, item, "and %zu more", n - MAX_NAMED);
}

static void say_changes(struct comparison *c, const char *path,
                        const struct ttsb_info *info)
{
    const struct spec *s = &c->r->spec;
    bool lower = s->revision < info->revision;
    struct diag_item *item =
        diag_add(&c->r->diag, "E0505", diag_at(s->revision_at),
                 lower ? "revision %" PRIu64 " is lower than %s has, %" PRIu64
                       : "the layout is not revision %" PRIu64
                         " any more: %s has another contract id",
                 s->revision, path, info->revision);
    compare_all(c, info->tensor_count);
    if (c->changes > 0)
        note_some(c, item, c->changed, c->changes);
    else
        note_some(c, item, c->moved, c->moves);
    if (c->changes == 0 && c->moves == 0 && !lower)
        diag_note(&c->r->diag, item,
                  "all tensors have their types and places; a constant, an "
                  "operation, the name of an axis or `optional` differs");
    diag_fix(&c->r->diag, item,
             &(struct diag_edit){
                 s->revision_at,
                 arena_format(&c->r->arena, "%" PRIu64, info->revision + 1),
                 false},
             "engines were built for that revision: write `revision: "
             "%" PRIu64 "`, or undo the change",
             info->revision + 1);
}

static bool compare(struct run *r, const struct ttsb_blob *blob,
                    const char *path)
{
    struct ttsb_info info = {.struct_size = sizeof info};
    struct comparison c = {.r = r, .blob = blob};
    ttsb_info(blob, &info);
    if (!str_is(r->spec.model, info.model)) {
        diag_help(&r->diag,
                  diag_add_file(&r->diag, "E0709", str_c(path), DIAG_NO_OFFSET,
                                "the blob is of `%s`, the spec of `%.*s`",
                                info.model, STR_ARG(r->spec.model)),
                  "give --against an earlier blob of this model");
        return false;
    }
    if (r->spec.revision > info.revision ||
        (r->spec.revision == info.revision &&
         memcmp(r->model.contract_id, info.contract_id, 16) == 0))
        return true;
    say_changes(&c, path, &info);
    return false;
}

bool against_check(struct run *r, const char *path)
{
    struct ttsb_open_options options = {.struct_size = sizeof options,
                                        .flags = TTSB_OPEN_PARTIAL};
    struct ttsb_error error = {.struct_size = sizeof error};
    struct ttsb_blob *blob;
    bool ok;
    if (path == NULL)
        return true;
    if (ttsb_open(path, &options, &blob, &error) != TTSB_OK) {
        run_blob_error(r, path, &error);
        return false;
    }
    ok = compare(r, blob, path);
    ttsb_close(blob);
    return ok;
}
