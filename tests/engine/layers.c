/* SPDX-License-Identifier: MIT
 *
 * layers.c - convolutions as sums of shifted rows; resampling by the 12 taps
 * of one symmetric filter. Sums are in float, as torch's are.
 */
#include "layers.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

static void fill(float *row, size_t length, float value)
{
    for (size_t t = 0; t < length; t++)
        row[t] = value;
}

/* --- convolutions --- */

/* to[t] += weight * from[t + shift]; outside of its row `from` is 0. */
static void add_shifted(float *to, const float *from, size_t length,
                        float weight, ptrdiff_t shift)
{
    const ptrdiff_t all = (ptrdiff_t)length;
    const ptrdiff_t first = shift < 0 ? -shift : 0;
    const ptrdiff_t end = shift > 0 ? all - shift : all;
    for (ptrdiff_t t = first; t < end; t++)
        to[t] += weight * from[t + shift];
}

void conv1d(const struct conv *conv, size_t dilation, const struct signal *from,
            struct signal *to)
{
    const size_t length = from->length;
    const ptrdiff_t padding = (ptrdiff_t)(dilation * (conv->kernel - 1) / 2);
    const float *weight = conv->weight;
    to->channels = conv->out;
    to->length = length;
    for (size_t o = 0; o < conv->out; o++) {
        float *row = to->data + o * length;
        fill(row, length, conv->bias == NULL ? 0.0F : conv->bias[o]);
        for (size_t i = 0; i < from->channels; i++)
            for (size_t k = 0; k < conv->kernel; k++)
                add_shifted(row, from->data + i * length, length, *weight++,
                            (ptrdiff_t)(k * dilation) - padding);
    }
}

/* to[stride * t + shift] += weight * from[t], as far as that is in its row. */
static void add_spread(struct signal to, const float *from, size_t stride,
                       float weight, ptrdiff_t shift)
{
    const ptrdiff_t end = (ptrdiff_t)to.length;
    ptrdiff_t at = shift;
    for (size_t t = 0; t < to.length / stride; t++) {
        if (at >= 0 && at < end)
            to.data[at] += weight * from[t];
        at += (ptrdiff_t)stride;
    }
}

void conv_transpose1d(const struct conv *conv, size_t stride,
                      const struct signal *from, struct signal *to)
{
    const size_t length = from->length * stride;
    const ptrdiff_t padding = (ptrdiff_t)((conv->kernel - stride) / 2);
    const float *weight = conv->weight;
    to->channels = conv->out;
    to->length = length;
    for (size_t o = 0; o < conv->out; o++) {
        struct signal row = {1, length, to->data + o * length};
        fill(row.data, length, conv->bias == NULL ? 0.0F : conv->bias[o]);
        for (size_t i = 0; i < from->channels; i++)
            for (size_t k = 0; k < conv->kernel; k++)
                add_spread(row, from->data + i * from->length, stride,
                           *weight++, (ptrdiff_t)k - padding);
    }
}

/* --- resampling --- */

/* The modified Bessel function of the first kind, of order 0, by its series;
 * the terms fall fast for the small x that a window needs. */
static double bessel_i0(double x)
{
    double sum = 1, term = 1;
    for (int n = 1; n < 40; n++) {
        term *= (x / 2 / n) * (x / 2 / n);
        sum += term;
    }
    return sum;
}

void lowpass_taps(float taps[LOWPASS_TAPS])
{
    /* Kaiser's design: the attenuation in dB that so many taps give for the
     * transition 4 * 0.3, and beta for an attenuation above 50. */
    const double half = LOWPASS_TAPS / 2;
    const double attenuation = 2.285 * (half - 1) * pi * 4 * 0.3 + 7.95;
    const double beta = 0.1102 * (attenuation - 8.7);
    double tap[LOWPASS_TAPS], sum = 0;
    for (int i = 0; i < LOWPASS_TAPS; i++) {
        const double time = i - half + 0.5; /* never 0 */
        const double edge = (i - half + 0.5) / (half - 0.5);
        const double window =
            bessel_i0(beta * sqrt(1 - edge * edge)) / bessel_i0(beta);
        tap[i] = window * sin(pi * time / 2) / (pi * time / 2);
        sum += tap[i];
    }
    for (int i = 0; i < LOWPASS_TAPS; i++)
        taps[i] = (float)(tap[i] / sum);
}

/* The row's sample at `t`; outside of it the nearest (replicate padding). */
static float nearest(const float *row, size_t length, ptrdiff_t t)
{
    if (t < 0)
        return row[0];
    return row[t < (ptrdiff_t)length ? t : (ptrdiff_t)length - 1];
}

/* UpSample1d, ratio 2, of alias_free_activation/torch/resample.py: zeros
 * between the samples, the filter over them, twice as loud for the zeros. Of
 * the 12 taps every second one meets a sample. */
static void row_upsample(const float *taps, const float *from, size_t length,
                         float *twice)
{
    const ptrdiff_t end = 2 * (ptrdiff_t)length;
    for (ptrdiff_t t = 0; t < end; t++) {
        float sum = 0;
        for (ptrdiff_t k = (t + 1) % 2; k < LOWPASS_TAPS; k += 2)
            sum += taps[k] * nearest(from, length, (t + 5 - k) / 2);
        twice[t] = 2 * sum;
    }
}

/* DownSample1d, ratio 2: the filter over every second sample. */
static void row_downsample(const float *taps, const float *twice, size_t length,
                           float *to)
{
    for (size_t t = 0; t < length; t++) {
        float sum = 0;
        for (ptrdiff_t k = 0; k < LOWPASS_TAPS; k++)
            sum +=
                taps[k] * nearest(twice, 2 * length, 2 * (ptrdiff_t)t + k - 5);
        to[t] = sum;
    }
}

void snake(const struct snake *snake, const struct signal *from,
           struct signal *to)
{
    const size_t length = from->length;
    to->channels = from->channels;
    to->length = length;
    for (size_t c = 0; c < from->channels; c++) {
        const float scale = 1 / (snake->beta[c] + snake->epsilon);
        row_upsample(snake->taps, from->data + c * length, length,
                     snake->twice);
        for (size_t t = 0; t < 2 * length; t++) {
            const float wave = sinf(snake->alpha[c] * snake->twice[t]);
            snake->twice[t] += scale * wave * wave;
        }
        row_downsample(snake->taps, snake->twice, length,
                       to->data + c * length);
    }
}

/* --- arithmetic --- */

void signal_add(const struct signal *from, struct signal *to)
{
    for (size_t i = 0; i < to->channels * to->length; i++)
        to->data[i] += from->data[i];
}

void signal_scale(struct signal *signal, float factor)
{
    for (size_t i = 0; i < signal->channels * signal->length; i++)
        signal->data[i] *= factor;
}

void signal_clamp(struct signal *signal)
{
    for (size_t i = 0; i < signal->channels * signal->length; i++) {
        if (signal->data[i] > 1)
            signal->data[i] = 1;
        else if (signal->data[i] < -1)
            signal->data[i] = -1;
    }
}
