/* SPDX-License-Identifier: MIT
 *
 * sniff.h - what a file is that is no safetensors file.
 *
 * In: a file's first bytes. Out: what it is and the one step that helps, or
 * nothing. Invariant: bytes that a safetensors file may begin with, damaged
 * or cut off behind them, are never taken for anything else.
 */
#ifndef TTSW_SNIFF_H
#define TTSW_SNIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SNIFF_SIZE 512

/* Texts that live for ever. */
struct sniffed {
    const char *what; /* "a Git LFS pointer" */
    const char *help; /* one step */
};

/* Whether a file begins as a safetensors file does: a length that is allowed,
 * then `{`. `first` are its first SNIFF_SIZE bytes, or all if it has fewer. */
bool sniff_is_safetensors(const uint8_t *first, size_t n);

/* Recognises another kind of file by its first bytes (as above). False if the
 * kind is unknown, or the file begins as safetensors does. */
bool sniff(const uint8_t *first, size_t n, struct sniffed *out);

#endif
