/* SPDX-License-Identifier: MIT
 *
 * version.h - the version of the program, and nothing else.
 */
#ifndef TTSW_VERSION_H
#define TTSW_VERSION_H

#define TTSW_VERSION "0.1.0"

#endif
