/* SPDX-License-Identifier: MIT
 *
 * test_kernels_cuda.c - the device's kernels against the host's, bit for bit.
 *
 * In: nothing; inputs are made here: every 16-bit code, every rounding's ties
 * and their neighbours, each exponent, NaNs with payloads, integers' edges,
 * random numbers of fixed seeds. Out: a line for each kernel, and exit 0 where
 * every byte of its buffers, the guards around them, and what it found are the
 * host's; else exit 1, the line naming the first difference. Skipped (exit 77)
 * where there is no device. Invariant: both sides begin with the same bytes, so
 * what a kernel should not have written shows too; `void` buffers lie at odd
 * addresses, which a device forgives less than a host.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "body_xxh3.h"
#include "cuda_twin.h"
#include "kernels_cuda.h"

#define SKIPPED 77
#define INPUT_SIZE (4096U * 24 * 24 * 8) /* bytes of the largest input */
#define SHIFTS 37                        /* at which pieces begin, in words */
#define PIECES_SIZE (65536 + 8 * SHIFTS)
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Bits of an element, by dtype. */
static const unsigned char bits_of[TTSB_DTYPE_COUNT] = {
    0,  8,  8,  8, 16, 16, 32, 32, 64, 64, 16, 16,
    32, 64, 64, 8, 8,  8,  8,  8,  4,  6,  6};

/* The next 64 bits of splitmix64. */
static uint64_t random_bits(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* F32 or F64. Every sign and exponent; of the mantissa, the upper bits none,
 * one, all or random; the lower ones none, one, all, on, or beside the middle.
 */
static size_t fill_floats(unsigned char *to, size_t width)
{
    const unsigned mantissa = width == 8 ? 52 : 23;
    const uint64_t tops = UINT64_C(1) << (width * 8 - mantissa);
    uint64_t state = 1;
    for (uint64_t i = 0; i < tops * 24; i++) {
        const uint64_t unit = UINT64_C(1) << (mantissa - i % 24);
        const uint64_t low = unit - 1, half = unit >> 1;
        const uint64_t high = (UINT64_C(1) << mantissa) - unit;
        const uint64_t keep[] = {0, unit, high, random_bits(&state)};
        const uint64_t tail[] = {0, 1, half - 1, half, half + 1, low};
        for (size_t j = 0; j < 24; j++, to += width) {
            const uint64_t bits =
                i / 24 << mantissa | (keep[j / 6] & high) | (tail[j % 6] & low);
            memcpy(to, &bits, width);
        }
    }
    return tops * 24 * 24 * width;
}

/* All of 16 bits, powers of two and what is beside them, random sizes. */
static size_t fill_integers(unsigned char *to, size_t width)
{
    uint64_t state = 2;
    for (uint64_t i = 0; i < 98304; i++) {
        const uint64_t near = (UINT64_C(1) << i / 2 % 64) + i / 128 % 5 - 2;
        const uint64_t edge = i / 640 % 2 == 0 ? near : 0 - near;
        const uint64_t any = random_bits(&state) >> i / 2 % 64;
        const uint64_t v = i % 2 == 0 ? edge : any;
        memcpy(to + i * width, i < 65536 ? &i : &v, width);
    }
    return 98304 * width;
}

/* Casts; a dtype to itself is scanned, too. */
static void run_cast(struct bench *b, struct kernel_cast pair, const void *in,
                     uint64_t n)
{
    const size_t from = bits_of[pair.from], to = bits_of[pair.to];
    const bool known = kernel_cast_known(pair);
    struct kernel_range_error err = {0, 0, 0, 0};
    struct kernel_nonfinite found = {0, 0, 0};
    struct twin x = twin_make(b, in, n * from / 8, from < 8 ? 1 : from / 8, 1);
    struct twin y = twin_make(b, NULL, n * to / 8, to < 8 ? 1 : to / 8, 1);
    b->kernel = CAST;
    (void)snprintf(b->what, sizeof b->what, "%llu of dtype %d to %d",
                   (unsigned long long)n, (int)pair.from, (int)pair.to);
    (void)kernel_cast(pair, x.host, n, y.host, &err);
    check_call(b, kernel_cuda_cast(pair, x.device, n, y.device, b->call), known,
               err.count, err.first);
    check_call(b, kernel_cuda_cast(pair, NULL, 0, NULL, b->call), known, 0, 0);
    twin_end(b, &y);
    b->kernel = pair.from == pair.to ? SCAN : CAST;
    if (b->kernel == SCAN) {
        kernel_scan_nonfinite(pair.from, x.host, n, &found);
        check_call(b,
                   kernel_cuda_scan_nonfinite(pair.from, x.device, n, b->call),
                   true, found.count, found.first);
    }
    twin_end(b, &x);
}

static void test_dtype(struct bench *b, enum ttsb_dtype d)
{
    unsigned char *in = get(b, INPUT_SIZE);
    const bool integer = d >= TTSB_U8 && d <= TTSB_I64;
    const bool wide = d == TTSB_F32 || d == TTSB_F64 || d == TTSB_C64;
    const size_t size = wide ? fill_floats(in, d == TTSB_F32 ? 4 : 8)
                             : fill_integers(in, integer ? bits_of[d] / 8 : 2);
    const uint64_t n = size / bits_of[d] * 8;
    for (int to = 0; to < TTSB_DTYPE_COUNT; to++) {
        const struct kernel_cast pair = {d, (enum ttsb_dtype)to};
        run_cast(b, pair, in, kernel_cast_known(pair) ? n : 8);
    }
    free(in);
}

/* Copies, repeats, nothing, transpositions of 2 to 16 axes, windows that
 * overlap, more elements than a grid's threads, a rank to refuse. */
static const struct kernel_permute permutes[] = {
    {0, 0, {0}, {0}},
    {1, 0, {77}, {0}},
    {2, 0, {9, 0}, {1, 9}},
    {2, 0, {301, 500}, {1500, 3}},
    {3, 0, {7, 11, 13}, {1, 91, 7}},
    {3, 0, {50, 4, 60}, {1, 0, 1}},
    {4, 0, {3, 1, 5, 4}, {20, 20, 1, 5}},
    {8, 0, {2, 3, 2, 3, 2, 3, 2, 3}, {1, 2, 6, 12, 36, 72, 216, 432}},
    {16,
     0,
     {2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3},
     {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384,
      32768}},
    {2, 0, {4099, 4097}, {1, 4099}},
    {KERNEL_MAX_RANK + 1,
     0,
     {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
     {0}}};

static void run_permute(struct bench *b, struct kernel_permute p)
{
    const size_t width = p.element_size;
    uint64_t n = 1, end = 1, state = 3;
    for (uint32_t a = 0; a < p.rank && a < KERNEL_MAX_RANK; a++) {
        n *= p.out_dims[a];
        end += p.out_dims[a] ? (p.out_dims[a] - 1) * p.in_strides[a] : 0;
    }
    unsigned char *in = get(b, end * width);
    for (size_t i = 0; i < end * width; i++)
        in[i] = (unsigned char)random_bits(&state);
    struct twin x = twin_make(b, in, end * width, width, 1);
    struct twin y = twin_make(b, NULL, n * width, width, 1);
    const bool known = kernel_permute(&p, x.host, y.host);
    check_call(b, kernel_cuda_permute(&p, x.device, y.device, b->call), known,
               0, 0);
    twin_end(b, &y);
    twin_end(b, &x);
    free(in);
}

static void test_permute(struct bench *b)
{
    static const uint32_t sizes[] = {1, 2, 4, 8, 3};
    b->kernel = PERMUTE;
    for (size_t i = 0; i < COUNT_OF(permutes) * COUNT_OF(sizes); i++) {
        struct kernel_permute p = permutes[i / COUNT_OF(sizes)];
        p.element_size = sizes[i % COUNT_OF(sizes)];
        (void)snprintf(b->what, sizeof b->what, "case %zu, size %u",
                       i / COUNT_OF(sizes), p.element_size);
        run_permute(b, p);
    }
}

/* Weight norm's three kernels, each beginning from the host's results. The
 * factors take g's place. */
static void run_rows(struct bench *b, struct kernel_cuda_shape s,
                     const void *in)
{
    const size_t rows = s.keep * 8;
    struct kernel_sumsq *acc = get(b, s.keep * sizeof *acc);
    struct twin x = twin_make(b, in, s.outer * rows * s.inner, 8, 0);
    struct twin g = twin_make(b, in, rows, 8, 0);
    struct twin sums = twin_make(b, NULL, rows, 8, 0);
    double *sum = sums.host;
    uint64_t first, bad = 0;
    int rc = kernel_cuda_sumsq_keep(s, x.device, sums.device, b->call);
    kernel_sumsq_add_keep(acc, s.outer, s.keep, s.inner, x.host);
    for (uint64_t k = 0; k < s.keep; k++) {
        sum[k] = kernel_sumsq_done(&acc[k]);
        bad += sum[k] == 0 || isinf(sum[k]);
    }
    b->kernel = SUMSQ;
    check_call(b, rc, true, 0, 0);
    twin_check(b, &sums);
    b->kernel = SCALE;
    rc = kernel_cuda_scale_keep(s, x.device, g.device, b->call);
    kernel_scale_keep(x.host, s.outer, s.keep, s.inner, g.host);
    check_call(b, rc, true, 0, 0);
    twin_end(b, &x);
    b->kernel = FACTORS;
    rc = kernel_cuda_weight_norm_scale(g.device, sums.device, s.keep, g.device,
                                       b->call);
    kernel_weight_norm_scale(g.host, acc, s.keep, g.host, &first);
    check_call(b, rc, true, bad, first);
    twin_end(b, &g);
    twin_end(b, &sums);
    free(acc);
}

/* Combinations along an axis, and rows times a vector; y is as x is. */
static void run_keep(struct bench *b, struct kernel_cuda_shape s,
                     const uint64_t *in)
{
    const size_t rows = s.keep * 8;
    struct kernel_sumsq *acc = get(b, s.keep * sizeof *acc);
    struct twin x = twin_make(b, in, s.outer * rows * s.inner, 8, 0);
    struct twin y = twin_make(b, in + 7, s.outer * s.inner * 8, 8, 0);
    struct twin sums = twin_make(b, NULL, rows, 8, 0);
    struct twin v = twin_make(b, in + 11, rows, 8, 0);
    int rc = kernel_cuda_dot_keep(s, x.device, y.device, sums.device, b->call);
    b->kernel = DOT;
    kernel_dot_add_keep(acc, s.outer, s.keep, s.inner, x.host, y.host);
    for (uint64_t k = 0; k < s.keep; k++)
        ((double *)sums.host)[k] = kernel_sumsq_done(&acc[k]);
    check_call(b, rc, true, 0, 0);
    twin_end(b, &sums);
    twin_end(b, &y);
    b->kernel = COMBINE_KEEP;
    for (int op = 0; op <= KERNEL_DIV + 1; op++) {
        const enum kernel_binary which = (enum kernel_binary)op;
        const bool known = kernel_combine_keep(which, x.host, s.outer, s.keep,
                                               s.inner, v.host);
        rc = kernel_cuda_combine_keep(which, s, x.device, v.device, b->call);
        check_call(b, rc, known, 0, 0);
        twin_check(b, &x);
        memcpy(x.host, in, x.size);
        need(b, cudaMemcpy(x.device, in, x.size, cudaMemcpyHostToDevice));
    }
    twin_end(b, &v);
    twin_end(b, &x);
    free(acc);
}

/* Tame rows, of -1 to 1; wild ones, of many zeros, infinities and NaNs. */
static void test_rows(struct bench *b)
{
    static const struct kernel_cuda_shape shapes[] = {
        {1, 5000, 1}, {1, 3, 8197}, {5, 7, 13}, {4097, 3, 1}, {1, 300, 9},
        {3, 1, 5000}, {9, 2, 4095}, {0, 3, 4},  {3, 4, 0},    {2, 0, 3}};
    uint64_t x[80000], state = 4;
    for (size_t i = 0; i < COUNT_OF(shapes) * 2; i++) {
        for (size_t j = 0; j < COUNT_OF(x); j++) {
            const uint64_t r = random_bits(&state), any = random_bits(&state);
            const uint64_t exponents[] = {0, 0x3ff, 0x7ff, any >> 53};
            const uint64_t mantissas[] = {0, 1, any >> 12, any << 51 >> 12};
            const double tame = (double)(int64_t)r * 0x1p-63;
            memcpy(&x[j], &tame, 8);
            if (i % 2 != 0)
                x[j] = r << 63 | exponents[r >> 1 & 3] << 52 |
                       mantissas[r >> 3 & 3];
        }
        (void)snprintf(b->what, sizeof b->what, "case %zu", i);
        run_rows(b, shapes[i / 2], x);
        run_keep(b, shapes[i / 2], x);
    }
}

/* Every sign and exponent; -746 to 711; where the power of two changes. */
static void test_exp(struct bench *b)
{
    double *in = get(b, INPUT_SIZE);
    const size_t size = fill_floats((unsigned char *)in, 8);
    const double ln2 = 0x1.62e42fefa39efp-1;
    struct twin x, y;
    uint64_t state = 5;
    for (size_t i = 0; i < 300000; i++)
        in[i] = -746 + 1457 * ((double)(random_bits(&state) >> 11) * 0x1p-53);
    for (int i = 0; i < 2110 * 5; i++) /* in k + 1/2, by 5 neighbours */
        in[i] = (i / 5 - 1080 + 0.5) * ln2 * (1 + (i % 5 - 2) * 0x1p-52);
    b->kernel = EXP;
    (void)snprintf(b->what, sizeof b->what, "%zu bytes", size);
    x = twin_make(b, in, size, 8, 0);
    y = twin_make(b, NULL, size, 8, 0);
    kernel_exp(x.host, size / 8, y.host);
    check_call(b, kernel_cuda_exp(x.device, size / 8, y.device, b->call), true,
               0, 0);
    twin_end(b, &y);
    twin_end(b, &x);
    free(in);
}

/* Operands of a map: numbers at an edge, infinities, NaNs. */
static const uint64_t operands[] = {
    0x0000000000000000, 0x8000000000000000, 0x8000000000000001,
    0x3ff0000000000001, 0xc024000000000000, 0x5fe0000000000000,
    0x7ff0000000000000, 0xfff0000000000000, 0xfff0000000000456};

static void run_maps(struct bench *b, struct twin *x, struct twin *y)
{
    const uint64_t n = x->size / 8;
    b->kernel = MAP;
    for (size_t i = 0; i < COUNT_OF(operands) * (KERNEL_MAX + 2); i++) {
        struct kernel_map m = {(enum kernel_unary)(i % (KERNEL_MAX + 2)), 0};
        memcpy(&m.q, &operands[i / (KERNEL_MAX + 2)], 8);
        (void)snprintf(b->what, sizeof b->what, "op %d, q %a", (int)m.op, m.q);
        const bool known = kernel_map(&m, x->host, n, y->host);
        check_call(b, kernel_cuda_map(&m, x->device, n, y->device, b->call),
                   known, 0, 0);
        check_call(b, kernel_cuda_map(&m, NULL, 0, NULL, b->call), known, 0, 0);
        twin_check(b, y);
    }
}

/* Into a third buffer, then into the first operand. */
static void run_combines(struct bench *b, struct twin *x, struct twin *y)
{
    const uint64_t n = x->size / 8;
    struct twin r = twin_make(b, NULL, x->size, 8, 0);
    const struct kernel_cuda_pair from = {x->device, y->device};
    const struct kernel_cuda_pair onto = {r.device, y->device};
    b->kernel = COMBINE;
    for (int op = 0; op <= KERNEL_DIV + 1; op++) {
        const enum kernel_binary which = (enum kernel_binary)op;
        (void)snprintf(b->what, sizeof b->what, "op %d", op);
        const bool known = kernel_combine(which, x->host, y->host, n, r.host);
        check_call(b, kernel_cuda_combine(which, from, n, r.device, b->call),
                   known, 0, 0);
        twin_check(b, &r);
        (void)kernel_combine(which, r.host, y->host, n, r.host);
        check_call(b, kernel_cuda_combine(which, onto, n, r.device, b->call),
                   known, 0, 0);
        twin_check(b, &r);
    }
    twin_end(b, &r);
}

/* Every sign and exponent, by itself and by a random other. */
static void test_math(struct bench *b)
{
    uint64_t *in = get(b, INPUT_SIZE), *other = get(b, INPUT_SIZE);
    const size_t size = fill_floats((unsigned char *)in, 8);
    uint64_t state = 6;
    struct twin x, y;
    for (size_t i = 0; i < size / 8; i++)
        other[i] = in[random_bits(&state) % (size / 8)];
    b->kernel = MAP;
    x = twin_make(b, in, size, 8, 0);
    y = twin_make(b, other, size, 8, 0);
    run_combines(b, &x, &y);
    run_maps(b, &x, &y);
    twin_end(b, &y);
    twin_end(b, &x);
    free(in);
    free(other);
}

/* Pieces of both sides, the same but for their addresses. */
struct pieces {
    struct kernel_piece *host;
    struct kernel_piece *device;
    uint64_t count;
};

/* `count` of sizes from 1 to `most`, then from 1 again, at multiples of 8; the
 * last one has bit 0, and a few have a wrong hash. */
static struct pieces pieces_make(const struct bench *b, const struct twin *x,
                                 uint64_t count, uint32_t most)
{
    const size_t size = count * sizeof(struct kernel_piece);
    struct pieces p = {get(b, size), NULL, count};
    struct kernel_piece *there = get(b, size);
    void *device;
    for (uint64_t i = 0; i < count; i++) {
        const uint32_t n = 1 + (uint32_t)(i % most);
        const size_t at = 8 * (i % SHIFTS);
        const uint8_t *bytes = (const uint8_t *)x->host + at;
        p.host[i] = (struct kernel_piece){bytes, body_xxh3(bytes, n), n,
                                          (uint32_t)(count - 1 - i)};
        if (i % 1009 == 5)
            p.host[i].hash ^= UINT64_C(1) << i % 64;
        there[i] = p.host[i];
        there[i].bytes = (const uint8_t *)x->device + at;
    }
    need(b, cudaMalloc(&device, size));
    need(b, cudaMemcpy(device, there, size, cudaMemcpyHostToDevice));
    p.device = device;
    free(there);
    return p;
}

/* Both sides' bitmaps, again and again, as a bit is changed ever nearer to the
 * beginning of the bytes, and spoils ever shorter pieces. */
static void run_pieces(struct bench *b, const void *bytes, uint64_t count,
                       uint32_t most)
{
    struct twin x = twin_make(b, bytes, PIECES_SIZE, 8, 0);
    const struct pieces p = pieces_make(b, &x, count, most);
    const size_t size = (count + 31) / 32 * 4;
    void *zeros = get(b, size);
    struct twin bad = twin_make(b, zeros, size, 4, 0);
    (void)snprintf(b->what, sizeof b->what, "%llu of up to %u bytes",
                   (unsigned long long)count, most);
    for (uint32_t at = most; at > 0; at /= 8) {
        uint8_t *byte = (uint8_t *)x.host + at;
        kernel_check_pieces(p.host, count, bad.host);
        check_call(b,
                   kernel_cuda_check_pieces(p.device, count, bad.device,
                                            b->call.stream),
                   true, 0, 0);
        twin_check(b, &bad);
        *byte ^= 0x10;
        need(b, cudaMemcpy((uint8_t *)x.device + at, byte, 1,
                           cudaMemcpyHostToDevice));
    }
    free(zeros);
    twin_end(b, &bad);
    twin_end(b, &x);
    need(b, cudaFree(p.device));
    free(p.host);
}

/* Every size, more pieces than a grid's warps, one, none. */
static void test_pieces(struct bench *b)
{
    uint8_t *in = get(b, PIECES_SIZE);
    uint64_t state = 7;
    b->kernel = PIECES;
    for (size_t i = 0; i < PIECES_SIZE; i++)
        in[i] = (uint8_t)random_bits(&state);
    run_pieces(b, in, 65536, 65536);
    run_pieces(b, in, 300001, 300);
    run_pieces(b, in, 1, 1);
    memset(in, 0xff, PIECES_SIZE);
    run_pieces(b, in, 65536, 65536);
    check_call(b, kernel_cuda_check_pieces(NULL, 0, NULL, b->call.stream), true,
               0, 0);
    free(in);
}

/* Whether there is a device. Where there is none, or no driver for any, the
 * test is skipped; what else fails, fails. */
static bool has_device(void)
{
    int devices = 0;
    const cudaError_t rc = cudaGetDeviceCount(&devices);
    if (rc == cudaSuccess && devices > 0)
        return true;
    printf("test_kernels_cuda: %s\n", cudaGetErrorString(rc));
    if (rc != cudaErrorNoDevice && rc != cudaErrorInsufficientDriver)
        exit(1);
    printf("skipped: no CUDA device\n");
    return false;
}

int main(void)
{
    struct bench b = {.what = "begin"};
    cudaStream_t stream;
    void *found;
    unsigned failures = 0;
    if (!has_device())
        return SKIPPED;
    need(&b, cudaStreamCreate(&stream));
    need(&b, cudaMalloc(&found, sizeof *b.call.found));
    b.call = (struct kernel_cuda_call){stream, found};
    forget_found(&b);
    for (int d = TTSB_BOOL; d < TTSB_DTYPE_COUNT; d++)
        test_dtype(&b, (enum ttsb_dtype)d);
    test_permute(&b);
    test_rows(&b);
    test_exp(&b);
    test_math(&b);
    test_pieces(&b);
    for (size_t k = 0; k < KERNELS; k++) {
        failures += b.failures[k];
        printf("%s: %llu bytes, %u differences\n", kernel_name((enum kernel)k),
               b.bytes[k], b.failures[k]);
    }
    need(&b, cudaFree(found));
    need(&b, cudaStreamDestroy(stream));
    return failures != 0;
}
