/* SPDX-License-Identifier: MIT
 *
 * json.h - a strict pull reader of RFC 8259, over bytes in memory.
 *
 * In: a text of any bytes. Out: its tokens, one a call, each with its byte
 * offset, or one error with its byte offset.
 *
 * Invariant: a sequence of tokens that ends with JSON_END is exactly one JSON
 * value; its strings are valid UTF-8 and no object in it has a key twice.
 * Refused beyond the grammar: nesting deeper than JSON_MAX_DEPTH, escapes of
 * lone surrogates, a number of 1e308 or more (so that every number has a
 * finite binary64, which nobody here computes), a key twice. The reader never
 * recurses and never looks beyond the text. It knows nothing of tensors.
 */
#ifndef TTSW_JSON_H
#define TTSW_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "str.h"

#define JSON_MAX_DEPTH 127

enum json_kind {
    JSON_END, /* nothing but white space is left */
    JSON_OBJECT,
    JSON_OBJECT_END,
    JSON_ARRAY,
    JSON_ARRAY_END,
    JSON_KEY, /* its colon is read, its value comes next */
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL
};

struct json_token {
    enum json_kind kind;
    uint64_t offset; /* of its first byte (of a string: the quote) + base */
    struct str text; /* a string's or key's decoded bytes; a number's spelling;
                        otherwise {NULL, 0} */
};

struct json_error {
    uint64_t offset; /* of the byte that is wrong + base */
    struct str key;  /* a key twice: the key; otherwise {NULL, 0} */
    char text[120];  /* one sentence without a full stop, in ASCII */
};

enum json_state {
    JSON_WANT_VALUE,
    JSON_WANT_FIRST_ITEM,
    JSON_WANT_FIRST_KEY,
    JSON_WANT_COMMA_OR_END,
    JSON_FAILED
};

struct json_key {
    struct str name;
    uint64_t offset;
};

struct json_frame {
    bool object;
    size_t first_key; /* of this object, in json.keys */
};

/* One reading. Callers look at `error` (after a failure) and `depth` (open
 * objects and arrays) only. */
struct json {
    struct arena *arena;
    struct str text;
    uint64_t base;
    size_t at;
    enum json_state state;
    size_t depth;
    struct json_frame frames[JSON_MAX_DEPTH];
    struct json_key *keys; /* of all open objects, outermost first */
    size_t key_count, key_capacity;
    struct json_error error;
};

/* Begins to read `text`, whose first byte counts as offset `base` (which
 * leaves room for text.n). The text and the arena outlive the reader and all
 * tokens: a string without escapes is a view of the text, any other lives in
 * the arena, as do the keys of open objects. */
void json_start(struct json *j, struct arena *arena, struct str text,
                uint64_t base);

/* The next token. False where the text is not JSON or breaks one of the
 * limits above, with the reason in j->error; from then on always false. After
 * JSON_END it gives JSON_END again. A key twice is found at the end of its
 * object, at the offset of the second one. */
bool json_next(struct json *j, struct json_token *token);

/* Reads on to the end of the value that `first`, the latest token, begins.
 * Nothing happens where that token is a whole value by itself. False as
 * json_next. */
bool json_skip(struct json *j, const struct json_token *first);

/* The value of a number that is written as digits only and is at most
 * 2^64 - 1; false for any other number and for a token that is none. */
bool json_u64(const struct json_token *token, uint64_t *value);

/* "an object", "a key", "the end of the text" and so on, for messages. */
const char *json_kind_name(enum json_kind kind);

#endif
