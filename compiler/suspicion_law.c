/* SPDX-License-Identifier: MIT
 *
 * suspicion_law.c - the laws of initialisers.
 *
 * In: dims and tallies. Out: laws and misfits. Invariant: where a figure has
 * a distribution for n samples, it is told in standard errors of that
 * distribution, and so is its limit.
 */
#include "suspicion_law.h"

#include <math.h>

#include "suspicion.h"

/* Fewer elements are not looked at. Measured: trained matrices are not uniform
 * even with 576 elements; normal ones are a matter of LAW_LARGE. */
static const uint64_t least_of[SPREADS] = {1024, 512, 1024, 1024};
#define IMPOSSIBLE 1000.0
/* More zeros than that are no padding row. */
#define ZEROS_ALLOWED 0.1

/* Moments of the spreads at deviation 1: kurtosis, then n times the variance
 * of a sample's relative std, skewness and kurtosis. */
struct moments {
    double kurtosis, std, skewness, spread;
};

static const struct moments moments_of[SPREADS] = {
    {3, 0.5, 6, 24},
    {1.8, 0.2, 2.0571, 1.3166},
    {2.3655, 0.3414, 2.2780, 3.8482},
    {2.3655, 0.3414, 2.2780, 3.8482},
};

/* The deviation of a normal distribution of deviation 1 cut at 2. */
static const double cut_std = 0.87962566103;

static const char *const spread_names[SPREADS] = {
    "normal", "uniform", "normal cut at 2 std", "normal cut at 2 std, widened"};

static const char *const scale_names[SCALES] = {
    "std 0.02",
    "std 0.01",
    "std 0.02/sqrt(2 layers)",
    "std 1",
    "LeCun, std 1/sqrt(fan_in)",
    "LeCun, std 1/sqrt(fan_out)",
    "He, std sqrt(2/fan_in)",
    "He, std sqrt(2/fan_out)",
    "Xavier, std sqrt(2/(fan_in+fan_out))",
    "Xavier, gain sqrt(2)",
    "Xavier, gain 5/3",
    "torch's default, std 1/sqrt(3 fan_in)",
    "torch's default, std 1/sqrt(3 fan_out)",
    "codebook, within 1/rows",
    "LSTM, within 1/sqrt(rows/4)",
    "GRU, within 1/sqrt(rows/3)",
    "the classic rule, std 0.02 give or take 0.005",
};

struct fans {
    double in, out, rows;
};

static struct fans fans_of(const struct stats_row *row)
{
    double kernel = 1;
    for (uint32_t i = 2; i < row->rank; i++)
        kernel *= (double)row->dims[i];
    return (struct fans){(double)row->dims[1] * kernel,
                         (double)row->dims[0] * kernel, (double)row->dims[0]};
}

/* The wanted variance; 0 where only a uniform law has that scale. */
static double variance_of(enum scale scale, struct fans f, uint32_t layers)
{
    switch (scale) {
    case SCALE_002:
        return 0.02 * 0.02;
    case SCALE_001:
        return 0.01 * 0.01;
    case SCALE_RESIDUAL:
        return layers > 1 ? 0.02 * 0.02 / (2.0 * layers) : 0;
    case SCALE_UNIT:
        return 1;
    case SCALE_LECUN_IN:
        return 1 / f.in;
    case SCALE_LECUN_OUT:
        return 1 / f.out;
    case SCALE_HE_IN:
        return 2 / f.in;
    case SCALE_HE_OUT:
        return 2 / f.out;
    case SCALE_XAVIER:
        return 2 / (f.in + f.out);
    case SCALE_XAVIER_RELU:
        return 4 / (f.in + f.out);
    case SCALE_XAVIER_TANH:
        return 50.0 / 9 / (f.in + f.out);
    case SCALE_TORCH_IN:
        return 1 / (3 * f.in);
    case SCALE_TORCH_OUT:
        return 1 / (3 * f.out);
    case SCALE_CODEBOOK:
        return 1 / (3 * f.rows * f.rows);
    case SCALE_LSTM:
        return 4 / (3 * f.rows);
    case SCALE_GRU:
        return 3 / (3 * f.rows);
    default:
        return 0;
    }
}

struct law law_scaled(struct law law, double std)
{
    static const double limits[SPREADS] = {0, 1.73205080757, 2 / 0.87962566103,
                                           2 / 0.87962566103};
    law.std = std;
    law.limit = std * limits[law.spread];
    return law;
}

/* The classic rule leaves the scale open: it is the tensor's own. */
static struct law law_classic(const struct tally *t, enum spread spread)
{
    struct law law = {.spread = spread};
    double n = (double)t->finite, most = tally_absmax(t);
    if (!suspicion_classic(t) || spread == SPREAD_CUT_SCALED)
        return law;
    if (spread == SPREAD_NORMAL)
        return law_scaled(law, tally_std(t));
    if (spread == SPREAD_UNIFORM)
        return law_scaled(law, most * (1 + 1 / n) / 1.73205080757);
    return law_scaled(law, most * cut_std / 2);
}

struct law law_of(const struct stats_row *row, unsigned i, uint32_t layers)
{
    enum scale scale = (enum scale)(i / SPREADS);
    struct law law = {.spread = (enum spread)(i % SPREADS)};
    bool own =
        scale == SCALE_CODEBOOK || scale == SCALE_LSTM || scale == SCALE_GRU;
    double std;
    if (row->rank < 2 || row->tally.count < least_of[law.spread])
        return law;
    if (own && law.spread != SPREAD_UNIFORM)
        return law;
    if (scale == SCALE_CLASSIC)
        return law_classic(&row->tally, law.spread);
    std = sqrt(variance_of(scale, fans_of(row), layers));
    return law_scaled(law, law.spread == SPREAD_CUT ? std * cut_std : std);
}

struct law law_bias(double fan_in)
{
    struct law law = {.spread = SPREAD_UNIFORM};
    return law_scaled(law, 1 / sqrt(3 * fan_in));
}

/* The part of the samples below x. */
static double below(const struct law *law, double x)
{
    double sigma = law->std;
    if (law->spread == SPREAD_NORMAL)
        return erf(x / sigma / sqrt(2));
    x = fmin(x, law->limit);
    if (law->spread == SPREAD_UNIFORM)
        return x / law->limit;
    sigma = law->limit / 2;
    return erf(x / sigma / sqrt(2)) / erf(sqrt(2));
}

/* The largest relative error of a value that a dtype rounds. */
static double rounding(enum ttsb_dtype dtype)
{
    switch (dtype) {
    case TTSB_BF16:
        return 0x1p-9;
    case TTSB_F16:
        return 0x1p-12;
    default:
        return 0x1p-25;
    }
}

/* What is not below `edge`, a power of two, in that dtype begins there. */
static double rounded_up(double edge, enum ttsb_dtype dtype)
{
    double off = edge * rounding(dtype);
    return edge - (dtype == TTSB_F16 ? fmax(off, 0x1p-25) : off);
}

/* Chi-square of the bins against the law; *freedom is how many counted. Bins
 * in which fewer than 8 samples are expected are left out. */
static double chi_square(const struct law *law, const struct stats_row *row,
                         double n, double *freedom)
{
    const struct tally *t = &row->tally;
    double sum = 0;
    *freedom = 0;
    for (int k = 0; k < TALLY_ZERO_SIDE; k++) {
        double edge = tally_bin_edge(TALLY_ZERO_SIDE + k);
        double low = k == 0 ? 0 : below(law, rounded_up(edge, row->dtype));
        double high = k == TALLY_ZERO_SIDE - 1
                          ? 1
                          : below(law, rounded_up(edge * 2, row->dtype));
        double want = n * (high - low) / 2, plus, minus;
        if (want < 8)
            continue;
        plus = (double)t->bins[TALLY_ZERO_SIDE + k] - want;
        minus = (double)t->bins[TALLY_ZERO_SIDE - 1 - k] - want;
        sum += (plus * plus + minus * minus) / want;
        *freedom += 2;
    }
    return sum;
}

/* Standard errors of a chi-square (Wilson and Hilferty). */
static double errors_of(double chi2, double freedom)
{
    double v = 2 / (9 * freedom);
    return freedom == 0 ? 0 : (cbrt(chi2 / freedom) - (1 - v)) / sqrt(v);
}

/* Whether n samples can have that largest magnitude: all that is asked holds
 * but once in 100,000 times. `round` is what the dtype may add. */
static bool possible(const struct law *law, double most, double n, double round)
{
    double outside;
    if (law->spread == SPREAD_NORMAL) {
        outside = n * erfc(most / law->std / sqrt(2));
        return outside < 12 && outside > 1e-5;
    }
    outside = n * (1 - most / law->limit);
    return most <= law->limit * (1 + 8 * round) &&
           outside < (law->spread == SPREAD_UNIFORM ? 12 : 53);
}

struct misfit law_misfit(const struct law *law, const struct stats_row *row)
{
    const struct tally *t = &row->tally;
    const struct moments *m = &moments_of[law->spread];
    double all = (double)t->finite, n = all - (double)t->zeros, std;
    struct misfit out = {.extreme = IMPOSSIBLE};
    if (law->std <= 0 || t->m2 <= 0 || n < all * (1 - ZEROS_ALLOWED))
        return out;
    std = tally_std(t) * sqrt(all / n);
    out.mean = t->mean * all / n / law->std * sqrt(n);
    out.std = (std / law->std - 1) / sqrt(m->std / n);
    if (fabs(out.std) >= LAW_ADMITTED)
        return out;
    out.skewness = tally_skewness(t) * sqrt(n / m->skewness);
    out.kurtosis =
        (tally_kurtosis(t) * n / all - m->kurtosis) / sqrt(m->spread / n);
    if (possible(law, tally_absmax(t), n, rounding(row->dtype)))
        out.extreme = 0;
    out.chi2 = chi_square(law, row, n, &out.freedom);
    out.bins = errors_of(out.chi2, out.freedom);
    return out;
}

bool law_fits(const struct misfit *m, double errors)
{
    return fabs(m->mean) < errors && fabs(m->std) < errors &&
           fabs(m->skewness) < errors && fabs(m->kurtosis) < errors &&
           m->extreme == 0 && m->bins < errors;
}

struct misfit law_pooled(const struct misfit *m, size_t n)
{
    struct misfit out = {0};
    double root = sqrt((double)n);
    for (size_t i = 0; i < n; i++) {
        out.mean += m[i].mean / root;
        out.std += m[i].std / root;
        out.skewness += m[i].skewness / root;
        out.kurtosis += m[i].kurtosis / root;
        out.extreme += m[i].extreme;
        out.chi2 += m[i].chi2;
        out.freedom += m[i].freedom;
    }
    out.bins = errors_of(out.chi2, out.freedom);
    return out;
}

struct str law_text(struct arena *a, unsigned i)
{
    return arena_format(a, "%s, %s", spread_names[i % SPREADS],
                        scale_names[i / SPREADS]);
}
