/* SPDX-License-Identifier: MIT
 *
 * suspicion_law.h - the laws by which initialisers draw, and how well a
 * tensor follows one.
 *
 * In: a shape and a tally. Out: which laws a tensor follows, and how far each
 * of its figures is from what the law lets expect of that many samples.
 * Invariant: all limits are multiples of the standard error for n samples, so
 * that a larger tensor must follow more exactly.
 */
#ifndef TTSW_SUSPICION_LAW_H
#define TTSW_SUSPICION_LAW_H

#include "arena.h"
#include "stats.h"

/* How many standard errors a figure may be off. Of 10,000 tensors that follow a
 * law, three are 4 off in one of five figures. Measured: the trained matrices
 * of MiniLM are 17 off in kurtosis, and more. */
#define LAW_ERRORS 4.0
/* The same, where siblings already follow that very law. */
#define LAW_ADMITTED 6.0
/* From that many elements on a trained matrix does not pass for a normal one,
 * whoever its siblings are. Measured on slices of trained matrices with a drawn
 * scale each (bench_suspicions.py): three of six siblings pass in every
 * seventh family of 1024 elements, in one of 660 of 10,000, in none of 16384.
 */
#define LAW_LARGE 16384

/* How values are spread. */
enum spread {
    SPREAD_NORMAL,
    SPREAD_UNIFORM,
    SPREAD_CUT,        /* a normal one that is cut at 2 sigma */
    SPREAD_CUT_SCALED, /* the same, widened to the wanted deviation */
    SPREADS
};

/* What gives the scale. `in` and `out` are the tensor's own fans. */
enum scale {
    SCALE_002,         /* 0.02 */
    SCALE_001,         /* 0.01, as vocoders of the HiFi-GAN family */
    SCALE_RESIDUAL,    /* 0.02 / sqrt(2 * layers), GPT-2's projections */
    SCALE_UNIT,        /* 1 */
    SCALE_LECUN_IN,    /* 1 / sqrt(in) */
    SCALE_LECUN_OUT,   /* 1 / sqrt(out): stored [in, out], or fan_out */
    SCALE_HE_IN,       /* sqrt(2 / in) */
    SCALE_HE_OUT,      /* sqrt(2 / out) */
    SCALE_XAVIER,      /* sqrt(2 / (in + out)) */
    SCALE_XAVIER_RELU, /* the same, gain sqrt(2) */
    SCALE_XAVIER_TANH, /* the same, gain 5/3 */
    SCALE_TORCH_IN,    /* 1 / sqrt(3 in): torch's Linear and Conv */
    SCALE_TORCH_OUT,   /* 1 / sqrt(3 out) */
    SCALE_CODEBOOK,    /* uniform within 1 / rows */
    SCALE_LSTM,        /* uniform within 1 / sqrt(rows / 4) */
    SCALE_GRU,         /* uniform within 1 / sqrt(rows / 3) */
    SCALE_CLASSIC,     /* any that the classic rule allows */
    SCALES
};

#define LAWS (SCALES * SPREADS)

struct law {
    enum spread spread;
    double std;   /* of the values, 0: the law does not apply */
    double limit; /* the largest magnitude, 0 if there is none */
};

/* Figures in standard errors from the law's. */
struct misfit {
    double mean, std, skewness, kurtosis;
    double extreme; /* 0 if the largest magnitude is possible, else 1000 */
    double bins;    /* chi-square of the octaves, minus its freedom's mean */
    double chi2, freedom;
};

/* Law i of a tensor whose family has `layers` members. */
struct law law_of(const struct stats_row *row, unsigned i, uint32_t layers);

/* The bias of a layer whose weight has that fan-in. */
struct law law_bias(double fan_in);

/* A law whose free scale is known: siblings that agree on a deviation. */
struct law law_scaled(struct law law, double std);

struct misfit law_misfit(const struct law *law, const struct stats_row *row);

/* Whether every figure is within so many standard errors. */
bool law_fits(const struct misfit *m, double errors);

/* What holds of several tensors that follow the same kind of law together:
 * sums of the figures over the square root of their number. */
struct misfit law_pooled(const struct misfit *m, size_t n);

/* "normal, std 0.02"; without figures of the tensor. */
struct str law_text(struct arena *a, unsigned i);

#endif
