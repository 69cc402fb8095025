/* SPDX-License-Identifier: MIT
 *
 * cpu.c - the kernels that move and convert, on the host: loops over the
 * bodies.
 *
 * In:  what kernels.h describes. Out: the same bits as reference.c, faster.
 * Invariant: a loop here never decides a number; it only walks. Speed comes
 * from three things: the dtype is a constant inside a loop, so that a body is
 * selects and the compiler makes vector code of it; casts go through a chunk
 * that stays in the first cache; permutations move runs or tiles.
 */
#include "kernels.h"

#include "body_cast.h"
#include "body_permute.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "buffers hold the file's bytes, which are little endian");
static_assert(KERNEL_MAX_RANK >= TTSB_MAX_RANK, "any tensor can be permuted");

/* Elements that a loop takes at a time where it walks twice. */
#define CHUNK 1024

bool kernel_is_float(enum ttsb_dtype dtype)
{
    return body_is_float(dtype);
}

bool kernel_cast_known(struct kernel_cast pair)
{
    if (pair.from == pair.to)
        return body_dtype_bits(pair.from) != 0;
    return (body_is_float(pair.from) && body_is_float(pair.to)) ||
           (body_is_integer(pair.from) && body_is_integer(pair.to));
}

static uint64_t chunk_at(uint64_t i, uint64_t n)
{
    return n - i < CHUNK ? n - i : CHUNK;
}

static void load_f16(const void *src, uint64_t n, double *dst)
{
    for (uint64_t i = 0; i < n; i++)
        dst[i] = body_load(TTSB_F16, src, i);
}

static void load_bf16(const void *src, uint64_t n, double *dst)
{
    for (uint64_t i = 0; i < n; i++)
        dst[i] = body_load(TTSB_BF16, src, i);
}

static void load_f32(const void *src, uint64_t n, double *dst)
{
    for (uint64_t i = 0; i < n; i++)
        dst[i] = body_load(TTSB_F32, src, i);
}

static void load_f64(const void *src, uint64_t n, double *dst)
{
    for (uint64_t i = 0; i < n; i++)
        dst[i] = body_load(TTSB_F64, src, i);
}

bool kernel_load_f64(enum ttsb_dtype dtype, const void *src, uint64_t n,
                     double *dst)
{
    if (dtype == TTSB_F16)
        load_f16(src, n, dst);
    else if (dtype == TTSB_BF16)
        load_bf16(src, n, dst);
    else if (dtype == TTSB_F32)
        load_f32(src, n, dst);
    else if (dtype == TTSB_F64)
        load_f64(src, n, dst);
    else
        return false;
    return true;
}

static void store_f16(const double *src, uint64_t n, void *dst)
{
    for (uint64_t i = 0; i < n; i++)
        body_store(TTSB_F16, src[i], dst, i);
}

static void store_bf16(const double *src, uint64_t n, void *dst)
{
    for (uint64_t i = 0; i < n; i++)
        body_store(TTSB_BF16, src[i], dst, i);
}

static void store_f32(const double *src, uint64_t n, void *dst)
{
    for (uint64_t i = 0; i < n; i++)
        body_store(TTSB_F32, src[i], dst, i);
}

static void store_f64(const double *src, uint64_t n, void *dst)
{
    for (uint64_t i = 0; i < n; i++)
        body_store(TTSB_F64, src[i], dst, i);
}

static void report(struct kernel_range_error *err, uint64_t i, double value)
{
    if (err->count == 0) {
        err->first = err->seen + i;
        err->value = value;
    }
    err->count++;
}

/* Reports what store_chunk has turned into infinity. */
static void report_overflows(const double *src, uint64_t n,
                             struct body_format format,
                             struct kernel_range_error *err)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < n; i++)
        count += body_overflows(src[i], format);
    for (uint64_t i = 0; count > 0 && i < n; i++)
        if (body_overflows(src[i], format))
            report(err, i, src[i]);
}

/* Stores n elements, at most CHUNK. */
static void store_chunk(enum ttsb_dtype dtype, const double *src, uint64_t n,
                        void *dst, struct kernel_range_error *err)
{
    if (dtype == TTSB_F16)
        store_f16(src, n, dst);
    else if (dtype == TTSB_BF16)
        store_bf16(src, n, dst);
    else if (dtype == TTSB_F32)
        store_f32(src, n, dst);
    else
        store_f64(src, n, dst);
    if (dtype != TTSB_F64)
        report_overflows(src, n, body_format_of(dtype), err);
    err->seen += n;
}

bool kernel_store_f64(enum ttsb_dtype dtype, const double *src, uint64_t n,
                      void *dst, struct kernel_range_error *err)
{
    const uint64_t size = body_dtype_bits(dtype) / 8;
    unsigned char *to = dst;
    if (!body_is_float(dtype))
        return false;
    for (uint64_t i = 0; i < n; i += CHUNK)
        store_chunk(dtype, src + i, chunk_at(i, n), to + i * size, err);
    return true;
}

/* The codes of F32s in F16 or BF16; whether one does not fit. */
static bool narrow_chunk(enum ttsb_dtype dtype, const void *src, uint64_t n,
                         uint32_t *codes)
{
    int32_t beyond = 0;
    for (uint64_t i = 0; i < n; i++) {
        const uint32_t bits = body_u32(src, i);
        codes[i] = body_narrow_f32(dtype, bits);
        beyond |= body_beyond_f32(dtype, bits);
    }
    return beyond != 0;
}

static void store_codes(const uint32_t *codes, uint64_t n, unsigned char *dst)
{
    for (uint64_t i = 0; i < n; i++) {
        const uint16_t half = (uint16_t)codes[i];
        memcpy(dst + 2 * i, &half, sizeof(half));
    }
}

/* F32 to F16 or BF16, without the way through binary64: the first loop has
 * 32-bit lanes only, the second narrows them, and both become vector code. */
static void cast_narrow(enum ttsb_dtype dtype, const void *src, uint64_t n,
                        void *dst, struct kernel_range_error *err)
{
    const struct body_format format = body_format_of(dtype);
    uint32_t codes[CHUNK];
    for (uint64_t i = 0; i < n; i += CHUNK) {
        const uint64_t m = chunk_at(i, n);
        const unsigned char *from = (const unsigned char *)src + i * 4;
        const bool beyond = dtype == TTSB_F16
                                ? narrow_chunk(TTSB_F16, from, m, codes)
                                : narrow_chunk(TTSB_BF16, from, m, codes);
        store_codes(codes, m, (unsigned char *)dst + i * 2);
        for (uint64_t j = 0; beyond && j < m; j++)
            if (body_overflows(body_load(TTSB_F32, from, j), format))
                report(err, j, body_load(TTSB_F32, from, j));
        err->seen += m;
    }
}

static void cast_floats(struct kernel_cast pair, const void *src, uint64_t n,
                        void *dst, struct kernel_range_error *err)
{
    const uint64_t from_size = body_dtype_bits(pair.from) / 8;
    const uint64_t to_size = body_dtype_bits(pair.to) / 8;
    const unsigned char *from = src;
    unsigned char *to = dst;
    double wide[CHUNK];
    for (uint64_t i = 0; i < n; i += CHUNK) {
        const uint64_t m = chunk_at(i, n);
        (void)kernel_load_f64(pair.from, from + i * from_size, m, wide);
        store_chunk(pair.to, wide, m, to + i * to_size, err);
    }
}

static void cast_integers(struct kernel_cast pair, const void *src, uint64_t n,
                          void *dst, struct kernel_range_error *err)
{
    for (uint64_t i = 0; i < n; i++) {
        const struct body_integer v = body_load_integer(pair.from, src, i);
        body_store_integer(pair.to, v, dst, i);
        if (!body_integer_fits(pair.to, v))
            report(err, i, body_integer_value(v));
    }
    err->seen += n;
}

bool kernel_cast(struct kernel_cast pair, const void *src, uint64_t n,
                 void *dst, struct kernel_range_error *err)
{
    if (!kernel_cast_known(pair))
        return false;
    if (pair.from == TTSB_F32 && body_dtype_bits(pair.to) == 16) {
        cast_narrow(pair.to, src, n, dst, err);
    } else if (pair.from != pair.to && body_is_float(pair.from)) {
        cast_floats(pair, src, n, dst, err);
    } else if (pair.from != pair.to) {
        cast_integers(pair, src, n, dst, err);
    } else {
        const uint64_t bits = body_dtype_bits(pair.from);
        if (n > 0)
            memcpy(dst, src, n / 8 * bits + n % 8 * bits / 8);
        err->seen += n;
    }
    return true;
}

/* How many of n elements, at most CHUNK, are not finite. */
static uint64_t count_nonfinite(enum ttsb_dtype dtype, const void *src,
                                uint64_t n)
{
    uint64_t count = 0;
    switch (dtype) {
    case TTSB_F16:
        for (uint64_t i = 0; i < n; i++)
            count += body_nonfinite(TTSB_F16, src, i);
        break;
    case TTSB_BF16:
        for (uint64_t i = 0; i < n; i++)
            count += body_nonfinite(TTSB_BF16, src, i);
        break;
    case TTSB_F32:
        for (uint64_t i = 0; i < n; i++)
            count += body_nonfinite(TTSB_F32, src, i);
        break;
    default:
        for (uint64_t i = 0; i < n; i++)
            count += body_nonfinite(dtype, src, i);
    }
    return count;
}

void kernel_scan_nonfinite(enum ttsb_dtype dtype, const void *src, uint64_t n,
                           struct kernel_nonfinite *found)
{
    const uint64_t size = body_dtype_bits(dtype) / 8;
    const uint64_t last = body_nonfinite_mask(dtype) == 0 ? 0 : n;
    for (uint64_t i = 0; i < last; i += CHUNK) {
        const unsigned char *at = (const unsigned char *)src + i * size;
        const uint64_t count = count_nonfinite(dtype, at, chunk_at(i, n));
        uint64_t j = 0;
        while (count > 0 && found->count == 0 && !body_nonfinite(dtype, at, j))
            j++;
        if (count > 0 && found->count == 0)
            found->first = found->seen + i + j;
        found->count += count;
    }
    found->seen += n;
}

static void copy_rows(const struct body_plane *p, uint32_t size)
{
    unsigned char *to = p->dst;
    const unsigned char *from = p->src;
    for (uint64_t r = 0; r < p->rows; r++)
        memcpy(to + r * p->dst_row * size, from + r * p->src_row * size,
               p->cols * size);
}

static void copy_tiles(const struct body_plane *p, uint32_t size)
{
    for (uint64_t r = 0; r < p->rows; r += BODY_TILE)
        for (uint64_t c = 0; c < p->cols; c += BODY_TILE)
            body_permute_tile(p, r, c, size);
}

/* `size` becomes a constant, and so each move one instruction. */
static void copy_plane(const struct body_plane *p, uint32_t size)
{
    if (p->src_col == 1)
        copy_rows(p, size);
    else if (size == 4)
        copy_tiles(p, 4);
    else if (size == 2)
        copy_tiles(p, 2);
    else if (size == 8)
        copy_tiles(p, 8);
    else
        copy_tiles(p, 1);
}

/* The axis that makes the best plane with the last one: the last run's
 * neighbour, or, where the last axis is no run, the one nearest to a run. */
static uint32_t plane_axis(const struct kernel_permute *p)
{
    uint32_t best = p->rank - 2;
    for (uint32_t a = 0; a < p->rank - 1; a++)
        if (p->in_strides[p->rank - 1] != 1 &&
            p->in_strides[a] < p->in_strides[best])
            best = a;
    return best;
}

/* Copies the planes of `row` and the last axis one by one; rank is 2 or more.
 * What is left of p, those two axes being 1, tells where each begins. */
static void copy_planes(struct kernel_permute p, const void *src, void *dst)
{
    const uint32_t row = plane_axis(&p);
    const uint32_t last = p.rank - 1;
    struct kernel_permute target = p;
    struct body_plane plane = {.rows = p.out_dims[row],
                               .cols = p.out_dims[last],
                               .src_row = p.in_strides[row],
                               .src_col = p.in_strides[last]};
    uint64_t stride = 1;
    for (uint32_t a = p.rank; a-- > 0; stride *= p.out_dims[a])
        target.in_strides[a] = stride;
    plane.dst_row = target.in_strides[row];
    p.out_dims[row] = target.out_dims[row] = 1;
    p.out_dims[last] = target.out_dims[last] = 1;
    const uint64_t count = body_permute_count(&p);
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t to = body_permute_source(&target, i);
        const uint64_t from = body_permute_source(&p, i);
        plane.dst = (unsigned char *)dst + to * p.element_size;
        plane.src = (const unsigned char *)src + from * p.element_size;
        copy_plane(&plane, p.element_size);
    }
}

bool kernel_permute(const struct kernel_permute *p, const void *src, void *dst)
{
    const uint32_t size = p->element_size;
    if (p->rank > KERNEL_MAX_RANK ||
        (size != 1 && size != 2 && size != 4 && size != 8))
        return false;
    if (body_permute_count(p) == 0)
        return true;
    struct kernel_permute q = body_permute_simplify(*p);
    const struct body_plane line = {.dst = dst,
                                    .src = src,
                                    .rows = 1,
                                    .cols = q.rank == 0 ? 1 : q.out_dims[0],
                                    .src_col =
                                        q.rank == 0 ? 1 : q.in_strides[0]};
    if (q.rank < 2)
        copy_plane(&line, size);
    else
        copy_planes(q, src, dst);
    return true;
}
