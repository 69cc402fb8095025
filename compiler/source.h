/* SPDX-License-Identifier: MIT
 *
 * source.h - the text of a spec, kept whole, and places in it.
 *
 * In: a file. Out: its bytes, and the line and column of any byte.
 * Invariant: the text is valid UTF-8 without a byte order mark, tabs or
 * control characters, at most 16 MiB; a span's bytes lie inside its source.
 */
#ifndef TTSW_SOURCE_H
#define TTSW_SOURCE_H

#include "arena.h"
#include "str.h"

#define SOURCE_MAX ((size_t)16 << 20)

struct source {
    struct str path; /* as the user wrote it */
    struct str text;
    uint32_t *line_start; /* byte offset of each line */
    uint32_t lines;
};

/* The bytes [begin, end) of a source; src is NULL for "no place". */
struct span {
    const struct source *src;
    uint32_t begin, end;
};

/* What source_load found wrong; `at` is a byte offset in the text. */
enum source_problem {
    SOURCE_OK,
    SOURCE_SYSTEM,    /* errno says why */
    SOURCE_TOO_LARGE, /* over SOURCE_MAX */
    SOURCE_NOT_UTF8,
    SOURCE_CONTROL, /* a tab, a control character or a byte order mark */
};

/* Reads `path` into the arena. On SOURCE_NOT_UTF8 and SOURCE_CONTROL the
 * source is usable for showing the place *at, and for nothing else; on
 * SOURCE_TOO_LARGE its text is the file's beginning. */
enum source_problem source_load(struct arena *a, struct str path,
                                struct source *out, uint32_t *at);

/* The same for text that is already in memory (tests). */
enum source_problem source_from_text(struct arena *a, struct str path,
                                     struct str text, struct source *out,
                                     uint32_t *at);

/* Line and column of byte `at`, both from 1; columns count characters. */
void source_position(const struct source *s, uint32_t at, uint32_t *line,
                     uint32_t *column);

/* Line `line` (from 1) without its line end. */
struct str source_line(const struct source *s, uint32_t line);

/* Characters in the bytes [from, to) of the text. */
uint32_t source_columns(const struct source *s, uint32_t from, uint32_t to);

/* The text that a span covers. */
static inline struct str span_text(struct span s)
{
    return str_cut(s.src->text, s.begin, s.end);
}

#endif
