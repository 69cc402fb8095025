/* SPDX-License-Identifier: MIT
 *
 * engine_main.c - runs BigVGAN on a blob of weights and a blob of what torch
 * was given and made of it, and says how far apart the two are.
 *
 *     engine MODEL.ttsb IO.ttsb [AUDIO.f32]
 *
 * In: two blobs. Out: a line for each of torch's two results; with AUDIO.f32
 * the samples as raw floats. Exit status 0: equal within the tolerance; 1: not,
 * or a blob is refused, or (-DTTSB_COVERAGE) a weight was never used; 2: usage.
 * Invariant: nothing is computed from a blob that is of another contract,
 * partial or damaged in a single bit.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bigvgan.h"
#include "bigvgan_tiny_io.h" /* by `ttswc header`, of bigvgan_tiny_io.yaml */

_Static_assert(BIGVGAN_TINY_NUM_MELS == BIGVGAN_TINY_IO_NUM_MELS,
               "the input has the model's mel bands");

/* Of the largest of torch's samples. */
static const double tolerance = 1e-4;

/* An open, verified and bound pair; what `given` points to is torch's. */
struct engine {
    struct ttsb_blob *model;
    struct ttsb_blob *io;
    struct bigvgan_tiny_weights weights;
    struct bigvgan_tiny_io_weights given;
#ifdef TTSB_COVERAGE
    uint32_t used[TTSB_USED_WORDS(BIGVGAN_TINY_TENSOR_COUNT)];
#endif
};

/* --- start-up --- */

static bool refuse(const char *path, const struct ttsb_error *error)
{
    fprintf(stderr, "engine: %s: %s: %s\n", path,
            ttsb_status_name(error->status), error->text);
    return false;
}

/* Every byte is hashed, so that what follows need not doubt any. */
static bool blob_open(const char *path, struct ttsb_blob **blob)
{
    struct ttsb_error error = {.struct_size = sizeof error};
    if (ttsb_open(path, NULL, blob, &error) != TTSB_OK ||
        ttsb_verify(*blob, 1, NULL, &error) != TTSB_OK)
        return refuse(path, &error);
    return true;
}

/* bind compares the contract as well; require says in words what differs. */
static bool model_bind(const char *path, struct engine *e)
{
    struct ttsb_error error = {.struct_size = sizeof error};
    const void *bases[BIGVGAN_TINY_GROUP_COUNT];
    if (bigvgan_tiny_require(e->model, &error) != TTSB_OK)
        return refuse(path, &error);
    ttsb_host_bases(e->model, bases, BIGVGAN_TINY_GROUP_COUNT);
    if (bigvgan_tiny_bind(e->model, bases, &e->weights) != TTSB_OK)
        return false;
#ifdef TTSB_COVERAGE
    e->weights.ttsb_used = e->used;
#endif
    return true;
}

static bool io_bind(const char *path, struct engine *e)
{
    struct ttsb_error error = {.struct_size = sizeof error};
    const void *bases[BIGVGAN_TINY_IO_GROUP_COUNT];
    if (bigvgan_tiny_io_require(e->io, &error) != TTSB_OK)
        return refuse(path, &error);
    ttsb_host_bases(e->io, bases, BIGVGAN_TINY_IO_GROUP_COUNT);
    return bigvgan_tiny_io_bind(e->io, bases, &e->given) == TTSB_OK;
}

/* --- judgement --- */

static double largest(const float *x, size_t count)
{
    double most = 0;
    for (size_t i = 0; i < count; i++)
        most = fmax(most, fabs((double)x[i]));
    return most;
}

/* Infinite where a difference is none, as of a NaN. */
static double largest_difference(const float *x, const float *y, size_t count)
{
    double most = 0;
    for (size_t i = 0; i < count; i++) {
        const double difference = fabs((double)x[i] - (double)y[i]);
        most = fmax(most, isnan(difference) ? INFINITY : difference);
    }
    return most;
}

/* Prints a line and says whether the audio is torch's. */
static bool compare(const char *name, const struct signal *audio,
                    const float *torch)
{
    const double most = largest(torch, audio->length);
    const double apart = largest_difference(audio->data, torch, audio->length);
    const bool equal = apart <= tolerance * most;
    printf("%-12s max |difference| %.1e, max |torch| %.3f: %.1e of it, at most "
           "%.0e: %s\n",
           name, apart, most, apart / most, tolerance,
           equal ? "ok" : "DIFFERS");
    return equal;
}

static bool audio_write(const char *path, const struct signal *audio)
{
    FILE *file = fopen(path, "wb");
    bool whole = file != NULL;
    if (whole) {
        whole = fwrite(audio->data, sizeof *audio->data, audio->length, file) ==
                audio->length;
        whole = fclose(file) == 0 && whole;
    }
    if (!whole)
        perror(path);
    return whole;
}

/* --- the pass --- */

/* `audio` is in memory of the caller's: BIGVGAN_TINY_IO_SAMPLES floats. */
static bool make_audio(const struct engine *e, struct signal *audio)
{
    float copy[BIGVGAN_TINY_IO_NUM_MELS * BIGVGAN_TINY_IO_FRAMES];
    const struct signal mel = {
        .channels = BIGVGAN_TINY_IO_NUM_MELS,
        .length = BIGVGAN_TINY_IO_FRAMES,
        .data = copy,
    };
    memcpy(copy, e->given.mel, sizeof copy);
    if (bigvgan_hop() * mel.length != BIGVGAN_TINY_IO_SAMPLES) {
        fprintf(stderr, "engine: torch's audio has another length\n");
        return false;
    }
    if (!bigvgan_forward(&e->weights, &mel, audio)) {
        fprintf(stderr, "engine: no memory\n");
        return false;
    }
    return true;
}

/* Names every weight that the pass did not fetch; a plain build counts none
 * and is content. */
static bool all_used(struct engine *e)
{
#ifdef TTSB_COVERAGE
    uint32_t next = 0;
    int forgotten = 0;
    const char *name;
    while ((name = bigvgan_tiny_unused(&e->weights, &next)) != NULL) {
        fprintf(stderr, "engine: never used: %s\n", name);
        forgotten++;
    }
    printf("coverage: %d of %d weights used\n",
           BIGVGAN_TINY_TENSOR_COUNT - forgotten, BIGVGAN_TINY_TENSOR_COUNT);
    return forgotten == 0;
#else
    (void)e;
    return true;
#endif
}

static bool run(struct engine *e, char **paths, float *samples)
{
    struct signal audio = {.data = samples};
    bool good;
    if (!blob_open(paths[0], &e->model) || !blob_open(paths[1], &e->io) ||
        !model_bind(paths[0], e) || !io_bind(paths[1], e) ||
        !make_audio(e, &audio))
        return false;
    good = all_used(e);
    good &= compare("audio", &audio, e->given.audio);
    good &= compare("audio_folded", &audio, e->given.audio_folded);
    if (paths[2] != NULL)
        good &= audio_write(paths[2], &audio);
    return good;
}

int main(int argc, char **argv)
{
    struct engine e = {0};
    float samples[BIGVGAN_TINY_IO_SAMPLES];
    bool good;
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: engine MODEL.ttsb IO.ttsb [AUDIO.f32]\n");
        return 2;
    }
    good = run(&e, argv + 1, samples);
    ttsb_close(e.io);
    ttsb_close(e.model);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
