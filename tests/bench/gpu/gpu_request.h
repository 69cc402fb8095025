/* SPDX-License-Identifier: MIT
 *
 * gpu_request.h - one request of the bench to its worker, and the reply.
 *
 * In: a line `command<TAB>key=value<TAB>...`. Out: values by key, and a reply
 * of one line of JSON. Invariant: a key that is asked for twice has one value;
 * a reply is an object that is closed once.
 */
#ifndef GPU_REQUEST_H
#define GPU_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#define GPU_REQUEST_KEYS 16

struct gpu_request {
    const char *command;
    const char *keys[GPU_REQUEST_KEYS];
    const char *values[GPU_REQUEST_KEYS];
    int count;
};

/* Takes `line` apart, in place; false for a line that is none. */
bool gpu_request_parse(char *line, struct gpu_request *request);

/* The value of `key`, or NULL. */
const char *gpu_request_text(const struct gpu_request *request,
                             const char *key);

/* The same as a number; 0 without the key. */
uint64_t gpu_request_number(const struct gpu_request *request, const char *key);

/* Replies: begin, any members, end. Numbers of seconds have nanoseconds. */
void gpu_reply_begin(void);
void gpu_reply_seconds(const char *key, double value);
void gpu_reply_number(const char *key, uint64_t value);
void gpu_reply_text(const char *key, const char *value);
void gpu_reply_end(void);

#endif
