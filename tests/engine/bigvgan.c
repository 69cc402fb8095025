/* SPDX-License-Identifier: MIT
 *
 * bigvgan.c - the forward pass, module by module as upstream has it.
 *
 * In: bound weights and a mel spectrogram. Out: audio. Invariant: every weight
 * is fetched by TTSB_USE, each in a line of its own, at the one place that
 * computes with it; a build with -DTTSB_COVERAGE names what is never fetched.
 * Sizes come from the header, kernels from the weights' own dims and the rest
 * from the spec's constants, which are held to the dims when this is compiled:
 * nothing here says 64 or 256.
 */
#include "bigvgan.h"

#include <stdlib.h>
#include <string.h>

#define STAGES BIGVGAN_TINY_UPSAMPLE_RATES_COUNT
#define BLOCKS BIGVGAN_TINY_RESBLOCK_KERNEL_SIZES_COUNT
#define DILATIONS BIGVGAN_TINY_RESBLOCK_DILATIONS_COUNT

#define MEMBER_COUNT(member)                                                   \
    (sizeof((struct bigvgan_tiny_weights *)0)->member /                        \
     sizeof((struct bigvgan_tiny_weights *)0)->member[0])

/* The channels behind the first `stages` stages: each halves them. */
#define CHANNELS(stages) (BIGVGAN_TINY_UPSAMPLE_INITIAL_CHANNEL >> (stages))

/* Whether the weights of stage s are as large as its code takes them to be. A
 * block's are the same for each j and d but for the kernels. */
#define CONV_FITS(conv, s)                                                     \
    (conv##_WEIGHT_DIM0(s, 0, 0) == CHANNELS((s) + 1) &&                       \
     conv##_WEIGHT_DIM1(s, 0, 0) == CHANNELS((s) + 1) &&                       \
     conv##_BIAS_DIM0(s, 0, 0) == CHANNELS((s) + 1))
#define STAGE_FITS(s)                                                          \
    (BIGVGAN_TINY_UP_WEIGHT_DIM0(s) == CHANNELS((s) + 1) &&                    \
     BIGVGAN_TINY_UP_WEIGHT_DIM1(s) == CHANNELS(s) &&                          \
     CONV_FITS(BIGVGAN_TINY_RES_CONV1, s) &&                                   \
     CONV_FITS(BIGVGAN_TINY_RES_CONV2, s) &&                                   \
     BIGVGAN_TINY_RES_ACT_ALPHA_DIM0(s, 0, 0) == CHANNELS((s) + 1))

_Static_assert(MEMBER_COUNT(up) == STAGES && MEMBER_COUNT(res) == STAGES,
               "the spec's stages are its constants'");
_Static_assert(MEMBER_COUNT(res[0]) == BLOCKS &&
                   MEMBER_COUNT(res[0][0].conv1) == DILATIONS &&
                   MEMBER_COUNT(res[0][0].act) == 2 * DILATIONS,
               "the spec's resblocks are its constants'");
_Static_assert(STAGES == 6 && STAGE_FITS(0) && STAGE_FITS(1) && STAGE_FITS(2) &&
                   STAGE_FITS(3) && STAGE_FITS(4) && STAGE_FITS(5),
               "each stage halves the channels");
_Static_assert(BIGVGAN_TINY_PRE_WEIGHT_DIM0 == CHANNELS(0) &&
                   BIGVGAN_TINY_PRE_WEIGHT_DIM1 == BIGVGAN_TINY_NUM_MELS &&
                   BIGVGAN_TINY_PRE_WEIGHT_DIM2 % 2 == 1,
               "conv_pre takes mel bands, with a middle tap");
_Static_assert(BIGVGAN_TINY_POST_WEIGHT_DIM0 == 1 &&
                   BIGVGAN_TINY_POST_WEIGHT_DIM1 == CHANNELS(STAGES) &&
                   BIGVGAN_TINY_POST_WEIGHT_DIM2 % 2 == 1 &&
                   BIGVGAN_TINY_POST_ALPHA_DIM0 == CHANNELS(STAGES),
               "conv_post makes audio, with a middle tap");

static const size_t rates[] = BIGVGAN_TINY_UPSAMPLE_RATES;
static const size_t dilations[] = BIGVGAN_TINY_RESBLOCK_DILATIONS;

/* One pass. All signals hold as much as the largest of the stages. */
struct pass {
    const struct bigvgan_tiny_weights *w;
    struct signal x;     /* what goes from stage to stage */
    struct signal sum;   /* of a stage's blocks */
    struct signal block; /* what goes from one residual step to the next */
    struct signal a;     /* within a step */
    struct signal b;
    float *twice; /* for snake */
    float *memory;
    float taps[LOWPASS_TAPS];
};

static size_t channels_behind(size_t stages)
{
    return (size_t)CHANNELS(stages);
}

/* --- memory --- */

/* The floats that one frame becomes in the largest of the stages. */
static size_t largest_frame(void)
{
    size_t samples = 1, largest = channels_behind(0);
    for (size_t s = 0; s < STAGES; s++) {
        samples *= rates[s];
        if (channels_behind(s + 1) * samples > largest)
            largest = channels_behind(s + 1) * samples;
    }
    return largest;
}

static bool pass_begin(struct pass *p, const struct bigvgan_tiny_weights *w,
                       size_t frames)
{
    struct signal *const signals[] = {&p->x, &p->sum, &p->block, &p->a, &p->b};
    const size_t count = sizeof signals / sizeof signals[0];
    const size_t largest = largest_frame();
    /* calloc multiplies without overflow; the rest is small constants. */
    p->memory = calloc(frames, (count * largest + 2 * bigvgan_hop()) *
                                   sizeof *p->memory);
    if (p->memory == NULL)
        return false;
    p->w = w;
    for (size_t i = 0; i < count; i++)
        *signals[i] = (struct signal){0, 0, p->memory + i * frames * largest};
    p->twice = p->memory + count * frames * largest;
    lowpass_taps(p->taps);
    return true;
}

/* --- modules --- */

static void conv_pre(struct pass *p, const struct signal *mel)
{
    const struct conv conv = {
        .weight = TTSB_USE(p->w, pre.weight),
        .bias = TTSB_USE(p->w, pre.bias),
        .out = channels_behind(0),
        .kernel = BIGVGAN_TINY_PRE_WEIGHT_DIM2,
    };
    conv1d(&conv, 1, mel, &p->x);
}

/* ups.s.0: longer by rates[s], half as many channels. */
static void upsample(struct pass *p, size_t s)
{
    const struct signal old = p->x;
    const struct conv conv = {
        .weight = TTSB_USE(p->w, up[s].weight),
        .bias = TTSB_USE(p->w, up[s].bias),
        .out = channels_behind(s + 1),
        .kernel = (size_t)BIGVGAN_TINY_UP_WEIGHT_DIM2(s),
    };
    conv_transpose1d(&conv, rates[s], &old, &p->sum);
    p->x = p->sum;
    p->sum = old;
}

/* activations.n of the block: 0, 2, 4 stand before convs1, 1, 3, 5 before
 * convs2. */
static void activation(struct pass *p, size_t s, size_t j, size_t n,
                       struct signal *from)
{
    const struct snake act = {
        .alpha = TTSB_USE(p->w, res[s][j].act[n].alpha),
        .beta = TTSB_USE(p->w, res[s][j].act[n].beta),
        .epsilon = (float)BIGVGAN_TINY_SNAKE_EPSILON,
        .taps = p->taps,
        .twice = p->twice,
    };
    snake(&act, from, &p->a);
}

/* One dilation of AMPBlock1: block += conv2(act(conv1(act(block)))). */
static void residual_step(struct pass *p, size_t s, size_t j, size_t d)
{
    const struct conv first = {
        .weight = TTSB_USE(p->w, res[s][j].conv1[d].weight),
        .bias = TTSB_USE(p->w, res[s][j].conv1[d].bias),
        .out = channels_behind(s + 1),
        .kernel = (size_t)BIGVGAN_TINY_RES_CONV1_WEIGHT_DIM2(s, j, d),
    };
    const struct conv second = {
        .weight = TTSB_USE(p->w, res[s][j].conv2[d].weight),
        .bias = TTSB_USE(p->w, res[s][j].conv2[d].bias),
        .out = channels_behind(s + 1),
        .kernel = (size_t)BIGVGAN_TINY_RES_CONV2_WEIGHT_DIM2(s, j, d),
    };
    activation(p, s, j, 2 * d, &p->block);
    conv1d(&first, dilations[d], &p->a, &p->b);
    activation(p, s, j, 2 * d + 1, &p->b);
    conv1d(&second, 1, &p->a, &p->b);
    signal_add(&p->b, &p->block);
}

static void signal_copy(const struct signal *from, struct signal *to)
{
    to->channels = from->channels;
    to->length = from->length;
    memcpy(to->data, from->data,
           from->channels * from->length * sizeof *from->data);
}

/* resblocks.(BLOCKS * s + j), class AMPBlock1, of x, left in `block`. */
static void amp_block(struct pass *p, size_t s, size_t j)
{
    signal_copy(&p->x, &p->block);
    for (size_t d = 0; d < DILATIONS; d++)
        residual_step(p, s, j, d);
}

/* x becomes the mean of what the stage's blocks make of it. */
static void stage(struct pass *p, size_t s)
{
    upsample(p, s);
    amp_block(p, s, 0);
    signal_copy(&p->block, &p->sum);
    for (size_t j = 1; j < BLOCKS; j++) {
        amp_block(p, s, j);
        signal_add(&p->block, &p->sum);
    }
    signal_scale(&p->sum, 1.0F / BLOCKS);
    signal_copy(&p->sum, &p->x);
}

static void activation_post(struct pass *p)
{
    const struct snake act = {
        .alpha = TTSB_USE(p->w, post.alpha),
        .beta = TTSB_USE(p->w, post.beta),
        .epsilon = (float)BIGVGAN_TINY_SNAKE_EPSILON,
        .taps = p->taps,
        .twice = p->twice,
    };
    snake(&act, &p->x, &p->x);
}

/* Without a bias (use_bias_at_final: false). */
static void conv_post(struct pass *p, struct signal *audio)
{
    const struct conv conv = {
        .weight = TTSB_USE(p->w, post.weight),
        .out = 1,
        .kernel = BIGVGAN_TINY_POST_WEIGHT_DIM2,
    };
    conv1d(&conv, 1, &p->x, audio);
}

/* --- all of it --- */

size_t bigvgan_hop(void)
{
    size_t samples = 1;
    for (size_t s = 0; s < STAGES; s++)
        samples *= rates[s];
    return samples;
}

bool bigvgan_forward(const struct bigvgan_tiny_weights *weights,
                     const struct signal *mel, struct signal *audio)
{
    struct pass p;
    if (!pass_begin(&p, weights, mel->length))
        return false;
    conv_pre(&p, mel);
    for (size_t s = 0; s < STAGES; s++)
        stage(&p, s);
    activation_post(&p);
    conv_post(&p, audio);
    signal_clamp(audio); /* use_tanh_at_final: false */
    free(p.memory);
    return true;
}
