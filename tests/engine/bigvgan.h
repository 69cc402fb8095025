/* SPDX-License-Identifier: MIT
 *
 * bigvgan.h - BigVGAN's forward pass (class BigVGAN of NVIDIA/BigVGAN,
 * bigvgan.py), for the model that specs/indextts2/bigvgan_tiny.yaml describes.
 */
#ifndef TTSW_ENGINE_BIGVGAN_H
#define TTSW_ENGINE_BIGVGAN_H

#include <stdbool.h>

#include "bigvgan_tiny.h" /* by `ttswc header` */
#include "layers.h"

/* The samples of audio for one frame of mel: the product of the rates. */
size_t bigvgan_hop(void);

/* Makes audio, [1, bigvgan_hop() * mel->length] in [-1, 1], of `mel`,
 * [BIGVGAN_TINY_NUM_MELS, 1 or more frames]. The weights are bound on the
 * host. audio->data is the caller's and holds that many floats; all of *audio
 * but `data` is set. False where there is no memory for it, and then *audio is
 * untouched. */
bool bigvgan_forward(const struct bigvgan_tiny_weights *weights,
                     const struct signal *mel, struct signal *audio);

#endif
