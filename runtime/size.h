/* SPDX-License-Identifier: MIT
 *
 * size.h - arithmetic on numbers that came from a file, and little-endian
 * loads and stores.
 *
 * In: untrusted u64 values, or raw bytes. Out: a result and true, or false
 * where the exact result does not fit in 63 bits (so that it is also a valid
 * file offset). Invariant: nothing here wraps, aligns or dereferences blindly;
 * all other code reaches for these instead of `+ * <<`.
 */
#ifndef TTSB_SIZE_H
#define TTSB_SIZE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define TTSB_SIZE_MAX ((uint64_t)INT64_MAX)

/* *out = a + b, or false. */
static inline bool size_add(uint64_t a, uint64_t b, uint64_t *out)
{
    if (a > TTSB_SIZE_MAX || b > TTSB_SIZE_MAX - a)
        return false;
    *out = a + b;
    return true;
}

/* *out = a * b, or false. */
static inline bool size_mul(uint64_t a, uint64_t b, uint64_t *out)
{
    if (a > TTSB_SIZE_MAX || b > TTSB_SIZE_MAX)
        return false;
    if (a != 0 && b > TTSB_SIZE_MAX / a)
        return false;
    *out = a * b;
    return true;
}

/* *out = the least multiple of align (a power of two) not below a. */
static inline bool size_align(uint64_t a, uint64_t align, uint64_t *out)
{
    uint64_t up;
    if (align == 0 || (align & (align - 1)) != 0)
        return false;
    if (!size_add(a, align - 1, &up))
        return false;
    *out = up & ~(align - 1);
    return true;
}

/* Whether [offset, offset + length) lies inside [0, size). */
static inline bool size_inside(uint64_t offset, uint64_t length, uint64_t size)
{
    return offset <= size && length <= size - offset;
}

static inline uint16_t load_u16(const void *p)
{
    const uint8_t *b = p;
    return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t load_u32(const void *p)
{
    const uint8_t *b = p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
           (uint32_t)b[3] << 24;
}

static inline uint64_t load_u64(const void *p)
{
    const uint8_t *b = p;
    return (uint64_t)load_u32(b) | (uint64_t)load_u32(b + 4) << 32;
}

static inline void store_u16(void *p, uint16_t v)
{
    uint8_t *b = p;
    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
}

static inline void store_u32(void *p, uint32_t v)
{
    store_u16(p, (uint16_t)v);
    store_u16((uint8_t *)p + 2, (uint16_t)(v >> 16));
}

static inline void store_u64(void *p, uint64_t v)
{
    store_u32(p, (uint32_t)v);
    store_u32((uint8_t *)p + 4, (uint32_t)(v >> 32));
}

#endif
