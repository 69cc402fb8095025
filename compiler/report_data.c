/* SPDX-License-Identifier: MIT
 *
 * report_data.c - the head of a report, around its rows.
 */
#include "report_data.h"

#include <inttypes.h>

#include "about.h"
#include "meta.h"
#include "report_rows.h"
#include "report_trust.h"
#include "sources.h"
#include "ttsb.h"
#include "version.h"

static void put_key(struct text *t, const char *key, struct str value)
{
    text_format(t, "\"%s\":", key);
    meta_string(t, value);
    text_c(t, ",");
}

static void put_hex(struct text *t, const char *key, const uint8_t id[16])
{
    text_format(t, "\"%s\":\"", key);
    text_hex(t, id, 16);
    text_c(t, "\",");
}

/* --- what the blob is --- */

struct head {
    struct str model;
    uint64_t revision, size;
    const uint8_t *contract, *root;
    bool partial;
};

static struct head head_of(const struct report_of *of, struct ttsb_info *info)
{
    struct head h = {0};
    if (of->m == NULL) {
        ttsb_info(of->file->blob, info);
        return (struct head){str_c(info->model), info->revision,
                             info->file_size,    info->contract_id,
                             info->root,         info->partial != 0};
    }
    h = (struct head){of->m->spec->model, of->m->spec->revision, of->blob->size,
                      of->m->contract_id, of->blob->root,        false};
    for (size_t i = 0; i < of->m->output_count; i++)
        h.partial = h.partial || of->m->outputs[i].missing;
    return h;
}

/* What a spec says of itself; a blob's is in its META. */
static void put_about(struct text *t, const struct report_of *of)
{
    size_t from = t->n;
    if (of->m != NULL)
        about_put(t, &of->m->spec->about);
    if (t->n == from)
        text_c(t, "\"about\":null,");
}

static void put_allowed(struct text *t, const struct report_of *of)
{
    text_c(t, "\"allowed\":[");
    for (int i = 0; i < of->allowed_count; i++) {
        text_c(t, i > 0 ? "," : "");
        meta_string(t, str_c(of->allowed[i]));
    }
    text_c(t, "],");
}

static void put_coverage(struct text *t, const struct coverage *c)
{
    if (c == NULL) {
        text_c(t, "\"coverage\":null,");
        return;
    }
    text_format(t,
                "\"coverage\":{\"absent\":%zu,\"dropped\":%zu,\"missing\":%zu,"
                "\"unclaimed\":%zu,\"used\":%zu,\"wanted\":%zu},",
                c->absent, c->dropped, c->missing, c->unclaimed, c->used,
                c->wanted);
}

static void put_files(struct text *t, const struct report_of *of)
{
    const struct checkpoint *c = of->c;
    const char *comma = "";
    if (c == NULL) {
        text_c(t, "\"files\":null,");
        return;
    }
    text_c(t, "\"files\":[");
    for (uint32_t s = 0; s < c->source_count; s++)
        for (uint32_t i = 0; i < c->sources[s].file_count; i++) {
            const struct stfile *f = &c->files[c->sources[s].first_file + i];
            text_format(t, "%s{\"path\":", comma);
            meta_string(t, f->path);
            text_format(t, ",\"size\":%" PRIu64 ",\"source\":", f->size);
            meta_string(t, of->m->spec->source_count > 0
                               ? sources_id(of->m->spec, s)
                               : (struct str){0});
            text_c(t, "}");
            comma = ",";
        }
    text_c(t, "],");
}

/* --- groups --- */

/* Of either kind of report. */
struct group_row {
    struct str name;
    uint32_t place;
    uint64_t offset, size;
};

static struct group_row group_row(const struct report_of *of, uint32_t i)
{
    struct ttsb_group g = {.struct_size = sizeof g};
    if (of->m != NULL) {
        const struct group *x = &of->m->groups[i];
        return (struct group_row){x->name, (uint32_t)x->place,
                                  of->blob->groups[i], x->size};
    }
    ttsb_group_at(of->file->blob, i, &g);
    return (struct group_row){str_c(g.name), g.place, g.offset, g.size};
}

static void put_group(struct text *t, const struct group_row *g)
{
    text_c(t, "{\"name\":");
    meta_string(t, g->name);
    text_format(
        t, ",\"offset\":%" PRIu64 ",\"place\":\"%s\",\"size\":%" PRIu64 "}",
        g->offset, g->place == TTSB_PLACE_HOST ? "host" : "device", g->size);
}

static void put_groups(struct text *t, const struct report_of *of)
{
    struct ttsb_info info = {.struct_size = sizeof info};
    uint32_t n;
    if (of->m == NULL)
        ttsb_info(of->file->blob, &info);
    n = of->m != NULL ? (uint32_t)of->m->group_count : info.group_count;
    text_c(t, "\"groups\":[");
    for (uint32_t i = 0; i < n; i++) {
        struct group_row g = group_row(of, i);
        text_c(t, i > 0 ? "," : "");
        put_group(t, &g);
    }
    text_c(t, "],");
}

/* --- suspicions --- */

static void put_suspicions(struct text *t, const struct suspicions *v,
                           const char *side, const char **comma)
{
    for (size_t i = 0; v != NULL && i < v->n; i++) {
        const struct suspicion *s = &v->p[i];
        text_format(t, "%s{\"id\":\"%s\",\"notes\":", *comma, s->id);
        meta_string(t, s->notes);
        text_c(t, ",\"rows\":[");
        for (size_t k = 0; k < s->n; k++)
            text_format(t, "%s%" PRIu32, k > 0 ? "," : "", s->rows[k]);
        text_format(t, "],\"side\":\"%s\",\"text\":", side);
        meta_string(t, s->text);
        text_c(t, "}");
        *comma = ",";
    }
}

static void put_judgement(struct arena *a, struct text *t,
                          const struct report_of *of)
{
    const char *comma = "";
    text_c(t, ",\"suspicions\":[");
    put_suspicions(t, of->of_sources, "source", &comma);
    put_suspicions(t, of->of_outputs, "output", &comma);
    text_c(t, "],\"trust\":");
    report_trust(a, t, of->m);
}

/* --- the whole --- */

void report_data(struct arena *a, struct text *t, const struct report_of *of)
{
    struct ttsb_info info = {.struct_size = sizeof info};
    struct head h = head_of(of, &info);
    text_c(t, "{");
    put_about(t, of);
    put_allowed(t, of);
    put_key(t, "compiler", str_c(TTSW_VERSION));
    put_hex(t, "contract", h.contract);
    put_coverage(t, of->cover);
    text_c(t, "\"dropped\":");
    report_dropped(a, t, of);
    text_c(t, ",");
    put_files(t, of);
    put_groups(t, of);
    text_c(t, "\"meta\":");
    text_str(t, of->m == NULL ? of->meta : str_c("null"));
    text_c(t, ",");
    put_key(t, "model", h.model);
    text_c(t, "\"outputs\":");
    report_outputs(t, of);
    text_format(t, ",\"partial\":%s,", h.partial ? "true" : "false");
    put_key(t, "path", of->path);
    text_format(t, "\"revision\":%" PRIu64 ",", h.revision);
    put_hex(t, "root", h.root);
    text_format(t, "\"size\":%" PRIu64 ",\"sources\":", h.size);
    report_sources(t, of);
    put_judgement(a, t, of);
    text_c(t, "}");
}
