/* SPDX-License-Identifier: MIT
 *
 * test_kernels_cuda.c - the device's kernels against the host's, bit for bit.
 *
 * In: nothing; the inputs are made here: every 16-bit code, the ties of every
 * rounding and the numbers beside them, each exponent, NaNs with payloads,
 * powers of two and their neighbours for the integers, random numbers of fixed
 * seeds. Out: a line for each kernel, and exit 0 where every byte of every
 * result, the guard around it, and what was found are the host's. Else exit 1,
 * a failing kernel's line being its first difference. Skipped (exit 77) where
 * there is no device. Invariant: both sides begin with the same bytes, so what
 * a kernel should not have written shows too. Buffers that need no alignment
 * are tried without it; where an element is a byte, with more elements than a
 * grid has threads.
 */
#include "kernels_cuda.h"

#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SKIPPED 77
#define GUARD 64 /* bytes before and behind a buffer; keeps its alignment */
#define LONG_COUNT (65536U * 256 + 1001) /* more than a grid's threads */
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    const char *name;
    unsigned bits;
} dtypes[TTSB_DTYPE_COUNT] = {
    {"none", 0},    {"BOOL", 8},    {"U8", 8},       {"I8", 8},
    {"U16", 16},    {"I16", 16},    {"U32", 32},     {"I32", 32},
    {"U64", 64},    {"I64", 64},    {"F16", 16},     {"BF16", 16},
    {"F32", 32},    {"F64", 64},    {"C64", 64},     {"F8_E4M3", 8},
    {"F8_E5M2", 8}, {"F8_E8M0", 8}, {"E4M3FNUZ", 8}, {"E5M2FNUZ", 8},
    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},
};

/* Doubles' bits: zeros, subnormals, ones, extremes, infinities, NaNs. */
static const uint64_t specials[] = {
    0x0000000000000000, 0x8000000000000000, 0x0000000000000001,
    0x800fffffffffffff, 0x0010000000000000, 0x3ff0000000000000,
    0xbff0000000000000, 0x4000000000000000, 0x7fefffffffffffff,
    0xffefffffffffffff, 0x7ff0000000000000, 0xfff0000000000000,
    0x7ff8000000000000, 0xfff8000000012345, 0x7ff0000000000001,
    0xfff4000000000000, 0x7fffffffffffffff};

/* The kernel under test and what it is given. */
struct bench {
    const char *kernel;
    char what[96];
    cudaStream_t stream;
    struct kernel_cuda_found *found; /* device memory */
    unsigned long long elements;     /* compared so far */
    bool failed;
};

/* A failing device is no difference: what follows would mean nothing. */
static void need(const struct bench *b, cudaError_t rc)
{
    if (rc == cudaSuccess)
        return;
    printf("%s: %s: %s\n", b->kernel, b->what, cudaGetErrorString(rc));
    exit(1);
}

static void *get(const struct bench *b, size_t size)
{
    void *p = malloc(size + 1);
    need(b, p == NULL ? cudaErrorMemoryAllocation : cudaSuccess);
    return p;
}

/* Whether a difference is the kernel's first, which alone is printed. */
static bool differ(struct bench *b)
{
    const bool first = !b->failed;
    b->failed = true;
    if (first)
        printf("%s: %s: ", b->kernel, b->what);
    return first;
}

/* A buffer and its guard, on both sides. */
struct twin {
    unsigned char *host;
    unsigned char *device;
    size_t lead; /* where the buffer begins */
    size_t size;
    size_t width; /* of an element */
};

static size_t twin_all(const struct twin *t)
{
    return t->lead + t->size + GUARD;
}

static void *on_host(const struct twin *t)
{
    return t->host + t->lead;
}

static void *on_device(const struct twin *t)
{
    return t->device + t->lead;
}

/* `bytes` may be NULL, for a result. */
static struct twin twin_make(const struct bench *b, const void *bytes,
                             size_t size, size_t width, size_t shift)
{
    struct twin t = {NULL, NULL, GUARD + shift, size, width};
    void *device;
    t.host = get(b, twin_all(&t));
    memset(t.host, 0xa5, twin_all(&t));
    if (bytes != NULL)
        memcpy(on_host(&t), bytes, size);
    need(b, cudaMalloc(&device, twin_all(&t)));
    t.device = device;
    need(b, cudaMemcpy(device, t.host, twin_all(&t), cudaMemcpyHostToDevice));
    return t;
}

static void twin_free(const struct bench *b, struct twin *t)
{
    need(b, cudaFree(t->device));
    free(t->host);
}

static unsigned long long element(const struct twin *t,
                                  const unsigned char *bytes, size_t i)
{
    unsigned long long v = 0;
    memcpy(&v, bytes + t->lead + i * t->width, t->width);
    return v;
}

/* Compares and frees; element i was made from element i of `from`, if any. */
static void twin_end(struct bench *b, struct twin *t, const struct twin *from)
{
    const size_t all = twin_all(t);
    unsigned char *back = get(b, all);
    size_t i = 0;
    need(b, cudaMemcpy(back, t->device, all, cudaMemcpyDeviceToHost));
    b->elements += t->size / t->width;
    if (memcmp(back, t->host, all) != 0 && differ(b)) {
        while (back[i] == t->host[i])
            i++;
        if (i < t->lead || i >= t->lead + t->size) {
            printf("wrote %zu bytes behind the beginning of %zu\n", i - t->lead,
                   t->size);
        } else {
            i = (i - t->lead) / t->width;
            printf("element %zu is %llx, not %llx", i, element(t, back, i),
                   element(t, t->host, i));
            if (from != NULL)
                printf(", from %llx", element(from, from->host, i));
            printf("\n");
        }
    }
    free(back);
    twin_free(b, t);
}

static struct kernel_cuda_call call_begin(const struct bench *b)
{
    const struct kernel_cuda_found none = {0, UINT64_MAX};
    const struct kernel_cuda_call call = {b->stream, b->found};
    need(b, cudaMemcpy(b->found, &none, sizeof none, cudaMemcpyHostToDevice));
    return call;
}

/* What the call returned and found; `first` means something if count > 0. */
static void call_end(struct bench *b, int rc, uint64_t count, uint64_t first)
{
    struct kernel_cuda_found f;
    const uint64_t expected = count == 0 ? UINT64_MAX : first;
    if (rc != 0 && differ(b))
        printf("returned %s\n", cudaGetErrorString((cudaError_t)rc));
    if (rc != 0)
        (void)cudaGetLastError();
    need(b, cudaDeviceSynchronize());
    need(b, cudaMemcpy(&f, b->found, sizeof f, cudaMemcpyDeviceToHost));
    if ((f.count != count || f.first != expected) && differ(b))
        printf("found %llu from %llu on, not %llu from %llu on\n", f.count,
               f.first, (unsigned long long)count,
               (unsigned long long)expected);
}

static void expect_refusal(struct bench *b, int rc)
{
    if (rc != cudaErrorInvalidValue && differ(b))
        printf("returned %d, not cudaErrorInvalidValue\n", rc);
}

/* The next 64 bits of splitmix64. */
static uint64_t random_bits(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static double random_unit(uint64_t *state)
{
    return (double)(random_bits(state) >> 11) * 0x1p-53;
}

/* Any bits, and often a special. */
static double random_wild(uint64_t *state)
{
    const uint64_t special = specials[random_bits(state) % COUNT_OF(specials)];
    const uint64_t any = random_bits(state);
    const uint64_t bits = random_bits(state) % 4 == 0 ? special : any;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Every 16-bit code. */
static size_t fill_words(unsigned char *to)
{
    for (uint32_t i = 0; i < 65536; i++)
        memcpy(to + 2 * (size_t)i, &(uint16_t){(uint16_t)i}, 2);
    return 65536 * 2;
}

/* Every upper half, with lower halves on and beside multiples of 2^12: the
 * ties towards F16 and BF16, and every kind of NaN. */
static size_t fill_f32(unsigned char *to)
{
    size_t size = 0;
    for (uint32_t i = 0; i < 65536U * 16; i++)
        for (uint32_t d = 0; d < 3; d++, size += 4)
            memcpy(to + size, &(uint32_t){(i << 12) + d - 1}, 4);
    return size;
}

/* Every sign and exponent; of the mantissa, the upper bits few, odd, all or
 * random, and the lower `drop` none, on, or beside the middle. */
static size_t fill_f64(unsigned char *to)
{
    const uint64_t ones = (UINT64_C(1) << 52) - 1;
    uint64_t state = 1;
    size_t size = 0;
    for (uint64_t i = 0; i < 4096U * 24; i++) {
        const uint64_t unit = UINT64_C(1) << (i % 24 + 29), half = unit >> 1;
        const uint64_t keep[] = {0, unit, ones, random_bits(&state)};
        const uint64_t tail[] = {0, 1, half - 1, half, half + 1, unit - 1};
        for (size_t j = 0; j < 24; j++, size += 8) {
            const uint64_t kept = keep[j / 6] & ones & ~(unit - 1);
            memcpy(to + size, &(uint64_t){i / 24 << 52 | kept | tail[j % 6]},
                   8);
        }
    }
    return size;
}

/* All of 16 bits, powers of two and what is beside them, random sizes. */
static size_t fill_integers(unsigned char *to, size_t width)
{
    uint64_t state = 2;
    size_t n = 0;
    for (uint64_t i = 0; i < 65536; i++)
        memcpy(to + n++ * width, &i, width);
    for (uint64_t i = 0; i < 64 * 10; i++) {
        const uint64_t near = (UINT64_C(1) << i / 10) + i % 5 - 2;
        const uint64_t v = i % 10 < 5 ? near : 0 - near;
        memcpy(to + n++ * width, &v, width);
    }
    for (uint64_t i = 0; i < 32768; i++) {
        const uint64_t v = random_bits(&state);
        const uint64_t w = v >> (random_bits(&state) % 64);
        memcpy(to + n++ * width, i % 2 == 0 ? &v : &w, width);
    }
    return n * width;
}

/* Elements of a dtype, all that matter; the caller frees them. */
static void *input_for(const struct bench *b, enum ttsb_dtype d, uint64_t *n)
{
    void *bytes = get(b, 4096U * 24 * 24 * 8);
    size_t size;
    if (d >= TTSB_U8 && d <= TTSB_I64)
        size = fill_integers(bytes, dtypes[d].bits / 8);
    else if (d == TTSB_F32)
        size = fill_f32(bytes);
    else if (d == TTSB_F64 || d == TTSB_C64)
        size = fill_f64(bytes);
    else
        size = fill_words(bytes);
    *n = size * 8 / dtypes[d].bits / 8 * 8;
    return bytes;
}

static struct twin twin_dtype(const struct bench *b, enum ttsb_dtype d,
                              const void *bytes, uint64_t n, size_t shift)
{
    const size_t width = dtypes[d].bits < 8 ? 1 : dtypes[d].bits / 8;
    return twin_make(b, bytes, (size_t)n * dtypes[d].bits / 8, width, shift);
}

static void run_cast(struct bench *b, struct kernel_cast pair,
                     const void *bytes, uint64_t n, size_t shift)
{
    struct kernel_range_error err = {0, 0, 0, 0};
    struct twin src = twin_dtype(b, pair.from, bytes, n, shift);
    struct twin dst = twin_dtype(b, pair.to, NULL, n, shift);
    (void)kernel_cast(pair, on_host(&src), n, on_host(&dst), &err);
    call_end(b,
             kernel_cuda_cast(pair, on_device(&src), n, on_device(&dst),
                              call_begin(b)),
             err.count, err.first);
    twin_end(b, &dst, &src);
    twin_free(b, &src);
}

static void try_cast(struct bench *b, struct kernel_cast pair,
                     const void *bytes, uint64_t n)
{
    for (size_t shift = 0; shift < 2; shift++) {
        snprintf(b->what, sizeof b->what, "%s to %s, shift %zu",
                 dtypes[pair.from].name, dtypes[pair.to].name, shift);
        if (kernel_cast_known(pair))
            run_cast(b, pair, bytes, n, shift);
    }
    snprintf(b->what, sizeof b->what, "%s to %s, nothing",
             dtypes[pair.from].name, dtypes[pair.to].name);
    if (kernel_cast_known(pair))
        call_end(b, kernel_cuda_cast(pair, NULL, 0, NULL, call_begin(b)), 0, 0);
    else
        expect_refusal(b, kernel_cuda_cast(pair, NULL, 0, NULL, call_begin(b)));
}

static void test_cast(struct bench *b)
{
    const struct kernel_cast bytes = {TTSB_U8, TTSB_I8};
    unsigned char *zeros = get(b, LONG_COUNT);
    for (int from = TTSB_BOOL; from < TTSB_DTYPE_COUNT; from++) {
        uint64_t n;
        void *in = input_for(b, (enum ttsb_dtype)from, &n);
        for (int to = 0; to < TTSB_DTYPE_COUNT; to++)
            try_cast(b,
                     (struct kernel_cast){(enum ttsb_dtype)from,
                                          (enum ttsb_dtype)to},
                     in, n);
        free(in);
    }
    memset(zeros, 0, LONG_COUNT);
    zeros[LONG_COUNT - 1] = 0xff;
    snprintf(b->what, sizeof b->what, "U8 to I8, long");
    run_cast(b, bytes, zeros, LONG_COUNT, 0);
    free(zeros);
}
