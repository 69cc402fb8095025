/* SPDX-License-Identifier: MIT
 *
 * planes.h - elements taken apart by the places of their bytes.
 *
 * In: elements of 2, 4 or 8 bytes. Out: all their first bytes, then all their
 * second ones, and so on; and back. Invariant: pure; the order of bytes is the
 * file's, whatever the machine's. A weight's exponent says little new and its
 * mantissa is noise: side by side, zstd finds neither.
 */
#ifndef TTSW_PLANES_H
#define TTSW_PLANES_H

#include <stddef.h>
#include <stdint.h>

/* From `size` bytes at `in` to as many at `out`, which do not overlap; `width`
 * is 2, 4 or 8, and `size` is a multiple of it. */
void planes_split(unsigned width, const uint8_t *in, size_t size, uint8_t *out);

/* The other way. */
void planes_join(unsigned width, const uint8_t *in, size_t size, uint8_t *out);

#endif
