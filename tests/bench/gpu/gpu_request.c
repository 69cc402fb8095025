/* SPDX-License-Identifier: MIT
 *
 * gpu_request.c - see gpu_request.h.
 *
 * In: a line of stdin. Out: its parts; a line of JSON on stdout. Every reply
 * begins with {"reply":1, so that each member is written with a comma before
 * it.
 */
#include "gpu_request.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool gpu_request_parse(char *line, struct gpu_request *request)
{
    char *rest = line;
    char *word;
    *request = (struct gpu_request){0};
    line[strcspn(line, "\n")] = '\0';
    request->command = strsep(&rest, "\t");
    while ((word = strsep(&rest, "\t")) != NULL) {
        char *equals = strchr(word, '=');
        if (equals == NULL || request->count == GPU_REQUEST_KEYS)
            return false;
        *equals = '\0';
        request->keys[request->count] = word;
        request->values[request->count++] = equals + 1;
    }
    return request->command[0] != '\0';
}

const char *gpu_request_text(const struct gpu_request *request, const char *key)
{
    for (int i = 0; i < request->count; i++)
        if (strcmp(request->keys[i], key) == 0)
            return request->values[i];
    return NULL;
}

uint64_t gpu_request_number(const struct gpu_request *request, const char *key)
{
    const char *text = gpu_request_text(request, key);
    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

void gpu_reply_begin(void)
{
    printf("{\"reply\":1");
}

void gpu_reply_seconds(const char *key, double value)
{
    printf(",\"%s\":%.9f", key, value);
}

void gpu_reply_number(const char *key, uint64_t value)
{
    printf(",\"%s\":%" PRIu64, key, value);
}

void gpu_reply_text(const char *key, const char *value)
{
    printf(",\"%s\":\"", key);
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\')
            putchar('\\');
        putchar((unsigned char)*value < 0x20 ? ' ' : *value);
    }
    putchar('"');
}

void gpu_reply_end(void)
{
    printf("}\n");
    fflush(stdout);
}
