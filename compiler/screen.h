/* SPDX-License-Identifier: MIT
 *
 * screen.h - what must not reach a terminal.
 *
 * In: a text whose foreign parts are JSON strings. Out: the same, without
 * control characters. Invariant: no information is lost, since an escape takes
 * the place of the character.
 */
#ifndef TTSW_SCREEN_H
#define TTSW_SCREEN_H

#include "text.h"

/* Bytes of a control character at a text of n > 0 bytes; 0 for what may be
 * shown. Control characters are C0 (the line end, too), DEL, C1, and what turns
 * the direction of a line or ends it, as U+202E. */
size_t screen_control(const char *text, size_t n);

/* DEL and C1 become \u007f to \u009f, U+202E becomes \u202e; those below a
 * blank, which JSON strings have escaped already, but for line ends, become
 * `?`. */
void screen_escape(struct text *t);

#endif
