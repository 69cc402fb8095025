/* SPDX-License-Identifier: MIT
 *
 * test_kernels_cast.c - loads, stores, casts and the scan.
 *
 * In:  every F16 and BF16, every middle between two of them, F32's middles by
 * sample, hand-made cases, random bits. Out: passes where each result has the
 * bits that the definition (stated here, or in reference.c) gives. Invariant:
 * the middles are computed here, exactly, in binary64, and need no reference.
 */
#include "test_kernels.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "kernels.h"
#include "reference.h"

struct format {
    enum ttsb_dtype dtype;
    uint32_t infinity;
    uint32_t sign;
    uint32_t quiet;
    double beyond; /* the first power of two that is out of range */
    uint32_t step; /* between the codes that are tried */
};

static const struct format formats[] = {
    {TTSB_F16, 0x7c00, 0x8000, 0x0200, 0x1p16, 1},
    {TTSB_BF16, 0x7f80, 0x8000, 0x0040, 0x1p128, 1},
    {TTSB_F32, 0x7f800000, 0x80000000, 0x00400000, 0x1p128, 65521},
};
#define FORMATS (sizeof(formats) / sizeof(formats[0]))

static double load(enum ttsb_dtype dtype, uint32_t code)
{
    double x;
    assert_true(kernel_load_f64(dtype, &code, 1, &x));
    return x;
}

static uint32_t store(enum ttsb_dtype dtype, double x,
                      struct kernel_range_error *err)
{
    uint32_t code = 0;
    assert_true(kernel_store_f64(dtype, &x, 1, &code, err));
    return code;
}

/* Stores x and -x; both have to give `code`, and say so if it is infinity. */
static void check_store(const struct format *f, double x, uint32_t code)
{
    struct kernel_range_error err = {0, 0, 0, 0};
    assert_int_equal(store(f->dtype, x, &err), code);
    assert_int_equal(store(f->dtype, -x, &err), code | f->sign);
    assert_int_equal(err.count, code == f->infinity ? 2 : 0);
    assert_int_equal(err.seen, 2);
    if (err.count != 0)
        assert_true(err.value == x && err.first == 0);
}

static void test_every_half(void **state)
{
    (void)state;
    for (size_t k = 0; k < FORMATS - 1; k++) {
        const struct format *f = &formats[k];
        for (uint32_t code = 0; code < 0x10000; code++) {
            struct kernel_range_error err = {0, 0, 0, 0};
            const bool nan = (code & ~f->sign) > f->infinity;
            const double x = load(f->dtype, code);
            double plain;
            reference_load_f64(f->dtype, &code, 1, &plain);
            assert_true(to_bits(x) == to_bits(plain));
            assert_int_equal(isnan(x), nan);
            assert_int_equal(store(f->dtype, x, &err),
                             nan ? code | f->quiet : code);
            assert_int_equal(err.count, 0);
        }
    }
}

static void test_every_middle(void **state)
{
    (void)state;
    for (size_t k = 0; k < FORMATS; k++) {
        const struct format *f = &formats[k];
        for (uint32_t code = 0; code < f->infinity; code += f->step) {
            const bool last = code + 1 == f->infinity;
            const double low = load(f->dtype, code);
            const double high = last ? f->beyond : load(f->dtype, code + 1);
            const double middle = low + (high - low) / 2;
            check_store(f, low, code);
            check_store(f, middle, code + (code & 1));
            check_store(f, nextafter(middle, 0), code);
            check_store(f, nextafter(middle, DBL_MAX), code + 1);
            if (code != 0)
                check_store(f, nextafter(low, DBL_MAX), code);
        }
    }
}

static void test_f32_edges(void **state)
{
    (void)state;
    static const uint32_t codes[] = {
        0,          1,          2,          3,          0x007ffffe,
        0x007fffff, 0x800000,   0x800001,   0x00ffffff, 0x1000000,
        0x3f7fffff, 0x3f800000, 0x3f800001, 0x7f7ffffe, 0x7f7fffff};
    const struct format *f = &formats[2];
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        const uint32_t code = codes[i];
        const double low = load(TTSB_F32, code);
        const double high =
            code == 0x7f7fffff ? 0x1p128 : load(TTSB_F32, code + 1);
        const double middle = low + (high - low) / 2;
        check_store(f, middle, code + (code & 1));
        check_store(f, nextafter(middle, 0), code);
        check_store(f, nextafter(middle, DBL_MAX), code + 1);
    }
}

struct known {
    enum ttsb_dtype dtype;
    uint64_t from; /* bits of a binary64 */
    uint32_t code;
    uint32_t overflows;
};

static const struct known known[] = {
    {TTSB_F16, 0x3ff0000000000000, 0x3c00, 0},  /* 1 */
    {TTSB_F16, 0x8000000000000000, 0x8000, 0},  /* -0 */
    {TTSB_F16, 0x40effdffffffffff, 0x7bff, 0},  /* below 65520 */
    {TTSB_F16, 0x40effdffdf3b645a, 0x7bff, 0},  /* 65519.999 */
    {TTSB_F16, 0x40effe0000000000, 0x7c00, 1},  /* 65520 */
    {TTSB_F16, 0xc0effe0000000000, 0xfc00, 1},  /* -65520 */
    {TTSB_F16, 0x7fefffffffffffff, 0x7c00, 1},  /* the largest */
    {TTSB_F16, 0x3e60000000000000, 0x0000, 0},  /* 2^-25: tie to 0 */
    {TTSB_F16, 0x3e60000000000001, 0x0001, 0},  /* and a bit */
    {TTSB_F16, 0x3e78000000000000, 0x0002, 0},  /* 1.5 * 2^-24: tie to 2 */
    {TTSB_F16, 0x3f0ff80000000000, 0x03ff, 0},  /* largest subnormal */
    {TTSB_F16, 0x3f0ffc0000000000, 0x0400, 0},  /* tie to the least normal */
    {TTSB_F16, 0x0000000000000001, 0x0000, 0},  /* least binary64 */
    {TTSB_F16, 0x3ff0020000000000, 0x3c00, 0},  /* 1 + 2^-11: tie */
    {TTSB_F16, 0x3ff0020000001000, 0x3c01, 0},  /* lost if it went by F32 */
    {TTSB_BF16, 0x3ff0100000001000, 0x3f81, 0}, /* likewise */
    {TTSB_BF16, 0x47efe00000000000, 0x7f7f, 0}, /* the largest */
    {TTSB_BF16, 0x47efefffffffffff, 0x7f7f, 0},
    {TTSB_BF16, 0x47eff00000000000, 0x7f80, 1},
    {TTSB_BF16, 0x3790000000000000, 0x0000, 0}, /* 2^-134: tie to 0 */
    {TTSB_BF16, 0x3790000000000001, 0x0001, 0},
    {TTSB_F32, 0x47efffffefffffff, 0x7f7fffff, 0},
    {TTSB_F32, 0x47effffff0000000, 0x7f800000, 1},
    {TTSB_F32, 0x3690000000000000, 0x00000000, 0}, /* 2^-150: tie to 0 */
    {TTSB_F32, 0x3690000000000001, 0x00000001, 0},
    /* infinities pass, NaNs keep sign and top of payload, quiet */
    {TTSB_F16, 0x7ff0000000000000, 0x7c00, 0},
    {TTSB_F16, 0xfff0000000000000, 0xfc00, 0},
    {TTSB_F16, 0x7ff0000000000001, 0x7e00, 0},
    {TTSB_F16, 0xfff8040000000000, 0xfe01, 0},
    {TTSB_F16, 0x7ff40fffffffffff, 0x7f03, 0},
    {TTSB_BF16, 0x7ff0000000000001, 0x7fc0, 0},
    {TTSB_BF16, 0xfff0200000000000, 0xffc1, 0},
    {TTSB_F32, 0x7ff0000000000001, 0x7fc00000, 0},
    {TTSB_F32, 0xfff0000020000000, 0xffc00001, 0},
};

static void test_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct kernel_range_error err = {0, 0, 0, 0};
        const double x = of_bits(known[i].from);
        assert_int_equal(store(known[i].dtype, x, &err), known[i].code);
        assert_int_equal(err.count, known[i].overflows);
    }
}

#define MANY 5000

/* Any bits, or numbers around a format's range. */
static void fill(uint64_t *seed, double *x, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        const int e = (int)(random_bits(seed) % 340) - 170;
        const double sign = (random_bits(seed) & 1) != 0 ? -1 : 1;
        x[i] = sign * ldexp(1 + random_unit(seed), e);
        if (random_bits(seed) % 3 == 0)
            x[i] = sign * ldexp(1 + random_unit(seed), e % 30);
        if (random_bits(seed) % 8 == 0)
            x[i] = of_bits(random_bits(seed));
    }
}

static void assert_same_error(struct kernel_range_error a,
                              struct kernel_range_error b)
{
    assert_int_equal(a.count, b.count);
    assert_int_equal(a.seen, b.seen);
    assert_int_equal(a.first, b.first);
    assert_true(to_bits(a.value) == to_bits(b.value));
}

static void test_store_random(void **state)
{
    static const uint64_t counts[] = {0, 1, 3, 1023, 1024, 1025, MANY};
    (void)state;
    uint64_t seed = 1;
    double *x = malloc(MANY * sizeof(*x));
    unsigned char *fast = malloc(MANY * 8 + 2);
    unsigned char *slow = malloc(MANY * 8 + 2);
    for (uint32_t d = TTSB_F16; d <= TTSB_F64; d++) {
        for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
            struct kernel_range_error e1 = {0, 0, 0, 0};
            struct kernel_range_error e2 = {0, 0, 0, 0};
            fill(&seed, x, MANY);
            memset(fast, 0xaa, MANY * 8 + 2);
            memset(slow, 0xaa, MANY * 8 + 2);
            /* an odd address: nothing may need alignment */
            assert_true(kernel_store_f64(d, x, counts[k], fast + 1, &e1));
            reference_store_f64(d, x, counts[k], slow + 1, &e2);
            assert_memory_equal(fast, slow, MANY * 8 + 2);
            assert_same_error(e1, e2);
        }
    }
    free(x);
    free(fast);
    free(slow);
}

static void test_errors_add_up(void **state)
{
    (void)state;
    uint64_t seed = 2;
    double x[MANY];
    uint16_t to[MANY];
    struct kernel_range_error whole = {0, 0, 0, 0};
    struct kernel_range_error parts = {0, 0, 0, 0};
    fill(&seed, x, MANY);
    for (uint64_t i = 0; i < MANY / 2; i++)
        x[i] = 1;
    assert_true(kernel_store_f64(TTSB_F16, x, MANY, to, &whole));
    for (uint64_t i = 0, n = 1; i < MANY; i += n) {
        n = random_bits(&seed) % 700;
        n = n < MANY - i ? n : MANY - i;
        assert_true(kernel_store_f64(TTSB_F16, x + i, n, to + i, &parts));
    }
    assert_true(whole.count > 0 && whole.first >= MANY / 2);
    assert_same_error(whole, parts);
}

static bool expect_known(uint32_t from, uint32_t to)
{
    const bool integers =
        from >= TTSB_U8 && from <= TTSB_I64 && to >= TTSB_U8 && to <= TTSB_I64;
    const bool floats = from >= TTSB_F16 && from <= TTSB_F64 &&
                        to >= TTSB_F16 && to <= TTSB_F64;
    return integers || floats ||
           (from == to && from >= TTSB_BOOL && from < TTSB_DTYPE_COUNT);
}

static void check_cast(struct kernel_cast pair, const void *src, uint64_t n)
{
    unsigned char *fast = calloc(n, 8);
    unsigned char *slow = calloc(n, 8);
    struct kernel_range_error e1 = {0, 0, 0, 0};
    struct kernel_range_error e2 = {0, 0, 0, 0};
    assert_true(kernel_cast(pair, src, n, fast, &e1));
    reference_cast(pair, src, n, slow, &e2);
    assert_memory_equal(fast, slow, n * 8);
    assert_same_error(e1, e2);
    free(fast);
    free(slow);
}

static void test_cast_pairs(void **state)
{
    (void)state;
    uint64_t seed = 3;
    unsigned char *src = malloc(MANY * 8 + 1);
    for (uint32_t from = 0; from <= TTSB_DTYPE_COUNT; from++) {
        for (uint32_t to = 0; to <= TTSB_DTYPE_COUNT; to++) {
            const struct kernel_cast pair = {from, to};
            struct kernel_range_error err = {0, 0, 0, 0};
            const bool is_known = expect_known(from, to);
            assert_int_equal(kernel_cast_known(pair), is_known);
            random_bytes(&seed, src, MANY * 8 + 1);
            if (!is_known)
                assert_false(kernel_cast(pair, src, 1, src, &err));
            else if (from < TTSB_F4)
                check_cast(pair, src + 1, MANY);
        }
    }
    free(src);
}

/* F32s around every middle between two codes: where rounding turns. */
static uint64_t fill_turns(const struct format *f, uint32_t *x)
{
    uint64_t n = 0;
    for (uint32_t code = 0; code < f->infinity; code++) {
        const bool last = code + 1 == f->infinity;
        const double low = load(f->dtype, code);
        const double high = last ? f->beyond : load(f->dtype, code + 1);
        const float middle = (float)(low + (high - low) / 2);
        const float exact = (float)low;
        const uint32_t sign = code % 3 == 0 ? 0x80000000 : 0;
        uint32_t bits;
        memcpy(&bits, &exact, sizeof(bits));
        x[n++] = sign | bits;
        memcpy(&bits, &middle, sizeof(bits));
        x[n++] = sign | (bits - 1);
        x[n++] = sign | bits;
        x[n++] = sign | (bits + 1);
    }
    return n;
}

static void test_cast_narrow(void **state)
{
    static const uint32_t edges[] = {
        0,          0x80000000, 1,          0x007fffff, 0x00800000, 0x33000000,
        0x33000001, 0x477fefff, 0x477ff000, 0x47800000, 0x7f7f7fff, 0x7f7f8000,
        0x7f7fffff, 0x7f800000, 0xff800000, 0x7f800001, 0xff802000, 0x7f803fff,
        0x7fa00000, 0x7fc00000, 0xffffffff};
    (void)state;
    uint64_t seed = 5;
    uint32_t *x = malloc(0x8000 * 4 * sizeof(*x));
    for (size_t k = 0; k < FORMATS - 1; k++) {
        const struct kernel_cast pair = {TTSB_F32, formats[k].dtype};
        check_cast(pair, x, fill_turns(&formats[k], x));
        for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
            check_cast(pair, &edges[i], 1);
        for (uint64_t i = 0; i < MANY; i++)
            x[i] = ((uint32_t)random_bits(&seed) & 0x87ffffff) | 0x38000000;
        x[MANY - 7] = 0xff7fffff;
        check_cast(pair, x, MANY);
    }
    free(x);
}

static void test_cast_integer_edges(void **state)
{
    (void)state;
    uint64_t edges[64 * 5 + 1] = {0};
    uint64_t n = 1;
    for (unsigned b = 0; b < 64; b++) {
        const uint64_t power = UINT64_C(1) << b;
        edges[n++] = power - 1;
        edges[n++] = power;
        edges[n++] = ~power;
        edges[n++] = 0 - power;
        edges[n++] = power + 1;
    }
    for (uint32_t from = TTSB_U8; from <= TTSB_I64; from++)
        for (uint32_t to = TTSB_U8; to <= TTSB_I64; to++)
            check_cast((struct kernel_cast){from, to}, edges, n);
}

static void test_cast_integer_error(void **state)
{
    (void)state;
    const int32_t src[] = {127, -128, 128, -129};
    int8_t dst[4];
    struct kernel_range_error err = {0, 0, 0, 0};
    const struct kernel_cast pair = {TTSB_I32, TTSB_I8};
    assert_true(kernel_cast(pair, src, 4, dst, &err));
    assert_int_equal(dst[0], 127);
    assert_int_equal(dst[1], -128);
    assert_int_equal(err.count, 2);
    assert_int_equal(err.first, 2);
    assert_true(err.value == 128);
}

static void test_cast_same(void **state)
{
    (void)state;
    const uint32_t signalling = 0x7f800001;
    const unsigned char packed[3] = {0x12, 0x34, 0x56};
    unsigned char out[4] = {0, 0, 0, 0xaa};
    uint32_t code = 0;
    struct kernel_range_error err = {0, 0, 0, 0};
    struct kernel_cast pair = {TTSB_F32, TTSB_F32};
    assert_true(kernel_cast(pair, &signalling, 1, &code, &err));
    assert_int_equal(code, signalling);
    pair = (struct kernel_cast){TTSB_F6_E2M3, TTSB_F6_E2M3};
    assert_true(kernel_cast(pair, packed, 4, out, &err));
    assert_memory_equal(out, packed, 3);
    assert_int_equal(out[3], 0xaa);
}

static void test_not_a_float(void **state)
{
    (void)state;
    struct kernel_range_error err = {0, 0, 0, 0};
    double x = 5;
    for (uint32_t d = 0; d <= TTSB_DTYPE_COUNT; d++) {
        const bool is_float = d >= TTSB_F16 && d <= TTSB_F64;
        uint64_t bits = 0;
        assert_int_equal(kernel_is_float(d), is_float);
        assert_int_equal(kernel_load_f64(d, &bits, 1, &x), is_float);
        assert_int_equal(kernel_store_f64(d, &x, 1, &bits, &err), is_float);
    }
}

/* Any bits, cut at random; the first half is finite. */
static void test_scan(void **state)
{
    static const uint64_t sizes[] = {2, 2, 4, 8, 8, 1, 1};
    (void)state;
    uint64_t seed = 4;
    unsigned char *src = malloc(MANY * 8 + 1);
    for (uint32_t d = TTSB_F16; d <= TTSB_F8_E5M2; d++) {
        const uint64_t size = sizes[d - TTSB_F16];
        struct kernel_nonfinite fast = {0, 0, 0};
        struct kernel_nonfinite slow = {0, 0, 0};
        random_bytes(&seed, src, MANY * 8 + 1);
        memset(src, 0, MANY / 2 * size + 1);
        for (uint64_t i = 0, n; i < MANY; i += n) {
            n = 1 + random_bits(&seed) % 3000;
            n = n < MANY - i ? n : MANY - i;
            kernel_scan_nonfinite(d, src + 1 + i * size, n, &fast);
        }
        reference_scan_nonfinite(d, src + 1, MANY, &slow);
        assert_true(slow.first >= MANY / 2 && slow.count > 0);
        assert_int_equal(fast.count, slow.count);
        assert_int_equal(fast.first, slow.first);
        assert_int_equal(fast.seen, slow.seen);
    }
    free(src);
}

struct scanned {
    enum ttsb_dtype dtype;
    uint64_t bits;
    uint64_t count;
};

static const struct scanned scanned[] = {
    {TTSB_F16, 0x7bff, 0},
    {TTSB_F16, 0xfc00, 1},
    {TTSB_F16, 0x7c01, 1},
    {TTSB_BF16, 0x7f7f, 0},
    {TTSB_BF16, 0x7f80, 1},
    {TTSB_F32, 0x7f7fffff, 0},
    {TTSB_F32, 0xffc00000, 1},
    {TTSB_F64, 0x7fefffffffffffff, 0},
    {TTSB_F64, 0x7ff0000000000000, 1},
    {TTSB_C64, 0x7f7fffff7f7fffff, 0},
    {TTSB_C64, 0x7f800000, 1},
    {TTSB_C64, 0x7f80000000000000, 1},
    {TTSB_C64, 0x7fc000007fc00000, 1},
    {TTSB_F8_E4M3, 0x7e, 0},
    {TTSB_F8_E4M3, 0x7f, 1},
    {TTSB_F8_E4M3, 0xff, 1},
    {TTSB_F8_E5M2, 0x7b, 0},
    {TTSB_F8_E5M2, 0x7c, 1},
    {TTSB_F8_E5M2, 0xfd, 1},
    {TTSB_F8_E8M0, 0xff, 0},
    {TTSB_I32, 0x7fc00000, 0},
};

static void test_scan_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(scanned) / sizeof(scanned[0]); i++) {
        struct kernel_nonfinite found = {0, 0, 0};
        kernel_scan_nonfinite(scanned[i].dtype, &scanned[i].bits, 1, &found);
        assert_int_equal(found.count, scanned[i].count);
        assert_int_equal(found.seen, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_half),
        cmocka_unit_test(test_every_middle),
        cmocka_unit_test(test_f32_edges),
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_store_random),
        cmocka_unit_test(test_errors_add_up),
        cmocka_unit_test(test_cast_pairs),
        cmocka_unit_test(test_cast_narrow),
        cmocka_unit_test(test_cast_integer_edges),
        cmocka_unit_test(test_cast_integer_error),
        cmocka_unit_test(test_cast_same),
        cmocka_unit_test(test_not_a_float),
        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_scan_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
