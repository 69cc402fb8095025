/* SPDX-License-Identifier: MIT
 *
 * emit.c - lays the file out, has the outputs made, then writes the sections
 * and, last, the superblock.
 */
#include "emit.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "hash.h"
#include "meta.h"
#include "pool.h"
#include "produce.h"
#include "sections.h"
#include "size.h"
#include "units.h"

#define SECTION_COUNT 7
#define MAX_WORKERS 256

struct emission {
    struct arena *a;
    struct diag *d;
    const struct model *m;
    const struct checkpoint *c;
    struct outfile file;
    struct file_layout layout;
    struct text sections[SECTION_COUNT]; /* by type, from 1 */
    uint64_t offsets[SECTION_COUNT];
    struct production production;
    struct buffers *workers[MAX_WORKERS];
    struct units units;
    struct findings findings;
};

/* --- layout --- */

static struct text *section(struct emission *e, enum ttsb_section_type type)
{
    return &e->sections[type - 1];
}

/* Sizes of all sections are known before any payload is read. */
static bool lay_out(struct emission *e)
{
    uint64_t at = TTSB_SUPERBLOCK_SIZE, payload, index, pieces;
    const struct model *m = e->m;
    sections_number(e->a, m, &e->layout);
    sections_nameord(e->a, section(e, TTSB_SECTION_NAMEORD), m);
    sections_names(section(e, TTSB_SECTION_NAMES), m);
    sections_const(section(e, TTSB_SECTION_CONST), m);
    meta_write(e->a, section(e, TTSB_SECTION_META), m, e->c,
               e->production.digests);
    index = m->output_count * sizeof(struct ttsb_disk_record);
    pieces = e->layout.piece_count * 8;
    for (int i = 0; i < SECTION_COUNT; i++) {
        uint64_t size = i + 1 == TTSB_SECTION_INDEX    ? index
                        : i + 1 == TTSB_SECTION_PIECES ? pieces
                        : i + 1 == TTSB_SECTION_GROUPS
                            ? m->group_count * sizeof(struct ttsb_disk_group)
                            : e->sections[i].n;
        if (!size_align(at, TTSB_SECTION_ALIGN, &e->offsets[i]) ||
            !size_add(e->offsets[i], size, &at))
            return false;
    }
    if (!size_align(at, TTSB_GROUP_ALIGN, &payload) ||
        !sections_place(m, payload, &e->layout))
        return false;
    sections_index(section(e, TTSB_SECTION_INDEX), m, &e->layout);
    sections_groups(section(e, TTSB_SECTION_GROUPS), m, &e->layout);
    return true;
}

/* --- payload --- */

static void job(void *context, unsigned worker, size_t i)
{
    struct emission *e = context;
    const struct unit *u = &e->units.p[i];
    produce_unit(&e->production, e->workers[worker],
                 e->units.outputs + u->first, u->count);
}

static struct str element_text(struct arena *a, struct type t, uint64_t index)
{
    uint64_t at[TTSB_MAX_RANK];
    struct str s = str_c("[");
    for (uint32_t i = t.rank; i-- > 0;) {
        at[i] = t.axes[i].size > 0 ? index % t.axes[i].size : 0;
        index /= t.axes[i].size > 0 ? t.axes[i].size : 1;
    }
    for (uint32_t i = 0; i < t.rank; i++)
        s = arena_format(a, "%.*s%s%" PRIu64, STR_ARG(s), i > 0 ? "," : "",
                         at[i]);
    return arena_format(a, "%.*s]", STR_ARG(s));
}

static void say_range(struct emission *e, const struct output *o,
                      const struct finding *f)
{
    struct diag_where where = o->where;
    struct diag_item *item;
    where.at = o->value->cast != 0 ? o->value->cast_at : o->value->at;
    item = diag_add(e->d, "E0602", where,
                    "%" PRIu64 " value%s of `%.*s` do%s not fit %s, first %g "
                    "at %.*s",
                    f->count, f->count == 1 ? "" : "s", STR_ARG(o->name),
                    f->count == 1 ? "es" : "", spec_dtype_name(o->dtype),
                    f->value, STR_ARG(element_text(e->a, o->type, f->first)));
    diag_fact(item, element_text(e->a, o->type, f->first));
    diag_help(e->d, item,
              !isfinite(f->value)
                  ? "a wider dtype would not hold it either: look at what its "
                    "sources hold there"
              : spec_dtype_is_integer(o->dtype)
                  ? "cast to a wider integer, or leave `as` out"
              : o->dtype == TTSB_F16
                  ? "store it wider: `as bf16`, `as f32` or `store:`"
                  : "store it wider, `as f64`, if the value is right");
}

static void say_source(struct emission *e, const struct finding *f)
{
    const struct leaf *leaf = f->leaf;
    struct str at = element_text(e->a, leaf->type, f->first);
    struct diag_item *item;
    if (f->kind == FINDING_NONFINITE) {
        item = diag_add(e->d, "E0603", leaf->where,
                        "source `%.*s` holds %" PRIu64
                        " NaN or Inf, the first at %.*s",
                        STR_ARG(leaf->name), f->count, STR_ARG(at));
        diag_note(e->d, item,
                  "a trained weight is finite; the file is "
                  "damaged or training failed");
        if (leaf->stem.n == 0)
            diag_help(e->d, item,
                      "if it holds them on purpose, write "
                      "`allow_nonfinite` behind its type");
    } else if (f->kind == FINDING_ZERO_NORM) {
        item = diag_add(e->d, "E0601", leaf->where,
                        "`%.*s` has no norm to divide by at kept index "
                        "%" PRIu64,
                        STR_ARG(leaf->name), f->first);
        diag_note(e->d, item,
                  "its norm is zero (or beyond binary64); PyTorch "
                  "would produce NaN here");
    } else if (f->kind == FINDING_ZERO_SIGMA) {
        item = diag_add(e->d, "E0601", leaf->where,
                        "`%.*s` has no spectral norm to divide by: u'(Mv) is "
                        "%g",
                        STR_ARG(leaf->name), f->value);
        diag_note(e->d, item,
                  "PyTorch would produce infinities or NaN here; are its u and "
                  "v those that were trained?");
    } else {
        item = diag_add(e->d, "E0606", leaf->where,
                        "`%.*s` and `%.*s` are not the same: they differ "
                        "first at %.*s",
                        STR_ARG(leaf->name), STR_ARG(leaf->twin->name),
                        STR_ARG(at));
        diag_help(e->d, item,
                  "they are not tied: give each a target of its own");
    }
}

/* A system's error; it ends the run. */
static bool is_system(struct emission *e, const struct finding *f,
                      struct str path)
{
    bool read = f->kind == FINDING_READ;
    if (!read && f->kind != FINDING_WRITE)
        return false;
    diag_add_file(e->d, read ? "E0705" : "E0704",
                  read ? checkpoint_path(e->c, f->leaf->source) : path,
                  DIAG_NO_OFFSET, "cannot %s: %s", read ? "read" : "write",
                  f->error == ENODATA ? "the file became shorter"
                                      : strerror(f->error));
    return true;
}

/* Sources first, then outputs, each in order: a system's error ends the run,
 * and it must be the same one every time. */
static int compare_findings(const void *x, const void *y)
{
    const struct finding *a = x, *b = y;
    uint32_t i = a->leaf != NULL ? a->leaf->source : a->output;
    uint32_t k = b->leaf != NULL ? b->leaf->source : b->output;
    if ((a->leaf != NULL) != (b->leaf != NULL))
        return a->leaf != NULL ? -1 : 1;
    return i != k ? (i > k) - (i < k) : (int)a->kind - (int)b->kind;
}

static bool judge_findings(struct emission *e, struct str path)
{
    const struct findings *v = &e->findings;
    if (v->n > 0)
        qsort(v->p, v->n, sizeof *v->p, compare_findings);
    for (size_t i = 0; i < v->n; i++)
        if (is_system(e, &v->p[i], path))
            return false;
    for (size_t i = 0; i < v->n; i++) {
        const struct finding *f = &v->p[i];
        if (i > 0 && f->leaf != NULL && f->leaf == f[-1].leaf &&
            f->kind == f[-1].kind)
            continue; /* several outputs of one split found it */
        if (f->leaf != NULL)
            say_source(e, f);
        else
            say_range(e, &e->m->outputs[f->output], f);
    }
    return v->n == 0;
}

static struct progress_label label(const void *context, uint32_t output)
{
    const struct emission *e = context;
    const struct model *m = e->m;
    const struct output *o = &m->outputs[output];
    struct str path = {0};
    for (uint32_t i = 0; i < o->leaf_count && path.n == 0; i++)
        if (output_leaf(m, o, i)->source != NO_SOURCE)
            path = checkpoint_path(e->c, output_leaf(m, o, i)->source);
    return (struct progress_label){str_cut(path, str_folder(path).n, path.n),
                                   m->groups[o->group].name};
}

static void make_payload(struct emission *e, unsigned threads,
                         enum progress_when when)
{
    struct progress_plan plan = {when, "compile", 0, label, e};
    struct progress progress;
    size_t n;
    e->units = units_make(e->a, e->m, e->c->count);
    n = e->units.n;
    threads = threads < MAX_WORKERS ? threads : MAX_WORKERS;
    threads = threads < n ? threads : (unsigned)n;
    for (size_t i = 0; i < n; i++)
        plan.total += e->units.p[i].size;
    for (unsigned i = 0; i < threads; i++)
        e->workers[i] = buffers_new(e->c, PRODUCE_SLAB);
    progress_start(&progress, &plan);
    e->production.progress = &progress;
    pool_run(threads, n, job, e);
    progress_stop(&progress);
    e->production.progress = NULL;
    for (unsigned i = 0; i < threads; i++)
        buffers_release(e->workers[i]);
}

/* --- sections --- */

static int write_sections(struct emission *e)
{
    struct text *pieces = section(e, TTSB_SECTION_PIECES);
    struct text *meta = section(e, TTSB_SECTION_META);
    int error = 0;
    for (uint64_t i = 0; i < e->layout.piece_count; i++) {
        uint8_t b[8];
        store_u64(b, e->production.pieces[i]);
        text_str(pieces, (struct str){(char *)b, 8});
    }
    meta->n = 0; /* again, with the digests this time */
    meta_write(e->a, meta, e->m, e->c, e->production.digests);
    for (int i = 0; i < SECTION_COUNT && error == 0; i++)
        error = outfile_write(&e->file, e->offsets[i], e->sections[i].p,
                              e->sections[i].n);
    return error;
}

#define SB(b, field) ((b) + offsetof(struct ttsb_disk_superblock, field))

static void fill_superblock(const struct emission *e, uint8_t *b)
{
    static const uint8_t magic[] = TTSB_MAGIC_BYTES;
    bool partial = false;
    for (size_t i = 0; i < e->m->output_count; i++)
        partial = partial || e->m->outputs[i].missing;
    memcpy(SB(b, magic), magic, sizeof magic);
    store_u16(SB(b, major), TTSB_MAJOR);
    store_u16(SB(b, minor), TTSB_MINOR);
    store_u32(SB(b, endian_mark), TTSB_ENDIAN_MARK);
    store_u32(SB(b, superblock_size), TTSB_SUPERBLOCK_SIZE);
    store_u64(SB(b, incompat), partial ? TTSB_INCOMPAT_PARTIAL : 0);
    store_u64(SB(b, file_size), e->layout.size);
    memcpy(SB(b, contract_id), e->m->contract_id, 16);
    store_u64(SB(b, revision), e->m->spec->revision);
    memcpy(SB(b, model), e->m->spec->model.p, e->m->spec->model.n);
    for (int i = 0; i < SECTION_COUNT; i++) {
        uint8_t *s =
            SB(b, sections) + i * (int)sizeof(struct ttsb_disk_section);
        store_u32(s + offsetof(struct ttsb_disk_section, type),
                  (uint32_t)i + 1);
        store_u32(s + offsetof(struct ttsb_disk_section, flags),
                  i + 1 == TTSB_SECTION_META ? 0 : TTSB_SECTION_CRITICAL);
        store_u64(s + offsetof(struct ttsb_disk_section, offset),
                  e->offsets[i]);
        store_u64(s + offsetof(struct ttsb_disk_section, size),
                  e->sections[i].n);
        ttsb__hash128(e->sections[i].p, e->sections[i].n,
                      s + offsetof(struct ttsb_disk_section, hash));
    }
}

static int write_superblock(struct emission *e, struct emitted *out)
{
    uint8_t b[TTSB_SUPERBLOCK_SIZE] = {0};
    fill_superblock(e, b);
    ttsb__hash128(b, sizeof b, out->root);
    memcpy(SB(b, root), out->root, sizeof out->root);
    store_u64(SB(b, self_hash), ttsb__hash64(b, sizeof b));
    return outfile_write(&e->file, 0, b, sizeof b);
}

/* --- all of it --- */

static bool say_output(struct emission *e, struct str path, int error)
{
    if (error == 0)
        return true;
    diag_add_file(e->d, "E0704", path, DIAG_NO_OFFSET, "cannot write: %s",
                  outfile_error(error));
    return false;
}

/* All watches judge, also what they saw beside other findings. */
static bool judge_watches(const struct emission *e)
{
    const struct production *p = &e->production;
    bool ok = true;
    for (size_t i = 0; i < p->watch_count && e->d->system_errors == 0; i++)
        if (p->watches[i].done != NULL)
            ok = p->watches[i].done(p->watches[i].context) && ok;
    return ok;
}

static void fill_emitted(const struct emission *e, struct emitted *out)
{
    *out = (struct emitted){.size = e->layout.size,
                            .offsets = e->layout.offset,
                            .groups = e->layout.group,
                            .pieces = e->production.pieces,
                            .first_piece = e->layout.first_piece};
}

static bool fill_file(struct emission *e, const struct emit_target *target,
                      struct emitted *out)
{
    struct str changed;
    struct str path = target->path;
    bool dry = e->production.file == NULL, ok;
    if (!dry && !say_output(e, path, outfile_resize(&e->file, e->layout.size)))
        return false;
    make_payload(e, target->threads, target->progress);
    ok = judge_findings(e, path);
    if (!judge_watches(e) || !ok)
        return false;
    if (checkpoint_changed(e->c, &changed)) { /* read twice: not one file */
        diag_add_file(e->d, "E0705", changed, DIAG_NO_OFFSET,
                      "the file changed while it was read");
        return false;
    }
    fill_emitted(e, out);
    return dry || (say_output(e, path, write_sections(e)) &&
                   say_output(e, path, write_superblock(e, out)));
}

/* Of a file that is laid out, or E0111. */
static bool say_layout(struct emission *e, struct emitted *out)
{
    bool ok = lay_out(e);
    if (!ok)
        diag_add(e->d, "E0111", diag_at(e->m->spec->model_at),
                 "the blob would be larger than 2^63 - 1 bytes");
    *out = (struct emitted){.size = e->layout.size,
                            .offsets = e->layout.offset,
                            .groups = e->layout.group};
    return ok;
}

static void release_sections(struct emission *e)
{
    for (int i = 0; i < SECTION_COUNT; i++)
        text_release(&e->sections[i]);
}

bool emit_layout(struct arena *a, struct diag *d, const struct model *m,
                 const struct checkpoint *c, struct emitted *out)
{
    struct emission e = {.a = a, .d = d, .m = m, .c = c};
    bool ok;
    e.production.digests = arena_take(a, 16, c->count);
    ok = say_layout(&e, out);
    release_sections(&e);
    return ok;
}

bool emit_blob(struct arena *a, struct diag *d, const struct model *m,
               const struct checkpoint *c, const struct emit_target *target,
               struct emitted *out)
{
    struct str path = target->path;
    struct emission e = {.a = a, .d = d, .m = m, .c = c};
    struct production *p = &e.production;
    bool ok;
    *p = (struct production){.model = m, .checkpoint = c};
    p->file = path.n > 0 ? &e.file : NULL;
    p->watches = target->watches;
    p->watch_count = target->watch_count;
    p->digests = arena_take(a, 16, c->count);
    p->audited = arena_new(a, uint8_t, c->count);
    p->findings = &e.findings;
    pthread_mutex_init(&e.findings.lock, NULL);
    ok = say_layout(&e, out);
    p->offset = e.layout.offset;
    p->first_piece = e.layout.first_piece;
    p->pieces =
        ok ? arena_new(a, uint64_t, (size_t)e.layout.piece_count) : NULL;
    if (p->file != NULL)
        ok = ok && say_output(&e, path, outfile_open(a, path, true, &e.file));
    if (ok && !fill_file(&e, target, out)) {
        if (p->file != NULL)
            outfile_discard(&e.file);
        ok = false;
    }
    if (p->file != NULL)
        ok = ok && say_output(&e, path, outfile_commit(&e.file));
    release_sections(&e);
    pthread_mutex_destroy(&e.findings.lock);
    free(e.findings.p);
    return ok;
}
