/* SPDX-License-Identifier: MIT
 *
 * ttsb_use.h - which weights an engine has used; included by ttsb.h.
 *
 * In: bits that the caller owns, one for each tensor. Out: a bit set for each
 * tensor that was used, so that the weight an engine forgets can be named: by
 * ttsb_unused for names (ttsb.h), by a generated header's MODEL_unused for
 * members. Invariant: bits are only ever set, atomically, so that any number
 * of threads may use weights at the same time.
 *
 * What generated headers are written with, in C and C++, is here too.
 *
 * A program is built with -DTTSB_COVERAGE as a whole or not at all: a
 * generated header's struct has one more member with it.
 */
#ifndef TTSB_USE_H
#define TTSB_USE_H

#include <stddef.h>
#include <stdint.h>

/* For generated headers, in C and in C++. */
#ifdef __cplusplus
#define TTSB_STATIC_ASSERT(holds, text) static_assert(holds, text)
#define TTSB_CAST(type, value) static_cast<type>(value)
#else
#define TTSB_STATIC_ASSERT(holds, text) _Static_assert(holds, text)
#define TTSB_CAST(type, value) ((type)(value))
#endif

/* For generated headers: `offset` bytes behind a group's base, which is not
 * NULL. Nothing is read through the result. */
static inline const void *ttsb_at(const void *base, uint64_t offset)
{
    return TTSB_CAST(const char *, base) + offset;
}

/* The uint32_t words that hold the bits of `count` tensors. */
#define TTSB_USED_WORDS(count) (((count) + 31) / 32)

/* Sets bit `index`. For an engine with a table of its own: what it takes out
 * of that table it marks here. */
static inline void ttsb_mark_used(uint32_t *used, uint32_t index)
{
    const uint32_t bit = UINT32_C(1) << index % 32;
    /* Read first: what all only read stays in every core's cache. */
    if ((__atomic_load_n(&used[index / 32], __ATOMIC_RELAXED) & bit) == 0)
        __atomic_fetch_or(&used[index / 32], bit, __ATOMIC_RELAXED);
}

/* Whether bit `index` is set: 1 or 0. */
static inline int ttsb_is_used(const uint32_t *used, uint32_t index)
{
    const uint32_t word = __atomic_load_n(&used[index / 32], __ATOMIC_RELAXED);
    return (word & UINT32_C(1) << index % 32) != 0;
}

/* TTSB_USE(w, path): the member `path` of the generated struct that `w` points
 * to, as in TTSB_USE(w, blk[i].attn.q.weight); plain member access, and free.
 *
 * With -DTTSB_COVERAGE it also sets the member's bit in the array that
 * (w)->ttsb_used points to, and where this is NULL, none. The caller sets it
 * after MODEL_bind, which makes it NULL, to TTSB_USED_WORDS(MODEL_TENSOR_COUNT)
 * words that are 0 and outlive *w. A path that ends at an array or a struct
 * uses all that is in it. `w` and subscripts are then evaluated more than
 * once: give them no side effects. For host code. */
#ifdef TTSB_COVERAGE
#define TTSB_USE(w, path)                                                      \
    (ttsb_mark_members((w)->ttsb_used, (w), &(w)->path, sizeof((w)->path)),    \
     (w)->path)

/* What the macro does: every member of the struct is one pointer, which the
 * generated header asserts, so that a place is a number. */
static inline void ttsb_mark_members(uint32_t *used, const void *weights,
                                     const void *member, size_t size)
{
    const size_t start =
        TTSB_CAST(size_t, TTSB_CAST(const char *, member) -
                              TTSB_CAST(const char *, weights));
    if (used == NULL)
        return;
    for (size_t at = start; at < start + size; at += sizeof(void *))
        ttsb_mark_used(used, TTSB_CAST(uint32_t, at / sizeof(void *)));
}
#else
#define TTSB_USE(w, path) ((w)->path)
#endif

#endif
