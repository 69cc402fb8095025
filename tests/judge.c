/* SPDX-License-Identifier: MIT
 *
 * judge.c - what the C reader says of many blobs that differ in their heads.
 *
 * judge FILE HEAD_SIZE <HEADS: each HEAD_SIZE bytes of standard input stand in
 * for the first bytes of FILE. Out: a line for each, the status of open and,
 * where that is TTSB_OK, of verify, by name. Invariant: the blob lies in a
 * block of exactly its size, so that a sanitizer sees every read outside.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "ttsb.h"

/* The file's bytes in *bytes, the caller's to free; 0 on failure. */
static size_t read_file(const char *path, uint8_t **bytes)
{
    FILE *file = fopen(path, "rb");
    long size = -1;
    *bytes = NULL;
    if (file == NULL)
        return 0;
    if (fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    rewind(file);
    if (size > 0)
        *bytes = malloc((size_t)size);
    if (*bytes == NULL || fread(*bytes, 1, (size_t)size, file) != (size_t)size)
        size = 0;
    fclose(file);
    return (size_t)size;
}

static void judge(const uint8_t *bytes, size_t size)
{
    const struct ttsb_open_options options = {.struct_size = sizeof(options),
                                              .flags = TTSB_OPEN_PARTIAL};
    struct ttsb_blob *blob;
    int32_t status = ttsb_open_memory(bytes, size, &options, &blob, NULL);
    printf("%s", ttsb_status_name(status));
    if (status == TTSB_OK)
        printf(" %s", ttsb_status_name(ttsb_verify(blob, 1, NULL, NULL)));
    printf("\n");
    ttsb_close(blob);
}

int main(int argc, char **argv)
{
    uint8_t *bytes;
    size_t head = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    size_t size = argc == 3 ? read_file(argv[1], &bytes) : 0;
    size_t n;
    if (head == 0 || size < head) {
        fprintf(stderr, "usage: judge FILE HEAD_SIZE <HEADS\n");
        return 2;
    }
    while ((n = fread(bytes, 1, head, stdin)) == head)
        judge(bytes, size);
    free(bytes);
    return n == 0 && !ferror(stdin) ? 0 : 1;
}
