/* SPDX-License-Identifier: MIT
 *
 * layers.h - the layers that BigVGAN is made of, on the CPU.
 *
 * In: signals and weights as the spec lays them out. Out: signals in memory
 * that the caller owns. Invariant: nothing is allocated and nothing is kept;
 * a layer writes channels * length floats of its output and no others.
 * Written to be read: one loop for each index of the formula.
 */
#ifndef TTSW_ENGINE_LAYERS_H
#define TTSW_ENGINE_LAYERS_H

#include <stddef.h>

/* A batch of one: data[channel * length + time], time in samples of whatever
 * rate the network is at. The memory is the caller's. */
struct signal {
    size_t channels;
    size_t length;
    float *data;
};

/* The weights of a convolution. */
struct conv {
    const float *weight; /* [out, in, kernel], also of a transposed one */
    const float *bias;   /* [out], or NULL: none */
    size_t out;          /* channels; those that come in are the signal's */
    size_t kernel;       /* taps */
};

/* torch.nn.Conv1d with stride 1 and padding dilation * (kernel - 1) / 2, for
 * an odd kernel: `to` gets as many samples as `from` has. Its memory is
 * another than from's and holds to->channels * length floats. */
void conv1d(const struct conv *conv, size_t dilation, const struct signal *from,
            struct signal *to);

/* torch.nn.ConvTranspose1d with padding (kernel - stride) / 2, where that is
 * whole: `to` gets stride samples for each of from's. Memory as for conv1d. */
void conv_transpose1d(const struct conv *conv, size_t stride,
                      const struct signal *from, struct signal *to);

#define LOWPASS_TAPS 12

/* The filter of all resampling, upstream's buffers `filter`, which the spec
 * drops: a sinc of cutoff 1/4 cycle a sample under a Kaiser window whose
 * transition is 0.6 of that band; the taps' sum is 1 (kaiser_sinc_filter1d
 * of alias_free_activation/torch/filter.py). */
void lowpass_taps(float taps[LOWPASS_TAPS]);

/* An anti-aliased SnakeBeta: what Activation1d(SnakeBeta) has and needs. */
struct snake {
    const float *alpha; /* [channels], exponentiated by the spec */
    const float *beta;  /* [channels], likewise */
    float epsilon;      /* added to beta */
    const float *taps;  /* lowpass_taps */
    float *twice;       /* scratch: 2 * length floats */
};

/* Twice the rate, x + sin(alpha x)^2 / (beta + epsilon), half the rate
 * (Activation1d of alias_free_activation/torch/act.py), so that the harmonics
 * that the square makes are cut off before they fold back. `to` may be
 * `from`; else its memory is as for conv1d. */
void snake(const struct snake *snake, const struct signal *from,
           struct signal *to);

/* to += from, of one size. */
void signal_add(const struct signal *from, struct signal *to);

/* Every sample times `factor`. */
void signal_scale(struct signal *signal, float factor);

/* Every sample into [-1, 1]; a NaN stays one. */
void signal_clamp(struct signal *signal);

#endif
