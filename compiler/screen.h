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

/* DEL and C1 become \u007f to \u009f; those below a blank, which JSON strings
 * have escaped already, but for line ends, become `?`. */
void screen_escape(struct text *t);

#endif
