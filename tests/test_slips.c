/* SPDX-License-Identifier: MIT
 *
 * test_slips.c - one slip in a checkpoint, for every tensor of the models.
 *
 * In: the manifests of released models (3,995 tensors of IndexTTS-2, 7,890 of
 * others) and their specs, and a small one with norms. Out: each tensor
 * dropped, renamed, reshaped and retyped, and one added beside it, one slip at
 * a time, is an error that names it. The one exception is a BatchNorm's
 * counter, which the checkpoint may lack: then nothing is said. In process, on
 * headers: 59,675 comparisons; where the environment says SLIPS_STEP=N, one
 * in N, as in the fast tier.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compile.h"
#include "resolve.h"
#include "sources.h"

#define MOST_FILES 3

/* Of a spec with `sources:` a manifest for each of them, in their order. */
struct released {
    const char *name, *spec, *manifests[MOST_FILES];
    uint64_t wanted, used, dropped;
};

#define SPEC(name) SPECS_DIR "/indextts2/" name ".yaml"
#define MANIFEST(name) FIXTURES_DIR "/manifests/" name ".lock"
#define COMMUNITY(name) name, SPECS_DIR "/community/" name ".yaml"

static const struct released models[] = {
    {"bigvgan", SPEC("bigvgan"), {MANIFEST("bigvgan")}, 783, 565, 218},
    {"campplus", SPEC("campplus"), {MANIFEST("campplus")}, 937, 815, 122},
    {"feat", SPEC("feat"), {MANIFEST("feat1"), MANIFEST("feat2")}, 2, 2, 0},
    {"gpt", SPEC("gpt"), {MANIFEST("gpt")}, 665, 661, 4},
    {"norms", SLIPS_DIR "/norms.yaml", {SLIPS_DIR "/norms.lock"}, 50, 44, 6},
    {"qwen_emo", SPEC("qwen_emo"), {MANIFEST("qwen_emo")}, 310, 310, 0},
    {"s2mel", SPEC("s2mel"), {MANIFEST("s2mel")}, 284, 260, 24},
    {"semantic_codec",
     SPEC("semantic_codec"),
     {MANIFEST("semantic_codec")},
     239,
     123,
     116},
    {"w2vbert", SPEC("w2vbert"), {MANIFEST("w2vbert")}, 773, 548, 225},
    {"w2vbert_stats",
     SPEC("w2vbert_stats"),
     {MANIFEST("w2vbert_stats")},
     2,
     2,
     0},
    {COMMUNITY("chatterbox_s3gen"),
     {MANIFEST("chatterbox_s3gen")},
     2490,
     2366,
     124},
    {COMMUNITY("cosyvoice2_0.5b"),
     {MANIFEST("cosyvoice2_0.5b_llm"), MANIFEST("cosyvoice2_0.5b_flow"),
      MANIFEST("cosyvoice2_0.5b_hift")},
     1744,
     1743,
     1},
    {COMMUNITY("dia_1.6b"), {MANIFEST("dia_1.6b_orig")}, 343, 343, 0},
    {COMMUNITY("kokoro_82m"), {MANIFEST("kokoro_82m_flat")}, 548, 546, 2},
    {COMMUNITY("mimi"), {MANIFEST("mimi_moshi_orig")}, 318, 286, 32},
    {COMMUNITY("mms_tts_eng"), {MANIFEST("mms_tts_eng")}, 762, 492, 270},
    {COMMUNITY("openaudio_s1_codec"),
     {MANIFEST("openaudio_modded_dac")},
     535,
     535,
     0},
    {COMMUNITY("vocos_mel_24khz"), {MANIFEST("vocos_mel_24khz")}, 83, 81, 2},
    {COMMUNITY("xtts_v2"), {MANIFEST("xtts_v2")}, 963, 921, 42},
    {"minilm",
     SPECS_DIR "/examples/minilm.yaml",
     {MANIFEST("minilm")},
     104,
     101,
     3},
};

struct slips {
    const struct released *model;
    struct run run;
    struct stfile given[MOST_FILES]; /* as in the manifests */
    size_t files;
};

/* A tensor of one of the files. */
struct place {
    size_t file, tensor;
};

/* Opened as `check` opens it; of a lock there is nothing more to read. */
static void read_manifest(struct run *r, const char *path, struct stfile *c)
{
    assert_true(stfile_open(&r->arena, &r->diag, str_c(path), c));
    stfile_close(c);
    c->path = str_c("released.safetensors");
}

static int set_up(void **state)
{
    const struct released *model = *state;
    struct slips *s = calloc(1, sizeof *s);
    assert_non_null(s);
    *state = s;
    s->model = model;
    run_begin(&s->run, NULL);
    assert_true(run_model(&s->run, model->spec));
    for (; s->files < MOST_FILES && model->manifests[s->files] != NULL;
         s->files++)
        read_manifest(&s->run, model->manifests[s->files], &s->given[s->files]);
    return 0;
}

static int tear_down(void **state)
{
    struct slips *s = *state;
    arena_release(&s->run.arena);
    free(s);
    return 0;
}

/* Which files are whose. */
static size_t set_sources(const struct slips *s, struct checkpoint_source *out)
{
    const struct spec *spec = s->run.model.spec;
    uint32_t n = sources_count(spec);
    for (uint32_t i = 0; i < n; i++)
        out[i] = (struct checkpoint_source){
            .id = sources_id(spec, i), .first_file = i, .file_count = 1};
    if (n == 1)
        out[0].file_count = (uint32_t)s->files;
    else
        assert_int_equal(n, s->files);
    return n;
}

/* Resolves against a checkpoint's files; all findings as text. */
static char *findings(struct slips *s, struct stfile *c, struct coverage *cover,
                      bool *ok)
{
    struct arena a = {0};
    struct diag d = {.arena = &a};
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    struct checkpoint_source sources[MOST_FILES];
    struct checkpoint joined = {
        .files = c, .file_count = s->files, .sources = sources};
    joined.source_count = set_sources(s, sources);
    assert_true(checkpoint_join(&a, &d, &joined));
    *ok = resolve_model(&a, &d, &s->run.model, &joined, false, cover);
    diag_print(&d, out);
    fclose(out);
    arena_release(&a);
    return text;
}

static void test_exact_cover(void **state)
{
    struct slips *s = *state;
    struct coverage cover;
    bool ok;
    char *text = findings(s, s->given, &cover, &ok);
    assert_string_equal(text, "");
    assert_true(ok);
    assert_int_equal(cover.wanted, s->model->wanted);
    assert_int_equal(cover.used, s->model->used);
    assert_int_equal(cover.dropped, s->model->dropped);
    free(text);
}

enum slip { DROPPED, RENAMED, RESHAPED, RETYPED, ADDED };

static void make_slip(struct arena *a, struct stfile *c, size_t i,
                      enum slip slip)
{
    struct st_tensor *t = &c->header.tensors[i];
    uint64_t *dims = arena_new(a, uint64_t, 8);
    memcpy(dims, t->dims, t->rank * sizeof *dims);
    switch (slip) {
    case DROPPED:
        *t = c->header.tensors[--c->header.count];
        break;
    case RENAMED:
        t->name = arena_format(a, "%.*sx", STR_ARG(t->name));
        break;
    case RESHAPED:
        if (t->rank == 0)
            dims[t->rank++] = 0;
        dims[t->rank - 1]++;
        t->dims = dims;
        break;
    case RETYPED:
        t->dtype = TTSB_F16;
        break;
    case ADDED:
        c->header.tensors[c->header.count] = *t;
        t = &c->header.tensors[c->header.count++];
        t->name = arena_format(a, "%.*sx", STR_ARG(t->name));
        break;
    }
}

/* A BatchNorm's counter, which the checkpoint may lack. */
static bool is_counter(struct str name)
{
    return str_ends(name, ".num_batches_tracked");
}

/* What must be said of a slip: one of `ids`, with the tensor's name. */
static bool is_caught(const char *text, const char *name,
                      const char *const *ids)
{
    bool caught = false;
    for (; *ids != NULL; ids++)
        caught = caught || strstr(text, *ids) != NULL;
    return caught && strstr(text, name) != NULL;
}

static void check_slip(struct slips *s, struct place at, enum slip slip,
                       const char *const *ids)
{
    static const char *const unclaimed[] = {"E0302", "E0304", NULL};
    struct arena a = {0};
    struct stfile c[MOST_FILES];
    const struct st_header *given = &s->given[at.file].header;
    struct str name = given->tensors[at.tensor].name;
    bool counter = is_counter(name), other_name = slip == ADDED, ok;
    struct coverage cover;
    char *text, quoted[300];
    memcpy(c, s->given, sizeof c);
    c[at.file].header.tensors =
        arena_new(&a, struct st_tensor, given->count + 1);
    memcpy(c[at.file].header.tensors, given->tensors,
           given->count * sizeof *given->tensors);
    make_slip(&a, &c[at.file], at.tensor, slip);
    text = findings(s, c, &cover, &ok);
    if (counter && slip == RENAMED) { /* the other name is nobody's */
        ids = unclaimed;
        other_name = true;
    }
    snprintf(quoted, sizeof quoted, "`%.*s%s`", STR_ARG(name),
             other_name ? "x" : "");
    if (counter && slip == DROPPED) {
        assert_string_equal(text, "");
        assert_int_equal(cover.wanted, s->model->wanted - 1);
        assert_int_equal(cover.dropped, s->model->dropped - 1);
    } else if (ok || !is_caught(text, quoted, ids)) {
        fail_msg("slip %d of %s: %s", (int)slip, quoted, text);
    }
    free(text);
    arena_release(&a);
}

static uint64_t step(void)
{
    const char *text = getenv("SLIPS_STEP");
    uint64_t n = text != NULL ? strtoull(text, NULL, 10) : 1;
    assert_true(n > 0);
    return n;
}

static void all_slips(struct slips *s, enum slip slip, const char *const *ids)
{
    struct place at;
    uint64_t count = 0, each = step();
    for (at.file = 0; at.file < s->files; at.file++)
        for (at.tensor = 0; at.tensor < s->given[at.file].header.count;
             at.tensor++, count++)
            if (count % each == (uint64_t)slip % each)
                check_slip(s, at, slip, ids);
    assert_int_equal(count, s->model->wanted);
}

static void test_dropped(void **state)
{
    static const char *const ids[] = {"E0301", "E0305", "E0306",
                                      "E0311", "E0312", NULL};
    all_slips(*state, DROPPED, ids);
}

static void test_renamed(void **state)
{
    static const char *const ids[] = {"E0301", "E0305", "E0306",
                                      "E0311", "E0312", NULL};
    all_slips(*state, RENAMED, ids);
}

static void test_reshaped(void **state)
{
    static const char *const ids[] = {"E0401", "E0402", "E0403", "E0409", NULL};
    all_slips(*state, RESHAPED, ids);
}

static void test_retyped(void **state)
{
    static const char *const ids[] = {"E0411", NULL};
    all_slips(*state, RETYPED, ids);
}

static void test_added(void **state)
{
    static const char *const ids[] = {"E0302", "E0304", NULL};
    all_slips(*state, ADDED, ids);
}

/* All tests of one model; each reads its spec and manifest anew. */
static int run_slips(const struct released *model)
{
    struct released copy = *model;
#define TEST(test)                                                             \
    cmocka_unit_test_prestate_setup_teardown(test, set_up, tear_down, &copy)
    const struct CMUnitTest tests[] = {
        TEST(test_exact_cover), TEST(test_dropped), TEST(test_renamed),
        TEST(test_reshaped),    TEST(test_retyped), TEST(test_added),
    };
#undef TEST
    return cmocka_run_group_tests_name(model->name, tests, NULL, NULL);
}

int main(void)
{
    int failed = 0;
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        failed += run_slips(&models[i]) != 0;
    return failed != 0;
}
